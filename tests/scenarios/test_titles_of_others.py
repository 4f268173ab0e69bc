"""A command names a task by its title, and a text follows. Another person chooses a title or a name that
takes the beginning of this text. The bot asks which task is meant, and sends nothing to the wrong agent."""

import pytest

from taskwire.domain.text.mrkdwn import fold_words
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.coder.faults import server_error

from .many_tasks import heard, start_threads
from .people import Person, Thread
from .waiting import a_waiting_agent
from .world import CARD_SECONDS, World

SEVERAL = "`fix the login` fits several tasks. Choose one, or type more of the name."


async def _a_task_of_bob(world: World, prompt: str, *, name: str = "of-bob") -> tuple[Thread, SandboxTask]:
    thread = await world.bob.runs(f"/task create name={name} {prompt}")
    await world.polls()
    await world.passes(CARD_SECONDS)
    task = world.task(name)
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(CARD_SECONDS)
    thread.new_messages()
    world.reader.read_all()
    return thread, task


async def _two_tasks(world: World, prompt: str = "fix the login please") -> tuple[SandboxTask, SandboxTask]:
    """Let Alice and Bob have a task each. Return Alice's task *Fix the login*, and Bob's."""
    thread, task = await a_waiting_agent(world)
    task.becomes("idle", "Ready")
    await world.polls()
    await world.passes(CARD_SECONDS)
    thread.new_messages()
    _, of_bob = await _a_task_of_bob(world, prompt)
    return task, of_bob


async def _shares(world: World, task: SandboxTask, person: Person) -> None:
    await world.bob.types(f"/task share {task.name} <@{person.id}>")
    world.bob.reads(), person.hears()


async def test_a_longer_title_of_a_teammate_takes_no_text(world: World) -> None:
    """Bob shares *Fix the login please* with Alice, who has *Fix the login*. She types the title of her task
    and a text with *please*. The bot asks which task she means. Each button sends the text that follows the
    title of its task."""
    task, of_bob = await _two_tasks(world)
    await _shares(world, of_bob, world.alice)

    await world.alice.types("/task send fix the login please use x < y & main")
    [asked], before = world.alice.reads(), [*task.inputs, *of_bob.inputs]
    await world.alice.presses("Send")
    await world.passes(seconds=60)

    first, own, other, buttons = asked.split("\n")
    assert (first, buttons, before) == (SEVERAL, "[Send] [Send]", [])
    assert ["Fix the login." in own, "Fix the login please, Bob" in other] == [True, True]
    assert (task.inputs, of_bob.inputs) == (["please use x < y & main"], [])
    await world.alice.types("/task send Fix the login please use main")
    await world.alice.presses("Send", 1)
    await world.passes(seconds=60)
    assert of_bob.inputs == ["Alice wrote:\n> use main"]
    world.alice.reads()
    world.reader.read_all()


async def test_a_title_that_one_only_sees_is_not_offered(world: World) -> None:
    """Alice may not steer Bob's task *Fix the login please*, but sees it. She is offered only her own task,
    for a new prompt too."""
    task, _ = await _two_tasks(world)

    await world.alice.types("/task send fix the login please use main")
    [asked] = world.alice.reads()
    await world.alice.presses("Send")
    await world.passes(seconds=60)
    await world.alice.types("/task edit fix the login please use main")

    assert asked.startswith(f"{SEVERAL}\n")
    assert "`send` doesn't work for this one now:" in asked
    assert asked.endswith("[Send]")
    assert task.inputs == ["please use main"]
    assert world.alice.reads()[-1].startswith(f"{SEVERAL}\n")
    world.reader.read_all()


async def test_a_short_title_of_a_teammate_takes_no_text(world: World) -> None:
    """Bob shares a task whose name is the first word of the title of Alice's task, and one whose title is its
    beginning. Alice's own title counts."""
    task, _ = await _two_tasks(world, "fix the")
    _, of_bob = await _a_task_of_bob(world, "do it", name="fix")
    await _shares(world, of_bob, world.alice)

    await world.alice.types("/task send fix the login please use main")
    await world.passes(seconds=60)

    assert (task.inputs, of_bob.inputs) == (["please use main"], [])
    world.alice.reads()
    world.reader.read_all()


@pytest.mark.parametrize("name", ["login", "login-page"])
async def test_a_name_of_a_teammates_task_does_not_hide_a_title(world: World, name: str) -> None:
    """Alice's task *Login* has another name. Bob shares a task that has this word as its name, or at its
    beginning. The bot asks which of them she means."""
    await world.alice.runs("/task create name=of-alice login")
    await world.polls()
    task = world.task("of-alice")
    _, of_bob = await _a_task_of_bob(world, "do it", name=name)
    await _shares(world, of_bob, world.alice)

    await world.alice.types("/task send login use main")
    await world.alice.types("/task stop login")
    asked = world.alice.reads()

    several = "`login` fits several tasks. Choose one, or type more of the name."
    assert [said.partition("\n")[0] for said in asked] == [several] * 2
    assert [said.rpartition("\n")[2] for said in asked] == ["[Send] [Send]", "[Stop] [Stop]"]
    assert (task.status, of_bob.status, of_bob.inputs) == ("active", "active", [])
    world.reader.read_all()


async def test_a_longer_title_takes_no_text_while_coder_is_away(world: World) -> None:
    """Alice is an administrator and ends Bob's share while Coder does not answer. Bob's own task has a title
    that ends with his name. Nothing is ended at Bob's task: Alice is asked when Coder is back."""
    await world.restarts(admins=(world.alice.id,))
    task, _ = await _two_tasks(world, "fix the login bob")
    await world.alice.types(f"/task share {task.name} <@{world.bob.id}>")
    world.alice.reads(), world.bob.hears()
    world.coder.plan_fault("*", server_error(), times=None)
    await world.ages(seconds=10)

    await world.alice.types("/task unshare fix the login Bob")
    meanwhile = world.alice.reads()
    world.coder.clear_faults()
    await world.passes(seconds=60)

    assert "Fix the login bob" not in "".join(meanwhile)
    assert world.alice.reads()[-1].startswith(f"{SEVERAL}\n")
    world.reader.read_all()


@pytest.mark.parametrize("way", ["send", "share", "unshare without Coder"])
async def test_a_long_text_is_not_folded_for_each_task(
    world: World, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Alice has 120 tasks, and types 30,000 characters after a word that names none of them. Folding the text
    for each task would stop all other work for as long as it takes."""
    await start_threads(world, 120, world.alice)
    lengths: list[int] = []

    def fold(text: str) -> str:
        lengths.append(len(text))
        return fold_words(text)

    for module in ("domain.parsing.task_names", "tasks.matching", "tasks.lookup"):
        monkeypatch.setattr(f"taskwire.{module}.fold_words", fold)
    if is_away := way.endswith("Coder"):
        world.coder.plan_fault("*", server_error(), times=None)
        await world.ages(seconds=10)

    words = "filler " + "a " * 15_000
    if way == "share":
        await world.alice.writes_directly(f"share {words}")
    else:
        await world.alice.types(f"/task {way.split()[0]} {words}")

    assert sum(lengths) < 5 * len(words)
    assert len(lengths) >= 120
    world.coder.clear_faults()
    if is_away:
        await world.passes(seconds=60)
    world.alice.reads()
    heard(world)
