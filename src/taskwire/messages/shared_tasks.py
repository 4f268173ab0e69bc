"""Direct messages about a share that begins or ends.

Most functions return one message, and their docstrings tell what the message says.
"""

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import Message
from taskwire.messages.blocks import escape_line, section
from taskwire.messages.cards import get_owner_name
from taskwire.messages.shapes import bold_title, statement


def may_steer_from_now_on(link: Link, sharer: str, *, is_readable: bool, is_asking: bool) -> Message:
    """Tell a person that `sharer` lets them steer the task.

    `is_readable` is true if the person can read the task's thread. `is_asking` is true if a question of the
    task's agent is open.
    """
    shown = escape_line(sharer, 60) or "Somebody"
    how = f"`/task send {escape_line(link.record.name or 'NAME', 40)} TEXT` sends the agent a reply."
    if is_readable:
        which = " that mention me" if link.is_mention_only else ""
        how = f"Replies in its thread{which} go to the agent."
    asks = " Its agent needs a reply now." if is_asking else ""
    return statement(
        f"{shown} lets you steer {bold_title(link)}.{asks} {how} You can also stop and resume the task, and "
        "edit its prompt."
    )


def may_steer_no_longer(link: Link, by_name: str, *, is_readable: bool) -> Message:
    """Tell a person that `by_name` has ended their share of the task.

    `is_readable` is true if the person can read the task's thread. They can still write there, and ask its
    owner to pass a reply on, if the owner is known in Slack.
    """
    shown, owner = escape_line(by_name, 60) or "Somebody", escape_line(get_owner_name(link), 60)
    words = f"{shown} no longer lets you steer {bold_title(link)}."
    if is_readable and link.record.owner_slack is not None:
        write = "mention me" if link.is_mention_only else "write"
        words += f" If you {write} in its thread, you can ask {owner or 'its owner'} to pass your reply on."
    return statement(words)


def add_last_of_shares(message: Message, sharer: str) -> Message:
    """Add to a message about a share that the person is told nothing more of the shares of `sharer` now."""
    shown = escape_line(sharer, 60) or "that person"
    words = f"For a while, I send you no more messages about what {shown} shares. `/task list` shows it."
    text = f"{message.text} {words}"
    return Message(text=text, blocks=(*message.blocks, section("last", words)))
