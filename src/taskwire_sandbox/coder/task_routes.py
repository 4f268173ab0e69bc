"""The routes of the Tasks API: list, get, create, edit, delete, pause, resume.

The routes that lead to the agent are in `agent_routes`.
"""

from collections.abc import Mapping

from taskwire_sandbox.coder import search, shapes
from taskwire_sandbox.coder.bodies import CREATE_TASK, UPDATE_INPUT, text
from taskwire_sandbox.coder.build_shapes import build_json
from taskwire_sandbox.coder.calls import Call
from taskwire_sandbox.coder.derived import TASK_STATUSES, task_status, workspace_status
from taskwire_sandbox.coder.ids import NIL
from taskwire_sandbox.coder.names import generate, name_problem
from taskwire_sandbox.coder.rows import App, Build, Preset, Task, User, Version, Workspace
from taskwire_sandbox.coder.wire import (
    JSON_TYPE,
    NO_PERMISSION,
    UNAUTHORIZED,
    JsonValue,
    Refusal,
    Response,
    json_response,
    not_found,
    quoted,
)

KEYS = ("owner", "organization", "status")
UNLICENSED = (
    "Build is not permitted: Your license is not entitled to managed agents. "
    "Please contact sales to continue using managed agents."
)


def list_tasks(call: Call) -> Response:
    """Answer with all tasks that match the query and that the viewer can read, the newest first."""
    wanted = _filter(call)
    key = (call.viewer.user.id, call.viewer.describe_rights(), *wanted)
    body = call.world.cached_lists.get(key)
    if body is None:
        body = call.world.cached_lists[key] = _list(call, *wanted)
    return Response(200, body, content_type=JSON_TYPE)


def _list(call: Call, owner: str, organization: str, status: str) -> bytes:
    viewer, parts = call.viewer, []
    sees_all = viewer.has_wide_view()
    for task in call.world.newest_tasks():
        if (owner and task.owner.id != owner) or not (sees_all or viewer.can_read_task(task)):
            continue
        if organization and task.workspace.organization.id != organization:
            continue
        its_status, body = shapes.task_bytes(task)
        if not status or its_status == status:
            parts.append(body)
    return b'{"tasks":[' + b",".join(parts) + b'],"count":' + str(len(parts)).encode() + b"}\n"


def _filter(call: Call) -> tuple[str, str, str]:
    world, viewer = call.world, call.viewer
    terms, problems = search.parse(call.query.get("q", ""), bare="owner")
    owner, organization, status = (search.single(terms, key, problems) for key in KEYS)
    if owner:
        user = viewer.user if owner == "me" else world.find_user(owner)
        if user is None or not viewer.can_read_user(user):
            problems.append(("owner", _invalid("owner", "user", owner)))
        owner = user.id if user else ""
    if organization:
        found = world.find_organization(organization)
        if found is None or not viewer.can_read_organization(found):
            problems.append(("organization", _invalid("organization", "organization", organization)))
        organization = found.id if found else ""
    problems += search.excess(terms, KEYS, world.record_violation)
    if problems:
        raise Refusal(400, "Invalid task search query.", validations=problems)
    if status and status not in TASK_STATUSES and world.tasks:
        world.record_violation(f"tasks.list: {status!r} is no status")
        detail = f'fetch object: pq: invalid input value for enum task_status: "{status}"'
        raise Refusal(500, "Internal error fetching tasks.", detail)
    return owner, organization, status


def _invalid(key: str, kind: str, value: str) -> str:
    reason = "either does not exist, or you are unauthorized to view them"
    if kind == "organization":
        reason = "either does not exist, or you are unauthorized to view it"
    return f"Query param {quoted(key)} has invalid value: {kind} {quoted(value)} {reason}"


def get_task(call: Call) -> Response:
    """Answer with one task. If the viewer cannot read the task's workspace, answer 404, as Coder does."""
    if not call.viewer.can_read_workspace(call.task().workspace):
        raise not_found()
    return Response(200, shapes.task_bytes(call.task())[1] + b"\n", content_type=JSON_TYPE)


def create_task(call: Call) -> Response:
    """Create a task and its workspace, and queue the first build."""
    owner = call.member()
    request = call.read(CREATE_TASK)
    version = _version(call, text(request, "template_version_id"))
    name, display_name = _names(call, request)
    _check_owner(call, owner, version)
    _check_template(call, owner, version, name)
    preset = _preset(call, text(request, "template_version_preset_id"))
    _check_parameters(version, preset)
    task = _insert(call, owner, version, name, display_name, text(request, "input"))
    call.deployment.builds.add(
        task.workspace, "start", "initiator", call.viewer.user, preset.id if preset else None
    )
    return json_response(201, shapes.new_task_json(task))


def _version(call: Call, version_id: str) -> Version:
    version = call.world.versions.get(version_id)
    if version is None or not call.viewer.can_read_template(version.template):
        raise Refusal(400, "Template version not found or you do not have access to this resource")
    if not version.has_ai_task:
        raise Refusal(400, 'Template does not have a valid "coder_ai_task" resource.')
    return version


def _names(call: Call, request: Mapping[str, JsonValue]) -> tuple[str, str]:
    name = str(request["name"])
    if name and (problem := name_problem(name)):
        raise Refusal(400, "Unable to create a Task with the provided name.", problem)
    display_name = str(request["display_name"]).strip()
    if len(display_name.encode()) > 64:
        raise Refusal(400, "Display name must be 64 characters or less.")
    if name and display_name:
        return name, display_name
    made_name, made_display = generate(str(request["input"]), call.world.ids)
    return name or made_name, display_name or made_display


def _check_owner(call: Call, owner: User, version: Version) -> None:
    viewer, organization = call.viewer, version.template.organization
    if not viewer.can_read_user(owner) and organization.id not in viewer.shared_memberships(owner):
        raise not_found()
    if not viewer.can_create_in(organization, owner):
        raise Refusal(
            403,
            "Unauthorized to create workspace.",
            "You are unable to create a workspace in this organization. It is possible to have access to the "
            "template, but not be able to create a workspace. Please contact an administrator about your "
            "permissions if you feel this is an error.",
        )
    missing = [auth for auth in version.external_auth if not auth.is_optional and auth.id not in owner.linked]
    if missing and call.world.settings.requires_external_auth:
        raise Refusal(
            403,
            "External authentication is required to create a task with this template.",
            f"Missing: {', '.join(auth.display_name for auth in missing)}",
        )


def _check_template(call: Call, owner: User, version: Version, name: str) -> None:
    template = version.template
    if not call.viewer.can_use_template(template):
        raise Refusal(
            403,
            f"Unauthorized access to use the template {quoted(template.name)}.",
            "Although you are able to view the template, you are unable to create a workspace using it. "
            "Please contact an administrator about your permissions if you feel this is an error.",
        )
    if template.deprecation:
        raise Refusal(
            400,
            f"Template {quoted(template.name)} has been deprecated, "
            "and cannot be used to create a new workspace.",
            template.deprecation,
        )
    if call.world.settings.lacks_agent_license:
        raise Refusal(403, UNLICENSED)
    if version.is_archived:
        raise Refusal(
            500,
            "Archived template versions cannot be used to make a workspace.",
            validations=[("template_version_id", "template version archived")],
        )
    workspace, task = call.world.find_workspace(owner, name), call.world.find_task(owner, name)
    if task is not None and call.number <= task.arrivals:
        # The two requests overlapped. Both passed the check of names, so the database refuses the second.
        unique = 'pq: duplicate key value violates unique constraint "tasks_owner_id_name_unique_idx"'
        raise Refusal(500, "Internal error creating task.", unique)
    if workspace is not None or task is not None:
        taken = [("name", "This value is already in use and should be unique.")]
        raise Refusal(409, f"Workspace {quoted(name)} already exists.", validations=taken)


def _preset(call: Call, preset_id: str) -> Preset | None:
    """Return the preset with this id; None for the nil id. Raise Refusal for an unknown id.

    The preset may belong to any template version, because Coder does not check the version.
    """
    if preset_id == NIL:
        return None
    everyone = (preset for version in call.world.versions.values() for preset in version.presets)
    found = next((preset for preset in everyone if preset.id == preset_id), None)
    if found is None:
        raise Refusal(500, "failed to fetch preset parameter values", "sql: no rows in result set")
    return found


def _check_parameters(version: Version, preset: Preset | None) -> None:
    given = preset.parameters if preset else {}
    lacking = [
        (parameter.name, "Required parameter not provided; parameter value is null")
        for parameter in version.parameters
        if parameter.is_required and not parameter.default and parameter.name not in given
    ]
    if lacking:
        raise Refusal(400, "Unable to validate parameters", validations=lacking)


def _insert(call: Call, owner: User, version: Version, name: str, display_name: str, prompt: str) -> Task:
    world = call.world
    new, stamp = world.ids.new_uuid, world.schedule.next_timestamp()
    task_id = new()
    workspace = Workspace(new(), name, owner, version.template, stamp, stamp, App(new()))
    task = Task(task_id, name, display_name, owner, version, workspace, prompt, stamp)
    task.arrivals = world.arrivals
    world.add_task(task)
    return task


def update_input(call: Call) -> Response:
    """Change the prompt of a paused task. The agent gets the new prompt when the task is resumed."""
    task = call.task()
    prompt = text(call.read(UPDATE_INPUT), "input")
    if not prompt.strip():
        raise Refusal(400, "Task input is required.")
    if task_status(task) != "paused":
        raise Refusal(
            409,
            "Unable to update task input, task must be paused.",
            "Please stop the task's workspace before updating the input.",
        )
    if not call.viewer.can_update_task(task):
        raise Refusal(500, "Failed to update task input.", UNAUTHORIZED)
    task.prompt = prompt
    call.world.touch(task.workspace)
    return Response(204)


def delete_task(call: Call) -> Response:
    """Queue the workspace's deletion. The task is gone at once, even if the deletion fails later."""
    task = call.task()
    _check_build(call, task.workspace, "delete")
    if not call.viewer.can_delete_task(task):
        raise Refusal(500, "Failed to delete task", UNAUTHORIZED)
    _build(call, task.workspace, "delete", "initiator")
    call.world.delete_task(task)
    return Response(202)


def pause_task(call: Call) -> Response:
    """Queue a stop build, whatever status the task has."""
    task = call.task()
    build = _build(call, task.workspace, "stop", "task_manual_pause")
    call.deployment.notifications.queue_for_build("Task Paused", task)
    return _built(task, build)


def resume_task(call: Call) -> Response:
    """Queue a start build. Refuse with 409 if the workspace is already running. After a failed build, a new
    build is queued."""
    task = call.task()
    status = workspace_status(task.workspace.latest)
    if status == "running":
        detail = f"Workspace status is {quoted(status)}."
        raise Refusal(409, "Task workspace is already running.", detail)
    build = _build(call, task.workspace, "start", "task_resume")
    call.deployment.notifications.queue_for_build("Task Resumed", task)
    return _built(task, build)


def _build(call: Call, workspace: Workspace, transition: str, reason: str) -> Build:
    _check_build(call, workspace, transition)
    return call.deployment.builds.add(workspace, transition, reason, call.viewer.user)


def _check_build(call: Call, workspace: Workspace, transition: str) -> None:
    if not call.viewer.can_read_workspace(workspace):
        raise not_found()
    if not call.viewer.can_build(workspace, transition):
        raise Refusal(403, f"You do not have permission to {transition} this workspace.", NO_PERMISSION)


def _built(task: Task, build: Build) -> Response:
    return json_response(202, {"workspace_build": build_json(build, task.workspace, has_resources=False)})
