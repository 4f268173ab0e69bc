"""Orders the tests. After the run, prints how many faults the tests tried, and which tests were skipped."""

import gc
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from taskwire import sealing
from taskwire.redis import connection
from taskwire.redis.connection import Connections
from tests import ports
from tests.keys import KEY
from tests.programs import NOT_TESTED
from tests.sandbox.page_worlds import browser as browser
from tests.stores import running_store

# These modules contain no tests, but tests call their assertions.
pytest.register_assert_rewrite("tests.faults.flows", "tests.faults.deployment")

# Under this property of its report, a test of `tests/faults` stores a line that says what it has tried.
TRIED = "tried"

# After how many new objects to collect garbage, and after how many collections the older generations.
SELDOM = 20_000, 20, 50


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option `--every-way`. If several flows can try the same fault, only one of them tries it. With
    this option, each of them tries it."""
    parser.addoption("--every-way", action="store_true", help="try every fault in every flow (tests/faults)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long tests first, and spread them over the worker processes. Otherwise one process could start
    a long test when all others have ended.

    A test is long if it has a timeout of its own. pytest-xdist gives each worker process a contiguous part of
    the list, so each part begins with long tests.
    """
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("timeout")]
    others = [item for item in items if not item.get_closest_marker("timeout")]
    items.clear()
    for number in range(count):
        begin, end = (len(others) * at // count for at in (number, number + 1))
        items += [*long[number::count], *others[begin:end]]


def pytest_configure() -> None:
    """Install the encryption keys in this process, so that tests can store and read sealed values. Collect no
    garbage until the tests are collected, because the objects of the tests stay anyway."""
    sealing.install_keys([KEY])
    gc.disable()


def pytest_collection_finish() -> None:
    """When the tests are collected, exclude all present objects from garbage collection. These objects live
    until the end of the run anyway. Collect the others less often, because that took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one Valkey for all tests of this process. Return its URL."""
    path = tmp_path_factory.mktemp("store") / "socket"
    with running_store(path):
        yield f"unix://{path}"


@pytest.fixture
async def empty_store_url(store_url: str) -> str:
    """Remove all keys from the Valkey that the tests share. Return its URL."""
    async with connection.open(store_url) as both:
        # One test makes the store require a replica. If that test failed, the store may still require a
        # replica.
        await both.commands.config_set("min-replicas-to-write", 0)
        await both.commands.flushall()
    return store_url


@pytest.fixture
async def shared_store(empty_store_url: str) -> AsyncIterator[Connections]:
    """Return connections to the empty Valkey that the tests share."""
    async with connection.open(empty_store_url) as both:
        yield both


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Print how many faults the tests tried, and which tests were skipped."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    lines = [str(text) for report in reports for name, text in report.user_properties if name == TRIED]
    if lines:
        terminalreporter.section("crash points")
        for line in sorted(lines):
            terminalreporter.line(line)
    yield
    _tell_what_was_not_tested(terminalreporter)


def _tell_what_was_not_tested(reporter: pytest.TerminalReporter) -> None:
    """Print each reason for a skip only once, however many tests it skipped."""
    skipped = [report.longrepr for report in reporter.getreports("skipped")]
    reasons = Counter(place[2].partition(NOT_TESTED)[2] for place in skipped if isinstance(place, tuple))
    missed = {reason: count for reason, count in reasons.items() if reason}
    if missed:
        reporter.section("not tested on this machine", yellow=True, bold=True)
        for reason, count in sorted(missed.items()):
            tests = "1 test needs more" if count == 1 else f"{count} tests need more"
            reporter.line(f"{tests} than there is here: {reason}", yellow=True)


def pytest_sessionfinish() -> None:
    """When the run has ended, release the ports of the tests' servers."""
    ports.let_go()
