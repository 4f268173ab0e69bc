"""Data loss in Redis: a failover to a replica that lagged, a lost second, a restored copy.

Something that was done may then look as if it was not. Redis itself remembers on which server it was last
used, and when. A script that finds itself on another server notes that writes after that moment may be
missing. For an hour (longer for jobs written before the loss) every first attempt then looks whether the
effect is already there. This module only says so; each handler knows where to look.

The note is removed if nothing is missing. What is lost is always what was written last, so a server has lost
nothing if every process of that time finds its own last writes there (`redis/write_log.py`). A process that
was alive within the last minute and does not answer within ten seconds may have died with its writes: then
the note stays.
"""

from dataclasses import dataclass
from functools import partial
from typing import Self, cast

from taskwire.queue.scripts import Clock, Script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# What follows anew from what Coder and Slack show has come by then, also where they were away.
DOUBTED_MS = 3_600_000
# Longer than any job waits.
REMEMBERED_MS = 8 * 24 * 3_600_000
# A store of our own loses nothing when it is started anew; after a longer silence it may be another copy.
SILENCE_MS = 60_000
NOTED_EACH_MS = 5_000

# Who was there so long before is asked, and has so long to answer.
LIVED_MS, ANSWERS_MS = 60_000, 10_000
DAY_MS = 24 * 3_600_000

LUA = f"""
local writers, awaited, sure = prefix .. 'writers', prefix .. 'writers:awaited', prefix .. 'writers:sure'
local function settle_data_loss()
  redis.call('HDEL', prefix .. 'server', 'lost_at', 'lost_before')
  redis.call('DEL', awaited, sure)
end
local function ask_writers(at, before)
  redis.call('DEL', awaited, sure)
  for _, who in ipairs(redis.call('ZRANGEBYSCORE', writers, whole(at - {LIVED_MS}), '+inf')) do
    redis.call('SADD', awaited, who)
  end
  if redis.call('EXISTS', awaited) == 0 then return end
  redis.call('PEXPIRE', awaited, {DAY_MS})
  redis.call('HSET', prefix .. 'server', 'lost_at', whole(now), 'lost_before', before)
end
local function rewind_to(since)
  local key = prefix .. 'data_loss'
  local before = tonumber((redis.call('GET', key) or ''):match('(%d+)$') or since)
  local told = whole(now) .. ' ' .. whole(math.min(before, since))
  redis.call('SET', key, told, 'PX', {REMEMBERED_MS})
  return told
end
local function see_server(is_own)
  local key = prefix .. 'server'
  local is_told, told = pcall(redis.call, 'INFO', 'server')
  local id = is_told and type(told) == 'string' and told:match('run_id:(%x+)') or ''
  local known = redis.call('HMGET', key, 'id', 'at')
  local at = tonumber(known[2] or '0')
  local is_another = known[1] and known[1] ~= id and id ~= ''
  if is_another and (is_own ~= '1' or now - at > {SILENCE_MS}) then
    local before = redis.call('HGET', key, 'lost_before') or redis.call('GET', prefix .. 'data_loss') or ''
    rewind_to(at)
    ask_writers(at, before)
  end
  if known[1] ~= id or now - at > {NOTED_EACH_MS} then
    redis.call('HSET', key, 'id', id, 'at', whole(now))
  end
end
local function data_loss_of(name, since)
  local data_loss = redis.call('GET', prefix .. 'data_loss')
  local at = data_loss and tonumber(data_loss:match('^(%d+)'))
  if not at or now - at >= {DOUBTED_MS} and since > at then return '' end
  -- Of a task that was asked for afterwards nothing is from before.
  local record = redis.call('HGET', prefix .. 'link:' .. (name:match(':(.*)') or ''), 'record') or ''
  local made = tonumber(record:match('"made_at":"(%d+)') or '0') * 1000
  return made <= at + {SILENCE_MS} and data_loss or ''
end
"""

_LOOK = (
    LUA
    + f"""
-- script: data_loss.look
-- ARGV: prefix, time, is_own_server, writer
see_server(ARGV[3])
local me, state = ARGV[4], ''
local lost_at = tonumber(redis.call('HGET', prefix .. 'server', 'lost_at') or nil)
if lost_at and now - lost_at > {ANSWERS_MS} then
  settle_data_loss()
elseif lost_at then
  state = redis.call('SISMEMBER', awaited, me) == 1 and 'asked'
          or redis.call('SISMEMBER', sure, me) == 1 and 'sure' or ''
end
redis.call('ZADD', writers, whole(now), me)
redis.call('ZREMRANGEBYSCORE', writers, '-inf', whole(now - {DAY_MS}))
redis.call('PEXPIRE', writers, {DAY_MS})
redis.call('PEXPIRE', prefix .. 'writes:' .. me, {DAY_MS})
local numbers = redis.call('HGETALL', prefix .. 'poll:number')
return {{whole(now), redis.call('GET', prefix .. 'data_loss') or '', state, unpack(numbers)}}
"""
)
# What a process wrote last is there, or it is not.
_ANSWER = (
    LUA
    + f"""
-- script: data_loss.answer
-- ARGV: prefix, time, writer, is_known, calls...
local me, is_whole, there = ARGV[3], ARGV[4] == '1', {{}}
for _, call in ipairs(redis.call('LRANGE', prefix .. 'writes:' .. me, 0, -1)) do there[call] = true end
for i = 5, #ARGV do is_whole = is_whole and there[ARGV[i]] end
if not is_whole then
  settle_data_loss()
elseif redis.call('SREM', awaited, me) == 1 then
  redis.call('SADD', sure, me)
  redis.call('PEXPIRE', sure, {DAY_MS})
  if redis.call('EXISTS', awaited) == 0 then
    local before = redis.call('HGET', prefix .. 'server', 'lost_before') or ''
    if before == '' then redis.call('DEL', prefix .. 'data_loss')
    else redis.call('SET', prefix .. 'data_loss', before, 'PX', {REMEMBERED_MS}) end
    settle_data_loss()
  end
end
local is_open = redis.call('HEXISTS', prefix .. 'server', 'lost_at') == 1
return {{redis.call('GET', prefix .. 'data_loss') or '', is_open and 'sure' or ''}}
"""
)
_MARK = (
    LUA
    + """
-- script: data_loss.mark
-- ARGV: prefix, time, looked, is_partly_there
local looked = tonumber(ARGV[3])
settle_data_loss()
local data_loss = redis.call('GET', prefix .. 'data_loss')
-- Another process may have noticed the same since this one last looked.
if data_loss and tonumber(data_loss:match('^(%d+)')) >= looked then return data_loss end
return rewind_to(ARGV[4] == '1' and looked or 0)
"""
)


@dataclass(frozen=True)
class DataLoss:
    """Redis went back: noticed at `at_ms`; what was written after `since_ms` may be missing."""

    at_ms: int
    since_ms: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Take it from the script's words; nothing if there are none."""
        at, _, since = text.partition(" ")
        return cls(int(at), int(since)) if since else None


class DataLossDetector:
    """What this process has heard of Redis's going back, and what it remembers itself."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self.is_own = int(connections.is_own)
        self._look = Script(connections.commands, keys, clock, _LOOK)
        self._mark = Script(connections.commands, keys, clock, _MARK)
        self._answer = Script(connections.commands, keys, clock, _ANSWER)
        self._written = connections.written
        self._forget = partial(connections.commands.zrem, keys.named("writers"), connections.written.id)
        self._numbers: dict[str, int] = {}
        self._looked_ms = 0
        # The last time that is known, for as long as Redis remembers it.
        self.last: DataLoss | None = None
        # How much of what this process itself has seen is missing since Redis last went back.
        self.missing_ms = 0

    async def look(self) -> DataLoss | None:
        """What has happened since the last look; at the first one, what was noticed within the hour.

        While others have still to say whether they find what they wrote, nothing has happened.
        """
        now, told, state, *counted = cast("list[str]", await self._look(self.is_own, self._written.id))
        if state == "asked":
            lately = self._written.lately()
            answer = self._answer(self._written.id, int(lately is not None), *(lately or ()))
            told, state = cast("list[str]", await answer)
        numbers = {account: int(number) for account, number in zip(counted[::2], counted[1::2], strict=True)}
        # Polls only raise their numbers: a server that does not tell who it is shows itself by that.
        if any(numbers.get(account, 0) < number for account, number in self._numbers.items()):
            # Where there is none at all, nothing is left of anything.
            told = cast("str", await self._mark(self._looked_ms, int(bool(numbers))))
        elif state == "sure":
            return None
        data_loss, last, looked_ms = DataLoss.read(told), self.last, self._looked_ms
        self._numbers, self._looked_ms, self.last = numbers, int(now), data_loss
        if data_loss is None or data_loss == last:
            return None
        self.missing_ms = max(0, looked_ms - data_loss.since_ms) if looked_ms else 0
        return None if not looked_ms and int(now) - data_loss.at_ms > DOUBTED_MS else data_loss

    async def note_clean_stop(self) -> None:
        """Say that this process writes nothing more: nobody has to wait for what it would find."""
        await self._forget()
