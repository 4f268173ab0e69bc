"""An input in doubt: what the agent's log says of one whose answer was lost.

A log lies. Its newest entry grows and is rewritten while the agent works; a program that starts anew counts
from 0 again, within the same build too; words may have been typed without becoming an entry; and other
people type as well. So nothing is believed but this: the log goes on from where it was marked, and then it
either shows the words once, or has stood still to the last character. All else is for a person to say.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from taskwire.domain.naming import digest

# "there": the agent has it. "not_there": nothing has reached it. "unclear": nobody can know.
Finding = Literal["there", "not_there", "unclear"]
Decision = Literal["delivered", "look again", "send again", "ask"]

# The agent's clock and Slack's may differ by so much.
SKEW = timedelta(minutes=10)
# A log that cannot be read for so long, though Coder answers, is not going to say anything.
UNREADABLE_MS = 120_000


class ConversationEntry(BaseModel):
    """One entry of an agent's log."""

    model_config = ConfigDict(frozen=True)

    id: int
    is_input: bool
    text: str
    at: datetime


class Mark(BaseModel):
    """Where a live log ended before an input was sent.

    `last` stands for the newest entry, which may still change; `before` for all the others, which do not.
    `is_prompt`: the words are those of the prompt, which had not been typed yet.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    build: int
    last_id: int
    last: str
    before: str
    is_prompt: bool = False


def mark(text: str, prompt: str, build: int, log: Sequence[ConversationEntry]) -> Mark:
    """Mark where the log ends, before these words are sent."""
    return Mark(
        text=text,
        build=build,
        last_id=log[-1].id if log else -1,
        last=_last(log),
        before=_finished(log[:-1]),
        is_prompt=plain(text) == plain(prompt) and not any(entry.is_input for entry in log),
    )


def find(marked: Mark, build: int, log: Sequence[ConversationEntry]) -> Finding:
    """What a live log says of the words; before they can no longer land only "there" counts."""
    copies = count(marked, build, log)
    if copies is None:
        return "unclear"
    if copies == 1 and not marked.is_prompt:
        return "there"
    # An agent that has got something moves its screen, and with it the newest entry.
    return "not_there" if _stands_still(marked, log) else "unclear"


def count(marked: Mark, build: int, log: Sequence[ConversationEntry]) -> int | None:
    """How often the words stand behind the mark; None if this is not the log that was marked."""
    if not _goes_on(marked, build, log):
        return None
    newer = (entry for entry in log if entry.is_input and entry.id > marked.last_id)
    return sum(plain(entry.text) == plain(marked.text) for entry in newer)


def decide(
    found: Finding | None, since_landed_ms: int, *, was_rejected: bool, was_repeated: bool
) -> Decision:
    """What follows from a finding, or from a log that cannot be read.

    `since_landed_ms`: for how long it can no longer land. `was_rejected`: the agent's side said that it
    failed while it took the words. `was_repeated`: they are sent again already, which is done once.
    """
    if found == "there":
        return "delivered"
    if since_landed_ms < 0 or (found is None and since_landed_ms < UNREADABLE_MS):
        return "look again"
    return "send again" if found == "not_there" and not was_rejected and not was_repeated else "ask"


def find_since(text: str, written: datetime, log: Sequence[ConversationEntry]) -> Finding:
    """What a live log without a mark says of words written at a moment of Slack's clock.

    For when Redis has gone back in time: earlier words may read the same, and the clocks differ.
    """
    same = [entry.at for entry in log if entry.is_input and plain(entry.text) == plain(text)]
    if not [at for at in same if at > written - SKEW]:
        return "not_there"
    return "there" if len(same) == 1 and same[0] > written else "unclear"


def plain(text: str) -> str:
    """Words as they compare: what a terminal or a paste does to blanks at the ends of lines is no change."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _goes_on(marked: Mark, build: int, log: Sequence[ConversationEntry]) -> bool:
    """Whether this is the log that was marked, and not that of another start."""
    older = [entry for entry in log if entry.id <= marked.last_id]
    if build != marked.build or (older[-1].id if older else -1) != marked.last_id:
        return False
    return _finished(older[:-1]) == marked.before


def _stands_still(marked: Mark, log: Sequence[ConversationEntry]) -> bool:
    """Whether the newest entry is the same; a log that shows nothing may go on showing nothing."""
    return bool(log) and _last(log) == marked.last


def _finished(entries: Sequence[ConversationEntry]) -> str:
    return digest(*(f"{entry.id} {entry.is_input} {entry.at.isoformat()}" for entry in entries))


def _last(log: Sequence[ConversationEntry]) -> str:
    return digest(log[-1].model_dump_json()) if log else ""


class ResumeNote(BaseModel):
    """What reading a resume back needs: the build before it."""

    what: Literal["resume"] = "resume"
    build: int
