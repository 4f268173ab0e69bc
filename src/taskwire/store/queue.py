"""Lists with turns: who may carry out which job now, and what is written when it ends.

A list that has work is taken by one worker at a time, under a token that is never used again. Three calls
make a turn: `take`, `begin` before an effect that cannot be repeated, `end`. CONTRIBUTING.md tells what each
of them stands against. Delays belong to jobs, order to lists.
"""

import secrets
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import ValidationError
from redis.asyncio import Redis

from taskwire.model.jobs import Job, ListName
from taskwire.store import rewinds
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.rewinds import Rewinds, Rewound
from taskwire.store.scripts import Clock, Promise, Script
from taskwire.store.steps import Step

IDLE_WAIT_SECONDS = 1.0
# For what a turn that was broken off had on the wire, and that may be done twice: an edit, a reaction.
PUT_BACK_MS = 1_000

_TAKE = (
    rewinds.LUA
    + """
local token, lease, longest = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local risky, many, rest = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local may_be_risky, is_alike = ARGV[9] == '1', ARGV[11] == '1'
see_server(ARGV[10])
local function first_of(index)
  for _ = 1, 100 do
    local first = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')
    if not first[1] or tonumber(first[2]) > now then return end
    local at = redis.call('ZSCORE', ready, first[1])
    if at == first[2] then return first end
    -- A version that knows of no index has moved the list, or holds it.
    if at then redis.call('ZADD', index, at, first[1]) else redis.call('ZREM', index, first[1]) end
  end
end
local function next_list()
  for _, index in ipairs(is_alike and {} or ahead) do
    local first = first_of(index)
    if first then return first end
  end
  return redis.call('ZRANGE', ready, 0, 0, 'WITHSCORES')
end
for _ = 1, 100 do
  local first = next_list()
  if not first[1] then return {whole(now), ''} end
  if tonumber(first[2]) > now then return {whole(now), first[2]} end
  local name = first[1]
  local order, jobs, state = list(name)
  local head = head_of(name)
  local body = head and redis.call('HGET', jobs, 'b|' .. head)
  local pinned = redis.call('HGET', state, 'attempt_job')
  local not_before = head and tonumber(redis.call('HGET', jobs, 'n|' .. head) or '0') or 0
  if not body then
    -- A head without a body cannot be carried out by anybody; the list goes on without it.
    if head then drop(name, head) end
    redis.call('HDEL', state, 'attempt', 'attempt_job', 'attempt_until', 'held_until', 'token', 'takes',
               'first_take')
    not_due(name)
    settle(name)
  elseif not may_be_risky and tonumber(redis.call('HGET', state, 'takes') or '0') >= risky then
    due_at(name, now + 1000)
  elseif not_before > now and not pinned then
    due_at(name, not_before)
  else
    local takes = redis.call('HINCRBY', state, 'takes', 1)
    local term = math.min(lease * 2 ^ math.min(takes - 1, 10), longest)
    if takes > many then term = rest end
    redis.call('HSET', state, 'token', token, 'job', head, 'held_until', whole(now + term))
    redis.call('HSETNX', state, 'first_take', whole(now))
    local trouble, since = (redis.call('HGET', state, 'trouble') or ' 0'):match('^(%a*) (%d+)$')
    due_at(name, now + term)
    local written = redis.call('HGET', jobs, 's|' .. head) or whole(now)
    return {whole(now), name, head, body, redis.call('HGET', jobs, 'v|' .. head) or '0', whole(takes),
            written, pinned and '1' or '',
            redis.call('HGET', state, 'attempt') or '', doubt(name, tonumber(written)),
            redis.call('ZSCORE', order, head) or '0', redis.call('HGET', state, 'first_take'), trouble, since}
  end
end
return {whole(now), whole(now)}
"""
)

# A job that is pinned by an earlier attempt stands to be passed too: that attempt has been read back by now.
_BEGIN = """
local name, token, id, version, landing, attempt = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local order, jobs, state = list(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
local is_first = redis.call('ZRANGE', order, 0, 0)[1] == id
local is_passed = not is_first or redis.call('HGET', jobs, 'v|' .. id) ~= version
if is_passed and ARGV[9] ~= '1' then return 'passed' end
local ends = now + tonumber(landing)
local held = math.max(tonumber(redis.call('HGET', state, 'held_until') or '0'), ends)
redis.call('HSET', state, 'attempt_job', id, 'attempt', attempt, 'attempt_until', whole(ends),
           'held_until', whole(held))
due_at(name, held)
return 'begun'
"""

_END = """
local name, token, id, version, verdict = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local delay, body, steps, tidy = tonumber(ARGV[8]), ARGV[9], checked(ARGV[10]), checked(ARGV[11])
local trouble = ARGV[12]
local order, jobs, state = list(name)
if redis.call('HGET', state, 'token') ~= token then
  run(tidy)
  return 'lost'
end
local is_same = redis.call('HGET', jobs, 'v|' .. id) == version
if trouble == 'none' then
  redis.call('HDEL', state, 'trouble')
elseif trouble ~= 'same' and (redis.call('HGET', state, 'trouble') or ''):match('^%a*') ~= trouble then
  redis.call('HSET', state, 'trouble', trouble .. ' ' .. whole(now))
end
if verdict == 'unknown' then
  -- The attempt stays pinned: whoever takes the list next reads back, when nothing can land any more.
  local ends = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
  ends = whole(math.max(ends, now + delay))
  redis.call('HSET', state, 'held_until', ends)
  redis.call('HDEL', state, 'token', 'job', 'takes', 'first_take')
  if is_same and body ~= '' then redis.call('HSET', jobs, 'b|' .. id, body) end
  due_at(name, tonumber(ends))
  return 'ended'
end
redis.call('HDEL', state, 'token', 'job', 'held_until', 'takes', 'first_take', 'attempt', 'attempt_job',
           'attempt_until')
if verdict == 'done' and is_same then
  drop(name, id)
elseif verdict == 'later' and is_same then
  local not_before = whole(now + delay)
  redis.call('HSET', jobs, 'n|' .. id, not_before)
  if body ~= '' then redis.call('HSET', jobs, 'b|' .. id, body) end
  if name:sub(1, 5) == 'show:' then redis.call('ZADD', order, 'XX', not_before, id) end
end
run(steps)
settle(name)
return 'ended'
"""

# The taking is as if it had not been; but what it began may still land.
_PUT_BACK = """
local name, token, pause = ARGV[3], ARGV[4], tonumber(ARGV[5])
local order, jobs, state = list(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
redis.call('HDEL', state, 'token', 'job')
if redis.call('HINCRBY', state, 'takes', -1) <= 0 then redis.call('HDEL', state, 'takes', 'first_take') end
local lands = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
local due = whole(math.max(now + pause, lands))
redis.call('HSET', state, 'held_until', due)
due_at(name, tonumber(due))
return 'put back'
"""

_APPEND = "run(checked(ARGV[3])) return 'written'"

_NOTE = """
local name, token, steps = ARGV[3], ARGV[4], checked(ARGV[5])
local order, jobs, state = list(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
run(steps)
return 'written'
"""


@dataclass(frozen=True)
class TurnTimes:
    """How long a list is held, and what an attempt of unknown outcome waits for."""

    lease_ms: int = 8_000
    longest_lease_ms: int = 60_000
    # What was taken so often in a row without an end may be ending its process: one such at a time is carried
    # out, and after many takings only now and then.
    risky_takes: int = 3
    many_takes: int = 10
    rest_ms: int = 600_000
    # After its time-out a call may still be on its way for this long.
    landing_margin_ms: int = 5_000
    # What has just been stored may be missing from the first page that is read: not there is said after this.
    second_look_ms: int = 2_000


@dataclass(frozen=True)
class Taking:
    """One taking of one list: which job, and the token that proves the right to it.

    `takes` counts the takings in a row that had no end, this one too; `first_taken_ms` is when that began.
    `trouble` is what each turn of this list has ended with since `trouble_since_ms`, if none went well.
    """

    name: ListName
    token: str
    job_id: str
    version: str
    takes: int
    now_ms: int
    since_ms: int
    score: str
    first_taken_ms: int
    trouble: str
    trouble_since_ms: int


@dataclass(frozen=True)
class Turn(Taking):
    """A job to carry out.

    `attempt` is the note of one whose outcome is not known yet. `rewound`: Redis has gone back in time, and
    even a first attempt may have been made before.
    """

    job: Job
    attempt: str | None = None
    rewound: Rewound | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether even a first attempt may have been made before; so it is, too, of one given up once."""
        return self.rewound is not None or self.job.is_sent_again


@dataclass(frozen=True)
class Unreadable(Taking):
    """A job that this version cannot read, as it was written."""

    body: str
    why: str


@dataclass(frozen=True)
class Nothing:
    """No list is due; `wait_seconds` until one may be."""

    wait_seconds: float


class TurnLost(Exception):
    """Somebody else has the list now: whatever this turn has done is theirs to find out."""


class Passed(Exception):
    """Something has gone ahead of this job, or it has changed: the turn ends without its effect."""


Verdict = Literal["done", "later", "unknown"]
# How a list fares: well, or failing, or refused for its account; waiting for a place says nothing of it.
Trouble = Literal["none", "failing", "refused", "same"]


class Queue:
    """The lists of one workspace."""

    def __init__(
        self, connections: Connections, keys: Keys, clock: Clock, times: TurnTimes | None = None
    ) -> None:
        self.times = times or TurnTimes()
        self.rewinds = Rewinds(connections, keys, clock)
        self._blocking: Redis = connections.blocking
        self._keys = keys
        self._take = Script(connections.commands, keys, clock, _TAKE)
        self._begin = Promise(connections, keys, clock, _BEGIN, frozenset({"begun"}))
        self._end = Script(connections.commands, keys, clock, _END)
        self._put_back = Script(connections.commands, keys, clock, _PUT_BACK)
        self._append = Script(connections.commands, keys, clock, _APPEND)
        self._note = Script(connections.commands, keys, clock, _NOTE)

    async def take(self, *, may_be_risky: bool = True, is_alike: bool = False) -> Turn | Unreadable | Nothing:
        """Take the first list that is due, or learn how long there is nothing to do.

        What calls people and what they ask goes before what else is said, that before receipts, and those
        before cards; `is_alike`: what has been due for longest, whatever it is. Without `may_be_risky` a list
        whose job may be ending its process is left for later.
        """
        token, times = secrets.token_hex(12), self.times
        leases = (times.lease_ms, times.longest_lease_ms)
        risks = (times.risky_takes, times.many_takes, times.rest_ms, int(may_be_risky))
        answer = cast(
            "list[str]", await self._take(token, *leases, *risks, self.rewinds.is_own, int(is_alike))
        )
        now_ms = int(answer[0])
        if len(answer) == 2:
            wait = (float(answer[1]) - now_ms) / 1000 if answer[1] else IDLE_WAIT_SECONDS
            return Nothing(min(max(wait, 0.0), IDLE_WAIT_SECONDS))
        _, name, job_id, body, version, takes, since, is_pinned, note, rewound, score, *fares = answer
        taking = Taking(
            name=ListName(name),
            token=token,
            job_id=job_id,
            version=version,
            takes=int(takes),
            now_ms=now_ms,
            since_ms=int(since),
            score=score,
            first_taken_ms=int(fares[0]),
            trouble=fares[1],
            trouble_since_ms=int(fares[2]),
        )
        try:
            job = Job.model_validate_json(body)
        except ValidationError as error:
            return Unreadable(**vars(taking), body=body, why=str(error))
        attempt = note if is_pinned else None
        return Turn(**vars(taking), job=job, attempt=attempt, rewound=Rewound.read(rewound))

    async def wait(self, seconds: float) -> None:
        """Wait for a word that a list has become due; a lost word costs at most `seconds`."""
        # Redis takes 0 for "for ever", and a fraction only from 6.0 on.
        await self._blocking.brpop([self._keys.named("wake")], timeout=max(seconds, 0.01))

    async def begin(self, turn: Turn, attempt: str, seconds: float, *, is_again: bool = False) -> None:
        """Write down that an attempt begins, and what a read-back needs.

        Raises TurnLost or Passed; then nothing may be attempted. If the answer is lost the caller must not
        make its call either. `seconds` is until when the call is sent; `is_again` says of one that has begun
        that it still goes on, whatever has gone ahead meanwhile.
        """
        landing = int(seconds * 1000) + self.times.landing_margin_ms
        whose = (turn.name, turn.token, turn.job_id, turn.version)
        answer = await self._begin(*whose, landing, attempt, int(is_again))
        if answer == "lost":
            raise TurnLost
        if answer == "passed":
            raise Passed

    async def end(
        self,
        taking: Taking,
        verdict: Verdict,
        step: Step,
        *,
        delay_ms: int = 0,
        job: Job | None = None,
        tidy: Step | None = None,
        trouble: Trouble = "none",
    ) -> None:
        """End a turn: remove or delay its job, and write what follows, in one call.

        "unknown" leaves the attempt pinned and writes nothing else; the list is due when it has landed.
        `job` replaces the job when it is to go on later; `tidy` is written if the token no longer holds;
        `trouble` is remembered of the list, with when it began.
        Raises TurnLost then. A lost answer needs nothing: the next taker finds out.
        """
        body = job.model_dump_json() if job is not None else ""
        whose = (taking.name, taking.token, taking.job_id, taking.version)
        what = (verdict, delay_ms, body, step.encoded(), (tidy or Step()).encoded(), trouble)
        if await self._end(*whose, *what) == "lost":
            raise TurnLost

    async def put_back(self, taking: Taking) -> None:
        """Hand on a list whose turn was broken off: somebody may take it in a second.

        If an attempt has begun, not before it can no longer land.
        """
        await self._put_back(taking.name, taking.token, PUT_BACK_MS)

    async def write(self, step: Step) -> None:
        """Carry out a step outside any turn."""
        await self._append(step.encoded())

    async def note(self, taking: Taking, step: Step) -> None:
        """Carry out a step in the middle of a turn, or raise TurnLost: who was stopped overwrites nothing."""
        if await self._note(taking.name, taking.token, step.encoded()) == "lost":
            raise TurnLost
