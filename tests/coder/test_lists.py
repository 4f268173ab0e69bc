"""The client splits the list of tasks into pieces without losing, repeating or tearing a task."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from taskwire.coder import lists
from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.domain.errors import OutcomeUnknown

# Texts that look like the boundary between two tasks, at several depths.
WORDS = st.sampled_from(["", "x", "}", "},{", '},{"id":"', "\\", '"', "é", "{[", "]}"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "a", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)
TASKS = st.lists(st.dictionaries(st.sampled_from(["name", "prompt", "apps"]), VALUES), max_size=12)


@given(TASKS)
@settings(max_examples=100, deadline=None)
def test_the_pieces_together_are_the_list(tasks: list[dict[str, JsonValue]]) -> None:
    """If all pieces are joined, the result is the list that Coder sent, byte for byte, whatever text of
    agents and people is in the list."""
    # A piece reaches its usual length inside the filler. The client therefore looks for a boundary between
    # two tasks in the text after the filler.
    told = [{"id": f"task-{number}", "filler": "x" * 60_000, **task} for number, task in enumerate(tasks)]
    body = compact({"tasks": told, "count": len(told)})

    pieces = list(lists.iter_chunks(body))

    assert [bytes(item) for piece in pieces for item in piece] == [compact(task) for task in told]


def test_a_long_list_comes_in_pieces() -> None:
    """The client splits a long list into pieces of similar length. No piece has more than a few hundred
    tasks."""
    tasks = [{"id": f"task-{number}", "prompt": "x" * 1_000} for number in range(1_000)]

    pieces = list(lists.iter_chunks(compact({"tasks": tasks, "count": 1_000})))

    assert len(pieces) >= 8
    assert max(sum(len(bytes(item)) for item in piece) for piece in pieces) < 2 * lists.CHUNK_BYTES


def test_a_list_within_a_task_is_not_taken_for_the_list_of_tasks() -> None:
    """If a task contains a list whose items have ids, the client does not take it for the list of tasks. A
    newer Coder may add such lists."""
    filler = "x" * lists.CHUNK_BYTES
    tasks = [{"id": f"task-{n}", "filler": filler, "apps": [{"id": "1"}, {"id": "2"}]} for n in range(3)]

    assert lists.split_list(compact({"tasks": tasks, "count": 3})) == [compact(task) for task in tasks]


def test_a_list_that_is_written_otherwise_comes_at_once() -> None:
    """If the list has other spaces or another order of fields than Go writes, the client reads the list as
    one piece."""
    body = b'{"count":3, "tasks":[ {"id":"a","name":"\\u003cb\\u003e"} ,{"id":"b", "x":[{}]},{"id":7}]}'

    items = lists.split_list(body)

    assert items == [b'{"id":"a","name":"\\u003cb\\u003e"}', b'{"id":"b", "x":[{}]}', b'{"id":7}']
    assert [lists.read_item_id(item) for item in items[:2]] == ["a", "b"]
    with pytest.raises(UnexpectedCoderAnswer):
        lists.read_item_id(items[2])


def test_null_is_an_empty_list() -> None:
    """If Coder answers `null` instead of a list, the list counts as empty, because Go writes a nil slice as
    null."""
    assert lists.split_list(b'{"tasks":null,"count":0}') == []
    assert lists.split_list(b'{"tasks":[],"count":0}\n') == []


LONG = b'{"id":"a","prompt":"' + b"x" * lists.CHUNK_BYTES + b'"}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>",
        b'{"tasks":{}}',
        b'{"tasks":[{"id":"a"}',
        b'{"tasks":[{"id":"a"},]}',
        b'{"tasks":[{"id":"\xff"}]} trailing',
        b'{"tasks":[' + LONG + b',{"id":"b"}',
        b'{"tasks":[' + LONG + b',{"id":"b"}]} trailing',
        b'{"tasks":[' + LONG[:-1] + b'},{"id":"b"}},{"id":"c"}]}',
        b"\xff\xfe",
    ],
)
def test_a_list_that_is_nonsense_is_unknown(body: bytes) -> None:
    """If the list is incomplete, has another form or comes from another kind of server, the outcome of the
    call is unknown."""
    with pytest.raises(OutcomeUnknown):
        lists.split_list(body)


def compact(value: object) -> bytes:
    """Encode a value as JSON in the form that Go writes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
