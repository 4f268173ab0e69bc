"""Logs and metrics: what an operator sees. Secrets are masked before anything is written."""

import logging
import secrets
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(_LEVELS[level])
    # Their "info" is one line a connection or a call.
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
            if isinstance(value, str):
                event[key] = mask(value)
        return event

    return masked


def logger(name: str) -> Logger:
    """The log of one part."""
    made: Logger = structlog.stdlib.get_logger(name)
    return made


def reference() -> str:
    """A short word that a person can quote and that finds the log line."""
    return secrets.token_hex(4)


class Metrics:
    """What is counted, for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        name = "taskwire"
        self.taken = self._counter(f"{name}_deliveries", "Deliveries from Slack", "kind", "outcome")
        self.jobs = self._counter(f"{name}_jobs", "Turns that ended", "kind", "outcome")
        self.read_backs = self._counter(f"{name}_read_backs", "Unknown outcomes read back", "kind", "found")
        self.lost_turns = self._counter(f"{name}_lost_turns", "Turns whose token no longer held", "kind")
        self.dead = self._counter(f"{name}_dead_letters", "Jobs given up", "kind")
        self.outside = self._counter(f"{name}_outside_errors", "Failed outside calls", "system", "outcome")
        self.sweeps = self._counter(f"{name}_sweeps", "Sweeps of Coder's list", "outcome")
        self.sweep_seconds = Histogram(f"{name}_sweep_seconds", "A sweep's length", registry=self.registry)
        self.links = Gauge(f"{name}_links", "Tasks with an open thread", registry=self.registry)
        self.last_sweep = Gauge(
            f"{name}_last_sweep_timestamp_seconds", "When a sweep last succeeded", registry=self.registry
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def exposition(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self.registry)
