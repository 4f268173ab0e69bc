"""Messages about people who take part in somebody else's task.

Most functions return one message, and their docstrings tell what it says.
"""

from collections.abc import Sequence

from taskwire.domain.links import Link
from taskwire.domain.message import Button, Message
from taskwire.messages.blocks import button, escape_line
from taskwire.messages.cards import get_owner_name
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


def list_people(names: Sequence[str], groups: Sequence[str], *, is_for_all: bool) -> str:
    """Join the names of people and the ids of user groups, as mrkdwn.

    With `is_for_all`, groups are only counted, because their tokens would call them.
    """
    shown = [escape_line(name, 60) or "somebody" for name in names]
    if is_for_all:
        shown += ["a user group" if len(groups) == 1 else f"{len(groups)} user groups"] if groups else []
    else:
        shown += [f"<!subteam^{group}>" for group in groups]
    *first, last = shown or [""]
    return f"{', '.join(first)} and {last}" if first else last


def who_may_steer(link: Link, let_in: str) -> Message:
    """Say who may direct the task's agent: the owner, and whom they have let in."""
    owner = escape_line(get_owner_name(link), 60) or "its owner"
    if let_in:
        return statement(
            f"{let_in} can direct {bold_title(link)}, as {owner} can. `!unshare @who` ends that."
        )
    return statement(f"Only {owner} can direct {bold_title(link)}. `!share @who` lets others in.")
