"""Logs and figures: in both forms, and with every secret masked, however deep it sits."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from taskwire.model.secrets import Masker
from taskwire.scheduler import Timers
from taskwire.telemetry import Metrics, configure_logs, logger

SECRET = "swordfish-4711"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Put logging back afterwards, and each library's own level with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in root.manager.loggerDict}
    yield
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    for name in list(root.manager.loggerDict):
        logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))
    structlog.reset_defaults()


@pytest.fixture
def log() -> io.StringIO:
    """What is written, in JSON, at the lowest level."""
    stream = io.StringIO()
    configure_logs("debug", "json", Masker([SECRET]).mask, stream)
    return stream


def _lines(log: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_is_one_json_object(log: io.StringIO) -> None:
    """Whoever collects logs finds the same names in each line."""
    logger("taskwire.tests").info("something happened", count=3, ok=True)

    (line,) = _lines(log)
    assert line.pop("timestamp")
    assert line == {
        "event": "something happened",
        "level": "info",
        "logger": "taskwire.tests",
        "count": 3,
        "ok": True,
    }


@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"before {SECRET} after",
        [f"in a list {SECRET}"],
        {"in a map": {"deeper": SECRET}},
        {SECRET: "as a key"},
        (1, SECRET),
        {SECRET},
        ValueError(f"in an error {SECRET}"),
        SECRET.encode(),
    ],
)
def test_no_value_brings_a_secret_to_light(log: io.StringIO, value: object) -> None:
    """Whatever somebody gives a log line, and whatever it is called."""
    logger("taskwire.tests").warning("trouble", value=value)
    logging.getLogger("a.library").warning("trouble with %s", value)

    assert len(_lines(log)) == 2
    assert SECRET not in log.getvalue()


def test_a_stack_trace_is_masked_too(log: io.StringIO) -> None:
    """Errors quote what they could not use."""
    try:
        raise ValueError(f"not a number: {SECRET}")
    except ValueError:
        logger("taskwire.tests").exception("surprised")
        logging.getLogger("a.library").exception("surprised")

    assert log.getvalue().count("Traceback") == 2
    assert SECRET not in log.getvalue()


def test_libraries_do_not_write_out_their_requests(log: io.StringIO) -> None:
    """At "debug" the SDKs log whole payloads, and with them what people say."""
    for name in ("slack_sdk.web", "slack_bolt.App", "httpx", "apscheduler.executors"):
        logging.getLogger(name).debug("a whole payload")

    assert log.getvalue() == ""


async def test_calls_that_are_left_out_or_broken_off_are_no_news(log: io.StringIO) -> None:
    """Where Redis hangs a timer's calls take long; that no others are made meanwhile helps nobody."""
    timers, called, hanging = Timers(poll_seconds=0.05), asyncio.Semaphore(0), asyncio.Event()

    async def hangs() -> float:
        await hanging.wait()
        return 0.0

    async def comes() -> None:
        called.release()

    timers.start(hangs, comes, comes)
    for _ in range(3):
        await called.acquire()
    await timers.stop(0.0)
    await asyncio.sleep(0)

    assert "apscheduler" not in log.getvalue()


def test_a_library_with_a_level_of_its_own_does_not_pass_ours() -> None:
    """Who asks for errors only gets errors only."""
    stream = io.StringIO()
    configure_logs("error", "text", Masker().mask, stream)
    talkative = logging.getLogger("a.talkative.library")
    talkative.setLevel(logging.DEBUG)

    talkative.info("news")
    talkative.error("trouble")

    assert "trouble" in stream.getvalue()
    assert "news" not in stream.getvalue()


def test_figures_have_good_names_and_say_what_they_are() -> None:
    """Counters end in _total, times in _seconds, and each has a sentence."""
    metrics = Metrics()
    metrics.taken.labels("command", "taken").inc()

    text = metrics.exposition().decode()

    helps = [line.split(" ", 3) for line in text.splitlines() if line.startswith("# HELP")]
    assert all(len(words) == 4 and words[3] for words in helps)
    assert all(words[2].startswith("taskwire_") for words in helps)
    assert 'taskwire_deliveries_total{kind="command",outcome="taken"} 1.0' in text


def test_every_figure_is_documented() -> None:
    """The operator's page names each, and none that is not there."""
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")

    documented = set(re.findall(r"^\| `(taskwire_\w+)`", page, re.MULTILINE))

    text = Metrics().exposition().decode()
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert documented == {name for name in named if not name.endswith("_created")}
