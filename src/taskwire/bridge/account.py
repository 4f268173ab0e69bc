"""The account that acts for all: whether Coder takes its token, whether it may do enough, when it ends."""

from datetime import UTC, datetime, timedelta

from taskwire.bridge.doors import Doors
from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.model.errors import OutsideError

# Coder gives owners' tokens a week at most by default, so two days leave time to act.
ENDS_SOON = timedelta(days=2)


class AccountKeeper:
    """Knows how the service account stands."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self.troubles: tuple[str, ...] = ()

    async def look(self) -> tuple[str, ...]:
        """What is wrong or ends soon, a sentence each; remembers it for `/readyz`."""
        self.troubles = tuple(await self._troubles())
        return self.troubles

    async def _troubles(self) -> list[str]:
        coder = self._doors.coder
        try:
            me = await coder.me()
            await coder.list_tasks_raw("owner:me")
            ends = await coder.find_token_end()
        except TokenRefused:
            return ["Coder refuses CODER_SESSION_TOKEN: make a new one, with an account of role Owner."]
        except NoTasks:
            return [
                "This Coder has no Tasks: they are part of Coder 2.28 to 2.36, and of the 2.34 support line."
            ]
        except OutsideError as error:
            return [f"Coder cannot be asked: {error}."]
        found = []
        if not me.is_owner:
            found.append(
                f"The Coder account {me.username} lacks the role Owner, so it cannot act for other people."
            )
        if ends is not None and ends - datetime.now(UTC) < ENDS_SOON:
            found.append(f"The token in CODER_SESSION_TOKEN ends on {ends:%Y-%m-%d at %H:%M} UTC: renew it.")
        return found
