"""Logs and metrics: what an operator sees. Secrets are masked before anything is written."""

import logging
import secrets
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from taskwire import __version__

Mask = Callable[[str], str]
Logger = structlog.stdlib.BoundLogger

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
        self.taken = self._counter(
            "deliveries", "Payloads from Slack, by what became of them", "kind", "outcome"
        )
        self.jobs = self._counter("jobs", "Turns that ended, by kind of job and verdict", "kind", "outcome")
        self.lost_turns = self._counter("lost_turns", "Turns that another process had taken over", "kind")
        self.dead = self._counter("dead_letters", "Jobs given up; `taskwire doctor` shows them", "kind")
        self.sweeps = self._counter("sweeps", "Looks at Coder's list of tasks", "outcome")
        self.tasks_read = self._counter("tasks_read", "Tasks of Coder's list that were read, having changed")
        self.sweep_seconds = Histogram(
            "taskwire_sweep_seconds", "How long a look at Coder's list took", registry=self.registry
        )
        self.links = self._gauge("links", "Tasks that have an open thread")
        self.waiting_lists = self._gauge("waiting_lists", "Lists of jobs that have work, due or not")
        self.last_sweep = self._gauge(
            "last_sweep_timestamp_seconds", "When Coder's list was last read, in seconds since 1970"
        )
        self.limiter_waits = Histogram(
            "taskwire_limiter_wait_seconds",
            "How long calls to Slack waited for a place in its limits, by method and urgency",
            ("method", "urgency"),
            buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300),
            registry=self.registry,
        )
        self.rate_limited = self._counter("rate_limited", "Answers of Slack's that say: too fast", "method")
        self.is_up = self._gauge("up", "Whether a system that is needed answers (1) or not (0)", "system")
        self._gauge("info", "Which Taskwire this is; always 1", "version").labels(__version__).set(1)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"taskwire_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"taskwire_{name}", text, labels, registry=self.registry)

    def exposition(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)
