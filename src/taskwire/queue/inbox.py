"""Inbox: claims each delivery from Slack once, and writes its jobs in the same Lua call.

A claim is idempotent by the id of its delivery, so a claim may be repeated. No other call of `queue` may be
repeated.
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

from taskwire.domain.durations import HOUR_MS
from taskwire.domain.errors import OutcomeUnknown, TryLater
from taskwire.domain.ids import ThreadRef, Ts
from taskwire.domain.queueing.jobs import CHANGE_ID_PREFIX, REPLY_ID_PREFIX
from taskwire.queue import user_limits
from taskwire.queue.batch import Batch
from taskwire.queue.coalescing import Coalescer
from taskwire.queue.scripts import Clock, NotReplicated, ReplicatedScript, ScriptArguments, load_script
from taskwire.queue.user_limits import UserLimit
from taskwire.redis.call_outcomes import RedisAway
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# How long a claim is stored. Slack's last retry comes about six minutes after the first delivery.
DELIVERY_CLAIM_TTL_MS = HOUR_MS
# How long a parked message waits for the link of its thread.
PARKED_TTL_MS = 600_000
# How long one try of a claim may take, and how many tries there are. All tries together take 2.4 s: Slack
# waits three seconds for an ack.
TRY_SECONDS = 0.8
TRIES = 3

# The most jobs that may wait: replies for one agent, and requests of one person. Besides its replies, the
# queue of an agent takes MAX_WAITING_REQUESTS other requests. Further jobs are rejected, and the person is
# told so.
MAX_WAITING_REPLIES = 200
MAX_WAITING_REQUESTS = 50
# Of the replies for one agent, the most of one person other than the task's owner, and of all people other
# than the owner. The other places are only for the owner's replies.
MAX_REPLIES_OF_ONE, MAX_REPLIES_OF_OTHERS = 100, 150
# The most answers to one person that may wait in a thread. As many refusals may wait there too. Further
# messages get no answer.
MAX_WAITING_ANSWERS = 300
# The beginning of the ids of jobs that tell a person about a rejection.
REJECTION = "rejection"
# The last argument of a claim that is repeated after data loss. Redis has accepted this claim before. So
# Redis does not reject it now, even if too many jobs wait.
ACCEPTED_BEFORE = "1"


_CONSTANTS: Mapping[str, str | int] = {
    **user_limits.CONSTANTS,
    "MAX_WAITING_REPLIES": MAX_WAITING_REPLIES,
    "MAX_WAITING_REQUESTS": MAX_WAITING_REQUESTS,
    "MAX_REPLIES_OF_ONE": MAX_REPLIES_OF_ONE,
    "MAX_REPLIES_OF_OTHERS": MAX_REPLIES_OF_OTHERS,
    "MAX_WAITING_ANSWERS": MAX_WAITING_ANSWERS,
    "REJECTION": REJECTION,
    "REPLY_KIND": REPLY_ID_PREFIX.removesuffix(":"),
    "CHANGE_KIND": CHANGE_ID_PREFIX.removesuffix(":"),
}

_CLAIM = load_script("queue/inbox.claim", **_CONSTANTS)
_CLAIM_IN_THREAD = load_script("queue/inbox.claim_in_thread", **_CONSTANTS)

# A process stores its accepted claims for this long, and up to this many characters in all. It repeats the
# claims that Redis loses.
REMEMBERED_SECONDS = 600.0
REMEMBERED_BYTES = 8_000_000

# "limit_told": the request is above the person's limit, and the batch tells the person. "limited": the person
# was told before.
ClaimResult = Literal["claimed", "duplicate", "parked", "not_ours", "rejected", "limit_told", "limited"]
_NEW_RESULTS = ("claimed", "parked")
_ACCEPTED = frozenset({"claimed", "duplicate", "parked", "limit_told", "limited"})


@dataclass(frozen=True)
class _RecentClaim:
    """A claim that Redis accepted. `at` is the time of the claim, by the monotonic clock of this process."""

    at: float
    calls: Coalescer
    words: ScriptArguments

    @property
    def size(self) -> int:
        return sum(len(str(word)) for word in self.words)


class Inbox:
    """Claims deliveries for one workspace."""

    def __init__(
        self, connections: Connections, keys: Keys, clock: Clock, mask_stored: Callable[[str], str] = str
    ) -> None:
        self._keys = keys
        self._mask_stored = mask_stored
        self._recent: deque[_RecentClaim] = deque()
        self._recent_bytes = 0
        accept = ReplicatedScript(connections, keys, clock, _CLAIM, _ACCEPTED)
        in_thread = ReplicatedScript(connections, keys, clock, _CLAIM_IN_THREAD, _ACCEPTED)
        self._claim = Coalescer(accept, TRY_SECONDS)
        self._claim_in_thread = Coalescer(in_thread, TRY_SECONDS)

    async def claim(
        self, kind: str, delivery: str, batch: Batch, user_limit: UserLimit | None = None
    ) -> ClaimResult:
        """Claim a delivery and write its batch. A second delivery with this id writes nothing.

        The result "rejected" means that too many jobs wait; then nothing is written. If the request exceeds
        `user_limit`, the limit's batch is written instead. Raises TryLater if nothing was written. Raises
        OutcomeUnknown if it is not known whether the batch was written.
        """
        words = (
            self._key(kind, delivery),
            DELIVERY_CLAIM_TTL_MS,
            batch.encoded(self._mask_stored),
            user_limit.encoded(self._mask_stored) if user_limit is not None else "",
            secrets.token_hex(8),
        )
        return await self._claim_and_remember(self._claim, *words)

    async def claim_in_thread(
        self,
        delivery: str,
        thread: ThreadRef,
        batch: Batch,
        *,
        is_ours: bool,
        unaddressed_at: Ts | None = None,
        when_parked: Batch | None = None,
        user_limit: UserLimit | None = None,
    ) -> ClaimResult:
        """Claim a message of a thread for the thread's link. If the thread has no link yet, park the message.

        A message is parked only if the thread is one of Taskwire's (`is_ours`). In `batch`, `@` stands for
        the id of the link. For a parked message, `when_parked` is written too. `unaddressed_at` is
        the ts of a message that does not mention the bot and is no verb: while only mentions are input in the
        thread, such a message is between people, and stays so. The rest is like `claim`.
        """
        where = f"{thread.channel}:{thread.ts}"
        words = (
            self._key("message", delivery),
            DELIVERY_CLAIM_TTL_MS,
            self._keys.named("thread", where),
            self._keys.named("parked", where),
            PARKED_TTL_MS,
            "1" if is_ours else "0",
            batch.encoded(self._mask_stored),
            (when_parked or Batch()).encoded(self._mask_stored),
            user_limit.encoded(self._mask_stored) if user_limit is not None else "",
            secrets.token_hex(8),
            unaddressed_at or "",
        )
        return await self._claim_and_remember(self._claim_in_thread, *words)

    @property
    def has_recent_claims(self) -> bool:
        """Whether this process made claims within the last ten minutes."""
        self._forget_old()
        return bool(self._recent)

    async def repeat_lost_claims(self) -> int:
        """Repeat the claims that Redis has lost. Return the number of these claims.

        Only claims of the last ten minutes are repeated. A repeated job has the same id, and its handler
        first checks whether the effect exists. Raises what `claim` raises.
        """
        self._forget_old()
        lost = 0
        for claim in tuple(self._recent):
            lost += await self._call_with_retries(claim.calls, *claim.words, ACCEPTED_BEFORE) in _NEW_RESULTS
        return lost

    def _remember(self, claim: _RecentClaim) -> None:
        self._recent.append(claim)
        self._recent_bytes += claim.size
        self._forget_old()

    def _forget_old(self) -> None:
        oldest = time.monotonic() - REMEMBERED_SECONDS
        while self._recent and (self._recent_bytes > REMEMBERED_BYTES or self._recent[0].at < oldest):
            self._recent_bytes -= self._recent.popleft().size

    def _key(self, kind: str, delivery: str) -> str:
        return self._keys.named("claim", kind, delivery)

    async def _claim_and_remember(self, calls: Coalescer, *words: str | int) -> ClaimResult:
        taken = await self._call_with_retries(calls, *words)
        if taken in _NEW_RESULTS:
            self._remember(_RecentClaim(time.monotonic(), calls, words))
        return taken

    async def _call_with_retries(self, calls: Coalescer, *words: str | int) -> ClaimResult:
        """Run the script until it answers, for at most 2.4 s.

        Raise TryLater if nothing was written. Raise OutcomeUnknown if it is not known whether the script has
        written.
        """
        is_outcome_unknown, loop = False, asyncio.get_running_loop()
        begun = loop.time()
        for number in range(TRIES):
            # If a try failed at once, wait before the next try: Redis may be back in a moment.
            await asyncio.sleep(begun + number * TRY_SECONDS - loop.time())
            answer, may_have_been_sent = await calls.call(*words)
            match answer:
                case TimeoutError() | RedisTimeoutError():
                    # The call may have arrived, or may still arrive. If so, the next try finds the claim of
                    # this call.
                    is_outcome_unknown = is_outcome_unknown or may_have_been_sent
                case NotReplicated():
                    is_outcome_unknown = True
                case RedisConnectionError():
                    is_outcome_unknown = is_outcome_unknown or (
                        may_have_been_sent and not isinstance(answer, RedisAway)
                    )
                case RedisError() if is_outcome_unknown:
                    break
                case RedisError():
                    raise TryLater(f"Redis refused: {answer}") from answer
                case Exception():
                    raise answer
                case _:
                    return cast("ClaimResult", answer)
        if is_outcome_unknown:
            raise OutcomeUnknown("Redis did not answer, or its replicas did not")
        raise TryLater("Redis cannot be reached")
