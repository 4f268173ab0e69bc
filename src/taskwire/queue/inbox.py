"""Claims: a delivery is taken once, and what it asks for is written down in the same call.

The claiming call is idempotent by its id, and the only one that may be repeated.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
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
from taskwire.queue.scripts import Clock, NotKept, ReplicatedScript, Words, load_script
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


_CONSTANTS: Mapping[str, str | int] = {
    **user_limits.CONSTANTS,
    "MOST_REPLIES": MOST_REPLIES,
    "MOST_ASKED": MOST_ASKED,
    "MOST_TOLD": MOST_TOLD,
    "TOO_MANY": TOO_MANY,
    "REPLY_KIND": REPLY.removesuffix(":"),
}

_ACCEPT = load_script("queue/inbox.claim", **_CONSTANTS)
_ACCEPT_IN_THREAD = load_script("queue/inbox.claim_in_thread", **_CONSTANTS)

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
