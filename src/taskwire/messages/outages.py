"""The notes that Coder shows no tasks now, or that its list is too long. Cards and lists have them."""

from typing import Literal

from taskwire.domain.ids import from_ms
from taskwire.messages.blocks import format_moment

# Why Coder shows no tasks: it does not answer, it refuses our token, or it has no Tasks feature.
CoderFailure = Literal["away", "refused", "no_tasks"]
_CODER_FAILURES: dict[CoderFailure, str] = {
    "away": "has not answered",
    "refused": "has refused my token",
    "no_tasks": "has had no Tasks feature",
}


def outage_note(since_ms: int, silence: CoderFailure) -> str:
    """Say since when Coder has not answered, and that the shown state may be old."""
    moment = format_moment(from_ms(since_ms))
    return f":warning: Coder {_CODER_FAILURES[silence]} since {moment}. This may be old."


def long_list_note() -> str:
    """Say that Coder's list is too long to be read, so that the answer shows only tasks with a thread."""
    return (
        ":warning: Coder's list of tasks is too long for me to read. Here are only tasks that have a thread."
    )
