"""Presses of buttons that no message has. They take nothing away from anybody."""

import pytest

from taskwire.domain.ids import LinkId, TaskId
from taskwire_sandbox.coder import SandboxTask

from .test_questions_answered import REFUSED
from .waiting import a_busy_agent, a_waiting_agent, takes_all
from .world import World

DECIDED = ["Somebody already decided this."]


async def link_of(world: World, task: SandboxTask) -> LinkId:
    """Return the id of the task's link, which the values of the buttons contain."""
    link = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))
    assert link is not None
    return link.id


@pytest.mark.parametrize("verb", ["status", "watch", "pause", "edit"])
async def test_a_waiting_reply_is_not_taken_for_a_command(world: World, verb: str) -> None:
    """Alice's reply waits for a busy agent. Bob may steer her task, and makes up a press of a button of the
    question about a message with `!` that names her reply. Nothing happens, and the agent gets the reply."""
    thread, task = await a_busy_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    reply = await world.alice.replies(thread, "do not delete the database")
    await world.passes(seconds=10)

    await world.bob.presses_made_up("verb.do", f"{await link_of(world, task)} {verb}:reply:{reply}")
    await world.passes(seconds=10)
    await takes_all(world, task)
    await world.passes(seconds=10)

    assert world.bob.reads() == DECIDED
    assert task.inputs == ["do not delete the database"]
    assert thread.receipt(reply) == ["white_check_mark"]
    world.alice.reads(), world.bob.hears(), thread.new_messages()


async def test_a_held_reply_is_not_taken_for_a_command(world: World) -> None:
    """Alice's reply is held by a pause. Bob makes up a press that takes it for a command. It stays held."""
    thread, task = await a_busy_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    reply = await world.alice.replies(thread, "do not delete the database")
    await world.alice.replies(thread, "!stop")
    await world.passes(seconds=10)

    await world.bob.presses_made_up("verb.do", f"{await link_of(world, task)} status:reply:{reply}")
    await world.passes(seconds=10)

    assert world.bob.reads() == DECIDED
    assert thread.new_messages() == ["Pausing. 1 reply waits.\n[Resume and send] [Drop the reply]"]
    assert thread.receipt(reply) == ["hourglass_flowing_sand"]
    world.alice.reads(), world.bob.hears()


async def test_a_reply_that_was_not_delivered_is_not_taken_for_a_command(world: World) -> None:
    """Alice's reply was not delivered, and is stored for her. Bob makes up a press that takes it for a
    command. Alice can still send it."""
    thread, task = await a_waiting_agent(world)
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.coder.plan_fault("tasks.send", REFUSED)
    reply = await world.alice.replies(thread, "do not delete the database")
    await world.passes(seconds=10)

    await world.bob.presses_made_up("verb.do", f"{await link_of(world, task)} status:reply:{reply}")
    told = world.bob.reads()
    await world.alice.clicks(thread, "Try again")
    await world.passes(seconds=5)

    assert told == DECIDED
    assert task.inputs == ["do not delete the database"]
    world.alice.reads(), world.bob.hears(), thread.new_messages()
