"""Makes every Redis key.

All keys of a workspace contain its `{hash tag}`, so that all keys of a script are in one slot. The keys begin
with a prefix that the operator can set, so that several installations can share one Redis. Each key has a
time to live or matches a pattern in `PERMANENT`, which gives the reason.
"""

import fnmatch
from dataclasses import dataclass

from taskwire.settings import KEY_PREFIX

PERMANENT = {
    "ready": "the queues that have jobs; gone when there are none",
    "ready:*": "those of them with a higher priority; a queue leaves them with `ready`",
    "newer:*": "the queues whose next job only a newer version can read; otherwise like `ready`",
    "unreadable": "the queues whose next job no known version can read; checked at each look",
    "received": "one hash: when something of each kind last came from Slack",
    "formats": "one hash: which versions have worked here, and when last",
    "wakeups": "wake-ups for workers; capped, and read within a second",
    "timers": "when to look at a link again; a link leaves it when it ends",
    "links": "task to open link; a link leaves it when it ends",
    "shared": "link to the people with whom its owner shares it; a link leaves it when it ends",
    "links_of:*": "a person's open links; a link leaves it when it ends",
    "person_settings:*": "what a person has set for themselves; stays until they change it",
    "account:*": "the Coder account that a person has connected; stays until they disconnect it",
    "account_suspensions:*": "which users of a person Coder has suspended; each stays until it is active",
    "account_of:*": "who has connected a Coder user; otherwise like `account`",
    "thread:*": "thread to link; gets a time to live when the link ends",
    "link:*": "an open link and its records; get a time to live when it ends",
    "queue:*": "jobs that wait; gets a time to live when it is empty",
    "held:*": "input held by a pause; ends when it is sent, dropped or given back",
    "channel_settings:*": "what people have set for a channel; gone when nothing is set",
    "heartbeat": "one number: when a process last listened to Slack",
    "heartbeat:request": "one number: when Slack last sent an HTTP request",
    "server": "one hash: the server that was last used, and when",
    "poll:number": "one number for each account; it must never fall",
    "fence": "one hash: this store is being moved or was moved; no process may use it",
    "owner": "one hash: the Slack app and the Coder that these keys belong to",
}


@dataclass(frozen=True)
class Keys:
    """The Redis keys of one Slack workspace in one installation."""

    team: str
    installation: str = KEY_PREFIX

    @property
    def prefix(self) -> str:
        """The beginning of every key of this workspace."""
        return f"{self.installation}:{{{self.team}}}:"

    def named(self, *parts: str) -> str:
        """Return the key with these parts."""
        return self.prefix + ":".join(parts)

    def link(self, link_id: str, part: str = "") -> str:
        """Return the key of a link's own hash, or of a record about the link (`taken`, `receipts`)."""
        return self.named("link", link_id, part) if part else self.named("link", link_id)

    def reply(self, link_id: str, job_id: str) -> str:
        """Return the key of a reply that was not delivered and that a button can send again."""
        return self.named("notes", "reply", link_id, job_id)

    def is_permanent(self, key: str) -> bool:
        """Return whether this key is allowed to be stored without a time to live."""
        name = key.removeprefix(self.prefix)
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in PERMANENT)
