"""Redis that goes back in time: a failover to a replica that lagged, a lost second, a copy that was restored.

What had been done may then stand there as not done. Redis itself remembers on which server it was last used,
and when; a script that finds itself on another one notes that what came after that moment may be missing.
Whoever is about to make a first attempt looks then whether it has been made before: for an hour, and longer
where the job itself is from before. Ends at saying so: where to look each effect knows.
"""

from dataclasses import dataclass
from typing import Self, cast

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.scripts import Clock, Script

# What follows anew from what Coder and Slack show has come by then, also where they were away.
DOUBTED_MS = 3_600_000
# Longer than any job waits.
REMEMBERED_MS = 8 * 24 * 3_600_000
# A store of our own loses nothing when it is started anew; after a longer silence it may be another copy.
SILENCE_MS = 60_000
NOTED_EACH_MS = 5_000

LUA = f"""
local function rewind_to(since)
  local key = prefix .. 'rewound'
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
  if is_another and (is_own ~= '1' or now - at > {SILENCE_MS}) then rewind_to(at) end
  if known[1] ~= id or now - at > {NOTED_EACH_MS} then
    redis.call('HSET', key, 'id', id, 'at', whole(now))
  end
end
local function doubt(name, since)
  local rewound = redis.call('GET', prefix .. 'rewound')
  local at = rewound and tonumber(rewound:match('^(%d+)'))
  if not at or now - at >= {DOUBTED_MS} and since > at then return '' end
  -- Of a task that was asked for afterwards nothing is from before.
  local bond = redis.call('HGET', prefix .. 'link:' .. (name:match(':(.*)') or ''), 'bond') or ''
  local made = tonumber(bond:match('"made_at":"(%d+)') or '0') * 1000
  return made <= at + {SILENCE_MS} and rewound or ''
end
"""

_LOOK = (
    LUA
    + """
see_server(ARGV[3])
local numbers = redis.call('HGETALL', prefix .. 'sweep:number')
return {whole(now), redis.call('GET', prefix .. 'rewound') or '', unpack(numbers)}
"""
)
_MARK = (
    LUA
    + """
local looked = tonumber(ARGV[3])
local rewound = redis.call('GET', prefix .. 'rewound')
-- Another process may have noticed the same since this one last looked.
if rewound and tonumber(rewound:match('^(%d+)')) >= looked then return rewound end
return rewind_to(ARGV[4] == '1' and looked or 0)
"""
)


@dataclass(frozen=True)
class Rewound:
    """Redis went back: noticed at `at_ms`; what was written after `since_ms` may be missing."""

    at_ms: int
    since_ms: int

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Take it from the script's words; nothing if there are none."""
        at, _, since = text.partition(" ")
        return cls(int(at), int(since)) if since else None


class Rewinds:
    """What this process has heard of Redis's going back, and what it remembers itself."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self.is_own = int(connections.is_own)
        self._look = Script(connections.commands, keys, clock, _LOOK)
        self._mark = Script(connections.commands, keys, clock, _MARK)
        self._numbers: dict[str, int] = {}
        self._looked_ms = 0
        # The last time that is known, for as long as Redis remembers it.
        self.last: Rewound | None = None
        # How much of what this process itself has seen is missing since Redis last went back.
        self.missing_ms = 0

    async def look(self) -> Rewound | None:
        """What has happened since the last look; at the first one, what was noticed within the hour."""
        now, told, *counted = cast("list[str]", await self._look(self.is_own))
        numbers = {account: int(number) for account, number in zip(counted[::2], counted[1::2], strict=True)}
        # Sweeps only raise their numbers: a server that does not tell who it is shows itself by that.
        if any(numbers.get(account, 0) < number for account, number in self._numbers.items()):
            # Where there is none at all, nothing is left of anything.
            told = cast("str", await self._mark(self._looked_ms, int(bool(numbers))))
        rewound, last, looked_ms = Rewound.read(told), self.last, self._looked_ms
        self._numbers, self._looked_ms, self.last = numbers, int(now), rewound
        if rewound is None or rewound == last:
            return None
        self.missing_ms = max(0, looked_ms - rewound.since_ms) if looked_ms else 0
        return None if not looked_ms and int(now) - rewound.at_ms > DOUBTED_MS else rewound
