"""Rich text: the block whose words can hold no markup by accident, only what stands here."""

from typing import Annotated, Literal

from pydantic import Field

from taskwire.slack.shapes import Id, Shape, SlackId, Url


class Style(Shape):
    """How a run of words looks."""

    bold: bool | None = None
    italic: bool | None = None
    strike: bool | None = None
    code: bool | None = None
    underline: bool | None = None


class Run(Shape):
    """A run of words."""

    type: Literal["text"]
    text: Annotated[str, Field(min_length=1)]
    style: Style | None = None


class LinkElement(Shape):
    """An address, with words of its own if it has any."""

    type: Literal["link"]
    url: Url
    text: Annotated[str, Field(min_length=1)] | None = None
    style: Style | None = None


class UserElement(Shape):
    """A person, who is called by it."""

    type: Literal["user"]
    user_id: SlackId
    style: Style | None = None


class ChannelElement(Shape):
    """A channel."""

    type: Literal["channel"]
    channel_id: SlackId
    style: Style | None = None


class EmojiElement(Shape):
    """An emoji by name."""

    type: Literal["emoji"]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    unicode: str | None = None
    style: Style | None = None


class DateElement(Shape):
    """A moment, in each reader's own time."""

    type: Literal["date"]
    timestamp: int
    format: Annotated[str, Field(min_length=1, max_length=255)]
    url: Url | None = None
    fallback: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    style: Style | None = None


# No broadcast: nothing here ever calls a whole channel.
Piece = Annotated[
    Run | LinkElement | UserElement | ChannelElement | EmojiElement | DateElement, Field(discriminator="type")
]
Line = Annotated[list[Piece], Field(max_length=1000)]
Border = Annotated[int, Field(ge=0, le=1)]


class SectionElement(Shape):
    """A paragraph."""

    type: Literal["rich_text_section"]
    elements: Line


class Preformatted(Shape):
    """Code, or a log."""

    type: Literal["rich_text_preformatted"]
    elements: Line
    border: Border | None = None
    language: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class Quote(Shape):
    """What somebody else has said."""

    type: Literal["rich_text_quote"]
    elements: Line
    border: Border | None = None


class ListElement(Shape):
    """A list; deeper levels are lists of their own with more indent."""

    type: Literal["rich_text_list"]
    style: Literal["bullet", "ordered"]
    elements: Annotated[list[SectionElement], Field(min_length=1, max_length=1000)]
    indent: Annotated[int, Field(ge=0, le=8)] | None = None
    offset: Annotated[int, Field(ge=0)] | None = None
    border: Border | None = None


class RichText(Shape):
    """The block."""

    type: Literal["rich_text"]
    block_id: Id | None = None
    elements: Annotated[
        list[Annotated[SectionElement | Preformatted | Quote | ListElement, Field(discriminator="type")]],
        Field(min_length=1, max_length=1000),
    ]
