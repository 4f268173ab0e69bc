"""The Slack app and the Coder for which a store was first used, and the keys that have encrypted the store.

Two installations on one store would run each other's jobs, and create tasks in the wrong Coder. So each
process checks at its start whether the store belongs to its installation, and whether the process has one of
the keys.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import cast

from taskwire.domain.errors import UserError
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.sealing import key_ring

_CLAIM = load_script("state/owner.claim")


@dataclass(frozen=True)
class Owner:
    """A Slack app and a Coder.

    `app` is the id of the bot user, `coder` is Coder's deployment id, `url` is Coder's address.

    `coder` is empty if Coder did not answer. Then the addresses are compared. `keys` are the ids of the keys
    that have encrypted values in the store.
    """

    app: str
    coder: str
    url: str
    keys: tuple[str, ...] = field(default=(), compare=False)

    def is_another_app(self, other: "Owner") -> bool:
        """Return whether the other owner has another Slack app."""
        return self.app != other.app

    def is_another_coder(self, other: "Owner") -> bool | None:
        """Return whether the other owner has another Coder; None if that is not known yet.

        It is not known if Coder has not told its deployment id and the addresses differ.
        """
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
        noted = self._redis.hmget(self._keys.named("owner"), ["app", "coder", "url", "keys"])
        app, coder, url, keys = await cast("Awaitable[list[str | None]]", noted)
        return Owner(app, coder or "", url or "", tuple((keys or "").split())) if app else None

    async def claim(self, who: Owner) -> Owner:
        """Become the owner if the store has none, and record this process's newest key. Return the owner."""
        words = await self._claim(who.app, who.coder, who.url, *key_ring().ids)
        app, coder, url, keys = cast("list[str]", words)
        return Owner(app, coder, url, tuple(keys.split()))


def refusal(noted: Owner, who: Owner, where: str) -> UserError | None:
    """Return an error if the store belongs to another installation, or if this process has none of its keys.

    Return None if the process may use the store, or if that is not known. `noted` is the owner that the store
    names, `who` is this process, and `where` is the address of the store.
    """
    if noted.is_another_app(who):
        belongs = f"another Slack app of this workspace (its bot is {noted.app}, this one's is {who.app})"
    elif noted.keys and not set(noted.keys) & set(key_ring().ids):
        return UserError(
            f"The store at {where} was encrypted with a key that this Taskwire does not have.",
            "Set TASKWIRE_SECRET_KEYS to that key; a new one may stand before it. If the store was moved "
            "from a data directory, the key is in the file secret.keys there.",
        )
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
