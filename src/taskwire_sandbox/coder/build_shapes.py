"""The JSON of workspaces, builds and agents, with the keys in the order of the real server."""

from taskwire_sandbox.coder import derived
from taskwire_sandbox.coder.ids import NIL
from taskwire_sandbox.coder.rows import Agent, AppStatus, Build, LogLine, Task, Workspace
from taskwire_sandbox.coder.shapes import health_json
from taskwire_sandbox.coder.wire import Json, JsonValue, timestamp

CODE_SERVER_URL = "http://localhost:13337/?folder=/home/coder"
AGENTAPI_URL = "http://localhost:3284"


def build_json(build: Build, workspace: Workspace, *, has_resources: bool = True) -> Json:
    """Return a build. A build that was just created has no resources yet."""
    owner = workspace.owner
    resources: list[JsonValue] = [_resource(build, workspace)] if build.agent and has_resources else []
    avatar: Json = {"workspace_owner_avatar_url": owner.avatar_url} if owner.avatar_url else {}
    return {
        "id": build.id,
        "created_at": timestamp(build.created_at),
        "updated_at": timestamp(build.completed_at or build.started_at or build.created_at),
        "workspace_id": workspace.id,
        "workspace_name": workspace.name,
        "workspace_owner_id": owner.id,
        "workspace_owner_name": owner.username,
        **avatar,
        "template_version_id": build.version.id,
        "template_version_name": build.version.name,
        "build_number": build.number,
        "transition": build.transition,
        "initiator_id": build.initiator.id,
        "initiator_name": build.initiator.username,
        "job": _job(build, workspace),
        "reason": build.reason,
        "resources": resources,
        "deadline": None,
        "max_deadline": None,
        "status": derived.workspace_status(build),
        "daily_cost": 0,
        "matched_provisioners": {
            "count": 1,
            "available": 1,
            "most_recently_seen": timestamp(build.created_at),
        },
        "template_version_preset_id": build.preset_id,
        "has_ai_task": build.version.has_ai_task,
    }


def _job(build: Build, workspace: Workspace) -> Json:
    times: Json = {}
    if build.started_at:
        times["started_at"] = timestamp(build.started_at)
    if build.completed_at:
        times["completed_at"] = timestamp(build.completed_at)
    error: Json = {"error": build.error} if build.error else {}
    return {
        "id": build.job_id,
        "created_at": timestamp(build.created_at),
        **times,
        **error,
        "status": build.job_status,
        **({"worker_id": NIL} if build.started_at else {}),
        "file_id": NIL,
        "tags": {"owner": "", "scope": "organization"},
        "queue_position": 0,
        "queue_size": 0,
        "organization_id": workspace.organization.id,
        "initiator_id": build.initiator.id,
        "input": {"workspace_build_id": build.id},
        "type": "workspace_build",
        "metadata": {
            "template_version_name": "",
            "template_id": workspace.template.id,
            "template_name": "",
            "template_display_name": "",
            "template_icon": "",
        },
        "logs_overflowed": False,
    }


def _resource(build: Build, workspace: Workspace) -> Json:
    has_agent = build.agent is not None and not build.agent.is_deleted
    agents: list[JsonValue] = [agent_json(build.agent, workspace)] if build.agent and has_agent else []
    return {
        "id": build.id,
        "created_at": timestamp(build.created_at),
        "job_id": build.job_id,
        "workspace_transition": build.transition,
        "type": "docker_container",
        "name": "workspace",
        "hide": False,
        "icon": "",
        "agents": agents,
        "daily_cost": 0,
    }


def agent_json(agent: Agent, workspace: Workspace) -> Json:
    """Return an agent with its two apps: an editor, and the app through which users reach the agent."""
    apps: list[JsonValue] = [_editor_json(agent), _app_json(agent, workspace)]
    return {
        "id": agent.id,
        "parent_id": None,
        "created_at": timestamp(agent.created_at),
        "updated_at": timestamp(agent.ready_at or agent.created_at),
        **_agent_times(agent),
        "status": derived.agent_connection(agent),
        "lifecycle_state": agent.lifecycle,
        "name": "main",
        "resource_id": agent.id,
        "architecture": "amd64",
        "environment_variables": {},
        "operating_system": "linux",
        "logs_length": sum(len(line.output) for line in agent.logs),
        "logs_overflowed": False,
        "directory": "/home/coder",
        "version": "v2.34.1+8ab3f1c",
        "api_version": "2.8",
        "apps": apps,
        "connection_timeout_seconds": 120,
        "troubleshooting_url": "",
        "subsystems": [],
        "health": health_json(*derived.agent_health(agent)),
        "display_apps": ["web_terminal", "ssh_helper"],
        "log_sources": [],
        "scripts": [],
        "startup_script_behavior": "non-blocking",
    }


def _agent_times(agent: Agent) -> Json:
    times = {
        "first_connected_at": agent.connected_at,
        "last_connected_at": agent.connected_at,
        "disconnected_at": agent.disconnected_at,
        "started_at": agent.started_at,
        "ready_at": agent.ready_at,
    }
    return {name: timestamp(moment) for name, moment in times.items() if moment}


def _editor_json(agent: Agent) -> Json:
    return {
        "id": agent.editor_id,
        "url": CODE_SERVER_URL,
        "external": False,
        "slug": "code-server",
        "display_name": "code-server",
        "icon": "/icon/code.svg",
        "subdomain": False,
        "sharing_level": "owner",
        "healthcheck": {"url": "", "interval": 0, "threshold": 0},
        "health": "disabled",
        "hidden": False,
        "open_in": "slim-window",
        "statuses": [],
    }


def _app_json(agent: Agent, workspace: Workspace) -> Json:
    statuses: list[JsonValue] = [status_json(status, workspace) for status in reversed(agent.app.statuses)]
    return {
        "id": agent.app.id,
        "url": AGENTAPI_URL,
        "external": False,
        "slug": "ccw",
        "display_name": "Coding Agent",
        "icon": "/icon/terminal.svg",
        "subdomain": False,
        "sharing_level": "owner",
        "healthcheck": {"url": f"{AGENTAPI_URL}/status", "interval": 3, "threshold": 20},
        "health": agent.app.health,
        "hidden": False,
        "open_in": "slim-window",
        "statuses": statuses,
    }


def status_json(status: AppStatus, workspace: Workspace) -> Json:
    """Return one report. A failed agent has the state `failure` in a report, but `failed` in a task."""
    return {
        "id": status.id,
        "created_at": timestamp(status.created_at),
        "workspace_id": workspace.id,
        "agent_id": status.agent_id,
        "app_id": status.app_id,
        "state": status.state,
        "message": status.message,
        "uri": status.uri,
        "icon": "",
        "needs_user_attention": False,
    }


def workspace_json(workspace: Workspace, task: Task | None) -> Json:
    """Return a workspace with its latest build and its latest report."""
    owner, template, latest = workspace.owner, workspace.template, workspace.latest
    status = status_json(workspace.latest_status, workspace) if workspace.latest_status else None
    failing: list[JsonValue] = (
        [latest.agent.id] if latest.agent and not derived.agent_health(latest.agent)[0] else []
    )
    return {
        "id": workspace.id,
        "created_at": timestamp(workspace.created_at),
        "updated_at": timestamp(workspace.updated_at),
        "owner_id": owner.id,
        "owner_name": owner.username,
        "owner_avatar_url": owner.avatar_url,
        "organization_id": workspace.organization.id,
        "organization_name": workspace.organization.name,
        "template_id": template.id,
        "template_name": template.name,
        "template_display_name": template.display_name,
        "template_icon": template.icon,
        "template_allow_user_cancel_workspace_jobs": True,
        "template_active_version_id": template.active.id,
        "template_require_active_version": False,
        "template_use_classic_parameter_flow": False,
        "latest_build": build_json(latest, workspace),
        "latest_app_status": status,
        "outdated": latest.version is not template.active,
        "name": workspace.name,
        "last_used_at": timestamp(workspace.updated_at),
        "deleting_at": None,
        "dormant_at": None,
        "health": {"healthy": not failing, "failing_agents": failing},
        "automatic_updates": "never",
        "allow_renames": False,
        "favorite": False,
        "next_start_at": None,
        "is_prebuild": False,
        "task_id": task.id if task else None,
    }


def build_log_json(line: LogLine) -> Json:
    """Return a line of a build's log."""
    return {
        "id": line.id,
        "created_at": timestamp(line.created_at),
        "log_source": line.source,
        "log_level": line.level,
        "stage": line.stage,
        "output": line.output,
    }


def agent_log_json(line: LogLine, agent: Agent) -> Json:
    """Return a line of an agent's log."""
    return {
        "id": line.id,
        "created_at": timestamp(line.created_at),
        "output": line.output,
        "level": line.level,
        "source_id": agent.id,
    }
