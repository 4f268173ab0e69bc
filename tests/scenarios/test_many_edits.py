"""People edit and delete many messages at once. Each edit is a job in the queue of the task's agent, so few
of them wait there."""

import asyncio

from taskwire.queue.user_limits import MAX_WAITING_CHANGES
from taskwire.state.link_writes import MAX_TAKEN_MESSAGES
from taskwire_sandbox.coder.faults import late
from taskwire_sandbox.slack import DeliveryFault
from tests.metrics import value_of

from .people import Thread
from .test_made_up_presses import link_of
from .test_pass_on import bob_asks
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World

TOO_MANY = (
    "Too many edits and deletions wait here, so I can't accept this one or newer ones now. Edit the reply "
    "again later. If you deleted it, write a new reply that corrects it."
)


async def _is_sending(world: World, thread: Thread) -> None:
    """Let Alice write a reply that the bot sends for some seconds. Other jobs of the task wait meanwhile."""
    world.coder.plan_fault("tasks.send", late(6.0))
    await world.slack.post(world.alice.id, thread.channel, "begin", thread.ts)
    await world.until(lambda: any(seen.route == "tasks.send" for seen in world.coder.requests), "it is sent")


async def _list_changes(world: World, edits: int) -> list[str]:
    """Return the ids of the jobs of changes that wait when this number of edits has arrived."""
    registry = world.bot.parts.metrics.registry
    results = ("claimed", "limit_told", "limited")

    def has_all() -> bool:
        counted = (
            value_of(registry, "taskwire_deliveries_total", kind="edit", outcome=each) for each in results
        )
        return sum(counted) == edits

    await world.until(has_all, "all edits have arrived")
    return [job for jobs in (await world.jobs()).values() for job in jobs if job.startswith("reply_changed:")]


async def test_of_many_edits_of_one_message_only_the_newest_waits(world: World) -> None:
    """The author edits a waiting reply many times within two seconds. One job waits for all these edits, and
    the agent gets the newest text."""
    thread, task = await a_waiting_agent(world)
    await _is_sending(world, thread)
    reply = await world.slack.post(world.alice.id, thread.channel, "use 0", thread.ts)

    for number in range(1, 9):
        await world.slack.edit(world.alice.id, thread.channel, reply, f"use {number}")
    waiting = await _list_changes(world, 8)
    await world.settles()
    await takes_all(world, task)
    await world.passes(seconds=9)

    assert len(waiting) == 1
    assert task.inputs == ["begin", "use 8"]
    assert thread.new_messages() == []


async def test_an_edit_that_arrives_after_a_newer_one_changes_nothing(world: World) -> None:
    """The author edits a waiting reply twice, and Slack delivers the first edit after the second. The agent
    gets the text of the second edit."""
    thread, task = await a_waiting_agent(world)
    await _is_sending(world, thread)
    reply = await world.slack.post(world.alice.id, thread.channel, "use mian", thread.ts)

    world.slack.faults.add("message", DeliveryFault.LATE, seconds=0.3)
    await world.slack.edit(world.alice.id, thread.channel, reply, "use mani")
    await world.slack.edit(world.alice.id, thread.channel, reply, "use main")
    await world.settles()
    await takes_all(world, task)
    await world.passes(seconds=9)

    assert task.inputs == ["begin", "use main"]
    assert thread.new_messages() == []


async def test_of_one_persons_edits_thirty_wait(world: World) -> None:
    """A person who may not steer the task edits many of their messages at once. Thirty of these edits wait.
    The person is told once that the others are not accepted. An edit by the task's owner is accepted."""
    thread, task = await a_waiting_agent(world)
    comments = [
        await world.bob.replies(thread, f"nice {number}") for number in range(MAX_WAITING_CHANGES + 5)
    ]
    world.bob.reads()
    await _is_sending(world, thread)
    reply = await world.slack.post(world.alice.id, thread.channel, "use mian", thread.ts)

    await asyncio.gather(
        *(world.slack.edit(world.bob.id, thread.channel, comment, "very nice") for comment in comments)
    )
    waiting = await _list_changes(world, len(comments))
    await world.slack.edit(world.alice.id, thread.channel, reply, "use main")
    await world.settles()
    await takes_all(world, task)
    await world.passes(seconds=9)

    assert len(waiting) == MAX_WAITING_CHANGES
    assert world.bob.reads() == [TOO_MANY]
    assert task.inputs == ["begin", "use main"]
    assert thread.new_messages() == []


async def test_edits_after_passing_on_are_told_once(world: World) -> None:
    """Alice passes Bob's reply on, and it waits. Bob edits it again and again, which changes nothing. The
    thread is told of this once."""
    thread, task = await a_busy_agent(world)
    reply = await bob_asks(world, thread)
    await world.alice.presses("Pass it on")
    await world.passes(seconds=30)
    thread.new_messages()
    for number in range(5):
        await world.bob.edits(thread, reply, f"please add test {number}")
        await world.passes(seconds=2)

    told = thread.new_messages()
    await takes_all(world, task)
    await world.passes(seconds=30)

    assert told == ["The agent gets Bob's old text. This new one is not sent:\n> please add test 0"]
    assert task.inputs == ["Bob wrote:\n> please add a test"]
    world.alice.reads(), world.bob.reads(), thread.new_messages()


async def test_an_edit_of_a_dropped_reply_stays_nothing_after_many_messages(world: World) -> None:
    """Alice drops a reply that waits. Bob, who may not steer, writes more messages than Taskwire remembers of
    a thread. Alice then corrects the dropped reply in Slack. It does not wait for the agent again."""
    thread, task = await a_busy_agent(world)
    dropped = await world.alice.replies(thread, "delete the databse")
    await world.passes(seconds=3)
    await world.alice.replies(thread, "!pause")
    await world.passes(seconds=10)
    await world.polls()
    await world.alice.clicks(thread, "Drop the reply")
    await world.passes(seconds=5)
    for number in range(MAX_TAKEN_MESSAGES + 5):
        await world.slack.post(world.bob.id, "general", f"hm {number}", thread.ts)
        world.clock.passes(2)
    await world.settles()
    await world.passes(seconds=30)

    await world.alice.edits(thread, dropped, "delete the database")
    await world.passes(seconds=30)

    assert await world.bot.parts.deps.links.list_waiting(await link_of(world, task)) == []
    assert "waits" not in thread.card()
    world.bob.reads(), world.alice.reads(), thread.new_messages(), world.cards()
