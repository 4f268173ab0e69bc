"""Reading a task's log for people: what is new since the last excerpt, or what was written last.

A long log takes a fifth of a second to read, so that is done beside the loop.
"""

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from taskwire.bridge.doors import Doors
from taskwire.coder.errors import AppUnreachable, NoLogs, NotFound, TooLong
from taskwire.coder.models import Logs
from taskwire.model import excerpts
from taskwire.model.errors import OutsideError, UserError
from taskwire.model.excerpts import Cursor, LogLine
from taskwire.model.jobs import Written
from taskwire.model.links import Link
from taskwire.telemetry import logger
from taskwire.words import refusals

# A notice waits no longer than this for its excerpt; Coder waits 30 s for an agent that is out of reach.
NEWS_SECONDS = 8.0

_log = logger("taskwire.excerpting")


class Told(NamedTuple):
    """An excerpt, and the whole log."""

    text: str = ""
    is_cut: bool = False
    whole: str = ""


async def read_news(doors: Doors, link: Link) -> Written:
    """What the agent has written since the last excerpt; nothing where the log cannot be read now."""
    logs = await _find_logs(doors, link)
    if logs is None:
        return Written()
    excerpt, cursor = await asyncio.to_thread(
        excerpts.since,
        _lines(logs),
        _cursor(link.cursor),
        build=link.story.build,
        mask=doors.mask,
        is_snapshot=logs.snapshot,
    )
    if excerpt is None:
        return Written(cursor=_kept(cursor))
    whole = excerpt.full_text if excerpt.is_cut else ""
    return Written(text=excerpt.text, whole=whole, cursor=_kept(cursor))


async def read_told(doors: Doors, link: Link) -> str:
    """Where the log ends now, as a cursor: all that is there counts as told."""
    logs = await _find_logs(doors, link)
    if logs is None:
        return ""
    build = link.seen.build if link.seen else link.story.build
    told = await asyncio.to_thread(excerpts.told, _lines(logs), build=build, mask=doors.mask)
    return _kept(told)


async def read_last(doors: Doors, task_id: str, title: str) -> Told:
    """What the agent wrote last, and the whole log; UserError where Coder cannot show it just now."""
    try:
        lines = _lines(await doors.coder.get_logs(task_id))
    except NoLogs:
        raise UserError(*refusals.no_logs_now(title)) from None
    except AppUnreachable:
        raise UserError(*refusals.agent_is_away(title)) from None
    except NotFound:
        raise UserError(*refusals.task_is_gone(title)) from None
    except TooLong:
        raise UserError(*refusals.log_too_long(title)) from None
    excerpt = await asyncio.to_thread(excerpts.last, lines, mask=doors.mask)
    whole = await asyncio.to_thread(excerpts.whole, lines, mask=doors.mask)
    return Told(excerpt.text, excerpt.is_cut, whole) if excerpt is not None else Told(whole=whole)


async def _find_logs(doors: Doors, link: Link) -> Logs | None:
    if link.bond.task_id is None:
        return None
    try:
        async with asyncio.timeout(NEWS_SECONDS):
            return await doors.coder.get_logs(link.bond.task_id)
    except (OutsideError, TimeoutError) as error:
        # The notice matters more than its excerpt, and must not wait for an agent that does not answer.
        _log.info("log not readable", link=link.id, error=str(error))
        return None


def _lines(logs: Logs) -> list[LogLine]:
    lines = [LogLine(entry.id, entry.is_input, entry.content, entry.time) for entry in logs.logs]
    return excerpts.recent(lines)


def _kept(cursor: Cursor | None) -> str:
    return json.dumps(asdict(cursor), default=datetime.isoformat) if cursor is not None else ""


def _cursor(kept: str) -> Cursor | None:
    if not kept:
        return None
    told = json.loads(kept)
    asked_at = told["asked_at"]
    told["asked_at"] = datetime.fromisoformat(asked_at) if asked_at else None
    return Cursor(**{**told, "tail": tuple(told["tail"])})
