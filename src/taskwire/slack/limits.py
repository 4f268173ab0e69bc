"""Slack's limits on messages and dialogs, looked at before anything is sent.

A violation is a defect of ours: `Invalid` names it and the place. Nothing is cut here. What Slack does with
each: text over 40,000 characters is truncated on posting, over 4,000 refused on editing (`msg_too_long`);
blocks are refused from about 13,100 characters in all (`msg_blocks_too_long`, seen, not documented); metadata
with an odd event type is dropped with no more than a warning.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, TypeAdapter, ValidationError, model_validator

from taskwire.domain.message import Block, Message, View
from taskwire.slack import shapes
from taskwire.slack.richtext import RichText
from taskwire.slack.shapes import Accessory, Id, InActions, InContext, InInput, Plain, Shape, Text, up_to

POSTED_TEXT = 40_000
EDITED_TEXT = 4_000
BLOCKS_TEXT = 12_000
MARKDOWN_TEXT = 12_000
METADATA_BYTES = 8_000
VIEW_BYTES = 250_000


class Invalid(ValueError):
    """Slack would refuse this, or spoil it: a defect of ours."""


class SectionBlock(Shape):
    """Words, with something beside them."""

    type: Literal["section"]
    block_id: Id | None = None
    text: Annotated[Text, up_to(3000)] | None = None
    fields: Annotated[list[Annotated[Text, up_to(2000)]], Field(min_length=1, max_length=10)] | None = None
    accessory: Accessory | None = None
    expand: bool | None = None

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if self.text is None and self.fields is None:
            raise ValueError("neither text nor fields")
        return self


class Header(Shape):
    """A heading."""

    type: Literal["header"]
    block_id: Id | None = None
    text: Annotated[Plain, up_to(150)]


class Divider(Shape):
    """A line."""

    type: Literal["divider"]
    block_id: Id | None = None


class Context(Shape):
    """Small print."""

    type: Literal["context"]
    block_id: Id | None = None
    elements: Annotated[list[InContext], Field(min_length=1, max_length=10)]


class Actions(Shape):
    """Buttons and menus in a row."""

    type: Literal["actions"]
    block_id: Id | None = None
    elements: Annotated[list[InActions], Field(min_length=1, max_length=25)]


class Markdown(Shape):
    """Standard Markdown, which Slack renders; only in messages."""

    type: Literal["markdown"]
    block_id: Id | None = None
    text: Annotated[str, Field(min_length=1, max_length=MARKDOWN_TEXT)]


class Image(Shape):
    """A picture."""

    type: Literal["image"]
    block_id: Id | None = None
    image_url: shapes.Url
    alt_text: Annotated[str, Field(min_length=1, max_length=2000)]
    title: Annotated[Plain, up_to(2000)] | None = None


class Input(Shape):
    """A question to fill in; only in dialogs."""

    type: Literal["input"]
    block_id: Id
    label: Annotated[Plain, up_to(2000)]
    element: InInput
    hint: Annotated[Plain, up_to(2000)] | None = None
    optional: bool | None = None
    dispatch_action: bool | None = None


_Anywhere = SectionBlock | Header | Divider | Context | Actions | Image | RichText
InMessage = Annotated[_Anywhere | Markdown, Field(discriminator="type")]
InView = Annotated[_Anywhere | Input, Field(discriminator="type")]


class Modal(Shape):
    """A dialog."""

    type: Literal["modal"]
    title: Annotated[Plain, up_to(24)]
    blocks: Annotated[list[InView], Field(max_length=100)]
    submit: Annotated[Plain, up_to(24)] | None = None
    close: Annotated[Plain, up_to(24)] | None = None
    callback_id: Annotated[str, Field(max_length=255)] | None = None
    private_metadata: Annotated[str, Field(max_length=3000)] | None = None
    external_id: Annotated[str, Field(max_length=255)] | None = None
    clear_on_close: bool | None = None
    notify_on_close: bool | None = None

    @model_validator(mode="after")
    def _can_be_sent(self) -> Self:
        if self.submit is None and any(isinstance(block, Input) for block in self.blocks):
            raise ValueError("inputs, and no submit")
        return self


class Home(Shape):
    """A Home page."""

    type: Literal["home"]
    blocks: Annotated[list[InView], Field(max_length=100)]
    callback_id: Annotated[str, Field(max_length=255)] | None = None
    private_metadata: Annotated[str, Field(max_length=3000)] | None = None
    external_id: Annotated[str, Field(max_length=255)] | None = None


_BLOCKS: TypeAdapter[list[InMessage]] = TypeAdapter(Annotated[list[InMessage], Field(max_length=50)])
_VIEW: TypeAdapter[Modal | Home] = TypeAdapter(Annotated[Modal | Home, Field(discriminator="type")])


def check_message(message: Message, most_text: int) -> None:
    """Raise `Invalid` unless Slack takes this message, whose text may have so many characters."""
    if not message.text.strip():
        raise Invalid("a message without text")
    if len(message.text) > most_text:
        raise Invalid(f"text has {len(message.text)} characters, and {most_text} are allowed")
    blocks = list(message.blocks)
    _check(_BLOCKS, blocks, "blocks")
    _check_together(blocks)
    length = sum(_lengths(blocks))
    if length > BLOCKS_TEXT:
        raise Invalid(f"blocks have {length} characters in all, and {BLOCKS_TEXT} are allowed")


def check_view(view: View) -> None:
    """Raise `Invalid` unless Slack takes this dialog or Home page."""
    _check(_VIEW, view.content, "view")
    blocks = view.content["blocks"]
    _check_together(
        [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    )
    if len(json.dumps(view.content)) > VIEW_BYTES:
        raise Invalid(f"the view is larger than {VIEW_BYTES} bytes")


def check_metadata(event_type: str, payload: dict[str, str]) -> None:
    """Raise `Invalid` unless Slack keeps this metadata."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", event_type):
        raise Invalid(f"event_type {event_type!r} would be dropped")
    if not payload.get("id") or not payload.get("kind"):
        raise Invalid("metadata without id or kind")
    if len(json.dumps(payload).encode()) > METADATA_BYTES:
        raise Invalid(f"metadata is larger than {METADATA_BYTES} bytes")


def _check(adapter: TypeAdapter[list[InMessage]] | TypeAdapter[Modal | Home], given: object, at: str) -> None:
    try:
        adapter.validate_python(given)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        wrong = f"{'/'.join([at, *map(str, first['loc'])])}: {first['msg']}"
    else:
        return
    raise Invalid(wrong)


def _check_together(blocks: Sequence[Block]) -> None:
    _check_unique("block_id", [block["block_id"] for block in blocks if "block_id" in block])
    for block in blocks:
        elements = block.get("elements")
        if isinstance(elements, list):
            held = [element for element in elements if isinstance(element, dict)]
            _check_unique("action_id", [element["action_id"] for element in held if "action_id" in element])


def _check_unique(what: str, ids: list[JsonValue]) -> None:
    twice = [value for value, count in Counter(map(str, ids)).items() if count > 1]
    if twice:
        raise Invalid(f"{what} {twice[0]!r} stands twice")


def _lengths(node: JsonValue | Sequence[Block]) -> Iterator[int]:
    """Yield the length of every text in a tree of blocks."""
    if isinstance(node, dict):
        own = node.get("text")
        if isinstance(own, str):
            yield len(own)
        for value in node.values():
            yield from _lengths(value)
    elif isinstance(node, list):
        for value in node:
            yield from _lengths(value)
