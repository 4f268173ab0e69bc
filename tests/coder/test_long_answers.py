"""Of logs and reports, whose length an agent decides, only the newest entries are parsed, and other work runs
in between."""

import asyncio
import json
from collections.abc import Awaitable, Iterable
from typing import Any

import pytest

from taskwire.coder import long_answers
from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.coder.long_answers import MOST_BUILD_LOG_LINES, MOST_LOG_ENTRIES, MOST_REPORTS, PIECE_ENTRIES

AT = "2026-01-01T00:00:00Z"
MANY = 50_000


def _logs(numbers: Iterable[int]) -> bytes:
    logs = [{"id": number, "content": "", "type": "output", "time": AT} for number in numbers]
    return json.dumps({"logs": logs, "snapshot": True, "snapshot_at": AT}).encode()


def _reports(count: int) -> bytes:
    newest_first = [
        {"id": f"{number}", "created_at": AT, "state": "working", "message": "", "uri": ""}
        for number in reversed(range(count))
    ]
    other = {"id": "other", "statuses": [{"id": "not this app's"}]}
    return json.dumps({"apps": [other, {"id": "app", "statuses": newest_first}, {"id": "third"}]}).encode()


def _lines(count: int) -> bytes:
    return json.dumps([{"output": f"{number}"} for number in range(count)]).encode()


async def _count_turns(parsing: Awaitable[Any]) -> tuple[Any, int]:
    """Return the result, and how often other work ran before it was there."""
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(take_turns())
    result = await parsing
    other.cancel()
    return result, turns


async def test_the_newest_entries_of_a_log_are_parsed() -> None:
    logs, turns = await _count_turns(long_answers.parse_logs(_logs(range(MANY))))

    assert [entry.id for entry in logs.logs] == list(range(MANY - MOST_LOG_ENTRIES, MANY))
    assert logs.left_out == MANY - MOST_LOG_ENTRIES
    assert logs.snapshot
    assert logs.snapshot_at is not None
    assert turns >= MOST_LOG_ENTRIES // PIECE_ENTRIES


async def test_the_newest_reports_are_parsed() -> None:
    reports, turns = await _count_turns(long_answers.parse_reports(_reports(MANY), "app"))

    assert [report.id for report in reports] == [f"{n}" for n in range(MANY - MOST_REPORTS, MANY)]
    assert turns >= MOST_REPORTS // PIECE_ENTRIES


async def test_the_end_of_a_builds_log_is_parsed() -> None:
    lines, turns = await _count_turns(long_answers.parse_build_log(_lines(MANY)))

    assert [line.output for line in lines] == [f"{n}" for n in range(MANY - MOST_BUILD_LOG_LINES, MANY)]
    assert turns >= MOST_BUILD_LOG_LINES // PIECE_ENTRIES


async def test_an_answer_may_be_empty() -> None:
    for body in (b'{"logs":null}', b'{"logs":[]}', b"{}"):
        logs = await long_answers.parse_logs(body)
        assert (logs.logs, logs.left_out, logs.snapshot) == ((), 0, False)
    for body in (b'{"apps":null}', b"{}", b'{"apps":[{"id":"app","statuses":null}]}', _reports(3)):
        assert await long_answers.parse_reports(body, "none") == []
    for body in (b"null", b"[]"):
        assert await long_answers.parse_build_log(body) == ()


@pytest.mark.parametrize("body", [b"", b"<html>", b'"x"', b'{"logs":[1]}', b'{"logs":[{"id":"\xff"}]}'])
async def test_a_log_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(UnexpectedCoderAnswer, match="get logs"):
        await long_answers.parse_logs(body)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"apps":[{}]}', b'{"apps":[{"id":"app","statuses":[1]}]}'])
async def test_reports_that_cannot_be_read_are_refused(body: bytes) -> None:
    with pytest.raises(UnexpectedCoderAnswer, match="list reports"):
        await long_answers.parse_reports(body, "app")


@pytest.mark.parametrize("body", [b"", b"{}", b"[{}", b"[1]", b'[],"lines":[]'])
async def test_a_builds_log_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(UnexpectedCoderAnswer, match="list build logs"):
        await long_answers.parse_build_log(body)
