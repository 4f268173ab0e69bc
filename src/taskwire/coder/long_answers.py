"""Parses those answers of Coder whose length an agent or a template decides: logs and reports.

Such an answer may have hundreds of thousands of entries that are almost empty, and parsing all of them would
block the event loop for seconds. So the entries are separated without parsing them, only the newest ones are
parsed, and other work may run in between.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import msgspec

from taskwire.coder import models
from taskwire.coder.errors import UnexpectedCoderAnswer

# How many of the newest entries are parsed. A conversation with an agent has two log entries for each turn.
MOST_LOG_ENTRIES, MOST_REPORTS, MOST_BUILD_LOG_LINES = 5_000, 1_000, 2_000
# After this many entries, other work may run. To parse them takes two or three milliseconds.
PIECE_ENTRIES = 500

S = TypeVar("S")


class _Logs(msgspec.Struct):
    logs: list[msgspec.Raw] | None = None
    snapshot: msgspec.Raw = msgspec.Raw(b"false")
    snapshot_at: msgspec.Raw = msgspec.Raw(b"null")


class _App(msgspec.Struct):
    id: str
    statuses: list[msgspec.Raw] | None = None


class _Agent(msgspec.Struct):
    apps: list[_App] | None = None


_LOGS = msgspec.json.Decoder(_Logs)
_AGENT = msgspec.json.Decoder(_Agent)
_LINES: msgspec.json.Decoder[list[msgspec.Raw] | None] = msgspec.json.Decoder(list[msgspec.Raw] | None)


class NewestLogs(models.TaskLogs):
    """The newest entries of a log. `left_out` is the number of older entries that Coder has sent too."""

    left_out: int = 0


async def parse_logs(body: bytes) -> NewestLogs:
    """Parse the newest entries of a log, in Coder's order. Raises `UnexpectedCoderAnswer` if it cannot."""
    found = _split(body, _LOGS, "get logs")
    raws = found.logs or []
    newest = raws[-MOST_LOG_ENTRIES:]
    entries: list[models.LogEntry] = []
    async for piece in _iter_pieces(newest):
        found.logs = piece
        logs = models.parse(NewestLogs, msgspec.json.encode(found), "get logs")
        entries += logs.logs
    return logs.model_copy(update={"logs": tuple(entries), "left_out": len(raws) - len(newest)})


async def parse_reports(body: bytes, app_id: str) -> list[models.AgentReport]:
    """Parse the newest reports that an agent made through an app; the oldest first. None without such an app.

    Raises `UnexpectedCoderAnswer` if the answer cannot be read.
    """
    apps = _split(body, _AGENT, "list reports").apps or []
    raws = [raw for app in apps if app.id == app_id for raw in app.statuses or []]
    reports: list[models.AgentReport] = []
    # Coder sends the newest report first.
    async for piece in _iter_pieces(raws[:MOST_REPORTS]):
        one = msgspec.json.encode(_Agent([_App(app_id, piece)]))
        reports += models.parse(models.Agent, one, "list reports").apps[0].statuses
    # Coder's times are cut to microseconds, so reports with equal times must keep Coder's order.
    reports.reverse()
    reports.sort(key=lambda report: report.created_at)
    return reports


async def parse_build_log(body: bytes) -> tuple[models.BuildLog, ...]:
    """Parse the end of a build's log. Raises `UnexpectedCoderAnswer` if the answer cannot be read."""
    raws = _split(body, _LINES, "list build logs") or []
    lines: list[models.BuildLog] = []
    async for piece in _iter_pieces(raws[-MOST_BUILD_LOG_LINES:]):
        lines += models.parse_list(models.BuildLog, msgspec.json.encode(piece), "list build logs")
    return tuple(lines)


async def _iter_pieces(raws: Sequence[msgspec.Raw]) -> AsyncIterator[list[msgspec.Raw]]:
    """Yield a list in pieces, at least one piece. Let other work run after each piece."""
    for at in range(0, max(1, len(raws)), PIECE_ENTRIES):
        yield list(raws[at : at + PIECE_ENTRIES])
        await asyncio.sleep(0)


def _split(body: bytes, decoder: msgspec.json.Decoder[S], operation: str) -> S:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = str(exc)
    raise UnexpectedCoderAnswer(operation, reason)
