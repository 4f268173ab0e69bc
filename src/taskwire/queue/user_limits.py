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

from taskwire.domain.controls import Button
from taskwire.domain.ids import Ts, UserId, microseconds
from taskwire.queue.batch import Batch

WINDOW_MS = 60_000
# Slack brings again for six minutes what it got no answer to; so long it matters what was asked at that time.
COUNTED_MS = 600_000
# Of what is read long after it was written, no more is compared than this.
MOST_COUNTED = 200

# One more is too much if some minute around it would hold more than so many, whichever of them came first.
LUA = f"""
local WINDOW, COUNTED_MS, MOST_COUNTED = {WINDOW_MS}, {COUNTED_MS}, {MOST_COUNTED}
local function is_too_much(key, at, most)
  local times = {{at}}
  local from, to = '(' .. whole(at - WINDOW), '(' .. whole(at + WINDOW)
  local near = redis.call('ZRANGEBYSCORE', key, from, to, 'WITHSCORES')
  for i = 2, #near, 2 do times[#times + 1] = tonumber(near[i]) end
  table.sort(times)
  for i = 1, #times - most do
    if times[i + most] - times[i] < WINDOW then return true end
  end
  return false
end
-- The limit, if there is one. Each step that may be chosen is looked at: to choose one is to write already.
local function limit_of(encoded, link)
  if encoded == '' then return nil end
  local limit = cjson.decode(encoded)
  checked(limit.if_told, link)
  checked(limit.if_limited, link)
  return limit
end
-- What becomes of a new delivery, and the step that is written then, still encoded. A button may name any
-- link: those that are not there count together.
local function apply_limit(limit, claim, where, step)
  if not limit then return 'claimed', step end
  if not where then
    local is_there = limit.link ~= '' and redis.call('EXISTS', prefix .. 'link:' .. limit.link) == 1
    where = is_there and limit.link or ''
  end
  local name = limit.kind .. ':' .. where .. ':' .. limit.person
  local counted = prefix .. 'notes:asked:' .. name
  if not is_too_much(counted, limit.at_ms, limit.most) then
    redis.call('ZADD', counted, whole(limit.at_ms), claim)
    redis.call('ZREMRANGEBYRANK', counted, 0, -MOST_COUNTED - 1)
    redis.call('PEXPIRE', counted, COUNTED_MS)
    return 'claimed', step
  end
  local is_first = redis.call('SET', prefix .. 'notes:told-limit:' .. name, '1', 'NX', 'PX', WINDOW)
  if is_first then return 'limit_told', limit.if_told end
  return 'limited', limit.if_limited
end
"""


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
