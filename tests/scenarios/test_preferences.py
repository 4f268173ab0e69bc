"""How the bot notifies each person: in the place that they chose, and not in their quiet hours."""

from datetime import timedelta

import pytest

from taskwire_sandbox.slack.workspace import PRIVATE

from .people import Person, Thread
from .reading import shown
from .running_tasks import PULL, TITLE, a_task
from .test_pass_on import bob_asks
from .world import CARD_SECONDS, SETTLE_SECONDS, World

DIALOG = (
    "[Your settings]\n"
    "When a task needs me, call me: {calls}\n"
    "Quiet hours begin: {begins}\n"
    "Quiet hours end: {ends}\n"
    "Times are in your time zone. Threads still get every message.\n"
    "[Save]"
)
ASKED = "Which config should I keep?\nNeeds you: Fix the login redirect. Reply here to go on.\n[Logs]"


async def saves(world: World, person: Person, **values: str) -> None:
    """Open the preferences in the Home tab, change these fields, and save them."""
    await person.opens_home()
    await person.presses_in_home("Change")
    entered = {f"person.{name}": value for name, value in values.items()}
    submitted = await world.slack.submit(person.id, world.slack.views(person.id)[-1], dict(entered))
    assert submitted.ok, submitted
    await world.settles()
    for _ in range(3):
        await world.passes(CARD_SECONDS)


async def is_quiet_for_two_hours(world: World, person: Person, **values: str) -> None:
    """Set two quiet hours for this person, from the present hour on."""
    now = world.clock.now()
    begins, ends = now.hour, (now + timedelta(hours=2)).hour
    await saves(world, person, quiet_from=f"{begins}", quiet_until=f"{ends}", **values)


async def asks(world: World) -> None:
    """Let the agent of the only task ask a question."""
    world.task("fix-the-login-redirect").becomes("idle", "Which config should I keep?")
    await world.polls()
    await world.passes(SETTLE_SECONDS)
    await world.passes(CARD_SECONDS)


def notice(thread: Thread) -> str:
    """Return the only new message of a thread."""
    [message] = thread.new_messages()
    return message


def address(thread: Thread) -> str:
    """Return the address of a thread."""
    return f"https://acme.slack.com/archives/{thread.channel}/p{thread.ts.replace('.', '')}"


async def test_preferences_are_changed_in_home(world: World) -> None:
    """A person changes their preferences in the Home tab. The tab then shows them in one sentence."""
    usual = await world.alice.opens_home()
    await world.alice.presses_in_home("Change")
    dialog = world.alice.dialog()
    await world.slack.close(world.alice.id, world.slack.views(world.alice.id)[-1])

    await saves(world, world.alice, calls="both", quiet_from="22", quiet_until="7")
    changed = world.alice.home()
    await world.alice.presses_in_home("Change")

    assert usual.endswith("\n---\nWhen a task needs you, I mention you in its thread. [Change]")
    assert dialog == DIALOG.format(
        calls="By a mention in the thread", begins="No quiet hours", ends="Not set"
    )
    assert changed.endswith(
        "\n---\nWhen a task needs you, I mention you in its thread and send you a direct message, but not "
        "from 22:00 to 07:00. At 07:00, I send you a summary by direct message. [Change]"
    )
    assert world.alice.dialog() == DIALOG.format(
        calls="By a mention and a direct message", begins="22:00", ends="07:00"
    )


async def test_a_person_who_wants_direct_messages_is_called_by_one(world: World) -> None:
    """Alice has chosen direct messages. The notice in the thread does not mention her. The bot sends her a
    direct message that links to the notice."""
    await saves(world, world.alice, calls="direct")
    thread, _ = await a_task(world)

    await asks(world)

    assert notice(thread) == ASKED
    assert world.cards() == [
        "Needs you: Fix the login redirect. Which config should I keep?\n[Answer] [Open thread]"
    ]
    [call] = world.slack.messages(world.alice.direct())
    assert call["metadata"]["event_payload"]["kind"] == "call"
    assert f"p{thread.last_message().replace('.', '')}" in str(call["blocks"])


async def test_both_and_nothing_are_what_they_say(world: World) -> None:
    """With the preference `both`, a notice in the thread mentions Alice, and the bot also sends her a direct
    message. With `nothing`, the bot only posts the notice, without a mention."""
    thread, task = await a_task(world)
    await saves(world, world.alice, calls="both")
    await asks(world)
    both = notice(thread), world.cards()
    await saves(world, world.alice, calls="nothing")

    task.becomes("complete", "Opened the pull request", PULL)
    await world.polls()

    assert both == (
        f"<@{world.alice.id}> {ASKED}",
        ["Needs you: Fix the login redirect. Which config should I keep?\n[Answer] [Open thread]"],
    )
    assert notice(thread).startswith("Opened the pull request.\nDone: ")
    assert world.cards() == []


async def test_a_request_to_pass_a_reply_on_is_a_direct_message_too(world: World) -> None:
    """Alice has chosen direct messages. Bob asks her to pass his reply on: beside the private question in the
    thread, she gets a direct message that leads there. In her quiet hours, she gets none."""
    thread, _ = await a_task(world)
    await saves(world, world.alice, calls="direct")
    await bob_asks(world, thread)
    asked, told = world.alice.reads(), world.cards()
    await is_quiet_for_two_hours(world, world.alice)

    await world.passes(61)
    await bob_asks(world, thread, "and a second one")
    asked += world.alice.reads()

    question = f"Bob asks you to pass this on to the agent of *{TITLE}*"
    assert [said.partition(":")[0] for said in asked] == [question] * 2
    assert told == [
        f"Bob asks you to pass a reply on to the agent of *{TITLE}*. `/task` shows the reply, with the "
        "buttons for it.\n[Open thread]"
    ]
    assert world.cards() == []


async def test_quiet_hours_hold_calls_until_a_summary(world: World) -> None:
    """In a person's quiet hours, the bot posts notices without mentioning the person. When the quiet hours
    end, one direct message lists these notices."""
    await is_quiet_for_two_hours(world, world.alice)
    thread, task = await a_task(world)
    await asks(world)
    asked = notice(thread)
    task.becomes("complete", "Opened the pull request", PULL)
    await world.polls()
    done = notice(thread)
    quiet = world.cards()

    await world.passes(2 * 3600)
    told = world.cards()
    await world.passes(24 * 3600)

    assert asked == ASKED
    assert done.startswith("Opened the pull request.\nDone: ")
    assert quiet == []
    assert told == [
        f"During your quiet hours:\n•  Done: {TITLE}. Opened the pull request <{PULL}> <{address(thread)}>"
    ]
    [summary] = world.slack.messages(world.alice.direct())
    assert summary["metadata"]["event_payload"]["kind"] == "summary"
    assert shown(summary) == told[0]


async def test_no_summary_comes_if_nothing_is_left_to_tell(world: World) -> None:
    """An agent asks Alice a question in her quiet hours, and she answers it before they end. Nothing needs
    her then, so the bot sends no summary."""
    await is_quiet_for_two_hours(world, world.alice)
    thread, task = await a_task(world)
    await asks(world)
    assert notice(thread) == ASKED
    await world.alice.replies(thread, "the new one")
    task.becomes("working", "Editing")
    await world.polls()

    await saves(world, world.alice, quiet_from="none")

    assert world.cards() == []


async def test_the_summary_comes_when_quiet_hours_are_ended_early(world: World) -> None:
    """A person turns their quiet hours off before they end. The bot sends the summary at once."""
    await is_quiet_for_two_hours(world, world.alice, calls="direct")
    thread, _ = await a_task(world)
    await asks(world)
    assert notice(thread) == ASKED

    await saves(world, world.alice, quiet_from="none")

    assert world.cards() == [
        f"During your quiet hours:\n•  Needs you: {TITLE}. Which config should I keep? <{address(thread)}>"
    ]


@pytest.mark.parametrize("has_left", [False, True])
async def test_the_summary_tells_of_a_task_that_somebody_watches(world: World, has_left: bool) -> None:
    """Bob watches Alice's task, so the summary of his quiet hours has it. If he has left the channel, he gets
    no summary."""
    thread, _ = await a_task(world)
    await world.bob.replies(thread, "!watch")
    await is_quiet_for_two_hours(world, world.bob)
    thread.new_messages(), world.bob.reads()

    await asks(world)
    asked = notice(thread)
    if has_left:
        general = world.slack.workspace.channel("general")
        general.kind = PRIVATE
        general.members.remove(world.bob.id)
        await world.ages(seconds=10)
    await world.passes(2 * 3600)

    assert asked == f"<@{world.alice.id}> {ASKED}"
    line = f"•  Needs you: {TITLE}, Alice. Which config should I keep? <{address(thread)}>"
    assert world.cards() == ([] if has_left else [f"During your quiet hours:\n{line}"])
    thread.new_messages()


@pytest.mark.parametrize("loses", ["membership", "account"])
@pytest.mark.parametrize("is_asleep", [False, True])
async def test_an_owner_who_may_not_use_taskwire_any_more_is_sent_nothing(
    world: World, loses: str, is_asleep: bool
) -> None:
    """The owner of a task has become a guest or has left Slack. The bot posts the notice in the thread. It
    sends the owner no direct message and no summary, which would show them the agent's words."""
    thread, _ = await a_task(world)
    if is_asleep:
        await is_quiet_for_two_hours(world, world.alice)
    else:
        await saves(world, world.alice, calls="both")

    user = world.slack.workspace.user(world.alice.id)
    user.is_restricted, user.deleted = loses == "membership", loses == "account"
    await world.ages(seconds=10)
    await asks(world)
    await world.passes(2 * 3600)

    assert (notice(thread), world.cards()) == (ASKED, [])


async def test_an_owner_who_became_a_guest_in_their_quiet_hours_gets_no_summary(world: World) -> None:
    """The bot holds a notification back in Alice's quiet hours. Before they end, Alice becomes a guest, so
    the bot sends her no summary."""
    await is_quiet_for_two_hours(world, world.alice)
    thread, _ = await a_task(world)
    await asks(world)

    world.slack.workspace.user(world.alice.id).is_restricted = True
    await world.ages(seconds=10)
    await world.passes(2 * 3600)

    assert (notice(thread), world.cards()) == (ASKED, [])
