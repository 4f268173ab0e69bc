"""What people are told once in a while only, however often there is a reason for it.

A note in Redis says that it was told. A job writes the note in the batch that completes it. `what` names what
is told, and whom.
"""

from taskwire.dependencies import Dependencies
from taskwire.queue.batch import Batch

# It takes no longer to learn who is to be told.
CLAIM_MS = 60_000


async def was_told(deps: Dependencies, *what: str) -> bool:
    """Return whether this was told lately."""
    return await deps.notes.find("told", *what) is not None


def note_told(deps: Dependencies, batch: Batch, *what: str, ttl_ms: int) -> Batch:
    """Note that this is told by what the batch writes."""
    return deps.notes.keeping(batch, "1", "told", *what, ttl_ms=ttl_ms)


async def tell_once(deps: Dependencies, batch: Batch, *what: str, ttl_ms: int) -> bool:
    """Return whether this has to be told now; then the batch notes it."""
    if await was_told(deps, *what):
        return False
    note_told(deps, batch, *what, ttl_ms=ttl_ms)
    return True


async def claim_telling(deps: Dependencies, *what: str, ttl_ms: int = CLAIM_MS) -> bool:
    """Return whether nobody else tells this, where several may want to at the same moment.

    A process that dies before it has told lets the next one tell after `ttl_ms`.
    """
    return await deps.notes.is_first("telling", *what, ttl_ms=ttl_ms)
