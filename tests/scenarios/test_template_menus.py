"""The form for a new task and a channel's settings follow the template that a person chooses in them."""

import pytest

from taskwire_sandbox.coder import faults

from .many_tasks import calls
from .test_form_new_task import form
from .world import World

TEMPLATES = ("Tasks on Docker", "Big ones")
FIELDS = {"create": "form.template", "settings": "settings.template"}
SO_MANY = (
    ":warning: You changed the template more than 20 times in a minute, so I have not updated the presets. "
    "Choose the template again in a minute.\n"
)


def add_big_ones(world: World) -> None:
    """Add the template *Big ones*, which has a preset."""
    world.coder.add_template(
        "big", display_name="Big ones", presets=[world.coder.new_preset("Slow", is_default=True)]
    )


def form_of_big_ones(world: World) -> str:
    """Return the form's text with this template."""
    return form(world).replace("Template: Tasks on Docker\n", "Template: Big ones\nPreset: Slow\n")


async def test_a_person_who_looks_through_the_templates_gets_the_last(world: World) -> None:
    """Alice chooses a dozen times in half a minute. The form follows each choice. Her other questions are
    answered too."""
    add_big_ones(world)
    await world.alice.types("/task create")

    for number in range(13):
        await world.passes(seconds=2)
        await world.alice.chooses("form.template", TEMPLATES[(number + 1) % 2])
    shown = world.alice.dialog()
    for _ in range(9):
        await world.alice.types("/task help")

    assert shown == form_of_big_ones(world)
    assert len(calls(world, "views.update")) == 14
    assert len(world.alice.reads()) == 9


@pytest.mark.parametrize("dialog", ["create", "settings"])
async def test_only_the_newest_of_many_choices_is_followed(world: World, dialog: str) -> None:
    """Bob chooses again and again while Coder is slow. The dialog passes over the choices between, and shows
    the last."""
    add_big_ones(world)
    await world.bob.types(f"/task {dialog}")
    world.coder.plan_fault("templates.*", faults.late(0.3), times=3)
    before = len(calls(world, "views.update"))

    for number in range(101):
        view = world.slack.views(world.bob.id)[-1]
        await world.slack.press(world.bob.id, view, FIELDS[dialog], TEMPLATES[(number + 1) % 2])
    await world.settles()

    assert ": Big ones\nPreset" in world.bob.dialog()
    assert len(calls(world, "views.update")) - before <= 2


@pytest.mark.parametrize("dialog", ["create", "settings"])
async def test_a_dialog_says_when_it_no_longer_follows(world: World, dialog: str) -> None:
    """Bob chooses more than 20 times in a minute. The dialog says so once, and follows nothing more. A minute
    later it does. What Alice chooses does not wait."""
    add_big_ones(world)
    await world.bob.types(f"/task {dialog}")

    shown = []
    for number in range(23):
        await world.bob.chooses(FIELDS[dialog], TEMPLATES[(number + 1) % 2])
        shown.append(world.bob.dialog())
    drawn = len(calls(world, "views.update"))
    await world.alice.types("/task create")
    await world.alice.chooses("form.template", "Big ones")
    await world.passes(seconds=70)
    await world.bob.chooses(FIELDS[dialog], "Big ones")

    assert [SO_MANY in each for each in shown] == [False] * 20 + [True] * 3
    assert ": Big ones\nPreset" in shown[20]
    assert drawn == 22
    assert world.alice.dialog() == form_of_big_ones(world)
    assert SO_MANY not in world.bob.dialog()
