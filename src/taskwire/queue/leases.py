"""Queues with leases: who may run which job now, and what is written when it ends.

One worker at a time holds the lease of a queue, under a fencing token that is never used again. A lease has
three calls: `acquire`, `begin` before an effect that cannot be repeated, `complete`. docs/guarantees.md says
what each of them guards against. Delays belong to jobs, order belongs to queues.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from taskwire.domain.jobs import Job, QueueName
from taskwire.queue import data_loss, release
from taskwire.queue.batch import Batch
from taskwire.queue.data_loss import DataLoss, DataLossDetector
from taskwire.queue.fence import FORMAT
from taskwire.queue.formats import Formats
from taskwire.queue.scripts import Clock, ReplicatedScript, Script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, why
from taskwire.redis.keys import Keys

IDLE_WAIT_SECONDS = 1.0
# For what a turn that was broken off had on the wire, and that may be done twice: an edit, a reaction.
PUT_BACK_MS = 1_000
# What no version can read that has been seen is looked at again so often: one of this format may read more.
LEFT_MS = 60_000

_TAKE = (
    data_loss.LUA
    + """
-- script: queue.acquire (takes)
-- ARGV: prefix, time, token, lease, longest_lease, risky_takes, many_takes, rest, may_be_risky,
--   is_own_server, ignores_priority, reads
-- answer: time, queue, id, job, ...
local token, lease, longest = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local risky, many, rest = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local may_be_risky, ignores_priority = ARGV[9] == '1', ARGV[11] == '1'
see_server(ARGV[10])
local places = {ready}
for format = 2, tonumber(ARGV[12]) do places[#places + 1] = place_for(format) end
local function first_of(place, index)
  for _ = 1, 100 do
    local first = redis.call('ZRANGE', place .. index, 0, 0, 'WITHSCORES')
    if not first[1] or tonumber(first[2]) > now then return end
    local at = redis.call('ZSCORE', place, first[1])
    if at == first[2] then return first end
    -- A version that knows of no index has moved the list, or holds it.
    if at then
      redis.call('ZADD', place .. index, at, first[1])
    else
      redis.call('ZREM', place .. index, first[1])
    end
  end
end
local function next_list()
  for _, index in ipairs(ignores_priority and {} or ahead) do
    for _, place in ipairs(places) do
      local first = first_of(place, index)
      if first then return first end
    end
  end
  local longest = {}
  for _, place in ipairs(places) do
    local first = redis.call('ZRANGE', place, 0, 0, 'WITHSCORES')
    if first[1] and (not longest[1] or tonumber(first[2]) < tonumber(longest[2])) then longest = first end
  end
  return longest
end
for _ = 1, 100 do
  local first = next_list()
  if not first[1] then return {whole(now), ''} end
  if tonumber(first[2]) > now then return {whole(now), first[2]} end
  local name = first[1]
  local order, jobs, state = queue_keys(name)
  local head = head_of(name)
  local body = head and redis.call('HGET', jobs, 'body|' .. head)
  local pinned = redis.call('HGET', state, 'attempt_job')
  local not_before = head and tonumber(redis.call('HGET', jobs, 'not_before|' .. head) or '0') or 0
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
    local written = redis.call('HGET', jobs, 'since|' .. head) or whole(now)
    return {whole(now), name, head, body, redis.call('HGET', jobs, 'version|' .. head) or '0', whole(takes),
            written, pinned and '1' or '',
            redis.call('HGET', state, 'attempt') or '', data_loss_of(name, tonumber(written)),
            redis.call('ZSCORE', order, head) or '0', redis.call('HGET', state, 'first_take'), trouble, since}
  end
end
return {whole(now), whole(now)}
"""
)

# A job that is pinned by an earlier attempt stands to be passed too: that attempt has been read back by now.
_BEGIN = """
-- script: queue.begin (begins)
-- ARGV: prefix, time, queue, token, id, version, landing, attempt, is_again
local name, token, id, version, landing, attempt = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
local is_first = redis.call('ZRANGE', order, 0, 0)[1] == id
local is_passed = not is_first or redis.call('HGET', jobs, 'version|' .. id) ~= version
if is_passed and ARGV[9] ~= '1' then return 'passed' end
local ends = now + tonumber(landing)
local held = math.max(tonumber(redis.call('HGET', state, 'held_until') or '0'), ends)
redis.call('HSET', state, 'attempt_job', id, 'attempt', attempt, 'attempt_until', whole(ends),
           'held_until', whole(held))
due_at(name, held)
return 'begun'
"""

_END = """
-- script: queue.complete (ends)
-- ARGV: prefix, time, queue, token, id, version, kind, delay, job, step, compensation, trouble
local name, token, id, version, kind = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local delay, body, steps, compensation = tonumber(ARGV[8]), ARGV[9], checked(ARGV[10]), checked(ARGV[11])
local trouble = ARGV[12]
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then
  run(compensation)
  return 'lost'
end
local is_same = redis.call('HGET', jobs, 'version|' .. id) == version
if trouble == 'none' then
  redis.call('HDEL', state, 'trouble')
elseif trouble ~= 'same' and (redis.call('HGET', state, 'trouble') or ''):match('^%a*') ~= trouble then
  redis.call('HSET', state, 'trouble', trouble .. ' ' .. whole(now))
end
if kind == 'unknown' then
  -- The attempt stays pinned: whoever takes the list next reads back, when nothing can land any more.
  local ends = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
  ends = whole(math.max(ends, now + delay))
  redis.call('HSET', state, 'held_until', ends)
  redis.call('HDEL', state, 'token', 'job', 'takes', 'first_take')
  if is_same and body ~= '' then redis.call('HSET', jobs, 'body|' .. id, body) end
  due_at(name, tonumber(ends))
  return 'ended'
end
redis.call('HDEL', state, 'token', 'job', 'held_until', 'takes', 'first_take', 'attempt', 'attempt_job',
           'attempt_until')
if kind == 'done' and is_same then
  drop(name, id)
elseif kind == 'retry' and is_same then
  local not_before = whole(now + delay)
  redis.call('HSET', jobs, 'not_before|' .. id, not_before)
  if body ~= '' then redis.call('HSET', jobs, 'body|' .. id, body) end
  if name:sub(1, 9) == 'receipts:' then redis.call('ZADD', order, 'XX', not_before, id) end
end
run(steps)
settle(name)
return 'ended'
"""

_APPEND = """
-- script: queue.append (writes)
-- ARGV: prefix, time, step
run(checked(ARGV[3]))
return 'written'
"""

_CHECK = """
-- script: queue.check
-- ARGV: prefix, time, step
checked(ARGV[3])
return 1
"""

_NOTE = """
-- script: queue.note
-- ARGV: prefix, time, queue, token, step
local name, token, steps = ARGV[3], ARGV[4], checked(ARGV[5])
local order, jobs, state = queue_keys(name)
if redis.call('HGET', state, 'token') ~= token then return 'lost' end
run(steps)
return 'written'
"""


@dataclass(frozen=True)
class LeaseTimes:
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
class Acquired:
    """One taking of one list: which job, and the token that proves the right to it.

    `takes` counts the takings in a row that had no end, this one too; `first_taken_ms` is when that began.
    `trouble` is what each turn of this list has ended with since `trouble_since_ms`, if none went well.
    """

    name: QueueName
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
class Lease(Acquired):
    """A job to carry out.

    `attempt` is the note of one whose outcome is not known yet. `rewound`: Redis has gone back in time, and
    even a first attempt may have been made before.
    """

    job: Job
    attempt: str | None = None
    data_loss: DataLoss | None = None

    @property
    def is_suspect(self) -> bool:
        """Whether even a first attempt may have been made before; so it is, too, of one given up once."""
        return self.data_loss is not None or self.job.is_sent_again


@dataclass(frozen=True)
class Unreadable(Acquired):
    """A job that this version cannot read, as it was written."""

    body: str
    why: str


@dataclass(frozen=True)
class NothingDue:
    """No list is due; `wait_seconds` until one may be."""

    wait_seconds: float


class LeaseLost(Exception):
    """Somebody else has the list now: whatever this turn has done is theirs to find out."""


class Overtaken(Exception):
    """Something has gone ahead of this job, or it has changed: the turn ends without its effect."""


OutcomeKind = Literal["done", "retry", "unknown"]
# What becomes of what cannot be read: it waits for a newer version, or none may come any more.
Deferral = Literal["deferred", "deferred again", "no newer version"]
# How a list fares: well, or failing, or refused for its account; waiting for a place says nothing of it.
Trouble = Literal["none", "failing", "refused", "same"]


class Queue:
    """The lists of one workspace."""

    def __init__(
        self,
        connections: Connections,
        keys: Keys,
        clock: Clock,
        times: LeaseTimes | None = None,
        mask_stored: Callable[[str], str] = str,
        reads: int = FORMAT,
    ) -> None:
        self.times = times or LeaseTimes()
        self._mask_stored = mask_stored
        self.data_loss_detector = DataLossDetector(connections, keys, clock)
        self.formats = Formats(connections, keys, clock, reads)
        self._blocking: Redis = connections.blocking
        self._keys = keys
        self._take = Script(connections.commands, keys, clock, _TAKE)
        self._begin = ReplicatedScript(connections, keys, clock, _BEGIN, frozenset({"begun"}))
        self._end = Script(connections.commands, keys, clock, _END, connections.written)
        self._put_back = Script(connections.commands, keys, clock, release.PUT_BACK, connections.written)
        self._defer = Script(connections.commands, keys, clock, release.LEAVE, connections.written)
        self._append = Script(connections.commands, keys, clock, _APPEND, connections.written)
        self._check = Script(connections.commands, keys, clock, _CHECK)
        self._note = Script(connections.commands, keys, clock, _NOTE, connections.written)

    async def acquire(
        self, *, may_be_risky: bool = True, ignores_priority: bool = False
    ) -> Lease | Unreadable | NothingDue:
        """Take the first list that is due, or learn how long there is nothing to do.

        What calls people and what they ask goes before what else is said, that before receipts, and those
        before cards. With `ignores_priority` the queue that has been due for longest comes first, whatever it
        holds. Without `may_be_risky` a queue whose job may crash its worker is left for later.
        """
        token, times = secrets.token_hex(12), self.times
        leases = (times.lease_ms, times.longest_lease_ms)
        risks = (times.risky_takes, times.many_takes, times.rest_ms, int(may_be_risky))
        answer = cast(
            "list[str]",
            await self._take(
                token,
                *leases,
                *risks,
                self.data_loss_detector.is_own,
                int(ignores_priority),
                self.formats.reads,
            ),
        )
        now_ms = int(answer[0])
        if len(answer) == 2:
            wait = (float(answer[1]) - now_ms) / 1000 if answer[1] else IDLE_WAIT_SECONDS
            return NothingDue(min(max(wait, 0.0), IDLE_WAIT_SECONDS))
        _, name, job_id, body, version, takes, since, is_pinned, note, data_loss, score, *fares = answer
        taking = Acquired(
            name=QueueName(name),
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
            return Unreadable(**vars(taking), body=body, why=why(error))
        attempt = note if is_pinned else None
        return Lease(**vars(taking), job=job, attempt=attempt, data_loss=DataLoss.read(data_loss))

    async def wait(self, seconds: float) -> None:
        """Wait for a word that a list has become due; a lost word costs at most `seconds`."""
        # Redis takes 0 for "for ever", and a fraction only from 6.0 on.
        await self._blocking.brpop([self._keys.named("wakeups")], timeout=max(seconds, 0.01))

    async def begin(self, lease: Lease, attempt: str, seconds: float, *, is_again: bool = False) -> None:
        """Write down that an attempt begins, and what a read-back needs.

        Raises LeaseLost or Passed; then nothing may be attempted. If the answer is lost the caller must not
        make its call either. `seconds` is until when the call is sent; `is_again` says of one that has begun
        that it still goes on, whatever has gone ahead meanwhile.
        """
        landing = int(seconds * 1000) + self.times.landing_margin_ms
        whose = (lease.name, lease.token, lease.job_id, lease.version)
        answer = await self._begin(*whose, landing, self._mask_stored(attempt), int(is_again))
        if answer == "lost":
            raise LeaseLost
        if answer == "passed":
            raise Overtaken

    async def complete(
        self,
        taking: Acquired,
        kind: OutcomeKind,
        batch: Batch,
        *,
        delay_ms: int = 0,
        job: Job | None = None,
        compensation: Batch | None = None,
        trouble: Trouble = "none",
    ) -> None:
        """End a turn: remove or delay its job, and write what follows, in one call.

        "unknown" leaves the attempt pinned and writes nothing else; the list is due when it has landed.
        `job` replaces the job when it is to go on later; `compensation` is written if the token no longer
        holds; `trouble` is remembered of the list, with when it began.
        Raises LeaseLost then. A lost answer needs nothing: the next taker finds out.
        """
        body = self._mask_stored(job.model_dump_json()) if job is not None else ""
        whose = (taking.name, taking.token, taking.job_id, taking.version)
        steps = [each.encoded(self._mask_stored) for each in (batch, compensation or Batch())]
        what = (kind, delay_ms, body, *steps, trouble)
        if await self._end(*whose, *what) == "lost":
            raise LeaseLost

    async def release(self, taking: Acquired) -> None:
        """Hand on a list whose turn was broken off: somebody may take it in a second.

        If an attempt has begun, not before it can no longer land.
        """
        await self._put_back(taking.name, taking.token, PUT_BACK_MS)

    async def defer(self, taking: Acquired) -> Deferral:
        """Leave a queue to versions that can read its next job, for as long as one of them may come.

        Nothing overtakes it, and its attempt, if there is one, stays pinned. After "no newer version" the
        lease goes on, and the caller completes the job. Raises LeaseLost.
        """
        whose = (taking.name, taking.token, taking.job_id)
        answer = await self._defer(*whose, self.formats.reads, LEFT_MS)
        if answer == "lost":
            raise LeaseLost
        return cast("Deferral", answer)

    async def write(self, batch: Batch) -> None:
        """Carry out a step outside any turn."""
        await self._append(batch.encoded(self._mask_stored))

    async def check(self, batch: Batch) -> Batch:
        """A step that another version has made; raises CannotRead if this one cannot carry it out."""
        try:
            await self._check(batch.encoded(self._mask_stored))
        except ResponseError as error:
            raise CannotRead(error) from error
        return batch

    async def write_under_lease(self, taking: Acquired, batch: Batch) -> None:
        """Write a batch while the lease is held, or raise LeaseLost: a stopped process overwrites nothing."""
        if await self._note(taking.name, taking.token, batch.encoded(self._mask_stored)) == "lost":
            raise LeaseLost
