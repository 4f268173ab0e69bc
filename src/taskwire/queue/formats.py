"""The format of what Redis holds: which versions write there, and what only newer ones can read.

Two versions work on one Redis while one replaces the other, and a rollback brings the older one back for
days. Each process notes its format and when it was last there. What an older process cannot read it leaves
where only newer ones look, for as long as one of them may come. Who is told of it is in
`recovery/newer_versions`.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

from taskwire.domain.errors import UserError
from taskwire.queue.fence import FORMAT, GOES_WITH, MOVED
from taskwire.queue.scripts import Clock, Script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# A newer version that has not been seen for so long will not come any more.
WAITED_FOR_MS = 7 * 24 * 3_600_000
NOTED_EACH_MS = 5_000
# A version that is being replaced, or replaces another, is back by then.
ABSENT_MS = 300_000
# So many are told of at a time.
MOST_LEFT = 200

LUA = f"""
local WAITED_FOR_MS = {WAITED_FOR_MS}
local formats, unread = prefix .. 'formats', prefix .. 'unread'
local function newer_than(format)
  local newer
  local known = redis.call('HGETALL', formats)
  for i = 1, #known, 2 do
    local each, seen = tonumber(known[i]), tonumber(known[i + 1]:match('^%d+'))
    if each > format and now - seen <= WAITED_FOR_MS and (not newer or each < newer) then newer = each end
  end
  return newer
end
"""

_NOTE = f"""
-- script: formats.note
-- ARGV: prefix, time, reads, goes_with, notes
local key, mine, goes_with = prefix .. 'formats', tonumber(ARGV[3]), ARGV[4]
local known = redis.call('HGETALL', key)
local noted = 0
for i = 1, #known, 2 do
  local format, seen, oldest = tonumber(known[i]), known[i + 1]:match('^(%d+) (%d+)$')
  if format > mine and tonumber(oldest) > mine then return format end
  if format == mine then noted = tonumber(seen) end
end
if ARGV[5] == '1' and now - noted > {NOTED_EACH_MS} then
  redis.call('HSET', key, mine, whole(now) .. ' ' .. goes_with)
end
return 0
"""

# Looks at the lists whose next job nobody who is here can read, those first that have waited longest. What
# does not belong there goes back: a pause has gone ahead, or nobody has come for too long.
_LOOK = (
    LUA
    + f"""
-- script: formats.look
-- ARGV: prefix, time, reads, only_looks
local mine, only_looks, found = tonumber(ARGV[3]), ARGV[4] == '1', {{}}
local function waits(name, head, since, newest)
  for _, each in ipairs({{name, head, whole(since), whole(newest)}}) do found[#found + 1] = each end
end
for _, name in ipairs(redis.call('ZRANGE', unread, 0, {MOST_LEFT} - 1)) do
  local _, jobs = queue_keys(name)
  local head = head_of(name) or ''
  local since = (redis.call('HGET', jobs, 'format|' .. head) or ''):match('^1 (%d+)$')
  if since then
    waits(name, head, tonumber(since), tonumber(since))
  elseif not only_looks then
    redis.call('ZREM', unread, name)
  end
end
local known = redis.call('HGETALL', formats)
for i = 1, #known, 2 do
  local format, newest = tonumber(known[i]), 0
  for j = 1, #known, 2 do
    local seen = tonumber(known[j + 1]:match('^%d+'))
    if tonumber(known[j]) >= format then newest = math.max(newest, seen) end
  end
  local due = {{}}
  if format > mine then due = redis.call('ZRANGE', place_for(known[i]), 0, {MOST_LEFT} - 1, 'WITHSCORES') end
  for k = 1, #due, 2 do
    local name = due[k]
    local _, jobs = queue_keys(name)
    local head = head_of(name) or ''
    local since = tonumber((redis.call('HGET', jobs, 'format|' .. head) or ''):match(' (%d+)$') or '0')
    if format_of(name) ~= known[i] then
      if not only_looks and tonumber(due[k + 1]) <= now then settle(name) end
    elseif now - newest > WAITED_FOR_MS and not only_looks then
      redis.call('HSET', jobs, 'format|' .. head, '1 ' .. whole(since))
      settle(name)
    else
      waits(name, head, since, newest)
    end
  end
end
return {{whole(now), unpack(found)}}
"""
)


class Stranded(NamedTuple):
    """A list whose next job this version cannot read.

    `absent_ms`: so long no process of a version that may read it has been seen; it waits until `until_ms` for
    one. Where no such version is known at all, it has been absent since the job was first met.
    """

    name: str
    job_id: str
    absent_ms: int
    until_ms: int


class Formats:
    """What is known of the versions that work on this Redis."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock, reads: int = FORMAT) -> None:
        self.reads = reads
        # It says in words what keeps all other scripts from this store.
        self._note = Script(connections.commands, keys, clock, _NOTE, refused=MOVED)
        self._look = Script(connections.commands, keys, clock, _LOOK)

    async def note(self) -> None:
        """Note that this format is here; UserError if what is there must not be touched by it.

        The store has to be known to be ours: what is noted may keep older versions from it.
        """
        if refused := self._refusal(cast("int", await self._note(self.reads, GOES_WITH, 1))):
            raise refused

    async def find_refusal(self) -> UserError | None:
        """Why this format must not touch what is there, if it must not; nothing is written."""
        return self._refusal(cast("int", await self._note(self.reads, GOES_WITH, 0)))

    async def refuse(self) -> None:
        """Raise the UserError if this format must not touch what is there; nothing is written."""
        if refused := await self.find_refusal():
            raise refused

    def _refusal(self, newer: int) -> UserError | None:
        if not newer:
            return None
        return UserError(
            f"This Redis is used by a newer Taskwire (its data has format {newer}, this one's {self.reads}).",
            "Start that one, or let this one have a Redis of its own.",
        )

    async def list_stranded(self, *, only_looks: bool = False) -> Sequence[Stranded]:
        """The lists whose next job only a newer version can read; what does not belong there goes back."""
        now, *found = cast("list[str]", await self._look(self.reads, int(only_looks)))
        rows = zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True)
        return [
            Stranded(name, job, int(now) - int(seen), max(int(since), int(seen)) + WAITED_FOR_MS)
            for name, job, since, seen in rows
        ]
