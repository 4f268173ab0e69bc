"""One running bot: how it starts, how it watches its connections, and how it stops in time.

Health is served at once. When Slack answers, the parts start. To stop, the bot first takes no new jobs and
lets running jobs end. It closes the connection to Slack last, so payloads that arrive until then are still
claimed.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError
from slack_bolt.async_app import AsyncApp

from taskwire.app import secret_files
from taskwire.app.coder_callback import add_callback
from taskwire.app.http_secrets import HttpSecrets
from taskwire.app.new_secrets import NewSecrets
from taskwire.app.scheduler import HintedCall, PeriodicCalls
from taskwire.app.secret_files import SecretFiles
from taskwire.app.slack_socket import SlackSocket
from taskwire.app.web import Hints, Refusals, Site, SlackRequests, add_health, add_hints, add_slack, listen
from taskwire.app.wiring import Parts, Timings
from taskwire.cancelling import cancel_and_wait
from taskwire.coder.notifications import find_announced_change
from taskwire.domain.errors import OutsideError, TryLater, UserError
from taskwire.listeners.authorizations import AuthorizationReceiver
from taskwire.polling.announced import AnnouncedChanges
from taskwire.queue.data_loss_detector import DataLoss
from taskwire.queue.scripts import Clock, ServerClock
from taskwire.queue.stats import NO_DEPTH, QUEUE_KINDS
from taskwire.recovery import downtime
from taskwire.recovery.data_loss import recover, repeat_before_end
from taskwire.recovery.downtime import Downtime
from taskwire.redis import connection
from taskwire.redis.connection import Connections
from taskwire.redis.error_reasons import reason
from taskwire.redis.keys import Keys
from taskwire.settings import Settings
from taskwire.slack.errors import TokenProblem
from taskwire.state import owner as owners
from taskwire.state.owner import Owner, Ownership
from taskwire.telemetry import Metrics, ThrottledLog, logger

MONITOR_SECONDS = 2.0
RETRY_SECONDS = 5.0
# How long Coder may take to send its deployment id, in seconds, before the start goes on without it.
CODER_TIMEOUT_SECONDS = 3.0
# How long Redis may take to answer for metrics and readiness. Prometheus waits ten seconds for metrics, and
# the chart's probe five seconds for readiness.
STORE_TIMEOUT_SECONDS = 3.0
# Time limits, in seconds, for the successive steps of a stop. Their sum is below `process.STOP_SECONDS`.
PERIODIC_CALLS_SECONDS = 2.0
DRAIN_SECONDS = 7.0
BACKGROUND_SECONDS = 0.5
PRIVATE_ANSWERS_SECONDS = 0.5
LAST_QUESTIONS_SECONDS = 0.25

T = TypeVar("T")
_log = logger("taskwire.app.bot")


class Bot:
    """A running bot. It serves HTTP at once, and makes its parts when Slack has answered."""

    def __init__(self, settings: Settings, connections: Connections) -> None:
        self.metrics = Metrics()
        self.periodic_calls = PeriodicCalls(settings.poll_interval)
        self._hinted_poll = HintedCall("poll", self._poll_now)
        self._announced_changes: AnnouncedChanges | None = None
        self._settings = settings
        self._http_secrets = HttpSecrets(settings)
        self._connections = connections
        self._parts: Parts | None = None
        app_token = settings.slack_app_token
        self._socket = SlackSocket(app_token.get_secret_value() if app_token else None, self.metrics)
        # The port for requests of Slack and Coder, and the port for health. They are the same port unless the
        # settings separate them.
        self.port = 0
        self.admin_port = 0
        self._slack_trouble = "Slack has not answered yet."
        # Why this process does not use the store yet; empty if it does.
        self._store_trouble = ""
        self._down_since: float | None = None
        # Whether Redis was unreachable during the present outage. If so, Slack may have delivered payloads
        # that this process could not claim.
        self._was_without_store = False
        self._downtime: Downtime | None = None
        # Resolves with the reason if this process must stop using the store.
        self.lockout: asyncio.Future[UserError] = asyncio.get_running_loop().create_future()
        # The latest data loss from which this process has recovered.
        self.recovered_data_loss: DataLoss | None = None

    @property
    def parts(self) -> Parts:
        """The parts. They exist once Slack has been reached."""
        assert self._parts is not None  # noqa: S101 - callers get the bot only after `open`
        return self._parts

    @property
    def downtime(self) -> Downtime:
        """The tracker of downtime. It exists once Slack has been reached."""
        assert self._downtime is not None  # noqa: S101 - see `parts`
        return self._downtime

    async def serve(self, stack: contextlib.AsyncExitStack) -> None:
        """Serve health, metrics and HTTP requests. Raises `UserError` if an address cannot be used."""
        settings = self._settings
        # HTTP requests arrive until the sites are closed. This callback must run after the sites are closed,
        # so it is pushed first.
        stack.push_async_callback(self._hand_over_answers)
        refusals = Refusals(self.metrics)
        site, admin = Site(refusals), Site(refusals)
        secrets = self._http_secrets
        if secrets.signatures is not None:
            add_slack(site, SlackRequests(secrets.signatures, self._find_app, refusals))
        if secrets.webhook is not None:
            add_hints(site, Hints(secrets.webhook, self._on_webhook))
        if settings.oauth_app is not None:
            is_secure = settings.oauth_app.callback_url.startswith("https:")
            add_callback(site, self._find_receiver, is_secure=is_secure)
        add_health(
            site if settings.admin_addr is None else admin,
            self._collect_metrics,
            self.health,
            refusals if secrets.signatures is not None else None,
            secrets.admin,
        )
        if settings.admin_addr is not None:
            self.admin_port = await listen(
                stack, admin, self.metrics, "TASKWIRE_ADMIN_ADDR", settings.admin_addr
            )
        if settings.admin_addr is None or settings.has_public_site:
            self.port = await listen(stack, site, self.metrics, "TASKWIRE_HTTP_ADDR", settings.http_addr)
        self.port, self.admin_port = self.port or self.admin_port, self.admin_port or self.port
        _log.info("listening", port=self.port, admin_port=self.admin_port)

    async def _poll_now(self) -> None:
        if self._parts is not None and not await self._parts.poller.poll(is_hinted=True):
            # The poll after a hint replaces the next regular poll.
            self.periodic_calls.postpone_poll()

    def _on_webhook(self, body: bytes) -> None:
        self._hinted_poll.request()
        announced = find_announced_change(body)
        if announced is not None and self._announced_changes is not None:
            self._announced_changes.follow(announced)

    def _find_app(self) -> AsyncApp | None:
        if self._parts is None:
            return None
        self.downtime.record_request()
        return self._parts.bolt

    def _find_receiver(self) -> AuthorizationReceiver | None:
        parts = self._parts
        return AuthorizationReceiver(parts.deps, parts.ingress, parts.inbox) if parts is not None else None

    async def open(self, stack: contextlib.AsyncExitStack, clock: Clock, timings: Timings) -> None:
        """Make the parts. Wait while Slack is unreachable. Raises `TokenProblem` for a refused token."""
        settings = self._settings

        async def open_parts() -> Parts:
            made = Parts.open(settings, self._connections, clock, self.metrics, timings)
            return await stack.enter_async_context(made)

        parts = await self._retry_until_reached(open_parts)
        await self._check_owner(parts, clock)
        stack.push_async_callback(self._hand_over_answers)
        await self._socket.prepare(parts.bolt, parts.deps.slack, self._retry_until_reached)
        stack.push_async_callback(self._socket.close)
        self._downtime = Downtime(parts.backfill, parts.heartbeat, self.metrics)
        self._parts = parts

    async def start(self, stack: contextlib.AsyncExitStack, *, has_timers: bool = True) -> None:
        """Listen to Slack, run jobs, and start the backfill.

        The stack ends the parts in the opposite order. The Socket Mode connection is closed only after the
        worker has stopped, so payloads that arrive while the last jobs end are still claimed.
        """
        parts = self.parts
        self._socket.start()
        stack.push_async_callback(parts.worker.note_clean_stop)
        stack.push_async_callback(parts.private_answers.end, PRIVATE_ANSWERS_SECONDS)
        stack.push_async_callback(parts.background.end, BACKGROUND_SECONDS)
        work = asyncio.create_task(parts.worker.run(), name="worker")
        work.add_done_callback(self._on_worker_ended)
        stack.push_async_callback(cancel_and_wait, work)
        stack.push_async_callback(self._drain)
        stack.push_async_callback(self.downtime.end)
        self.downtime.queue_missed()
        monitor = asyncio.create_task(self._monitor(), name="monitor")
        stack.push_async_callback(cancel_and_wait, monitor)
        stack.push_async_callback(parts.poller.release)
        stack.push_async_callback(self._hinted_poll.end)
        self._announced_changes = AnnouncedChanges(parts.deps, parts.poller, self._hinted_poll.request)
        stack.push_async_callback(self._announced_changes.end)
        if has_timers:
            files = SecretFiles.of(self._settings, self._make_new_secrets(parts).by_setting())
            slow_calls = {
                **parts.slow_calls,
                "heard": self._record_heard,
                secret_files.CALL_NAME: files.look,
            }
            self.periodic_calls.start(
                parts.poller.poll, parts.poller.fire_timers, parts.account.check, slow_calls
            )
            stack.push_async_callback(self.periodic_calls.stop, PERIODIC_CALLS_SECONDS)

    def _make_new_secrets(self, parts: Parts) -> NewSecrets:
        ownership = Ownership(self._connections, self._keys(parts), ServerClock())
        return NewSecrets(
            self._settings, self._connections, parts, self._http_secrets, ownership, self._socket.reconnect
        )

    async def _drain(self) -> None:
        """Let running jobs end. At the same time, repeat the claims that Redis has lost."""
        worker, inbox = self.parts.worker, self.parts.inbox
        claims = repeat_before_end(
            self.parts.deps, inbox, lambda: worker.data_loss is not None, DRAIN_SECONDS
        )
        await asyncio.gather(worker.stop(DRAIN_SECONDS), claims)

    async def _hand_over_answers(self) -> None:
        """Write a job for each private answer that is not shown yet. Another process then shows it."""
        if self._parts is not None:
            await self._parts.background.end(LAST_QUESTIONS_SECONDS)
            await self._parts.private_answers.wait_for_hand_over()

    def _on_worker_ended(self, work: asyncio.Task[None]) -> None:
        error = None if work.cancelled() else work.exception()
        if isinstance(error, UserError) and not self.lockout.done():
            self.lockout.set_result(error)

    async def _record_heard(self) -> None:
        with self.parts.ingress.take_arrived_kinds() as kinds:
            await self.parts.heard.record(kinds)

    async def _retry_until_reached(self, call: Callable[[], Awaitable[T]]) -> T:
        log_away = ThrottledLog(_log.warning, "Slack cannot be reached yet, will retry; see taskwire doctor")
        while True:
            try:
                return await call()
            except TokenProblem:
                raise
            except OutsideError as error:
                self._slack_trouble = f"Slack cannot be reached yet: {error}. Look with `taskwire doctor`."
                log_away(error=str(error))
                requested_seconds = error.retry_after_seconds if isinstance(error, TryLater) else None
                await asyncio.sleep(max(RETRY_SECONDS, requested_seconds or 0.0))

    async def _check_owner(self, parts: Parts, clock: Clock) -> None:
        """Check that this store belongs to this Slack app and this Coder. Raises `UserError` if it does not.

        If Coder does not answer, Coder's address is compared instead of Coder's id. The start waits for Coder
        only if the address differs from the recorded address.
        """
        ownership, formats = Ownership(self._connections, self._keys(parts), clock), parts.deps.queues.formats
        log_away = ThrottledLog(_log.warning, "redis is away")
        log_unknown = ThrottledLog(
            _log.warning,
            "start waits: Coder does not answer, so it is unknown whether this store belongs to it",
        )
        while True:
            who = Owner(parts.deps.bot.bot_user_id, await self._coder_id(parts), self._settings.coder_url)
            try:
                # A newer version of Taskwire may have locked this version out during the wait.
                await formats.require_compatible()
                noted = await ownership.claim(who)
                refusal = owners.refusal(noted, who, self._connections.where)
                is_ours = refusal is None and noted.is_another_coder(who) is False
                if is_ours:
                    # Record the presence of this version only after the check of the store's owner. In the
                    # store of another installation, the record could lock out that installation's version.
                    await formats.record_presence()
                    # There is a seal before there is a link, so a trail that is missing later is noticed.
                    await parts.deps.audit.seal()
            except RedisError as error:
                # Redis may accept writes again soon, for example after a failover.
                self._store_trouble = f"Redis takes nothing: {reason(error)}."
                log_away(error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            log_away.end()
            if refusal is not None:
                raise refusal
            if is_ours:
                self._store_trouble = ""
                return
            self._store_trouble = (
                f"The store belongs to a Taskwire for the Coder at {noted.url}. "
                f"Whether {who.url} is the same cannot be known before it answers."
            )
            log_unknown(noted=noted.url)
            await asyncio.sleep(RETRY_SECONDS)

    async def _coder_id(self, parts: Parts) -> str:
        try:
            async with asyncio.timeout(CODER_TIMEOUT_SECONDS):
                return (await parts.deps.service_coder.get_build_info()).deployment_id
        except (OutsideError, TimeoutError):
            return ""

    def _keys(self, parts: Parts) -> Keys:
        return Keys(parts.deps.bot.team_id, self._settings.key_prefix)

    @property
    def has_recorded_gap(self) -> bool:
        """Whether a backfill is queued for every message that the bot has missed so far.

        Also true if the bot has missed nothing.
        """
        return self.downtime.has_queued_all

    async def health(self) -> dict[str, str]:
        """Return the state of Slack, the store, Coder and the audit trail: "ok" or a sentence."""
        audit = self._parts.deps.audit.health if self._parts is not None else "ok"
        needed = {"slack": await self._slack_health(), "store": await self._store_health()}
        return {**needed, "coder": self._coder_health(), "audit": audit}

    async def _collect_metrics(self) -> bytes:
        """Return all metrics. The gauges among them are measured now."""
        health = await self.health()
        for system, state in health.items():
            self.metrics.up.labels(system).set(state == "ok")
        await self._socket.measure()
        if self._parts is not None:
            self.metrics.leases_held.set(self._parts.worker.running_job_count)
            if health["store"] == "ok":
                await self._measure_queues(self._parts)
        return self.metrics.exposition()

    async def _measure_queues(self, parts: Parts) -> None:
        metrics = self.metrics
        try:
            async with asyncio.timeout(STORE_TIMEOUT_SECONDS):
                waiting = await parts.queue_stats.read()
        except (RedisError, TimeoutError):
            return
        metrics.dead_letters_kept.set(waiting.dead_letters)
        for kind in QUEUE_KINDS:
            depth = waiting.by_kind.get(kind, NO_DEPTH)
            metrics.waiting_jobs.labels(kind).set(depth.jobs)
            metrics.due_age_seconds.labels(kind).set(depth.due_seconds)
            metrics.oldest_job_age_seconds.labels(kind).set(depth.oldest_seconds)

    async def _slack_health(self) -> str:
        if self._parts is None:
            return self._slack_trouble
        return "ok" if await self._socket.is_connected() else "The socket to Slack is not connected."

    def _coder_health(self) -> str:
        if self._parts is None:
            return "Coder has not been asked yet."
        # If Coder cannot be reached, the poller notices it first, and the poller's text is clearer.
        return self._parts.poller.trouble or " ".join(self._parts.account.troubles) or "ok"

    async def _store_health(self) -> str:
        if self._store_trouble:
            return self._store_trouble
        try:
            async with asyncio.timeout(STORE_TIMEOUT_SECONDS):
                await self._connections.commands.ping()
        except (RedisError, TimeoutError):
            return "Redis does not answer."
        trouble = self._parts.worker.store_trouble if self._parts is not None else ""
        return f"Redis takes nothing: {trouble}." if trouble else "ok"

    async def _monitor(self) -> None:
        """Check the socket and the store at intervals.

        After an outage of a minute or more, start a backfill.
        """
        while True:
            await asyncio.sleep(MONITOR_SECONDS)
            has_store = await self._check_store() and not self.parts.worker.store_trouble
            is_up = await self._socket.is_connected() and has_store
            if not is_up:
                self._down_since = self._down_since or time.monotonic()
                self._was_without_store |= not has_store
            elif self._down_since is not None:
                self._on_reconnected(time.monotonic() - self._down_since)
            elif self.has_recorded_gap:
                await self.downtime.beat()
            data_loss = self.parts.worker.data_loss
            if has_store and data_loss is not None:
                # Recover even without Slack, because only this process knows the claims that Redis has lost.
                await self._recover(data_loss)

    async def _recover(self, data_loss: DataLoss) -> None:
        """Recover from a data loss. Queue a backfill of what people have written since the loss."""
        if not self.has_recorded_gap:
            # Another backfill, perhaps of an earlier gap, is still being recorded. The next call tries again.
            return
        parts = self.parts
        is_first = await recover(parts.deps, parts.inbox, parts.alerts, data_loss)
        if is_first is None:
            return
        parts.poller.forget()
        parts.worker.data_loss, self.recovered_data_loss = None, data_loss
        if is_first:
            self.downtime.queue_missed_since(data_loss.since_ms)

    async def _check_store(self) -> bool:
        """Count the waiting queues and read how many replicas are required. Return whether Redis answers."""
        try:
            ready = self._keys(self.parts).named("ready")
            self.metrics.waiting_queues.set(await self._connections.commands.zcard(ready))
            await connection.read_required_replicas(self._connections)
        except RedisError:
            return False
        return True

    def _on_reconnected(self, outage_seconds: float) -> None:
        """After an outage of a minute, start a backfill, unless another process listened during the outage.

        If this process had a socket but no store, Slack may have delivered payloads that nobody could claim.
        Then the backfill is started even if another process listened.
        """
        was_without_store, self._was_without_store, self._down_since = self._was_without_store, False, None
        if outage_seconds < downtime.GAP_SECONDS:
            return
        _log.warning(
            "Slack and Redis can be reached again after an outage, missed messages are read",
            seconds=round(outage_seconds),
        )
        self.downtime.queue_missed(int(outage_seconds * 1000) if was_without_store else None)


@contextlib.asynccontextmanager
async def run_bot(
    settings: Settings,
    connections: Connections,
    *,
    clock: Clock | None = None,
    timings: Timings | None = None,
    has_timers: bool = True,
) -> AsyncIterator[Bot]:
    """Run a bot inside the block. Raises `TokenProblem` if Slack refuses a token."""
    async with contextlib.AsyncExitStack() as stack:
        bot = Bot(settings, connections)
        await bot.serve(stack)
        await bot.open(stack, clock or ServerClock(), timings or Timings())
        await bot.start(stack, has_timers=has_timers)
        yield bot
