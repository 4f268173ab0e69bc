"""Routes between an agent and the users of its task: input, logs, the agent's page, reports and snapshots."""

import json
from datetime import datetime

from taskwire_sandbox.coder import shapes
from taskwire_sandbox.coder.agentapi import AgentApi, MessageRejected
from taskwire_sandbox.coder.bodies import APP_STATUS, SEND, text
from taskwire_sandbox.coder.build_shapes import agent_json, agent_log_json
from taskwire_sandbox.coder.calls import Call
from taskwire_sandbox.coder.derived import task_status
from taskwire_sandbox.coder.ids import as_uuid
from taskwire_sandbox.coder.reports import SNAPSHOT_LIMIT
from taskwire_sandbox.coder.rows import Agent, LogLine, Message, Task, Workspace
from taskwire_sandbox.coder.wire import JsonValue, Refusal, Response, json_response, not_found, quoted

# Seconds after which Coder stops trying to reach an agent, and answers 502.
DIAL_SECONDS = 30.0
NO_STATUS = "Failed to get status from task app."
NO_MESSAGES = "Failed to get messages from task app."
NO_AGENT = "Agent doesn't exist with that id, or you do not have access to it."


def send_input(call: Call) -> Response:
    """Type an input into the agent's terminal, if the agent waits for an input."""
    task = call.task()
    words = text(call.read(SEND), "input")
    if not words:
        raise Refusal(400, "Task input is required.")
    program = _program(call, task, NO_STATUS)
    try:
        program.fail_if_planned("status")
    except MessageRejected as error:
        raise Refusal(502, NO_STATUS, str(error)) from error
    if program.status != "stable":
        raise Refusal(409, "Task app is not ready to accept input.", f"Status: {program.status}")
    try:
        program.post_message(words)
    except MessageRejected as error:
        refused = {"title": "Internal Server Error", "status": 500, "detail": str(error)}
        detail = f"failed to post message: {json.dumps(refused, separators=(',', ':'))}"
        raise Refusal(502, "Task app rejected the message.", detail) from error
    return Response(204)


def read_log(call: Call) -> Response:
    """Answer with the whole conversation, either from the running agent or from the snapshot."""
    task = call.task()
    status = task_status(task)
    if status in ("paused", "pending", "initializing"):
        if task.snapshot is not None and task.snapshot.format != "agentapi":
            detail = f'Expected format "agentapi", got {quoted(task.snapshot.format)}.'
            raise Refusal(500, "Unsupported task snapshot format.", detail)
        return json_response(200, shapes.snapshot_json(task.snapshot))
    if status != "active":
        detail = f"Task status is {quoted(status)}."
        raise Refusal(409, "Cannot fetch logs for task in current state.", detail)
    program = _program(call, task, NO_MESSAGES)
    try:
        program.fail_if_planned("messages")
    except MessageRejected as error:
        raise Refusal(502, NO_MESSAGES, str(error)) from error
    return json_response(200, {"logs": _entries(program, task)})


def _entries(program: AgentApi, task: Task) -> list[JsonValue]:
    offset = task.workspace.template.log_offset_minutes
    strange = next(
        (message.role for message in program.messages if message.role not in ("user", "agent")), None
    )
    if strange is not None:
        detail = f"invalid agentapi message role {quoted(strange)}"
        raise Refusal(502, "Invalid task app response.", detail)
    return [shapes.log_entry(message, offset) for message in program.messages]


def _program(call: Call, task: Task, unanswered: str) -> AgentApi:
    """Return the running program of an active task's agent.

    Raise a Refusal like Coder's if the task is not active, the viewer may not connect, or the agent cannot be
    reached. `unanswered` is the message of the refusal if no program runs.
    """
    status, workspace = task_status(task), task.workspace
    if status in ("pending", "initializing"):
        detail = "The task is resuming. Wait for the task to become active before sending messages."
        raise Refusal(409, f"Task is {status}.", detail)
    if status == "paused":
        raise Refusal(409, "Task is paused.", "Resume the task to send messages.")
    if status != "active":
        detail = f'Task status is {quoted(status)}, it must be "active" to interact with the task.'
        raise Refusal(400, "Task must be active.", detail)
    if not (call.viewer.can_read_workspace(workspace) and call.viewer.can_connect(workspace)):
        raise not_found()
    agent = workspace.latest.agent
    if agent is None:
        raise Refusal(400, "Task does not have a workspace app.")
    if not agent.is_reachable:
        cut_off = ("Failed to reach task app endpoint.", "agent is unreachable")
        raise Refusal(502, *cut_off, after_seconds=DIAL_SECONDS)
    program = call.deployment.builds.program_of(task)
    if program is None:
        raise Refusal(502, unanswered, "dial tcp 127.0.0.1:3284: connect: connection refused")
    return program


def get_agent(call: Call) -> Response:
    """Answer with an agent, its apps, and all reports of these apps."""
    return json_response(200, agent_json(*_readable(call)))


def agent_log(call: Call) -> Response:
    """Answer with the log of an agent's startup script."""
    agent, _ = _readable(call)
    lines: list[JsonValue] = [agent_log_json(line, agent) for line in within(call, agent.logs)]
    return json_response(200, lines)


def _readable(call: Call) -> tuple[Agent, Workspace]:
    """Return the agent with the id `{workspaceagent}` of the path. Agents of older builds are not found."""
    found = call.world.agents.get(call.uuid("workspaceagent"))
    is_gone = found is None or found[0].is_deleted or found[1].is_deleted
    if found is None or is_gone or not call.viewer.can_read_workspace(found[1]):
        raise Refusal(404, NO_AGENT)
    return found


def within(call: Call, lines: list[LogLine]) -> list[LogLine]:
    """Return the lines whose id is above `after` and below `before`. The query may leave out either bound."""
    bounds = {}
    for key in ("after", "before"):
        value = call.query.get(key, "")
        if value and not value.isdecimal():
            detail = f'Query param "{key}" must be a valid integer: {value}'
            raise Refusal(400, f'Query param "{key}" must be an integer.', detail)
        bounds[key] = int(value) if value else None
    after, before = bounds["after"], bounds["before"]
    return [
        line for line in lines if (after is None or line.id > after) and (before is None or line.id < before)
    ]


def upload_snapshot(call: Call) -> Response:
    """Store the last messages of an agent. The agent sends them while its workspace stops."""
    task_id = as_uuid(call.params["task"])
    if task_id is None:
        raise Refusal(400, "Invalid task ID format.", f"invalid UUID length: {len(call.params['task'])}")
    _check_format(call)
    task = call.world.tasks.get(task_id)
    if task is None or task.workspace is not _own_workspace(call)[1]:
        raise not_found()
    call.deployment.reports.store_snapshot(task, _messages(call))
    return Response(204)


def _check_format(call: Call) -> None:
    layout = call.query.get("format", "")
    problems = [] if layout else [("format", 'Query param "format" is required and cannot be empty')]
    problems += [(key, f"{quoted(key)} is not a valid query param") for key in call.query if key != "format"]
    if problems:
        raise Refusal(400, "Invalid query parameters.", validations=problems)
    if layout != "agentapi":
        detail = f'Only "agentapi" format is currently supported, got {quoted(layout)}.'
        raise Refusal(400, "Invalid format parameter.", detail)


def _messages(call: Call) -> list[Message]:
    if len(call.body) > SNAPSHOT_LIMIT:
        raise Refusal(400, "Failed to decode request payload.", "http: request body too large")
    try:
        payload = json.loads(call.body)
    except ValueError as error:
        raise Refusal(400, "Failed to decode request payload.", str(error)) from error
    found = payload.get("messages") if isinstance(payload, dict) else None
    if found is None:
        detail = 'Missing required "messages" field.'
        raise Refusal(400, "Invalid agentapi payload structure.", detail)
    try:
        return [_message(each) for each in found]
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(400, "Failed to decode request payload.", str(error)) from error


def _message(found: dict[str, object]) -> Message:
    moment = datetime.fromisoformat(str(found["time"]))
    return Message(int(str(found["id"])), str(found["role"]), str(found["content"]), moment)


def report_status(call: Call) -> Response:
    """Accept an agent's report about itself."""
    agent, workspace = _own_workspace(call)
    request = call.read(APP_STATUS)
    slug = text(request, "app_slug")
    if slug != "ccw":
        detail = f"No app found with slug {quoted(slug)}"
        raise Refusal(400, "Failed to get workspace app.", detail)
    call.deployment.reports.add(
        workspace, agent, text(request, "state"), text(request, "message"), text(request, "uri")
    )
    return json_response(200, None)


def _own_workspace(call: Call) -> tuple[Agent, Workspace]:
    if not isinstance(call.sender, Agent):
        raise LookupError(f"{call.route.name} is a route for agents")
    return call.world.agents[call.sender.id]
