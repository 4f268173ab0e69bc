"""Values that are sealed for the whole name of their key, such as connected accounts and notes.

They can be opened only under that name. So if the key prefix changes, a move seals them again. Most values
are bound to something else, for example to a link or a queue, and are moved as they are. A value whose key
(of `TASKWIRE_SECRET_KEYS`) is missing is moved as it is too.
"""

from collections.abc import Callable

from taskwire.migration.side import KeyValue
from taskwire.sealing import is_sealed, key_ring
from taskwire.state.audit import purpose_of_seal

# The audit trail's record of its end is stored under the trail's key with this ending.
_HEAD = ":head"


def seal_for_prefix(name: bytes, value: KeyValue, old: bytes, new: bytes) -> KeyValue:
    """Return the content of a key as it must be under the prefix `new`. It was read under `old`."""
    pairs = list(zip(_list_purposes(old + name), _list_purposes(new + name), strict=True))

    def seal_again(text: str) -> str:
        for before, after in pairs:
            text = key_ring().reseal_for(text, before, after)
        return text

    return _change(value, seal_again)


def open_for_prefix(name: bytes, value: KeyValue, prefix: bytes) -> KeyValue:
    """Return the content of a key with its bound values opened, so that both sides of a move can be
    compared. Each sealing of one text gives another value."""

    def open_text(text: str) -> str:
        found = (key_ring().find_content(text, purpose) for purpose in _list_purposes(prefix + name))
        return next((f"opened {content}" for content in found if content is not None), text)

    return _change(value, open_text)


def _list_purposes(key: bytes) -> tuple[str, ...]:
    name = key.decode(errors="replace")
    return name, purpose_of_seal(name.removesuffix(_HEAD))


def _change(value: KeyValue, change: Callable[[str], str]) -> KeyValue:
    """Return the content with each sealed item changed. Items of other kinds of keys are never bound."""
    if value.kind not in ("string", "hash"):
        return value
    return value._replace(items=tuple(_change_item(item, change) for item in value.items))


def _change_item(item: bytes, change: Callable[[str], str]) -> bytes:
    text = item.decode(errors="replace")
    return change(text).encode(errors="surrogatepass") if is_sealed(text) else item
