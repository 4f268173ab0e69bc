"""Coder does not say now who a person is. A dialog shows no more than the person may read without Coder."""

import pytest

from taskwire_sandbox.coder import faults

from .test_made_up_presses import link_of
from .waiting import a_waiting_agent
from .world import World

FRESH = "The key is in vault 8."


@pytest.mark.parametrize("who", ["suspended", "without account", "without share"])
@pytest.mark.parametrize("dialog", ["task.answer", "task.share"])
async def test_a_dialog_shows_nobody_more_than_the_card(world: World, who: str, dialog: str) -> None:
    """Mal, who has no right to Alice's task, presses *Answer*, or makes up a press of *Share*, while only
    Coder's search for people fails. Mal reads nothing that the agent has written since its report, and not
    with whom the task is shared."""
    thread, task = await a_waiting_agent(world)
    mal = world.person("mal", in_coder=who != "without account")
    carol = world.person("carol")
    await world.slack.join(mal.id, "general")
    world.slack.add_group("secret-crew", [world.bob.id])
    await world.alice.replies(thread, f"!share <@{carol.id}>")
    task.becomes("idle", "Which branch?")
    await world.polls(times=2)
    await world.passes(seconds=15)
    if who == "suspended":
        world.coder.suspend("mal")
    await world.ages(seconds=60)
    await mal.types("/task list")
    task.says(FRESH)
    world.coder.plan_fault("users.list", faults.server_error(status=503), times=None)
    await world.ages(seconds=700)
    await world.passes(seconds=20)
    mal.reads()

    await mal.presses_made_up(dialog, await link_of(world, task))
    shown = mal.dialog()

    assert shown
    assert FRESH not in shown
    assert "secret-crew" not in shown
    assert carol.id not in shown
    world.coder.clear_faults()
    mal.reads(), carol.hears(), world.alice.reads(), thread.new_messages(), world.cards()
