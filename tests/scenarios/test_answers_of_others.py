"""Whoever asks about agents that do not answer holds up nobody else's answers."""

from taskwire.coder.agent_places import MAX_AGENT_JOBS_OF_OWNER
from taskwire.queue.inbox import MAX_WAITING_ANSWERS
from taskwire_sandbox.coder.faults import hang
from taskwire_sandbox.coder.server import RecordedRequest

from .many_tasks import start_threads
from .people import Thread, a_crowd
from .test_agents_that_hang import ends
from .test_many_replies import has_to_answer
from .waiting import a_busy_agent
from .world import World


def reads_of_logs(world: World) -> list[RecordedRequest]:
    """Return each request for an agent's log, in order."""
    return [seen for seen in world.coder.requests if seen.route == "tasks.logs"]


async def hanging_threads(world: World, count: int) -> list[Thread]:
    """Start tasks of Alice. From now on, no agent answers when it is asked for its log."""
    threads = await start_threads(world, count, world.alice, prefix="alice")
    await world.polls()
    world.coder.plan_fault("tasks.logs", hang(), times=None)
    return threads


async def test_a_person_without_rights_does_not_hold_up_the_owners_questions(world: World) -> None:
    """Bob asks ten times for the log of Alice's agent, which does not answer. Alice's own questions are
    answered while the first of these calls waits. After that, Bob's questions are answered too."""
    thread, _ = await a_busy_agent(world)
    world.coder.plan_fault("tasks.logs", hang(), times=None)

    for _ in range(10):
        await world.slack.post(world.bob.id, thread.channel, "!logs", thread.ts)
    await world.until(lambda: reads_of_logs(world), "the agent is asked")
    for verb in ("!status", "!help", "!delete"):
        await world.slack.post(world.alice.id, thread.channel, verb, thread.ts)
    await world.until(lambda: len(world.slack.ephemerals(world.alice.id)) == 2, "Alice is answered")
    await world.until(lambda: thread.new_messages(), "Alice is asked about the deletion")
    calls = [seen.status for seen in reads_of_logs(world)]
    answers_to_alice, answers_to_bob = world.alice.reads(), world.bob.reads()
    await ends(world, thread)

    assert calls == [None]
    assert answers_to_bob == []
    assert len(answers_to_alice) == 2
    assert len(world.bob.reads()) == 10


async def test_answers_that_wait_for_one_person_leave_places_to_others(world: World) -> None:
    """As many answers to Bob wait in Alice's thread as the bot keeps. Alice's question is answered."""
    thread, _ = await a_busy_agent(world)
    answers_to_bob = await has_to_answer(world, thread, world.bob, MAX_WAITING_ANSWERS)

    await world.slack.post(world.alice.id, thread.channel, "!help", thread.ts)
    await world.until(world.alice.has_news, "Alice is answered")
    await world.bot.parts.deps.queues.write(answers_to_bob)
    await world.settles()

    assert len(world.alice.reads()) == 1
    assert thread.new_messages() == []


async def test_an_agent_that_many_ask_about_privately_holds_up_no_other_private_answer(world: World) -> None:
    """Four people ask four times each, by command, for the log of an agent that does not answer. Only eight
    of these calls are made at once, and the other questions wait without a turn. So Bob gets his answer while
    all of them wait."""
    (thread,) = await hanging_threads(world, 1)
    askers = await a_crowd(world, 4)

    for asker in askers:
        for _ in range(4):
            await world.slack.command(asker.id, "general", "/task", "logs alice/alice-00000")
    await world.until(lambda: len(reads_of_logs(world)) == MAX_AGENT_JOBS_OF_OWNER, "the agent hangs")
    await world.slack.command(world.bob.id, "general", "/task", "status alice/alice-00000")
    await world.until(world.bob.has_news, "Bob is answered")

    assert [seen.status for seen in reads_of_logs(world)] == [None] * MAX_AGENT_JOBS_OF_OWNER
    world.bob.reads()
    await ends(world, thread)
    assert [len(asker.reads()) for asker in askers] == [4] * 4
