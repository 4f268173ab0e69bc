"""What Coder derives from its rows: a task's status and state, a workspace's status, an agent's health."""

from datetime import datetime
from typing import NamedTuple

from taskwire_sandbox.coder.rows import Agent, Build, Task, Workspace

TASK_STATUSES = ("pending", "initializing", "active", "paused", "unknown", "error")
STATE_NAMES = {"failure": "failed"}  # maps a state's name in a report to its name in a task


class State(NamedTuple):
    """The current state of a task's agent."""

    timestamp: datetime
    state: str
    message: str
    uri: str


def task_status(task: Task) -> str:
    """Return the task's status.

    The status depends first on the build, then on the agent, then on the app, as in Coder's database view.
    """
    build = task.workspace.latest
    by_build = _build_status(build)
    if by_build != "active":
        return by_build
    by_agent = _agent_status(build.agent)
    return by_agent if by_agent != "active" else _app_status(build.agent)


def _build_status(build: Build) -> str:
    if build.job_status in ("failed", "canceling", "canceled"):
        return "error"
    if build.transition in ("stop", "delete"):
        return "paused" if build.job_status == "succeeded" else "unknown"
    return "pending" if build.job_status == "pending" else "active"


def _agent_status(agent: Agent | None) -> str:
    if agent is None or agent.lifecycle in ("created", "starting"):
        return "initializing"
    return "active" if agent.lifecycle in ("ready", "start_timeout", "start_error") else "unknown"


def _app_status(agent: Agent | None) -> str:
    if agent is None:
        return "unknown"
    by_health = {
        "initializing": "initializing",
        "unhealthy": "error",
        "healthy": "active",
        "disabled": "active",
    }
    return by_health[agent.app.health]


def workspace_status(build: Build) -> str:
    """Return the workspace's status, which depends on its latest build."""
    if build.job_status in ("pending", "canceling", "canceled", "failed"):
        return build.job_status
    running, done = {
        "start": ("starting", "running"),
        "stop": ("stopping", "stopped"),
        "delete": ("deleting", "deleted"),
    }[build.transition]
    return done if build.job_status == "succeeded" else running


def current_state(task: Task, status: str) -> State | None:
    """Return the agent's latest report as a state. A report from before the latest start does not count.

    Without a report: if the task is initializing, return `working` with a text of Coder's own; otherwise
    None.
    """
    workspace = task.workspace
    build, report = workspace.latest, workspace.latest_status
    if report is not None and (build.transition != "start" or report.created_at > build.created_at):
        state = STATE_NAMES.get(report.state, report.state)
        return State(report.created_at, state, report.message, report.uri)
    if status != "initializing":
        return None
    return State(build.created_at, "working", _initializing_message(workspace), "")


def _initializing_message(workspace: Workspace) -> str:
    status = workspace_status(workspace.latest)
    agent = workspace.latest.agent
    if status in ("pending", "starting"):
        return f"Workspace is {status}"
    if agent is None:
        return "Initializing workspace"
    by_lifecycle = {"created": "Agent is connecting", "starting": "Agent is starting"}
    if agent.lifecycle != "ready":
        return by_lifecycle.get(agent.lifecycle, "Initializing workspace agent")
    if agent.app.health == "initializing":
        return "App is initializing"
    return "Initializing workspace applications"


def agent_connection(agent: Agent) -> str:
    """Return the agent's connection to coderd: connecting, connected or disconnected."""
    if agent.connected_at is None:
        return "connecting"
    return "connected" if agent.disconnected_at is None else "disconnected"


def agent_health(agent: Agent) -> tuple[bool, str]:
    """Return whether the agent is healthy, and the reason if it is not. The reason is empty for a healthy
    agent."""
    connection = agent_connection(agent)
    if connection == "connecting":
        return False, "agent has not yet connected"
    if connection == "disconnected":
        return False, "agent has lost connection"
    if agent.lifecycle == "start_error":
        return False, "agent startup script exited with an error"
    if agent.lifecycle in ("shutting_down", "off"):
        return False, "agent is shutting down"
    return True, ""
