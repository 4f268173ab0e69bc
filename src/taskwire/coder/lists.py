"""The list of tasks as it came, cut into items that nobody has read yet.

There may be tens of thousands of tasks, and whoever reads them all at once keeps everybody else waiting. So
the list comes in pieces of some hundred items, between which others get their turn; how long a whole list
takes does not matter then. What an item says is for `models`.
"""

from collections.abc import Iterator
from typing import Annotated, TypeVar

import msgspec

from taskwire.coder.errors import UnexpectedCoderAnswer

Item = msgspec.Raw

# About a hundred tasks: they are read in a millisecond or two, and cut in a tenth of that.
PIECE_BYTES = 128 * 1024

_HEAD = b'{"tasks":['
# What stands between two tasks: Go writes the id first. In a text the quotes would be escaped; in a list
# within a task it may stand, and then what is cut there is no JSON.
_SEAM = b'},{"id":"'


class _Whole(msgspec.Struct):
    tasks: list[msgspec.Raw] | None


class _Named(msgspec.Struct, frozen=True):
    id: Annotated[str, msgspec.Meta(min_length=1)]


class TaskEntry(_Named, frozen=True):
    """What tells a task of the list from the others."""

    name: str = ""
    owner_id: str = ""
    owner_name: str = ""


N = TypeVar("N", bound=_Named)


def pieces(body: bytes) -> Iterator[list[Item]]:
    """Cut what `list_tasks_raw` brought into a few items at a time; raises `Unknown` on nonsense.

    Nonsense may come to light after the first pieces: nothing is known of the list before its end.
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
    """Cut the whole list at once; raises `Unknown` on nonsense."""
    return [bytes(item) for piece in pieces(body) for item in piece]


def item_id(item: Item | bytes) -> str:
    """Read the id of one item and nothing else; raises `Unknown` on nonsense."""
    return _read(item, _Named).id


def entry(item: Item) -> TaskEntry:
    """Read of one item what tells it from others; raises `Unknown` on nonsense."""
    return _read(item, TaskEntry)


def _read(item: Item | bytes, kind: type[N]) -> N:
    try:
        return msgspec.json.decode(item, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = str(exc)
    raise UnexpectedCoderAnswer("one task of the list", reason)
