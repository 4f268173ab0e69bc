"""Many tasks with threads, and a second replica, for stories about Slack's limits."""

import contextlib
from collections.abc import AsyncIterator

from taskwire.app.bot import Bot, run_bot
from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.queue.batch import Batch
from taskwire.redis import connection
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import messages
from taskwire_sandbox.slack.ledger import Call

from .people import Person, Thread
from .world import World

# The longest list of tasks in stories about lists that are too long, in bytes. With the real limit, the
# stand-in for Coder would need a second for a list.
LONGEST_LIST_BYTES = 1_000_000
# Coder writes each of these characters as six bytes, so one task with this prompt makes the list too long.
HUGE = "<" * (LONGEST_LIST_BYTES // 6 + 1)


async def start_tasks(
    world: World, tasks: int, channel: str = "general", prefix: str = ""
) -> list[SandboxTask]:
    """Add tasks of Alice with working agents. Each task has a link and a thread in this channel."""
    before = len(world.coder.tasks)
    await start_threads(world, tasks, world.alice, channel, prefix)
    return world.coder.tasks[before:]


async def start_threads(
    world: World, tasks: int, owner: Person, channel: str = "general", prefix: str = ""
) -> list[Thread]:
    """Add tasks of a person with working agents. Return the thread of each task in this channel."""
    before = len(world.coder.tasks)
    world.coder.add_tasks(tasks, owner.name, prefix=prefix or channel)
    threads = []
    for task in world.coder.tasks[before:]:
        threads.append(await _link(world, task, channel, owner))
        task.becomes("working", "Reading the code")
    return threads


async def _link(world: World, task: SandboxTask, channel: str, owner: Person) -> Thread:
    place, deps = world.slack.workspace.channel(channel), world.bot.parts.deps
    card = {"text": "a card", "user": world.slack.bot_user_id, "bot_id": world.slack.backend.app.bot_id}
    ts = str(messages.write(world.slack.backend, place, card)["ts"])
    world.reader.read_root(place.id, ts)
    record = LinkRecord(
        id=LinkId(task.id.replace("-", "")),
        channel=ChannelId(place.id),
        thread_ts=Ts(ts),
        made_at=Ts(ts),
        requested_by=UserId(owner.id),
        owner_slack=UserId(owner.id),
        owner_id=world.coder.user(owner.name).id,
        name=task.name,
        title=task.name,
        task_id=TaskId(task.id),
    )
    batch = deps.writes.write_thread(deps.writes.write_record(Batch(), record), record)
    await deps.queues.write(deps.writes.write_task(batch, record))
    return Thread(world, place.id, ts)


@contextlib.asynccontextmanager
async def a_second_replica(world: World) -> AsyncIterator[Bot]:
    """Run a second bot on the same store, with connections of its own, as another process would."""
    async with connection.open(world.connections.where) as connections:
        bot = run_bot(world.settings, connections, clock=world.clock, has_timers=False)
        async with bot as replica:
            await world.slack.wait_for_sockets(2)
            await world.until(lambda: replica.has_recorded_gap, "it is known what is to be read")
            yield replica


def calls(world: World, method: str) -> list[Call]:
    """Return every call of this method of Slack's API, the oldest first."""
    return [call for call in world.slack.calls if call.method == method]


def heard(world: World) -> list[str]:
    """Return the bot's unread messages in all threads, and count them as read from now on."""
    channels = world.slack.workspace.channels
    roots = [(place, str(root["ts"])) for place in channels for root in world.slack.messages(place)]
    return [said for place, ts in roots for said in world.reader.new_in(place, ts)]
