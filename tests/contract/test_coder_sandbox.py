"""The Coder stand-in against Coder's reference as data: paths, statuses, and every key of every answer."""

import json
import re
from collections.abc import AsyncIterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
from jsonschema import Draft4Validator, FormatChecker

from taskwire_sandbox.coder.routes import ALL_ROUTES
from taskwire_sandbox.coder.rows import ExternalAuth, Parameter
from tests.sandbox.coder_people import TASKS, Scene, scene

from . import references

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")

# The reference is made from Go's types and does not say where a pointer may be null; the server's code does.
MAY_BE_NULL = {
    "codersdk.Task": ("workspace_agent_lifecycle", "workspace_agent_health", "current_state"),
    "codersdk.WorkspaceBuild": ("deadline", "max_deadline", "template_version_preset_id"),
    "codersdk.Workspace": ("latest_app_status", "deleting_at", "dormant_at", "next_start_at"),
}
# Keys that the server writes in Go's own case, where the reference has them in lower case.
GO_KEYS = ("codersdk.Preset", "codersdk.PresetParameter", "codersdk.TransitionStats")
# What a real server was seen to write otherwise than the reference has it.
MEASURED: dict[tuple[str, str], dict[str, Any]] = {
    ("codersdk.APIKey", "allow_list"): {"type": "array", "items": {"type": "string"}},
    ("codersdk.APIKey", "scope"): {"type": "string"},
    ("codersdk.APIKey", "scopes"): {"type": "array", "items": {"type": "string"}},
}
# Routes that Coder has and the reference, which was cut to what concerns tasks, has not.
NOT_IN_THE_REFERENCE = {
    "authcheck",
    "users.organizations",
    "tokens.config",
    "keys.expire",
    "organizations.members",
    "templates.get",
    "templates.versions",
}


@dataclass(frozen=True)
class Reference:
    """Coder's reference, made strict: no key that it does not name, null only where Go has a pointer."""

    paths: dict[str, Any]
    definitions: dict[str, Any]

    def path_like(self, path: str) -> str | None:
        """Return the reference's spelling of a path, whose parameters may be called otherwise."""
        wanted = re.sub(r"{\w+}", "{}", path)
        return next((known for known in self.paths if re.sub(r"{\w+}", "{}", known) == wanted), None)

    def problems(self, path: str, method: str, status: int, body: object) -> list[str]:
        """Return what the reference has against an answer."""
        responses = self.paths[path][method.lower()]["responses"]
        if str(status) not in responses:
            return [f"status {status} instead of {', '.join(responses)}"]
        schema = {**responses[str(status)].get("schema", {}), "definitions": self.definitions}
        checker = FormatChecker(formats=("uuid", "email"))
        checker.checks("date-time")(lambda value: bool(RFC_3339.fullmatch(str(value))))
        found = Draft4Validator(schema, format_checker=checker).iter_errors(body)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Coder's reference."""
    data = json.loads(references.read("coder-tasks.swagger.json"))
    definitions = deepcopy(data["definitions"])
    for name, definition in definitions.items():
        properties = definition.get("properties", {})
        if properties and name not in GO_KEYS:
            definition["additionalProperties"] = False
        for each in properties.values():
            if "allOf" in each:
                # A field's own list is an excerpt for the documentation: it leaves out the reasons of tasks.
                each.pop("enum", None)
        for key in MAY_BE_NULL.get(name, ()):
            properties[key] = {"anyOf": [properties[key], {"type": "null"}]}
    for (name, key), shape in MEASURED.items():
        definitions[name]["properties"][key] = shape
    return Reference(data["paths"], definitions)


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """A deployment that has one of everything."""
    async with scene() as found:
        sandbox = found.sandbox
        sandbox.add_template(
            "full",
            presets=[sandbox.new_preset("Europe", {"region": "eu"}, is_default=True)],
            parameters=[Parameter("region", default="us")],
            external_auth=[ExternalAuth("gh", "GitHub")],
        )
        yield found


def test_every_route_is_one_of_coders(reference: Reference) -> None:
    """Paths and methods are the reference's, but for a written list."""
    unknown = set()
    for route in ALL_ROUTES:
        path = reference.path_like(route.pattern)
        if path is None or route.method.lower() not in reference.paths[path]:
            unknown.add(route.name)

    assert unknown == NOT_IN_THE_REFERENCE


BACKFILL_THREADS = {
    "buildinfo": "/api/v2/buildinfo",
    "users": "/api/v2/users",
    "a user": "/api/v2/users/{user}",
    "organizations": "/api/v2/organizations",
    "templates": "/api/v2/templates",
    "an organization's templates": "/api/v2/organizations/{organization}/templates",
    "an organization's template": "/api/v2/organizations/{organization}/templates/{templatename}",
    "a version": "/api/v2/templateversions/{templateversion}",
    "presets": "/api/v2/templateversions/{templateversion}/presets",
    "parameters": "/api/v2/templateversions/{templateversion}/rich-parameters",
    "accounts": "/api/v2/templateversions/{templateversion}/external-auth",
    "keys": "/api/v2/users/{user}/keys/tokens",
    "a key": "/api/v2/users/{user}/keys/{keyid}",
    "preferences": "/api/v2/users/{user}/notifications/preferences",
    "tasks": "/api/v2/tasks",
    "a task": "/api/v2/tasks/{user}/{task}",
    "a log": "/api/v2/tasks/{user}/{task}/logs",
    "a workspace": "/api/v2/workspaces/{workspace}",
    "builds": "/api/v2/workspaces/{workspace}/builds",
    "shares": "/api/v2/workspaces/{workspace}/acl",
    "a build": "/api/v2/workspacebuilds/{workspacebuild}",
    "a build's log": "/api/v2/workspacebuilds/{workspacebuild}/logs",
    "an agent": "/api/v2/workspaceagents/{workspaceagent}",
    "an agent's log": "/api/v2/workspaceagents/{workspaceagent}/logs",
}


def filled(stage: Scene, path: str) -> str:
    """Return a path with its parameters filled in."""
    sandbox = stage.sandbox
    workspace = sandbox.task("it").row.workspace
    full = next(each for each in sandbox.world.templates.values() if each.name == "full")
    running = next(build for build in workspace.builds if build.agent is not None)
    agent = running.agent
    return path.format(
        user="alice",
        organization="coder",
        templatename="full",
        templateversion=full.active.id,
        keyid=stage.alice.token.partition("-")[0],
        task="it",
        workspace=workspace.id,
        workspacebuild=running.id,
        workspaceagent=agent.id if agent else "",
    )


@pytest.mark.parametrize("state", ["fresh", "working", "paused", "broken"])
@pytest.mark.parametrize("path", BACKFILL_THREADS.values(), ids=BACKFILL_THREADS)
async def test_what_is_read_has_the_shape_that_coder_promises(
    reference: Reference, stage: Scene, path: str, state: str
) -> None:
    """Every answer to a read has the reference's keys and kinds, whatever the task is at."""
    task = stage.sandbox.add_task("alice", "Do <it> & more", name="it")
    stage.sandbox.share("it", "admin", "use")
    if state == "working":
        task.becomes("failed", "No access", "https://example.com/1")
        task.says("Something")
    elif state == "paused":
        task.pause()
    elif state == "broken":
        task.pause()
        task.resume()
        task.build_fails()

    reply = await stage.alice.asks("GET", filled(stage, path))

    if (state, path) == ("broken", BACKFILL_THREADS["a log"]):
        assert reply.status == 409  # the one read that a state refuses
        return
    if state in ("paused", "broken") and path in (
        BACKFILL_THREADS["an agent"],
        BACKFILL_THREADS["an agent's log"],
    ):
        assert reply.status == 404  # its workspace has been stopped since
        return
    assert reference.problems(reference.path_like(path) or "", "GET", reply.status, reply.json) == []


async def test_what_is_changed_is_answered_as_coder_promises(reference: Reference, stage: Scene) -> None:
    """Each write has the reference's status, and its shape where it answers with more than a status."""
    alice, one = stage.alice, f"{TASKS}/{{user}}/{{task}}"
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "Do it", "name": "it"}
    steps: list[tuple[str, str, object]] = [
        ("POST", f"{TASKS}/{{user}}", body),
        ("POST", f"{one}/send", {"input": "hello"}),
        ("POST", f"{one}/pause", None),
        ("PATCH", f"{one}/input", {"input": "Do that"}),
        ("POST", f"{one}/resume", None),
        ("PATCH", "/api/v2/workspaces/{workspace}/acl", {"user_roles": {stage.sandbox.admin.id: "use"}}),
        ("DELETE", "/api/v2/workspaces/{workspace}/acl", None),
        ("POST", "/api/v2/users/{user}/keys/tokens", {"token_name": "bot"}),
        (
            "PUT",
            "/api/v2/users/{user}/notifications/preferences",
            {"template_disabled_map": {"d4a6271c-cced-4ed0-84ad-afd02a9c7799": False}},
        ),
        ("DELETE", one, None),
    ]
    found: dict[str, list[str]] = {}

    for method, path, sent in steps:
        address = path.format(user="alice") if path == f"{TASKS}/{{user}}" else filled(stage, path)
        reply = await alice.asks(method, address, sent)
        got = reply.json if reply.text else {}
        found[f"{method} {path}"] = reference.problems(path, method, reply.status, got)

    assert found == {f"{method} {path}": [] for method, path, _ in steps}


async def test_a_refusal_has_the_shape_of_every_refusal(reference: Reference, stage: Scene) -> None:
    """Errors are Coder's one form, with details and validations only where there are any."""
    schema = {"$ref": "#/definitions/codersdk.Response", "definitions": reference.definitions}
    validator = Draft4Validator(schema)

    for query in ("nonsense:", "owner:nobody", "status:active status:active"):
        reply = await stage.alice.asks("GET", TASKS, query={"q": query})
        assert list(validator.iter_errors(reply.json)) == []
        assert reply.status == 400
