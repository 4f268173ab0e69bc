"""Reading a task's log for people: what is new since the last excerpt, or what was written last."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from taskwire.bridge.doors import Doors
from taskwire.coder.models import Logs
from taskwire.model import excerpts
from taskwire.model.errors import OutsideError
from taskwire.model.excerpts import Cursor, LogLine
from taskwire.model.links import Link
from taskwire.telemetry import logger

_log = logger("taskwire.excerpting")


class Told(NamedTuple):
    """An excerpt, the whole of it if it was cut, and where the next one begins."""

    text: str = ""
    is_cut: bool = False
    whole: str = ""
    cursor: str = ""


async def read_news(doors: Doors, link: Link) -> Told:
    """What the agent has written since the last excerpt; nothing where the log cannot be read now."""
    if link.bond.task_id is None:
        return Told()
    try:
        logs = await doors.coder.get_logs(link.bond.task_id)
    except OutsideError as error:
        # The notice matters more than its excerpt, and must not wait for an agent that does not answer.
        _log.info("log not readable", link=link.id, error=str(error))
        return Told()
    excerpt, cursor = excerpts.since(
        _lines(logs),
        _cursor(link.cursor),
        build=link.story.build,
        mask=doors.mask,
        is_snapshot=logs.snapshot,
    )
    kept = json.dumps(asdict(cursor), default=datetime.isoformat) if cursor is not None else ""
    if excerpt is None:
        return Told(cursor=kept)
    return Told(excerpt.text, excerpt.is_cut, excerpt.full_text if excerpt.is_cut else "", kept)


async def read_last(doors: Doors, task_id: str) -> Told:
    """What the agent wrote last, and the whole log; raises the door's errors."""
    lines = _lines(await doors.coder.get_logs(task_id))
    excerpt = excerpts.last(lines, mask=doors.mask)
    whole = excerpts.whole(lines, mask=doors.mask)
    return Told(excerpt.text, excerpt.is_cut, whole) if excerpt is not None else Told(whole=whole)


def _lines(logs: Logs) -> list[LogLine]:
    return [LogLine(entry.id, entry.is_input, entry.content, entry.time) for entry in logs.logs]


def _cursor(kept: str) -> Cursor | None:
    if not kept:
        return None
    told = json.loads(kept)
    asked_at = told["asked_at"]
    told["asked_at"] = datetime.fromisoformat(asked_at) if asked_at else None
    return Cursor(**{**told, "tail": tuple(told["tail"])})
