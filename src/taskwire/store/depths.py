"""Depths: how much work waits in which kind of list, and for how long; how much was given up. It only looks.

A look costs what a thousand lists cost, however many there are: those that are due for longest come first.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.scripts import Clock, Script

MOST_LISTS = 1_000
LISTS = ("intake", "steer", "tell", "show", "card", "tidy", "lost", "read")

_LOOK = f"""
local kinds, found = {{}}, {{whole(redis.call('ZCARD', letters_order))}}
local due = redis.call('ZRANGE', ready, 0, {MOST_LISTS - 1}, 'WITHSCORES')
for i = 1, #due, 2 do
  local name, kind = due[i], due[i]:match('^%a+') or ''
  local order, jobs = list(name)
  local depth = kinds[kind] or {{0, 0, 0}}
  local since = tonumber(redis.call('HGET', jobs, 's|' .. (head_of(name) or '')) or '') or now
  depth[1] = depth[1] + redis.call('ZCARD', order)
  depth[2] = math.max(depth[2], now - tonumber(due[i + 1]))
  depth[3] = math.max(depth[3], now - since)
  kinds[kind] = depth
end
for kind, depth in pairs(kinds) do
  for _, each in ipairs({{kind, whole(depth[1]), whole(depth[2]), whole(depth[3])}}) do
    found[#found + 1] = each
  end
end
return found
"""


class Depth(NamedTuple):
    """What waits in all lists of one kind, and for how long."""

    jobs: int
    due_seconds: float
    oldest_seconds: float


class Waiting(NamedTuple):
    """What waits, by kind of list, with nothing for kinds in which nothing does; and the dead letters."""

    lists: Mapping[str, Depth]
    letters: int


NO_DEPTH = Depth(0, 0.0, 0.0)


class Depths:
    """Looks at the lists of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._look = Script(connections.commands, keys, clock, _LOOK)

    async def look(self) -> Waiting:
        """What waits now."""
        letters, *found = cast("list[str]", await self._look())
        rows = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        lists = {
            kind: Depth(int(jobs), int(due) / 1000, int(oldest) / 1000) for kind, jobs, due, oldest in rows
        }
        return Waiting(lists, int(letters))
