"""What is sealed for the name of its key opens after a move to another key prefix."""

from taskwire.domain.audit import AuditEntry, AuditFilter
from taskwire.domain.ids import UserId
from taskwire.migration import transfer
from taskwire.migration.side import Side
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import ServerClock
from taskwire.state.accounts import AccountStore, ConnectedAccount
from taskwire.state.audit import AuditLimits, AuditTrail
from taskwire.state.notes import Notes
from taskwire.state.owner import Owner

from .conftest import Places

US = Owner("U0BOT", "d-1", "https://coder.example.com")
ALICE = ConnectedAccount(person=UserId("U1"), user_id="c1", username="alice", token="id-secret", job="j1")


def _trail(side: Side) -> AuditTrail:
    return AuditTrail(side.connections, side.keys, ServerClock(), AuditLimits())


async def _write(side: Side) -> None:
    """Store a connected account, a note, a cached answer, and a sealed entry of the audit trail."""
    queues = Queues(side.connections, side.keys, ServerClock())
    notes, accounts = Notes(side.connections, side.keys), AccountStore(side.connections, side.keys)
    batch = accounts.write(Batch(), ALICE)
    notes.keep_in(batch, "1.000000", "share_ended", "L1", "U2", ttl_ms=60_000)
    entry = AuditEntry(person="U1", verb="pause", task="fix-it", outcome="done", reference="r1")
    await queues.write(_trail(side).add_to(batch, entry))
    _, change = await notes.find_cached("profile", "U1")
    await notes.keep_cached("words", change, "profile", "U1", ttl_ms=60_000)
    await _trail(side).seal()


async def test_a_move_to_another_prefix_takes_along_what_is_bound_to_its_key(places: Places) -> None:
    """A connected account, the end of a share, a cached answer and the audit trail's seal are bound to the
    whole name of their key. After a move to another prefix, all of them open, and the trail is whole."""
    source, target = await places.side(places.own), await places.side(places.redis, "staging")
    await _write(source)

    moved = await transfer.Transfer(source, target, US, lambda _: None).move()

    notes = Notes(target.connections, target.keys)
    assert moved is not None
    assert await AccountStore(target.connections, target.keys).find(ALICE.person) == ALICE
    assert await notes.find("share_ended", "L1", "U2") == "1.000000"
    assert (await notes.find_cached("profile", "U1"))[0] == "words"
    assert [each.entry.task async for each in _trail(target).read(AuditFilter())] == ["fix-it"]
    assert await _trail(target).find_break() is None
