"""Reconciles an input in doubt: what the agent's log says of an input whose answer was lost.

A log is unreliable. Its newest entry grows and is rewritten while the agent works. A program that starts anew
counts from 0 again, even within the same build. An input may have been typed without becoming an entry. Other
people type as well. So only two cases are proof, and both need a log that continues from the mark: the log
shows the input once after the mark, or the log has not changed at all. In all other cases a person decides.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from taskwire.domain.naming import digest
from taskwire.domain.phases import AgentLogEntry

# "there": the agent has the input. "not_there": nothing has reached it. "unclear": nobody can know.
Finding = Literal["there", "not_there", "unclear"]
Decision = Literal["delivered", "look again", "send again", "ask"]

# The agent's clock and Slack's may differ by this much.
SKEW = timedelta(minutes=10)
# In milliseconds. A log that cannot be read for this long, although Coder answers, will not become readable.
UNREADABLE_MS = 120_000


class Mark(BaseModel):
    """Where a live log ended before an input was sent.

    `last` is the digest of the newest entry, which may still change. `before` is that of all the others,
    which do not. `is_prompt`: the input has the text of the prompt, which had not been typed yet.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    build: int
    last_id: int
    last: str
    before: str
    is_prompt: bool = False


def mark(text: str, prompt: str, build: int, log: Sequence[AgentLogEntry]) -> Mark:
    """Mark where the log ends before this text is sent."""
    return Mark(
        text=text,
        build=build,
        last_id=log[-1].id if log else -1,
        last=_last(log),
        before=_finished(log[:-1]),
        is_prompt=plain(text) == plain(prompt) and not any(entry.is_input for entry in log),
    )


def find(marked: Mark, build: int, log: Sequence[AgentLogEntry]) -> Finding:
    """Return what a live log says of the input. While the input may still land, only "there" is proof."""
    copies = count(marked, build, log)
    if copies is None:
        return "unclear"
    if copies == 1 and not marked.is_prompt:
        return "there"
    # An agent that got an input changes its screen, and with it the newest entry.
    return "not_there" if _stands_still(marked, log) else "unclear"


def count(marked: Mark, build: int, log: Sequence[AgentLogEntry]) -> int | None:
    """Count the copies of the input after the mark; None if this is not the log that was marked."""
    if not _goes_on(marked, build, log):
        return None
    newer = (entry for entry in log if entry.is_input and entry.id > marked.last_id)
    return sum(plain(entry.text) == plain(marked.text) for entry in newer)


def decide(
    found: Finding | None, since_landed_ms: int, *, was_rejected: bool, was_repeated: bool
) -> Decision:
    """Decide what follows from a finding; None is a log that cannot be read.

    `since_landed_ms`: milliseconds since the input could last land; negative while it still can.
    `was_rejected`: the agent's side reported an error while it took the input. `was_repeated`: the input was
    already sent again, which is done only once.
    """
    if found == "there":
        return "delivered"
    if since_landed_ms < 0 or (found is None and since_landed_ms < UNREADABLE_MS):
        return "look again"
    return "send again" if found == "not_there" and not was_rejected and not was_repeated else "ask"


def find_since(text: str, written: datetime, log: Sequence[AgentLogEntry]) -> Finding:
    """Return what a live log without a mark says of a text written at a moment of Slack's clock.

    It is for the time after Redis has lost data. Earlier inputs may have the same text, and the clocks
    differ.
    """
    same = [entry.at for entry in log if entry.is_input and plain(entry.text) == plain(text)]
    if not [at for at in same if at > written - SKEW]:
        return "not_there"
    return "there" if len(same) == 1 and same[0] > written else "unclear"


def plain(text: str) -> str:
    """Normalise a text for comparison: a terminal or a paste may change blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _goes_on(marked: Mark, build: int, log: Sequence[AgentLogEntry]) -> bool:
    """Whether this is the log that was marked, and not the log of another start."""
    older = [entry for entry in log if entry.id <= marked.last_id]
    if build != marked.build or (older[-1].id if older else -1) != marked.last_id:
        return False
    return _finished(older[:-1]) == marked.before


def _stands_still(marked: Mark, log: Sequence[AgentLogEntry]) -> bool:
    """Whether the newest entry has not changed. An empty log proves nothing, because it may stay empty."""
    return bool(log) and _last(log) == marked.last


def _finished(entries: Sequence[AgentLogEntry]) -> str:
    return digest(*(f"{entry.id} {entry.is_input} {entry.at.isoformat()}" for entry in entries))


def _last(log: Sequence[AgentLogEntry]) -> str:
    if not log:
        return ""
    last = log[-1]
    return digest(str(last.id), str(last.is_input), last.text, last.at.isoformat())


class ResumeNote(BaseModel):
    """The note for reconciling a resume: the build before it."""

    what: Literal["resume"] = "resume"
    build: int
