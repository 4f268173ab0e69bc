"""The message that shows an agent's live output, while a person wants to see it."""

from typing import Literal

from taskwire.domain.ids import from_ms
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import Button, Message
from taskwire.domain.text.mrkdwn import break_emoji
from taskwire.messages.blocks import (
    TEXT_LENGTH,
    bold_name,
    button,
    button_rows,
    code_block,
    cut,
    escape_line,
    format_time,
    section,
)
from taskwire.messages.cards import get_name
from taskwire.messages.refusals import Refusal
from taskwire.messages.shapes import statement

# Why a message no longer shows its agent's live output.
FollowingEnd = Literal["stopped", "time", "asked", "done", "failed", "paused", "broken", "unclear", "link"]
# In characters. Slack refuses a longer text of an edit.
_LONGEST_LINES = 2_000


def showing(link: Link, lines: str, until_ms: int) -> Message:
    """Show the last lines that the agent wrote. `lines` is empty if the agent has written nothing yet."""
    words = f"{bold_name(get_name(link))}, live for everybody here, until "
    words += f"{format_time(from_ms(until_ms))}:"
    written = cut(break_emoji(escape_line(lines, _LONGEST_LINES)), _LONGEST_LINES)
    layout = [section("live", words)]
    if lines.strip():
        layout.append(code_block("text", lines))
    layout += button_rows("buttons", [button(Button.UNFOLLOW, "Unfollow", link.id)])
    return Message(text=cut(f"{words}\n{written}".strip(), TEXT_LENGTH), blocks=tuple(layout))


def ended(link: Link, why: FollowingEnd, lines: str = "", by_name: str = "") -> Message:
    """Say, in the message with the agent's live output, that following has ended, and why.

    The last lines are kept. `by_name` is the name of the person who stopped the agent; it may be empty.
    """
    words, row = _describe_end(link, why, by_name), []
    words += " What the agent wrote last stays here:" if lines.strip() else ""
    layout = [section("live", words)]
    if lines.strip():
        layout.append(code_block("text", lines))
    if why == "time":
        row = button_rows("buttons", [button(Button.FOLLOW, "Follow", link.id)])
    written = cut(break_emoji(escape_line(lines, _LONGEST_LINES)), _LONGEST_LINES)
    return Message(text=cut(f"{words}\n{written}".strip(), TEXT_LENGTH), blocks=(*layout, *row))


def _describe_end(link: Link, why: FollowingEnd, by_name: str) -> str:
    name = bold_name(get_name(link))
    match why:
        case "stopped":
            return f"Stopped following {name}. The task goes on."
        case "time":
            return f"Followed {name} for 10 minutes."
        case "asked":
            return f"Followed {name} until the agent needed somebody."
        case "done":
            return f"Followed {name} until the agent was done."
        case "failed":
            return f"Followed {name} until the agent failed."
        case "paused":
            stopped = f"{escape_line(by_name, 60)} stopped the task" if by_name else "it was paused"
            return f"Followed {name} until {stopped}."
        case "broken":
            return f"Followed {name} until its workspace broke."
        case "unclear":
            return f"Followed {name} until Coder no longer showed its state."
        case "link":
            return f"Followed {name} until this thread had no task any more."


def following(link: Link) -> Message:
    """Say that a message in the thread already shows the agent's live output."""
    name = bold_name(get_name(link))
    return statement(f"A message in this thread already shows what the agent of {name} writes.")


def not_following(link: Link) -> Message:
    """Say that no message shows the agent's live output, to a person who wants to end it."""
    return statement(f"Nobody follows {bold_name(get_name(link))}.")


def not_working(link: Link) -> Refusal:
    """Say, to a person who wants to see the agent's live output, that the agent does not work now."""
    return (
        f"The agent of {bold_name(get_name(link))} is not working now, so there is nothing to follow.",
        "",
    )


def too_many_followed(most: int) -> Refusal:
    """Say, to a person who wants to see live output, that it is already shown for too many agents."""
    return (f"{most} agents are already followed, which is the limit.", "Try again in a few minutes.")


def too_many_followed_by_you(most: int) -> Refusal:
    """Say, to a person who wants to see live output, that they already follow as many agents as they may."""
    return (
        f"You already follow {most} agents, which is the limit.",
        "Send `!unfollow` in one of their threads.",
    )
