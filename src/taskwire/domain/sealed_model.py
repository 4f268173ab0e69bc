"""Stored values whose texts are encrypted (sealed).

Every text field is sealed unless its type says that anybody may read it: an id of `ids.py`, a `Literal`, an
enum, or `Readable`. So a new text field is sealed by default, also a text in a dataclass or a list. Kinds,
ids, times and counts stay readable, because Lua scripts, the crash-point proof and operators read them.

A value is stored as JSON with one more field, `sealed`, which contains the texts of the value and of all
values inside it. The field `sealed` can be opened only in a value of the same class with the same readable
fields. So it is also the signature of the readable fields: nobody without the key can make a job, or move
Alice's words into a job of Bob's. A value without texts is signed too, and a value that is not signed cannot
be read.

A value is also bound to its place in Redis, for example to a queue or a link: copied to another place, it
cannot be opened. Pydantic's `context` is the name of the place, both when a value is written and when it is
read. A value that is written without a `context` is bound to no place.
"""

import hashlib
import json
from dataclasses import is_dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cache
from types import NoneType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NewType,
    Self,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import (
    BaseModel,
    ModelWrapValidatorHandler,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from taskwire import sealing
from taskwire.domain.text.agent_text import AgentText

_READABLE: Final = "readable"
# An id, a word of Taskwire's, an address or a digest: no text that a person or an agent wrote.
Readable = Annotated[str, _READABLE]
SEALED = "sealed"

Fields = dict[str, Any]


class SealedModel(BaseModel):
    """A value that is sealed when it is written as JSON, and opened when it is read."""

    # How deeply the present write and the present read are nested. Writing and reading never await anything,
    # so all values of the process can share these two numbers.
    _depth: ClassVar[int] = 0
    _reading: ClassVar[int] = 0
    # Whether a stored value must be signed. False for values that only Lua scripts make.
    is_signed: ClassVar[bool] = True

    @model_serializer(mode="wrap", when_used="json")
    def _seal(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> Fields:
        SealedModel._depth += 1
        try:
            fields: Fields = handler(self)
        finally:
            SealedModel._depth -= 1
        texts = {name: fields.pop(name) for name in list_sealed_fields(type(self)) if fields.get(name)}
        if texts:
            fields[SEALED] = texts
        if SealedModel._depth:
            return fields
        found: dict[str, Fields] = {}
        _take_out(fields, "", found)
        if found or self.is_signed:
            content = sealing.masked(json.dumps(found, ensure_ascii=False))
            purpose = make_purpose(type(self), fields, self.find_place(info.context, fields))
            fields[SEALED] = sealing.key_ring().seal(content, purpose)
        return fields

    @model_validator(mode="wrap")
    @classmethod
    def _open(cls, given: object, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if info.mode != "json" or SealedModel._reading or not isinstance(given, dict):
            return handler(given)
        if not isinstance(given.get(SEALED), str):
            if cls.is_signed:
                raise sealing.CannotOpen("it is not signed, so this Taskwire has not written it")
            return handler(given)
        fields = opened(cls, given, cls.find_place(info.context, given))
        SealedModel._reading += 1
        try:
            return handler(fields)
        finally:
            SealedModel._reading -= 1

    @classmethod
    def find_place(cls, context: object, _: Fields) -> str:
        """Return the place to which a value with these readable fields is bound; empty if there is none.

        `context` is the place where it is written or read.
        """
        return context if isinstance(context, str) else ""


def opened(kind: type[BaseModel], stored: Fields, place: str = "") -> Fields:
    """Return the fields of a value that is stored at a place, with the sealed texts in them.

    Raises `sealing.CannotOpen`.
    """
    fields: Fields = json.loads(json.dumps(stored))
    token = fields.pop(SEALED)
    found: dict[str, Fields] = json.loads(sealing.key_ring().open(token, make_purpose(kind, fields, place)))
    for path, texts in found.items():
        node: Any = fields
        for step in path.split(".") if path else ():
            node = node[int(step)] if isinstance(node, list) else node[step]
        node.update(texts)
    return fields


def _take_out(node: object, path: str, found: dict[str, Fields]) -> None:
    """Move the texts of a value, and of the values in it, to `found`. The keys of `found` are the paths."""
    if isinstance(node, dict):
        texts = node.pop(SEALED, None)
        if isinstance(texts, dict):
            found[path] = texts
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, inner in steps:
        if isinstance(inner, dict | list):
            _take_out(inner, f"{path}.{step}" if path else f"{step}", found)


# Values of these classes contain no text that a person or an agent wrote.
_NO_TEXTS = (int, float, date, timedelta, NoneType, Enum, SealedModel)


def make_purpose(kind: type[BaseModel], readable: Fields, place: str = "") -> str:
    """Return the text that binds a sealed value to its class, its readable fields and its place."""
    text = json.dumps({name: value for name, value in readable.items() if name != SEALED}, sort_keys=True)
    return f"{kind.__name__} {place} {hashlib.sha256(text.encode()).hexdigest()}"


@cache
def list_sealed_fields(kind: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of the sealed fields of a class."""
    return tuple(
        name
        for name, field in kind.model_fields.items()
        if _READABLE not in field.metadata and _has_text(field.annotation)
    )


def _has_text(annotation: object) -> bool:
    """Return whether a type contains text that must be sealed.

    Types that are not known here count as text. Models in a sealed model seal their own texts.
    """
    if isinstance(annotation, NewType) or annotation is ...:
        return annotation is AgentText
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _READABLE not in inner[1:] and _has_text(inner[0])
    if origin is Literal:
        return False
    if origin is not None:
        return any(_has_text(each) for each in inner)
    if not isinstance(annotation, type):
        return annotation is not None
    if issubclass(annotation, _NO_TEXTS):
        return False
    if _is_record(annotation):
        return any(_has_text(each) for each in get_type_hints(annotation, include_extras=True).values())
    return True


def _is_record(kind: type) -> bool:
    """Return whether a class has typed fields without being a model: a dataclass, NamedTuple or TypedDict."""
    return is_dataclass(kind) or (issubclass(kind, tuple | dict) and "__annotations__" in vars(kind))
