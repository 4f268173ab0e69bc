"""Rate limiter: how often each of Slack's methods may be called, counted in Redis for all processes.

A call takes a place in the bucket of its method. Some calls also take a place in a second bucket: for
example, a post takes one in the bucket of its channel. A bucket gives `burst` places at once, then one every
`interval_ms`, and never more than `per_minute` in 62 seconds. If a caller gets no place, it leaves a claim
and is told when to ask again. The limiter itself does not wait.

Claims get free places by priority, then by age. A caller gets no place while an earlier claim is open. A
claim expires three seconds after the time at which its caller should ask. If the caller asks later, its claim
still has its old age. No claim starves: one in five places of a bucket goes to a claim that is at least a
minute old.

These limits stay below Slack's (https://docs.slack.dev/apis/web-api/rate-limits), for these reasons:

- Slack's tiers allow a number of calls a minute, for each method and workspace. Taskwire makes as many calls
  in 62 seconds (97%). Calls take different times to reach Slack, so calls that were sent within 62 seconds
  may arrive within 60.
- Slack allows one post a second in a channel, and short bursts. Slack does not say how many posts a burst
  has. Taskwire sends two at once, then one every 1.01 s (99%), because two clocks differ a little. Slack
  also accepts a third post at once. This third post is a reserve, because calls take different times to
  reach Slack. Only a call with the highest priority may use it, and only if the channel had no post in the
  second before. A workspace may post "several hundred a minute": 300.
- Edits have tier 3, which allows 50 calls a minute. Cards use 45 of them, so that 5 edits are left for other
  messages. Each card is edited at most once in three seconds. A card has a reserve too, to show at once that
  a press was received. The state of a faulty agent may change every second for ever. So a card that is
  edited again and again shows a new state only once in 15 seconds (`per_state`), and leaves the other edits
  to other cards.
- A person's Home tab is published once in three seconds. It has a reserve too, to show the tab at once when
  the person opens it.
- Backfill uses half of the calls that read a thread, and four fifths of the calls that read a channel. Little
  else needs these methods.

A 429 blocks its method for all processes, for as long as Slack says. Slack counts by method and workspace,
and does not say which limit was exceeded. A 429 without Slack's own error code names no method, so it blocks
all methods.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, cast

from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.slack.call_priorities import ALL_METHODS, Priority
from taskwire.telemetry import Metrics

# The window in which `per_minute` calls may be sent: 60 s, and 2 s more because calls take different times to
# arrive.
WINDOW_MS = 62_000
# How long a claim is kept after the time at which its caller should ask again.
CLAIM_GRACE_MS = 3_000
# For this long, the time of the first request of an expired claim is remembered. If the caller asks again,
# its claim has its old age.
CLAIM_AGE_TTL_MS = 60_000
# A caller whose wait is longer than SHORT_WAIT_MS is told half of the wait, but at least SHORT_WAIT_MS and at
# most MAX_REPORTED_WAIT_MS. By then, earlier claims may be gone, and the caller's priority may have risen.
# With ten thousand callers, this makes eighty requests a second.
SHORT_WAIT_MS, MAX_REPORTED_WAIT_MS = 10_000, 120_000
# A claim that has waited this long gets one in PLACES_PER_STARVING_CLAIM places before claims with a higher
# priority.
STARVING_AFTER_MS = 60_000
PLACES_PER_STARVING_CLAIM = 5


_TAKE_PLACE = load_script(
    "queue/rate_limiter.take_place",
    WINDOW_MS=WINDOW_MS,
    CLAIM_GRACE_MS=CLAIM_GRACE_MS,
    CLAIM_AGE_TTL_MS=CLAIM_AGE_TTL_MS,
    SHORT_WAIT_MS=SHORT_WAIT_MS,
    MAX_REPORTED_WAIT_MS=MAX_REPORTED_WAIT_MS,
    STARVING_AFTER_MS=STARVING_AFTER_MS,
    PLACES_PER_STARVING_CLAIM=PLACES_PER_STARVING_CLAIM,
)

_BLOCK = load_script("queue/rate_limiter.block")


class Limit(NamedTuple):
    """The limit of a bucket: `burst` calls at once, then one every `interval_ms`.

    `per_minute` is the most calls in 62 seconds; 0 means no such limit. `has_reserve` means that a call of
    the highest priority may exceed `burst` by one, if no call was made for one interval.
    """

    interval_ms: int
    burst: int
    per_minute: int = 0
    has_reserve: bool = False


class MethodLimits(NamedTuple):
    """The limits of a method: for all calls, for each target such as a channel, and for backfill."""

    per_method: Limit | None
    per_target: Limit | None = None
    backfill: Limit | None = None
    # For edits of one card that show the present state, and answer no press.
    per_state: Limit | None = None


def tier(per_minute: int, burst: int | None = None) -> Limit:
    """Return the limit of one of Slack's tiers. By default, half of a minute's calls may be made at once."""
    return Limit(-(-WINDOW_MS // per_minute), burst or per_minute // 2, per_minute)


TIER_2, TIER_3, TIER_4, SPECIAL = tier(20), tier(50), tier(100), tier(300)
_OF_TIER_2 = ("auth.teams.list", "usergroups.list", "usergroups.users.list", "users.list")
_OF_TIER_3 = (
    *("agents.sessions.setStatus", "apps.connections.open", "chat.delete", "chat.unfurl"),
    *("conversations.info", "conversations.open", "users.conversations", "users.lookupByEmail"),
)
_OF_TIER_4 = (
    *("chat.postEphemeral", "files.completeUploadExternal", "files.getUploadURLExternal", "files.info"),
    *("users.info", "views.open", "views.update"),
)
# These are not methods of the Web API. Slack states no limit for them. A 429 blocks them in the same way as a
# method.
_WITHOUT_LIMIT = ("download", "response_url", "upload")
LIMITS: Mapping[str, MethodLimits] = MappingProxyType(
    {
        **dict.fromkeys(_OF_TIER_2, MethodLimits(TIER_2)),
        **dict.fromkeys(_OF_TIER_3, MethodLimits(TIER_3)),
        **dict.fromkeys(_OF_TIER_4, MethodLimits(TIER_4)),
        **dict.fromkeys(("auth.test", "chat.getPermalink"), MethodLimits(SPECIAL)),
        "conversations.history": MethodLimits(TIER_3, backfill=tier(40)),
        "conversations.replies": MethodLimits(TIER_3, backfill=tier(25)),
        **dict.fromkeys(_WITHOUT_LIMIT, MethodLimits(None)),
        # Small bursts, so that receipts do not take all slots of a worker when Slack is slow.
        "reactions.add": MethodLimits(tier(50, burst=12)),
        "reactions.remove": MethodLimits(tier(20, burst=5)),
        "chat.postMessage": MethodLimits(tier(300, burst=20), per_target=Limit(1_010, 2, has_reserve=True)),
        "chat.update": MethodLimits(
            tier(45, burst=3),
            per_target=Limit(3_000, 1, has_reserve=True),
            per_state=Limit(15_000, 20, per_minute=25),
        ),
        "views.publish": MethodLimits(TIER_4, per_target=Limit(3_000, 1, has_reserve=True)),
    }
)
# By Slack's documentation, "most methods allow at least 20+ requests per minute".
DEFAULT_LIMITS = MethodLimits(TIER_2)


class RateLimiter:
    """Gives places for calls to Slack."""

    def __init__(
        self,
        connections: Connections,
        keys: Keys,
        clock: Clock,
        metrics: Metrics,
        *,
        limits: Mapping[str, MethodLimits] = LIMITS,
        default: MethodLimits = DEFAULT_LIMITS,
    ) -> None:
        self._metrics = metrics
        self._limits = limits
        self._default = default
        self._take_place = Script(connections.commands, keys, clock, _TAKE_PLACE)
        self._block = Script(connections.commands, keys, clock, _BLOCK)

    async def take_place(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Take a place and return 0. If there is no place, return after how many seconds to ask again.

        `where` is the target, for example the channel of a post or the message of an edit. `claimant` is the
        name under which the claim is stored. If `claimant` is empty, no claim is stored.
        """
        words = (method, int(priority), claimant, *self._buckets(method, where, priority))
        wait_ms, waited_ms = cast("list[str]", await self._take_place(*words))
        if wait_ms == "0":
            waited = self._metrics.limiter_wait_seconds.labels(method, priority.name.lower())
            waited.observe(int(waited_ms) / 1000)
        return int(wait_ms) / 1000

    async def block(self, method: str, seconds: float) -> None:
        """Block a method, or `ALL_METHODS`, for all processes, for as many seconds as Slack has said."""
        self._metrics.rate_limited.labels(method).inc()
        limit = self._limits_of(method).per_method if method != ALL_METHODS else None
        bucket = (limit.interval_ms, limit.burst) if limit is not None else ()
        await self._block(method, int(seconds * 1000), *bucket)

    def _limits_of(self, method: str) -> MethodLimits:
        return self._limits.get(method, self._default)

    def _buckets(self, method: str, where: str, priority: Priority) -> list[str | int]:
        limits = self._limits_of(method)
        per_target = limits.per_target if where else None
        backfill = limits.backfill if priority in (Priority.BACKFILL, Priority.SEARCH) else None
        is_state = bool(where) and priority in (Priority.CARD, Priority.FINAL_CARD, Priority.LATER_CARD)
        words: list[str | int] = []
        for name, limit in (
            (method, limits.per_method),
            (f"{method}:{where}", per_target),
            (f"{method}:backfill", backfill),
            (f"{method}:{where}:state", limits.per_state if is_state else None),
        ):
            if limit is not None:
                words += [name, limit.interval_ms, limit.burst, limit.per_minute, int(limit.has_reserve)]
        return words
