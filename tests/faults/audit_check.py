"""Checks a flow's audit trail after the flow has ended, whatever happened in between."""

from redis.asyncio import Redis

from taskwire.domain.audit import AuditFilter
from taskwire.queue.scripts import Clock
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.state.audit import AuditLimits, AuditTrail


async def check_audit(store: Redis, keys: Keys, clock: Clock) -> None:
    """Check that the audit trail records no act as done twice, and that the chain of hashes is unbroken.

    A reply that fails and is sent by a later try has one entry for each of these outcomes.
    """
    trail = AuditTrail(Connections(store, store, ""), keys, clock, AuditLimits())
    entries = [stored.entry async for stored in trail.read(AuditFilter())]
    done = [entry.reference for entry in entries if entry.outcome == "done"]
    assert len(done) == len(set(done)), f"an act was recorded twice: {entries}"
    assert await trail.find_break() is None
