"""Messages about people who take part in somebody else's task.

Each function returns one message, and its docstring tells what the message says.
"""

from taskwire.domain.links import Link
from taskwire.domain.message import Button, Message
from taskwire.messages.blocks import button
from taskwire.messages.shapes import bold_title, question, statement


def watching(link: Link) -> Message:
    """Say that the person is called from now on, and offer to end that."""
    muted = " It is muted now, so nobody is called." if link.is_muted else ""
    words = f"You're called when {bold_title(link)} needs somebody, is done or fails.{muted}"
    return question(words, "", [button(Button.UNWATCH, "Stop watching", link.id)])


def not_watching(link: Link) -> Message:
    """Say that the person does not watch the task."""
    return statement(f"You don't watch {bold_title(link)}, so it doesn't call you.")


def owner_watches(link: Link) -> Message:
    """Tell the owner that they are called in any case."""
    return statement(f"{bold_title(link)} is yours, so it calls you anyway. `!mute` ends its calls.")


def too_many_watch(link: Link, most: int) -> Message:
    """Say that `most` people watch the task already, so this person cannot."""
    return statement(f"{most} people watch {bold_title(link)} already. More can't.")
