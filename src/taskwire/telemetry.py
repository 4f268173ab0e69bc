"""Logs and metrics: what an operator sees. Secrets are masked before anything is written."""

import logging
import secrets
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from taskwire import __version__

Mask = Callable[[str], str]
Logger = structlog.stdlib.BoundLogger

LIMITER_WAITS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
# Slack brings what was not acknowledged again after one and after five minutes more.
DELIVERY_AGES = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 120.0, 360.0, 600.0)

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(level: str, form: str, mask: Mask, stream: TextIO | None = None) -> None:
    """Send our log and that of every library to one place, in one form, masked."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _masking(mask),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    # A library's logger with a level of its own would pass the root's.
    handler.setLevel(_LEVELS[level])
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    logging.captureWarnings(capture=True)
    # Their "info" is one line a connection or a call, their "debug" writes out whole requests.
    for chatty in ("apscheduler", "aiohttp.access", "slack_sdk", "slack_bolt", "httpx"):
        logging.getLogger(chatty).setLevel(max(_LEVELS[level], logging.WARNING))
    # A call that is left out while the last one goes on is left out on purpose, twice a second where Redis
    # hangs. What a call raises is logged by whoever made it; what is broken off at the end is no error.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _masking(mask: Mask) -> structlog.typing.Processor:
    def masked(
        _logger: Any,
        _name: str,
        event: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        for key, value in event.items():
            event[key] = value if key.startswith("_") else _shown(value, mask)
        return event

    return masked


def _shown(value: object, mask: Mask) -> object:
    """A value as it may be written, however deep a secret sits in it: in a list, or in an error's text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {mask(str(key)): _shown(part, mask) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(part, mask) for part in value]
    return mask(str(value))


def logger(name: str) -> Logger:
    """The log of one part."""
    made: Logger = structlog.stdlib.get_logger(name)
    return made


def reference() -> str:
    """A short word that a person can quote and that finds the log line."""
    return secrets.token_hex(4)


class Metrics:
    """What is counted, for Prometheus; each figure's text is its documentation."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gauge("info", "Which Taskwire this is; always 1", "version").labels(__version__).set(1)
        self.is_up = self._gauge("up", "Whether a system that is needed answers (1) or not (0)", "system")
        self._of_what_comes_in()
        self._of_turns()
        self._of_lists()
        self._of_watching()
        self._of_slacks_limits()

    def _of_what_comes_in(self) -> None:
        self.taken = self._counter(
            "deliveries", "Payloads from Slack, by what became of them", "kind", "outcome"
        )
        self.delivery_age = self._histogram(
            "delivery_age_seconds", "How old what people did was when it was taken", DELIVERY_AGES, "kind"
        )
        self.gaps = self._counter("gaps", "Times that the threads were read for what had been missed")
        self.missed = self._counter("missed_messages", "Messages that were found in doing so")
        self.sockets = self._counter("sockets_opened", "Sockets that Slack has welcomed")
        self.socket_connections = self._gauge(
            "socket_connections", "Sockets that this app has, all processes together, as Slack last said"
        )
        self.socket_age = self._gauge(
            "socket_age_seconds", "How long this process's socket has been open; 0 if it is not"
        )

    def _of_turns(self) -> None:
        self.jobs = self._counter(
            "jobs", "Turns that ended, by kind of job and how they ended", "kind", "outcome"
        )
        self.retries = self._counter("retries", "Turns that have to be repeated, by why", "kind", "why")
        self.attempts = self._counter("attempts", "Begun effects that cannot be repeated", "kind")
        self.read_backs = self._counter(
            "read_backs",
            "Attempts of unknown outcome that were looked for, by what was found",
            "kind",
            "found",
        )
        self.taken_over = self._counter(
            "turns_taken_over", "Turns taken over since the one before had no end in its time", "kind"
        )
        self.lost_turns = self._counter("lost_turns", "Turns that another process had taken over", "kind")
        self.doubles = self._counter(
            "doubles_tidied", "Second copies that a stopped process had made, taken back or told", "kind"
        )
        self.dead = self._counter("dead_letters", "Jobs given up; `taskwire doctor` shows them", "kind")
        self.in_hand = self._gauge("turns_in_hand", "Turns that this process carries out now, of 32 at most")

    def _of_lists(self) -> None:
        self.waiting_lists = self._gauge("waiting_lists", "Lists of jobs that have work, due or not")
        self.waiting_jobs = self._gauge("waiting_jobs", "Jobs that wait in lists of this kind", "lists")
        self.due_age = self._gauge(
            "due_age_seconds", "How long the list that is due for longest has waited for a worker", "lists"
        )
        self.job_age = self._gauge(
            "oldest_job_age_seconds", "How long ago the oldest job at the head of a list was written", "lists"
        )
        self.letters = self._gauge("dead_letters_kept", "Dead letters that nobody has dealt with")
        self.store_failures = self._counter("store_failures", "Times that Redis did not answer a worker")
        self.store_rewinds = self._counter(
            "store_rewinds", "Times that Redis was another one, or had gone back in time"
        )

    def _of_watching(self) -> None:
        self.sweeps = self._counter("sweeps", "Looks at Coder's list of tasks", "outcome")
        self.tasks_read = self._counter("tasks_read", "Tasks of Coder's list that were read, having changed")
        self.sweep_seconds = self._histogram(
            "sweep_seconds", "How long a look at Coder's list took", Histogram.DEFAULT_BUCKETS
        )
        self.links = self._gauge("links", "Tasks that have an open thread")
        self.last_sweep = self._gauge(
            "last_sweep_timestamp_seconds", "When Coder's list was last read, in seconds since 1970"
        )

    def _of_slacks_limits(self) -> None:
        self.limiter_waits = self._histogram(
            "limiter_wait_seconds",
            "How long calls to Slack waited for a place in its limits, by method and urgency",
            LIMITER_WAITS,
            "method",
            "urgency",
        )
        self.rate_limited = self._counter("rate_limited", "Answers of Slack's that say: too fast", "method")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"taskwire_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"taskwire_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Sequence[float], *labels: str) -> Histogram:
        return Histogram(f"taskwire_{name}", text, labels, buckets=buckets, registry=self.registry)

    def exposition(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)
