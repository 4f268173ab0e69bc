"""Dead letters: what was given up, for the operator to look at and to forget. `links` writes them."""

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys


class _Job(BaseModel):
    # What could not be read, a newer version's job mostly, is kept as it was written and has no work.
    work: dict[str, object] = {}


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore")

    job: _Job
    why: str
    at_ms: int


class Letter(BaseModel):
    """One job that was given up."""

    kind: str
    why: str
    at: datetime = Field(description="aware, UTC")


class Letters:
    """The dead letters of one workspace."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._key = keys.named("dead")

    async def count(self) -> int:
        """How many there are."""
        return int(await self._redis.llen(self._key))

    async def find_newest(self) -> Letter | None:
        """The last job that was given up."""
        written = await self._redis.lindex(self._key, 0)
        if written is None:
            return None
        letter = _Written.model_validate_json(written)
        at = datetime.fromtimestamp(letter.at_ms / 1000, UTC)
        return Letter(kind=str(letter.job.work.get("kind", "a job")), why=letter.why, at=at)

    async def forget(self) -> int:
        """Drop them all; returns how many there were."""
        count = await self.count()
        await self._redis.delete(self._key)
        return count
