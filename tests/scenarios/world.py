"""A world: a Slack workspace with people, a Coder with agents, a store, and the real bot between them.

A world fails at its end if a message is unread, a job is left, or a key has no expiry. It also fails if the
bot logged an error, or made a call that a stand-in does not know.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import cast

import structlog

from taskwire.app.bot import Bot, run_bot
from taskwire.app.wiring import Timings
from taskwire.queue.dead_letters import DeadLetters
from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.settings import Settings
from taskwire.slack import manifest
from taskwire_sandbox.coder import CoderSandbox, SandboxTask
from taskwire_sandbox.slack import SlackSandbox
from tests.crash import cancel_jobs
from tests.faults.proxy import FaultProxy, proxy
from tests.keys import KEY
from tests.lua import KEYS_WITHOUT_TTL
from tests.secret_scan import SecretScan, Written

from .clock import WorldClock
from .people import Person, Thread
from .reading import Reader

# Count due queues and held leases in one script, because a leased queue is not due. Use the store's own time.
# A time from this process would be older than a job that is written while the request is on its way.
_BUSY = """
local prefix, passed, time = ARGV[1], tonumber(ARGV[2]), redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + passed
local busy = redis.call('ZCOUNT', prefix .. 'ready', '-inf', string.format('%.0f', now))
for _, name in ipairs(redis.call('ZRANGE', prefix .. 'ready', 0, -1)) do
  busy = busy + redis.call('HEXISTS', prefix .. 'queue:' .. name .. ':state', 'token')
end
return busy
"""
# Redis expires keys in real time, which a story cannot move. So shorten the lifetimes of the keys.
_AGE = """
for _, kind in ipairs({'notes', 'cached', 'cache_change'}) do
  for _, key in ipairs(redis.call('KEYS', ARGV[1] .. kind .. ':*')) do
    redis.call('PEXPIRE', key, redis.call('PTTL', key) - ARGV[2])
  end
end
"""
PATIENCE_SECONDS = 60.0
# A busy machine may be too slow for a job, by real time. The log then has these words, and the job runs again
# a second later.
TOO_LATE, FIRST_RETRY_MS = "error='the deadline passed", 2_000
SETTLE_SECONDS = 20.0
# The check at the end of a story waits for at most this number of publications of a Home tab.
MOST_IN_HOME = 3
# A card is edited at most every three seconds. After a short burst, a channel gets one post a second.
CARD_SECONDS = 3.1
POST_SECONDS = 1.1


class World:
    """The people, stand-ins, store and bot of one story."""

    def __init__(
        self,
        slack: SlackSandbox,
        coder: CoderSandbox,
        clock: WorldClock,
        connections: Connections,
        settings: Settings,
        store: FaultProxy | None = None,
        timings: Timings | None = None,
    ) -> None:
        self.store = store
        self.timings = timings
        self.slack = slack
        self.coder = coder
        self.clock = clock
        self.connections = connections
        self.settings = settings
        self.keys = Keys(slack.workspace.team_id)
        self.reader = Reader(slack, coder)
        self.errors: list[str] = []
        # Everything that the bot has logged.
        self.logged: list[str] = []
        # How many of these lines were searched for jobs for which this machine was too slow.
        self._logged_seen = 0
        self._bot: Bot | None = None
        self._stack = contextlib.AsyncExitStack()
        # The clock's lead over real time when the worker was last woken, in milliseconds.
        self._told_ms = clock.passed_ms
        self.alice = self.person("alice")
        self.bob = self.person("bob")

    @property
    def bot(self) -> Bot:
        """Return the running bot."""
        assert self._bot is not None, "the bot is not running"
        return self._bot

    def person(
        self, name: str, *, in_coder: bool = True, roles: tuple[str, ...] = (), **profile: object
    ) -> Person:
        """Add a person to Slack and, by default, to Coder. `roles` are their roles in Coder, and `profile`
        are fields of their Slack profile."""
        email = f"{name}@example.com"
        user = self.slack.add_user(name, email=email, **profile)  # type: ignore[arg-type] # as the stand-in takes them
        if in_coder:
            self.coder.add_user(name, email=email, roles=roles)
        return Person(self, user.id, name)

    async def starts(self) -> None:
        """Start the bot."""
        connections = self.connections
        if self.store is not None:
            url = f"redis://127.0.0.1:{self.store.port}/0"
            connections = await self._stack.enter_async_context(connection.open(url))
        self._bot = await self._stack.enter_async_context(
            run_bot(self.settings, connections, clock=self.clock, timings=self.timings, has_timers=False)
        )
        await self.slack.wait_for_sockets(1)

    async def restarts(self, **settings: object) -> None:
        """Stop the bot and start it with changed settings."""
        await self.stops()
        self.settings = self.settings.model_copy(update=settings)
        await self.starts()

    async def stops(self) -> None:
        """Stop the bot, as SIGTERM does."""
        await self._stack.aclose()
        self._stack = contextlib.AsyncExitStack()
        self._bot = None

    async def crashes(self) -> int:
        """Let the bot die in the middle of its jobs. Return how many jobs were running."""
        running = await cancel_jobs()
        await self.stops()
        return running

    async def polls(self, times: int = 1) -> None:
        """Poll Coder, and run the jobs that follow."""
        for _ in range(times):
            await self.coder.catch_up()
            await self.bot.parts.poller.poll()
            while self.bot.parts.poller.is_amid_round:
                await self.bot.parts.poller.poll()
            await self.settles()

    async def passes(self, seconds: float, *, amid_jobs: bool = False) -> None:
        """Let time pass, and run the jobs that are due after that.

        Run the jobs that are due already first, because the leases of running jobs lapse when the clock
        moves. With `amid_jobs`, do not run them first.
        """
        if not amid_jobs:
            await self.settles()
        self.clock.passes(seconds)
        await self.coder.catch_up()
        await self.bot.parts.deps.links.fire_timers()
        await self.settles()

    async def settles(self) -> None:
        """Wait until no due job is left."""
        await self.slack.wait_until_idle()
        if self._told_ms != self.clock.passed_ms:
            # The worker waits for its next job in real time.
            self._told_ms = self.clock.passed_ms
            await self.connections.commands.lpush(self.keys.named("wakeups"), "1")
        await self.until(self._is_settled, "the bot has nothing to do")
        while self._was_too_slow():
            await self.until(partial(self._is_settled, FIRST_RETRY_MS), "the bot has run the job again")
        await self.slack.wait_until_idle()

    def _was_too_slow(self) -> bool:
        """Return whether this machine has been too slow for a job since the last call."""
        lines = self.logged[self._logged_seen :]
        self._logged_seen += len(lines)
        return any(TOO_LATE in line for line in lines)

    async def _is_settled(self, ahead_ms: int = 0) -> bool:
        """Return whether no job runs, and no job is due now or in the next `ahead_ms`."""
        # Work that ends while the store counts the jobs may write another job, which that count does not
        # have.
        if not self._is_idle():
            return False
        words = (self.keys.prefix, str(self.clock.passed_ms + ahead_ms))
        busy = await cast("Awaitable[int]", self.connections.commands.eval(_BUSY, 0, *words))
        return not busy and self._is_idle()

    def _is_idle(self) -> bool:
        parts = self.bot.parts
        return parts.worker.is_idle and parts.background.is_idle and parts.private_answers.is_idle

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until `condition` returns a true value. Fail after some seconds. `what` describes the
        condition in the error."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    found = condition()
                    if await found if asyncio.iscoroutine(found) else found:
                        return
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"did not come true: {what}; jobs: {await self.jobs()}") from None

    async def jobs(self) -> dict[str, list[str]]:
        """Return every queue that has jobs, with the ids of these jobs."""
        redis = self.connections.commands
        names = cast("list[str]", await redis.zrange(self.keys.named("ready"), 0, -1))
        orders = [await redis.zrange(self.keys.named("queue", name, "order"), 0, -1) for name in names]
        return dict(zip(names, cast("list[list[str]]", orders), strict=True))

    async def dead_letters(self) -> list[str]:
        """Return the reason of each dead letter, the oldest first."""
        letters = self.letters()
        found = [await letters.find(each) for each in await letters.list_ids()]
        return [letter.reason for letter in found if letter is not None]

    def letters(self) -> DeadLetters:
        """Return the interface to the dead letters that an operator uses."""
        return DeadLetters(self.connections, self.keys, self.clock)

    def task(self, name: str) -> SandboxTask:
        """Return the task in Coder that has this name, or a name that begins with it."""
        return self.coder.task(name)

    async def loses_its_store(self) -> None:
        """Cut the bot off from its store."""
        assert self.store is not None, "this world's store has no faults"
        await self.store.stop()

    async def finds_its_store(self) -> None:
        """Connect the bot to its store again."""
        assert self.store is not None, "this world's store has no faults"
        await self.store.start()

    async def forgets(self) -> None:
        """Delete everything that the bot caches for some minutes."""
        for key in await self._notes():
            await self.connections.commands.delete(key)

    async def ages(self, seconds: float) -> None:
        """Shorten the remaining lifetime of everything that the bot caches for some minutes, by this number
        of seconds."""
        words = (self.keys.prefix, int(seconds * 1000))
        await cast("Awaitable[object]", self.connections.commands.eval(_AGE, 0, *map(str, words)))

    async def _notes(self) -> list[str]:
        redis, kinds = self.connections.commands, ("notes", "cached", "cache_change")
        return [key for kind in kinds async for key in redis.scan_iter(self.keys.named(kind, "*"))]

    def cards(self) -> list[str]:
        """Return the unread cards, and count them as read from now on."""
        return self.reader.new_roots()

    async def keys_without_end(self) -> list[str]:
        """Return the keys without an expiry that are not on the list of permanent keys."""
        found = await cast("Awaitable[list[str]]", self.connections.commands.eval(KEYS_WITHOUT_TTL, 0))
        return [key for key in found if not self.keys.is_permanent(key)]

    async def check_end(self) -> None:
        """Check everything that must hold at the end of a story."""
        if self._bot is not None:
            # The card may still wait for its next edit and, after a press, for a second one.
            for _ in range(2):
                await self.passes(CARD_SECONDS)
            for _ in range(MOST_IN_HOME):
                # At least three seconds pass between two publications of a Home tab.
                if any(name.startswith("home:") for name in await self.jobs()):
                    await self.passes(CARD_SECONDS)
            left = {name: jobs for name, jobs in (await self.jobs()).items() if jobs}
            assert not left, f"jobs left over: {left}"
        assert not await self.keys_without_end(), "keys without an end"
        assert not self.slack.violations, self.slack.violations
        assert not self.coder.violations, list(self.coder.violations)
        assert not self.errors, self.errors
        refused = [call.method for call in self.slack.calls if call.outcome == "ratelimited"]
        assert not refused, f"called faster than Slack allows: {refused}"
        assert not (leaked := await self.find_secrets()), f"secrets in {leaked}"
        unread = self.reader.unread()
        assert not unread, f"said and not read: {unread}"

    async def find_secrets(self) -> list[str]:
        """Return each place in which a secret of this world was written, in any encoding.

        Look in the store, the log, the payloads to Slack, and the metrics.
        """
        people = [token.secret for token in self.coder.world.tokens.values()]
        people += self.coder.world.oauth.secrets
        scan = SecretScan({KEY, *people, *self.settings.tokens()})
        written = [Written("the log", line) for line in self.logged]
        written += [Written(call.method, repr(call.arguments)) for call in self.slack.calls]
        written += [Written("an answer", repr(each.reply)) for each in self.slack.deliveries]
        if self._bot is None:
            return scan.find_in(written)
        # Of all values that the bot gives to a metric, only the labels are texts.
        metrics = self.bot.parts.metrics.registry.collect()
        labels = {
            value for metric in metrics for sample in metric.samples for value in sample.labels.values()
        }
        written += [Written("the metrics", label) for label in labels]
        return scan.find_in(written) + await scan.find_in_store(self.connections.commands)


class _Log(logging.Handler):
    """Collects the log entries that have at least the given level."""

    def __init__(self, level: int, lines: list[str]) -> None:
        super().__init__(level)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@contextlib.contextmanager
def _listening(world: World) -> Iterator[None]:
    """Collect, inside the block, everything that the bot logs, and the errors that any library logs."""
    root, own = logging.getLogger(), logging.getLogger("taskwire")
    errors, everything = _Log(logging.ERROR, world.errors), _Log(logging.DEBUG, world.logged)
    # Earlier tests of this process may have used a browser. If its tasks are garbage-collected now, asyncio
    # logs an error, which says nothing about this world.
    errors.addFilter(lambda record: "playwright" not in record.getMessage())
    root.addHandler(errors)
    own.addHandler(everything)
    level = own.level
    own.setLevel(logging.DEBUG)
    structlog.configure(
        processors=[
            structlog.stdlib.add_logger_name,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()
        own.setLevel(level)
        own.removeHandler(everything)
        root.removeHandler(errors)


@contextlib.asynccontextmanager
async def new_world(
    directory: Path,
    *,
    store_url: str = "",
    has_store_faults: bool = False,
    timings: Timings | None = None,
    bot_is_off: float = 0.0,
    is_agent: bool = False,
    **given: str,
) -> AsyncIterator[World]:
    """Make a world with a running bot, and check the world at its end.

    With `has_store_faults`, the bot can be cut off from its store. With `is_agent`, the Slack app is declared
    as an agent. Without `store_url`, the world starts a store of its own. `bot_is_off` is by how many seconds
    the bot's clock is wrong, and `given` are further settings of the bot.
    """
    clock = WorldClock(bot_is_off)
    async with contextlib.AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            SlackSandbox(
                clock=clock.time,
                manifest=manifest.make_manifest(coder_host="127.0.0.1", is_agent=is_agent),
                limits="documented",
            )
        )
        coder = await stack.enter_async_context(CoderSandbox(clock=clock))
        url = store_url or (await stack.enter_async_context(embedded.store(directory / "store"))).url
        connections = await stack.enter_async_context(connection.open(url))
        between = await stack.enter_async_context(proxy(url)) if has_store_faults else None
        settings = new_settings(slack, coder, directory, **given)
        world = World(slack, coder, clock, connections, settings, between, timings)
        slack.add_channel("general", ["alice", "bob"])
        stack.enter_context(_listening(world))
        await world.starts()
        # Without this wait, the bot might treat messages of the story as missed messages.
        await world.until(lambda: world.bot.has_recorded_gap, "it is known what is to be read")
        try:
            yield world
            await world.check_end()
        finally:
            await world.stops()


def new_settings(slack: SlackSandbox, coder: CoderSandbox, directory: Path, **given: str) -> Settings:
    """Return settings that connect the bot with the stand-ins. `given` are further settings, or replace the
    usual ones."""
    service = coder.add_user("taskwire", roles=("owner",))
    words = {
        "slack_bot_token": slack.bot_token,
        "slack_app_token": slack.app_token,
        "slack_api_url": slack.api_url,
        "coder_url": coder.url,
        "coder_session_token": coder.add_token(service.username),
        "TASKWIRE_DATA_DIR": str(directory / "data"),
        "TASKWIRE_HTTP_ADDR": "127.0.0.1:0",
        "TASKWIRE_SETTLE": str(SETTLE_SECONDS),
        **given,
    }
    return Settings(_env_file=None, **words)  # type: ignore[arg-type,call-arg] # pydantic parses the texts


__all__ = ["Person", "Thread", "World", "new_world"]
