"""Redis that goes back in time: a failover to a replica that lagged, a copy that was restored.

What had been done may then stand there as not done. For the next ten minutes whoever is about to make a
first attempt looks whether it has been made before. Ends at saying so: where to look each effect knows.
"""

from collections.abc import Awaitable
from typing import cast

from redis.exceptions import ResponseError

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys

REWOUND_MS = 600_000


class Rewinds:
    """What this process remembers of Redis, to notice when Redis does not."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._numbers: dict[str, int] = {}
        self._run_id: str | None = None

    async def look(self) -> bool:
        """Whether Redis has gone back, or is another one, since the last look; then all replicas know."""
        numbers = await self._sweeps()
        run_id = await self._ask_run_id()
        has_fallen = any(numbers.get(account, 0) < number for account, number in self._numbers.items())
        is_another = self._run_id is not None and run_id is not None and run_id != self._run_id
        self._numbers, self._run_id = numbers, run_id or self._run_id
        if not has_fallen and not is_another:
            return False
        await self._redis.set(self._keys.named("rewound"), "1", px=REWOUND_MS)
        return True

    async def _sweeps(self) -> dict[str, int]:
        """How many sweeps each account has had: a number that only rises."""
        found = self._redis.hgetall(self._keys.named("sweep:number"))
        return {
            account: int(number)
            for account, number in (await cast("Awaitable[dict[str, str]]", found)).items()
        }

    async def _ask_run_id(self) -> str | None:
        try:
            told = await self._redis.info("server")
        except ResponseError:  # not permitted, as a managed server may
            return None
        run_id = told.get("run_id")
        return None if run_id is None else str(run_id)
