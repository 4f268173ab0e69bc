"""The few shapes that answers have: a statement, and a question with its buttons."""

from collections.abc import Sequence
from typing import cast

from pydantic import JsonValue

from taskwire.domain.links import Link
from taskwire.domain.message import Block, Message
from taskwire.messages.blocks import TEXT, cut, named, quoted, rows, section
from taskwire.messages.cards import name_of

QUOTE = 300
ASKED = "ask"


def statement(words: str) -> Message:
    """Say something in our own words."""
    return Message(text=cut(words, TEXT), blocks=(section("answer", cut(words, 3_000)),))


def question(words: str, text: str, buttons: Sequence[Block]) -> Message:
    """Ask about a text: our words, the text, the choices."""
    shown = [section("question", words)]
    if text.strip():
        shown.append(quoted("text", text, QUOTE))
    return Message(text=cut(words, TEXT), blocks=(*shown, *rows(ASKED, buttons)))


def settled(asked: Message, words: str, *, dead: str = "") -> Message:
    """Let a question, or a notice that offers something, say what became of it; only links keep buttons.

    Without words a notice says no more than what happened. Nothing leads to the `dead` address any more.
    """
    kept: list[Block] = []
    text = words
    for block in asked.blocks:
        if block["type"] == "actions":
            buttons = cast("list[Block]", block["elements"])
            links = [each for each in buttons if each.get("url") and each["url"] != dead]
            kept += [{**block, "elements": cast("JsonValue", links)}] if links else []
        elif block["block_id"] in ("question", "next"):
            kept += [section("became", words)] if words else []
            if block["block_id"] == "next":
                offer = str(cast("Block", block["text"])["text"])
                text = asked.text.replace(f" {offer}", f" {words}".rstrip())
        else:
            kept.append(cast("Block", _without_link(block, dead)) if dead else block)
    return Message(text=cut(text, TEXT), blocks=tuple(kept))


def _without_link(value: JsonValue, url: str) -> JsonValue:
    """Let what leads to this address, anywhere in a block, be nothing but its text."""
    if isinstance(value, list):
        return [_without_link(each, url) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "link" and value.get("url") == url:
        return {key: each for key, each in value.items() if key != "url"} | {"type": "text"}
    return {key: _without_link(each, url) for key, each in value.items()}


def title(link: Link) -> str:
    """Name a task among our own words."""
    return named(name_of(link))
