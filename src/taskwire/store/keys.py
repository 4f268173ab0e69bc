"""Every key in Redis, made in one place.

All keys of a workspace carry its `{hash tag}`, so that a script that touches several of them stays within
one slot. Each key either has a time to live or stands in `PERMANENT`, with its reason.
"""

import fnmatch
from dataclasses import dataclass

PERMANENT = {
    "ready": "the lists that have work; empty when there is none",
    "ready:*": "which of those go before others; a list leaves them with `ready`",
    "wake": "words for takers, capped, drunk within a second",
    "times": "when to look at a link again; a link leaves it when it ends",
    "links": "task to open link; a link leaves it when it ends",
    "thread:*": "thread to link; gets a time to live when the link ends",
    "link:*": "an open link and its records; get a time to live when it ends",
    "list:*": "work that waits; gets a time to live when it is empty",
    "held:*": "input held by a pause; ends when it is sent, dropped or given back",
    "server": "one hash: on which server all of this was last used, and when",
    "sweep:number": "one number an account; it must only ever rise",
}


@dataclass(frozen=True)
class Keys:
    """The keys of one Slack workspace."""

    team: str

    @property
    def prefix(self) -> str:
        """What every key of this workspace begins with."""
        return f"tw:{{{self.team}}}:"

    def named(self, *parts: str) -> str:
        """The key of these parts."""
        return self.prefix + ":".join(parts)

    def link(self, link_id: str, part: str = "") -> str:
        """A link's own hash, or one of the records beside it (`taken`, `receipts`)."""
        return self.named("link", link_id, part) if part else self.named("link", link_id)

    def reply(self, link_id: str, job_id: str) -> str:
        """The key of a reply that was not delivered and that a button may send again."""
        return self.named("memory", "reply", link_id, job_id)

    def is_permanent(self, key: str) -> bool:
        """Whether this key may stay without a time to live."""
        name = key.removeprefix(self.prefix)
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in PERMANENT)
