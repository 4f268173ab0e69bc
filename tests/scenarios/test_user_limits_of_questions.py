"""One person may ask ten questions a minute by commands, buttons and shortcuts."""

import pytest

from taskwire.slack.manifest import NEW_TASK

from .many_tasks import calls
from .running_tasks import a_task
from .test_user_limits_of_verbs import TOO_FAST, link_of
from .world import POST_SECONDS, World

QUESTIONS = (
    *("status {}", "logs {}", "list", "templates", "audit", "doctor", "help"),
    # Without a name, with a mistyped verb, and an offer to connect an account.
    *("", "status", "stpo {}", "connect"),
)


@pytest.mark.parametrize("typed", QUESTIONS)
async def test_the_eleventh_question_of_a_minute_is_not_answered(world: World, typed: str) -> None:
    """Bob types fifteen questions in a minute. Ten are answered, and he is told the limit once. He can
    continue a minute later."""
    _, task = await a_task(world)

    for _ in range(15):
        await world.bob.types(f"/task {typed}".format(task.name))
    said = world.bob.reads()
    await world.passes(seconds=70)
    await world.bob.types(f"/task {typed}".format(task.name))

    assert len(said) == 11
    assert said[-1] == TOO_FAST
    assert len(world.bob.reads()) == 1
    world.errors.clear()


@pytest.mark.parametrize("typed", ["create", "settings"])
async def test_a_form_opens_ten_times_a_minute(world: World, typed: str) -> None:
    """Bob types fifteen commands that open a form. Ten forms open, and he is told the limit once."""
    for _ in range(15):
        await world.bob.types(f"/task {typed}")

    assert world.bob.reads() == [TOO_FAST]
    assert len(calls(world, "views.open")) == 10


async def test_forms_by_a_shortcut_are_counted_with_questions(world: World) -> None:
    """Bob has asked nine questions. Of his two shortcuts, the second shows the limit in place of the form."""
    for _ in range(9):
        await world.bob.types("/task help")
    world.bob.reads()

    await world.slack.shortcut(world.bob.id, NEW_TASK)
    await world.settles()
    first = world.bob.dialog()
    await world.slack.shortcut(world.bob.id, NEW_TASK)
    await world.settles()

    assert TOO_FAST not in first
    assert TOO_FAST in world.bob.dialog()


async def test_presses_that_ask_are_counted_with_questions(world: World) -> None:
    """Bob presses *My tasks* below an answer until he has reached the limit."""
    await world.bob.types("/task help")
    world.bob.reads()

    for _ in range(14):
        await world.bob.presses_made_up("list.page", "1 mine")

    said = world.bob.reads()
    assert len(said) == 10
    assert said[-1] == TOO_FAST


@pytest.mark.parametrize(
    "button", ["task.edit", "task.share", "task.delete", "task.answer", "task.page", "verb.do"]
)
async def test_dialogs_of_one_person_leave_some_to_others(world: World, button: str) -> None:
    """Bob presses a button that opens a dialog on many cards. Slack lets the bot open only so many dialogs in
    a minute, so his presses are counted together for all cards. Alice's form still opens."""
    links = []
    for number in range(3):
        thread = await world.alice.runs(f"/task create thing {number}")
        links.append(await link_of(world, thread))
        await world.passes(POST_SECONDS)

    for number in range(36):
        value = f"{links[number % 3]} edit:reply:{number}" if button == "verb.do" else str(links[number % 3])
        await world.bob.presses_made_up(button, value)
    await world.alice.types("/task create")

    opened = calls(world, "views.open")
    said = world.bob.reads()
    assert len(opened) == 20 + 1
    assert said[-1].startswith("I take 20 requests a minute, so I skipped the rest.")
    assert world.alice.dialog().startswith("[New task]")


async def test_questions_keep_nobody_from_acting(world: World) -> None:
    """Alice has asked more than she may. She can still start a task, reply to it and stop it."""
    for _ in range(12):
        await world.alice.types("/task list")
    world.alice.reads()

    _, task = await a_task(world)
    await world.alice.types(f"/task stop {task.name}")

    assert task.status == "paused"
    assert TOO_FAST not in world.alice.reads()
