"""Keeps people from being told the same thing again too soon: records what they were told.

`what` names the subject and the people. A job writes the record in the batch that completes the job.
`outbox/posting.py` makes sure that a message is posted exactly once.
"""

from taskwire.dependencies import Dependencies
from taskwire.queue.batch import Batch

# How long a process may take from its claim until it has told people, in ms.
TELLING_CLAIM_MS = 60_000


async def has_told(deps: Dependencies, *what: str) -> bool:
    """Return whether people were told about `what`, and the record of this has not expired."""
    return await deps.notes.find("told", *what) is not None


def record_told(deps: Dependencies, batch: Batch, *what: str, ttl_ms: int) -> Batch:
    """Record in this batch, for `ttl_ms`, that the batch's messages tell people about `what`."""
    return deps.notes.keep_in(batch, "1", "told", *what, ttl_ms=ttl_ms)


def forget_told(deps: Dependencies, batch: Batch, *what: str) -> Batch:
    """Remove in this batch the record that people were told about `what`."""
    return deps.notes.forget_in(batch, "told", *what)


async def record_unless_told(deps: Dependencies, batch: Batch, *what: str, ttl_ms: int) -> bool:
    """Return whether people have to be told about `what` now.

    If so, the batch records that people were told, and the caller appends the message.
    """
    if await has_told(deps, *what):
        return False
    record_told(deps, batch, *what, ttl_ms=ttl_ms)
    return True


async def claim_telling(deps: Dependencies, *what: str, ttl_ms: int = TELLING_CLAIM_MS) -> bool:
    """Return whether this process may tell people about `what` now.

    If several processes ask at once, only one of them gets True. If that process dies before it tells people,
    another process may do so after `ttl_ms`.
    """
    return await deps.notes.keep_if_new("telling", *what, ttl_ms=ttl_ms)
