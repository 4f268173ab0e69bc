"""The order of the tests, and what is printed after them besides their outcomes."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests import ports
from tests.programs import NOT_TESTED

# What is not a test module but asserts for one.
pytest.register_assert_rewrite("tests.faults.flows", "tests.faults.deployment")

# The property under which a test of `tests/faults` reports what it tried.
TRIED = "tried"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let each process begin with its share of the long tests: none of them is left for the end.

    Each gets a part of the list as it stands. Long are those that have a time-out of their own.
    """
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("timeout")]
    others = [item for item in items if not item.get_closest_marker("timeout")]
    items.clear()
    for number in range(count):
        begin, end = (len(others) * at // count for at in (number, number + 1))
        items += [*long[number::count], *others[begin:end]]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """Say how much was tried to break; and what was not tested here, behind all else."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    lines = [str(text) for report in reports for name, text in report.user_properties if name == TRIED]
    if lines:
        terminalreporter.section("crash points")
        for line in sorted(lines):
            terminalreporter.line(line)
    yield
    _tell_what_was_not_tested(terminalreporter)


def _tell_what_was_not_tested(reporter: pytest.TerminalReporter) -> None:
    """Say it once for each reason: a line among hundreds of skips is not read."""
    skipped = [report.longrepr for report in reporter.getreports("skipped")]
    reasons = Counter(place[2].partition(NOT_TESTED)[2] for place in skipped if isinstance(place, tuple))
    missed = {reason: count for reason, count in reasons.items() if reason}
    if missed:
        reporter.section("not tested on this machine", yellow=True, bold=True)
        for reason, count in sorted(missed.items()):
            tests = "1 test needs more" if count == 1 else f"{count} tests need more"
            reporter.line(f"{tests} than there is here: {reason}", yellow=True)


def pytest_sessionfinish() -> None:
    """Let go of the ports that servers of tests had."""
    ports.let_go()
