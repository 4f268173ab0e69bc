"""The Coder stand-in has every route that Taskwire calls, with all fields that Taskwire reads."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jsonschema import Draft4Validator, FormatChecker

from taskwire_sandbox.coder.bodies import AUTH_CHECK, CREATE_TASK, CREATE_TOKEN, SEND, UPDATE_INPUT
from taskwire_sandbox.coder.routes import RouteTable
from tests.sandbox.coder_people import Scene

from .coder_deployment import REFUSED, STATES, add_task, open_deployment, send_request
from .coder_table import ROUTES, V2, WORDS, Field, get_path, list_fields

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
PLAIN: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "bool": {"type": "boolean"},
    "uuid": {"type": "string", "format": "uuid"},
    "time": {"type": "string", "format": "date-time"},
}
READS = {row: get_path(row) for row in ROUTES if row.startswith("GET ")}
BODIES = {
    f"POST {V2}/authcheck": AUTH_CHECK,
    f"POST {V2}/tasks/{{user}}": CREATE_TASK,
    f"POST {V2}/users/{{user}}/keys/tokens": CREATE_TOKEN,
    f"PATCH {V2}/tasks/{{user}}/{{task}}/input": UPDATE_INPUT,
    f"POST {V2}/tasks/{{user}}/{{task}}/send": SEND,
}


def schema_of(kind: str) -> dict[str, Any]:
    """Return the JSON schema of a kind in the table. The schema allows fields that the table lacks."""
    if kind in PLAIN:
        return PLAIN[kind]
    if kind in WORDS:
        return {"enum": WORDS[kind].split()}
    return {
        "type": "object",
        "required": [field.name for field in list_fields(kind) if not field.is_optional],
        "properties": {field.name: _field_schema(field) for field in list_fields(kind)},
    }


def _field_schema(field: Field) -> dict[str, Any]:
    schema = schema_of(field.kind)
    if field.is_list:
        schema = {"type": "array", "items": schema}
    return {"anyOf": [schema, {"type": "null"}]} if field.is_optional else schema


def problems(row: str, body: object) -> list[str]:
    """Return the differences between an answer and the table."""
    kind = ROUTES[row].answer
    schema = schema_of(kind.strip("[]"))
    if kind.startswith("["):
        schema = {"type": "array", "items": schema}
    checker = FormatChecker(formats=("uuid",))
    checker.checks("date-time")(lambda value: bool(RFC_3339.fullmatch(str(value))))
    found = Draft4Validator(schema, format_checker=checker).iter_errors(body)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@pytest.fixture
async def deployment() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with one object of every kind."""
    async with open_deployment() as found:
        yield found


@pytest.mark.parametrize("row", ROUTES)
def test_a_route_of_the_table_is_known_with_its_arguments(row: str) -> None:
    """The stand-in accepts each argument in the table. It would refuse an argument that it does not know."""
    method, _, path = row.partition(" ")

    found = RouteTable().find(method, path, has_tasks=True)

    assert found is not None
    assert found[0].query >= set(ROUTES[row].query.split())
    taken = BODIES[row].fields if row in BODIES else {}
    assert taken.keys() >= set(ROUTES[row].sends.split())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("row", READS)
async def test_what_is_read_is_there_whatever_the_task_is_at(deployment: Scene, row: str, state: str) -> None:
    """Each field that Taskwire reads is in the stand-in's answer and has its kind, in every state of the
    task."""
    add_task(deployment, state)

    reply = await send_request(deployment, "GET", READS[row])

    if (state, READS[row]) in REFUSED:
        assert reply.status == REFUSED[state, READS[row]]
    else:
        assert reply.status == ROUTES[row].status
        assert problems(row, reply.json) == []


async def test_what_is_changed_is_answered_as_the_client_takes_it(deployment: Scene) -> None:
    """The stand-in answers each write of the table with the status in the table. If Taskwire reads the
    answer, the answer has a body."""
    where = {"resource_type": "workspace", "organization_id": deployment.sandbox.template.organization.id}
    check = {"object": where, "action": "application_connect"}
    version = deployment.sandbox.template.active.id
    one = f"{V2}/tasks/{{user}}/{{task}}"
    steps: list[tuple[str, object]] = [
        (f"POST {V2}/authcheck", {"checks": {"can_connect": check}}),
        (f"POST {V2}/tasks/{{user}}", {"template_version_id": version, "input": "Do it", "name": "it"}),
        (f"POST {one}/send", {"input": "hello"}),
        (f"POST {one}/pause", None),
        (f"PATCH {one}/input", {"input": "Do that"}),
        (f"POST {one}/resume", None),
        (f"DELETE {one}", None),
        (f"POST {V2}/users/{{user}}/keys/tokens", {"token_name": "bot"}),
        (f"DELETE {V2}/users/{{user}}/keys/{{keyid}}", None),
    ]
    found = {}

    for row, sent in steps:
        method, _, path = row.partition(" ")
        reply = await send_request(deployment, method, path, sent)
        wrong = problems(row, reply.json) if ROUTES[row].answer else []
        found[row] = (reply.status, wrong)
        if row.endswith("/authcheck"):
            assert reply.json == {"can_connect": False}

    assert found == {row: (route.status, []) for row, route in ROUTES.items() if row not in READS}


def test_an_answer_that_lacks_a_field_would_be_found() -> None:
    """If an answer lacks a field or has a field of another kind, the check of these tests finds that."""
    entry = {"id": 1, "content": "Go on", "type": "input", "time": "2026-06-18T10:40:02Z"}
    row = f"GET {V2}/tasks/{{user}}/{{task}}/logs"

    assert problems(row, {"logs": [entry]}) == []
    assert problems(row, {}) == [": 'logs' is a required property"]
    for wrong in ({"id": "1"}, {"content": None}, {"type": "thought"}, {"time": "now"}):
        assert len(problems(row, {"logs": [entry | wrong]})) == 1
