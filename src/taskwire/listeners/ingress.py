"""At the door: what the payload itself shows is refused here, and what could not be written is said."""

from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from taskwire.domain.errors import TryLater, Unknown
from taskwire.domain.ids import Ts, moment_of
from taskwire.ingress_priority import IngressPriority
from taskwire.messages import answers
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import Claim, Inbox
from taskwire.queue.user_limits import UserLimit
from taskwire.slack import inbound
from taskwire.slack.models import Identity
from taskwire.slack.outbound import Outbound
from taskwire.telemetry import Metrics, Seldom, logger

# Of these there may be too many; that is shown from the start, since an alert looks at how it rises.
BOUNDED = ("click", "command", "dialog", "mention", "message")
_NOT_OURS = "a payload of a workspace for which Taskwire is not installed, or that names none"
_log = logger("taskwire.listeners.ingress")


class Admission(NamedTuple):
    """What a person is told of their claim at once, and whether it is new and goes on."""

    said: str
    is_new: bool = False


class Ingress:
    """Lets payloads in, and has them written down."""

    def __init__(
        self,
        slack: Outbound,
        bot: Identity,
        inbox: Inbox,
        metrics: Metrics,
        ingress_priority: IngressPriority,
    ) -> None:
        self._slack = slack
        self._bot = bot
        self._inbox = inbox
        self._metrics = metrics
        self._ingress_priority = ingress_priority
        # The kinds of what has come since somebody last took note.
        self._kinds: set[str] = set()
        self._dropped = {why: metrics.payloads_dropped.labels(why) for why in ("place", "stranger")}
        self._warn = Seldom(_log.warning, _NOT_OURS)
        for kind in BOUNDED:
            metrics.deliveries.labels(kind, "rejected")

    def now(self) -> datetime:
        """When a payload came that bears no time of its own, by Slack's clock as all others."""
        return self._slack.now()

    def is_let_in(self, body: Mapping[str, object]) -> bool:
        """Whether a payload comes from where we are installed, and not from a bot or strangers."""
        source, bot = inbound.source(body), self._bot
        is_of_org = bot.enterprise_id is not None and source.enterprise_id == bot.enterprise_id
        is_ours = is_of_org if bot.is_org_wide else source.team_id in ("", bot.team_id)
        is_foreign = source.actor_team_id not in (None, source.team_id or bot.team_id)
        # In an organization a payload may name another of somebody's workspaces than this one. Whether they
        # are members here the worker asks Slack.
        if not is_ours:
            # Nobody else would notice: to Slack it counts as taken.
            self._dropped["place"].inc()
            self._warn(is_org_wide=bot.is_org_wide, names_organization=source.enterprise_id is not None)
        elif is_foreign and not is_of_org:
            # In a channel that is shared with another company that is what its people write.
            self._dropped["stranger"].inc()
        else:
            return not source.is_bot
        return False

    def note_time(self, body: Mapping[str, object]) -> None:
        """Learn what time it is from a payload that bears it."""
        ts = inbound.event_ts(body)
        if ts is not None:
            self._slack.brought(ts)

    def came(self, kind: str) -> None:
        """Remember that Slack brings things of this kind, whatever becomes of this one."""
        self._kinds.add(kind)

    async def count(self, kind: str, writing: Awaitable[Claim], did_at: Ts | None = None) -> Claim:
        """Await a claim and count it, with the age of what was done at `did_at`; raises what it raises."""
        try:
            with self._ingress_priority:
                outcome = await writing
        except (TryLater, Unknown) as error:
            self._metrics.deliveries.labels(
                kind, "unknown" if isinstance(error, Unknown) else "not_written"
            ).inc()
            raise
        self._metrics.deliveries.labels(kind, outcome).inc()
        self.came(kind)
        if did_at is not None and outcome != "not_ours":
            age = (self.now() - moment_of(did_at)).total_seconds()
            self._metrics.delivery_age_seconds.labels(kind).observe(max(age, 0.0))
        return outcome

    @contextmanager
    def kinds(self) -> Iterator[set[str]]:
        """What kinds of things have come since this was last asked; again, if they cannot be noted now."""
        kinds, self._kinds = self._kinds, set()
        try:
            yield kinds
        except BaseException:
            self._kinds |= kinds
            raise

    async def write(self, kind: str, delivery: str, batch: Batch) -> str:
        """Write down what a delivery asks for; what the person is told at once, nothing if all went well."""
        return (await self.claim(kind, delivery, batch)).said

    async def claim(
        self, kind: str, delivery: str, batch: Batch, user_limit: UserLimit | None = None
    ) -> Admission:
        """The same, where it matters too whether this is the first time, and there may be too much."""
        try:
            claim = await self.count(kind, self._inbox.accept(kind, delivery, batch, user_limit))
        except TryLater:
            return Admission(answers.store_away())
        except Unknown:
            return Admission(answers.command_outcome_unknown())
        if claim == "limit_told" and user_limit is not None:
            return Admission(answers.too_fast(user_limit.most).text)
        return Admission(answers.too_much_waits() if claim == "rejected" else "", is_new=claim == "claimed")
