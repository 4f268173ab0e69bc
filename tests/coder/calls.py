"""Lists every call of the Coder client, with its expected request and an answer that the client accepts."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from pydantic import JsonValue

from taskwire.coder import keys, rights
from taskwire.coder.client import CoderClient
from taskwire.coder.models import User
from taskwire.domain.text.agent_text import AgentText

ID = "5f6c1f0e-6d0f-4b8e-9a53-0c8c3d0a1e11"
WHEN = "2026-06-18T10:40:02.511Z"
USER: JsonValue = {"id": ID, "username": "alice", "email": "Alice@Example.com", "created_at": WHEN}
TASK: JsonValue = {"id": ID, "name": "a-task", "status": "active", "created_at": WHEN, "updated_at": WHEN}
BUILD: JsonValue = {"id": ID, "build_number": 2, "transition": "stop", "job": {"status": "pending"}}
REPORTS: list[JsonValue] = [
    {"id": "3", "created_at": "2026-06-18T10:00:02.0000009Z", "state": "idle", "message": "m", "uri": ""},
    {"id": "2", "created_at": "2026-06-18T10:00:02.0000001Z", "state": "complete", "message": "m", "uri": ""},
    {"id": "1", "created_at": "2026-06-18T10:00:00Z", "state": "working", "message": "m", "uri": ""},
]
AGENT: JsonValue = {"id": ID, "apps": [{"id": "other", "statuses": None}, {"id": "app", "statuses": REPORTS}]}
LINE: JsonValue = {"id": 1, "created_at": WHEN, "log_level": "info", "stage": "Plan", "output": "ok"}
KEY: JsonValue = {"id": "abcdefghij", "expires_at": WHEN}
NAMED_KEY: JsonValue = {"id": "abcdefghij", "expires_at": WHEN, "token_name": "taskwire"}


@dataclass(frozen=True)
class Call:
    """How to make a call, the request that the client sends for it, and a documented successful answer."""

    ask: Callable[[CoderClient], Awaitable[object]]
    line: str
    status: int = 200
    answer: JsonValue = None
    sends: JsonValue = None

    @property
    def body(self) -> str:
        """Return the answer's body, which is empty if the call changes something and returns nothing."""
        return "" if self.status in (202, 204) and self.answer is None else json.dumps(self.answer)


CREATED: JsonValue = {
    "template_version_id": "v",
    "template_version_preset_id": "p",
    "input": "Fix it",
    "name": "fix-it",
}
FOUND: JsonValue = {"users": [USER], "count": 1}

CALLS: dict[str, Call] = {
    "build_info": Call(lambda c: c.get_build_info(), "GET /api/v2/buildinfo", 200, {"version": "v2.34.1"}),
    "me": Call(lambda c: c.get_own_user(), "GET /api/v2/users/me", 200, USER),
    "get_user": Call(lambda c: c.get_user("alice"), "GET /api/v2/users/alice", 200, USER),
    "list_users": Call(
        lambda c: c.list_users("alice"), "GET /api/v2/users?q=alice&limit=100&offset=0", 200, FOUND
    ),
    "list_users_by_email": Call(
        lambda c: c.list_users_by_email("alice@example.com"),
        "GET /api/v2/users?q=alice@example.com&limit=100&offset=0",
        200,
        FOUND,
    ),
    "list_templates": Call(
        lambda c: c.list_templates(), "GET /api/v2/templates?q=has-ai-task:true+deprecated:false", 200, []
    ),
    "list_presets": Call(lambda c: c.list_presets("v"), "GET /api/v2/templateversions/v/presets"),
    "list_tasks_raw": Call(
        lambda c: c.list_tasks_raw(), "GET /api/v2/tasks", 200, {"tasks": [TASK], "count": 1}
    ),
    "list_tasks_raw_by_owner": Call(
        lambda c: c.list_tasks_raw("owner:me"), "GET /api/v2/tasks?q=owner:me", 200, {"tasks": [], "count": 0}
    ),
    "get_task": Call(lambda c: c.get_task(ID), f"GET /api/v2/tasks/me/{ID}", 200, TASK),
    "get_task_by_name": Call(
        lambda c: c.get_task("alice/a-task"), "GET /api/v2/tasks/alice/a-task", 200, TASK
    ),
    "create_task": Call(
        lambda c: c.create_task("alice", "v", AgentText("Fix it"), "fix-it", preset_id="p"),
        "POST /api/v2/tasks/alice",
        201,
        TASK,
        CREATED,
    ),
    "delete_task": Call(lambda c: c.delete_task(ID), f"DELETE /api/v2/tasks/me/{ID}", 202),
    "edit_input": Call(
        lambda c: c.edit_input(ID, AgentText("other")),
        f"PATCH /api/v2/tasks/me/{ID}/input",
        204,
        None,
        {"input": "other"},
    ),
    "send": Call(
        lambda c: c.send(ID, AgentText("go on")),
        f"POST /api/v2/tasks/me/{ID}/send",
        204,
        None,
        {"input": "go on"},
    ),
    "get_logs": Call(lambda c: c.get_logs(ID), f"GET /api/v2/tasks/me/{ID}/logs", 200, {"logs": []}),
    "pause": Call(
        lambda c: c.pause(ID), f"POST /api/v2/tasks/me/{ID}/pause", 202, {"workspace_build": BUILD}
    ),
    "resume": Call(
        lambda c: c.resume(ID), f"POST /api/v2/tasks/me/{ID}/resume", 202, {"workspace_build": BUILD}
    ),
    "get_workspace": Call(
        lambda c: c.get_workspace("w"), "GET /api/v2/workspaces/w", 200, {"id": "w", "latest_build": BUILD}
    ),
    "list_build_logs": Call(
        lambda c: c.list_build_logs("b"), "GET /api/v2/workspacebuilds/b/logs", 200, [LINE]
    ),
    "list_reports": Call(lambda c: c.list_reports("a", "app"), "GET /api/v2/workspaceagents/a", 200, AGENT),
    "create_token": Call(
        lambda c: keys.create_token(c, "taskwire", ("task:read",), timedelta(hours=1)),
        "POST /api/v2/users/me/keys/tokens",
        201,
        {"key": "abcdefghij-0123456789"},
        {"token_name": "taskwire", "lifetime": 3_600_000_000_000, "scopes": ["task:read"]},
    ),
    "get_longest_lifetime": Call(
        lambda c: keys.get_longest_lifetime(c),
        "GET /api/v2/users/me/keys/tokens/tokenconfig",
        200,
        {"max_token_lifetime": 3_600_000_000_000},
    ),
    "list_named": Call(
        lambda c: keys.list_named(c, "taskwire"), "GET /api/v2/users/me/keys/tokens", 200, [NAMED_KEY]
    ),
    "delete_key": Call(
        lambda c: keys.delete_key(c, "abcdefghij"), "DELETE /api/v2/users/me/keys/abcdefghij", 204
    ),
    "find_token_end": Call(lambda c: c.find_token_expiry(), "GET /api/v2/users/me/keys/abcdefghij", 200, KEY),
}

ORGANIZATION = "703f72a1-76f6-4f89-9de6-8a3989693fe5"
ACCOUNT = User(id=ID, username="taskwire", organization_ids=(ORGANIZATION,))
# These requests ask for the account's rights in its organization, and for its rights over people in the whole
# site.
CHECKS: dict[str, JsonValue] = {
    f"{right} {ORGANIZATION}": {
        "object": {
            "resource_type": right.partition(":")[0],
            **({} if right == "user:read" else {"organization_id": ORGANIZATION}),
        },
        "action": right.partition(":")[2],
    }
    for right in rights.NEEDED_RIGHTS
}
# If Coder refuses one of these calls, the client may return a result instead of an error. The tests of errors
# therefore leave these calls out.
TOLERANT_CALLS: dict[str, Call] = {
    "find_rights": Call(
        lambda c: rights.find_rights(c, ACCOUNT),
        "POST /api/v2/authcheck",
        200,
        dict.fromkeys(CHECKS, True),
        {"checks": CHECKS},
    ),
    "list_missing_scopes": Call(
        lambda c: c.list_missing_scopes(), "GET /api/v2/users/me/keys/abcdefghij", 200, KEY
    ),
}
EVERY_CALL = CALLS | TOLERANT_CALLS
