"""Measures how long backfill needs to find the messages of an absence, under Slack's documented limits.

There are ten thousand open threads in a hundred channels, with other messages between them. Fifty threads
have a reply that the bot did not receive.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import structlog

from taskwire.app.bot import run_bot
from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.queue.rate_limiter import LIMITS, WINDOW_MS
from taskwire.queue.scripts import ServerClock
from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from taskwire.state.heartbeat import Heartbeat
from taskwire.state.link_writes import LinkWrites
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.workspace import Channel, StoredMessage
from tests.bench.figures import Figure
from tests.scenarios.world import new_settings

CHANNELS, THREADS, MISSED = 100, 100, 50
# How many other top-level messages a channel has for each card.
REMARKS = 4
DAYS = 30
EACH = "reading each thread at its pace"


async def measure_backfill(directory: Path) -> Sequence[Figure]:
    """Start a process after an absence of an hour. Measure the time until the process has found all missed
    replies."""
    directory.mkdir()  # noqa: ASYNC240 - once, before anything is measured
    # The bot runs in this process. Its log lines must not be printed between the figures.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    slack = SlackSandbox(manifest=manifest.make_manifest(), limits="documented")
    async with (
        slack,
        CoderSandbox() as coder,
        embedded.store(directory / "store") as store,
        connection.open(store.url) as connections,
    ):
        slack.backend.dispatcher.retry_seconds = ()
        slack.add_user("alice", email="alice@example.com")
        coder.add_user("alice", email="alice@example.com")
        settings = new_settings(slack, coder, directory)
        await _fill(slack, connections)
        before = len(slack.calls)
        began = time.monotonic()
        first = 0.0
        async with run_bot(settings, connections, has_timers=False) as bot:
            while (found := _found(bot.metrics.exposition())) < MISSED:
                first = first or (time.monotonic() - began if found else 0.0)
                await asyncio.sleep(0.1)
            took = time.monotonic() - began
        asked = Counter((call.method, call.outcome) for call in [*slack.calls][before:])
    replies = LIMITS["conversations.replies"].backfill
    assert replies is not None
    each = CHANNELS * THREADS / replies.per_minute * WINDOW_MS / 1000
    what = f"after an absence, {CHANNELS * THREADS:,} threads, {MISSED} missed replies"
    return (
        Figure(f"{what}: all found", took, "s", each, EACH, "within 600 s"),
        Figure(f"{what}: the first found", first, "s"),
        Figure("  pages of channels that were read", asked["conversations.history", "ok"], "requests"),
        Figure("  threads that were read", asked["conversations.replies", "ok"], "requests"),
        Figure("  calls that Slack answered with 429", _refused(asked), "answers", target="none"),
    )


def _refused(asked: Counter[tuple[str, str]]) -> int:
    return sum(count for (_, outcome), count in asked.items() if outcome == "ratelimited")


def _found(exposition: bytes) -> int:
    line = next(
        row for row in exposition.decode().splitlines() if row.startswith("taskwire_missed_messages_total")
    )
    return int(float(line.rsplit(" ", 1)[1]))


async def _fill(slack: SlackSandbox, connections: Connections) -> None:
    """Write the channels and threads, with the messages of an absence of an hour."""
    keys = Keys(slack.workspace.team_id)
    queues, writes = Queues(connections, keys, ServerClock()), LinkWrites(keys)
    now, alice = time.time(), slack.workspace.user("alice").id
    for number in range(CHANNELS):
        channel = slack.add_channel(f"c{number}", ["alice"])
        batch = Batch()
        for thread in range(THREADS):
            at = now - 7_200 - DAYS * 86_400 * (1 - thread / THREADS) - number
            root = _write(slack, channel, at, {"text": "a card", "user": slack.bot_user_id})
            for remark in range(REMARKS):
                _write(slack, channel, at + 60 * (remark + 1), {"text": "a remark", "user": alice})
            _write(slack, channel, at + 600, {"text": "done", "user": slack.bot_user_id, "thread_ts": root})
            nth = number * THREADS + thread
            if nth % (CHANNELS * THREADS // MISSED) == 0:
                missed = {"text": "and test it", "user": alice, "thread_ts": root}
                _write(slack, channel, now - 1_800 + nth / 100, missed)
            record = _record(nth, channel, root, alice)
            writes.write_task(writes.write_thread(writes.write_record(batch, record), record), record)
        await queues.write(batch)
    await Heartbeat(connections, keys, ServerClock()).beat()
    await connections.commands.decrby(keys.named("heartbeat"), 3_600_000)


def _write(slack: SlackSandbox, channel: Channel, at: float, body: dict[str, str]) -> str:
    """Store a message with this time in the stand-in for Slack, without sending an event."""
    ts = f"{at:.6f}"
    message = {"type": "message", "team": slack.workspace.team_id, "ts": ts, **body}
    if body["user"] == slack.bot_user_id:
        message["bot_id"] = slack.backend.app.bot_id
    parent = channel.messages.get(body.get("thread_ts", ""))
    if parent is not None:
        message["parent_user_id"] = parent.body["user"]
        parent.replies.append(ts)
    channel.messages[ts] = StoredMessage(message, None)
    return ts


def _record(number: int, channel: Channel, root: str, person: str) -> LinkRecord:
    return LinkRecord(
        id=LinkId(f"{number:012x}"),
        channel=ChannelId(channel.id),
        made_at=Ts(root),
        requested_by=UserId(person),
        owner_slack=UserId(person),
        owner_id=f"6f1b1c2e-0000-4000-8000-{number:012x}",
        name=f"task-{number}",
        title=f"Task {number}",
        thread_ts=Ts(root),
        task_id=TaskId(f"8f1b1c2e-0000-4000-8000-{number:012x}"),
    )
