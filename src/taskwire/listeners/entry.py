"""At the door: what the payload itself shows is refused here, and what could not be written is said."""

from collections.abc import Awaitable, Mapping
from datetime import datetime

from taskwire.bridge.courtesy import Courtesy
from taskwire.model.errors import TryLater, Unknown
from taskwire.model.ids import Ts, moment_of
from taskwire.slack import inbound
from taskwire.slack.answers import Identity
from taskwire.slack.outbound import Outbound
from taskwire.store.claims import Claims, Taken
from taskwire.store.steps import Step
from taskwire.telemetry import Metrics
from taskwire.words import answers

# Of these there may be too many; that is shown from the start, since an alert looks at how it rises.
BOUNDED = ("click", "command", "dialog", "mention", "message")


class Entry:
    """Lets payloads in, and has them written down."""

    def __init__(
        self, slack: Outbound, bot: Identity, claims: Claims, metrics: Metrics, courtesy: Courtesy
    ) -> None:
        self._slack = slack
        self._bot = bot
        self._claims = claims
        self._metrics = metrics
        self._courtesy = courtesy
        for kind in BOUNDED:
            metrics.taken.labels(kind, "full")

    def now(self) -> datetime:
        """When a payload came that bears no time of its own, by Slack's clock as all others."""
        return self._slack.now()

    def is_let_in(self, body: Mapping[str, object]) -> bool:
        """Whether a payload comes from this workspace, and not from a bot or a connected one."""
        source = inbound.source(body)
        is_ours = source.team_id in ("", self._bot.team_id) or bool(source.enterprise_id)
        team_id = source.team_id or self._bot.team_id
        is_foreign = source.actor_team_id is not None and source.actor_team_id != team_id
        # In an org-wide install people of a sister workspace act here; the worker asks Slack who they are.
        return is_ours and not source.is_bot and (not is_foreign or bool(source.enterprise_id))

    def note_time(self, body: Mapping[str, object]) -> None:
        """Learn what time it is from a payload that bears it."""
        ts = inbound.event_ts(body)
        if ts is not None:
            self._slack.brought(ts)

    async def taken(self, kind: str, writing: Awaitable[Taken], did_at: Ts | None = None) -> Taken:
        """Await a claim and count it, with the age of what was done at `did_at`; raises what it raises."""
        try:
            with self._courtesy:
                outcome = await writing
        except (TryLater, Unknown) as error:
            self._metrics.taken.labels(kind, type(error).__name__.lower()).inc()
            raise
        self._metrics.taken.labels(kind, outcome).inc()
        if did_at is not None and outcome != "foreign":
            age = (self.now() - moment_of(did_at)).total_seconds()
            self._metrics.delivery_age.labels(kind).observe(max(age, 0.0))
        return outcome

    async def write(self, kind: str, delivery: str, step: Step) -> str:
        """Write down what a delivery asks for; what the person is told at once, nothing if all went well."""
        try:
            taken = await self.taken(kind, self._claims.accept(kind, delivery, step))
        except TryLater:
            return answers.store_away()
        except Unknown:
            return answers.in_doubt_command()
        return answers.too_much_waits() if taken == "full" else ""
