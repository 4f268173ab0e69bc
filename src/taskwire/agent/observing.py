"""Turns Coder's answers into domain values, and reads an agent's reports.

An observation is what Coder shows about a task at one time. All text from Coder and from agents is masked
before it is stored. When a task is seen for the first time, its reports are read too. Without the reports, an
agent that has finished would look like an agent that asks a question.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from taskwire.coder.client import CoderClient
from taskwire.coder.models import AgentReport, Task, TaskLogs, TaskStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError
from taskwire.domain.ids import TaskId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.link_state import LinkState, ReducerSettings
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import AgentLogEntry, Observation, Report
from taskwire.domain.lifecycle.transitions import reduce
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.domain.parsing.naming import find_words, make_replacement_title
from taskwire.domain.text.agent_text import AgentText
from taskwire.domain.text.thread_context import remove_context
from taskwire.telemetry import logger

# How many characters of a text are masked and stored. Messages show only a few hundred, and masking more
# would block the event loop.
LONGEST_PROMPT, LONGEST_REPORT, LONGEST_TITLE = 2_000, 2_000, 500
# The longest address that Slack accepts for a button. A longer address is left out, because a shortened
# address would lead elsewhere.
LONGEST_ADDRESS = 3_000

Mask = Callable[[str], str]


def observation_of(task: Task, mask: Mask) -> Observation:
    """Return what Coder shows about this task as an observation, with masked texts."""
    health = task.workspace_agent_health
    return Observation(
        task_id=TaskId(task.id),
        name=task.name,
        title=make_safe_title(task, mask),
        owner_id=task.owner_id,
        owner_name=task.owner_name,
        template=task.template_display_name or task.template_name,
        status=task.raw_status,
        workspace_id=task.workspace_id,
        workspace_status=task.raw_workspace_status,
        build=task.workspace_build_number,
        agent_id=task.workspace_agent_id,
        app_id=task.workspace_app_id,
        is_healthy=None if health is None else health.healthy,
        is_script_failed=task.is_script_failed,
        created_at=task.created_at,
        report=_find_current_report(task, mask),
    )


def make_safe_title(task: Task, mask: Mask) -> str:
    """Return the task's title, masked. It has nothing of the thread that the agent got with the prompt.

    Coder's own title is also made from that thread, which not everybody may read who reads the title.
    """
    words = remove_context(task.initial_prompt)
    if words == task.initial_prompt:
        return mask_beginning(mask, task.title, LONGEST_TITLE)
    return make_replacement_title(mask_beginning(mask, find_words(words), LONGEST_TITLE))


def shorten_prompt(prompt: str) -> AgentText:
    """Return as much of a prompt as the record of a link needs once Coder has the whole prompt.

    The cut may go through a secret, and half of a secret is not masked. So people see only the first lines
    of the result, on cards. Where they see the whole prompt, it comes from Coder.
    """
    return AgentText(prompt[:LONGEST_PROMPT])


def with_observation(link: Link, seen: Observed, rules: ReducerSettings, now_ms: int) -> Link:
    """Return the link with a fresh observation, for display only.

    The stored state changes only when the link's own queue applies the observation.
    """
    state = reduce(link.state, seen, rules, now_ms).state
    return link.model_copy(update={"observation": seen.observation, "state": state})


def list_reports_known_at(
    state: LinkState, seen: Observation, history: tuple[Report, ...]
) -> tuple[Report, ...]:
    """Return those reports of `history` that existed when Coder made the list of tasks for `seen`.

    If the list shows a report, these are the reports up to its time. If the list shows an agent without a
    report, these are the reports of other agents. If the list shows no agent, these are the reports of the
    agent in `state`, and the reports whose agent is not known.
    """
    if seen.report is not None:
        return tuple(report for report in history if report.at <= seen.report.at)
    if seen.agent_id is not None:
        return tuple(report for report in history if report.agent_id != seen.agent_id)
    return tuple(report for report in history if report.agent_id in ("", state.agent_id))


def _find_current_report(task: Task, mask: Mask) -> Report | None:
    """Find the agent's newest report; None if there is none.

    While a workspace starts, Coder shows a text of its own in place of a report. That text is not a report.
    """
    state = task.current_state
    if state is None or task.status in (TaskStatus.PENDING, TaskStatus.INITIALIZING):
        return None
    at = state.timestamp
    return Report(
        id=f"at-{at.timestamp():.6f}",
        at=at,
        state=state.state.value,
        message=mask_beginning(mask, state.message, LONGEST_REPORT),
        uri=_address(state.uri, mask),
    )


def entries_of(logs: TaskLogs) -> list[AgentLogEntry]:
    """Return the entries of an agent's log, in order."""
    entries = [AgentLogEntry(id=e.id, is_input=e.is_input, text=e.content, at=e.time) for e in logs.logs]
    return sorted(entries, key=lambda entry: entry.id)


async def reports_of(reports: Sequence[AgentReport], mask: Mask) -> tuple[Report, ...]:
    """Return the agent's reports, with masked texts.

    An agent may have thousands of reports, so a worker thread masks the texts.
    """
    return await asyncio.to_thread(lambda: tuple(_report_of(report, mask) for report in reports))


def _address(uri: str, mask: Mask) -> str:
    return mask(uri) if len(uri) <= LONGEST_ADDRESS else ""


def _report_of(report: AgentReport, mask: Mask) -> Report:
    return Report(
        id=report.id,
        at=report.created_at,
        state=report.state.value,
        message=mask_beginning(mask, report.message, LONGEST_REPORT),
        uri=_address(report.uri, mask),
        agent_id=report.agent_id,
    )


_log = logger("taskwire.agent.observing")


async def observe_first(deps: Dependencies, coder: CoderClient, task: Task) -> Observed:
    """Return the first observation of a task that gets a link now, as an event.

    The event contains the agent's reports, if they can be read.
    """
    seen = observation_of(task, deps.mask)
    try:
        return Observed(observation=seen, reports=await _list_reports_of(deps, coder, seen), is_baseline=True)
    except AccountRefused:
        raise
    except OutsideError as error:
        _log.info("agent's reports not readable, thread opened without them", task=task.id, error=str(error))
        return Observed(observation=seen, is_baseline=True)


class ReportSource(NamedTuple):
    """Where Coder keeps a task's reports: the ids of the workspace's agent and of its app, None if not known.

    `stopped_at` is when the workspace was told to stop. It is None if the workspace was not stopped, or was
    stopped after the observation.
    """

    agent: str | None
    app: str | None
    stopped_at: datetime | None = None


async def find_report_source(coder: CoderClient, seen: Observation, known: ReportSource) -> ReportSource:
    """Find where Coder keeps the task's reports. `known` is the place that was known before.

    While a workspace is stopped, Coder's task shows no agent. Then ask for the workspace, because it may have
    started with a new agent and stopped again since the previous poll.
    """
    agent, app = seen.agent_id or known.agent, seen.app_id or known.app
    if seen.agent_id is not None or seen.workspace_id is None:
        return ReportSource(agent, app)
    workspace = await coder.get_workspace(seen.workspace_id)
    last, build = workspace.latest_app_status, workspace.latest_build
    # If an event is handled late, a later build may be a stop. The event is not about that stop.
    is_stop = build.transition == "stop" and build.build_number <= seen.build
    stopped_at = build.created_at if is_stop else None
    return (
        ReportSource(last.agent_id, last.app_id, stopped_at) if last else ReportSource(agent, app, stopped_at)
    )


async def list_reports(deps: Dependencies, coder: CoderClient, reporter: ReportSource) -> tuple[Report, ...]:
    """List all reports, the oldest first. The list is empty if the agent is not known."""
    if reporter.agent is None or reporter.app is None:
        return ()
    return await reports_of(await coder.list_reports(reporter.agent, reporter.app), deps.mask)


async def _list_reports_of(deps: Dependencies, coder: CoderClient, seen: Observation) -> tuple[Report, ...]:
    if seen.agent_id is None and seen.report is None:
        return ()
    source = await find_report_source(coder, seen, ReportSource(None, None))
    return await list_reports(deps, coder, source)
