"""When `taskwire forget` removes the owner of a task, nobody else loses a reply in its thread."""

import pytest

from taskwire.coder.errors import REFUSED_BEFORE, PersonTokenRefused
from taskwire.outbox.waiting_requests import tell_of_account
from taskwire.queue.batch import Batch

from .test_forgotten_tokens import forget
from .world import CARD_SECONDS, World


@pytest.mark.parametrize("who", ["root", "bob"])
async def test_replies_of_others_are_given_back_when_the_owner_is_forgotten(world: World, who: str) -> None:
    """An administrator has given Alice's task its thread. When Alice is forgotten, the waiting replies of the
    administrator and of a teammate are given back in the thread."""
    root = world.person("root")
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,))
    world.coder.add_tasks(1, "alice", prefix="alices")
    task = world.coder.tasks[-1]
    await world.polls()
    thread = await root.runs(f"/task attach alice/{task.name}")
    await world.polls()
    await world.passes(CARD_SECONDS)
    await root.types(f"/task share alice/{task.name} <@{world.bob.id}>")
    task.becomes("working", "Reading")
    await world.polls()
    author = root if who == "root" else world.bob
    await author.replies(thread, "look at the log")

    await forget(world, world.alice)
    await world.passes(CARD_SECONDS)

    assert "The agent did not get this reply:\n| look at the log" in thread.new_messages()
    assert task.inputs == []
    assert thread.card().startswith("Detached")
    for person in (root, world.bob, world.alice):
        person.reads()
        person.hears()


async def test_nobody_is_told_of_the_account_of_a_forgotten_person(world: World) -> None:
    """A link can have no requester any more when its person was forgotten. If an account is missing there, no
    direct message is queued for nobody."""
    batch = Batch()

    await tell_of_account(world.bot.parts.deps, PersonTokenRefused(REFUSED_BEFORE, "", ""), batch)

    await world.bot.parts.deps.queues.write(batch)
    assert await world.jobs() == {}
