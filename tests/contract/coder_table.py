"""The table of what Taskwire uses of Coder's API: the routes that it calls and the fields that it reads.

Tests in this folder compare the client and the stand-in with this table. They also compare the table with
Coder's own reference, if it is present. The table lists nothing that Taskwire does not use.
"""

from dataclasses import dataclass

V2 = "/api/v2"
TASK = f"{V2}/tasks/{{user}}/{{task}}"


@dataclass(frozen=True)
class Route:
    """A route: its status of success, the type of its answer, and the fields of its query and body."""

    status: int
    answer: str = ""
    query: str = ""
    sends: str = ""


ROUTES = {
    f"GET {V2}/buildinfo": Route(200, "BuildInfo"),
    f"POST {V2}/authcheck": Route(200, sends="checks"),
    f"GET {V2}/users": Route(200, "UserPage", query="q limit offset"),
    f"GET {V2}/users/{{user}}": Route(200, "User"),
    f"GET {V2}/users/{{user}}/keys/tokens": Route(200, "[ApiKey]"),
    f"GET {V2}/users/{{user}}/keys/{{keyid}}": Route(200, "ApiKey"),
    f"DELETE {V2}/users/{{user}}/keys/{{keyid}}": Route(204),
    f"POST {V2}/users/{{user}}/keys/tokens": Route(201, "NewKey", sends="token_name lifetime scopes"),
    f"GET {V2}/users/{{user}}/keys/tokens/tokenconfig": Route(200, "TokenConfig"),
    f"GET {V2}/templates": Route(200, "[Template]", query="q"),
    f"GET {V2}/templateversions/{{templateversion}}/presets": Route(200, "[Preset]"),
    f"GET {V2}/tasks": Route(200, "TaskList", query="q"),
    f"POST {V2}/tasks/{{user}}": Route(
        201, "Task", sends="template_version_id template_version_preset_id input name"
    ),
    f"GET {TASK}": Route(200, "Task"),
    f"DELETE {TASK}": Route(202),
    f"PATCH {TASK}/input": Route(204, sends="input"),
    f"POST {TASK}/send": Route(204, sends="input"),
    f"GET {TASK}/logs": Route(200, "TaskLogs"),
    f"POST {TASK}/pause": Route(202, "StartedBuild"),
    f"POST {TASK}/resume": Route(202, "StartedBuild"),
    f"GET {V2}/workspaces/{{workspace}}": Route(200, "Workspace"),
    f"GET {V2}/workspacebuilds/{{workspacebuild}}/logs": Route(200, "[BuildLog]"),
    f"GET {V2}/workspaceagents/{{workspaceagent}}": Route(200, "Agent"),
}

# Each field is `name:kind`; without a kind it is a string. `?` means that the value may be null or absent.
# `[kind]` is a list.
TYPES = {
    "BuildInfo": "version deployment_id",
    "UserPage": "users:[User] count:int",
    "User": "id:uuid username email status:UserStatus roles:[Role] organization_ids:[str]",
    "Role": "name organization_id?",
    "ApiKey": "id expires_at:time scopes:[str] token_name",
    "NewKey": "key",
    "TokenConfig": "max_token_lifetime:int",
    "Template": "id:uuid name display_name description organization_name active_version_id:uuid",
    # Coder's code gives no JSON names to these three fields.
    "Preset": "ID Name Default:bool",
    "TaskList": "tasks:[Task]",
    "Task": (
        "id:uuid name display_name owner_id:uuid owner_name template_name template_display_name"
        " workspace_id:uuid? workspace_status:WorkspaceStatus workspace_build_number:int"
        " workspace_agent_id:uuid? workspace_agent_lifecycle:AgentLifecycle?"
        " workspace_agent_health:AgentHealth? workspace_app_id:uuid? initial_prompt status:TaskStatus"
        " current_state:CurrentState? created_at:time"
    ),
    "AgentHealth": "healthy:bool reason?",
    "CurrentState": "timestamp:time state:TaskState message uri",
    "TaskLogs": "logs:[LogEntry] snapshot:bool? snapshot_at:time?",
    "LogEntry": "id:int content type:LogType time:time",
    "StartedBuild": "workspace_build:Build",
    "Build": "id:uuid build_number:int created_at:time transition:Transition reason job:ProvisionerJob",
    "ProvisionerJob": "status:JobStatus error?",
    "Workspace": "latest_build:Build latest_app_status:LatestAppStatus?",
    "LatestAppStatus": "agent_id:uuid app_id:uuid",
    "BuildLog": "output",
    "Agent": "apps:[AgentApp]",
    "AgentApp": "id:uuid statuses:[AgentReport]?",
    "AgentReport": "id:uuid agent_id:uuid created_at:time state:ReportState message uri",
}

WORDS = {
    "UserStatus": "active dormant suspended",
    "TaskStatus": "pending initializing active paused error unknown",
    "TaskState": "working idle complete failed",
    "ReportState": "working idle complete failure",
    "WorkspaceStatus": (
        "pending starting running stopping stopped failed canceling canceled deleting deleted"
    ),
    "AgentLifecycle": (
        "created starting start_timeout start_error ready shutting_down shutdown_timeout shutdown_error off"
    ),
    "LogType": "input output",
    "Transition": "start stop delete",
    "JobStatus": "pending running succeeded canceling canceled failed unknown",
}


@dataclass(frozen=True)
class Field:
    """One field of a type."""

    name: str
    kind: str
    is_list: bool
    is_optional: bool


def list_fields(type_name: str) -> list[Field]:
    """Return the fields of a type."""
    return [_field(*word.partition(":")) for word in TYPES[type_name].split()]


def _field(name: str, _: str, kind: str) -> Field:
    is_optional = (name + kind).endswith("?")
    kind = kind.removesuffix("?") or "str"
    return Field(name.removesuffix("?"), kind.strip("[]"), kind.startswith("["), is_optional)


def get_path(row: str) -> str:
    """Return the path in a row of the table of routes."""
    return row.partition(" ")[2]
