"""A storm as a whole: a workspace, a store, the weather, and the counting afterwards."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import cast

from taskwire.model.ids import ChannelId, Ts, UserId
from taskwire.model.jobs import Job, Say, tell
from taskwire.model.links import Bond
from taskwire.model.messages import Message
from taskwire.sandbox.slack import Call, CallFault, SlackSandbox
from taskwire.store import connection, embedded
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.links import LinkSteps
from taskwire.store.queue import Queue
from taskwire.store.scripts import ServersClock
from taskwire.store.steps import Step

from .given import LATE_SECONDS, TIMES, Plan, WorkerGiven, link_of, text_of
from .tally import Tally
from .weather import Weather

# One list in so many posts to the top of its channel, where a read-back reads the channel.
EVERY_ROOT = 10
BATCH = 10
LOOK_SECONDS = 0.25
# Longer than any call takes.
QUIET_SECONDS = 5.0

# What Slack does wrong with which share of the posts.
TROUBLES = (
    (CallFault.DONE_THEN_CUT, 0.01, 0.0),
    (CallFault.DONE_THEN_SERVER_ERROR, 0.01, 0.0),
    (CallFault.SERVER_ERROR, 0.005, 0.0),
    (CallFault.RATE_LIMITED, 0.005, 1.0),
    (CallFault.LATE, 0.005, LATE_SECONDS),
    (CallFault.DONE_THEN_LATE, 0.005, LATE_SECONDS),
    (CallFault.REFUSE, 0.005, 0.0),
    (CallFault.DONE_THEN_HANG, 0.002, 0.0),
)


class Storm:
    """One storm over one workspace."""

    def __init__(self, plan: Plan, slack: SlackSandbox, connections: Connections, store_url: str) -> None:
        self.plan = plan
        self._slack = slack
        self._keys = Keys("storm")
        self._redis = connections.commands
        self._queue = Queue(connections, self._keys, ServersClock(), TIMES)
        self._bonds: dict[int, Bond] = {}
        self._executed: Counter[str] = Counter()
        self._written = [0] * plan.threads
        given = WorkerGiven(
            slack_url=slack.api_url, token=slack.bot_token, store_url=store_url, window_ms=plan.window_ms
        )
        self.weather = Weather(plan, given)

    async def run(self) -> Tally:
        """Let it storm until everything is posted and tidied, and count."""
        began = time.monotonic()
        await self._prepare()
        await self.weather.begin()
        others = [asyncio.create_task(each) for each in (self.weather.kill(), self.weather.stop())]
        try:
            async with asyncio.timeout(self.plan.patience_seconds):
                await self._feed()
                await self._emptied()
                await _cancelled(others)
                self.weather.thaw()
                # Who wrote late says so when it ends its turn, and what it says is to be tidied.
                await asyncio.sleep(QUIET_SECONDS)
                await self._emptied()
        except TimeoutError:
            pass  # what is unfinished is counted
        finally:
            await _cancelled(others)
            await self.weather.end()
        return await self._count(time.monotonic() - began)

    async def _emptied(self) -> None:
        while await self._lists():  # noqa: ASYNC110 - the store has no event to wait on
            await asyncio.sleep(LOOK_SECONDS)

    async def _prepare(self) -> None:
        person = self._slack.add_user("alice").id
        for number in range(self.plan.threads):
            channel = self._slack.add_channel(f"thread-{number}", [person])
            is_root = number % EVERY_ROOT == EVERY_ROOT - 1
            root = None if is_root else await self._slack.post(person, channel.id, "the root")
            bond = Bond(
                id=link_of(number),
                channel=ChannelId(channel.id),
                made_at=Ts("1.000000"),
                asked_by=UserId(person),
                thread_ts=Ts(root) if root else None,
            )
            self._bonds[number] = bond
            await self._queue.write(LinkSteps(self._keys).bond(Step(), bond))
        self._slack.on_call = self._heard
        for fault, share, seconds in TROUBLES:
            self._slack.faults.add("chat.postMessage", fault, times=None, probability=share, seconds=seconds)
        for method in ("conversations.replies", "conversations.history"):
            self._slack.faults.add(method, CallFault.SERVER_ERROR, times=None, probability=0.02)

    def _heard(self, phase: str, call: Call) -> None:
        if phase == "after" and call.method == "chat.postMessage" and call.outcome == "ok":
            self._executed[str(call.arguments["text"])] += 1

    async def _feed(self) -> None:
        """Write the posts down while the others work, thread by thread in a random order."""
        dice = random.Random(self.plan.seed)  # noqa: S311 - repeatable on purpose
        for _ in range(0, self.plan.posts, BATCH):
            step = Step()
            for _ in range(BATCH):
                thread = dice.randrange(self.plan.threads)
                self._append(step, thread, self._written[thread])
                self._written[thread] += 1
            await self._queue.write(step)
            await asyncio.sleep(0)

    def _append(self, step: Step, thread: int, number: int) -> None:
        work = Say(message=Message(text=text_of(thread, number)))
        step.append(tell(link_of(thread)), Job(id=f"post-{number}", work=work))

    async def _lists(self) -> list[str]:
        return cast("list[str]", await self._redis.zrange(self._keys.named("ready"), 0, -1))

    async def _count(self, seconds: float) -> Tally:
        tally = Tally(seconds=seconds, events=self.weather.events)
        tally.kills, tally.stops = self.weather.kills, self.weather.stops
        tally.unfinished = len(await self._lists())
        tally.twice_at_any_time = sum(number - 1 for number in self._executed.values())
        for thread, bond in self._bonds.items():
            expected = [text_of(thread, number) for number in range(self._written[thread])]
            tally.count_thread(expected, self._texts(bond))
        return tally

    def _texts(self, bond: Bond) -> list[str]:
        if bond.thread_ts is None:
            messages = self._slack.messages(bond.channel)
        else:
            messages = self._slack.thread(bond.channel, bond.thread_ts)[1:]
        return [str(message["text"]) for message in messages if message.get("bot_id")]


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def storm(plan: Plan, directory: Path) -> AsyncIterator[Storm]:
    """Everything that a storm needs."""
    async with (
        SlackSandbox(seed=plan.seed) as slack,
        embedded.store(directory) as running,
        connection.open(running.url) as connections,
    ):
        yield Storm(plan, slack, connections, running.url)
