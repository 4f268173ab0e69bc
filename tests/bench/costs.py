"""Measures how much memory a link uses in the store, over all keys of many links.

The benchmark writes the links as the bot writes them. Each link has a card, a report, and replies with their
reactions.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.link_state import LinkState, ReducerSettings
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.lifecycle.phases import Observation, Report
from taskwire.domain.lifecycle.transitions import reduce
from taskwire.domain.text.agent_text import AgentText
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.state.link_writes import LinkWrites
from tests.bench.figures import Figure

LINKS = 1_000
REPLIES = 5
NOON_MS = 1_764_072_000_000
KEYS = Keys("T0BENCH")


async def measure_costs(directory: Path) -> Sequence[Figure]:
    """Make many links, then end them. Measure the memory of the links' keys in bytes, in total and for each
    kind of key."""
    async with embedded.store(directory) as running, connection.open(running.url) as connections:
        queues, writes = Queues(connections, KEYS, ServerClock()), LinkWrites(KEYS)
        for number in range(LINKS):
            await queues.write(_write_link(writes, _record(number)))
        opened = await _kinds(connections)
        for number in range(LINKS):
            await queues.write(writes.end(Batch(), _record(number), "detached"))
        ended = await _kinds(connections)
    what = f"store's memory a link with {REPLIES} replies"
    figures = {
        f"{what}, while it is open": opened.total(),
        f"{what}, for 30 days after its end": ended.total(),
        **{f"  of that while it is open: {kind}": size for kind, size in opened.most_common()},
    }
    return [Figure(name, size / LINKS, "bytes") for name, size in figures.items()]


async def _kinds(connections: Connections) -> Counter[str]:
    sizes: Counter[str] = Counter()
    async for key in connections.commands.scan_iter(KEYS.named("*"), count=1_000):
        kind, *rest = str(key).removeprefix(KEYS.prefix).split(":")
        size = await connections.commands.memory_usage(key, samples=0)
        sizes[f"{kind}:{rest[1]}" if kind == "link" and len(rest) > 1 else kind] += size or 0
    return sizes


def _record(number: int) -> LinkRecord:
    return LinkRecord(
        id=LinkId(f"{number:012x}"),
        channel=ChannelId("C0BENCH0001"),
        made_at=Ts("1764072000.000001"),
        requested_by=UserId("U0BENCH0001"),
        owner_slack=UserId("U0BENCH0001"),
        owner_id=f"6f1b1c2e-0000-4000-8000-{number:012x}",
        owner_name="alice",
        prompt=AgentText("Fix the login redirect so that people come back to where they were. " * 3),
        name=f"fix-the-login-redirect-{number:06x}",
        title="Fix the login redirect",
        template="Tasks on Docker",
        template_version_id=f"7f1b1c2e-0000-4000-8000-{number:012x}",
        thread_ts=Ts(f"{1764072000 + number}.000100"),
        task_id=TaskId(f"8f1b1c2e-0000-4000-8000-{number:012x}"),
    )


def _write_link(writes: LinkWrites, record: LinkRecord) -> Batch:
    seen = _seen(record)
    follows = reduce(LinkState(), Observed(observation=seen), ReducerSettings(settle_ms=20_000), NOON_MS)
    batch = writes.write_task(writes.write_thread(writes.write_record(Batch(), record), record), record)
    writes.write_state(batch, record.id, follows.state, NOON_MS)
    for name, value in (
        ("seen", seen.model_dump_json()),
        ("drawn_card", "0123456789abcdef"),
        ("cursor", f"2 17 {'0' * 32}"),
    ):
        writes.set_field(batch, record.id, name, value)
    for number in range(REPLIES):
        ts = Ts(f"{1764072100 + number}.000200")
        writes.add_taken(batch, record.id, ts)
        writes.write_receipt(batch, record.id, ts, "white_check_mark")
        writes.mark_delivered(batch, record.id, ts)
    return batch


def _seen(record: LinkRecord) -> Observation:
    at = datetime(2025, 11, 25, 12, tzinfo=UTC)
    report_id = "9f1b1c2e-0000-4000-8000-000000000000"
    return Observation(
        task_id=TaskId(str(record.task_id)),
        name=record.name,
        title=record.title,
        owner_id=record.owner_id,
        owner_name=record.owner_name,
        status="active",
        build=2,
        created_at=at,
        report=Report(id=report_id, at=at, state="working", message="Reading the code"),
    )
