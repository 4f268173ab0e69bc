"""What is printed after the tests, besides their outcomes."""

import pytest

# What is not a test module but asserts for one.
pytest.register_assert_rewrite("tests.faults.flows", "tests.faults.life")

# The property under which a test of `tests/faults` reports what it tried.
TRIED = "tried"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried to break."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    lines = [str(text) for report in reports for name, text in report.user_properties if name == TRIED]
    if lines:
        terminalreporter.section("crash points")
        for line in sorted(lines):
            terminalreporter.line(line)
