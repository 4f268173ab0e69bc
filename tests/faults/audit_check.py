"""What must be true of the audit trail when a flow has ended, whatever happened in between."""

from redis.asyncio import Redis

from taskwire.domain.audit import AuditFilter
from taskwire.queue.scripts import ServerClock
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.state.audit import AuditLimits, AuditTrail


async def check_audit(store: Redis, keys: Keys) -> None:
    """Check that no act was recorded as done twice, and that the chain is whole.

    A reply that is refused or fails, and is sent later after all, has an entry for each.
    """
    trail = AuditTrail(Connections(store, store, ""), keys, ServerClock(), AuditLimits())
    entries = [stored.entry async for stored in trail.read(AuditFilter())]
    done = [entry.reference for entry in entries if entry.outcome == "done"]
    assert len(done) == len(set(done)), f"an act was recorded twice: {entries}"
    assert await trail.find_break() is None
