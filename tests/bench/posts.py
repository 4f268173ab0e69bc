"""Measures how many posts a second Taskwire sends if more posts wait than Slack allows, and how often the
stand-in for Slack answers 429."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import to_thread
from taskwire.domain.text.message import Message
from taskwire.queue.batch import Batch
from taskwire.slack import manifest
from taskwire.state.link_writes import LinkWrites
from taskwire_sandbox.slack import Call, SlackSandbox
from tests.bench.figures import Figure
from tests.bench.places import keys_of, new_bench_place, queues_of, run_module, store_of
from tests.process.processes import Place

THREADS = 12
# The limiter's initial burst is over after this time. Slack counts the workspace's posts over whole minutes.
WARM_SECONDS = 5.0
ONE_SECONDS, MANY_SECONDS = 40.0, 60.0
ALLOWED = "what the documented limit allows"


class PostCounter:
    """Counts the posts that a stand-in accepted, and its 429 answers."""

    def __init__(self, slack: SlackSandbox) -> None:
        self._at: list[float] = []
        self.refused = 0
        slack.on_call = self._count

    def _count(self, phase: str, call: Call) -> None:
        if phase == "after" and call.outcome == "ratelimited":
            self.refused += 1
        elif phase == "after" and call.method == "chat.postMessage" and call.outcome == "ok":
            self._at.append(time.monotonic())

    async def a_second(self, seconds: float) -> float:
        """Return the number of posts a second. The initial burst is not counted."""
        await asyncio.sleep(WARM_SECONDS)
        began = time.monotonic()
        await asyncio.sleep(seconds)
        ended = time.monotonic()
        return sum(began <= at < ended for at in self._at) / (ended - began)


async def measure_posts(directory: Path) -> Sequence[Figure]:
    """Post more into one thread than its channel's limit allows. Then post more into twelve threads than the
    workspace's limit allows."""
    slack = SlackSandbox(manifest=manifest.make_manifest(), limits="documented")
    async with new_bench_place(directory, slack) as place, run_module(place, "taskwire.cli", "run") as bot:
        await bot.wait_until_ready()
        heard = PostCounter(slack)
        await _say(place, "one", 1, int(ONE_SECONDS + WARM_SECONDS) + 15)
        one = await heard.a_second(ONE_SECONDS)
        await asyncio.sleep(WARM_SECONDS + 10)
        await _say(place, "many", THREADS, 60)
        many = await heard.a_second(MANY_SECONDS)
    pace = slack.backend.rate_limiter
    allowed = min(THREADS / pace.post_seconds, pace.per_minute[0] / 60)
    target = "at least 0.95"
    return (
        Figure("posts a second, one channel", one, "", 1 / pace.post_seconds, ALLOWED, target),
        Figure(f"posts a second, {THREADS} channels", many, "", allowed, ALLOWED, target),
        Figure("calls that Slack answered with 429", heard.refused, "answers", target="none"),
    )


async def _say(place: Place, name: str, channels: int, count: int) -> None:
    """Make `channels` new channels with one thread each. Append `count` jobs for each thread, which post a
    message each."""
    async with store_of(place) as connections:
        queues, writes = queues_of(place, connections), LinkWrites(keys_of(place))
        for number in range(channels):
            channel = place.slack.add_channel(f"{name}-{number}", ["alice"])
            root = await place.slack.post("alice", channel.id, "a discussion")
            record = LinkRecord(
                id=LinkId(channel.name),
                channel=ChannelId(channel.id),
                made_at=Ts("1.000001"),
                requested_by=UserId("U0BENCH"),
                thread_ts=Ts(root),
            )
            batch = writes.write_record(Batch(), record)
            for said in range(count):
                work = PostText(message=Message(text=f"sentence {said}"))
                batch.append(to_thread(record.id), Job(id=f"say-{said}", work=work))
            await queues.write(batch)
