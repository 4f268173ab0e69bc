"""The audit trail's entries: who did what to which task, from where, and how it ended.

An entry names people, tasks and places. It never contains text that people wrote: no prompt, no reply, no
sentence of an answer. Nor does it contain the name of a task, which is often made from a prompt:
`state/audit.py` stores the name encrypted beside the entries.
"""

import json
from datetime import datetime
from typing import Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.parsing.grammar import get_word
from taskwire.domain.requester import Surface

# The `person` of an act that an operator has carried out by a command on the server.
OPERATOR: Final = "operator"
AuditOutcome = Literal["done", "refused", "failed"]


class AuditEntry(BaseModel):
    """One act of a person.

    `person` is the person's Slack id. `account` is the person's user name in Coder, if it was known.
    `task_id` is empty for an act that is about no task. `task` is the task's name, or the id of a person whom
    the operator has removed. `task_owner` is the Slack id of the task's owner, if it was known; it is not
    stored in the entry. `reason` is one word that says why the act was
    refused or failed. `coder_status` is the HTTP status of Coder's answer to the latest call that changes
    something; 0 if there was no such call, or no answer. All tries of one job have the same `reference`,
    which is also in the log.
    """

    model_config = ConfigDict(frozen=True)

    person: str
    account: str = ""
    verb: str
    task_id: str = ""
    task: str = ""
    task_owner: str = Field(default="", exclude=True)
    surface: Surface = ""
    channel: str = ""
    outcome: AuditOutcome
    reason: str = ""
    coder_status: int = 0
    reference: str


# Stands for an entry whose text cannot be read.
UNREADABLE: Final = AuditEntry(person="", verb="", outcome="failed", reason="not_readable", reference="")


class StoredEntry(BaseModel):
    """An entry in the trail. `number` counts from 1. `hash` covers the entry and the previous `hash`.

    `trouble` says why `entry` is `UNREADABLE`; empty if the entry was read.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    at: datetime
    hash: str
    entry: AuditEntry
    trouble: str = ""

    def with_task(self, name: str) -> "StoredEntry":
        """Return the entry with the name of its task."""
        return self.model_copy(update={"entry": self.entry.model_copy(update={"task": name})})

    def to_json(self) -> str:
        """Return the entry as one line of JSON, for an export."""
        place = {"number": self.number, "at": self.at.isoformat(), "hash": self.hash}
        trouble = {"trouble": self.trouble} if self.trouble else {}
        return json.dumps(place | self.entry.model_dump() | trouble, ensure_ascii=False)


class WrittenEntry(NamedTuple):
    """What Redis says of the newest entry of a call. All fields are empty if the call wrote no entry.

    `trouble` says why Redis refused the entry. It then has a number and a hash, so that the chain breaks.
    """

    number: int = 0
    hash: str = ""
    trouble: str = ""

    @classmethod
    def parse(cls, answer: str) -> Self:
        """Read the answer of a script: the number, the hash and perhaps the trouble."""
        number, _, rest = answer.partition(" ")
        chain_hash, _, trouble = rest.partition(" ")
        return cls(int(number), chain_hash, trouble) if number else cls()


class ExpectedEntry(NamedTuple):
    """An entry that an operator has read in the log, and expects in the trail."""

    number: int
    hash: str


class AuditFilter(BaseModel):
    """Says which entries are wanted. An empty field fits every entry.

    `task` is a task's id, or the task's name or the beginning of the name. `verb` is a verb or a synonym of
    it, because entries of older versions of Taskwire have `pause` for `stop`.
    """

    model_config = ConfigDict(frozen=True)

    person: str = ""
    task: str = ""
    verb: str = ""
    since: datetime | None = None

    def matches(self, stored: StoredEntry) -> bool:
        """Whether the filter includes the entry. Nobody knows what an unreadable entry is about."""
        entry = stored.entry
        if stored.trouble:
            return self.since is None or stored.at >= self.since
        return (
            self.person in ("", entry.person, entry.account)
            and (not self.task or self.task == entry.task_id or entry.task.startswith(self.task))
            and (not self.verb or get_word(self.verb) == get_word(entry.verb))
            and (self.since is None or stored.at >= self.since)
        )
