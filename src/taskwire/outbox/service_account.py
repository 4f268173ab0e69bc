"""The account that acts for all: whether Coder takes its token, whether it may do enough, when it ends.

Whether Coder has tasks at all is seen by the poll, which asks for them anyway.
"""

from datetime import UTC, datetime, timedelta

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NoTasks, NotFound, TokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.messages import troubles
from taskwire.outbox.direct_messages import AdminAlerts

# Coder gives owners' tokens a week at most by default, so two days leave time to act.
ENDS_SOON = timedelta(days=2)
# A good account is left in peace for half a day; a trouble is looked at every hour, since it may be mended;
# what Coder could not tell is asked again at the next `look`.
LOOK_EVERY = timedelta(hours=12)
LOOK_AGAIN = timedelta(hours=1)


class ServiceAccount:
    """Knows how the service account stands."""

    def __init__(self, deps: Dependencies, alerts: AdminAlerts) -> None:
        self._deps = deps
        self._alerts = alerts
        self._told_at: datetime | None = None
        self.troubles: tuple[str, ...] = ()

    async def look(self) -> tuple[str, ...]:
        """What is wrong or ends soon, a sentence each: told to administrators, and remembered for `/readyz`.

        Call it often.
        """
        now = datetime.now(UTC)
        every = LOOK_AGAIN if self.troubles else LOOK_EVERY
        if self._told_at is not None and now - self._told_at < every:
            return self.troubles
        self._told_at = None
        try:
            self.troubles = tuple(str(trouble) for trouble in await self._troubles(now))
            self._told_at = now
            for trouble in self.troubles:
                await self._alerts.warn(trouble, trouble)
        except TokenRefused:
            self.troubles = (" ".join(troubles.TOKEN_REFUSED),)
        except NoTasks:
            self.troubles = (" ".join(troubles.NO_TASKS),)
        except OutsideError as error:
            self.troubles = (troubles.coder_is_away(str(error)),)
        return self.troubles

    async def _troubles(self, now: datetime) -> list[UserError]:
        coder = self._deps.coder
        if narrow := await find_scope_trouble(coder):
            return [narrow]
        rights = await find_rights_trouble(coder)
        ends = await coder.find_token_end()
        return [trouble for trouble in (rights, end_trouble(ends, now)) if trouble is not None]


async def find_scope_trouble(coder: CoderClient) -> UserError | None:
    """What the token may not do, whatever its account may."""
    missing = await coder.list_missing_scopes()
    return UserError(*troubles.token_too_narrow(missing)) if missing else None


async def find_rights_trouble(coder: CoderClient) -> UserError | None:
    """What an account cannot do that it has to."""
    account = await coder.me()
    if not account.is_owner:
        return UserError(*troubles.no_owner(account.username))
    if await coder.find_may_connect() is False:
        return UserError(*troubles.kept_out(account.username))
    return None


async def is_kept_out(deps: Dependencies, task_id: str) -> bool:
    """Say, of a task whose agent the account is not shown, whether the task is there all the same."""
    try:
        await deps.coder.get_task(task_id)
    except NotFound:
        return False
    return True


def end_trouble(ends: datetime | None, now: datetime) -> UserError | None:
    """That a token ends soon."""
    if ends is None or ends - now >= ENDS_SOON:
        return None
    return UserError(*troubles.token_ends(ends))
