"""Splits Coder's list of tasks into single tasks without parsing the tasks.

There may be tens of thousands of tasks, and parsing all of them at once would block the event loop. So the
list comes in chunks of about a hundred tasks, and the caller lets other work run between the chunks. `models`
parses a task. An item is the JSON of one task.
"""

from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec

from taskwire.coder.errors import UnexpectedCoderAnswer

Item = msgspec.Raw

# In bytes: about a hundred tasks. To parse a chunk takes one or two milliseconds, and to cut it from the list
# takes a tenth of that time.
CHUNK_BYTES = 128 * 1024

_LIST_START = b'{"tasks":['
# The bytes between two tasks: Go writes the id first. No string contains these bytes, because its quotation
# marks would be escaped. But a list inside a task can contain them. A chunk that ends there is no valid JSON,
# so the rest is then decoded as a whole.
_TASK_BOUNDARY = b'},{"id":"'


class _TaskList(msgspec.Struct):
    tasks: list[msgspec.Raw] | None


class _WithId(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1)]


class TaskEntry(_WithId, frozen=True):
    """The fields of a task by which a person names it: its id, its name and its owner."""

    name: str = ""
    owner_id: str = ""
    owner_name: str = ""


N = TypeVar("N", bound=_WithId)


def iter_chunks(body: bytes) -> Iterator[list[Item]]:
    """Yield the items of a list of tasks, a chunk at a time.

    Raises `UnexpectedCoderAnswer` if the list cannot be read. This error may come after the first chunks, so
    do not act on the items before the last chunk has come.
    """
    at = len(_LIST_START) if body.startswith(_LIST_START) else len(body)
    while (seam := body.find(_TASK_BOUNDARY, at + CHUNK_BYTES)) >= 0:
        try:
            piece = msgspec.json.decode(b"[" + body[at : seam + 1] + b"]", type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        yield piece
        at = seam + 2
    rest = body if at in (len(_LIST_START), len(body)) else _LIST_START + body[at:]
    try:
        yield msgspec.json.decode(rest, type=_TaskList).tasks or []
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = str(exc)
    else:
        return
    raise UnexpectedCoderAnswer("list tasks", reason)


def split_list(body: bytes) -> list[bytes]:
    """Return all items of a list at once. Raises `UnexpectedCoderAnswer` if the list cannot be read."""
    return [bytes(item) for piece in iter_chunks(body) for item in piece]


def read_item_id(item: Item | bytes) -> str:
    """Return the id of an item, without parsing the rest. Raises `UnexpectedCoderAnswer` if it has no id."""
    return _read(item, _WithId).id


def read_entry(item: Item) -> TaskEntry:
    """Return an item's id, name and owner. Raises `UnexpectedCoderAnswer` if the item cannot be read."""
    return _read(item, TaskEntry)


def _read(item: Item | bytes, kind: type[N]) -> N:
    try:
        return msgspec.json.decode(item, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = str(exc)
    raise UnexpectedCoderAnswer("one task of the list", reason)
