"""The account that acts for all: whether Coder takes its token, whether it may do enough, when it ends.

Whether Coder has tasks at all is seen by the sweep, which asks for them anyway.
"""

from datetime import UTC, datetime, timedelta

from taskwire.bridge.alerts import Alerts
from taskwire.bridge.doors import Doors
from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.coder.models import User
from taskwire.model.errors import OutsideError, UserError
from taskwire.words import troubles

# Coder gives owners' tokens a week at most by default, so two days leave time to act.
ENDS_SOON = timedelta(days=2)
# A good account is left in peace for half a day; a trouble is looked at every hour, since it may be mended;
# what Coder could not tell is asked again at the next `look`.
LOOK_EVERY = timedelta(hours=12)
LOOK_AGAIN = timedelta(hours=1)


class AccountKeeper:
    """Knows how the service account stands."""

    def __init__(self, doors: Doors, alerts: Alerts) -> None:
        self._doors = doors
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
        coder = self._doors.coder
        me = await coder.me()
        ends = await coder.find_token_end()
        return [trouble for trouble in (rights_trouble(me), end_trouble(ends, now)) if trouble is not None]


def rights_trouble(account: User) -> UserError | None:
    """What an account cannot do that it has to."""
    return None if account.is_owner else UserError(*troubles.no_owner(account.username))


def end_trouble(ends: datetime | None, now: datetime) -> UserError | None:
    """That a token ends soon."""
    if ends is None or ends - now >= ENDS_SOON:
        return None
    return UserError(*troubles.token_ends(ends))
