"""Messages about what others do to an owner's task, and about a task that has another owner.

Most functions return one message, and their docstrings tell what the message says.
"""

from datetime import datetime

from taskwire.domain.ids import ChannelId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import Message
from taskwire.messages.blocks import escape_line, format_moment
from taskwire.messages.cards import get_owner_name
from taskwire.messages.shapes import bold_title, statement


def muted_by(link: Link, by_name: str, at: datetime) -> Message:
    """Tell the owner that `by_name` muted the task at a time, what that means, and how to undo it.

    The task may be muted no longer when the owner reads this.
    """
    who, undo = escape_line(by_name, 60) or "Somebody", escape_line(link.record.name or "NAME", 40)
    return statement(
        f"{who} muted {bold_title(link)} ({format_moment(at)}). I call nobody about a muted task; "
        f"`/task unmute {undo}` ends that."
    )


def shared_by(link: Link, by_name: str, shared_with: str) -> Message:
    """Tell the owner that `by_name`, an administrator, lets others steer the task, and how to end that.

    `shared_with` names the others, as mrkdwn.
    """
    who, end = escape_line(by_name, 60) or "Somebody", escape_line(link.record.name or "NAME", 40)
    return statement(
        f"{who} lets {shared_with} steer {bold_title(link)}. `/task unshare {end} @who` ends that."
    )


def attached_by(link: Link, by_name: str, channel: ChannelId, *, is_another: bool) -> Message:
    """Tell the owner that `by_name`, an administrator, gave the task a thread, and how to end that.

    If `is_another`, the task had another thread before.
    """
    who, end = escape_line(by_name, 60) or "Somebody", escape_line(link.record.name or "NAME", 40)
    thread = "a new thread" if is_another else "a thread"
    return statement(
        f"{who} gave {bold_title(link)} {thread} in <#{channel}>. `/task detach {end}` ends that thread."
    )


def owned_now(link: Link, channel: ChannelId) -> Message:
    """Tell a person that the task is theirs now, and where its thread is."""
    move = escape_line(link.record.name or "NAME", 40)
    return statement(
        f"{bold_title(link)} is your task now. Its thread is in <#{channel}>. `/task attach {move}` moves it "
        "to another channel."
    )


def owned_without_thread(link: Link) -> Message:
    """Tell a person that the task is theirs now, and that it has no thread any more."""
    again = escape_line(link.record.name or "NAME", 40)
    return statement(
        f"{bold_title(link)} is your task now. You can't read the channel of its thread, so I ended that "
        f"thread. `/task attach {again}` gives the task a new one."
    )


def thread_of_former_owner(link: Link) -> Message:
    """Say in the thread that it was detached, because the task has another owner, who cannot read it.

    `link` names the new owner.
    """
    owner = escape_line(get_owner_name(link), 60) or "somebody else"
    return statement(
        f"Detached: the task belongs to {owner} now, and {owner} can't read this channel. Replies here no "
        "longer reach the agent."
    )
