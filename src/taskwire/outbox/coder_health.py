"""Checks whether Coder answers, accepts our token, and gives our account enough rights.

When an outage begins, it is stored in Redis. Every open card shows the outage until it ends. The stored
outage also says whether all cards were asked to show it. If a process dies before it has asked all cards,
another process asks all cards again.

Administrators are told of problems with the service account. The poller finds out whether this version of
Coder has Tasks.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from taskwire.coder import rights, scopes
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NotFound, PersonTokenRefused, TasksNotSupported, TokenRefused
from taskwire.coder.models import User
from taskwire.coder.rights import FEATURE_RIGHTS, AccountRights, find_rights
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError, Refused, UserError
from taskwire.messages import troubles
from taskwire.messages.outages import CoderFailure
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.outbox.enqueue import draw
from taskwire.outbox.service_token import ServiceTokenRenewal
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read_if_possible
from taskwire.telemetry import logger

# After this many failed polls in a row, Coder counts as away. If Coder refuses the token, one failed poll is
# enough.
FAILURES_UNTIL_AWAY = 2
OUTAGE_TTL_MS = 7 * DAY_MS
# How many updates of cards are queued with one call to Redis.
CARDS_PER_BATCH = 200

_log = logger("taskwire.outbox.coder_health")


class CoderOutage(BaseModel):
    """An outage of Coder: since when, and why.

    `stage` is `noted` before the cards are asked to show the outage, `shown` afterwards, and `over` when the
    cards are asked to show that it has ended.
    """

    since_ms: int
    why: CoderFailure = "away"
    stage: Literal["noted", "shown", "over"] = "noted"


async def find_outage(deps: Dependencies) -> CoderOutage | None:
    """Return the present outage of Coder, if there is one."""
    outage = await _find_stored_outage(deps)
    return None if outage is None or outage.stage == "over" else outage


def is_coder_away(error: OutsideError) -> bool:
    """Return whether the error means an outage for everybody: Coder does not answer, or refuses our token.

    During an outage, people see only what was stored before it. Return False if Coder refuses only the token
    of one person's account.
    """
    own = Refused | TasksNotSupported | PersonTokenRefused
    return error.system == "Coder" and not isinstance(error, own)


class CoderHealth:
    """Counts failed polls of Coder. After two failed polls in a row, the cards show an outage.

    If Coder refuses our token, one failed poll is enough.
    """

    def __init__(self, deps: Dependencies, alerts: AdminAlerts) -> None:
        self._deps = deps
        self._alerts = alerts
        self._failures = 0
        self._failing_since_ms = 0
        self.trouble = ""

    async def record_failure(self, error: OutsideError, now_ms: int) -> None:
        """Record a failed poll. If an outage begins, store it, and ask all cards to show it."""
        self._failures += 1
        self._failing_since_ms = self._failing_since_ms or now_ms
        why = _reason_of(error)
        self.trouble = _describe(error, why)
        _log.warning("poll of Coder failed, will poll again", error=str(error), in_a_row=self._failures)
        if why == "refused":
            await self._alerts.warn("refused", self.trouble)
        if self._failures < FAILURES_UNTIL_AWAY and why != "refused":
            return
        if why == "no_tasks":
            await self._alerts.warn("no tasks", self.trouble)
        known = await _find_stored_outage(self._deps)
        if known is None or known.stage == "over" or known.why != why:
            known = CoderOutage(since_ms=self._failing_since_ms, why=why)
            await self._store(known)
        if known.stage == "noted":
            await self._redraw_cards()
            await self._store(known.model_copy(update={"stage": "shown"}))

    async def record_success(self) -> None:
        """Record a successful poll. If there was an outage, end it, and ask all cards to show this."""
        self._failures, self._failing_since_ms, self.trouble = 0, 0, ""
        known = await _find_stored_outage(self._deps)
        if known is None:
            return
        await self._store(known.model_copy(update={"stage": "over"}))
        await self._redraw_cards()
        await self._deps.notes.forget("coder_outage")

    async def _store(self, outage: CoderOutage) -> None:
        await self._deps.notes.keep(outage.model_dump_json(), "coder_outage", ttl_ms=OUTAGE_TTL_MS)

    async def _redraw_cards(self) -> None:
        """Queue an update of every open card."""
        links = list((await self._deps.links.list_open(includes_unreadable=True)).values())
        for start in range(0, len(links), CARDS_PER_BATCH):
            batch = Batch()
            for link in links[start : start + CARDS_PER_BATCH]:
                draw(link, batch)
            await self._deps.queues.write(batch)


async def _find_stored_outage(deps: Dependencies) -> CoderOutage | None:
    kept = await deps.notes.find("coder_outage")
    return read_if_possible(CoderOutage, kept)


def _reason_of(error: OutsideError) -> CoderFailure:
    if isinstance(error, TokenRefused):
        return "refused"
    return "no_tasks" if isinstance(error, TasksNotSupported) else "away"


def _describe(error: OutsideError, why: CoderFailure) -> str:
    match why:
        case "refused":
            return troubles.service_token_refused()
        case "no_tasks":
            return " ".join(troubles.NO_TASKS)
        case "away":
            return troubles.coder_not_answering(str(error))


# By default, a Coder token of an account with the role Owner lasts a week at most. Two days leave time to
# act.
TOKEN_ENDS_SOON = timedelta(days=2)
# How often the account is checked: rarely while the account is good, more often while it has a problem. If
# Coder did not answer, the next `check` asks again.
CHECK_INTERVAL = timedelta(hours=12)
CHECK_INTERVAL_IN_TROUBLE = timedelta(hours=1)


class ServiceAccount:
    """Checks the service account and renews its token.

    `learn` gets each new token, so that it is masked everywhere.
    """

    def __init__(self, deps: Dependencies, alerts: AdminAlerts, learn: Callable[[str], object]) -> None:
        self._deps = deps
        self._renewal = ServiceTokenRenewal(deps, learn, self.expect_change)
        self._alerts = alerts
        self._checked_at: datetime | None = None
        self.troubles: tuple[str, ...] = ()

    def expect_change(self) -> None:
        """Let the next `check` ask Coder at once, because the service account's token was replaced."""
        self._checked_at = None

    async def check(self) -> tuple[str, ...]:
        """Return a sentence for each problem of the service account, and tell the administrators.

        Call this often. Most calls return the latest result: Coder is asked only every twelve hours, or every
        hour while there is a problem.
        """
        await self._renewal.look()
        now = datetime.now(UTC)
        interval = CHECK_INTERVAL_IN_TROUBLE if self.troubles else CHECK_INTERVAL
        if self._checked_at is not None and now - self._checked_at < interval:
            return self.troubles
        self._checked_at = None
        try:
            self.troubles = tuple(str(trouble) for trouble in await self._list_troubles(now))
            self._checked_at = now
            for trouble in self.troubles:
                await self._alerts.warn(trouble, trouble)
        except TokenRefused:
            self.troubles = (" ".join(troubles.TOKEN_REFUSED),)
        except TasksNotSupported:
            self.troubles = (" ".join(troubles.NO_TASKS),)
        except OutsideError as error:
            self.troubles = (troubles.coder_not_answering(str(error)),)
        return self.troubles

    async def _list_troubles(self, now: datetime) -> list[UserError]:
        coder = self._deps.service_coder
        if not self._deps.has_service_account:
            # There is no service account, so check only whether Coder answers. Each person is told about
            # problems of their own account.
            await coder.get_build_info()
            return []
        if scope_trouble := await find_scope_trouble(coder):
            return [scope_trouble]
        account = await coder.get_own_user()
        rights_trouble = judge_rights(account, await find_rights(coder, account))
        expires_at = await coder.find_token_expiry()
        return [
            trouble
            for trouble in (rights_trouble, find_expiry_trouble(expires_at, now))
            if trouble is not None
        ]


async def find_scope_trouble(coder: CoderClient) -> UserError | None:
    """Return an error with the scopes that our token lacks, and the features that need these scopes.

    Return None if no scope is missing.
    """
    missing = await coder.list_missing_scopes()
    return (
        UserError(*troubles.token_lacks_scopes(missing, scopes.list_lost_features(missing)))
        if missing
        else None
    )


def judge_rights(account: User, found: AccountRights | None) -> UserError | None:
    """Return an error with the rights that our account lacks, and how to grant them.

    Return None if no right is missing.

    `found` is None if Coder does not say which rights the account has. Then only the role Owner is enough.
    """
    name = account.username
    if found is None:
        return None if account.is_owner else UserError(*troubles.account_rights_unknown(name))
    missing = found.fewest_missing
    if not missing:
        return None
    if account.is_owner:
        return UserError(*troubles.account_without_agents(name))
    lost = rights.list_lost_features(missing)
    if len(lost) == len(FEATURE_RIGHTS):
        return UserError(*troubles.account_not_owner(name))
    return UserError(*troubles.account_lacks_rights(name, missing, lost))


async def is_agent_forbidden(coder: CoderClient, task_id: str) -> bool:
    """Return whether this account may see this task but may not reach the task's agent.

    Call this after Coder has answered 404 for the agent. Coder answers 404 for a missing agent and for a
    missing right.
    """
    try:
        await coder.get_task(task_id)
    except NotFound:
        return False
    return True


def find_expiry_trouble(expires_at: datetime | None, now: datetime) -> UserError | None:
    """Return an error if our token expires within two days; None otherwise."""
    if expires_at is None or expires_at - now >= TOKEN_ENDS_SOON:
        return None
    return UserError(*troubles.token_expires(expires_at))
