"""Coder's answers as values that the model knows: what it and its agents say is masked before it is kept.

What a task's agent has reported: by which agent and app that is read, and a task at first sight with it.

At first sight too the idle that follows an end is no question.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from taskwire.coder.models import AgentReport, Task, TaskLogs, TaskStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError
from taskwire.domain.ids import TaskId
from taskwire.domain.links import Link
from taskwire.domain.phases import AgentLogEntry, Observation, Report
from taskwire.domain.secrets import masked_beginning
from taskwire.domain.transitions import LinkState, Observed, Rules, reduce
from taskwire.telemetry import logger

# Of what Coder and agents say only a beginning is shown, of some hundred characters. So much of it is masked
# and kept, in characters: masking more of it would hold up the loop.
LONGEST_PROMPT, LONGEST_REPORT, LONGEST_TITLE = 2_000, 2_000, 500
# Slack takes no longer address for a button, and a shorter one would lead elsewhere.
LONGEST_ADDRESS = 3_000

Mask = Callable[[str], str]


def observation_of(task: Task, mask: Mask) -> Observation:
    """A task as the model sees it."""
    health = task.workspace_agent_health
    return Observation(
        task_id=TaskId(task.id),
        name=task.name,
        title=masked_beginning(mask, task.title, LONGEST_TITLE),
        owner_id=task.owner_id,
        owner_name=task.owner_name,
        template=task.template_display_name or task.template_name,
        status=task.status_word,
        workspace_id=task.workspace_id,
        workspace_status=task.workspace_status_word,
        build=task.workspace_build_number,
        agent_id=task.workspace_agent_id,
        app_id=task.workspace_app_id,
        is_healthy=None if health is None else health.healthy,
        is_script_failed=task.is_script_failed,
        created_at=task.created_at,
        report=_current(task, mask),
    )


def as_it_stands(link: Link, seen: Observed, rules: Rules, now_ms: int) -> Link:
    """The link by what has just been seen, only to be shown: what is told is for its own list to decide."""
    state = reduce(link.state, seen, rules, now_ms).state
    return link.model_copy(update={"seen": seen.seen, "state": state})


def known_at(state: LinkState, seen: Observation, history: tuple[Report, ...]) -> tuple[Report, ...]:
    """Tell what of an agent's history had been reported when the list showed this.

    While nothing is reported since a start, that is all that its own agent has not said; an agent that was
    not seen yet, where the start's own is not known, may be either, and is left to when that is known.
    """
    if seen.report is not None:
        return tuple(report for report in history if report.at <= seen.report.at)
    if seen.agent_id is not None:
        return tuple(report for report in history if report.agent_id != seen.agent_id)
    known = ("", state.agent_id)
    return tuple(report for report in history if state.agent_id is None or report.agent_id in known)


def _current(task: Task, mask: Mask) -> Report | None:
    """The agent's own newest word; while a workspace comes up Coder shows words of its own instead."""
    state = task.current_state
    if state is None or task.status in (TaskStatus.PENDING, TaskStatus.INITIALIZING):
        return None
    at = state.timestamp
    return Report(
        id=f"at-{at.timestamp():.6f}",
        at=at,
        state=state.state.value,
        message=masked_beginning(mask, state.message, LONGEST_REPORT),
        uri=_address(state.uri, mask),
    )


def entries_of(logs: TaskLogs) -> list[AgentLogEntry]:
    """The agent's log as the model sees it."""
    entries = [AgentLogEntry(id=e.id, is_input=e.is_input, text=e.content, at=e.time) for e in logs.logs]
    return sorted(entries, key=lambda entry: entry.id)


async def reports_of(reports: Sequence[AgentReport], mask: Mask) -> tuple[Report, ...]:
    """The agent's history; masking it is done beside the loop, since there may be thousands of entries."""
    return await asyncio.to_thread(lambda: tuple(_report_of(report, mask) for report in reports))


def _address(uri: str, mask: Mask) -> str:
    return mask(uri) if len(uri) <= LONGEST_ADDRESS else ""


def _report_of(report: AgentReport, mask: Mask) -> Report:
    return Report(
        id=report.id,
        at=report.created_at,
        state=report.state.value,
        message=masked_beginning(mask, report.message, LONGEST_REPORT),
        uri=_address(report.uri, mask),
        agent_id=report.agent_id,
    )


_log = logger("taskwire.outbox.observing")


async def observe_first(deps: Dependencies, task: Task) -> Observed:
    """A task that no link watches yet, with its history if that can be read now."""
    seen = observation_of(task, deps.mask)
    try:
        return Observed(seen=seen, reports=await _reports(deps, seen), is_baseline=True)
    except AccountRefused:
        raise
    except OutsideError as error:
        _log.info("report history not readable", task=task.id, error=str(error))
        return Observed(seen=seen, is_baseline=True)


class ReportSource(NamedTuple):
    """The agent and the app that have the history, and when its workspace was told to stop, if it was."""

    agent: str | None
    app: str | None
    stopped_at: datetime | None = None


async def find_report_source(deps: Dependencies, seen: Observation, known: ReportSource) -> ReportSource:
    """Find who has the history; `known` is what an earlier look has shown.

    A workspace that is not up has no agent in its task; it may have been up when nobody looked.
    """
    agent, app = seen.agent_id or known.agent, seen.app_id or known.app
    if seen.agent_id is not None or seen.workspace_id is None:
        return ReportSource(agent, app)
    workspace = await deps.coder.get_workspace(seen.workspace_id)
    last, build = workspace.latest_app_status, workspace.latest_build
    stopped_at = build.created_at if build.transition == "stop" else None
    return (
        ReportSource(last.agent_id, last.app_id, stopped_at) if last else ReportSource(agent, app, stopped_at)
    )


async def list_reports(deps: Dependencies, reporter: ReportSource) -> tuple[Report, ...]:
    """All that was reported, the oldest first; nothing where nobody is known who would have it."""
    if reporter.agent is None or reporter.app is None:
        return ()
    return await reports_of(await deps.coder.list_reports(reporter.agent, reporter.app), deps.mask)


async def _reports(deps: Dependencies, seen: Observation) -> tuple[Report, ...]:
    if seen.agent_id is None and seen.report is None:
        return ()
    return await list_reports(deps, await find_report_source(deps, seen, ReportSource(None, None)))
