"""Notes of what people were told, so that they are told it only once in a while.

A note in Redis says that it was told. A job writes the note in the batch that completes it. `what` names what
is told, and whom.
"""

from taskwire.dependencies import Dependencies
from taskwire.queue.batch import Batch

# How long a process may take to find out whom to tell, and to tell them.
TELLING_CLAIM_MS = 60_000


async def has_told(deps: Dependencies, *what: str) -> bool:
    """Return whether this was told lately."""
    return await deps.notes.find("told", *what) is not None


def record_told(deps: Dependencies, batch: Batch, *what: str, ttl_ms: int) -> Batch:
    """Note that this is told by what the batch writes."""
    return deps.notes.keeping(batch, "1", "told", *what, ttl_ms=ttl_ms)


async def record_unless_told(deps: Dependencies, batch: Batch, *what: str, ttl_ms: int) -> bool:
    """Return whether this has to be told now; then the batch notes it."""
    if await has_told(deps, *what):
        return False
    record_told(deps, batch, *what, ttl_ms=ttl_ms)
    return True


async def claim_telling(deps: Dependencies, *what: str, ttl_ms: int = TELLING_CLAIM_MS) -> bool:
    """Return whether this process may tell this. Of several that want to at the same moment, one may.

    If the process dies before it has told, another one may after `ttl_ms`.
    """
    return await deps.notes.is_first("telling", *what, ttl_ms=ttl_ms)
