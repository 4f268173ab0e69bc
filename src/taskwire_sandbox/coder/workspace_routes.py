"""Routes about workspaces: their state, builds, build logs and shares."""

from taskwire_sandbox.coder.agent_routes import within
from taskwire_sandbox.coder.bodies import CREATE_BUILD, UPDATE_ACL, text
from taskwire_sandbox.coder.build_shapes import build_json, build_log_json, workspace_json
from taskwire_sandbox.coder.calls import Call
from taskwire_sandbox.coder.ids import as_uuid
from taskwire_sandbox.coder.rows import Build, User, Workspace
from taskwire_sandbox.coder.wire import (
    NO_PERMISSION,
    Json,
    JsonValue,
    Refusal,
    Response,
    encode,
    json_response,
    not_found,
)

ROLES = ("", "use", "admin")


def get_workspace(call: Call) -> Response:
    """Answer with one workspace."""
    workspace = call.workspace()
    return json_response(200, workspace_json(workspace, call.world.tasks_by_workspace.get(workspace.id)))


def watch_workspace(call: Call) -> Response:
    """Answer with a stream that sends the workspace now, and sends it again after every change."""
    workspace = call.workspace()
    body = encode(workspace_json(workspace, call.world.tasks_by_workspace.get(workspace.id)))
    return Response(200, body, watches=workspace.id)


def list_builds(call: Call) -> Response:
    """Answer with a workspace's builds, the newest first."""
    workspace = call.workspace()
    return json_response(200, [build_json(build, workspace) for build in reversed(workspace.builds)])


def create_build(call: Call) -> Response:
    """Queue a build, as the dashboard and the command line do."""
    workspace = call.workspace()
    request = call.read(CREATE_BUILD)
    transition = text(request, "transition")
    if transition not in ("start", "stop", "delete"):
        detail = f'Validation failed for tag "oneof" with value: "{transition}"'
        raise Refusal(400, "Validation failed.", validations=[("transition", detail)])
    if not call.viewer.can_build(workspace, transition):
        raise Refusal(403, f"You do not have permission to {transition} this workspace.", NO_PERMISSION)
    reason = text(request, "reason") or "initiator"
    build = call.deployment.builds.add(workspace, transition, reason, call.viewer.user)
    return json_response(201, build_json(build, workspace, has_resources=False))


def get_build(call: Call) -> Response:
    """Answer with one build of a workspace."""
    return json_response(200, build_json(*_build(call)))


def build_log(call: Call) -> Response:
    """Answer with the log of a build, which the provisioner wrote."""
    build, _ = _build(call)
    lines = within(call, build.logs)
    if call.query.get("format") == "text":
        body = "".join(
            f"{line.created_at.isoformat()} [{line.level}] [{line.stage}] {line.output}\n" for line in lines
        )
        return Response(200, body.encode(), content_type="text/plain; charset=utf-8")
    return json_response(200, [build_log_json(line) for line in lines])


def get_acl(call: Call) -> Response:
    """Answer with the users with whom the workspace is shared."""
    workspace = call.workspace()
    users: list[JsonValue] = []
    for user_id, role in workspace.user_acl.items():
        user = call.world.users[user_id]
        row: Json = {
            "id": user.id,
            "username": user.username,
            "name": user.name,
            "avatar_url": user.avatar_url,
            "role": role,
        }
        users.append(row)
    return json_response(200, {"users": users, "group": []})


def patch_acl(call: Call) -> Response:
    """Share the workspace and its task with users, or end such shares."""
    workspace = _shareable(call)
    request = call.read(UPDATE_ACL)
    roles = request["user_roles"]
    wanted = roles if isinstance(roles, dict) else {}
    problems: list[tuple[str, str]] = []
    for user_id, role in wanted.items():
        if role not in ROLES:
            problems.append(("user_roles", f'role "{role}" is not a valid workspace role'))
        if _known_user(call, user_id) is None:
            problems.append(("user_roles", f"user ID {user_id} does not exist"))
    if problems:
        raise Refusal(400, "Invalid request to update workspace ACL", validations=problems)
    for user_id, role in wanted.items():
        workspace.user_acl.pop(user_id, None)
        if role:
            workspace.user_acl[user_id] = str(role)
    call.world.touch(workspace)
    return Response(204)


def delete_acl(call: Call) -> Response:
    """End all shares."""
    workspace = _shareable(call)
    workspace.user_acl.clear()
    call.world.touch(workspace)
    return Response(204)


def _shareable(call: Call) -> Workspace:
    workspace = call.workspace()
    if not call.world.settings.rules.shares_workspaces:
        raise Refusal(403, "Workspace sharing is disabled for this deployment.")
    if not call.viewer.can_share(workspace):
        raise Refusal(403, "Forbidden.", NO_PERMISSION)
    return workspace


def _known_user(call: Call, user_id: str) -> User | None:
    known = as_uuid(user_id)
    return call.world.users.get(known) if known else None


def _build(call: Call) -> tuple[Build, Workspace]:
    found = call.world.builds.get(call.uuid("workspacebuild"))
    if found is None or not call.viewer.can_read_workspace(found[1]):
        raise not_found()
    return found
