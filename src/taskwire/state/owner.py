"""Owner: the Slack app and the Coder for which this store was first used.

Two installations on one store would run each other's jobs, and create tasks in the wrong Coder. So each
process checks at its start whether the store is its own.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import cast

from taskwire.domain.errors import UserError
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

_CLAIM = load_script("state/owner.claim")


@dataclass(frozen=True)
class Owner:
    """A Slack app and a Coder. `app` is the id of the bot user, `coder` the deployment id, `url` its address.

    `coder` is empty if Coder did not answer. Then the addresses are compared.
    """

    app: str
    coder: str
    url: str

    def is_another_app(self, other: "Owner") -> bool:
        """Return whether the other owner is another Slack app."""
        return self.app != other.app

    def is_another_coder(self, other: "Owner") -> bool | None:
        """Return whether the other owner is another Coder; None if that is unknown until Coder answers."""
        if self.coder and other.coder:
            return self.coder != other.coder
        return False if self.url == other.url else None


class Ownership:
    """The owner of one workspace's store."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._claim = Script(connections.commands, keys, clock, _CLAIM)

    async def find(self) -> Owner | None:
        """Return the owner; None if the store was never used."""
        noted = self._redis.hmget(self._keys.named("owner"), ["app", "coder", "url"])
        app, coder, url = await cast("Awaitable[list[str | None]]", noted)
        return Owner(app, coder or "", url or "") if app else None

    async def claim(self, who: Owner) -> Owner:
        """Become the owner if the store has none. Returns the owner."""
        return Owner(*cast("list[str]", await self._claim(who.app, who.coder, who.url)))


def refusal(noted: Owner, who: Owner, where: str) -> UserError | None:
    """Return an error if the store belongs to another app or Coder; None if not, or if that is not known."""
    if noted.is_another_app(who):
        belongs = f"another Slack app of this workspace (its bot is {noted.app}, this one's is {who.app})"
    elif noted.is_another_coder(who):
        belongs = f"the Coder at {noted.url}, and this one is for {who.url}"
        if noted.url == who.url:
            belongs = f"another Coder than the one that is now at {who.url}"
    else:
        return None
    return UserError(
        f"The store at {where} belongs to a Taskwire for {belongs}.",
        "Let this one have its own: set TASKWIRE_KEY_PREFIX to another word, or REDIS_URL to another "
        "database, or TASKWIRE_DATA_DIR to another directory.",
    )
