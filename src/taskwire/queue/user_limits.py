"""Limits for one person: how often they may ask for something in a minute, and what is written when it is too
often.

The script that claims a delivery decides (`queue/inbox.py`). So it is decided once, whichever process takes
the delivery and however often Slack brings it.

Pauses are counted by themselves, and so are the other acts on a task: no question that somebody asked keeps
them from acting. Decisions about waiting replies have a higher limit, since each was asked for by the bot.
What is over the limit is not done, and the person is told once a minute.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from taskwire.domain.ids import Ts, UserId, microseconds
from taskwire.domain.message import Button
from taskwire.queue.batch import Batch

WINDOW_MS = 60_000
# Slack brings again for six minutes what it got no answer to; so long it matters what was asked at that time.
COUNTED_MS = 600_000
# Of what is read long after it was written, no more is compared than this.
MOST_COUNTED = 200

# What `lua/user_limits.lua` takes from here.
CONSTANTS = {"WINDOW_MS": WINDOW_MS, "COUNTED_MS": COUNTED_MS, "MOST_COUNTED": MOST_COUNTED}


@dataclass(frozen=True)
class UserLimit:
    """So many things of a kind that one person may ask for in a minute, in one thread.

    `link` is what a button names; the thread of a message is known when it is taken. Of what is too much
    `if_told` is written once a minute, where the person is to hear so, and `if_limited` otherwise.
    """

    person: UserId
    kind: str
    at: Ts
    most: int
    link: str = ""
    if_told: Batch = field(default_factory=Batch)
    if_limited: Batch = field(default_factory=Batch)

    def encoded(self, mask: Callable[[str], str] = str) -> str:
        """The limit as the script reads it."""
        return json.dumps(
            {
                "person": self.person,
                "kind": self.kind,
                "at_ms": microseconds(self.at) // 1000,
                "most": self.most,
                "link": self.link,
                "if_told": self.if_told.encoded(mask),
                "if_limited": self.if_limited.encoded(mask),
            }
        )


Kind = Literal["ask", "pause", "steer", "decide"]
MOST: dict[Kind, int] = {"ask": 10, "pause": 10, "steer": 10, "decide": 30}

_KINDS: dict[Button, Kind] = {
    Button.PAUSE: "pause",
    Button.RESUME: "steer",
    Button.RETRY: "steer",
    Button.DELETE: "steer",
    Button.DETACH: "steer",
    Button.ARRIVED: "decide",
    Button.SEND_AGAIN: "decide",
    Button.DROP_INPUT: "decide",
    Button.SEND_AS_IT_IS: "decide",
    Button.SEND_STILL: "decide",
    Button.RETRY_AND_SEND: "decide",
    Button.RESUME_AND_SEND: "decide",
    Button.DROP_HELD: "decide",
    Button.PAUSE_TO_EDIT: "decide",
    Button.LOGS: "ask",
    Button.EDIT: "ask",
    Button.MUTE: "ask",
    Button.UNMUTE: "ask",
    Button.SHOW_ANSWER: "ask",
    Button.CREATE_ANOTHER: "ask",
}
# What is not in there is the same as `/task` typed once more, or a link that Slack opens by itself.
_VERBS: dict[str, Kind] = {"pause": "pause", "resume": "steer", "delete": "steer", "detach": "steer"}


def limit_of_press(button: Button | None, link: str, person: UserId, at: Ts) -> UserLimit | None:
    """The limit on a press; None where it is not counted. `link` is what its value names."""
    kind = _KINDS.get(button) if button is not None else None
    return None if kind is None else UserLimit(person, kind, at, MOST[kind], link)


def on_command(verb: str, person: UserId, at: Ts) -> UserLimit | None:
    """The limit on a command that acts on a task, as on the same verb in a thread; any tasks count together.

    None where it is not counted: what is sent to an agent is a reply, and what is created has its own limit.
    """
    if verb in ("create", "send"):
        return None
    kind = _VERBS.get(verb, "ask")
    return UserLimit(person, kind, at, MOST[kind])


def limit_of_verb(name: str, person: UserId, at: Ts, if_told: Batch, if_limited: Batch) -> UserLimit:
    """The limit on a verb in a thread, with what is written instead; any name may stand there."""
    kind = _VERBS.get(name, "ask")
    return UserLimit(person, kind, at, MOST[kind], if_told=if_told, if_limited=if_limited)
