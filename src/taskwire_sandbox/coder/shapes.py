"""The JSON of tasks, users and templates, with the keys in the order of the real server."""

from taskwire_sandbox.coder import derived
from taskwire_sandbox.coder.ids import NIL
from taskwire_sandbox.coder.reports import message_json
from taskwire_sandbox.coder.rows import (
    ORGANIZATION_ROLES,
    SITE_ROLES,
    ExternalAuth,
    Message,
    Organization,
    Parameter,
    Preset,
    Snapshot,
    Task,
    Template,
    Token,
    User,
    Version,
)
from taskwire_sandbox.coder.wire import Json, JsonValue, encode, timestamp

EIGHT_HOURS_MS = 28_800_000
OLD_SCOPES = ("all", "application_connect")


def task_bytes(task: Task) -> tuple[str, bytes]:
    """Return a task's status and JSON. Cache both until the task changes."""
    if task.cached is None:
        status = derived.task_status(task)
        task.cached = (status, encode(task_json(task, status)))
    return task.cached


def task_json(task: Task, status: str) -> Json:
    """Return a task as the list of tasks shows it. A request for one task shows it in the same way."""
    workspace, template = task.workspace, task.workspace.template
    build = workspace.latest
    agent = build.agent
    avatar: Json = {"owner_avatar_url": task.owner.avatar_url} if task.owner.avatar_url else {}
    return {
        "id": task.id,
        "organization_id": workspace.organization.id,
        "owner_id": task.owner.id,
        "owner_name": task.owner.username,
        **avatar,
        "name": task.name,
        "display_name": task.display_name,
        "template_id": template.id,
        "template_version_id": task.version.id,
        "template_name": template.name,
        "template_display_name": template.display_name,
        "template_icon": template.icon,
        "workspace_id": workspace.id,
        "workspace_name": workspace.name,
        "workspace_status": derived.workspace_status(build),
        "workspace_build_number": build.number,
        "workspace_agent_id": agent.id if agent else None,
        "workspace_agent_lifecycle": agent.lifecycle if agent else None,
        "workspace_agent_health": health_json(*derived.agent_health(agent)) if agent else None,
        "workspace_app_id": agent.app.id if agent else None,
        "initial_prompt": task.prompt,
        "status": status,
        "current_state": _state_json(task, status),
        "created_at": timestamp(task.created_at),
        "updated_at": timestamp(workspace.updated_at),
    }


def new_task_json(task: Task) -> Json:
    """Return a task as the answer to its creation shows it: the task's first build is pending."""
    started: Json = {
        "timestamp": timestamp(task.workspace.latest.created_at),
        "state": "working",
        "message": "Workspace is pending",
        "uri": "",
    }
    return task_json(task, "initializing") | {"workspace_status": "pending", "current_state": started}


def _state_json(task: Task, status: str) -> JsonValue:
    state = derived.current_state(task, status)
    if state is None:
        return None
    return {
        "timestamp": timestamp(state.timestamp),
        "state": state.state,
        "message": state.message,
        "uri": state.uri,
    }


def health_json(is_healthy: bool, reason: str) -> Json:
    """Return an agent's health. A healthy agent has no reason."""
    return {"healthy": is_healthy, "reason": reason} if reason else {"healthy": is_healthy}


def log_entry(message: Message, offset_minutes: int = 0) -> Json:
    """Return a message as an entry of a task's log.

    The time has an offset of `offset_minutes` from UTC.
    """
    found = message_json(message, offset_minutes)
    kind = {"user": "input", "agent": "output"}[message.role]
    return {"id": found["id"], "content": found["content"], "type": kind, "time": found["time"]}


def snapshot_json(snapshot: Snapshot | None) -> Json:
    """Return the log that Coder shows while a task's agent is not running. Its messages are those of the
    snapshot; without a snapshot, there are none."""
    if snapshot is None:
        return {"logs": [], "snapshot": True}
    logs: list[JsonValue] = [log_entry(message) for message in snapshot.messages]
    return {"logs": logs, "snapshot": True, "snapshot_at": timestamp(snapshot.created_at)}


def user_json(user: User) -> Json:
    """Return a user with all fields. Coder shows these fields to a viewer with the right to read users."""
    organizations: list[JsonValue] = list(user.org_roles)
    roles: list[JsonValue] = [{"name": name, "display_name": SITE_ROLES[name]} for name in sorted(user.roles)]
    named: Json = {"name": user.name} if user.name else {}
    named |= {"avatar_url": user.avatar_url} if user.avatar_url else {}
    return {
        "id": user.id,
        "username": user.username,
        **named,
        "email": user.email,
        "created_at": timestamp(user.created_at),
        "updated_at": timestamp(user.created_at),
        "last_seen_at": timestamp(user.created_at),
        "status": user.status,
        "login_type": "password",
        "organization_ids": organizations,
        "roles": roles,
        "has_ai_seat": False,
    }


def member_json(user: User, organization: Organization) -> Json:
    """Return a user as a member of an organization."""
    roles: list[JsonValue] = [
        {"name": name, "display_name": ORGANIZATION_ROLES.get(name, name), "organization_id": organization.id}
        for name in sorted(user.org_roles.get(organization.id, set()))
    ]
    global_roles: list[JsonValue] = [
        {"name": name, "display_name": SITE_ROLES[name]} for name in sorted(user.roles)
    ]
    return {
        "user_id": user.id,
        "organization_id": organization.id,
        "created_at": timestamp(user.created_at),
        "updated_at": timestamp(user.created_at),
        "roles": roles,
        "username": user.username,
        "name": user.name,
        "avatar_url": user.avatar_url,
        "email": user.email,
        "global_roles": global_roles,
    }


def organization_json(organization: Organization) -> Json:
    """Return an organization."""
    return {
        "id": organization.id,
        "name": organization.name,
        "display_name": organization.display_name,
        "icon": "",
        "description": "",
        "created_at": timestamp(organization.created_at),
        "updated_at": timestamp(organization.created_at),
        "is_default": organization.is_default,
        "default_org_member_roles": [],
    }


def token_json(token: Token) -> Json:
    """Return an API key without its secret."""
    scopes: list[JsonValue] = [f"coder:{scope}" if scope in OLD_SCOPES else scope for scope in token.scopes]
    return {
        "id": token.id,
        "user_id": token.user.id,
        "last_used": timestamp(token.created_at),
        "expires_at": timestamp(token.expires_at),
        "created_at": timestamp(token.created_at),
        "updated_at": timestamp(token.created_at),
        "login_type": token.login_type,
        "scope": scopes[0],
        "scopes": scopes,
        "token_name": token.name,
        "lifetime_seconds": token.lifetime_seconds,
        "allow_list": ["*:*"],
    }


def template_json(template: Template) -> Json:
    """Return a template. As on the real server, it does not say whether the template is for tasks."""
    organization = template.organization
    never: Json = {"P50": None, "P95": None}
    return {
        "id": template.id,
        "created_at": timestamp(template.created_at),
        "updated_at": timestamp(template.active.created_at),
        "organization_id": organization.id,
        "organization_name": organization.name,
        "organization_display_name": organization.display_name,
        "organization_icon": "",
        "name": template.name,
        "display_name": template.display_name,
        "provisioner": "terraform",
        "active_version_id": template.active.id,
        "active_user_count": 0,
        "build_time_stats": {"start": never, "stop": never, "delete": never},
        "description": template.description,
        "deprecated": bool(template.deprecation),
        "deprecation_message": template.deprecation,
        "deleted": False,
        "icon": template.icon,
        "default_ttl_ms": EIGHT_HOURS_MS,
        "activity_bump_ms": EIGHT_HOURS_MS // 8,
        "autostop_requirement": {"days_of_week": [], "weeks": 1},
        "autostart_requirement": {"days_of_week": ["monday", "tuesday", "wednesday", "thursday", "friday"]},
        "created_by_id": template.created_by.id,
        "created_by_name": template.created_by.username,
        "allow_user_autostart": True,
        "allow_user_autostop": True,
        "allow_user_cancel_workspace_jobs": True,
        "failure_ttl_ms": 0,
        "time_til_dormant_ms": 0,
        "time_til_dormant_autodelete_ms": 0,
        "require_active_version": False,
        "max_port_share_level": "public",
        "cors_behavior": "simple",
        "use_classic_parameter_flow": False,
        "disable_module_cache": False,
    }


def version_json(version: Version) -> Json:
    """Return a template version."""
    template = version.template
    author = template.created_by
    return {
        "id": version.id,
        "template_id": template.id,
        "organization_id": template.organization.id,
        "created_at": timestamp(version.created_at),
        "updated_at": timestamp(version.created_at),
        "name": version.name,
        "message": "",
        "job": _import_job(version),
        "readme": "",
        "created_by": {"id": author.id, "username": author.username, "avatar_url": author.avatar_url},
        "archived": version.is_archived,
        "has_external_agent": False,
    }


def _import_job(version: Version) -> Json:
    return {
        "id": version.id,
        "created_at": timestamp(version.created_at),
        "started_at": timestamp(version.created_at),
        "completed_at": timestamp(version.created_at),
        "status": "succeeded",
        "file_id": NIL,
        "tags": {"owner": "", "scope": "organization"},
        "queue_position": 0,
        "queue_size": 0,
        "organization_id": version.template.organization.id,
        "initiator_id": version.template.created_by.id,
        "input": {"template_version_id": version.id},
        "type": "template_version_import",
        "logs_overflowed": False,
    }


def preset_json(preset: Preset) -> Json:
    """Return a preset. The JSON keys are Go's field names, because Coder's struct defines no JSON names."""
    parameters: list[JsonValue] = [
        {"Name": name, "Value": value} for name, value in preset.parameters.items()
    ]
    return {
        "ID": preset.id,
        "Name": preset.name,
        "Parameters": parameters or None,
        "Default": preset.is_default,
        "DesiredPrebuildInstances": None,
        "Description": preset.description,
        "Icon": preset.icon,
    }


def parameter_json(parameter: Parameter) -> Json:
    """Return a template's rich parameter as JSON."""
    return {
        "name": parameter.name,
        "display_name": parameter.name,
        "description": parameter.description,
        "description_plaintext": parameter.description,
        "type": "string",
        "form_type": "input",
        "mutable": True,
        "default_value": parameter.default,
        "icon": "",
        "options": [],
        "required": parameter.is_required,
        "ephemeral": False,
    }


def external_auth_json(auth: ExternalAuth, user: User, access_url: str) -> Json:
    """Return an external account that a template needs, and whether the user has linked this account."""
    return {
        "id": auth.id,
        "type": auth.kind,
        "display_name": auth.display_name,
        "display_icon": f"/icon/{auth.kind}.svg",
        "authenticate_url": f"{access_url}/external-auth/{auth.id}",
        "authenticated": auth.id in user.linked,
        "optional": auth.is_optional,
    }
