"""Claims: a delivery is taken once, and what it asks for is written down in the same call.

The claiming call is idempotent by its id, and the only one that may be repeated.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from taskwire.domain.errors import TryLater, Unknown
from taskwire.domain.ids import ThreadRef
from taskwire.domain.jobs import REPLY
from taskwire.queue import user_limits
from taskwire.queue.batch import Batch
from taskwire.queue.coalescing import Coalescer
from taskwire.queue.scripts import Clock, NotKept, ReplicatedScript, Words
from taskwire.queue.user_limits import UserLimit
from taskwire.redis.call_outcomes import RedisAway
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# Slack's last retry comes about six minutes after the first delivery; a claim outlives it by far.
CLAIM_MS = 3_600_000
# What is said in a thread whose card is not known yet waits this long for it.
KEPT_MS = 600_000
TRY_SECONDS = 0.8
TRIES = 3

# What people write and ask for is taken up to here; it can only be so much that waits for an agent, or for
# Coder. The rest is refused in words.
MOST_REPLIES = 200
MOST_ASKED = 50
# So many answers that are asked for in a thread wait; so many refusals wait with what else is told there, and
# then nothing more is said.
MOST_TOLD = 300
TOO_MANY = "too_many"
# The last word of a claim that was taken once already: however much waits by now, it is not refused.
PROMISED = "1"

# A claim holds what became of it and a word of whoever took it, so that a second try of the same call, whose
# first answer was lost, is not taken for another delivery.
_CLAIMED = """
local function seen_before(claim, ttl, token, is_promised, outcome)
  if redis.call('SET', claim, outcome .. ' ' .. token, 'NX', 'PX', ttl) then return nil end
  -- A write, so that the replicas are known to have what was written before it.
  redis.call('PEXPIRE', claim, ttl)
  local was, whose = redis.call('GET', claim):match('^([%a_]+) (%x+)$')
  return whose == token and not is_promised and was or 'duplicate'
end
"""

_FULL = f"""
local MOST_REPLIES, MOST_ASKED, MOST_TOLD = {MOST_REPLIES}, {MOST_ASKED}, {MOST_TOLD}
local function most_beside(queue_kind, job_kind)
  if queue_kind == 'intake' then return MOST_ASKED end
  if queue_kind == 'thread_answers' then return MOST_TOLD end
  if queue_kind == 'to_thread' then return job_kind == '{TOO_MANY}' and 2 * MOST_TOLD or MOST_TOLD end
  -- A pause is what helps where too many replies wait, and an edit of one of them must not be missed.
  if queue_kind ~= 'to_coder' or job_kind == 'reply_changed' then return math.huge end
  return job_kind == '{REPLY[:-1]}' and MOST_REPLIES or MOST_REPLIES + MOST_ASKED
end
local function waiting_in(name, job_kind)
  local kind, link = name:match('^([%a_]*):(.*)$')
  local order = queue_keys(name)
  if kind ~= 'to_coder' then return redis.call('ZCARD', order) end
  if job_kind == '{REPLY[:-1]}' then
    return redis.call('ZCARD', order) + redis.call('HLEN', prefix .. 'held:' .. link)
  end
  -- However many replies one button has sent again: what goes ahead of them is not refused for that.
  return redis.call('ZCOUNT', order, '-inf', '(' .. whole(IN_TURN))
end
local function is_full(steps)
  for _, step in ipairs(steps) do
    if step[1] == 'append' then
      local job_kind = step[3]:match('^[%a_]*')
      local most = most_beside(step[2]:match('^[%a_]*'), job_kind)
      if most < math.huge and waiting_in(step[2], job_kind) >= most then return true end
    end
  end
  return false
end
"""

# What a step may be refused for is looked at before the claim is written: a claim without its step is a loss.
_ACCEPT = (
    user_limits.LUA
    + _CLAIMED
    + _FULL
    + """
-- script: inbox.claim (claims)
-- ARGV: prefix, time, claim, ttl, step, limit, token, is_promised?
local claim, ttl, step, token, is_promised = ARGV[3], ARGV[4], ARGV[5], ARGV[7], ARGV[8] == '1'
local limit, steps, outcome = limit_of(ARGV[6]), checked(step), 'claimed'
if not is_promised and redis.call('EXISTS', claim) == 0 then
  if is_full(steps) then return 'rejected' end
  local chosen
  outcome, chosen = apply_limit(limit, claim, nil, step)
  if chosen ~= step then steps = checked(chosen) end
end
local before = seen_before(claim, ttl, token, is_promised, outcome)
if before then return before end
run(steps)
return outcome
"""
)

_ACCEPT_IN_THREAD = (
    user_limits.LUA
    + _CLAIMED
    + _FULL
    + """
-- script: inbox.claim_in_thread (claims)
-- ARGV: prefix, time, claim, ttl, thread, kept, kept_ttl, is_ours, step, unknown, limit, token,
--   is_promised?
local claim, ttl, thread, kept, kept_ttl, is_ours, step =
  ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local unknown, token, is_promised = checked(ARGV[10]), ARGV[12], ARGV[13] == '1'
local link = redis.call('GET', thread)
if not link and is_ours ~= '1' then return 'not_ours' end
local limit, steps, outcome = limit_of(ARGV[11], link), checked(step, link), 'claimed'
if not is_promised and redis.call('EXISTS', claim) == 0 then
  if link and is_full(steps) then return 'rejected' end
  local chosen
  outcome, chosen = apply_limit(limit, claim, link or thread, step)
  if chosen ~= step then step, steps = chosen, checked(chosen, link) end
end
local before = seen_before(claim, ttl, token, is_promised, link and outcome or 'parked')
if before then return before end
if link then
  run(steps)
  return outcome
end
redis.call('RPUSH', kept, step)
redis.call('LTRIM', kept, -MOST_REPLIES, -1)
redis.call('PEXPIRE', kept, kept_ttl)
run(unknown)
return 'parked'
"""
)

# What this process has taken lately it can write down once more, should Redis lose it.
REMEMBERED_SECONDS = 600.0
REMEMBERED_BYTES = 8_000_000

# Of what was too much its person has been told (or it is written that they are), or they were told before.
Claim = Literal["claimed", "duplicate", "parked", "not_ours", "rejected", "limit_told", "limited"]
_NEW = ("claimed", "parked")
_PROMISES = frozenset({"claimed", "duplicate", "parked", "limit_told", "limited"})


@dataclass(frozen=True)
class _Remembered:
    """A claim that was taken, and when by this process's own clock."""

    at: float
    calls: Coalescer
    words: Words

    @property
    def size(self) -> int:
        return sum(len(str(word)) for word in self.words)


class Inbox:
    """Takes deliveries for one workspace."""

    def __init__(
        self, connections: Connections, keys: Keys, clock: Clock, mask_stored: Callable[[str], str] = str
    ) -> None:
        self._keys = keys
        self._mask_stored = mask_stored
        self._lately: deque[_Remembered] = deque()
        self._lately_bytes = 0
        accept = ReplicatedScript(connections, keys, clock, _ACCEPT, _PROMISES)
        in_thread = ReplicatedScript(connections, keys, clock, _ACCEPT_IN_THREAD, _PROMISES)
        self._accept = Coalescer(accept, TRY_SECONDS)
        self._accept_in_thread = Coalescer(in_thread, TRY_SECONDS)

    async def accept(
        self, kind: str, delivery: str, batch: Batch, user_limit: UserLimit | None = None
    ) -> Claim:
        """Take a delivery and write its step, once however often it comes; "rejected" has written nothing.

        With a limit, what is asked for too often writes the limit's step instead.
        """
        words = (
            self._key(kind, delivery),
            CLAIM_MS,
            batch.encoded(self._mask_stored),
            user_limit.encoded(self._mask_stored) if user_limit is not None else "",
            secrets.token_hex(8),
        )
        return await self._insist(self._accept, *words)

    async def accept_in_thread(
        self,
        delivery: str,
        thread: ThreadRef,
        batch: Batch,
        *,
        is_ours: bool,
        unknown: Batch | None = None,
        user_limit: UserLimit | None = None,
    ) -> Claim:
        """Take a thread's message for its link, or keep it where the thread is ours but not known yet.

        The step names the link `@` in the first word of each operation; `unknown` is written besides where
        there is no link. "rejected" has written nothing. With a limit, what is asked for too often writes the
        limit's step instead.
        """
        where = f"{thread.channel}:{thread.ts}"
        words = (
            self._key("message", delivery),
            CLAIM_MS,
            self._keys.named("thread", where),
            self._keys.named("parked", where),
            KEPT_MS,
            "1" if is_ours else "0",
            batch.encoded(self._mask_stored),
            (unknown or Batch()).encoded(self._mask_stored),
            user_limit.encoded(self._mask_stored) if user_limit is not None else "",
            secrets.token_hex(8),
        )
        return await self._insist(self._accept_in_thread, *words)

    async def repeat(self) -> int:
        """Take once more what this process took lately, where Redis has lost it; returns how much that was.

        The job is the same under its id, and looks first whether it was done. Raises what `accept` does.
        """
        self._forget()
        lost = 0
        for claim in tuple(self._lately):
            lost += await self._tried(claim.calls, *claim.words, PROMISED) in _NEW
        return lost

    def _remember(self, claim: _Remembered) -> None:
        self._lately.append(claim)
        self._lately_bytes += claim.size
        self._forget()

    def _forget(self) -> None:
        oldest = time.monotonic() - REMEMBERED_SECONDS
        while self._lately and (self._lately_bytes > REMEMBERED_BYTES or self._lately[0].at < oldest):
            self._lately_bytes -= self._lately.popleft().size

    def _key(self, kind: str, delivery: str) -> str:
        return self._keys.named("claim", kind, delivery)

    async def _insist(self, calls: Coalescer, *words: str | int) -> Claim:
        taken = await self._tried(calls, *words)
        if taken in _NEW:
            self._remember(_Remembered(time.monotonic(), calls, words))
        return taken

    async def _tried(self, calls: Coalescer, *words: str | int) -> Claim:
        """Try for 2.4 s in all; raise TryLater if surely nothing was written, else Unknown."""
        is_outcome_unknown, loop = False, asyncio.get_running_loop()
        begun = loop.time()
        for number in range(TRIES):
            # One that failed at once is not repeated at once: Redis may be back in a moment.
            await asyncio.sleep(begun + number * TRY_SECONDS - loop.time())
            answer, may_have_left = await calls.call(*words)
            match answer:
                case TimeoutError() | RedisTimeoutError():
                    # It may have arrived, or still arrive; the next try finds the claim that it left.
                    is_outcome_unknown = is_outcome_unknown or may_have_left
                case NotKept():
                    is_outcome_unknown = True
                case RedisConnectionError():
                    is_outcome_unknown = is_outcome_unknown or (
                        may_have_left and not isinstance(answer, RedisAway)
                    )
                case RedisError() if is_outcome_unknown:
                    break
                case RedisError():
                    raise TryLater(f"Redis refused: {answer}") from answer
                case Exception():
                    raise answer
                case _:
                    return cast("Claim", answer)
        if is_outcome_unknown:
            raise Unknown("Redis did not answer, or its replicas did not")
        raise TryLater("Redis cannot be reached")
