"""Tasks in which nothing changes, questions that nobody answers, and the people whom the bot then mentions.
It first mentions the task's owner, and later the fallback that the channel's settings name."""

import asyncio
import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error
from taskwire_sandbox.slack import CallFault
from taskwire_sandbox.slack.workspace import PRIVATE

from .people import Person, Thread
from .running_tasks import TITLE, a_task, next_list_shows, timeless
from .test_preferences import saves
from .world import SETTLE_SECONDS, World

MINUTES = 60
HOURS = 3_600
QUESTION = "Which one should I keep?"
SNOOZES = "[Answer] [Remind me in 1 h] [Remind me tomorrow]"


def stuck(person: Person, lasted: str = "30 min") -> str:
    """Return the text of the notice that nothing has changed in the task for this time. It mentions this
    person."""
    return (
        f"<@{person.id}> Stuck: {TITLE}. Nothing has changed for {lasted}. Look at *Logs*, or *Stop* the "
        "task.\n[Stop] [Logs]"
    )


def reminder(person: Person, lasted: str = "1 h") -> str:
    """Return the text of the reminder that the agent has waited for this time. It mentions this person, the
    owner."""
    return (
        f"<@{person.id}> {QUESTION}\nStill needs you: {TITLE}. The agent has waited for {lasted}. Reply "
        "here, "
        f"or let me remind you later.\n{SNOOZES}"
    )


def escalation(called: str, lasted: str = "2 h") -> str:
    """Return the text of the reminder that follows the owner's. It mentions the fallback: `called` is the
    mention of a person or a group."""
    return (
        f"{called} {QUESTION}\nStill needs somebody: {TITLE}. Alice has not answered for {lasted}. Reply "
        f"here, or ask them.\n{SNOOZES}"
    )


async def set_channel(world: World, **values: str | list[str]) -> None:
    """Let Alice save these values in the settings of the channel."""
    await world.alice.types("/task settings")
    assert await world.alice.saves(**values) == {}
    assert len(world.alice.reads()) == 1


async def a_question(world: World) -> tuple[Thread, SandboxTask]:
    """Let the agent of a new task ask a question, and wait for the notice. Return the thread and the task."""
    thread, task = await a_task(world)
    await asks(world, task)
    assert len(thread.new_messages()) == 1
    return thread, task


async def asks(world: World, task: SandboxTask) -> None:
    """Let the agent ask a question, and wait until the bot posts the notice."""
    task.says(f"There are two configs.\n\n{QUESTION}")
    task.becomes("idle", "Waiting for a decision")
    await world.polls()
    await world.passes(SETTLE_SECONDS)


async def snoozes_before_slack_answers(world: World, thread: Thread) -> None:
    """Let the bot post a reminder to which Slack answers late. Let Alice press *Remind me* before that."""
    late = world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_LATE, seconds=1.5)
    passing = asyncio.create_task(world.passes(HOURS))
    await world.until(lambda: late.hits, "the reminder is posted")
    await world.alice.clicks(thread, "Remind me in 1 h")
    await passing


async def test_a_task_in_which_nothing_changes_calls_its_owner_once_a_turn(world: World) -> None:
    """Nothing changes in a task for too long. The bot posts a notice that mentions the owner, at most once a
    turn. When something changes, the notice loses its buttons."""
    thread, task = await a_task(world)
    await world.passes(29 * MINUTES)
    early = thread.new_messages()
    await world.passes(MINUTES)
    first = thread.new_messages()

    task.becomes("working", "Running the tests")
    await world.polls()
    await world.passes(5 * HOURS)

    assert (early, first) == ([], [stuck(world.alice)])
    assert thread.new_messages() == []
    assert thread.all_messages() == [
        f"<@{world.alice.id}> Stuck: {TITLE}. Nothing has changed for 30 min. No longer stuck."
    ]


async def test_a_stuck_task_is_stopped_from_its_notice(world: World) -> None:
    """Nothing changes in a task, and the bot posts a notice about it. The owner presses *Stop* on this
    notice, and the task is paused."""
    thread, task = await a_task(world)
    await world.passes(30 * MINUTES)
    told = thread.new_messages()

    await world.alice.clicks(thread, "Stop")
    await world.polls()

    assert told == [stuck(world.alice)]
    assert task.status == "paused"
    assert thread.new_messages() == ["Paused by Alice. A reply resumes it."]
    world.alice.reads()


async def test_a_task_whose_status_is_unknown_is_stuck_too(world: World) -> None:
    """Coder's status of a task is unknown for too long. The notice has no *Stop*, because the bot does not
    know whether an agent runs."""
    thread, task = await a_task(world)
    await next_list_shows(world, task, status="unknown")
    await world.bot.parts.poller.poll()
    await world.settles()

    await world.passes(30 * MINUTES)

    assert thread.new_messages() == [
        f"<@{world.alice.id}> Stuck: {TITLE}. Nothing has changed for 30 min. Coder does not say what the "
        "workspace is doing. Look at it in Coder."
    ]
    await world.polls()


async def test_a_task_that_coder_does_not_show_is_not_stuck(world: World) -> None:
    """While Coder fails, the bot cannot see whether a task changes, so it posts no notice. When Coder answers
    again, the bot counts the time from that answer."""
    thread, _ = await a_task(world)
    world.coder.plan_fault("tasks.list", server_error(), times=None)
    await world.polls(times=2)

    await world.passes(30 * MINUTES)
    away = thread.new_messages()
    world.coder.clear_faults()
    await world.polls()
    await world.passes(29 * MINUTES)
    back = thread.new_messages()
    await world.passes(2 * MINUTES)

    assert (away, back) == ([], [])
    assert thread.new_messages() == [stuck(world.alice, "31 min")]


async def test_a_channel_decides_when_a_task_is_stuck(world: World) -> None:
    """A channel gets a new time after which a task counts as stuck. The time also holds for tasks that exist
    already."""
    thread, _ = await a_task(world)
    await world.passes(11 * MINUTES)

    await set_channel(world, stuck="10 min")
    await world.passes(1)

    assert len(thread.new_messages()) == 1
    await set_channel(world, stuck="never")


async def test_where_no_time_is_set_nobody_is_reminded(world: World) -> None:
    """The channel's settings have no time for reminders. An agent's question stays open there, and the bot
    posts no reminder."""
    thread, _ = await a_question(world)

    await world.passes(99 * HOURS)

    assert thread.new_messages() == []


async def test_an_open_question_calls_the_owner_and_then_the_fallback(world: World) -> None:
    """Nobody answers a question. The bot reminds the owner once, and later the channel's fallback once. The
    owner's reminder then loses its buttons."""
    await set_channel(world, reminder="1 h", fallback=[world.bob.id])
    thread, _ = await a_question(world)

    await world.passes(HOURS)
    first = thread.new_messages()
    await world.passes(HOURS + 1)
    second = thread.new_messages()
    await world.passes(99 * HOURS)

    assert (first, second) == ([reminder(world.alice)], [escalation(f"<@{world.bob.id}>")])
    assert thread.new_messages() == []
    assert thread.all_messages()[1].endswith(f"Still needs you: {TITLE}. I asked again below.")


@pytest.mark.parametrize("calls", ["direct", "both"])
@pytest.mark.parametrize("loses", ["channel", "membership", "account"])
async def test_a_fallback_who_can_no_longer_read_the_thread_is_not_called(
    world: World, loses: str, calls: str
) -> None:
    """The channel's fallback has left the channel or Slack, or is a guest now. The reminder mentions nobody.
    The bot sends this person no direct message, because it would show them the agent's words."""
    general = world.slack.workspace.channel("general")
    general.kind = PRIVATE
    await saves(world, world.bob, calls=calls)
    await set_channel(world, reminder="1 h", fallback=[world.bob.id])
    thread, _ = await a_question(world)
    await world.passes(HOURS)
    first = thread.new_messages()

    if loses == "channel":
        general.members.remove(world.bob.id)
    else:
        user = world.slack.workspace.user(world.bob.id)
        user.is_restricted, user.deleted = loses == "membership", loses == "account"
    await world.ages(seconds=10)
    await world.passes(HOURS + 1)

    assert (first, thread.new_messages()) == ([reminder(world.alice)], [escalation("").strip()])
    assert world.slack.messages(world.slack.open_direct("bob").id) == []


async def test_a_user_group_can_be_the_fallback(world: World) -> None:
    """The fallback of a channel is a user group. The reminder mentions the group, so Slack notifies all its
    members."""
    group = world.slack.add_group("leads", ["bob"])
    await set_channel(world, reminder="1 h", group="leads")
    thread, _ = await a_question(world)

    await world.passes(HOURS)
    first = thread.new_messages()
    await world.passes(HOURS + 1)

    assert [*first, *thread.new_messages()] == [reminder(world.alice), escalation(f"<!subteam^{group.id}>")]


async def test_an_owner_is_not_the_own_fallback(world: World) -> None:
    """The owner of a task is also the channel's fallback. The bot reminds this person only once."""
    await set_channel(world, reminder="1 h", fallback=[world.alice.id])
    thread, _ = await a_question(world)

    await world.passes(HOURS)
    await world.passes(99 * HOURS)

    assert thread.new_messages() == [reminder(world.alice)]


async def test_an_answer_settles_the_reminder(world: World) -> None:
    """The bot has reminded Alice of a question, and she answers it. The reminder then says so and has no
    buttons. No further reminder follows."""
    await set_channel(world, reminder="1 h", fallback=[world.bob.id])
    thread, task = await a_question(world)
    await world.passes(HOURS)
    thread.new_messages()

    await world.alice.clicks(thread, "Answer")
    await world.alice.submits(prompt="the new one")
    await world.passes(seconds=5)
    task.becomes("working", "Keeping the new one")
    await world.polls()
    await world.passes(20 * MINUTES)

    assert task.inputs == ["the new one"]
    assert thread.all_messages()[1].endswith(f"Still needs you: {TITLE}. Answered by Alice.")
    assert thread.new_messages() == ["Alice says: the new one\n> the new one"]
    task.becomes("complete", "Done")
    await world.polls()
    thread.new_messages()


async def test_a_reply_that_waits_is_an_answer(world: World) -> None:
    """A person answers a question while Coder fails, so the agent does not have the reply yet. The bot still
    posts no reminder."""
    await set_channel(world, reminder="30 min")
    thread, task = await a_question(world)
    world.coder.plan_fault("tasks.logs", server_error())
    await world.alice.replies(thread, "the new one")

    await world.passes(30 * MINUTES)

    assert not [each for each in thread.new_messages() if "Still needs you" in each]
    world.coder.clear_faults()
    await world.passes(5 * MINUTES)
    assert task.inputs == ["the new one"]


async def test_a_muted_task_reminds_nobody(world: World) -> None:
    """A muted task has an open question. The bot posts no reminder, because a reminder is only for mentioning
    people."""
    await set_channel(world, reminder="1 h", fallback=[world.bob.id])
    thread, _ = await a_question(world)
    await world.alice.replies(thread, "!mute")
    world.alice.reads()

    await world.passes(99 * HOURS)
    await world.passes(99 * HOURS)

    assert thread.new_messages() == []


async def test_a_stuck_task_that_is_muted_says_so_and_calls_nobody(world: World) -> None:
    """Nothing changes in a muted task for too long. The bot posts the notice about it, without a mention."""
    thread, _ = await a_task(world)
    await world.alice.replies(thread, "!mute")
    world.alice.reads()

    await world.passes(30 * MINUTES)

    assert thread.new_messages() == [stuck(world.alice).partition(" ")[2]]


async def test_a_reminder_is_snoozed_for_an_hour(world: World) -> None:
    """A person snoozes a reminder for an hour. The bot repeats the reminder once, an hour later. The first
    reminder says who snoozed it, and until when."""
    await set_channel(world, reminder="4 h")
    thread, _ = await a_question(world)
    await world.passes(4 * HOURS)
    first = thread.new_messages()

    await world.alice.clicks(thread, "Remind me in 1 h")
    snoozed = timeless(thread.all_messages()[1])
    await world.passes(59 * MINUTES)
    early = thread.new_messages()
    await world.passes(MINUTES + 1)
    again = thread.new_messages()
    await world.passes(99 * HOURS)

    assert (first, early) == ([reminder(world.alice, "4 h")], [])
    assert snoozed == (
        f"<@{world.alice.id}> {QUESTION}\nStill needs you: {TITLE}. Alice: no reminder until "
        "<{date_short_pretty} at {time}>."
    )
    assert again == [reminder(world.alice, "5 h")]
    assert thread.new_messages() == []


async def test_a_reminder_is_snoozed_until_the_persons_morning(world: World) -> None:
    """A person snoozes a reminder until the morning. The bot repeats it at nine o'clock in the person's time
    zone, and not before."""
    await set_channel(world, reminder="1 h")
    thread, _ = await a_question(world)
    await world.passes(HOURS)
    thread.new_messages()

    await world.alice.clicks(thread, "Remind me tomorrow")
    told = re.search(r"<!date\^(\d+)\^", str(world.slack.thread(thread.channel, thread.ts)[2]["text"]))
    assert told is not None
    morning = datetime.fromtimestamp(int(told[1]), ZoneInfo(world.slack.workspace.user("alice").tz))
    left = int(told[1]) - int(world.clock.stamp()) // 1000
    await world.passes(left - MINUTES)
    early = thread.new_messages()
    await world.passes(2 * MINUTES)

    assert (morning.hour, morning.minute, early) == (9, 0, [])
    assert len(thread.new_messages()) == 1


async def test_the_fallback_may_snooze_and_others_may_not(world: World) -> None:
    """A reminder mentions Bob, the channel's fallback. Bob can snooze it. Carol may not steer the task, so
    the bot refuses her press."""
    carol = world.person("carol")
    world.slack.workspace.channel("general").members.append(carol.id)
    await set_channel(world, reminder="1 h", fallback=[world.bob.id])
    thread, _ = await a_question(world)
    await world.passes(HOURS)
    await world.passes(HOURS + 1)
    thread.new_messages()

    await carol.clicks(thread, "Remind me in 1 h")
    refused = carol.reads()
    await world.bob.clicks(thread, "Remind me in 1 h")
    await world.passes(HOURS + 1)

    assert refused == [
        f"*{TITLE}* belongs to Alice, so you can't delay its reminder. Alice can let you, with "
        "`!share @Carol` in its thread."
    ]
    assert thread.new_messages() == [escalation(f"<@{world.bob.id}>", "3 h")]


async def test_a_reminder_is_snoozed_while_it_is_being_posted(world: World) -> None:
    """The bot posts a reminder, and Slack answers late. Alice presses *Snooze* before that. Her press snoozes
    this reminder, and not the settled reminder of an earlier question."""
    await set_channel(world, reminder="1 h")
    thread, task = await a_question(world)
    await world.passes(HOURS)
    await world.alice.replies(thread, "the new one")
    task.becomes("working", "Keeping it")
    await world.polls()
    await asks(world, task)
    thread.new_messages()

    await snoozes_before_slack_answers(world, thread)
    snoozed = [timeless(said) for said in thread.new_messages()]
    await world.passes(HOURS + 1)

    assert snoozed == [
        f"<@{world.alice.id}> {QUESTION}\nStill needs you: {TITLE}. Alice: no reminder until "
        "<{date_short_pretty} at {time}>."
    ]
    assert thread.new_messages() == [reminder(world.alice, "2 h")]


async def test_the_first_reminder_of_a_task_is_snoozed_while_it_is_being_posted(world: World) -> None:
    """Alice answers a first question just before its reminder, so nothing is posted. The bot posts the
    reminder of the next question, and Slack answers late. Alice presses *Snooze* before that. Her press
    snoozes this reminder."""
    await set_channel(world, reminder="1 h")
    thread, task = await a_question(world)
    world.coder.plan_fault("tasks.logs", server_error(), times=None)
    await world.alice.replies(thread, "the new one")
    await world.passes(HOURS)
    world.coder.clear_faults()
    await world.passes(5 * MINUTES)
    task.becomes("working", "Keeping it")
    await world.polls()
    await asks(world, task)
    thread.new_messages()

    await snoozes_before_slack_answers(world, thread)

    assert [timeless(said) for said in thread.new_messages()] == [
        f"<@{world.alice.id}> {QUESTION}\nStill needs you: {TITLE}. Alice: no reminder until "
        "<{date_short_pretty} at {time}>."
    ]


async def test_a_question_that_was_answered_cannot_be_snoozed(world: World) -> None:
    """One person answers the question while another presses *Snooze*. The press does nothing."""
    await set_channel(world, reminder="1 h")
    thread, task = await a_question(world)
    await world.passes(HOURS)
    thread.new_messages()
    ts, action, value = thread.button("Remind me in 1 h")
    await world.alice.replies(thread, "the new one")
    await world.passes(5)
    task.becomes("working", "Keeping it")
    await world.polls()

    await world.alice.presses_made_up(action, value)

    assert world.alice.reads() == ["This was already answered."]
    assert ts
    thread.new_messages()


async def test_a_fallback_must_be_a_member_who_is_there(world: World) -> None:
    """Alice chooses the channel's fallback in the settings. The bot refuses a person outside the channel,
    whom a mention would not reach. It also refuses a person and a group together."""
    carol = world.person("carol")
    world.slack.add_group("leads", ["bob"])
    await world.alice.types("/task settings")
    errors = await world.alice.saves(fallback=[world.bob.id], group="leads")
    await world.alice.saves(fallback=[carol.id], group="No group")

    assert errors == {"settings.group": "Choose a person or a group, not both."}
    assert world.alice.reads() == [
        "Carol is not in this channel, or is a guest, so nothing was changed. Choose somebody else."
    ]
