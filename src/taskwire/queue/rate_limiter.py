"""Rate limiter: how often each of Slack's methods may be called, counted in Redis for all processes together.

A call takes a place in its method's bucket, and in a second one where something is counted more closely, such
as a channel's posts. A bucket gives `burst` places at once, then one each `interval_ms`, and never more than
`per_minute` of them in 62 seconds. Who finds no place leaves a claim and is told when to come back; nobody
waits here.

Who goes first: the more urgent claim, then the older one. What is free now goes to the claims in that order,
whoever asks, so a less urgent asker is sent away while a more urgent one is on its way. A claim whose
claimant does not come lapses three seconds after its time; one that comes later than that is still the older.
Nobody starves: of each five places of a bucket, one goes to somebody who has been waiting for a minute, where
there is one.

What is kept below Slack's limits, and why (https://docs.slack.dev/apis/web-api/rate-limits):

- Tiers are calls a minute, by method and workspace. All of them are used, but in 62 seconds (97 %): calls are
  under way for different times, and those of 62 seconds may arrive within 60.
- Posts have one a second and channel, and short bursts, of which is said only that they may be. Two at once,
  then one each 1.01 s (99 %): the hundredth is for clocks that do not run alike. A third at once, which Slack
  takes too, is kept back for the time under way; a call to a person may have it in a channel that was silent
  for a second before. "Several hundred a minute" a workspace may post: 300.
- Edits have tier 3, of which cards use 45, one card one in three seconds, so that 5 are left for what is no
  card. Threads that are read after a gap use half of what may be read, and the channels that are scanned for
  them four fifths: little else is asked of those.

A 429 rests its method for everybody for as long as it says: Slack counts by method and workspace, and does
not say whether it was the channel's second or more that was passed. One without Slack's own words speaks of
no method, and rests everything.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, cast

from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.slack.rate_limits import Priority
from taskwire.telemetry import Metrics

WINDOW_MS = 62_000
GRACE_MS = 3_000
REMEMBERED_MS = 60_000
# Who would be told a time further off than this is told half of it, though no more than that: those ahead may
# be gone by then, and the asker may have become more urgent. Ten thousand of them ask eighty times a second.
NEAR_MS, FARTHEST_MS = 10_000, 120_000
# Who has waited for so long is let ahead of the more urgent, in one of so many places.
PASSED_OVER_MS = 60_000
LET_AHEAD_EACH = 5
EVERYTHING = "*"


_WAIT = load_script(
    "queue/rate_limiter.wait",
    WINDOW_MS=WINDOW_MS,
    GRACE_MS=GRACE_MS,
    REMEMBERED_MS=REMEMBERED_MS,
    NEAR_MS=NEAR_MS,
    FARTHEST_MS=FARTHEST_MS,
    PASSED_OVER_MS=PASSED_OVER_MS,
    LET_AHEAD_EACH=LET_AHEAD_EACH,
)

_REST = load_script("queue/rate_limiter.rest")


class Limit(NamedTuple):
    """`burst` calls at once, then one each `interval_ms`, and not more than `per_minute` (0: any number).

    With a spare one more call to a person may come at once, after an interval without any.
    """

    interval_ms: int
    burst: int
    per_minute: int = 0
    has_spare: bool = False


class MethodLimits(NamedTuple):
    """What holds for a method as a whole, for each thing counted more closely, and for catching up."""

    whole: Limit | None
    each: Limit | None = None
    catching_up: Limit | None = None


def tier(per_minute: int, burst: int | None = None) -> Limit:
    """So many a minute; half of them may come at once, which Slack says it welcomes."""
    return Limit(-(-WINDOW_MS // per_minute), burst or per_minute // 2, per_minute)


TIER_2, TIER_3, TIER_4, SPECIAL = tier(20), tier(50), tier(100), tier(300)
_OF_TIER_2 = ("auth.teams.list", "usergroups.users.list", "users.list")
_OF_TIER_3 = (
    *("apps.connections.open", "chat.delete", "conversations.info", "conversations.open"),
    *("users.conversations", "users.lookupByEmail"),
)
_OF_TIER_4 = (
    *("chat.postEphemeral", "files.completeUploadExternal", "files.getUploadURLExternal", "files.info"),
    *("users.info", "views.open", "views.update"),
)
# These lie beside the Web API. Slack states no limit for them, but a 429 of theirs holds all the same.
_WITHOUT_LIMIT = ("download", "response_url", "upload")
LIMITS: Mapping[str, MethodLimits] = MappingProxyType(
    {
        **dict.fromkeys(_OF_TIER_2, MethodLimits(TIER_2)),
        **dict.fromkeys(_OF_TIER_3, MethodLimits(TIER_3)),
        **dict.fromkeys(_OF_TIER_4, MethodLimits(TIER_4)),
        **dict.fromkeys(("auth.test", "chat.getPermalink"), MethodLimits(SPECIAL)),
        "conversations.history": MethodLimits(TIER_3, catching_up=tier(40)),
        "conversations.replies": MethodLimits(TIER_3, catching_up=tier(25)),
        **dict.fromkeys(_WITHOUT_LIMIT, MethodLimits(None)),
        # Fewer at once, so that a slow Slack does not let receipts fill all of a worker's places.
        "reactions.add": MethodLimits(tier(50, burst=12)),
        "reactions.remove": MethodLimits(tier(20, burst=5)),
        "chat.postMessage": MethodLimits(tier(300, burst=20), each=Limit(1_010, 2, has_spare=True)),
        "chat.update": MethodLimits(tier(45, burst=3), each=Limit(3_000, 1)),
    }
)
# "Most methods allow at least 20+ requests per minute."
OTHERWISE = MethodLimits(TIER_2)


class RateLimiter:
    """Gives places for calls, the more urgent first, and says how long to wait for one."""

    def __init__(
        self,
        connections: Connections,
        keys: Keys,
        clock: Clock,
        metrics: Metrics,
        *,
        limits: Mapping[str, MethodLimits] = LIMITS,
        otherwise: MethodLimits = OTHERWISE,
    ) -> None:
        self._metrics = metrics
        self._limits = limits
        self._otherwise = otherwise
        self._wait = Script(connections.commands, keys, clock, _WAIT)
        self._rest = Script(connections.commands, keys, clock, _REST)

    async def wait(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Take a place; 0 if the call may be made now, else after how many seconds to ask again.

        `where` is what is counted for itself: a channel that is posted to, a message that is edited. The
        claimant (empty: none, nothing is kept) has its turn kept until a little after that time.
        """
        words = (method, int(priority), claimant, *self._buckets(method, where, priority))
        wait_ms, waited_ms = cast("list[str]", await self._wait(*words))
        if wait_ms == "0":
            waited = self._metrics.limiter_wait_seconds.labels(method, priority.name.lower())
            waited.observe(int(waited_ms) / 1000)
        return int(wait_ms) / 1000

    async def rest(self, method: str, seconds: float) -> None:
        """Nobody calls this method (or any: `EVERYTHING`) before `seconds` have passed: Slack said so."""
        self._metrics.rate_limited.labels(method).inc()
        whole = self._of(method).whole if method != EVERYTHING else None
        bucket = (whole.interval_ms, whole.burst) if whole is not None else ()
        await self._rest(method, int(seconds * 1000), *bucket)

    def _of(self, method: str) -> MethodLimits:
        return self._limits.get(method, self._otherwise)

    def _buckets(self, method: str, where: str, priority: Priority) -> list[str | int]:
        limits = self._of(method)
        each = limits.each if where else None
        catching_up = limits.catching_up if priority is Priority.CATCHING_UP else None
        words: list[str | int] = []
        for name, limit in (
            (method, limits.whole),
            (f"{method}:{where}", each),
            (f"{method}:catching_up", catching_up),
        ):
            if limit is not None:
                words += [name, limit.interval_ms, limit.burst, limit.per_minute, int(limit.has_spare)]
        return words
