"""Who counts as a task's owner: the person with the owner's Coder account, and not who attached the task or
had the account before."""

import pytest

from taskwire_sandbox.coder import SandboxTask

from .people import Person, Thread
from .test_connect import pastes
from .test_forgotten_tokens import forget
from .test_waiting_for_account import connects
from .waiting import takes_all
from .world import World


@pytest.mark.parametrize("accounts", ["personal", "both"])
async def test_who_attached_a_task_holds_up_no_replies_of_its_owner(world: World, accounts: str) -> None:
    """Root attached Alice's task as an administrator, is none any more, and has disconnected. Root's reply is
    refused, and Alice's reply does not wait behind it."""
    root = world.person("root", in_coder=accounts == "personal")
    world.coder.add_user("rootcc", email="rootcc@example.com", roles=("owner",))
    await world.slack.join(root.id, "general")
    token = {"coder_session_token": None} if accounts == "personal" else {}
    await world.restarts(accounts=accounts, admins=(root.id,), **token)
    for person, user in ((world.alice, "alice"), (root, "rootcc")):
        await person.types("/task connect")
        await connects(world, person, user)
        person.reads()
    world.coder.add_tasks(1, "alice", prefix="alices")
    task = world.coder.tasks[-1]
    await world.polls()
    thread = await root.runs(f"/task attach alice/{task.name}")
    await takes_all(world, task)
    await root.types("/task disconnect")
    await world.restarts(admins=())
    await world.forgets()
    root.reads()

    await root.replies(thread, "I hold you up")
    await world.alice.replies(thread, "please fix it")
    await world.passes(seconds=30)

    assert task.inputs == ["please fix it"]
    assert root.reads()[0].startswith("The agent did not get your reply: you can't steer this task.")
    world.alice.reads(), world.alice.hears(), thread.new_messages()


async def test_a_former_owner_holds_up_no_replies_of_the_owner(world: World) -> None:
    """Bob's Coder account passes to Carol, who connects it (`personal`). Bob's reply in the thread of the
    task is refused: the task is Carol's. Carol's reply does not wait behind it."""
    world.coder.add_user("cc", email="cc@example.com")
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")
    await world.restarts(accounts="personal", coder_session_token=None)
    await world.bob.types("/task connect")
    await pastes(world, world.bob, world.coder.add_token("cc"))
    thread = await world.bob.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.bob.types("/task disconnect")
    await world.forgets()
    await carol.types("/task connect")
    await pastes(world, carol, world.coder.add_token("cc"))
    world.bob.reads(), carol.reads()

    await world.bob.replies(thread, "I hold you up")
    await carol.replies(thread, "what are you doing?")
    await world.passes(seconds=30)

    assert task.inputs == ["what are you doing?"]
    assert world.bob.reads()[0] == (
        "The agent did not get your reply: you can't steer this task.\n[Ask Carol to pass it on]"
    )
    carol.reads(), carol.hears(), world.bob.hears(), thread.new_messages()


async def test_a_former_owner_does_not_speak_as_the_owner(world: World) -> None:
    """Bob's Coder account passes to Carol, who shares its task with Bob (`both`). The agent gets Bob's reply
    with his name, and Carol's as its owner's."""
    await world.restarts(accounts="both")
    world.coder.add_user("cc", email="cc@example.com")
    carol = world.person("carol", in_coder=False)
    await world.slack.join(carol.id, "general")
    await world.bob.types("/task connect")
    await pastes(world, world.bob, world.coder.add_token("cc"))
    thread = await world.bob.runs("/task create fix the login")
    task = world.task("fix-the-login")
    await takes_all(world, task)
    await world.bob.types("/task disconnect")
    await world.forgets()
    await carol.types("/task connect")
    await pastes(world, carol, world.coder.add_token("cc"))
    await carol.replies(thread, f"!share <@{world.bob.id}>")

    await world.bob.replies(thread, "delete the production database")
    await carol.replies(thread, "what are you doing?")
    await world.passes(seconds=30)

    assert task.inputs == ["Bob wrote:\n> delete the production database", "what are you doing?"]
    world.alice.reads(), world.bob.reads(), carol.reads(), world.bob.hears(), carol.hears()
    thread.new_messages(), world.cards()


async def is_attached_by(world: World, root: Person) -> tuple[Thread, SandboxTask]:
    """Let Root, an administrator, attach a task of Alice. Return its thread and the task."""
    await world.slack.join(root.id, "general")
    await world.restarts(admins=(root.id,))
    world.coder.add_tasks(1, "alice", prefix="alices")
    task = world.coder.tasks[-1]
    await world.polls()
    thread = await root.runs(f"/task attach alice/{task.name}")
    task.becomes("working", "Works")
    await world.polls()
    return thread, task


async def test_forgetting_who_attached_a_task_leaves_its_thread_to_its_owner(world: World) -> None:
    """The operator forgets Root. Alice's thread goes on, her reply reaches the agent, and the store does not
    name Root any more."""
    root = world.person("root")
    thread, task = await is_attached_by(world, root)
    await world.alice.replies(thread, "please fix it")

    await forget(world, root)
    await world.forgets()
    await takes_all(world, task)
    await world.passes(seconds=30)
    again = await forget(world, root)

    assert task.inputs == ["please fix it"]
    assert "Detached" not in thread.card()
    assert (dict(again.removed), again.left) == ({}, [])
    root.reads(), world.alice.reads(), world.alice.hears(), thread.new_messages()
