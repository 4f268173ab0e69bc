"""Reads a task's log for people: the agent's new output since the last excerpt, or its latest output.
The steps that a notice does not show are stored here too.

A cursor stores how much of the log people have seen. A long log takes 200 ms to process. A worker thread
(`asyncio.to_thread`) processes the log, so that the event loop does not stop.
"""

import asyncio
import json
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple

from taskwire.agent.observing import entries_of
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import AppUnreachable, NoLogs, NotFound, TooLong
from taskwire.coder.long_answers import NewestLogs
from taskwire.coder.models import TaskLogs
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import NoPlace, OutsideError, UserError
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import AgentLogEntry
from taskwire.domain.text import excerpts
from taskwire.domain.text.agent_questions import read_answer
from taskwire.domain.text.excerpts import Cursor, Excerpt, keep_end
from taskwire.domain.text.markdown import cut_at_block
from taskwire.domain.text.message import AgentOutput
from taskwire.messages import refusals
from taskwire.outbox.coder_health import is_agent_forbidden
from taskwire.queue.batch import Batch
from taskwire.state.retention import STEPS
from taskwire.telemetry import logger

# How long a notice waits for its excerpt, in seconds. Coder waits 30 s for an agent that it cannot reach.
LOG_TIMEOUT_SECONDS = 8.0
# In characters. Slack refuses a message whose blocks have more than about 13,000 characters in all.
LONGEST_ANSWER = 3_000
# In characters. The steps of a turn are stored for as long as their button works.
LONGEST_STEPS = 100_000
# Of how many notices of one task the steps are stored. An agent may end turn after turn without end.
MOST_WITH_STEPS = 10
WITH_STEPS = "with_steps"

# How many lines Follow shows, and how many characters at the end of the log are read for them.
LIVE_LINES = 12
LONGEST_LIVE_LOG = 50_000

_log = logger("taskwire.agent.log")


class LastOutput(NamedTuple):
    """An agent's latest output.

    If `is_snapshot`, Coder stored this text when the task was paused, at `snapshot_at`.
    """

    output: AgentOutput = AgentOutput()
    is_snapshot: bool = False
    snapshot_at: datetime | None = None


class FullLog(NamedTuple):
    """A task's log as Coder has it; of a very long log, the end.

    The snapshot of a paused task has only the last messages before the pause.
    """

    text: str = ""
    is_snapshot: bool = False
    snapshot_at: datetime | None = None


async def read_new_output(deps: Dependencies, coder: CoderClient, link: Link) -> AgentOutput:
    """Return what the agent has written since the last excerpt.

    The result is empty if the log cannot be read.
    """
    logs = await _find_logs(coder, link)
    if logs is None:
        return AgentOutput()
    excerpt, cursor = await asyncio.to_thread(
        excerpts.make_excerpt,
        await _recent_entries(logs),
        _load_cursor(link.cursor),
        build=link.state.build,
        mask=deps.mask,
        is_snapshot=logs.snapshot,
    )
    if excerpt is None:
        return AgentOutput(cursor=_dump_cursor(cursor))
    return _make_output(excerpt, _dump_cursor(cursor))


def _make_output(excerpt: Excerpt, cursor: str = "") -> AgentOutput:
    """Make the agent's output with an excerpt that is short enough for a message."""
    turn = excerpt.turn
    answer = cut_at_block(turn.answer, LONGEST_ANSWER)
    if answer:
        text, full_text = "", turn.answer if answer != turn.answer else ""
    else:
        text, full_text = excerpt.text, excerpt.full_text if excerpt.is_cut else ""
    return AgentOutput(
        answer=answer,
        text=text,
        full_text=full_text,
        steps_text=keep_end(turn.steps_text, lines=LONGEST_STEPS, characters=LONGEST_STEPS).text,
        step_count=turn.step_count,
        tests_passed=turn.tests_passed,
        tests_failed=turn.tests_failed,
        cursor=cursor,
    )


async def read_end_cursor(deps: Dependencies, coder: CoderClient, link: Link) -> str:
    """Return a cursor for the end of the log. With it, the next excerpt shows only output that is newer.

    Return an empty cursor if the log cannot be read.
    """
    logs = await _find_logs(coder, link)
    if logs is None:
        return ""
    build = link.observation.build if link.observation else link.state.build
    entries = await _recent_entries(logs)
    cursor = await asyncio.to_thread(excerpts.make_cursor, entries, build=build, mask=deps.mask)
    return _dump_cursor(cursor)


async def read_last_output(deps: Dependencies, coder: CoderClient, link: Link) -> LastOutput:
    """Return the agent's latest output. Raise UserError if Coder cannot show the log now."""
    logs = await _get_logs(coder, link)
    if logs is None:
        return LastOutput()
    lines = await _recent_entries(logs)
    excerpt = await asyncio.to_thread(excerpts.excerpt_last_output, lines, mask=deps.mask)
    output = _make_output(excerpt) if excerpt is not None else AgentOutput()
    return LastOutput(output, logs.snapshot, logs.snapshot_at)


async def read_last_lines(deps: Dependencies, coder: CoderClient, link: Link) -> str:
    """Return the last lines of the agent's log; empty if the log cannot be read now."""
    logs = await _find_logs(coder, link)
    if logs is None or logs.snapshot:
        return ""
    entries = await _recent_entries(logs, LONGEST_LIVE_LOG)
    excerpt = await asyncio.to_thread(excerpts.excerpt_last_output, entries, mask=deps.mask)
    rows = excerpt.text.rstrip().split("\n") if excerpt is not None else []
    return "\n".join(rows[-LIVE_LINES:])


async def offers_number(deps: Dependencies, logs: TaskLogs, number: str) -> bool:
    """Return whether the agent's program shows a menu now that has a choice with this number."""
    entries = [] if logs.snapshot else await _recent_entries(logs)
    if not entries or entries[-1].is_input:
        return False
    excerpt = await asyncio.to_thread(excerpts.excerpt_last_output, entries[-1:], mask=deps.mask)
    output = _make_output(excerpt) if excerpt is not None else AgentOutput()
    choices = read_answer(output.answer, output.full_text).choices
    return any(choice.is_menu and choice.reply == number for choice in choices)


async def keep_steps(
    deps: Dependencies, batch: Batch, link: Link, key: str, steps_text: str, now_ms: int
) -> Batch:
    """Store the steps before an answer, under the key of the notice's button *Show steps*.

    Of the task's oldest notices, forget the steps. Raises RedisError.
    """
    return await deps.notes.keep_newest_in(
        batch,
        steps_text,
        STEPS,
        link.id,
        key,
        group=(WITH_STEPS, link.id),
        at_ms=now_ms,
        most=MOST_WITH_STEPS,
        ttl_ms=deps.writes.kept.excerpt_ms,
    )


async def read_full_log(coder: CoderClient, link: Link) -> FullLog:
    """Return the whole log without masking it. Of a very long log, return the end.

    `slack/files.py` masks a file before the upload. Raise UserError if Coder cannot show the log.
    """
    logs = await _get_logs(coder, link)
    if logs is None:
        return FullLog()
    text = await asyncio.to_thread(lambda: excerpts.render_log(entries_of(logs), logs.left_out))
    return FullLog(text, logs.snapshot, logs.snapshot_at)


async def _get_logs(coder: CoderClient, link: Link) -> NewestLogs | None:
    """Return the log of an agent; None if its task was not created yet.

    Raise UserError if Coder cannot show the log.
    """
    task_id, title = link.record.task_id, link.title
    if task_id is None:
        return None
    if link.observation is not None and link.observation.is_lost:
        # Without this check, Coder would try to reach the agent for 30 s.
        raise UserError(*refusals.agent_lost(link))
    try:
        return await coder.get_logs(task_id)
    except NoLogs:
        raise UserError(*refusals.logs_unavailable(title)) from None
    except AppUnreachable:
        raise UserError(*refusals.agent_unreachable(title)) from None
    except NotFound:
        why = refusals.agent_access_denied if await is_agent_forbidden(coder, task_id) else refusals.task_gone
        raise UserError(*why(title)) from None
    except TooLong:
        raise UserError(*refusals.log_too_long(title)) from None


async def _find_logs(coder: CoderClient, link: Link) -> NewestLogs | None:
    if link.record.task_id is None or (link.observation is not None and link.observation.is_lost):
        return None
    try:
        async with asyncio.timeout(LOG_TIMEOUT_SECONDS):
            return await coder.get_logs(link.record.task_id)
    except NoPlace:
        raise
    except (OutsideError, TimeoutError) as error:
        # The notice is more important than its excerpt, and must not wait for the agent.
        _log.info("agent's log not readable, continuing without it", link=link.id, error=str(error))
        return None


async def _recent_entries(logs: TaskLogs, longest: int = excerpts.MAX_LOG_CHARACTERS) -> list[AgentLogEntry]:
    return await asyncio.to_thread(lambda: excerpts.keep_recent(entries_of(logs), longest))


def _dump_cursor(cursor: Cursor | None) -> str:
    return json.dumps(asdict(cursor), default=datetime.isoformat) if cursor is not None else ""


def _load_cursor(kept: str) -> Cursor | None:
    if not kept:
        return None
    try:
        fields = json.loads(kept)
        last_input_at = fields["last_input_at"]
        fields["last_input_at"] = datetime.fromisoformat(last_input_at) if last_input_at else None
        return Cursor(**{**fields, "last_lines": tuple(fields["last_lines"])})
    except (KeyError, TypeError, ValueError):
        # Another version has stored the cursor in its own format. So the latest excerpt is shown again.
        return None
