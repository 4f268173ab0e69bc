"""Logs and metrics for operators. Secrets are masked before anything is written."""

import logging
import secrets
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from taskwire import __version__
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.domain.text.printed import escape_unseen, put_on_one_line

Mask = Callable[[str], str]
# In characters. All values are masked on the event loop. At this length, even a value that an attacker made
# slow to mask takes only some milliseconds. A stack trace may be longer, because most of it is our own code.
LONGEST_VALUE, LONGEST_STACK = 4_000, 20_000
_STACK_FIELDS = ("exception", "stack")
# In a log of text, each line of a stack begins with these blanks, and each record with its time.
_STACK_INDENT = "    "
Logger = structlog.stdlib.BoundLogger

# In seconds. The time between two log lines about an event that lasts long, or that strangers can cause.
LOG_INTERVAL_SECONDS = 60.0
LIMITER_WAIT_BUCKETS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
# In seconds. If a delivery is not acknowledged, Slack repeats it three times: at once, after one minute, and
# after five minutes.
DELIVERY_AGE_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 120.0, 360.0, 600.0)

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(level: str, log_format: str, mask: Mask, stream: TextIO | None = None) -> None:
    """Send our log and the logs of all libraries to one stream, in one format, with secrets masked."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _masking_processor(mask),
    ]
    renderers: list[structlog.typing.Processor] = [structlog.processors.JSONRenderer()]
    if log_format != "json":
        renderers = [_escape_for_terminal, structlog.dev.ConsoleRenderer(colors=False)]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    # A library's logger with a level of its own would bypass the root's level.
    handler.setLevel(_LEVELS[level])
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    logging.captureWarnings(capture=True)
    # At "info" these libraries write one line for each connection or call, and at "debug" whole requests.
    for name in ("apscheduler", "aiohttp.access", "slack_sdk", "slack_bolt", "httpx"):
        logging.getLogger(name).setLevel(max(_LEVELS[level], logging.WARNING))
    # APScheduler would warn whenever a timer skips a call because its last call still runs. Skipping is
    # intended, and happens twice a second while Redis hangs. The code that makes a call logs the call's
    # exceptions. A call that is cancelled when the process ends is no error.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _escape_for_terminal(
    _logger: Any,
    _name: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """Escape control characters in messages and stacks, because a terminal would obey them.

    Stacks are indented, so that no line of an exception's message looks like a record. The renderer escapes
    the other values.
    """
    event["event"] = put_on_one_line(escape_unseen(str(event.get("event", ""))))
    for key in _STACK_FIELDS:
        if key in event:
            stack = escape_unseen(str(event[key]))
            event[key] = _STACK_INDENT + stack.replace("\n", f"\n{_STACK_INDENT}")
    return event


def _masking_processor(mask: Mask) -> structlog.typing.Processor:
    def masked(
        _logger: Any,
        _name: str,
        event: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        for key, value in event.items():
            longest = LONGEST_STACK if key in _STACK_FIELDS else LONGEST_VALUE
            event[key] = value if key.startswith("_") else _mask_value(value, mask, longest)
        return event

    return masked


def _mask_value(value: object, mask: Mask, longest: int = LONGEST_VALUE) -> object:
    """Return a value for the log, with secrets masked at any depth, for example in a list or an error.

    A long value is cut. A secret that begins before the cut and ends after it is masked too.
    """
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {mask(str(key)): _mask_value(part, mask) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_mask_value(part, mask) for part in value]
    text = str(value)
    if len(text) <= longest:
        return mask(text)
    return f"{mask_beginning(mask, text, longest)}… ({len(text):,} characters)"


def logger(name: str) -> Logger:
    """Return the logger of one part."""
    bound: Logger = structlog.stdlib.get_logger(name)
    return bound


class ThrottledLog:
    """Logs an event at once, and then at most once a minute with the number of events since the last line."""

    def __init__(
        self, log: Callable[..., object], event: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._event = event
        self._now = now
        self._count = 0
        self._began_at: float | None = None
        self._logged_at: float | None = None

    def __call__(self, **values: object) -> None:
        """Log the event, or count it for the next line."""
        now = self._now()
        self._count += 1
        if self._logged_at is None or now - self._logged_at >= LOG_INTERVAL_SECONDS:
            self._log(self._event, **values, times=self._count)
            self._logged_at, self._count = now, 0
        self._began_at = now if self._began_at is None else self._began_at

    def end(self) -> float | None:
        """End the event, so that the next event is logged at once. Return the event's duration in seconds.

        Return None if there was no event since the latest end.
        """
        if self._began_at is None:
            return None
        seconds = self._now() - self._began_at
        self._count, self._began_at, self._logged_at = 0, None, None
        return seconds


def reference() -> str:
    """Return a short random word. A person can quote the word, and an operator finds the log line by it."""
    return secrets.token_hex(4)


class Metrics:
    """All metrics, for Prometheus. The text of each metric is its documentation."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauge("info", "Which Taskwire this is; always 1", "version").labels(__version__).set(1)
        self.up = self._gauge("up", "1 if a needed system answers, 0 if not", "system")
        self._add_deliveries()
        self._add_jobs()
        self._add_queues()
        self._add_polling()
        self._add_rate_limits()

    def _add_deliveries(self) -> None:
        self.deliveries = self._counter("deliveries", "Payloads from Slack, by outcome", "kind", "outcome")
        self.payloads_dropped = self._counter(
            "payloads_dropped", "Payloads from Slack that are ignored, by reason", "why"
        )
        self.requests_refused = self._counter("requests_refused", "HTTP requests refused, by reason", "why")
        self.http_connections = self._gauge(
            "http_connections", "Connections to the HTTP server, by state", "state"
        )
        self.http_waiting_bytes = self._gauge(
            "http_waiting_bytes", "Bytes of requests that are not verified yet"
        )
        self.http_connections_closed = self._counter(
            "http_connections_closed", "Connections that the server closed, by reason", "why"
        )
        self.delivery_age_seconds = self._histogram(
            "delivery_age_seconds",
            "Age of a message, edit or deletion when it was claimed",
            DELIVERY_AGE_BUCKETS,
            "kind",
        )
        self.backfills = self._counter("backfills", "Backfills: threads were read for missed messages")
        self.missed_messages = self._counter("missed_messages", "Missed messages that backfills found")
        self.sockets_opened = self._counter(
            "sockets_opened", "Socket Mode connections that Slack has accepted"
        )
        self.socket_connections = self._gauge(
            "socket_connections", "Socket Mode connections of this app in all processes, as Slack last said"
        )
        self.socket_age_seconds = self._gauge(
            "socket_age_seconds", "How long this process's connection has been open; 0 without one"
        )

    def _add_jobs(self) -> None:
        self.jobs = self._counter("jobs", "Leases completed, by kind of job and outcome", "kind", "outcome")
        self.retries = self._counter("retries", "Jobs that will be retried, by reason", "kind", "why")
        self.attempts = self._counter("attempts", "Attempts of effects that must not be repeated", "kind")
        self.reconciled = self._counter(
            "reconciled",
            "Attempts of unknown outcome that were reconciled, by what was found",
            "kind",
            "found",
        )
        self.leases_taken_over = self._counter(
            "leases_taken_over", "Jobs taken over because the lease before expired", "kind"
        )
        self.lost_leases = self._counter("lost_leases", "Leases that another process had taken over", "kind")
        self.duplicates_removed = self._counter(
            "duplicates_removed", "Duplicates that a stopped process had made, removed or reported", "kind"
        )
        self.dead_letters = self._counter(
            "dead_letters", "Jobs given up; `taskwire doctor` shows them", "kind"
        )
        self.audit_entries_refused = self._counter(
            "audit_entries_refused", "Entries of the audit trail that Redis refused; they are only in the log"
        )
        self.leases_held = self._gauge("leases_held", "Jobs that this process is running, at most 32")

    def _add_queues(self) -> None:
        self.waiting_queues = self._gauge("waiting_queues", "Queues that have jobs, due or not")
        self.waiting_jobs = self._gauge("waiting_jobs", "Jobs that wait in queues of this kind", "queue")
        self.due_age_seconds = self._gauge(
            "due_age_seconds", "How long the queue that is due for longest has waited for a worker", "queue"
        )
        self.oldest_job_age_seconds = self._gauge(
            "oldest_job_age_seconds",
            "How long ago the oldest job at the head of a queue was written",
            "queue",
        )
        self.waits_for_newer = self._gauge(
            "waits_for_newer", "Queues whose next job only a newer version can read, while none runs"
        )
        self.dead_letters_kept = self._gauge("dead_letters_kept", "Dead letters that nobody has dealt with")
        self.store_failures = self._counter("store_failures", "Times that Redis did not answer a worker")
        self.data_losses = self._counter(
            "data_losses", "Times that Redis was another server or had lost writes"
        )

    def _add_polling(self) -> None:
        self.polls = self._counter("polls", "Polls of Coder's list of tasks", "outcome")
        self.tasks_read = self._counter("tasks_read", "Changed tasks that were read from Coder's list")
        self.poll_seconds = self._histogram(
            "poll_seconds", "How long a poll of Coder's list took", Histogram.DEFAULT_BUCKETS
        )
        self.links = self._gauge("links", "Tasks that have an open thread")
        self.last_poll_timestamp_seconds = self._gauge(
            "last_poll_timestamp_seconds", "When Coder's list was last read, in seconds since 1970"
        )

    def _add_rate_limits(self) -> None:
        self.limiter_wait_seconds = self._histogram(
            "limiter_wait_seconds",
            "How long calls to Slack waited for the rate limiter, by method and priority",
            LIMITER_WAIT_BUCKETS,
            "method",
            "priority",
        )
        self.rate_limited = self._counter(
            "rate_limited", "Answers from Slack that limit the rate (HTTP 429 or ratelimited)", "method"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"taskwire_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"taskwire_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"taskwire_{name}", text, labels, buckets=buckets, registry=self.registry)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
