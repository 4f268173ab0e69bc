"""A bot that is killed at one of its calls to the outside, and started again.

Each call is a point: which door, which call, and the how-manieth of its kind since the flow began. A kill
*before* it is one that the other side never carries out; *after* it, one that it has carried out and whose
answer nobody hears.
"""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, cast

from aiohttp import web
from redis.exceptions import RedisError

from taskwire.sandbox.coder import CoderSandbox, PuppetTask
from taskwire.sandbox.coder.server import Seen
from taskwire.sandbox.slack import Call, SlackSandbox
from taskwire.store import connection, embedded
from taskwire.store.keys import Keys

PATIENCE_SECONDS = 30.0
CHANNEL = "general"
# A bot that waits for what may still land needs no processor: several may die side by side.
AT_ONCE = 4
PEOPLE = [f"person-{number}" for number in range(20)]
# What the bot asks by itself, whatever anybody wants of it: at its start, at each tick, after a gap.
BY_ITSELF = {
    "slack auth.test",
    "slack apps.connections.open",
    "slack conversations.replies",
    "coder tasks.list",
    "coder keys.get",
}
ROOT = Path(__file__).parents[2]

Phase = Literal["before", "after"]
PHASES: tuple[Phase, Phase] = ("before", "after")


class Point(NamedTuple):
    """One call of a flow."""

    call: str
    number: int


class Death(NamedTuple):
    """A point, and on which side of it the bot dies."""

    phase: Phase
    call: str
    number: int


Row = tuple[Death, ...]


class Victim:
    """The bot's process, its surroundings, and the point at which it dies."""

    def __init__(self, slack: SlackSandbox, coder: CoderSandbox, directory: Path) -> None:
        self.slack = slack
        self.coder = coder
        self.directory = directory
        # What the bot knows of somebody it asks no more for some minutes, so each act is somebody else's.
        self.people = [slack.add_user(name, email=f"{name}@example.com").id for name in PEOPLE]
        for name in PEOPLE:
            coder.add_user(name, email=f"{name}@example.com")
        slack.add_channel(CHANNEL, PEOPLE)
        coder.add_user("taskwire", roles=("owner",))
        self._token = coder.add_token("taskwire")
        self._process: asyncio.subprocess.Process | None = None
        self._counts: Counter[str] = Counter()
        self._deaths: list[Death] = []
        self.died = asyncio.Event()
        slack.on_call = self._slack_asked
        coder.on_request = self._coder_asked

    async def start(self) -> None:
        """Start the bot and wait until it listens."""
        with (self.directory / "bot.log").open("a") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.bot"),
                cwd=ROOT,
                env=self._environment(),
                stdout=log,
                stderr=log,
            )
        await self.until(lambda: self.slack.sockets.connections or self.died.is_set(), "the bot listens")

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def begin(self, *deaths: Death) -> None:
        """Count calls anew; the bot is to die of these, one after the other."""
        self._counts.clear()
        self._deaths = list(deaths)
        if self.died.is_set():
            await self._revive()

    async def keep_alive(self) -> None:
        """Start it again whenever it has died."""
        while True:
            await self.died.wait()
            await self._revive()

    async def _revive(self) -> None:
        self.died.clear()
        await self.start()

    @property
    def is_spared(self) -> bool:
        """Whether a death that was planned has not come about."""
        return bool(self._deaths)

    def points(self) -> list[Point]:
        """What has been called since the flow began."""
        return [Point(call, number + 1) for call, count in self._counts.items() for number in range(count)]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition, or fail with its description and the bot's last words."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    found = condition()
                    if await found if isinstance(found, Awaitable) else found:
                        return
                    await asyncio.sleep(0.02)
        except TimeoutError:
            words = (self.directory / "bot.log").read_text().splitlines()[-15:]
            raise AssertionError("\n".join([f"never came: {what}", str(await self.jobs()), *words])) from None

    async def jobs(self) -> list[str]:
        """Every list that has work."""
        url = await embedded.find(self.directory / "data")
        if url is None:
            return ["the store does not answer"]
        ready = Keys(self.slack.workspace.team_id).named("ready")
        try:
            async with connection.open(url) as connections:
                return cast("list[str]", await connections.commands.zrange(ready, 0, -1))
        except RedisError as error:
            return [f"the store is going: {error}"]

    async def is_idle(self) -> bool:
        """Whether no job is left, due or not."""
        return not await self.jobs()

    def tasks(self, prompt: str) -> list[PuppetTask]:
        """The tasks that were created with a prompt."""
        return [task for task in self.coder.tasks if task.prompt == prompt]

    def own_messages(self, thread_ts: str = "") -> list[dict[str, object]]:
        """The bot's messages in the channel, or below the root of a thread."""
        messages = self.slack.thread(CHANNEL, thread_ts)[1:] if thread_ts else self.slack.messages(CHANNEL)
        return [message for message in messages if message.get("bot_id")]

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        return kept | {
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "CODER_URL": self.coder.url,
            "CODER_SESSION_TOKEN": self._token,
            "TASKWIRE_DATA_DIR": str(self.directory / "data"),
            "TASKWIRE_HTTP_ADDR": "127.0.0.1:0",
            "TASKWIRE_POLL_INTERVAL": "0.2",
            "TASKWIRE_SETTLE": "3600",
        }

    async def _slack_asked(self, phase: Phase, call: Call) -> None:
        await self._reached(f"slack {call.method}", phase)

    async def _coder_asked(self, seen: Seen, phase: str) -> None:
        await self._reached(f"coder {seen.route}", cast("Phase", phase))

    async def _reached(self, call: str, phase: Phase) -> None:
        if call in BY_ITSELF:
            return
        if phase == "before":
            self._counts[call] += 1
        if self._deaths and self._deaths[0] == (phase, call, self._counts[call]):
            self._deaths.pop(0)
            await self.kill()
            self.died.set()
            if phase == "before":
                raise web.HTTPServiceUnavailable


@contextlib.asynccontextmanager
async def new_victim(directory: Path) -> AsyncIterator[Victim]:
    """A bot that runs between both look-alikes."""
    await asyncio.to_thread(directory.mkdir)
    async with SlackSandbox() as slack, CoderSandbox() as coder:
        victim = Victim(slack, coder, directory)
        await victim.start()
        try:
            yield victim
        finally:
            await victim.kill()


class Flow(Protocol):
    """What is done with a bot that is killed meanwhile, and what must be true afterwards."""

    async def prepare(self, victim: Victim) -> None:
        """What has to be there before."""

    async def go(self, victim: Victim, number: int) -> None:
        """What a person does."""

    def is_over(self, victim: Victim, number: int) -> bool:
        """Whether what the person wanted has come about."""

    def check(self, victim: Victim, number: int) -> None:
        """Nothing is lost and nothing doubled."""


async def kill_everywhere(flow: Flow, directory: Path) -> set[Death]:
    """Go through a flow once for each way to die in it; returns the deaths that came about."""
    async with new_victim(directory / "rehearsal") as victim:
        await flow.prepare(victim)
        await victim.begin()
        await _go(flow, victim, 0)
        points = victim.points()
    rows = [(Death(phase, *point),) for point in points for phase in PHASES]
    return {death for (death,) in await kill(flow, directory, rows)}


async def kill(flow: Flow, directory: Path, rows: Sequence[Row]) -> list[Row]:
    """Go through a flow once for each row of deaths; returns those that came about, sorted."""
    shares = [rows[share::AT_ONCE] for share in range(AT_ONCE)]
    lives = (_live(flow, directory / f"life-{at}", share) for at, share in enumerate(shares))
    return sorted(row for died in await asyncio.gather(*lives) for row in died)


async def _live(flow: Flow, directory: Path, rows: Sequence[Row]) -> list[Row]:
    died = []
    async with new_victim(directory) as victim:
        await flow.prepare(victim)
        for number, row in enumerate(rows):
            try:
                if await _die(flow, victim, number, row):
                    died.append(row)
            except AssertionError as failed:
                failed.add_note(f"killed {row}")
                raise
        assert not victim.slack.complaints, victim.slack.complaints
        assert not victim.coder.complaints, victim.coder.complaints
    return died


async def _die(flow: Flow, victim: Victim, number: int, row: Row) -> bool:
    await victim.begin(*row)
    keeping = asyncio.create_task(victim.keep_alive())
    try:
        await _go(flow, victim, number)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    flow.check(victim, number)
    return not victim.is_spared


async def _go(flow: Flow, victim: Victim, number: int) -> None:
    await flow.go(victim, number)
    await victim.until(lambda: flow.is_over(victim, number), "what the person wanted")
    await victim.until(victim.is_idle, "no job is left")
