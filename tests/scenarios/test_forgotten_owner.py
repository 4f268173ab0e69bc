"""When `taskwire forget` removes the owner of a task, nobody else loses a reply in its thread."""

import pytest

from taskwire.coder.errors import REFUSED_BEFORE, PersonTokenRefused
from taskwire.outbox.waiting_requests import tell_of_account
from taskwire.queue.batch import Batch

from .test_forgotten_tokens import forget
from .world import CARD_SECONDS, World

FORGOTTEN = (
    "It needs the Coder account of a person who was removed from Taskwire. Ask a Taskwire administrator."
)


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


async def test_what_needs_the_account_of_a_forgotten_person_is_refused(world: World) -> None:
    """An administrator has given a task whose owner is not in Slack its thread, and shared it with Bob. Then
    the service account is gone, and the administrator is forgotten. Bob's requests and replies then
    need nobody's account. They are refused in whole sentences, and wait for nobody."""
    root, carol = world.person("root"), world.person("carol")
    await world.slack.join(root.id, "general")
    await world.restarts(accounts="both", admins=(root.id,))
    world.coder.user(carol.name).email = "robot@example.org"
    world.coder.add_tasks(1, carol.name, prefix="robots")
    task = world.coder.tasks[-1]
    await world.polls()
    thread = await root.runs(f"/task attach carol/{task.name}")
    await world.polls()
    task.becomes("idle", "Ready")
    await world.polls()
    await root.replies(thread, f"!share <@{world.bob.id}>")
    await world.passes(CARD_SECONDS)
    root.reads(), world.bob.hears(), thread.new_messages()
    await world.restarts(accounts="personal", coder_session_token=None, admins=(root.id,))
    await forget(world, root)
    await world.passes(CARD_SECONDS)

    await world.bob.replies(thread, "!stop")
    await world.bob.replies(thread, "look at the log")
    await world.bob.types(f"/task logs carol/{task.name}")
    await world.passes(seconds=5)

    assert world.bob.reads() == [
        f"Stopping *Filler 0* failed. {FORGOTTEN}",
        f"`/task logs carol/{task.name}` failed. {FORGOTTEN}",
    ]
    assert thread.new_messages() == [
        f"This reply was not delivered. {FORGOTTEN}\n> look at the log\n[Try again]"
    ]
    assert (task.inputs, await world.jobs()) == ([], {})
