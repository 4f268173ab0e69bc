"""Logs and metrics, in both forms of the log. Every secret is masked, at any depth."""

import asyncio
import io
import json
import logging
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from taskwire.app.scheduler import PeriodicCalls
from taskwire.domain.masking.secrets import Masker
from taskwire.telemetry import LONGEST_VALUE, Metrics, ThrottledLog, configure_logs, logger

SECRET = "swordfish-4711"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Restore the logging setup and the libraries' own levels after the test."""
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
    """Collect the log as JSON, at the lowest level."""
    stream = io.StringIO()
    configure_logs("debug", "json", Masker([SECRET]).mask, stream)
    return stream


def _lines(log: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_is_one_json_object(log: io.StringIO) -> None:
    """Each line of the log is one JSON object. A log collector finds the same field names in each line."""
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
    """A logged value of any type shows no secret."""
    logger("taskwire.tests").warning("trouble", value=value)
    logging.getLogger("a.library").warning("trouble with %s", value)

    assert len(_lines(log)) == 2
    assert SECRET not in log.getvalue()


def test_a_long_value_is_cut_behind_its_secrets(log: io.StringIO) -> None:
    """Masking runs on the event loop and must be short. So a long value is cut, but only after its secrets
    were masked."""
    before = "a " * (LONGEST_VALUE // 2 - 5)

    logger("test").info("said", body=f"{before}{SECRET}{'b ' * 100_000}")

    said = str(_lines(log)[0]["body"])
    assert said.startswith(before + "•••")
    assert SECRET[:5] not in said
    assert said.endswith("… (204,004 characters)")
    assert len(said) < LONGEST_VALUE + 30


def test_a_stack_trace_is_masked_too(log: io.StringIO) -> None:
    """A stack trace in the log shows no secret, although an error message may quote a value with a secret in
    it."""
    try:
        raise ValueError(f"not a number: {SECRET}")
    except ValueError:
        logger("taskwire.tests").exception("surprised")
        logging.getLogger("a.library").exception("surprised")

    assert log.getvalue().count("Traceback") == 2
    assert SECRET not in log.getvalue()


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_own_token_is_masked_in_any_dress_and_an_unfinished_key_too(form: str) -> None:
    """An encoded token and an incomplete key are masked in errors, in libraries' log lines and in fields, in
    both forms of the log."""
    token, stream = "xoxb-123456789012-abcDEFghiJKLmnoPQR", io.StringIO()
    configure_logs("debug", form, Masker([token], [token]).mask, stream)
    dressed = [
        token.upper(),
        token.replace("-", "%2D"),
        "\u200b".join(token),
        b64encode(token.encode()).decode(),
    ]
    key = "-----BEGIN PRIVATE KEY-----\n" + "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"] * 200)

    for words in (*dressed, key):
        try:
            raise ValueError(f"no: {words}")
        except ValueError as error:
            logger("taskwire.tests").exception(f"{words} is wrong", error=error, asked={words: [words]})
            logging.getLogger("a.library").exception("got %s", words)

    written = stream.getvalue().lower()
    assert written.count("traceback") == 2 * len([*dressed, key])
    assert [word for word in (*dressed, "MIIEvQIBADANBgkqhk", "abcDEFghi") if word.lower() in written] == []
    assert [word for word in dressed if ascii(word)[1:-1].lower() in written] == []


def test_libraries_do_not_write_out_their_requests(log: io.StringIO) -> None:
    """At the level "debug", the SDKs would log whole payloads with people's words. The bot prevents that."""
    for name in ("slack_sdk.web", "slack_bolt.App", "httpx", "apscheduler.executors"):
        logging.getLogger(name).debug("a whole payload")

    assert log.getvalue() == ""


async def test_calls_that_are_left_out_or_broken_off_are_no_news(log: io.StringIO) -> None:
    """A periodic call hangs, so the scheduler skips the next ones, and the process ends meanwhile. Even at
    the lowest level, the log has no line of the scheduler about this."""
    timers, called, hanging = PeriodicCalls(poll_seconds=0.05), asyncio.Semaphore(0), asyncio.Event()

    async def hangs() -> float:
        await hanging.wait()
        return 0.0

    async def comes() -> None:
        called.release()

    timers.start(hangs, comes, comes, {"seldom": comes})
    for _ in range(3):
        await called.acquire()
    await timers.stop(0.0)
    await asyncio.sleep(0)

    assert "apscheduler" not in log.getvalue()


def test_a_library_with_a_level_of_its_own_does_not_pass_ours() -> None:
    """A library sets its own level to "info". A log at the level "error" still has errors only."""
    stream = io.StringIO()
    configure_logs("error", "text", Masker().mask, stream)
    talkative = logging.getLogger("a.talkative.library")
    talkative.setLevel(logging.DEBUG)

    talkative.info("news")
    talkative.error("trouble")

    assert "trouble" in stream.getvalue()
    assert "news" not in stream.getvalue()


def test_what_goes_on_is_said_at_once_and_then_each_minute() -> None:
    """An event that goes on is logged at once, and then once a minute. Each line has the number of events
    since the previous line. After the end, the next event is logged at once."""
    said: list[dict[str, object]] = []
    now = [0.0]
    away = ThrottledLog(
        lambda event, **values: said.append({"event": event} | values), "away", lambda: now[0]
    )

    assert away.end() is None
    for now[0] in (0.0, 1.0, 59.0, 60.0, 61.0, 130.0):
        away(error=f"at {now[0]:.0f}")
    lasted = away.end()
    away(error="again")

    assert said == [
        {"event": "away", "error": "at 0", "times": 1},
        {"event": "away", "error": "at 60", "times": 3},
        {"event": "away", "error": "at 130", "times": 2},
        {"event": "away", "error": "again", "times": 1},
    ]
    assert lasted == 130.0


def test_figures_have_good_names_and_say_what_they_are() -> None:
    """Each metric has the prefix of Taskwire and a help text."""
    metrics = Metrics()
    metrics.deliveries.labels("command", "taken").inc()

    text = metrics.exposition().decode()

    helps = [line.split(" ", 3) for line in text.splitlines() if line.startswith("# HELP")]
    assert all(len(words) == 4 and words[3] for words in helps)
    assert all(words[2].startswith("taskwire_") for words in helps)
    assert 'taskwire_deliveries_total{kind="command",outcome="taken"} 1.0' in text


def test_every_figure_is_documented() -> None:
    """docs/running.md lists exactly the metrics that exist."""
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")

    documented = set(re.findall(r"^\| `(taskwire_\w+)`", page, re.MULTILINE))

    text = Metrics().exposition().decode()
    named = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert documented == {name for name in named if not name.endswith("_created")}


def test_nobody_writes_lines_of_their_own_into_a_log_of_text() -> None:
    """A logged text cannot begin a new line or move the terminal's cursor. In the JSON form, such characters
    are escaped."""
    stream, evil = io.StringIO(), "a\n2026-01-01 [error    ] forged\x1b[2J\x9b1m\r\u2028b\u202ec"
    configure_logs("debug", "text", str, stream)

    logger("taskwire.tests").warning("a name", name=evil)
    logger("taskwire.tests").warning(f"said {evil}")
    logging.getLogger("a.library").warning("trouble with %s", evil)
    try:
        raise ValueError(evil)
    except ValueError:
        logger("taskwire.tests").exception("surprised")
        logging.getLogger("a.library").error("surprised", exc_info=True, stack_info=True)

    written = stream.getvalue()
    assert [letter for letter in written if not letter.isprintable() and letter != "\n"] == []
    records = [line for line in written.splitlines() if not line.startswith("    ") and line.strip("=")]
    assert len(records) == 5
    assert [line for line in records if line.startswith("2026-01-01")] == []
    assert written.count("\n    2026-01-01 [error    ] forged") == 2
    assert r"trouble with a\n2026-01-01 [error    ] forged\u001b[2J\u009b1m\u000d\u2028b\u202ec" in written
