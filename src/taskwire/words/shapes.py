"""The few shapes that answers have: a statement, and a question with its buttons."""

from collections.abc import Sequence

from taskwire.model.links import Link
from taskwire.model.messages import Block, Message
from taskwire.words.blocks import TEXT, cut, escaped, quoted, rows, section
from taskwire.words.cards import name_of

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


def title(link: Link) -> str:
    """Name a task among our own words."""
    return f"*{escaped(name_of(link), 80)}*"
