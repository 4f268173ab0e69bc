"""A reply that a button passes on meets the same limit of waiting replies as a typed reply."""

import pytest

from taskwire.domain.queueing.queues import receipts
from taskwire.queue.inbox import MAX_REPLIES_OF_ONE, MAX_WAITING_REPLIES

from .people import Person
from .reading import shown
from .running_tasks import a_task
from .test_choices import an_asking_agent
from .test_many_replies import NO_PLACE, has_waiting, link_of, shares, without
from .test_pass_on import PASSED, WAS_ASKED, WAS_PASSED, bob_asks
from .world import World

HOUR_MS = 3_600_000


def all_seen(world: World, person: Person) -> list[str]:
    """Return all that only this person sees, the oldest first, as it is now."""
    return [shown(each.body) for each in world.slack.ephemerals(person.id)]


@pytest.mark.parametrize("button", ["Pass it on", "Always let Bob steer this"])
async def test_a_reply_that_finds_no_place_can_be_passed_on_later(world: World, button: str) -> None:
    """As many replies as the bot accepts wait for the agent. Alice's press is refused and gives Bob no right.
    The question keeps its buttons. When fewer replies wait, she presses again, and the agent gets it."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await bob_asks(world, thread)
    asked = world.alice.reads()
    others = await has_waiting(world, thread, MAX_WAITING_REPLIES, delay_ms=HOUR_MS)

    await world.alice.presses(button)
    await world.passes(seconds=3)
    refused, bob_sees, inputs = world.alice.reads(), world.bob.sees(), list(task.inputs)
    shared = await world.bot.parts.deps.links.list_shares()
    await world.bot.parts.deps.queues.write(others)
    await world.alice.presses("Pass it on")
    await world.passes(seconds=3)

    assert (len(asked), refused, inputs) == (1, [NO_PLACE], [])
    assert (bob_sees, shared) == (WAS_ASKED, {})
    assert (all_seen(world, world.alice)[0], world.bob.sees()) == (PASSED, WAS_PASSED)
    assert task.inputs == ["Bob wrote:\n> please add a test"]
    thread.new_messages()


async def test_a_choice_that_finds_no_place_can_be_passed_on_later(world: World) -> None:
    """Bob asks Alice to pass a choice on, and as many replies as the bot accepts wait. Alice's press is
    refused, and nothing is decided. When fewer replies wait, she presses again, and the agent gets it."""
    thread, task = await an_asking_agent(world)
    thread.new_messages()
    await world.bob.clicks(thread, "2. release-2")
    await world.bob.presses("Ask Alice to pass it on")
    world.alice.reads()
    others = await has_waiting(world, thread, MAX_WAITING_REPLIES, delay_ms=HOUR_MS)

    await world.alice.presses("Pass it on")
    refused, bob_sees = world.alice.reads(), world.bob.sees()
    await world.bot.parts.deps.queues.write(others)
    await world.alice.presses("Pass it on")
    await world.passes(seconds=3)

    assert (refused, bob_sees) == ([NO_PLACE], WAS_ASKED)
    assert task.inputs == ["Bob wrote:\n> 2. release-2"]
    world.bob.reads(), world.alice.reads(), thread.new_messages()


async def test_a_person_who_has_got_a_share_meanwhile_has_no_more_places(world: World) -> None:
    """Alice has shared the task with Bob since the bot offered to ask her. As many replies wait as one
    teammate may have, so his press is refused. Later it sends his reply."""
    thread, task = await a_task(world)
    task.becomes("idle", "Ready")
    await world.bob.replies(thread, "please add a test")
    await shares(world, thread, world.bob)
    world.bob.reads()
    others = await has_waiting(world, thread, MAX_REPLIES_OF_ONE, world.bob, delay_ms=HOUR_MS)

    await world.bob.presses("Ask Alice to pass it on")
    await world.passes(seconds=3)
    refused, inputs = world.bob.reads(), list(task.inputs)
    await world.bot.parts.deps.queues.write(others)
    await world.bob.presses("Ask Alice to pass it on")
    await world.passes(seconds=3)

    assert (refused, inputs) == ([NO_PLACE], [])
    assert all_seen(world, world.bob)[0] == "You can steer this task now: your reply goes to its agent."
    assert task.inputs == ["Bob wrote:\n> please add a test"]
    thread.new_messages()


async def test_a_stop_is_passed_on_without_a_place(world: World) -> None:
    """As many replies as the bot accepts wait. Alice passes on a reply of Bob that is only `stop`, and the
    task is paused at once."""
    thread, task = await a_task(world)
    await world.bob.replies(thread, "stop")
    await world.bob.presses("Ask Alice to pass it on")
    world.alice.reads()
    others = await has_waiting(world, thread, MAX_WAITING_REPLIES, delay_ms=HOUR_MS)

    await world.alice.presses("Stop it")
    await world.passes(seconds=3)

    assert NO_PLACE not in world.alice.reads()
    assert (task.status, task.inputs) == ("paused", [])
    world.bob.reads(), thread.new_messages()
    await world.bot.parts.deps.queues.write(others)
    marks = receipts(await link_of(world, thread))
    await world.bot.parts.deps.queues.write(without(marks, (await world.jobs()).get(marks, [])))
