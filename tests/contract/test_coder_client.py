"""The client calls exactly the routes of the table and reads exactly its fields."""

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import AliasChoices, BaseModel, JsonValue

from taskwire.coder import lists, models
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.coder.lists import TaskEntry
from tests.coder.calls import EVERY_CALL, Call

from .coder_table import ROUTES, TYPES, WORDS, Field, get_path, list_fields

# Before the client reads the list of tasks, it splits the list into single tasks.
MODELS = {name: getattr(models, name) for name in TYPES if name != "TaskList"}
ID = "5f6c1f0e-6d0f-4b8e-9a53-0c8c3d0a1e11"
SAMPLES: dict[str, JsonValue] = {
    "str": "words", "int": 7, "bool": True, "uuid": ID, "time": "2026-06-18T10:40:02Z"
}  # fmt: skip


def find_row(call: Call) -> str:
    """Return the table's row for a call, or a text that says that the row is missing."""
    method, _, target = call.line.partition(" ")
    path = urlsplit(target).path
    fitting = [
        row
        for row in ROUTES
        if row.startswith(f"{method} ") and re.fullmatch(re.sub(r"{\w+}", "[^/]+", get_path(row)), path)
    ]
    return fitting[0] if fitting else f"not in the table: {call.line}"


def list_query_names(call: Call) -> set[str]:
    """Return the names of the parameters in a call's query."""
    return set(parse_qs(urlsplit(call.line.partition(" ")[2]).query, keep_blank_values=True))


def list_body_names(call: Call) -> set[str]:
    """Return the names of the fields in a call's body."""
    return set(call.sends) if isinstance(call.sends, dict) else set()


def make_value(field: Field, is_full: bool) -> JsonValue:
    """Return a value of the field's kind, or a list with one such value. If the kind is a type of the table,
    `is_full` says whether the value has its optional fields too."""
    if field.kind in TYPES:
        value: JsonValue = make_sample(field.kind, is_full=is_full)
    elif field.kind in WORDS:
        value = WORDS[field.kind].split()[-1]
    else:
        value = SAMPLES[field.kind]
    return [value] if field.is_list else value


def make_sample(name: str, *, is_full: bool) -> dict[str, JsonValue]:
    """Return a value of the type `name`, with all fields if `is_full`, otherwise with only the required
    fields."""
    return {
        field.name: make_value(field, is_full)
        for field in list_fields(name)
        if is_full or not field.is_optional
    }


def map_names(model: type[BaseModel]) -> dict[str, str]:
    """Return the fields that a model reads: each key is Coder's name of a field, its value is the model's
    name."""
    found = {}
    for name, field in model.model_fields.items():
        alias = field.validation_alias
        written = alias.choices[0] if isinstance(alias, AliasChoices) else field.alias or name
        found[str(written)] = name
    return found


def to_coder_json(value: object) -> JsonValue:
    """Return the JSON that Coder would have sent for a parsed value."""
    if isinstance(value, BaseModel):
        return {
            written: to_coder_json(getattr(value, name)) for written, name in map_names(type(value)).items()
        }
    if isinstance(value, tuple):
        return [to_coder_json(each) for each in value]
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    assert isinstance(value, str | int)
    return value


@pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL)
def test_a_call_asks_a_route_of_the_table(call: Call) -> None:
    """For each call, the table of routes has a row with its method and path, and this row has the status that
    the call takes for success."""
    row = find_row(call)

    assert row in ROUTES
    assert call.status == ROUTES[row].status


def test_every_route_of_the_table_is_asked_with_all_its_arguments() -> None:
    """The table has exactly the routes and arguments that the client uses."""
    queries: dict[str, set[str]] = {row: set() for row in ROUTES}
    bodies: dict[str, set[str]] = {row: set() for row in ROUTES}
    rows = set()

    for call in EVERY_CALL.values():
        row = find_row(call)
        rows.add(row)
        queries[row] |= list_query_names(call)
        bodies[row] |= list_body_names(call)

    assert rows == ROUTES.keys()
    assert queries == {row: set(route.query.split()) for row, route in ROUTES.items()}
    assert bodies == {row: set(route.sends.split()) for row, route in ROUTES.items()}


async def test_every_call_of_the_client_is_tried() -> None:
    """`tests/coder/calls.py` has every call of the client. If it lacked a call, that call would not be
    compared with the table."""
    tried: set[str] = set()

    class Named:
        def __getattr__(self, name: str) -> Callable[..., Awaitable[bytes]]:
            tried.add(name)

            async def nothing(*_: object, **__: object) -> bytes:
                return b""

            return nothing

    for call in EVERY_CALL.values():
        # The answer has no body, so the client reads nothing.
        with suppress(UnexpectedCoderAnswer):
            await call.ask(cast("CoderClient", Named()))

    public = {
        name
        for name, method in inspect.getmembers(CoderClient, inspect.iscoroutinefunction)
        if not name.startswith("_")
    }
    assert tried == public


def test_every_type_that_is_read_is_in_the_table() -> None:
    """Each type of the table has one model in the client."""
    named = {
        name
        for name, found in vars(models).items()
        if inspect.isclass(found) and issubclass(found, BaseModel) and found.__module__ == models.__name__
    }

    assert {name for name in named if not name.startswith("_")} == MODELS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_the_fields_that_are_read_are_those_of_the_table(name: str) -> None:
    """Each model of the client reads exactly the fields that the table has for its type. If a model misspelt
    a field, the field would always be absent."""
    assert map_names(MODELS[name]).keys() == {field.name for field in list_fields(name)}


def test_a_task_is_told_from_others_by_fields_of_the_table() -> None:
    """A person names a task by its id, its name or its owner. The client reads these fields from Coder's list
    without parsing whole tasks, so this test checks that the table has them."""
    assert set(TaskEntry.__struct_fields__) <= {field.name for field in list_fields("Task")}


@pytest.mark.parametrize("name", MODELS)
def test_everything_that_the_table_promises_is_read(name: str) -> None:
    """The client reads every value that the table promises, at any depth."""
    told = make_sample(name, is_full=True)

    assert to_coder_json(models.parse(MODELS[name], json.dumps(told).encode(), name)) == told


@pytest.mark.parametrize("name", MODELS)
def test_what_may_be_absent_may_be_absent(name: str) -> None:
    """If the table says that an object, a list or an id is optional, the client accepts an answer in which it
    is absent or null."""
    told = make_sample(name, is_full=False)
    nulls = {
        field.name: None
        for field in list_fields(name)
        if field.is_optional and (field.is_list or field.kind not in ("str", "bool"))
    }

    absent = models.parse(MODELS[name], json.dumps(told).encode(), name)
    null = models.parse(MODELS[name], json.dumps(told | nulls).encode(), name)

    assert absent == null


def test_the_words_that_are_known_are_those_of_the_table() -> None:
    """Each enum of the client has exactly the words that the table lists, and one more member for unknown
    words."""
    for known in (models.TaskStatus, models.TaskState, models.WorkspaceStatus):
        assert [word.value for word in list(known)[:-1]] != []
        assert {word.value for word in list(known)[:-1]} == set(WORDS[known.__name__].split())


def test_the_history_of_an_agent_has_its_own_word_for_failure() -> None:
    """An agent's history has the word "failure" where a task has "failed"."""
    words = [models.AgentReport.model_construct(raw_state=word) for word in WORDS["ReportState"].split()]

    assert {report.state.value for report in words} == set(WORDS["TaskState"].split())


def test_types_and_words_of_the_table_are_all_used() -> None:
    """Each type of the table is used in an answer or in another type. Each list of words is used in a
    type."""
    answers = {route.answer.strip("[]") for route in ROUTES.values()} - {""}
    kinds = {field.kind for name in TYPES for field in list_fields(name)}

    assert TYPES.keys() == answers | (kinds & TYPES.keys())
    assert kinds - TYPES.keys() - SAMPLES.keys() == WORDS.keys()


@pytest.mark.parametrize(
    "refusal",
    [
        '{"message":"Invalid query.","validations":[{"field":"owner","detail":"Nobody has this name."}]}',
        '{"message":"Route not found."}',
        '{"message":"You are signed out.","detail":"The key has expired."}',
    ],
)
def test_a_refusal_is_never_taken_for_a_list(refusal: str) -> None:
    """If a proxy sends an error page with the status of success, the client raises an error. The client does
    not treat the page as an empty list."""
    with pytest.raises(UnexpectedCoderAnswer):
        lists.split_list(refusal.encode())
