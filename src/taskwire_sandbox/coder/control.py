"""The control interface: lets other processes control the stand-in over HTTP, as tests do from Python.

The real Coder has no such interface.
"""

import json
from collections.abc import Callable, Mapping

from aiohttp import web

from taskwire_sandbox.coder import derived, faults
from taskwire_sandbox.coder.reports import message_json
from taskwire_sandbox.coder.sandbox import ScriptedCoder
from taskwire_sandbox.coder.sandbox_task import SandboxTask
from taskwire_sandbox.coder.server import RecordedRequest
from taskwire_sandbox.coder.wire import JSON_TYPE, Json, JsonValue, Refusal, encode, timestamp

PREFIX = "/_control"
Fields = Mapping[str, JsonValue]


class CoderSandbox(ScriptedCoder):
    """The stand-in for Coder, controlled by this process or through its control interface."""

    async def answer_control(self, request: web.Request) -> web.StreamResponse | None:
        """Answer a request to the control interface. Return None for any other request."""
        return await Control(self).answer(request)


class Control:
    """Answers requests below /_control. An error has the status 400, 404 or 409 and a sentence."""

    def __init__(self, sandbox: ScriptedCoder) -> None:
        self._sandbox = sandbox
        self._verbs: dict[tuple[str, str], Callable[[Fields], JsonValue]] = {
            ("GET", "state"): self._state,
            ("GET", "requests"): self._requests,
            ("GET", "violations"): lambda _fields: list(sandbox.violations),
            ("POST", "users"): self._add_user,
            ("POST", "tokens"): lambda fields: {"key": sandbox.add_token(_text(fields, "user"))},
            ("POST", "tasks"): self._add_task,
            ("POST", "fill"): self._add_tasks,
            ("POST", "faults"): self._plan_fault,
            ("DELETE", "faults"): self._clear_faults,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """Answer a request to the control interface. Return None for any other request."""
        if not request.path.startswith(f"{PREFIX}/"):
            return None
        parts = request.path.removeprefix(f"{PREFIX}/").split("/")
        try:
            raw = await request.read()
            fields = json.loads(raw) if raw else {}
            status, body = 200, await self._act(request.method, parts, fields)
        except LookupError as error:
            status, body = 404, {"error": str(error)}
        except (ValueError, TypeError, KeyError) as error:
            status, body = 400, {"error": str(error)}
        except Refusal as refusal:
            status, body = 409, {"error": refusal.message}
        return web.Response(status=status, body=encode(body), headers={"Content-Type": JSON_TYPE})

    async def _act(self, method: str, parts: list[str], fields: Fields) -> JsonValue:
        match (method, *parts):
            case ("GET", "tasks", name):
                return _with_log(self._sandbox.task(name))
            case ("POST", "tasks", name, verb):
                return self._act_on(self._sandbox.task(name), verb, fields)
            case ("POST", "advance"):
                await self._sandbox.advance(_number(fields, "seconds"))
            case ("POST", "away"):
                self._sandbox.go_down_for(_number(fields, "seconds"))
            case (_, word) if (method, word) in self._verbs:
                return self._verbs[method, word](fields)
            case _:
                raise LookupError(f"no such control: {method} {'/'.join(parts)}")
        return {"now": timestamp(self._sandbox.clock.now())}

    def _requests(self, _fields: Fields) -> JsonValue:
        return [_request_json(seen) for seen in self._sandbox.requests]

    def _add_task(self, fields: Fields) -> JsonValue:
        user, prompt, name = _text(fields, "user"), _text(fields, "prompt"), _text(fields, "name", "")
        return _task_json(self._sandbox.add_task(user, prompt, name=name))

    def _add_tasks(self, fields: Fields) -> JsonValue:
        self._sandbox.add_tasks(int(_number(fields, "count")), _text(fields, "user"))
        return {"count": len(self._sandbox.world.tasks)}

    def _clear_faults(self, _fields: Fields) -> JsonValue:
        self._sandbox.clear_faults()
        return {}

    def _state(self, _fields: Fields) -> JsonValue:
        sandbox = self._sandbox
        return {
            "now": timestamp(sandbox.clock.now()),
            "tasks": [_task_json(task) for task in sandbox.tasks],
            "violations": list(sandbox.violations),
            "requests": len(sandbox.requests),
        }

    def _add_user(self, fields: Fields) -> JsonValue:
        roles = fields.get("roles", [])
        user = self._sandbox.add_user(
            _text(fields, "username"),
            email=_text(fields, "email", ""),
            name=_text(fields, "name", ""),
            roles=[str(role) for role in roles] if isinstance(roles, list) else (),
        )
        return {"id": user.id, "username": user.username, "token": self._sandbox.add_token(user.username)}

    def _plan_fault(self, fields: Fields) -> JsonValue:
        options = fields.get("options", {})
        given = (
            {k: v for k, v in options.items() if isinstance(v, str | int | float)}
            if isinstance(options, dict)
            else {}
        )
        times = fields.get("times", 1)
        self._sandbox.plan_fault(
            _text(fields, "route"),
            faults.named(_text(fields, "fault"), given),
            times=None if times is None else int(_number(fields, "times", 1)),
            probability=_number(fields, "probability", 1.0),
            skips=int(_number(fields, "skips", 0)),
            seed=int(_number(fields, "seed", 0)),
        )
        return {}

    def _act_on(self, task: SandboxTask, verb: str, fields: Fields) -> Json:
        verbs: dict[str, Callable[[], None]] = {
            "becomes": lambda: task.becomes(
                _text(fields, "state"), _text(fields, "message", ""), _text(fields, "uri", "")
            ),
            "says": lambda: task.says(
                _text(fields, "text"), has_terminal_format=bool(fields.get("has_terminal_format"))
            ),
            "rewrites": lambda: task.rewrites(_text(fields, "text")),
            "status": lambda: task.status_is(_text(fields, "status")),
            "build_fails": lambda: task.build_fails(_text(fields, "error", "no space left on device")),
            "pause": task.pause,
            "pause_by_timeout": task.pause_by_timeout,
            "resume": task.resume,
            "delete": task.delete,
            "crash": task.crashes,
            "unreachable": task.agent_is_unreachable,
            "reachable": task.agent_is_reachable,
        }
        if verb not in verbs:
            raise LookupError(f"a task has no control {verb!r}; there are {', '.join(verbs)}")
        verbs[verb]()
        return _task_json(task)


def _task_json(task: SandboxTask) -> Json:
    program = task.program
    return {
        "id": task.id,
        "name": task.name,
        "owner": task.row.owner.username,
        "prompt": task.prompt,
        "status": task.status,
        "state": task.state,
        "build": task.row.workspace.latest.number,
        "workspace_status": derived.workspace_status(task.row.workspace.latest),
        "is_stable": program is not None and program.status == "stable",
        "inputs": list(task.inputs),
        "is_deleted": task.is_deleted,
    }


def _with_log(task: SandboxTask) -> Json:
    messages = task.program.messages if task.program else []
    return {**_task_json(task), "log": [message_json(message) for message in messages]}


def _request_json(seen: RecordedRequest) -> Json:
    return {
        "number": seen.number,
        "at": timestamp(seen.at),
        "route": seen.route,
        "method": seen.method,
        "path": seen.path,
        "query": seen.query,
        "user": seen.user,
        "status": seen.status,
        "has_executed": seen.has_executed,
        "fault": seen.fault,
    }


def _text(fields: Fields, name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name!r} has to be a string")
    return value


def _number(fields: Fields, name: str, default: float | None = None) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name!r} has to be a number")
    return value
