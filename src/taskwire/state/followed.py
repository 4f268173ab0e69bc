"""Which agents people follow now, in Redis. The link of each one says until when."""

from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import LinkId
from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# How long the store knows which agents are followed. Nobody follows one for longer.
FOLLOWED_TTL_MS = DAY_MS


class FollowedAgents:
    """The followed agents of one workspace."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys

    async def count(self, now_ms: int) -> int:
        """Count the agents that are followed now."""
        return len(await self._redis.zrangebyscore(self._keys.named("followed"), now_ms, "+inf"))

    def start(self, batch: Batch, link: LinkId, until_ms: int) -> Batch:
        """Add to the batch that a message follows the agent until this time."""
        batch.write("HSET", self._keys.link(link), "follow", f"{until_ms}")
        return batch.write_expiring(FOLLOWED_TTL_MS, "ZADD", self._keys.named("followed"), until_ms, link)

    def end(self, batch: Batch, link: LinkId) -> Batch:
        """Add to the batch that no message follows the agent any more."""
        batch.write("HDEL", self._keys.link(link), "follow")
        return batch.write("ZREM", self._keys.named("followed"), link)
