"""Reconciles an input of unknown outcome: finds out from the agent's log whether the agent has the input.

A log is unreliable. Its newest entry grows and is rewritten while the agent works. After a restart the ids
begin at 0 again, even within the same build. An input may have been typed without becoming an entry. Other
people type too. So before an input is sent, a mark is stored, which says where the log ended.

Only two cases are proof. If the log shows the input once after the mark, the agent has it. If the log has not
changed since the mark, the agent does not have it. In all other cases a person decides.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from taskwire.domain.lifecycle.phases import AgentLogEntry
from taskwire.domain.parsing.naming import digest
from taskwire.domain.sealed_model import SealedModel

# "there": the agent has the input. "not_there": the agent does not have it. "unclear": the log proves
# neither.
Finding = Literal["there", "not_there", "unclear"]
Decision = Literal["delivered", "look_again", "send_again", "ask"]

# The agent's clock and Slack's may differ by this much.
CLOCK_SKEW = timedelta(minutes=10)
# In milliseconds. A log that cannot be read for this long, although Coder answers, will not become readable.
UNREADABLE_MS = 120_000
# How many entries before the mark are compared. Of a very long log, only the newest entries are read, so the
# older ones may be missing at the next reading.
MOST_COMPARED = 1_000


class Mark(SealedModel):
    """Where the log of a running agent ended before an input was sent.

    `text` is the input. `last_id` is the id of the newest entry; -1 if the log is empty. `last_digest` is the
    digest of the newest entry, which may still change. `earlier_digest` is the digest of the entries before
    it, which do not change. `build` is the number of the workspace's build. `is_prompt` is true if the input
    has the same text as the task's prompt, and the prompt was not in the log yet. Then one later entry with
    this text does not prove that the input arrived, because the entry may be the prompt.
    """

    model_config = ConfigDict(frozen=True)

    text: str
    build: int
    last_id: int
    last_digest: str
    earlier_digest: str
    is_prompt: bool = False


def make_mark(text: str, prompt: str, build: int, log: Sequence[AgentLogEntry]) -> Mark:
    """Make the mark to store before `text` is sent. `build` is the number of the workspace's build."""
    return Mark(
        text=text,
        build=build,
        last_id=log[-1].id if log else -1,
        last_digest=_digest_last(log),
        earlier_digest=_digest_earlier(log[:-1]),
        is_prompt=normalise(text) == normalise(prompt) and not any(entry.is_input for entry in log),
    )


def find_input(marked: Mark, build: int, log: Sequence[AgentLogEntry]) -> Finding:
    """Find out from the log of a running agent whether the agent has the input of this mark.

    The result "not_there" means that the log has no sign of the input. It is proof only if the input can no
    longer arrive.
    """
    copies = count_copies(marked, build, log)
    if copies is None:
        return "unclear"
    if copies == 1 and not marked.is_prompt:
        return "there"
    # An agent that gets an input changes its screen. So if the agent had got the input, the newest entry
    # would be different.
    return "not_there" if _is_last_unchanged(marked, log) else "unclear"


def count_copies(marked: Mark, build: int, log: Sequence[AgentLogEntry]) -> int | None:
    """Count how often the agent's log shows the input after the mark.

    Return None if this log does not continue the log for which the mark was made.
    """
    if not _is_continued(marked, build, log):
        return None
    newer = (entry for entry in log if entry.is_input and entry.id > marked.last_id)
    return sum(normalise(entry.text) == normalise(marked.text) for entry in newer)


def decide(
    found: Finding | None, since_landed_ms: int, *, was_rejected: bool, was_repeated: bool
) -> Decision:
    """Decide what to do with an input of unknown outcome. `found` is None if the log cannot be read.

    `since_landed_ms` is the time in milliseconds since the last moment at which the input could arrive. It is
    negative before that moment. `was_rejected` says whether the agent's server reported an error while it
    took the input. `was_repeated` says whether the input was sent a second time. No input is sent a third
    time.
    """
    if found == "there":
        return "delivered"
    if since_landed_ms < 0 or (found is None and since_landed_ms < UNREADABLE_MS):
        return "look_again"
    return "send_again" if found == "not_there" and not was_rejected and not was_repeated else "ask"


def find_input_without_mark(text: str, written: datetime, log: Sequence[AgentLogEntry]) -> Finding:
    """Find out whether an agent has an input, by the input's text and by when it was written in Slack.

    Use this if Redis has lost the mark. The result is less certain: earlier inputs may have the same text,
    and the agent's clock may differ from Slack's.
    """
    same = [entry.at for entry in log if entry.is_input and normalise(entry.text) == normalise(text)]
    if not [at for at in same if at > written - CLOCK_SKEW]:
        return "not_there"
    return "there" if len(same) == 1 and same[0] > written else "unclear"


def normalise(text: str) -> str:
    """Return a text without blanks at the ends of its lines, because a terminal may change these blanks."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def _is_continued(marked: Mark, build: int, log: Sequence[AgentLogEntry]) -> bool:
    """Return whether this log continues the log of the mark: same build, same entries up to the mark."""
    older = [entry for entry in log if entry.id <= marked.last_id]
    if build != marked.build or (older[-1].id if older else -1) != marked.last_id:
        return False
    return _digest_earlier(older[:-1]) == marked.earlier_digest


def _is_last_unchanged(marked: Mark, log: Sequence[AgentLogEntry]) -> bool:
    """Return whether the newest entry is unchanged since the mark.

    Return False for an empty log, because the log may stay empty even if the agent got the input.
    """
    return bool(log) and _digest_last(log) == marked.last_digest


def _digest_earlier(entries: Sequence[AgentLogEntry]) -> str:
    compared = entries[-MOST_COMPARED:]
    return digest(*(f"{entry.id} {entry.is_input} {entry.at.isoformat()}" for entry in compared))


def _digest_last(log: Sequence[AgentLogEntry]) -> str:
    if not log:
        return ""
    last = log[-1]
    return digest(str(last.id), str(last.is_input), last.text, last.at.isoformat())


class ResumeIntent(BaseModel):
    """The intent record of a resume. `build` is the number of the latest build before the resume."""

    what: Literal["resume"] = "resume"
    build: int
