"""The Home tab: what a person sees there, what they can do there, and how current it is."""

import re

import pytest

from taskwire_sandbox.coder.faults import Fault, server_error
from taskwire_sandbox.coder.wire import Response

from .people import Thread
from .running_tasks import PULL, TITLE, a_task, card, timeless
from .test_preferences import address
from .world import CARD_SECONDS, SETTLE_SECONDS, World

ABOUT = (
    "Taskwire gives your work to AI agents in Coder, each in a Slack thread of its own. You answer and "
    "stop them there. Here you see which of them need you."
)
EMPTY = f"{ABOUT}\n[New task]\nOr write in a channel: `/task create fix the login redirect`"
NO_TASKS = Fault("empty", answer=Response(200, b'{"tasks":[],"count":0}'))
NOT_FOUND = b'{"message":"Resource not found or you do not have access to this resource"}'
# The task's name, after the link to its thread if no button below leads there.
NAME = "fix-the-login-redirect"
PLACE = f"thread · {NAME}"
QUIET = "[New task]\nNothing needs you right now."


# The end of every tab, unless the person has changed their preferences.
USUAL_CALLS = "\n---\nWhen a task needs you, I mention you in its thread. [Change]"


def tasks_in(home: str) -> str:
    """Return the part of a tab above the preferences."""
    assert home.endswith(USUAL_CALLS), home
    return shorten_names(home.removesuffix(USUAL_CALLS))


def shorten_names(home: str) -> str:
    """Return the tab's text, with the random end of each task's name removed."""
    return re.sub(r"-[0-9a-f]{6}$", "", home, flags=re.MULTILINE)


async def current_home(world: World) -> str:
    """Wait until the bot has published the Home tab and edited the card. Return what Alice's tab then shows
    above the preferences."""
    for _ in range(3):
        await world.passes(CARD_SECONDS)
    return tasks_in(world.alice.home())


async def asks(world: World, thread: Thread) -> None:
    """Let the agent ask a question, and wait until the bot has posted the notice. The test has only one
    task."""
    world.task("fix-the-login-redirect").becomes("idle", "Which config should I keep?")
    await world.polls()
    await world.passes(SETTLE_SECONDS)
    await world.passes(CARD_SECONDS)
    assert len(thread.new_messages()) == 1


async def test_an_empty_home_says_what_taskwire_is(world: World) -> None:
    """The Home tab of a person without tasks says what Taskwire is, and has a button and an example."""
    assert tasks_in(await world.alice.opens_home()) == EMPTY

    await world.alice.presses_in_home("New task")

    assert world.alice.dialog().startswith("[New task]\nTemplate:")


@pytest.mark.parametrize("press", ["View pull request", "Hide it here"])
async def test_home_follows_a_task_from_its_start_to_its_pull_request(world: World, press: str) -> None:
    """Alice has her Home tab open, and it follows each change of her task. The finished task needs her, until
    she opens its pull request or presses *Hide it here*."""
    await world.alice.opens_home()
    thread, task = await a_task(world)
    running = await current_home(world)
    await asks(world, thread)
    asked = await current_home(world)
    await world.alice.replies(thread, "the new one")
    task.becomes("working", "Editing the config")
    await world.polls()
    task.becomes("complete", "Opened the pull request", PULL)
    await world.polls()
    done = await current_home(world)
    await world.alice.presses_in_home(press)
    seen = await current_home(world)
    await world.alice.types("/task list needs-me")

    assert running == f"{QUIET}\n*Running*\n:gear: {TITLE} · Working · …\nReading the code · {PLACE}"
    assert asked == (
        f"[New task]\n*Needs you*\n:raising_hand: {TITLE} · Needs you · …\n"
        f"Which config should I keep? · {NAME}\n"
        "[Answer] [Open thread]"
    )
    assert done == (
        f"[New task]\n*Needs you*\n:white_check_mark: {TITLE} · Done · a pull request to look at · …\n"
        f"Opened the pull request · PR #12 · {NAME}\n"
        "[View pull request] [Hide it here] [Open thread]"
    )
    assert seen == (
        f"{QUIET}\n*Paused or finished lately*\n:white_check_mark: {TITLE} · Done · …\n"
        f"Opened the pull request · PR #12 · {PLACE}"
    )
    assert world.alice.reads() == ["Nothing needs you right now. `/task list` shows all tasks you can see."]
    assert len(thread.new_messages()) == 1


async def test_a_question_is_answered_in_home(world: World) -> None:
    """Alice presses *Answer* in her Home tab. The same dialog opens as from the card. After that, the tab
    says in which thread the bot posted her answer."""
    thread, task = await a_task(world)
    await asks(world, thread)
    await world.alice.opens_home()

    await world.alice.presses_in_home("Answer")
    await world.alice.submits(prompt="Keep new.toml")
    await world.passes(seconds=5)

    told = world.alice.home()
    sent = await current_home(world)

    assert task.inputs == ["Keep new.toml"]
    assert thread.new_messages() == ["Alice says: Keep new.toml\n> Keep new.toml"]
    assert told.startswith(
        f"Posted in the thread of *{TITLE}*. The reaction there shows when the agent has it.\n---\n"
    )
    assert sent.endswith(f"*Running*\n:gear: {TITLE} · Working · …\n{PLACE}")


async def test_a_paused_task_is_resumed_in_home(world: World) -> None:
    """Alice presses *Resume* in her Home tab. The tab shows at once that the task is being resumed. It also
    shows the bot's answer to the press."""
    thread, task = await a_task(world)
    task.pause()
    await world.polls()
    paused = tasks_in(await world.alice.opens_home())

    await world.alice.presses_in_home("Resume")
    pressed = await current_home(world)
    await world.polls(times=2)
    resumed = await current_home(world)

    assert paused == (
        f"{QUIET}\n*Paused or finished lately*\n:double_vertical_bar: {TITLE} · Paused · …\n"
        f"Reading the code · {NAME}\n[Resume] [Open thread]"
    )
    assert pressed == (
        f"Resuming *{TITLE}*.\n---\n{QUIET}\n*Paused or finished lately*\n"
        f":arrow_forward: {TITLE} · Resuming… · …\nReading the code · {NAME}\n[Open thread]"
    )
    assert resumed == (
        f"Resuming *{TITLE}*.\n---\n{QUIET}\n*Running*\n"
        f":hourglass_flowing_sand: {TITLE} · Starting · …\n{PLACE}"
    )
    assert len(thread.new_messages()) == 2


async def test_a_question_stays_in_home_while_its_task_is_paused(world: World) -> None:
    """The agent asks a question, and the task is then paused. The Home tab still shows the question, with
    *Answer* and *Resume*. It calls the task paused, as the card does, and says why the task is there."""
    thread, task = await a_task(world)
    await asks(world, thread)
    task.pause()
    await world.polls()

    assert (await card(world, thread)).startswith(f"Paused: {TITLE}. ")
    assert tasks_in(await world.alice.opens_home()) == (
        f"[New task]\n*Needs you*\n:double_vertical_bar: {TITLE} · Paused · its agent still needs you · …\n"
        f"Which config should I keep? · {NAME}\n[Answer] [Resume] [Open thread]"
    )
    assert len(thread.new_messages()) == 1


async def test_a_refused_press_is_explained_in_home(world: World) -> None:
    """A person presses a button of the tab after somebody deleted the task. The tab explains why nothing was
    done."""
    thread, task = await a_task(world)
    task.pause()
    await world.polls()
    await world.alice.opens_home()
    task.delete()

    await world.alice.presses_in_home("Resume")
    told = world.alice.home()
    await world.polls(times=2)
    await world.ages(seconds=130)
    await current_home(world)

    assert told.startswith(
        f"*{TITLE}* is no longer in Coder. `/task list` shows the tasks you can see.\n---\n{QUIET}\n"
    )
    assert tasks_in(await world.alice.opens_home()) == EMPTY
    assert len(thread.new_messages()) == 2


async def test_while_coder_is_away_home_says_since_when(world: World) -> None:
    """While Coder is away, the tab shows the last known state, and says since when Coder is away."""
    await world.alice.opens_home()
    await a_task(world)
    world.coder.plan_fault("tasks.list", server_error(), times=2)

    await world.polls(times=2)
    away = await current_home(world)
    await world.polls()
    back = await current_home(world)

    shown = f"{QUIET}\n*Running*\n:gear: {TITLE} · Working · …\nReading the code · {PLACE}"
    assert timeless(away) == (
        ":warning: Coder has not answered since <{date_short_pretty} at {time}>. This may be old.\n" + shown
    )
    assert back == shown


async def test_home_shows_only_ones_own_tasks(world: World) -> None:
    """Alice's tasks are not in Bob's Home tab. Bob finds them with `/task list` in the channel of their
    threads."""
    await a_task(world)

    assert tasks_in(await world.bob.opens_home()) == EMPTY


async def test_a_guest_finds_in_home_who_can_help(world: World) -> None:
    """Guests cannot use Taskwire. A guest's Home tab says whom to ask, and has no button."""
    guest = world.person("guest", is_restricted=True)

    assert await guest.opens_home() == (
        "Guests in this Slack cannot use Taskwire. Ask a full member to do it."
    )


async def test_the_tab_of_somebody_who_does_not_look_is_left_alone(world: World) -> None:
    """A person has not opened their Home tab, so the bot does not publish it. Slack allows only a hundred
    publications a minute in all."""
    await world.slack.open_home(world.alice.id, "messages")
    await a_task(world)
    await world.bob.opens_home()
    await world.passes(CARD_SECONDS)

    published = [call.arguments["user_id"] for call in world.slack.calls if call.method == "views.publish"]
    assert published == [world.bob.id]


async def test_many_changes_at_once_are_published_together(world: World) -> None:
    """Many tasks change at the same time. The bot publishes a tab at most once in three seconds."""
    await world.alice.opens_home()
    for number in range(2):
        await world.alice.runs(f"/task create write page {number}")
    await world.polls()
    await world.passes(CARD_SECONDS)

    published = [call for call in world.slack.calls if call.method == "views.publish"]
    heading, *rows = tasks_in(world.alice.home()).rsplit("\n", 4)
    assert heading == f"{QUIET}\n*Running*"
    assert sorted(rows) == [
        ":gear: Write page 0 · Working · …",
        ":gear: Write page 1 · Working · …",
        "thread · write-page-0",
        "thread · write-page-1",
    ]
    assert len(published) == 2


async def test_a_task_that_is_gone_leaves_home_until_it_is_back(world: World) -> None:
    """Coder no longer shows a task, so the Home tab no longer shows it either. When Coder shows the task
    again, the tab shows it again."""
    await world.alice.opens_home()
    thread, _ = await a_task(world)
    world.coder.plan_fault("tasks.list", NO_TASKS, times=2)
    world.coder.plan_fault("tasks.get", Fault("hidden", answer=Response(404, NOT_FOUND)))

    await world.polls(times=2)
    gone = await current_home(world)
    await world.polls(times=2)
    back = await current_home(world)

    assert gone == EMPTY
    assert back == f"{QUIET}\n*Running*\n:gear: {TITLE} · Working · …\nReading the code · {PLACE}"
    assert [message.partition(":")[0] for message in thread.new_messages()] == ["Gone", "Back"]


async def test_home_follows_a_shared_task_that_does_not_run(world: World) -> None:
    """Alice shares a task with Bob. His Home tab shows the task when its agent asks, with *Answer*, and when
    it is done."""
    thread, task = await a_task(world)
    await world.alice.replies(thread, f"!share <@{world.bob.id}>")
    world.alice.reads()
    world.bob.hears()
    await world.bob.opens_home()

    shown = []
    for state, report in (("idle", "Which config should I keep?"), ("complete", "Kept the new one")):
        task.becomes(state, report)
        await world.polls()
        await world.passes(SETTLE_SECONDS)
        for _ in range(3):
            await world.passes(CARD_SECONDS)
        shown.append(world.bob.home().partition("\n---")[0])
        thread.new_messages()

    assert shown == [
        "[New task]\nNone of your own tasks needs you right now.\n*Shared with you*\n"
        f":raising_hand: {TITLE} · Needs you · … · Alice\nWhich config should I keep? · "
        f"{task.name}\n[Answer] [Open thread]",
        "[New task]\nNothing needs you right now.\n*Shared with you*\n"
        f":white_check_mark: {TITLE} · Done · … · Alice\nKept the new one · "
        f"{task.name}\n[Open thread]",
    ]


async def test_a_muted_task_says_so_in_home_and_in_lists(world: World) -> None:
    """Alice mutes a task. Her Home tab, `/task` and the list say *muted*, as the card does, until she unmutes
    it."""
    thread, task = await a_task(world)
    await world.alice.opens_home()
    await world.alice.types(f"/task mute {task.name}")
    await world.passes(seconds=5)
    world.alice.reads()
    muted = world.alice.home()
    await world.alice.types("/task")
    await world.alice.types("/task list")
    lists = world.alice.reads()

    await world.alice.types(f"/task unmute {task.name}")
    await world.passes(seconds=5)

    row = f"•  Working: {TITLE}, muted. Reading the code <{address(thread)}>"
    assert f":gear: {TITLE} · Working" in muted
    assert " · muted\n" in muted
    assert [row in said.split("\n") for said in lists] == [True, True]
    assert "muted" not in world.alice.home()
    world.alice.reads()
