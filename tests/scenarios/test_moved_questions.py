"""A person who can write into Redis cannot move a question or a kept reply from one task to another."""

from typing import cast

import pytest

from taskwire.outbox import questions

from .test_moved_in_redis import link_of, reads, two_tasks
from .world import World

# What Alice's agent asks: an answer of an agent with two choices.
ASKS = """\
⏺ The plan has two parts.

  Which one shall I read?

  1. the secret half
  2. the other half
"""


async def test_what_an_agent_asks_elsewhere_cannot_be_answered_here(world: World) -> None:
    """Alice's agent offers choices. Somebody writes her question into Bob's link. Bob's dialog *Answer* does
    not show her agent's choices."""
    thread, alices, bobs_thread, bobs = await two_tasks(world, world.bob)
    alices.says(ASKS)
    alices.becomes("idle", "Waiting for your choice")
    bobs.says("I have watered the roses.")
    bobs.becomes("idle", "Ready")
    await world.polls()
    for _ in range(3):
        await world.passes(seconds=20)
    thread.new_messages()
    bobs_thread.new_messages()
    source, target = [world.keys.link(await link_of(world, task), "questions") for task in (alices, bobs)]
    stored = await reads(world, source, questions.CHOICES)
    await world.connections.commands.hset(target, questions.CHOICES, stored)

    await world.bob.clicks(bobs_thread, "Answer")

    assert "roses" in world.bob.dialog()
    assert "secret" not in world.bob.dialog()
    bobs_thread.new_messages()


@pytest.mark.parametrize("second", ["in the thread", "by command"])
async def test_a_kept_reply_of_another_task_is_not_sent(world: World, second: str) -> None:
    """Alice and Bob are each asked about a reply that begins with `!`. Somebody writes her reply in place of
    his. Bob's press sends nothing, and he reads none of her words."""
    thread, _, bobs_thread, bobs = await two_tasks(world, world.bob)
    bobs.becomes("idle", "Ready")
    await world.polls()
    bobs_thread.new_messages()
    for person, where in ((world.alice, thread), (world.bob, bobs_thread)):
        if second == "by command":
            name = "plan" if person is world.alice else "plants"
            await person.types(f"/task send {name} !secret of {person.name}")
        else:
            await person.replies(where, f"!secret of {person.name}")
        await world.passes(seconds=5)
    found = await world.connections.commands.keys(world.keys.named("notes", "reply", "*"))
    both = {key.split(":")[-3]: key for key in cast("list[str]", found)}
    assert len(both) == 2
    mine, own = [value for _, value in sorted(both.items(), key=lambda each: each[1].split(":")[-1])]
    stored = await world.connections.commands.get(mine)
    assert stored
    await world.connections.commands.set(own, stored, keepttl=True)
    thread.new_messages()
    bobs_thread.new_messages()

    await world.bob.clicks(bobs_thread, "Send as text")
    await world.passes(seconds=5)

    assert bobs.inputs == []
    shown = [*world.bob.reads(), *bobs_thread.new_messages()]
    assert [said for said in shown if "of alice" in said] == []
    world.alice.reads()
    thread.new_messages()
    world.errors.clear()
