"""One person may use ten verbs and presses a minute in a thread. A refused verb delays nobody."""

import pytest

from taskwire.domain.ids import LinkId
from taskwire.domain.queueing.queues import thread_answers, to_coder, to_thread
from taskwire.queue.user_limits import MAX_PER_MINUTE, MAX_TEXT_COMMANDS

from .people import Thread
from .test_card_controls import menu_id
from .waiting import a_busy_agent, a_waiting_agent
from .world import World

TOO_FAST = (
    "I take 10 requests a minute, so I skipped the rest. Try again in a minute. The agents still get replies."
)
NOT_YOURS = (
    "*Fix the login* belongs to Alice, so you can't stop it. Alice can let you, with `!share @Bob` in its "
    "thread. Or write `stop` there and ask Alice to pass it on."
)


@pytest.mark.parametrize("verb", ["!status", "!mute", "!foo", "!delete", "!help"])
async def test_the_eleventh_verb_of_a_minute_is_told_and_no_more_is_said(world: World, verb: str) -> None:
    """A person writes more than ten verbs in a minute. The bot tells the person the limit once, and ignores
    the rest. The person can continue a minute later."""
    thread, _ = await a_busy_agent(world)

    for _ in range(15):
        await world.alice.replies(thread, verb)
        await world.passes(seconds=0.5)
    # A channel gets at most one post a second.
    await world.passes(seconds=15)
    said = world.alice.reads() + thread.new_messages()
    await world.passes(seconds=70)
    await world.alice.replies(thread, verb)

    assert len(said) == 11
    assert said.count(TOO_FAST) == 1
    assert len(world.alice.reads() + thread.new_messages()) == 1


async def test_a_pause_is_not_kept_back_by_other_verbs(world: World) -> None:
    """A person who has used as many verbs as the limit allows can still pause the task."""
    thread, task = await a_busy_agent(world)
    for _ in range(11):
        await world.alice.replies(thread, "!help")

    await world.alice.replies(thread, "!pause")

    assert task.status == "paused"
    assert world.alice.reads()[-1].startswith("Pausing *Fix the login*.")


async def test_replies_are_not_counted(world: World) -> None:
    """Plain replies do not count against the limit of verbs. The agent gets every reply, however many a
    person writes."""
    thread, task = await a_waiting_agent(world)
    assert task.program is not None
    task.program.on_input = lambda _: task.becomes("idle")

    for number in range(15):
        await world.alice.replies(thread, f"step {number}")
    # Slack limits how fast the bot may add marks. Wait until all are there.
    await world.passes(seconds=20)

    assert task.inputs == [f"step {number}" for number in range(15)]


async def test_refused_verbs_are_counted_for_each_person(world: World) -> None:
    """Bob, who may not steer, writes fifteen verbs. The bot refuses ten of them, and then tells him the limit
    once. Alice's verb still works."""
    thread, task = await a_busy_agent(world)

    for _ in range(15):
        await world.bob.replies(thread, "!pause")
    await world.alice.replies(thread, "!pause")

    assert world.bob.reads() == [NOT_YOURS] * 10 + [TOO_FAST]
    assert task.status == "paused"
    assert len(world.alice.reads()) == 1


async def test_presses_of_one_person_are_counted_too(world: World) -> None:
    """Bob, who may not steer, presses *Stop* until he has reached the limit. Alice can still press it."""
    thread, task = await a_busy_agent(world)
    await world.passes(seconds=5)

    for _ in range(15):
        await world.bob.clicks(thread, "Stop")
    await world.alice.clicks(thread, "Stop")

    assert world.bob.reads() == [NOT_YOURS] * 10 + [TOO_FAST]
    assert task.status == "paused"
    assert world.alice.reads() == []


@pytest.mark.parametrize("typed", ["pause", "resume", "mute", "attach", "edit"])
async def test_commands_that_act_are_counted_as_verbs_in_a_thread_are(world: World, typed: str) -> None:
    """Bob, who may not steer, types fifteen commands. The bot refuses ten of them, and then tells him the
    limit once. Alice's command still works."""
    _, task = await a_busy_agent(world)
    text = " to something else" if typed == "edit" else ""

    for _ in range(15):
        await world.bob.types(f"/task {typed} {task.name}{text}")
    said = world.bob.reads()
    await world.alice.types(f"/task pause {task.name}")

    assert len(said) == 11
    assert said[-1] == TOO_FAST
    assert task.status == "paused"
    world.alice.reads()


async def test_commands_with_a_text_are_counted_too(world: World) -> None:
    """Alice types `send` for tasks that do not exist, again and again. Coder is asked thirty times in a
    minute, and no more."""
    for number in range(MAX_TEXT_COMMANDS + 5):
        await world.alice.types(f"/task send nothing{number} go on")
    told = world.alice.reads()

    await world.passes(seconds=61)
    await world.alice.types("/task send nothing go on")

    assert len([said for said in told if "nothing" in said]) == MAX_TEXT_COMMANDS
    assert [said for said in told if "nothing" not in said] == [TOO_FAST.replace("10", "30")]
    assert "nothing" in world.alice.reads()[0]


async def test_a_deletion_by_command_is_counted_before_it_asks(world: World) -> None:
    """A person types `/task delete` too often. The bot tells the person the limit before it asks Coder for
    the task and opens a dialog."""
    _, task = await a_busy_agent(world)

    for _ in range(12):
        await world.alice.types(f"/task delete {task.name}")

    assert world.alice.reads() == [TOO_FAST]


async def test_a_pause_by_command_is_not_kept_back_by_other_commands(world: World) -> None:
    """A pause has a count of its own. A person over the limit of commands can still pause."""
    _, task = await a_busy_agent(world)
    for _ in range(11):
        await world.alice.types(f"/task resume {task.name}")
    world.alice.reads()

    await world.alice.types(f"/task pause {task.name}")

    assert task.status == "paused"
    assert world.alice.reads()[-1].startswith("Pausing *Fix the login*.")


async def test_verbs_and_presses_are_counted_together(world: World) -> None:
    """A person uses six verbs and six presses. The eleventh of these is refused."""
    thread, _ = await a_busy_agent(world)
    await world.passes(seconds=5)

    for number in range(6):
        await world.alice.replies(thread, "!status")
        await world.alice.presses_made_up("answer.show", f"{await link_of(world, thread)} {number}")

    said = world.alice.reads()
    assert len(said) == 11
    assert said[-1] == TOO_FAST


@pytest.mark.parametrize("button", ["answer.show", "create.another"])
async def test_made_up_values_are_counted_together(world: World, button: str) -> None:
    """Bob sends forged presses whose button values name no link. All these presses count against one limit,
    although each has another value."""
    for number in range(7):
        await world.bob.presses_made_up(button, f"made-up x{number}")
        await world.bob.presses_made_up(button, f"x{number}\nof whatever length")

    said = world.bob.reads()
    assert said[-1] == TOO_FAST
    assert said.count(TOO_FAST) == 1
    assert len(said) <= 11


async def test_made_up_values_of_one_link_are_counted_together(world: World) -> None:
    """Bob sends forged presses. Each button value begins with the id of the same link and ends in another
    word. All these presses count against the limit of that link."""
    thread, _ = await a_busy_agent(world)
    await world.passes(seconds=5)
    link = await link_of(world, thread)

    for number in range(15):
        await world.bob.presses_made_up("answer.show", f"{link} x{number}")

    said = world.bob.reads()
    assert len(said) == 11
    assert said[-1] == TOO_FAST


async def test_what_was_asked_keeps_nobody_from_what_steers(world: World) -> None:
    """A person has reached the limit with queries, such as `!status`. They can still pause and delete the
    task."""
    thread, task = await a_busy_agent(world)
    await world.passes(seconds=5)
    for _ in range(12):
        await world.alice.replies(thread, "!status")
    world.alice.reads()

    await world.alice.clicks(thread, "Stop")
    await world.coder.catch_up()
    await world.polls()
    await world.passes(seconds=5)
    await world.alice.types(f"/task delete {task.name}")

    assert task.status == "paused"
    assert "Delete" in world.alice.dialog()
    assert TOO_FAST not in world.alice.reads() + thread.new_messages()


async def test_a_message_that_slack_brings_again_is_counted_once(world: World) -> None:
    """Slack sends two events for a mention with a verb. The bot counts one verb."""
    thread, _ = await a_waiting_agent(world)

    for _ in range(8):
        await world.slack.mention(world.alice.id, thread.channel, "status", thread.ts)
        await world.settles()

    assert TOO_FAST not in world.alice.reads()


async def test_mentions_outside_of_threads_are_counted_too(world: World) -> None:
    """A person mentions the bot at the top level of a channel, and gets a private answer. The limit counts
    such mentions too."""
    for _ in range(15):
        await world.slack.mention(world.alice.id, "general", "list")
        await world.settles()

    said = world.alice.reads()
    assert len(said) == 11
    assert said[-1] == TOO_FAST


async def link_of(world: World, thread: Thread) -> LinkId:
    key = world.keys.named("thread", f"{thread.channel}:{thread.ts}")
    return LinkId(str(await world.connections.commands.get(key)))


async def test_what_is_asked_for_stands_before_nobody_who_is_called(world: World) -> None:
    """Many answers to queries wait. A notice that mentions somebody is posted before these answers."""
    thread, task = await a_busy_agent(world)
    link = await link_of(world, thread)
    ready = world.keys.named("ready", "calls")
    async with world.coder.outage():
        for verb in ("!status", "!logs", "!delete", "!foo"):
            await world.slack.post(world.bob.id, thread.channel, verb, thread.ts)
        await world.slack.wait_until_idle()
        calls = await world.connections.commands.zrange(ready, 0, -1)
        waiting = await world.jobs()
    await world.settles()

    assert thread_answers(link, world.bob.id) in waiting
    assert thread_answers(link, world.bob.id) not in calls
    assert not waiting.get(to_thread(link))
    assert not waiting.get(to_coder(link))
    assert task.status == "active"
    world.bob.reads()


@pytest.mark.parametrize("verb", ["!status", "!logs", "!help", "!delete", "!watch", "!foo"])
async def test_a_person_without_a_coder_account_is_refused_privately(world: World, verb: str) -> None:
    """A person without a Coder account writes a query in the thread. The bot refuses privately, and gives the
    person no information about the task."""
    thread, task = await a_waiting_agent(world)
    task.says("I look at it.")
    carol = world.person("carol", in_coder=False)
    world.slack.workspace.channel("general").members.append(carol.id)

    await carol.replies(thread, verb)

    assert carol.reads() == [
        "No Coder user has your address carol@example.com. Sign in to Coder once with it, or ask a Coder "
        "administrator to add you."
    ]
    assert thread.new_messages() == []


async def test_what_one_was_answered_can_be_shown_to_all(world: World) -> None:
    """A person presses *Show to everybody* below a private answer. The thread then has that answer, and the
    button is gone."""
    thread, task = await a_waiting_agent(world)
    task.says("I look at it.")
    await world.bob.replies(thread, "!logs")
    assert world.bob.reads() == [
        "What the agent of *Fix the login* wrote last:\nI look at it.\nI look at it.\n[Show to everybody]"
    ]

    await world.bob.presses("Show to everybody")

    assert world.bob.sees() == "Shown to everybody in the thread."
    assert thread.new_messages() == [
        "What the agent of *Fix the login* wrote last:\nI look at it.\nI look at it."
    ]
    world.bob.reads()


async def test_a_whole_log_goes_to_the_one_who_asks(world: World) -> None:
    """Bob, who may read the log, types `!logs full` in the thread. The bot sends him the file in a direct
    message. Nothing is posted in the thread."""
    thread, task = await a_waiting_agent(world)
    task.says("I look at it.")

    await world.bob.replies(thread, "!logs full")

    assert world.bob.reads() == [
        "The whole log of *Fix the login* is in your direct messages with me.\n[Open the file]"
    ]
    assert len(world.slack.messages(world.slack.open_direct("bob").id)) == 1
    assert world.cards() == [f"(file {task.name}.log)"]
    assert thread.new_messages() == []


async def test_the_cards_menu_works_again_after_a_choice_over_the_limit(world: World) -> None:
    """A person over the limit chooses an entry in the card's menu. The bot refuses, and draws the card again
    when the person may choose again. Otherwise Slack would not report the same choice a second time."""
    thread, _ = await a_busy_agent(world)
    for _ in range(MAX_PER_MINUTE["press"]):
        await world.alice.presses_made_up("task.unwatch", str(await link_of(world, thread)))
    await world.passes(seconds=5)
    world.alice.reads()
    before = menu_id(world, thread)

    await world.alice.clicks(thread, "Mute")
    await world.passes(seconds=5)
    soon = menu_id(world, thread)
    await world.passes(seconds=65)

    assert soon == before
    assert menu_id(world, thread) != before
    assert world.alice.reads() == [TOO_FAST.replace("10", "20")]
