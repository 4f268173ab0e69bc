"""Text that people and agents wrote is stored sealed (encrypted and signed). The tests find a new field or
model whose text is not sealed."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType
from typing import (
    Annotated,
    Literal,
    NamedTuple,
    NewType,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

import pytest
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings
from typing_extensions import TypedDict

import taskwire
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle import links
from taskwire.domain.queueing import jobs
from taskwire.domain.sealed_model import SealedModel, list_sealed_fields
from taskwire.domain.text.agent_text import AgentText

# These models do not seal their own texts, for the given reason.
NOT_SEALED = {
    "Job": "its work does",
    "Link": "it is put together from values that do",
    "_PartialJob": "it reads what another version wrote",
    "_StoredLetter": "its job does",
    "View": "it goes to Slack",
    "DialogContext": "it goes to Slack",
    "ConnectedAccount": "it is sealed as a whole, for its person",
    "OwnServiceToken": "it is sealed as a whole",
    "CoderAccount": "a cached answer, which is sealed for its person",
    "_PeoplePage": "a cached answer, which is sealed for its page",
    "Account": "it is put together from answers",
    "AuditEntry": "it holds nothing that people wrote, and is signed",
    "AuditSeal": "it is sealed as a whole, for its trail",
    "AuditFilter": "it is not stored",
    "StoredEntry": "it is read, and not stored",
    "OfferedReply": "a note, which is sealed for its key",
    "DecidedReply": "a note, which is sealed for its key",
    "OfferedCommands": "a note, which is sealed for its key",
    "KeptAnswer": "a note, which is sealed for its key",
    "CoderOutage": "a note, which is sealed for its key",
    "StartedAuthorization": "a note, which is sealed for its key",
    "UnconfirmedAccount": "a note, which is sealed for its key",
    "Grant": "it is sealed as a whole, for its person",
    "PostIntent": "an intent record, which is sealed for its job",
    "SendIntent": "an intent record, which is sealed for its job",
    "ResumeIntent": "an intent record, which is sealed for its job",
}
# These models parse what Coder and Slack send. They are cached only as answers.
OUTSIDE = ("taskwire.coder", "taskwire.slack", "taskwire.settings", "taskwire.environment")
# The names of fields that stay readable: ids, and words that are Taskwire's or Coder's own.
READABLE = re.compile(
    r"(?:.*_)?(?:id|key|job|status|state|who|fallback|batch|mimetype|kind|verb|reaction|look|claimed_in)"
)


def _models(kind: type[BaseModel] = BaseModel) -> Iterator[type[BaseModel]]:
    for each in kind.__subclasses__():
        yield each
        yield from _models(each)


def _ours() -> dict[str, type[BaseModel]]:
    for module in pkgutil.walk_packages(taskwire.__path__, "taskwire."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {
        f"{model.__module__}.{model.__qualname__}": model
        for model in _models()
        if model.__module__.startswith("taskwire.")
        and not issubclass(model, BaseSettings)
        and not model.__module__.startswith(OUTSIDE)
    }


def _inner(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _inner(each)


def _leaves(annotation: object) -> Iterator[object]:
    """Yield the types of which a type is made: of its items, and of the fields of a dataclass and the
    like."""
    if is_dataclass(annotation) or hasattr(annotation, "__total__") or hasattr(annotation, "_fields"):
        for each in get_type_hints(cast("type", annotation), include_extras=True).values():
            yield from _leaves(each)
    elif get_origin(annotation) in (None, Annotated, Literal):
        yield annotation
    else:
        for each in get_args(annotation):
            yield from _leaves(each)


def _is_harmless(leaf: object) -> bool:
    """Return whether a value of this type is no text of a person or an agent, or seals itself."""
    if get_origin(leaf) is Annotated:
        return "readable" in get_args(leaf)
    return (
        leaf in (None, NoneType, ..., bool, int, float, datetime)
        or (isinstance(leaf, NewType) and leaf is not AgentText)
        or get_origin(leaf) is Literal
        or (isinstance(leaf, type) and issubclass(leaf, Enum | SealedModel))
    )


def _find_open_texts(model: type[SealedModel]) -> set[str]:
    """Return the names of the fields that are not sealed although they contain texts."""
    sealed = list_sealed_fields(model)
    return {
        name
        for name, field in model.model_fields.items()
        if name not in sealed and "readable" not in field.metadata
        if not all(map(_is_harmless, _leaves(field.annotation)))
    }


def test_no_text_is_open_in_whatever_it_stands() -> None:
    """No field that is stored readable has a text in it, not even in a dataclass or a list."""
    found = {
        f"{name}.{field}"
        for name, model in _ours().items()
        if issubclass(model, SealedModel)
        for field in _find_open_texts(model)
    }

    assert found == set()


@dataclass
class _InDataclass:
    number: int
    label: str


class _InTypedDict(TypedDict):
    label: str


class _InNamedTuple(NamedTuple):
    at: datetime
    inner: list[_InDataclass]


class _WithTexts(SealedModel):
    number: int = 0
    user: UserId = UserId("")
    of_dataclass: tuple[_InDataclass, ...] = ()
    of_typed_dict: _InTypedDict | None = None
    of_named_tuple: dict[UserId, _InNamedTuple] = Field(default_factory=dict)
    of_lists: list[list[str]] = Field(default_factory=list)
    of_anything: object = None


def test_a_text_is_sealed_in_whatever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text in a dataclass, a dictionary, a tuple or a list is sealed. If it were not, the test above would
    find it."""
    texts = {name for name in _WithTexts.model_fields if name.startswith("of_")}
    stored = _WithTexts(of_dataclass=(_InDataclass(1, "Zanzibar"),), of_lists=[["Zanzibar"]])
    written = stored.model_dump_json(context="here")

    assert set(list_sealed_fields(_WithTexts)) == texts
    assert "Zanzibar" not in written
    assert _WithTexts.model_validate_json(written, context="here") == stored
    monkeypatch.setitem(globals(), "list_sealed_fields", lambda _: ())
    assert _find_open_texts(_WithTexts) == texts


def test_every_model_seals_itself_or_says_why_not() -> None:
    """Each model seals itself, or is listed with a reason. A new model fails here before it is stored."""
    unsealed = {model.__name__ for model in _ours().values() if not issubclass(model, SealedModel)}

    assert unsealed == set(NOT_SEALED)


def test_what_is_in_a_sealed_model_is_sealed_with_it() -> None:
    """A model inside a sealed model does not seal its own texts. The outer model seals them together with its
    own."""
    outside = {
        (name, inner.__name__)
        for name, model in _ours().items()
        if issubclass(model, SealedModel)
        for field in model.model_fields.values()
        for inner in _inner(field.annotation)
        if not issubclass(inner, SealedModel)
    }

    assert outside == set()


def test_only_ids_are_readable() -> None:
    """In a stored model, only ids and the listed fields are readable. Every other text is sealed, without
    additional code in the model."""
    readable = {
        f"{model.__name__}.{name}"
        for model in _ours().values()
        if issubclass(model, SealedModel)
        for name, field in model.model_fields.items()
        if "readable" in repr(field) and name not in list_sealed_fields(model)
    }

    assert len(readable) > 30
    assert sorted(each for each in readable if not READABLE.fullmatch(each.partition(".")[2])) == []


@pytest.mark.parametrize(
    ("model", "sealed"),
    [
        (jobs.Reply, {"text", "blocks", "unreadable_files", "author_name", "question_outcome"}),
        (jobs.CreateRequested, {"prompt", "name", "trailing_options", "template", "preset", "organization"}),
        (links.LinkRecord, {"prompt", "context", "name", "title", "owner_name", "owner_slack_name"}),
    ],
)
def test_the_words_of_people_are_sealed(model: type[SealedModel], sealed: set[str]) -> None:
    """When one of these models is stored, the given fields with texts of people are sealed."""
    assert sealed <= set(list_sealed_fields(model))
