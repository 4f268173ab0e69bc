"""Commands about a task that has no thread. The channel in which a command is typed gives no right to it."""

import pytest

from taskwire.domain.parsing.naming import digest

from .people import Person
from .test_channel_settings import set_channel
from .test_places import UNKNOWN
from .world import World


async def a_stopped_task(world: World, steerers: str = "") -> tuple[str, Person]:
    """Let Alice stop a task without a thread in a public channel, where `steerers` may steer. Return the id
    of the record that was made for it, and Mal, who is in the channel, and to whom Coder does not show the
    task."""
    task = world.coder.add_task("alice", "SECRETWORD rotate the payroll keys", name="loose")
    await world.polls()
    mal = world.person("mal")
    await world.slack.join(mal.id, "general")
    if steerers:
        await set_channel(world, mal, steerers=steerers)
        world.reader.new_roots()
    await world.alice.types(f"/task stop {task.id}")
    await world.passes(seconds=15)
    await world.polls()
    world.alice.reads()
    assert task.status == "paused"
    return f"task-{digest(task.id)[:12]}", mal


@pytest.mark.parametrize(
    ("command", "act"),
    [
        ("/task stop {}", "stop it"),
        ("/task resume {}", "resume it"),
        ("/task edit {} push to main", "edit its prompt"),
    ],
)
async def test_a_channel_that_lets_everybody_steer_gives_no_right_to_a_task_without_a_thread(
    personal: World, command: str, act: str
) -> None:
    """Coder shows Alice's task, which has no thread, to Bob. He lets everybody in a channel of his own steer,
    and types his command there. It is refused, as in every other channel."""
    task = personal.coder.add_task("alice", "fix it", name="loose")
    await personal.polls()
    personal.coder.share("loose", "bob", "admin")
    personal.slack.add_channel("bobs", ["bob"])
    await personal.bob.types("/task settings", "bobs")
    await personal.bob.saves(steerers="Everybody in this channel")
    await personal.passes(seconds=15)
    personal.bob.reads()
    personal.reader.new_roots()

    await personal.bob.types(command.format(task.id), "bobs")
    await personal.passes(seconds=5)

    assert personal.bob.reads() == [
        f"*Fix it* belongs to alice, so you can't {act}. Ask alice, or a Taskwire administrator."
    ]
    assert (task.status, task.prompt, task.inputs) == ("active", "fix it", [])


@pytest.mark.parametrize(
    "action_id",
    [
        *("task.pause", "task.resume", "task.retry", "task.mute", "task.detach", "task.watch", "task.follow"),
        *("task.logs", "task.give_thread"),
    ],
)
async def test_a_made_up_press_learns_nothing_of_a_task_without_a_thread(
    world: World, action_id: str
) -> None:
    """Alice types a command about her task, which has no thread, in a public channel. Mal is in the channel
    and knows the task's id, so he can make up presses of buttons about it. They tell him nothing."""
    link, mal = await a_stopped_task(world)
    await mal.types(f"/task status {world.coder.tasks[-1].id}")

    await mal.presses_made_up(action_id, link)
    await world.passes(seconds=5)

    assert mal.reads() == [UNKNOWN, UNKNOWN]
    assert world.coder.tasks[-1].status == "paused"


@pytest.mark.parametrize(
    "action_id", ["task.new_like", "task.page", "task.edit", "task.delete", "task.answer", "task.share"]
)
async def test_a_made_up_dialog_tells_nothing_of_a_task_without_a_thread(
    world: World, action_id: str
) -> None:
    """The same for the buttons that open dialogs: Mal reads neither the title nor the prompt."""
    link, mal = await a_stopped_task(world)

    await mal.presses_made_up(action_id, link)

    assert mal.dialog().partition("\n")[2] == UNKNOWN


@pytest.mark.parametrize("action_id", ["task.pause", "task.resume"])
async def test_a_channel_that_lets_everybody_steer_gives_no_right_by_a_made_up_press(
    world: World, action_id: str
) -> None:
    """Everybody in the channel may steer the tasks whose threads begin there. Alice's task has no thread, so
    her command there lets nobody steer it."""
    link, mal = await a_stopped_task(world, "Everybody in this channel")

    await mal.presses_made_up(action_id, link)
    await world.passes(seconds=5)

    assert mal.reads() == [UNKNOWN]
    assert world.coder.tasks[-1].status == "paused"
