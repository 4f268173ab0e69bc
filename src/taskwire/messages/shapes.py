"""The two forms of answers: a statement, and a question with its buttons."""

from collections.abc import Sequence
from typing import cast

from pydantic import JsonValue

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import Block, Message
from taskwire.messages.blocks import (
    TEXT_LENGTH,
    bold_name,
    button_rows,
    cut,
    escape_line,
    quote_block,
    section,
)
from taskwire.messages.cards import get_name

QUOTE_LENGTH = 300
CHOICES_BLOCK_ID = "ask"


def statement(words: str) -> Message:
    """Make a message of one paragraph, written in mrkdwn."""
    return Message(text=cut(words, TEXT_LENGTH), blocks=(section("answer", cut(words, 3_000)),))


def typed_verb(verb: str, link: Link, words: str = "", *, is_in_thread: bool) -> str:
    """Return what a person types to act on the task, as code. `words` follow the verb.

    Only the task's thread knows a verb like `!share @who`. Elsewhere, the command names the task.
    """
    typed = f"!{verb}" if is_in_thread else f"/task {verb} {escape_line(link.record.name, 60)}"
    return f"`{typed} {words}`" if words else f"`{typed}`"


def replies_wait(count: int) -> str:
    """Say how many replies wait, at the beginning of a sentence or as a remark."""
    return "1 reply waits" if count == 1 else f"{count} replies wait"


def with_note(message: Message, words: str) -> Message:
    """Put a sentence in mrkdwn above a message."""
    return Message(
        text=cut(f"{words} {message.text}", TEXT_LENGTH), blocks=(section("note", words), *message.blocks)
    )


def question(words: str, text: str, buttons: Sequence[Block]) -> Message:
    """Make a question with buttons. `words` is mrkdwn. `text` is quoted below `words`, unless it is empty."""
    shown = [section("question", words)]
    if text.strip():
        shown.append(quote_block("text", text, QUOTE_LENGTH))
    return Message(text=cut(words, TEXT_LENGTH), blocks=(*shown, *button_rows(CHOICES_BLOCK_ID, buttons)))


def close_question(original: Message, words: str, *, dead: str = "") -> Message:
    """Return a message in which `words` replace the question, or the hint at the end of a notice.

    Buttons are removed, except buttons that open a URL other than `dead`. Links to `dead` become plain text.
    If `words` is empty, the question or the hint is only removed.
    """
    remaining: list[Block] = []
    text = words
    for block in original.blocks:
        if block["type"] == "actions":
            buttons = cast("list[Block]", block["elements"])
            links = [each for each in buttons if each.get("url") and each["url"] != dead]
            remaining += [{**block, "elements": cast("JsonValue", links)}] if links else []
        elif block["block_id"] in ("question", "next"):
            remaining += [section("became", words)] if words else []
            if block["block_id"] == "next":
                offer = str(cast("Block", block["text"])["text"])
                text = original.text.replace(f" {offer}", f" {words}".rstrip())
        else:
            remaining.append(cast("Block", _remove_link(block, dead)) if dead else block)
    return Message(text=cut(text, TEXT_LENGTH), blocks=tuple(remaining))


def _remove_link(value: JsonValue, url: str) -> JsonValue:
    """Return a block in which each link to this URL is plain text."""
    if isinstance(value, list):
        return [_remove_link(each, url) for each in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "link" and value.get("url") == url:
        return {key: each for key, each in value.items() if key != "url"} | {"type": "text"}
    return {key: _remove_link(each, url) for key, each in value.items()}


def bold_title(link: Link) -> str:
    """Return a task's name in bold, as mrkdwn."""
    return bold_name(get_name(link))
