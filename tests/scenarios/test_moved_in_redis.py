"""A person who can write into Redis cannot move what Taskwire has stored from one task or channel to another:
not to read it, and not to give orders."""

import json
from collections.abc import Awaitable
from typing import cast

import pytest

from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts, UserId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.queueing.jobs import Act, ActVerb, ApplyEvent, Job, PostText
from taskwire.domain.queueing.queues import QueueName, to_coder, to_thread
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire_sandbox.coder import SandboxTask

from .people import Person, Thread
from .versions import append_stored_job
from .world import World

MOVED = "it cannot be read: work.{kind}: Value error, it was encrypted for another place"


async def two_tasks(world: World, second: Person) -> tuple[Thread, SandboxTask, Thread, SandboxTask]:
    """Create a task of Alice and a task of the person `second`. Return the thread and the task of each."""
    alices = await world.alice.runs("/task create name=plan find the secret plan")
    other = await second.runs("/task create name=plants water the plants")
    await world.polls()
    await world.passes(seconds=5)
    for thread in (alices, other):
        thread.new_messages()
    return alices, world.task("plan"), other, world.task("plants")


async def goes_on(world: World) -> None:
    """Let the jobs run that waited because a part of their link could not be read."""
    await world.passes(seconds=61)
    await world.polls()
    await world.passes(seconds=5)
    world.errors.clear()


async def link_of(world: World, task: SandboxTask) -> LinkId:
    """Return the link of a task."""
    found = await world.bot.parts.deps.links.find_by_task(TaskId(task.id))
    assert found is not None
    return found.id


async def moves(world: World, name: QueueName, stored: str, moved_to: QueueName) -> None:
    """Write into the queue `moved_to` a job that Taskwire has stored in the queue `name`."""
    operations = json.loads(stored)
    assert operations[0][:2] == ["append", name]
    await append_stored_job(world, moved_to, operations[0][2], operations[0][-1])
    await world.settles()


async def reads(world: World, key: str, field: str) -> str:
    """Return a field of a hash in Redis."""
    stored = await cast("Awaitable[str | None]", world.connections.commands.hget(key, field))
    assert stored
    return stored


@pytest.mark.parametrize("verb", ["pause", "share", "mute", "delete"])
@pytest.mark.parametrize("is_from_thread", [False, True], ids=["by command", "in the thread"])
async def test_an_act_that_was_moved_to_another_task_is_not_carried_out(
    world: World, verb: ActVerb, is_from_thread: bool
) -> None:
    """Alice acts on her task. Somebody writes her job into the queue of another task of hers. The bot does
    not carry it out there."""
    thread, task, _, other = await two_tasks(world, world.alice)
    first, second = await link_of(world, task), await link_of(world, other)
    asked = Requester(
        person=UserId(world.alice.id), channel=ChannelId(thread.channel), at=Ts(world.clock.stamp())
    )
    act = Act(requester=asked, verb=verb, who=(world.bob.id,) if verb == "share" else ())
    if is_from_thread:
        name, where = to_coder("@"), ThreadRef(ChannelId(thread.channel), Ts(thread.ts))
        stored = Batch().append(name, Job(id="act:1", work=act), claimed_in=where).encoded()
    else:
        name = to_coder(first)
        stored = Batch().append(name, Job(id="act:1", work=act)).encoded()

    await moves(world, name, stored, to_coder(second))

    link = await world.bot.parts.deps.links.find(second)
    assert link is not None
    assert (other.status, other.is_deleted, link.shares, link.is_muted) == ("active", False, (), False)
    why = f"it was written for another thread, {thread.channel}:{thread.ts}"
    assert await world.dead_letters() == [why if is_from_thread else MOVED.format(kind="act")]
    assert len(world.errors) == 1
    world.errors.clear()


async def test_a_message_that_was_moved_to_another_thread_is_not_posted(world: World) -> None:
    """A message waits for Alice's thread. Somebody writes it into the queue of Bob's task. The bot does not
    post it in Bob's thread."""
    _, alices, bobs_thread, bobs = await two_tasks(world, world.bob)
    first, second = to_thread(await link_of(world, alices)), to_thread(await link_of(world, bobs))
    work = PostText(message=Message(text="the plan is on page 4"))
    stored = Batch().append(first, Job(id="say:1", work=work)).encoded()

    await moves(world, first, stored, second)

    assert bobs_thread.new_messages() == []
    assert await world.dead_letters() == [MOVED.format(kind="post_text")]
    assert len(world.errors) == 1
    world.errors.clear()


@pytest.mark.parametrize("field", ["state", "seen", "record"])
async def test_what_was_copied_to_another_link_is_not_shown(world: World, field: str) -> None:
    """Alice's agent reports something. Somebody copies a field of her link to Bob's link. Nobody reads
    Alice's words in Bob's thread. When the field is as it was, Bob's thread goes on."""
    _, alices, bobs_thread, bobs = await two_tasks(world, world.bob)
    alices.becomes("working", "I read the secret plan")
    await world.polls()
    source, target = [world.keys.link(await link_of(world, task)) for task in (alices, bobs)]
    copied, own = await reads(world, source, field), await reads(world, target, field)
    await world.connections.commands.hset(target, field, copied)

    await world.bob.types(f"/task status {bobs.id}")
    bobs.becomes("working", "I water the roses")
    await world.polls()
    shown = [*world.bob.reads(), *bobs_thread.all_messages()]
    if await reads(world, target, field) == copied:
        await world.connections.commands.hset(target, field, own)
    await goes_on(world)

    assert [text for text in shown if "secret plan" in text] == []
    assert "I water the roses" in bobs_thread.card()
    bobs_thread.new_messages()


async def test_settings_of_another_channel_are_not_used(world: World) -> None:
    """In one channel, everybody may steer. Somebody copies the settings of this channel over those of another
    channel. There, the bot still refuses Bob."""
    _, task, _, _ = await two_tasks(world, world.bob)
    world.slack.add_channel("elsewhere", ["alice", "bob"])
    here, there = (ChannelId(world.slack.workspace.channel(name).id) for name in ("general", "elsewhere"))
    store, deps = world.connections.commands, world.bot.parts.deps
    batch = deps.channel_settings.write(Batch(), there, ChannelSettings(steerers="channel"))
    await deps.queues.write(batch)
    stored = await store.get(world.keys.named("channel_settings", there))
    assert stored
    await store.set(world.keys.named("channel_settings", here), stored)

    await world.bob.types(f"/task pause {task.id}")

    assert task.status == "active"
    assert world.bob.reads()[0].startswith("*Find the secret plan* belongs to Alice, so you can't stop it.")


async def test_an_address_that_was_written_into_redis_is_not_shown(world: World) -> None:
    """Alice detaches her task. Somebody writes into Redis to which thread the task has moved. The bot does
    not show this address."""
    thread, task, other_thread, _ = await two_tasks(world, world.bob)
    link = await link_of(world, task)
    await world.alice.types("/task detach plan")
    thread.new_messages()
    await world.connections.commands.hset(
        world.keys.link(link), "moved_to", "https://evil.example/login|sign in> <!channel"
    )

    await world.alice.replies(thread, "go on")

    shown = [*world.alice.reads(), *thread.all_messages(), thread.card()]
    await world.connections.commands.hdel(world.keys.link(link), "moved_to")
    await goes_on(world)

    assert [text for text in shown if "evil.example" in text or "!channel" in text] == []
    assert thread.new_messages() == [
        "Not delivered: this thread is detached. `/task attach plan` gives its task a new one.\n"
        "[Attach again] [New task]"
    ]
    other_thread.new_messages()


async def test_what_another_task_reports_is_not_shown(world: World) -> None:
    """Somebody writes into Redis that Alice's task belongs to Bob's thread. The bot shows nothing that her
    agent reports there. When the entry is as it was, both threads go on."""
    thread, alices, bobs_thread, bobs = await two_tasks(world, world.bob)
    index, first = world.keys.named("links"), await link_of(world, alices)
    await world.connections.commands.hset(index, alices.id, await link_of(world, bobs))

    alices.becomes("failed", "The secret plan is on page 4")
    await world.polls()
    await world.passes(seconds=5)
    shown = [*bobs_thread.all_messages(), bobs_thread.card()]
    await world.connections.commands.hset(index, alices.id, first)
    bobs.becomes("working", "I water the roses")
    await world.polls()
    await goes_on(world)

    assert [text for text in shown if "secret plan" in text] == []
    assert "I water the roses" in bobs_thread.card()
    assert "secret plan" in thread.card()
    thread.new_messages()
    bobs_thread.new_messages()


@pytest.mark.parametrize("named", ["alice/plan", "{id}", "find the secret plan"])
@pytest.mark.parametrize("verb", ["status", "logs", "edit"])
async def test_a_task_of_a_private_channel_is_not_read_by_another_link(
    world: World, verb: str, named: str
) -> None:
    """Alice's task has its thread in a private channel. Somebody writes into Redis that it belongs to Bob's
    thread. Bob still reads nothing of it."""
    world.slack.add_channel("closed", ["alice"], kind="private")
    thread = await world.alice.runs("/task create name=plan find the secret plan", "closed")
    bobs_thread = await world.bob.runs("/task create name=plants water the plants")
    task, plants = world.task("plan"), world.task("plants")
    task.becomes("idle", "The secret plan is on page 4")
    await world.polls()
    thread.new_messages()
    index, first = world.keys.named("links"), await link_of(world, task)
    await world.connections.commands.hset(index, task.id, await link_of(world, plants))

    text = " print all keys" if verb == "edit" and named[0] != "f" else ""
    await world.bob.types(f"/task {verb} {named.format(id=task.id)}{text}")
    shown = [*world.bob.reads(), *bobs_thread.new_messages()]
    await world.connections.commands.hset(index, task.id, first)
    await goes_on(world)

    assert [said for said in shown if "page 4" in said or "*Find the secret plan*" in said] == []
    assert (task.prompt, plants.prompt) == ("find the secret plan", "water the plants")
    world.bob.reads()
    for each in (thread, bobs_thread):
        each.new_messages()


async def test_an_observation_that_was_moved_to_another_task_is_not_shown(world: World) -> None:
    """A poll has seen what Alice's agent reports. Somebody writes this into the queue of Bob's task. The bot
    does not show it in Bob's thread."""
    thread, alices, bobs_thread, bobs = await two_tasks(world, world.bob)
    alices.becomes("working", "The secret plan is on page 4")
    await world.polls()
    thread.new_messages()
    first = await world.bot.parts.deps.links.find(await link_of(world, alices))
    assert first is not None
    assert first.observation is not None
    second = to_thread(await link_of(world, bobs))
    seen = first.observation.model_copy(update={"build": 7})
    job = Job(id="observed:99", work=ApplyEvent(event=Observed(observation=seen)))

    await append_stored_job(world, second, job.id, job.model_dump_json())
    await world.settles()
    await world.passes(seconds=5)

    shown = [*bobs_thread.all_messages(), bobs_thread.card()]
    assert [text for text in shown if "secret plan" in text] == []
    assert await world.dead_letters() == [f"it was written for another task, {alices.id}"]
    assert len(world.errors) == 1
    world.errors.clear()
    bobs_thread.new_messages()


async def test_a_reply_in_a_thread_of_another_task_reaches_nobody_else(world: World) -> None:
    """Somebody writes into Redis that Alice's thread belongs to Bob's task. Bob is not shown what she writes
    in her thread, and his agent does not get it."""
    thread, _, bobs_thread, bobs = await two_tasks(world, world.bob)
    bobs.becomes("idle", "Ready")
    await world.polls()
    bobs_thread.new_messages()
    index = world.keys.named("thread", f"{thread.channel}:{thread.ts}")
    own = await world.connections.commands.get(index)
    assert own
    await world.connections.commands.set(index, await link_of(world, bobs))

    await world.alice.replies(thread, "the secret plan is on page 4")
    await world.alice.replies(thread, "!pause")
    shown = [*world.bob.reads(), *world.bob.hears(), *bobs_thread.new_messages()]
    await world.connections.commands.set(index, own)
    await goes_on(world)

    assert [text for text in shown if "secret plan" in text] == []
    assert (bobs.inputs, bobs.status) == ([], "active")
    why = f"it was written for another thread, {thread.channel}:{thread.ts}"
    assert await world.dead_letters() == [why] * 3
    world.alice.reads()
    thread.new_messages()
    bobs_thread.new_messages()
