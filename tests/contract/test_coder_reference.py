"""The table and the whole Coder stand-in agree with Coder's reference, if the reference is present."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import Draft4Validator, FormatChecker

from taskwire.coder import lists, models
from taskwire_sandbox.coder.routes import ALL_ROUTES
from tests.sandbox.coder_people import TASKS

from . import references
from .coder_deployment import REFUSED, STATES, add_task, open_deployment, send_request
from .coder_table import ROUTES, TYPES, WORDS, Field, get_path, list_fields

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")

# The reference and the table have different names for these types.
NAMES = {
    "BuildInfo": "BuildInfoResponse",
    "UserPage": "GetUsersResponse",
    "Role": "SlimRole",
    "ApiKey": "APIKey",
    "NewKey": "GenerateAPIKeyResponse",
    "TaskList": "TasksListResponse",
    "AgentHealth": "WorkspaceAgentHealth",
    "CurrentState": "TaskStateEntry",
    "TaskLogs": "TaskLogsResponse",
    "LogEntry": "TaskLogEntry",
    "Build": "WorkspaceBuild",
    "LatestAppStatus": "WorkspaceAppStatus",
    "BuildLog": "ProvisionerJobLog",
    "Agent": "WorkspaceAgent",
    "AgentApp": "WorkspaceApp",
    "AgentReport": "WorkspaceAppStatus",
    "AgentLifecycle": "WorkspaceAgentLifecycle",
    "LogType": "TaskLogType",
    "Transition": "WorkspaceTransition",
    "JobStatus": "ProvisionerJobStatus",
    "ReportState": "WorkspaceAppStatusState",
}
PLAIN = {"int": "integer", "bool": "boolean"}
# Pause and resume answer with two types of the same form.
STARTED = ("PauseTaskResponse", "ResumeTaskResponse")

# The reference does not say which values may be null, because it is generated from Go types. These pointers
# may be null according to the server's code.
MAY_BE_NULL = {
    "codersdk.Task": ("workspace_agent_lifecycle", "workspace_agent_health", "current_state"),
    "codersdk.WorkspaceBuild": ("deadline", "max_deadline", "template_version_preset_id"),
    "codersdk.Workspace": ("latest_app_status", "deleting_at", "dormant_at", "next_start_at"),
}
# The server writes the keys of these types with capital letters, as in Go's code. The reference has these
# keys in lower case.
GO_KEYS = ("codersdk.Preset", "codersdk.PresetParameter", "codersdk.TransitionStats")
# Fields that a real Coder server wrote in another form than the reference says.
MEASURED: dict[tuple[str, str], dict[str, Any]] = {
    ("codersdk.APIKey", "allow_list"): {"type": "array", "items": {"type": "string"}},
    ("codersdk.APIKey", "scope"): {"type": "string"},
    ("codersdk.APIKey", "scopes"): {"type": "array", "items": {"type": "string"}},
}
# Routes that Coder has and the reference lacks. The reference file has only what concerns tasks.
NOT_IN_THE_REFERENCE = {
    "authcheck",
    "users.organizations",
    "tokens.config",
    "keys.create",
    "keys.expire",
    "organizations.members",
    "templates.get",
    "templates.versions",
}
TOKEN_LIMITS = "/api/v2/users/{user}/keys/tokens/tokenconfig"
UNDOCUMENTED = ["POST /api/v2/authcheck", f"GET {TOKEN_LIMITS}"]
ONE = f"{TASKS}/{{user}}/{{task}}"
VERSION = "/api/v2/templateversions/{templateversion}"
WORKSPACE = "/api/v2/workspaces/{workspace}"
KEYS = "/api/v2/users/{user}/keys"
PREFERENCES = "/api/v2/users/{user}/notifications/preferences"
# Routes of the stand-in that are not in the table.
OTHER_READS = (
    "/api/v2/organizations",
    "/api/v2/organizations/{organization}/templates",
    "/api/v2/organizations/{organization}/templates/{templatename}",
    VERSION,
    f"{VERSION}/rich-parameters",
    f"{VERSION}/external-auth",
    PREFERENCES,
    f"{WORKSPACE}/builds",
    f"{WORKSPACE}/acl",
    "/api/v2/workspacebuilds/{workspacebuild}",
    "/api/v2/workspaceagents/{workspaceagent}/logs",
)


@dataclass(frozen=True)
class Reference:
    """Coder's API reference, made strict: unknown keys are errors, and null is allowed only where the type in
    Coder's Go code is a pointer."""

    paths: dict[str, Any]
    definitions: dict[str, Any]

    def path_like(self, path: str) -> str | None:
        """Return the reference's path that equals a path of the table, or None if there is none. The names of
        the parameters in the path may differ."""
        wanted = re.sub(r"{\w+}", "{}", path)
        return next((known for known in self.paths if re.sub(r"{\w+}", "{}", known) == wanted), None)

    def problems(self, path: str, method: str, status: int, body: object) -> list[str]:
        """Return how an answer differs from the reference. The list is empty if the answer has a documented
        status and the documented shape."""
        responses = self.paths[self.path_like(path) or ""][method.lower()]["responses"]
        if str(status) not in responses:
            return [f"status {status} instead of {', '.join(responses)}"]
        schema = {**responses[str(status)].get("schema", {}), "definitions": self.definitions}
        checker = FormatChecker(formats=("uuid", "email"))
        checker.checks("date-time")(lambda value: bool(RFC_3339.fullmatch(str(value))))
        found = Draft4Validator(schema, format_checker=checker).iter_errors(body)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Return Coder's reference."""
    data = json.loads(references.read_reference("coder-tasks.swagger.json"))
    definitions = deepcopy(data["definitions"])
    for name, definition in definitions.items():
        properties = definition.get("properties", {})
        if properties and name not in GO_KEYS:
            definition["additionalProperties"] = False
        for each in properties.values():
            if "allOf" in each:
                # The reference lists only some words of this enum: the reasons of tasks are missing.
                each.pop("enum", None)
        for key in MAY_BE_NULL.get(name, ()):
            properties[key] = {"anyOf": [properties[key], {"type": "null"}]}
    for (name, key), shape in MEASURED.items():
        definitions[name]["properties"][key] = shape
    return Reference(data["paths"], definitions)


def _wrong_routes(reference: Reference) -> Iterator[str]:
    """Yield the routes of the table that differ from the reference."""
    for row, route in ROUTES.items():
        method, _, path = row.partition(" ")
        known = reference.paths.get(path, {}).get(method.lower())
        if known is None:
            yield row
            continue
        parameters = {each["name"]: each for each in known.get("parameters", [])}
        answer = known["responses"].get(str(route.status))
        # The reference does not list the search parameter of templates.
        if answer is None or not set(route.query.split()) - {"q"} <= parameters.keys():
            yield f"{row}: status or query"
            continue
        sent = parameters.get("request", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        taken = reference.definitions[sent]["properties"].keys() if sent else set()
        if not set(route.sends.split()) <= taken:
            yield f"{row}: body"
        promised = _reference_name(answer.get("schema", {}))
        wanted = STARTED if route.answer == "StartedBuild" else (_called(route.answer),)
        if route.answer and promised not in wanted:
            yield f"{row}: answers with {promised}"


def _wrong_fields(reference: Reference) -> Iterator[str]:
    """Yield the fields of the table that differ from the reference."""
    for name in TYPES.keys() - {"StartedBuild", "TokenConfig"}:
        known = reference.definitions[f"codersdk.{_called(name)}"]["properties"]
        for field in list_fields(name):
            written = field.name.lower() if name == "Preset" else field.name
            if written not in known:
                yield f"{name}.{field.name}"
            elif not _fits(field, known[written]):
                yield f"{name}.{field.name}: {known[written]}"


def _called(kind: str) -> str:
    """Return the reference's name for a type or a list of words of the table. A kind in brackets keeps its
    brackets."""
    name = kind.strip("[]")
    called = NAMES.get(name, name)
    return f"[{called}]" if kind.startswith("[") else called


def _reference_name(schema: dict[str, Any]) -> str:
    """Return the name of the type that a schema refers to. If the schema is a list, return the name of its
    items' type in brackets."""
    if schema.get("type") == "array":
        return f"[{_reference_name(schema['items'])}]"
    for each in (schema, *schema.get("allOf", ()), *schema.get("anyOf", ())):
        if "$ref" in each:
            return str(each["$ref"]).rpartition("codersdk.")[2]
    return str(schema.get("type", ""))


def _fits(field: Field, known: dict[str, Any]) -> bool:
    """Return whether the reference gives a field the same kind as the table. `known` is the field's schema in
    the reference."""
    if field.kind == "uuid":
        return known.get("format") == "uuid"
    if field.kind == "time":
        # Coder writes this time as it writes other times, but documents it as any string.
        return known.get("format") == "date-time" or field.name == "snapshot_at"
    kind = PLAIN.get(field.kind, "string" if field.kind == "str" else _called(field.kind))
    # Taskwire does not read the words of this enum, so the table calls it a string.
    found = _reference_name(known)
    is_word = kind == "string" and found == "BuildReason"
    return is_word or found == (f"[{kind}]" if field.is_list else kind)


def test_the_table_is_what_coder_documents(reference: Reference) -> None:
    """Each route, status, argument, type, field and word of the table is in Coder's reference."""
    documented = {name: set(reference.definitions[f"codersdk.{_called(name)}"]["enum"]) for name in WORDS}

    assert list(_wrong_routes(reference)) == UNDOCUMENTED, "they are not in the reference"
    assert list(_wrong_fields(reference)) == []
    assert {name: set(known.split()) for name, known in WORDS.items()} == documented


def test_every_route_of_the_sandbox_is_one_of_coders(reference: Reference) -> None:
    """Each path and method of the stand-in is in the reference, except those of NOT_IN_THE_REFERENCE."""
    unknown = set()
    for route in ALL_ROUTES:
        path = reference.path_like(route.pattern)
        if path is None or route.method.lower() not in reference.paths[path]:
            unknown.add(route.name)

    assert unknown == NOT_IN_THE_REFERENCE


async def test_what_the_sandbox_shows_has_the_shape_that_coder_promises(reference: Reference) -> None:
    """Every answer of the stand-in to a read has the reference's keys and kinds, in every state of the
    task."""
    paths = [*(get_path(row) for row in ROUTES if row.startswith("GET ")), *OTHER_READS]
    paths.remove(TOKEN_LIMITS)
    found: dict[tuple[str, str], list[str]] = {}

    for state in STATES:
        async with open_deployment() as deployment:
            add_task(deployment, state)
            for path in paths:
                reply = await send_request(deployment, "GET", path)
                if (state, path) in REFUSED:
                    assert reply.status == REFUSED[state, path]
                else:
                    found[state, path] = reference.problems(path, "GET", reply.status, reply.json)

    assert len(found) == len(STATES) * len(paths) - len(REFUSED)
    assert {place: wrong for place, wrong in found.items() if wrong} == {}


async def test_what_is_changed_is_answered_as_coder_promises(reference: Reference) -> None:
    """Every answer of the stand-in to a write has the reference's status, and the reference's shape if it has
    a body."""
    found: dict[str, list[str]] = {}
    async with open_deployment() as deployment:
        sandbox = deployment.sandbox
        body = {"template_version_id": sandbox.template.active.id, "input": "Do it", "name": "it"}
        steps: list[tuple[str, str, object]] = [
            ("POST", f"{TASKS}/{{user}}", body),
            ("POST", f"{ONE}/send", {"input": "hello"}),
            ("POST", f"{ONE}/pause", None),
            ("PATCH", f"{ONE}/input", {"input": "Do that"}),
            ("POST", f"{ONE}/resume", None),
            ("PATCH", f"{WORKSPACE}/acl", {"user_roles": {sandbox.admin.id: "use"}}),
            ("DELETE", f"{WORKSPACE}/acl", None),
            ("POST", f"{KEYS}/tokens", {"token_name": "bot"}),
            ("PUT", PREFERENCES, {"template_disabled_map": {"d4a6271c-cced-4ed0-84ad-afd02a9c7799": False}}),
            ("DELETE", ONE, None),
        ]

        for method, path, sent in steps:
            reply = await send_request(deployment, method, path, sent)
            got = reply.json if reply.text else {}
            found[f"{method} {path}"] = reference.problems(path, method, reply.status, got)

    assert found == {f"{method} {path}": [] for method, path, _ in steps}


async def test_a_refusal_has_the_shape_of_every_refusal(reference: Reference) -> None:
    """Every error of the stand-in has Coder's one form. Details and validations are present only if there are
    any."""
    schema = {"$ref": "#/definitions/codersdk.Response", "definitions": reference.definitions}
    validator = Draft4Validator(schema)

    async with open_deployment() as deployment:
        for query in ("nonsense:", "owner:nobody", "status:active status:active"):
            reply = await deployment.alice.asks("GET", TASKS, query={"q": query})
            assert list(validator.iter_errors(reply.json)) == []
            assert reply.status == 400


def test_the_samples_of_the_facts_are_read() -> None:
    """The client reads the sample answers in the reference folder, which were written from Coder's source."""
    chapter = references.read_reference("../facts/coder-api.md").partition("\n## 10. ")[2]
    bodies = {
        section.split()[0]: re.findall(r"```json\n(.*?)\n```", section, re.DOTALL)[0:1]
        for section in chapter.split("\n### ")[1:]
    }
    # The sample of a build has no times.
    build = bodies["10.7"][0].replace('"created_at":"..."', '"created_at":"2026-06-18T10:00:00Z"')

    tasks = [models.parse_task(item) for item in lists.split_list(bodies["10.1"][0].encode())]
    created = models.parse_task(bodies["10.2"][0].encode())
    live = models.parse(models.TaskLogs, bodies["10.4"][0].encode(), "live")
    snapshot, none, _ = (line.encode() for line in bodies["10.5"][0].splitlines())
    started = models.parse(models.StartedBuild, build.encode(), "pause").workspace_build
    templates = models.parse_list(models.Template, bodies["10.8"][0].encode(), "templates")
    presets = models.parse_list(models.Preset, bodies["10.9"][0].encode(), "presets")

    seen = [(task.status, task.current_state and task.current_state.state) for task in tasks]
    assert seen == [("active", "working"), ("active", "idle"), ("paused", "idle")]
    health = [task.workspace_agent_health and task.workspace_agent_health.healthy for task in tasks]
    assert health == [True, True, None]
    assert (created.status, created.workspace_status, created.current_state) == ("pending", "pending", None)
    assert ([entry.is_input for entry in live.logs], live.snapshot) == ([False, True, False], False)
    assert models.parse(models.TaskLogs, snapshot, "snapshot").snapshot
    assert models.parse(models.TaskLogs, none, "none").snapshot
    assert (started.build_number, started.transition, started.reason) == (2, "stop", "task_manual_pause")
    assert [template.name for template in templates] == ["tasks-docker"]
    assert [preset.is_default for preset in presets] == [True]
    assert len(bodies["10.6"][0].splitlines()) == 8
