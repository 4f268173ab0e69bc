"""Cuts Coder's list of tasks into items without parsing them.

There may be tens of thousands of tasks, and parsing all of them at once would block everything else. So the
list comes in pieces of about a hundred items, and other work runs between them. Then it does not matter how
long the whole list takes. `models` parses an item.
"""

from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec

from taskwire.coder.errors import UnexpectedCoderAnswer

Item = msgspec.Raw

# About a hundred tasks. Parsing these takes one or two milliseconds, and cutting a tenth of that.
PIECE_BYTES = 128 * 1024

_HEAD = b'{"tasks":['
# The bytes between two tasks: Go writes the id first. In a string the quotation marks would be escaped. In a
# list inside a task these bytes may appear. A cut there makes invalid JSON, and then the rest is decoded as a
# whole.
_SEAM = b'},{"id":"'


class _Whole(msgspec.Struct):
    tasks: list[msgspec.Raw] | None


class _Named(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1)]


class TaskEntry(_Named, frozen=True):
    """The fields that tell a task of the list from the others."""

    name: str = ""
    owner_id: str = ""
    owner_name: str = ""


N = TypeVar("N", bound=_Named)


def pieces(body: bytes) -> Iterator[list[Item]]:
    """Yield the items of `list_tasks_raw`, a piece at a time.

    Raise `OutcomeUnknown` if the list makes no sense. The error may come after the first pieces,
    so nothing is known of the list before its end.
    """
    at = len(_HEAD) if body.startswith(_HEAD) else len(body)
    while (seam := body.find(_SEAM, at + PIECE_BYTES)) >= 0:
        try:
            piece = msgspec.json.decode(b"[" + body[at : seam + 1] + b"]", type=list[msgspec.Raw])
        except (msgspec.MsgspecError, UnicodeDecodeError):
            break
        yield piece
        at = seam + 2
    rest = body if at in (len(_HEAD), len(body)) else _HEAD + body[at:]
    try:
        yield msgspec.json.decode(rest, type=_Whole).tasks or []
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = str(exc)
    else:
        return
    raise UnexpectedCoderAnswer("list tasks", reason)


def cut(body: bytes) -> list[bytes]:
    """Return all items at once. Raise `OutcomeUnknown` if the list makes no sense."""
    return [bytes(item) for piece in pieces(body) for item in piece]


def item_id(item: Item | bytes) -> str:
    """Read only the id of an item. Raise `OutcomeUnknown` if it makes no sense."""
    return _read(item, _Named).id


def entry(item: Item) -> TaskEntry:
    """Read the fields that tell an item from the others. Raise `OutcomeUnknown` if it makes no sense."""
    return _read(item, TaskEntry)


def _read(item: Item | bytes, kind: type[N]) -> N:
    try:
        return msgspec.json.decode(item, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = str(exc)
    raise UnexpectedCoderAnswer("one task of the list", reason)
