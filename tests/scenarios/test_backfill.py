"""Backfill: the bot finds messages that people wrote while it was away."""

import pytest

from taskwire.app import bot
from taskwire.recovery import downtime
from taskwire.slack import outbound
from taskwire.state.heartbeat import GAP_CLAIM_MS
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import CallFault, DeliveryFault, messages
from taskwire_sandbox.slack.ledger import Call

from .many_tasks import a_second_replica, heard, start_tasks
from .people import Thread
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import SETTLE_SECONDS, World

HISTORY, REPLIES = "conversations.history", "conversations.replies"
STALE = (
    "This was written more than an hour ago, while I was away. Send it now? Later replies wait.\n"
    "> {}\n"
    "[Send it] [Don't send]"
)


# A shorter absence is no gap, because Slack repeats its deliveries.
ABSENCE_SECONDS = 65


async def away(world: World) -> None:
    """Stop the bot, and wait until Slack has given up the deliveries that nobody took."""
    await listened(world)
    await world.stops()
    world.slack.backend.dispatcher.retry_seconds = ()


async def listened(world: World) -> None:
    """Write the heartbeat, which says that the bot hears Slack now."""
    await world.bot.parts.heartbeat.beat()


async def back(world: World) -> None:
    """Start the bot after more than a minute, and wait until backfill is done."""
    world.clock.passes(ABSENCE_SECONDS)
    await world.starts()
    await world.until(lambda: world.bot.has_recorded_gap, "the threads are to be read")
    await world.settles()


async def is_away_and_back(world: World) -> None:
    """Stop and start the bot. Nothing is written in between."""
    await away(world)
    await back(world)


def calls_since(world: World, known: int) -> list[Call]:
    """Return the bot's calls that read messages, without its first `known` calls to Slack."""
    return [call for call in [*world.slack.calls][known:] if call.method in (HISTORY, REPLIES)]


async def test_a_reply_written_while_the_bot_was_away_is_delivered_once(world: World) -> None:
    """Backfill sends the missed reply once. Replies that the agent already has are not sent again."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "use main")
    task.becomes("idle")
    await away(world)

    missed = await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    await back(world)
    await is_away_and_back(world)

    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(missed) == ["white_check_mark"]


async def test_an_event_that_slack_brings_after_the_thread_was_read_changes_nothing(world: World) -> None:
    """Backfill finds a message before Slack delivers the message's event. The agent gets the message once."""
    thread, task = await a_waiting_agent(world)
    await listened(world)
    await world.stops()
    world.slack.backend.dispatcher.retry_seconds = (1.0,)

    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    await back(world)
    task.becomes("idle")
    await world.passes(seconds=5)

    assert task.inputs == ["and test it"]


async def test_a_reply_that_was_lost_between_others_is_found(world: World) -> None:
    """Slack lost the event of one reply, and delivered a later one. Backfill still finds the lost reply."""
    thread, task = await a_waiting_agent(world)
    world.slack.backend.dispatcher.retry_seconds = ()
    world.slack.faults.add("message", DeliveryFault.LOST)
    lost = await world.slack.post(world.alice.id, thread.channel, "lost", thread.ts)
    await world.alice.replies(thread, "heard")
    task.becomes("idle")

    await is_away_and_back(world)

    assert task.inputs == ["heard", "lost"]
    assert thread.receipt(lost) == ["white_check_mark"]
    assert thread.new_messages() == [
        ("Slack delivered this reply late, so the agent got it after a newer one.\n> lost")
    ]


async def test_only_threads_with_something_new_are_read_the_newest_first(world: World) -> None:
    """The channel's history shows which of forty threads have new messages. The bot makes one call for the
    history, and one call for each thread with new messages."""
    tasks = await start_tasks(world, 40)
    for task in tasks:
        task.becomes("idle")
    threads = threads_of(world, tasks)
    await away(world)
    for number in (3, 30, 17):
        await world.slack.post(world.alice.id, "general", f"word {number}", threads[number])
    known = len(world.slack.calls)

    await back(world)

    asked = calls_since(world, known)
    assert [call.method for call in asked].count(HISTORY) == 1
    read = [call.arguments["ts"] for call in asked if call.method == REPLIES]
    assert read == [threads[17], threads[30], threads[3]]
    assert [task.inputs for task in tasks if task.inputs] == [["word 3"], ["word 17"], ["word 30"]]
    await is_quiet(world)


async def test_what_was_said_before_is_no_news(world: World) -> None:
    """A thread that has only known replies and the bot's own messages is not read."""
    tasks = await start_tasks(world, 5)
    threads = threads_of(world, tasks)
    for ts in threads:
        await world.slack.post(world.alice.id, "general", "// a remark", ts)
    tasks[0].becomes("complete", "Opened PR #12")
    await world.polls()
    heard(world)
    world.clock.passes(900)
    await away(world)
    known = len(world.slack.calls)

    await back(world)

    assert [call.method for call in calls_since(world, known)] == [HISTORY]
    await is_quiet(world)


async def test_roots_that_lie_far_apart_cost_no_pages_in_between(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads with news are far apart in the channel. The bot does not read the history between them. If
    only one thread is in a part of the history, the bot reads the thread and not that part."""
    monkeypatch.setattr(outbound, "ROOTS_PAGE_SIZE", 10)
    tasks = []
    for number in range(3):
        tasks += await start_tasks(world, 4 if number else 1, prefix=f"part-{number}")
        await talk(world, 60)
    threads = threads_of(world, tasks)
    await away(world)
    await talk(world, 60)
    await world.slack.post(world.alice.id, "general", "the oldest", threads[0])
    await world.slack.post(world.alice.id, "general", "the newest", threads[-1])
    tasks[0].becomes("idle")
    tasks[-1].becomes("idle")
    known = len(world.slack.calls)

    await back(world)

    asked = [call.method for call in calls_since(world, known)]
    assert sorted(asked) == [HISTORY, HISTORY, REPLIES, REPLIES]
    assert (tasks[0].inputs, tasks[-1].inputs) == (["the oldest"], ["the newest"])
    await is_quiet(world)


async def test_a_root_that_was_deleted_hides_no_other(world: World) -> None:
    """The roots of some threads were deleted. The bot still finds the replies in other threads."""
    tasks = await start_tasks(world, 4)
    threads = threads_of(world, tasks)
    await world.slack.post(world.alice.id, "general", "// a remark", threads[1])
    await away(world)
    channel = world.slack.workspace.channel("general")
    for ts in (threads[1], threads[2]):
        messages.remove(world.slack.backend, channel, ts)
    await world.slack.post(world.alice.id, "general", "and test it", threads[0])
    tasks[0].becomes("idle")

    await back(world)

    assert tasks[0].inputs == ["and test it"]
    await is_quiet(world)


async def test_a_second_gap_does_not_shorten_the_first(world: World) -> None:
    """A second gap begins before backfill of the first is done. The bot still reads all of the first gap."""
    tasks = await start_tasks(world, 4)
    threads = threads_of(world, tasks)
    for task in tasks:
        task.becomes("idle")
    await away(world)
    await world.slack.post(world.alice.id, "general", "the first", threads[0])
    world.slack.faults.add(HISTORY, CallFault.RATE_LIMITED, seconds=2_000)
    await back(world)
    await listened(world)
    world.clock.passes(1_000)
    await listened(world)
    await world.stops()
    await world.slack.post(world.alice.id, "general", "the second", threads[1])
    await back(world)

    for _ in range(4):
        await world.passes(seconds=600)

    assert [task.inputs for task in tasks[:2]] == [["the first"], ["the second"]]
    await is_quiet(world)


async def test_a_start_while_somebody_listened_reads_nothing(world: World) -> None:
    """Another replica heard Slack while this replica was off, so this replica reads nothing at its start."""
    await a_waiting_agent(world)
    await listened(world)
    async with a_second_replica(world) as other:
        await world.stops()
        world.clock.passes(600)
        await other.parts.heartbeat.beat()
        known = len(world.slack.calls)
        await world.starts()
        await world.until(lambda: world.bot.has_recorded_gap, "it is known what is to be read")
        await world.settles()

    assert calls_since(world, known) == []
    await is_quiet(world)


async def test_a_quick_restart_reads_nothing(world: World) -> None:
    """Slack repeats its deliveries for a short time, so a quick restart needs no backfill."""
    await a_waiting_agent(world)
    await listened(world)
    known = len(world.slack.calls)

    await world.restarts()
    await world.until(lambda: world.bot.has_recorded_gap, "it is known what is to be read")
    await world.settles()

    assert calls_since(world, known) == []


async def test_a_reply_that_came_while_the_store_took_nothing_is_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reply arrives while Redis accepts no writes. Backfill finds the reply when writes are possible."""
    monkeypatch.setattr(downtime, "GAP_SECONDS", 0.0)
    monkeypatch.setattr(bot, "MONITOR_SECONDS", 0.05)
    thread, task = await a_waiting_agent(world)
    task.becomes("idle")
    store = world.connections.commands
    await store.config_set("min-replicas-to-write", 1)
    world.clock.passes(10)

    async def is_told() -> bool:
        return (await world.bot.health())["store"] != "ok"

    await world.until(is_told, "it is told")
    told = (await world.bot.health())["store"]
    # A claim has to be copied to a replica only while the store demands a replica.
    await world.until(lambda: world.bot.parts.connections.required_replicas == 1, "a promise needs a copy")
    # The bot cannot take a delivery now. Let Slack give the next delivery up.
    world.slack.faults.add("message", DeliveryFault.LOST)
    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    await store.config_set("min-replicas-to-write", 0)
    await world.until(lambda: task.inputs, "the reply arrives")
    await world.settles()
    await world.until(lambda: world.bot.parts.connections.required_replicas == 0, "a promise needs none")

    assert told == "Redis takes nothing: NOREPLICAS Not enough good replicas to write."
    assert task.inputs == ["and test it"]
    assert (await world.bot.health())["store"] == "ok"


async def test_an_old_reply_is_asked_about(world: World) -> None:
    """The bot asks before it sends an hour-old reply, which its author may no longer want."""
    thread, task = await a_waiting_agent(world)
    old = await writes_while_away(world, thread)

    await back(world)
    said, before = without_notices(thread.new_messages()), list(task.inputs)
    await world.alice.clicks(thread, "Send it")
    task.becomes("idle")
    await world.passes(seconds=5)

    assert said == [STALE.format("use main")]
    assert before == []
    assert task.inputs == ["use main", "and test it"]
    assert thread.receipt(old) == ["white_check_mark"]


async def test_an_old_reply_can_be_left(world: World) -> None:
    """A press of *Don't send* drops the old reply. Later replies are then delivered."""
    thread, task = await a_waiting_agent(world)
    old = await writes_while_away(world, thread)
    await back(world)
    said = without_notices(thread.new_messages())

    await world.alice.clicks(thread, "Don't send")

    assert said == [STALE.format("use main")]
    assert "Not sent.\n> use main" in thread.all_messages()
    assert task.inputs == ["and test it"]
    assert thread.receipt(old) == []


async def test_an_old_verb_does_nothing_and_says_so(world: World) -> None:
    """Somebody asked for a pause hours ago. The bot tells them that it does not pause the task now."""
    thread, task = await a_waiting_agent(world)
    await away(world)
    await world.slack.post(world.alice.id, thread.channel, "!pause", thread.ts)
    world.clock.passes(3700)

    await back(world)
    await world.passes(seconds=5)

    assert task.status == "active"
    assert world.alice.reads() == [
        "`!stop` was written more than an hour ago, while I was away, so I did nothing. Write it again if "
        "you still want it."
    ]
    await is_quiet(world)


async def test_asides_and_strangers_stay_what_they_are(world: World) -> None:
    """Backfill sends neither an aside (`!aside`) nor a reply of a person who may not steer to the agent."""
    thread, task = await a_waiting_agent(world)
    await world.alice.replies(thread, "// a joke")
    await away(world)
    await world.slack.post(world.alice.id, thread.channel, "!aside another", thread.ts)
    await world.slack.post(world.bob.id, thread.channel, "nice", thread.ts)

    await back(world)

    assert task.inputs == []
    assert world.bob.reads() == [
        "The agent did not get your reply: you can't steer this task.\n[Ask Alice to pass it on]"
    ]
    await is_quiet(world)


async def test_a_reply_that_waits_takes_the_words_that_it_has_now(world: World) -> None:
    """During the gap, Alice edits one waiting reply and deletes another. Only the edited text is sent."""
    thread, task = await a_busy_agent(world)
    first = await world.alice.replies(thread, "use mian")
    second = await world.alice.replies(thread, "never mind")
    await world.passes(seconds=61)
    await away(world)
    await world.slack.edit(world.alice.id, thread.channel, first, "use main")
    await world.slack.delete(world.alice.id, thread.channel, second)

    await back(world)
    task.becomes("idle")
    await world.passes(seconds=31)

    assert task.inputs == ["use main"]
    await is_quiet(world)


async def test_a_reply_that_was_sent_as_it_is_still_waits_after_a_gap(world: World) -> None:
    """Alice pressed *Send as text* for a reply that begins with `!`. After a gap she is not asked again."""
    thread, task = await a_busy_agent(world)
    await world.alice.replies(thread, "!pasue please")
    thread.new_messages()
    await world.alice.clicks(thread, "Send as text")
    await world.passes(seconds=90)
    await away(world)

    await back(world)
    await takes_all(world, task)
    await world.passes(seconds=35)

    assert task.inputs == ["!pasue please"]


async def test_a_reply_that_goes_as_it_is_takes_the_words_that_it_has_after_a_gap(world: World) -> None:
    """In a gap, Alice edits a reply for which she pressed *Send as text*. The edited text is sent."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "!make test")
    thread.new_messages()
    await world.alice.clicks(thread, "Send as text")
    await world.passes(seconds=90)
    await away(world)
    await world.slack.edit(world.alice.id, thread.channel, reply, "!make tests")

    await back(world)
    await takes_all(world, task)
    await world.passes(seconds=35)

    assert task.inputs == ["!make tests"]


@pytest.mark.parametrize("method", [HISTORY, REPLIES])
@pytest.mark.parametrize("fault", [CallFault.RATE_LIMITED, CallFault.SERVER_ERROR])
async def test_slack_s_trouble_only_delays_the_reading(world: World, method: str, fault: CallFault) -> None:
    """Slack refuses backfill's calls for a while. Later, backfill reads the thread."""
    tasks = await start_tasks(world, 3)
    await away(world)
    await world.slack.post(world.alice.id, "general", "and test it", threads_of(world, tasks)[0])
    tasks[0].becomes("idle")
    world.slack.faults.add(method, fault, seconds=1)

    await back(world)
    await world.passes(seconds=6)

    assert tasks[0].inputs == ["and test it"]
    await is_quiet(world)


async def test_replicas_that_notice_a_gap_have_each_thread_read_once(world: World) -> None:
    """Two replicas notice the end of the absence at different times, but there is one backfill."""
    tasks = await start_tasks(world, 3)
    await listened(world)
    async with a_second_replica(world) as other:
        await has_gap(world, "// a remark", tasks)
        known = len(world.slack.calls)

        for bot in (world.bot, other, world.bot):
            assert await bot.parts.backfill.queue_once(ABSENCE_SECONDS * 1000)
            await world.settles()

    assert [call.method for call in calls_since(world, known)] == [HISTORY, REPLIES]
    await is_quiet(world)


async def test_a_gap_whose_replica_died_before_it_was_noted_is_noted_by_another(world: World) -> None:
    """A replica claims a gap and dies. When its claim has expired, another replica notes the gap."""
    tasks = await start_tasks(world, 3)
    await listened(world)
    await has_gap(world, "and test it", tasks)
    tasks[0].becomes("idle")
    absence_ms = ABSENCE_SECONDS * 1000
    await world.bot.parts.heartbeat.claim_gap(absence_ms)

    is_noted_at_once = await world.bot.parts.backfill.queue_once(absence_ms)
    world.clock.passes(GAP_CLAIM_MS / 1000 + 1)
    is_noted = await world.bot.parts.backfill.queue_once(absence_ms)
    await world.settles()

    assert (is_noted_at_once, is_noted) == (False, True)
    assert tasks[0].inputs == ["and test it"]
    await is_quiet(world)


async def test_a_reply_under_a_card_whose_answer_was_lost_is_found(world: World) -> None:
    """The bot posted a card and stopped before it knew the card's ts. Backfill finds the reply below it."""
    world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_CUT)
    world.slack.faults.add("conversations.history", CallFault.SERVER_ERROR)
    place = world.slack.workspace.channel("general").id
    await world.slack.command(world.alice.id, place, "/task", "create fix the login")
    cards = await world.slack.until(lambda: world.slack.messages(place), "the card")
    thread = Thread(world, place, str(cards[0]["ts"]))
    world.reader.read_root(place, thread.ts)
    await away(world)
    await world.slack.post(world.alice.id, place, "and test it", thread.ts)
    world.clock.passes(900)

    await back(world)
    await world.passes(seconds=120)
    await world.polls()
    await world.passes(seconds=5)

    assert world.task("fix-the-login").inputs == ["and test it"]
    assert len(world.alice.reads()) == 1, "she is told that her command waits"


async def has_gap(world: World, missed: str, tasks: list[SandboxTask]) -> None:
    """Let time pass. Let Alice write `missed` in the first task's thread, and let Slack lose the event."""
    await world.settles()
    world.clock.passes(ABSENCE_SECONDS)
    world.slack.faults.add("message", DeliveryFault.LOST)
    await world.slack.post(world.alice.id, "general", missed, threads_of(world, tasks)[0])
    await world.settles()


async def writes_while_away(world: World, thread: Thread) -> str:
    """Stop the bot. Let Alice write a reply, and another an hour later. Return the ts of the earlier."""
    await away(world)
    old = await world.slack.post(world.alice.id, thread.channel, "use main", thread.ts)
    world.clock.passes(3700)
    await world.slack.post(world.alice.id, thread.channel, "and test it", thread.ts)
    return old


def without_notices(said: list[str]) -> list[str]:
    """Return the messages without the notices "Needs you", which come only because much time passes."""
    return [each for each in said if "Needs you" not in each]


async def talk(world: World, count: int) -> None:
    """Write this number of messages at the top level of the channel, one every ten seconds."""
    channel = world.slack.workspace.channel("general")
    for number in range(count):
        world.clock.passes(10)
        messages.write(world.slack.backend, channel, {"user": world.bob.id, "text": f"remark {number}"})


def threads_of(world: World, tasks: list[SandboxTask]) -> list[str]:
    """Return the ts of the first message of each task's thread."""
    roots = [str(root["ts"]) for root in world.slack.messages("general") if root.get("bot_id")]
    assert len(roots) == len(tasks)
    return roots


async def is_quiet(world: World) -> None:
    """Wait until no job is left, and count every message as read."""
    await world.passes(SETTLE_SECONDS)
    while await world.jobs():
        await world.passes(seconds=4.2)
    heard(world)
