"""When a question of the bot is settled in another way, it loses its buttons. So nobody presses them in
vain."""

from datetime import timedelta

from taskwire.domain.ids import ChannelId, TaskId, Ts, UserId, ts_of
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, AnswerInThread, Job
from taskwire.domain.queueing.queues import thread_answers
from taskwire.domain.requester import Requester
from taskwire.queue.batch import Batch
from taskwire.state.link_writes import KEPT_REPLY_TTL_MS
from taskwire_sandbox.slack import Attachment, CallFault

from .people import Thread
from .unknown_outcomes import reply_of_unknown_outcome
from .waiting import a_busy_agent
from .world import World

NO_NEED = "Closed: {}."


def buttons_left(thread: Thread) -> list[str]:
    """Return the messages of a thread that still have *It arrived* or *Try again*."""
    return [said for said in thread.all_messages() if "[Yes]" in said or "[Try again]" in said]


async def test_a_thread_that_is_detached_asks_nothing_any_more(world: World) -> None:
    """The bot asks whether the agent got a reply, and Alice detaches the task. The question loses its
    buttons, and says that the thread has no task any more."""
    thread, _, _ = await reply_of_unknown_outcome(world)
    thread.new_messages()

    await world.alice.replies(thread, "!detach")
    await world.passes(seconds=5)

    assert buttons_left(thread) == []
    assert "Closed: this thread has no task any more.\n> use main" in thread.all_messages()
    thread.new_messages()


async def test_what_a_pause_held_and_was_dropped_is_asked_about_no_more(world: World) -> None:
    """The bot asks whether the agent got a reply, and a pause then holds this reply. When Alice drops the
    reply, the bot's question loses its buttons."""
    thread, _, _ = await reply_of_unknown_outcome(world)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)
    thread.new_messages()

    await world.alice.clicks(thread, "Drop the reply")
    await world.passes(seconds=5)

    assert buttons_left(thread) == []
    assert NO_NEED.format("the reply was dropped") + "\n> use main" in thread.all_messages()
    thread.new_messages()


async def test_a_reply_whose_files_are_changed_is_asked_about_anew(world: World) -> None:
    """The bot asks about a reply with a picture, and the author edits the reply. The bot asks again about the
    edited reply. The first question loses its buttons."""
    thread, task = await a_busy_agent(world)
    task.becomes("idle")
    await world.polls()
    reply = await world.alice.replies(thread, "see this", (Attachment("a.png", b"\\x89PNG", "image/png"),))
    first = thread.new_messages()

    await world.alice.edits(thread, reply, "see that")
    await world.passes(seconds=5)

    assert [said.count("[Send without them]") for said in first] == [1]
    asked = [said for said in thread.all_messages() if "[Send without them]" in said]
    assert len(asked) == 1
    assert asked[0].count("see that") == 1
    await world.alice.clicks(thread, "Don't send")
    thread.new_messages()


async def test_a_reply_that_a_pause_holds_is_asked_about_no_more_once_it_is_edited(world: World) -> None:
    """The bot asks about a reply with a picture, a pause holds the reply, and its author edits it. The bot's
    question loses its buttons and says that the reply was edited."""
    thread, task = await a_busy_agent(world)
    task.becomes("idle")
    await world.polls()
    reply = await world.alice.replies(thread, "see this", (Attachment("a.png", b"\x89PNG", "image/png"),))
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=3)

    await world.alice.edits(thread, reply, "see that")
    await world.passes(seconds=5)

    said = thread.all_messages()
    assert [each for each in said if "[Send without them]" in each] == []
    assert NO_NEED.format("the reply was edited") + "\n> see this" in said
    await world.alice.clicks(thread, "Drop the reply")
    thread.new_messages()


async def test_what_cannot_be_tried_again_offers_it_no_more(world: World) -> None:
    """A reply was not delivered, and the bot's message has *Try again*. The author deletes the reply, and the
    message loses its button."""
    thread, task = await a_busy_agent(world)
    reply = await world.alice.replies(thread, "use main")
    await world.passes(seconds=24 * 3600 + 31)
    thread.new_messages()

    await world.alice.deletes(thread, reply)
    await world.passes(seconds=5)

    assert buttons_left(thread) == []
    assert task.inputs == []
    assert NO_NEED.format("the reply was deleted") + "\n> use main" in thread.all_messages()


async def test_what_is_settled_before_it_could_be_asked_is_not_asked(world: World) -> None:
    """The bot wants to ask about a reply, but Slack limits its posts for a while. The author deletes the
    reply meanwhile, so the bot does not ask."""
    thread, task = await a_busy_agent(world)
    world.slack.faults.add("chat.postMessage", CallFault.RATE_LIMITED, seconds=30)
    reply = await world.alice.replies(thread, "!make test")

    await world.alice.deletes(thread, reply)
    await world.passes(seconds=31)

    assert thread.new_messages() == []
    assert task.inputs == []


async def test_a_question_whose_reply_goes_while_it_is_posted_asks_nothing(world: World) -> None:
    """The bot posts a question about a reply, and Slack answers late. The author deletes the reply before
    that. The question loses its buttons."""
    thread, task = await a_busy_agent(world)
    late = world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_LATE, seconds=1.5)
    reply = await world.slack.post(world.alice.id, thread.channel, "!make test", thread.ts)
    await world.until(lambda: late.hits, "the question is posted")

    await world.alice.deletes(thread, reply)
    await world.passes(seconds=3)

    assert thread.new_messages() == [NO_NEED.format("the reply was deleted") + "\n> !make test"]
    assert task.inputs == []


async def test_a_question_whose_reply_is_sent_while_it_is_posted_does_not_call_it_deleted(
    world: World,
) -> None:
    """The bot posts a question about a reply, and Slack answers late. A person presses *Send as text* before
    that. The question then says that somebody decided, not that the reply was deleted."""
    thread, task = await a_busy_agent(world)
    task.becomes("idle")
    await world.polls()
    late = world.slack.faults.add("chat.postMessage", CallFault.DONE_THEN_LATE, seconds=1.5)
    await world.slack.post(world.alice.id, thread.channel, "!make test", thread.ts)
    await world.until(lambda: late.hits, "the question is posted")

    await world.alice.clicks(thread, "Send as text")
    await world.passes(seconds=3)

    assert task.inputs == ["!make test"]
    assert thread.new_messages() == [NO_NEED.format("somebody decided") + "\n> !make test"]
    world.alice.reads()


async def test_a_reply_that_nobody_could_be_asked_about_for_a_week_gets_a_word(world: World) -> None:
    """The bot could not post a question about a reply for a week, and then no longer has the reply. It tells
    the thread that the reply was not sent."""
    thread, task = await a_busy_agent(world)
    long_ago = ts_of(world.clock.now() - timedelta(milliseconds=KEPT_REPLY_TTL_MS + 1))
    requester = Requester(
        person=UserId(world.alice.id), channel=ChannelId(thread.channel), at=long_ago, thread_ts=Ts(thread.ts)
    )
    work = AnswerInThread(
        requester=requester, question="not_a_verb", text="!make test", job=f"{REPLY_ID_PREFIX}{long_ago}"
    )
    deps = world.bot.parts.deps
    link = await deps.links.find_by_task(TaskId(task.id))
    assert link is not None

    await deps.queues.write(
        Batch().append(thread_answers(link.id, world.alice.id), Job(id=f"not_a_verb:{long_ago}", work=work))
    )
    await world.passes(seconds=1)

    assert thread.new_messages() == [
        ("Nobody answered for a week, so this reply was not sent.\n> !make test")
    ]
    assert task.inputs == []
