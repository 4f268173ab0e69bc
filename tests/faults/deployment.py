"""A deployment: one workspace, one Coder, one store, and one bot at a time.

When the bot is idle, the deployment moves the clock to the next moment at which the bot has work. Long waits
therefore take no real time. The deployment asks the bot for a poll after a change in Coder, and for its
timers when one is due. While an actor is held, its call waits for the kill of the bot.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import cast

from redis.asyncio import Redis

from taskwire.queue.dead_letters import DeadLetters
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.slack import manifest
from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox
from tests.keys import KEY
from tests.lua import KEYS_WITHOUT_TTL

from .actors import Actor
from .audit_check import check_audit
from .bot import Given
from .clock import SharedClock
from .environment import Environment
from .injector import FaultInjector
from .queue_scripts import HEAD, ROWS
from .snapshot import ObjectSnapshot, StoreSnapshot
from .wire import Proxy

# No wait may be longer than this, in real time.
PATIENCE_SECONDS = 60.0
LOOK_SECONDS, MOST_LOOK_SECONDS = 0.003, 0.04
# The clock is not moved farther than this in one step. A job that is due later is a question to a person, or
# a retry that never ends.
MAX_REPORTED_WAIT_MS = 30 * 60_000
Rows = list[tuple[str, str, str]]
_BAD = ("error", "critical")
# The product's own interval between polls while Coder shows changes.
POLL_MS = 5_000
# Slack repeats a delivery every 0.05 s until a bot claims it, for example the next bot after a kill.
RETRIES = (0.05,) * 400
# Slack waits for an ack for longer than a test holds any call.
ACK_SECONDS = 60.0


class Deployment:
    """Everything that a bot needs, and the bot itself."""

    def __init__(
        self,
        environment: Environment,
        slack: SlackSandbox,
        coder: CoderSandbox,
        store: "Redis",
        store_as_it_is: "Redis",
        clock: SharedClock,
        database: int,
        directory: Path,
        timeout_seconds: float,
        settings: Mapping[str, str],
    ) -> None:
        self.slack = slack
        self.coder = coder
        self.clock = clock
        self.keys = Keys(slack.workspace.team_id)
        self.watch = FaultInjector(slack, coder, self._peek)
        self.proxy = Proxy(environment.store_path, self.watch)
        self._environment = environment
        self.store = store
        self._directory = directory
        self._timeout_seconds = timeout_seconds
        self.flow_settings = dict(settings)
        coder.add_user("taskwire", roles=("owner",))
        self._token = coder.add_token("taskwire")
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._has_line = asyncio.Event()
        self._saying = asyncio.Lock()
        self._port = 0
        self._pid = 0
        self._ticking: asyncio.Task[str] | None = None
        # The tokens of leases whose holder was killed.
        self._dead: set[str] = set()
        self._next_poll_ms = 0
        self._read = 0
        self._database = database
        self._objects: ObjectSnapshot | None = None
        self._keys = StoreSnapshot(store_as_it_is)
        self._kept_ms = 0

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Accept connections of bots inside the block."""
        server = await asyncio.start_server(self._accept_bot, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        async with self.proxy.serving():
            try:
                yield
            finally:
                server.close()
                await self.kill()

    async def _accept_bot(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._line = (reader, writer)
        self._has_line.set()

    # Start and kill.

    async def start_bot(self) -> None:
        """Start a bot. Wait until it listens and has finished backfill."""
        self.watch.reset()
        self._has_line.clear()
        given = Given(
            environment=self._settings(),
            log=self._directory / "bot.log",
            clock=self._directory / "clock",
            line=self._port,
            timeout_seconds=self._timeout_seconds,
        )
        self._pid = await self._environment.fork_bot(given)
        await self.until(self._has_line.is_set, "the bot is born")
        await self.until(lambda: self.slack.sockets.connections, "the bot listens")
        await self.wait_until_idle()

    async def kill(self) -> None:
        """Kill the bot as a power cut would. Then release the calls at which actors are held."""
        if self._line is None:
            return
        reader, writer = self._line
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        if self._ticking is not None:
            await asyncio.gather(self._ticking, return_exceptions=True)
        self._ticking = None
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()
        self._line = None
        self.watch.death.set()
        for actor in self.watch.actors:
            actor.continue_with_next_bot()
        self._dead |= {token for _, _, token in (await self.rows())[0]}
        await self.until(lambda: not self.slack.sockets.connections, "the dead bot's socket is gone")

    async def send_order(self, word: str) -> str:
        """Send an order to the bot and return its answer, or an empty text if the order kills the bot."""
        assert self._line is not None
        reader, writer = self._line
        async with self._saying:
            writer.write(f"{word}\n".encode())
            with contextlib.suppress(ConnectionError):
                return (await reader.readline()).decode().strip()
        return ""

    # The state from which all runs start.

    async def keep(self, *roots: object) -> None:
        """Kill the bot. Keep a snapshot of the store, the clock and these objects, for `restore`."""
        await self.kill()
        slack, coder = self.slack.backend, self.coder.deployment
        talk = (slack.tickets, slack.views, slack.files, slack.ephemerals, slack.sessions)
        self._objects = ObjectSnapshot(slack.workspace, slack.ids, *talk, coder, self.watch.names, *roots)
        await self._keys.take()
        self._kept_ms = self.clock.now_ms

    async def restore(self) -> None:
        """Kill the bot, restore the snapshot with its clock, and start a bot."""
        await self.kill()
        assert self._objects is not None, "nothing was kept"
        self._objects.restore()
        await self._keys.restore()
        self.clock.go_back_to(self._kept_ms)
        self._next_poll_ms = 0
        await self.start_bot()

    # Time.

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait in real time until the condition holds. If it does not hold after PATIENCE_SECONDS, raise an
        AssertionError that contains `what`."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not condition():  # noqa: ASYNC110 - the condition may depend on anything
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"never came: {what}\n{await self.describe_state()}") from None

    async def run_until(self, condition: Callable[[], bool], what: str) -> None:
        """Let jobs run and the clock move until the condition holds. If it never does, raise an error."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.wait_until_idle()
                while not condition():
                    if not await self.move_on():
                        await asyncio.sleep(LOOK_SECONDS)
                    await self.wait_until_idle()
        except TimeoutError:
            raise AssertionError(f"never came: {what}\n{await self.describe_state()}") from None

    async def run_to_end(self, unless: Callable[[], bool] = lambda: False) -> None:
        """Let jobs run and the clock move until only held actors have jobs, or `unless` returns true."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.wait_until_idle()
                while (await self.rows())[0] and not unless():
                    if not await self.move_on():
                        await asyncio.sleep(LOOK_SECONDS)
                    await self.wait_until_idle()
        except TimeoutError:
            raise AssertionError(f"jobs do not end\n{await self.describe_state()}") from None

    async def wait_until_idle(self) -> None:
        """Wait until the bot has nothing to do at the present time of the clock."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                passed, pause = -1, LOOK_SECONDS
                # If there were calls since the last check, or a call is under way, the bot is busy. Then the
                # test need not ask the bot.
                while passed != self.watch.calls or self.proxy.is_busy or not await self._is_idle():
                    # The longer the bot stays busy without calls, the less often the test asks it.
                    is_quiet = passed == self.watch.calls
                    pause = min(1.5 * pause, MOST_LOOK_SECONDS) if is_quiet else LOOK_SECONDS
                    passed = self.watch.calls
                    await asyncio.sleep(pause)
        except TimeoutError:
            raise AssertionError(f"the bot finds no rest\n{await self.describe_state()}") from None

    async def _is_idle(self) -> bool:
        if any(actor.is_held and actor.is_going for actor in self.watch.actors):
            rows, _ = await self.rows()
            return self.watch.is_stuck or not (self._is_due(rows) or self._is_held(rows))
        if self._ticking is not None and not self._ticking.done():
            return False
        if not self.slack.backend.tasks.is_idle:
            return False
        calls = self.watch.calls
        if await self.send_order("rest") != "yes" or calls != self.watch.calls:
            return False
        rows, _ = await self.rows()
        # After the bot has answered that it is idle, a call may have acquired or appended a job.
        if self._is_due(rows) or calls != self.watch.calls:
            return False
        # An idle bot holds no lease, so all remaining leases belong to killed bots.
        self._dead |= {token for _, _, token in rows}
        return True

    def _is_due(self, rows: Rows) -> bool:
        now = self.clock.now_ms
        return any(float(due) <= now for _, due, _ in rows)

    def _is_held(self, rows: Rows) -> bool:
        """Return whether the running bot holds a lease on one of these queues."""
        return any(token and token not in self._dead for _, _, token in rows)

    async def rows(self) -> tuple[Rows, list[str]]:
        """Return each queue that has jobs, with its due time and its lease's token, and the earliest timer
        with its due time. Queues of held actors, and of actors that have not started, are left out."""
        found = self.store.eval(ROWS, 0, self.keys.prefix)
        rows, times = await cast("Awaitable[tuple[list[list[str]], list[str]]]", found)
        return [(name, due, token) for name, due, token in rows if not self._is_stopped(name, token)], times

    def _is_stopped(self, name: str, token: str) -> bool:
        """Return whether the actor of a queue, or of its lease, is held or has not started."""
        actors = self.watch.names.find_actors(name) | (
            {self.watch.turns[token]} if token in self.watch.turns else set()
        )
        return any((actor.is_going and actor.is_held) or self._is_left(actor) for actor in actors)

    def _is_left(self, actor: Actor) -> bool:
        """Return whether an actor is prepared but has not started, because only other actors run."""
        return self._objects is not None and actor.is_waiting

    async def move_on(self) -> bool:
        """Move the clock to the bot's next work and let it run. Return false if none can start now."""
        rows, times = await self.rows()
        now = self.clock.now_ms
        if self._is_due(rows) or self._is_held(rows):
            # A job has become due, or the bot has acquired a lease, since the bot was idle.
            return True
        if self._ticking is not None and not self._ticking.done():
            return False
        if times and float(times[1]) <= now:
            return self._tick("times")
        if self.is_changed() and now >= self._next_poll_ms:
            self._next_poll_ms = now + POLL_MS
            return self._tick("poll")
        due = [float(row[1]) for row in rows] + [float(score) for score in times[1:]]
        due += [self._next_poll_ms] if self.is_changed() else []
        booked = self.coder.world.schedule.next_due()
        due += [booked.timestamp() * 1000] if booked is not None else []
        if not due or min(due) > now + MAX_REPORTED_WAIT_MS:
            return False
        await self._move_to(min(due))
        return True

    async def _move_to(self, ms: float) -> None:
        self.clock.move_to(ms)
        await self.coder.catch_up()
        await self.store.lpush(self.keys.named("wakeups"), "1")

    def _tick(self, word: str) -> bool:
        self._ticking = asyncio.create_task(self.send_order(word))
        return True

    async def poll(self) -> None:
        """Let the bot poll Coder, and run the jobs that follow."""
        await self.coder.catch_up()
        await self.wait_until_idle()
        while (wait := float(await self.send_order("poll"))) > 0:
            # A killed bot may have left the lease for polls. Wait until this lease expires.
            self.clock.move_to(self.clock.now_ms + wait * 1000)
        await self.wait_until_idle()

    async def advance(self, ms: int) -> None:
        """Move the clock forward by `ms`, and let the jobs run that are due then."""
        await self._move_to(self.clock.now_ms + ms)
        self._next_poll_ms = 0
        await self.wait_until_idle()

    def is_changed(self) -> bool:
        """Return whether a running actor's task has changed in Coder since the bot's last poll."""
        return any(actor.is_watched and actor.seen != actor.shown() for actor in self.watch.going())

    # Inspection.

    async def _peek(self, ignores_priority: bool) -> tuple[str, str] | None:
        found = self.store.eval(HEAD, 0, self.keys.prefix, self.clock.stamp(), str(int(ignores_priority)))
        head = await cast("Awaitable[list[str]]", found)
        return (head[0], head[1]) if head else None

    async def jobs(self) -> list[str]:
        """Return the names of all queues that have jobs, except the queues of actors who have not started."""
        found = self.store.eval(ROWS, 0, self.keys.prefix)
        rows, _ = await cast("Awaitable[tuple[list[list[str]], list[str]]]", found)
        names = self.watch.names
        return [name for name, _, _ in rows if not any(map(self._is_left, names.find_actors(name)))]

    async def forget_people(self) -> None:
        """Delete all cached answers about people and conversations, as if they had expired."""
        patterns = (self.keys.named("cached", "*"), self.keys.named("notes", "name", "*"))
        known = [key for each in patterns async for key in self.store.scan_iter(each, count=1000)]
        if known:
            await self.store.delete(*known)

    async def check(self) -> None:
        """Check what must be true after any run: no job is left or given up, and there was no error."""
        assert not await self.jobs(), f"jobs are left: {await self.jobs()}"
        endless = await cast("Awaitable[list[str]]", self.store.eval(KEYS_WITHOUT_TTL, 0))
        left = [key for key in endless if not self.keys.is_permanent(key)]
        assert not left, f"keys without an end: {left}"
        letters = DeadLetters(Connections(self.store, self.store, ""), self.keys, self.clock)
        assert not await letters.count(), f"given up: {await letters.list_ids()}"
        await check_audit(self.store, self.keys, self.clock)
        assert not self.slack.violations, self.slack.violations
        assert not self.coder.violations, self.coder.violations
        errors = self._errors()
        assert not errors, f"logged as errors: {errors}"
        self.check_sight()

    def check_sight(self) -> None:
        """Check that every call has a name. The proof tries no fault at a call without a name."""
        assert not self.watch.namer.problems, f"the proof would be blind: {self.watch.namer.problems}"

    def _errors(self) -> list[str]:
        """Return the errors that the bots have logged since the last check."""
        lines = (self._directory / "bot.log").read_text().splitlines()
        new, self._read = lines[self._read :], len(lines)
        return [line for line in new if not line.startswith("{") or json.loads(line)["level"] in _BAD]

    async def describe_state(self) -> str:
        """Describe the present state, to explain a failure."""
        log = (self._directory / "bot.log").read_text().splitlines()[-12:]
        actors = [f"{actor}; shown {self._shown_to(actor)}" for actor in self.watch.actors if actor.is_going]
        blind = self.watch.namer.problems
        rows, timers = await self.rows()
        now = self.clock.now_ms
        waiting = [(name, f"due in {float(due) - now:.0f} ms", token) for name, due, token in rows]
        timer = f"due in {float(timers[1]) - now:.0f} ms" if timers else "none"
        is_ticking = self._ticking is not None and not self._ticking.done()
        time = f"queues of free actors: {waiting}; first timer: {timer}; asked the bot to look: {is_ticking}"
        return "\n".join([f"jobs: {await self.jobs()}", time, f"blind: {blind}", *actors, *log])

    def _shown_to(self, actor: Actor) -> list[str]:
        return [str(each.body.get("text")) for each in self.slack.ephemerals(actor.person)[-3:]]

    def _settings(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
        return (
            kept
            | self.flow_settings
            | {
                "SLACK_BOT_TOKEN": self.slack.bot_token,
                "SLACK_APP_TOKEN": self.slack.app_token,
                "SLACK_API_URL": self.slack.api_url,
                "CODER_URL": self.coder.url,
                "CODER_SESSION_TOKEN": self._token,
                "REDIS_URL": f"redis://127.0.0.1:{self.proxy.port}/{self._database}",
                "TASKWIRE_SECRET_KEYS": KEY,
                "TASKWIRE_DATA_DIR": str(self._directory / "data"),
                "TASKWIRE_HTTP_ADDR": "127.0.0.1:0",
                # The clock jumps to the next timer, so every task would count as stuck.
                "TASKWIRE_STUCK": "0",
            }
        )


@contextlib.asynccontextmanager
async def new_deployment(
    environment: Environment,
    directory: Path,
    timeout_seconds: float,
    settle_seconds: float,
    reminder_seconds: float = 0.0,
    *,
    is_agent: bool = False,
    accounts: str = "service",
) -> AsyncIterator[Deployment]:
    """Start a deployment and a bot, without actors. If `reminder_seconds` is 0, nobody is reminded."""
    await asyncio.to_thread(directory.mkdir)
    clock = SharedClock(directory / "clock")
    async with (
        environment.database() as (number, store, store_as_it_is),
        SlackSandbox(
            clock=clock.time,
            manifest=manifest.make_manifest(is_agent=is_agent),
            retry_seconds=RETRIES,
            ack_seconds=ACK_SECONDS,
        ) as slack,
        CoderSandbox(clock=clock) as coder,
    ):
        settings = {
            "TASKWIRE_ACCOUNTS": accounts,
            "TASKWIRE_SETTLE": str(settle_seconds),
            "TASKWIRE_REMINDER": str(reminder_seconds),
        }
        place = (directory, timeout_seconds, settings)
        deployment = Deployment(environment, slack, coder, store, store_as_it_is, clock, number, *place)
        async with deployment.serving():
            await deployment.start_bot()
            yield deployment
