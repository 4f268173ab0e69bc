"""Coder's answers as values that the model knows."""

from taskwire.coder.models import AgentReport, Logs, Task, TaskStatus
from taskwire.model.changes import Observed, Rules, after
from taskwire.model.doubt import Entry
from taskwire.model.ids import TaskId
from taskwire.model.links import Link
from taskwire.model.phases import Observation, Report

# As long as anything that is written in Slack. A task that was made elsewhere may have more; of that only the
# beginning is ever shown.
LONGEST_PROMPT = 40_000


def observation_of(task: Task) -> Observation:
    """A task as the model sees it."""
    health = task.workspace_agent_health
    return Observation(
        task_id=TaskId(task.id),
        name=task.name,
        title=task.title,
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
        prompt=task.initial_prompt[:LONGEST_PROMPT],
        created_at=task.created_at,
        report=_current(task),
    )


def as_it_stands(link: Link, seen: Observed, rules: Rules, now_ms: int) -> Link:
    """The link by what has just been seen, only to be shown: what is told is for its own list to decide."""
    story = after(link.story, seen, rules, now_ms).story
    return link.model_copy(update={"seen": seen.seen, "story": story})


def _current(task: Task) -> Report | None:
    """The agent's own newest word; while a workspace comes up Coder shows words of its own instead."""
    state = task.current_state
    if state is None or task.status in (TaskStatus.PENDING, TaskStatus.INITIALIZING):
        return None
    at = state.timestamp
    return Report(
        id=f"at-{at.timestamp():.6f}", at=at, state=state.state.value, message=state.message, uri=state.uri
    )


def entries_of(logs: Logs) -> list[Entry]:
    """The agent's log as the model sees it."""
    entries = [Entry(id=e.id, is_input=e.is_input, text=e.content, at=e.time) for e in logs.logs]
    return sorted(entries, key=lambda entry: entry.id)


def report_of(report: AgentReport) -> Report:
    """One entry of the agent's history."""
    return Report(
        id=report.id,
        at=report.created_at,
        state=report.state.value,
        message=report.message,
        uri=report.uri,
        agent_id=report.agent_id,
    )
