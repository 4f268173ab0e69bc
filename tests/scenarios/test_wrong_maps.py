"""Redis maps tasks and threads to links, and these maps are not signed. A person who can write into Redis
cannot read another task, or steer it, by changing a map."""

import pytest

from taskwire.domain.ids import LinkId
from taskwire_sandbox.coder import SandboxTask

from .people import Person, Thread
from .test_moved_in_redis import link_of
from .world import SETTLE_SECONDS, World

SECRET = "SECRET"
NO_SUCH_TASK = (
    "There is no such task that you can see here. It may have been deleted. `/task list` shows the ones you "
    "can see."
)


async def private_and_own(world: World) -> tuple[SandboxTask, Person, Thread, SandboxTask]:
    """Create a task of Alice in a private channel, and a task of Mal in a channel of her own. Alice's agent
    asks something. Return Alice's task, Mal, and Mal's thread and task."""
    mal = world.person("mal")
    world.slack.add_channel("private", ["alice"], kind="private")
    world.slack.add_channel("mals", ["mal"])
    alices = await world.alice.runs("/task create name=plan find the SECRET plan", "private")
    thread = await mal.runs("/task create name=plants water the plants", "mals")
    await world.polls()
    await world.passes(seconds=5)
    await asks(world, world.task("plan"))
    assert SECRET in alices.new_messages()[-1]
    thread.new_messages()
    return world.task("plan"), mal, thread, world.task("plants")


async def asks(world: World, task: SandboxTask) -> None:
    """Let the agent of the task work, and then ask something."""
    task.becomes("working", "I read")
    await world.polls()
    task.rewrites("SECRET line 1\nSECRET line 2")
    task.becomes("idle", "SECRET: three or four million?")
    await world.polls()
    await world.passes(SETTLE_SECONDS)


async def maps(world: World, task: SandboxTask, link: LinkId) -> None:
    """Write into Redis that this is the link of the task."""
    await world.connections.commands.hset(world.keys.named("links"), task.id, link)


@pytest.mark.parametrize("command", ["list", "status {}", "logs {}", "logs {} full"])
async def test_a_task_that_is_mapped_to_ones_own_link_is_not_shown(world: World, command: str) -> None:
    """Mal writes into Redis that Alice's private task has Mal's link. The bot shows her nothing of it."""
    task, mal, thread, own = await private_and_own(world)
    await maps(world, task, await link_of(world, own))

    await mal.types("/task " + command.format(task.id), "mals")
    answers = mal.reads()

    assert [text for text in (*answers, *mal.hears(), *thread.all_messages()) if SECRET in text] == []
    assert len(answers) == 1
    if command != "list":
        assert answers == [NO_SUCH_TASK]
    assert [error for error in world.errors if "names the link of another" not in error] == []
    world.errors.clear()


async def test_a_link_to_a_task_that_is_mapped_to_ones_own_link_has_no_preview(world: World) -> None:
    """Mal writes into Redis that Alice's private task has Mal's link, and posts the task's address. The bot
    adds no preview."""
    task, mal, _, own = await private_and_own(world)
    await maps(world, task, await link_of(world, own))

    await world.slack.post(mal.id, "mals", f"see <{world.coder.url}/tasks/alice/{task.id}>")
    await world.settles()

    assert [call for call in world.slack.calls if call.method == "chat.unfurl"] == []
    world.errors.clear()


async def test_what_polls_see_of_a_task_that_is_mapped_to_another_link_is_not_posted(world: World) -> None:
    """Mal writes into Redis that Alice's private task has Mal's link, and the agent asks again. Nothing of
    that comes into Mal's thread, and Mal's thread goes on."""
    task, _, thread, own = await private_and_own(world)
    await maps(world, task, await link_of(world, own))

    await asks(world, task)
    own.becomes("complete", "I watered the roses")
    await world.polls()
    await world.passes(SETTLE_SECONDS)

    assert [text for text in (*thread.all_messages(), thread.card()) if SECRET in text] == []
    assert "I watered the roses" in thread.new_messages()[-1]
    assert [error for error in world.errors if "names the link of another" not in error] == []
    world.errors.clear()


async def test_an_order_does_not_go_to_another_agent_of_the_same_owner(world: World) -> None:
    """Somebody writes into Redis that one task of Alice has the link of another one. What Alice sends to the
    first does not reach the agent of the second."""
    first = await world.alice.runs("/task create name=plan make a plan")
    second = await world.alice.runs("/task create name=prod deploy it")
    await world.polls()
    for name in ("plan", "prod"):
        world.task(name).becomes("idle", "What now?")
    await world.polls()
    await world.passes(SETTLE_SECONDS)
    got = list[str]()
    program = world.task("prod").program
    assert program is not None
    program.on_input = got.append
    await maps(world, world.task("plan"), await link_of(world, world.task("prod")))

    await world.alice.types("/task send plan yes, delete it")
    await world.alice.types("/task stop plan")
    told = world.alice.reads()

    assert (got, world.task("prod").status) == ([], "active")
    assert world.task("plan").status == "paused"
    assert told == [
        "`plan` has no thread to show your reply in. Make one first: `/task attach plan`.",
        "Pausing *Make a plan*. `/task resume plan` resumes it.",
    ]
    for thread in (first, second):
        thread.new_messages()
    world.errors.clear()


async def test_a_stop_does_not_go_to_another_task_by_its_card(world: World) -> None:
    """Somebody writes into Redis that the thread of one task of Alice belongs to the link of another one.
    Alice puts the stop emoji on the card of the first. This stops the first."""
    first = await world.alice.runs("/task create name=plan make a plan")
    second = await world.alice.runs("/task create name=prod deploy it")
    await world.polls()
    await world.passes(seconds=5)
    thread = world.keys.named("thread", f"{first.channel}:{first.ts}")
    await world.connections.commands.set(thread, await link_of(world, world.task("prod")))

    await world.slack.react(world.alice.id, first.channel, first.ts, "octagonal_sign")
    await world.settles()
    await world.polls()

    assert (world.task("plan").status, world.task("prod").status) == ("paused", "active")
    assert world.alice.reads() == ["Pausing *Make a plan*. A reply in its thread resumes it."]
    for each in (first, second):
        each.new_messages()
    assert [error for error in world.errors if "names the link of another" not in error] == []
    world.errors.clear()


async def test_a_link_that_has_ended_is_not_opened_for_another_task(world: World) -> None:
    """Mal's task is gone. She writes into Redis that her thread was the thread of Alice's private task, which
    has no thread. The bot does not open her thread for it."""
    _, mal, thread, own = await private_and_own(world)
    link = await link_of(world, own)
    own.delete()
    await world.polls(times=3)
    await world.passes(seconds=5)
    thread.new_messages()
    other = world.coder.add_task("alice", "the SECRET offer", name="offer")
    await world.connections.commands.set(world.keys.named("gone_task", other.id), f"{link} 0", px=300_000)

    await world.polls(times=2)

    assert thread.new_messages() == []
    await mal.types(f"/task status {other.id}", "mals")
    assert mal.reads() == [NO_SUCH_TASK]
    assert [error for error in world.errors if "names the link of another" not in error] == []
    world.errors.clear()
