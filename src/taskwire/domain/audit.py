"""The audit trail's entries: who did what to which task, from where, and how it ended.

An entry names people, tasks and places. It never contains text that people wrote: no prompt, no reply, no
sentence of an answer. `state/audit.py` stores entries.
"""

import json
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from taskwire.domain.parsing.grammar import get_word
from taskwire.domain.requester import Surface

# The `person` of an act that an operator has carried out by a command on the server.
OPERATOR: Final = "operator"
AuditOutcome = Literal["done", "refused", "failed"]


class AuditEntry(BaseModel):
    """One act of a person.

    `person` is the person's Slack id. `account` is the person's user name in Coder, if it was known.
    `task_id` is empty for an act that is about no task. `reason` is one word that says why the act was
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
    surface: Surface = ""
    channel: str = ""
    outcome: AuditOutcome
    reason: str = ""
    coder_status: int = 0
    reference: str


class StoredEntry(BaseModel):
    """An entry in the trail. `number` counts from 1. `hash` covers the entry and the previous `hash`."""

    model_config = ConfigDict(frozen=True)

    number: int
    at: datetime
    hash: str
    entry: AuditEntry

    def to_json(self) -> str:
        """Return the entry as one line of JSON, for an export."""
        place = {"number": self.number, "at": self.at.isoformat(), "hash": self.hash}
        return json.dumps(place | self.entry.model_dump(), ensure_ascii=False)


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
        """Whether the filter includes the entry."""
        entry = stored.entry
        return (
            self.person in ("", entry.person, entry.account)
            and (not self.task or self.task == entry.task_id or entry.task.startswith(self.task))
            and (not self.verb or get_word(self.verb) == get_word(entry.verb))
            and (self.since is None or stored.at >= self.since)
        )
