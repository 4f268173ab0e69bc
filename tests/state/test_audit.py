"""The audit trail keeps entries in order, trims them by number and age, and shows if somebody has changed
it."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from taskwire import sealing
from taskwire.domain.audit import AuditEntry, AuditFilter
from taskwire.domain.ids import from_ms
from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.state.audit import ENTRIES_PER_CALL, AuditLimits, AuditTrail
from taskwire.state.audit_chain import BrokenChain
from taskwire.state.key_rotation import StoredKeys
from tests.keys import KEY
from tests.queue.engine import NOON_MS, Engine


@pytest.fixture
def engine(shared_store: Connections) -> Engine:
    """Return queues on a real Valkey, because scripts on fakeredis have no hash function."""
    return Engine(shared_store)


def trail_of(engine: Engine, most: int = 100, days: int = 30) -> AuditTrail:
    return AuditTrail(engine.connections, engine.keys, engine.clock, AuditLimits(most, days))


async def acts(engine: Engine, count: int, trail: AuditTrail | None = None) -> None:
    """Write `count` entries, each in its own call. An entry's number is in the name of its task."""
    trail = trail or trail_of(engine)
    for number in range(1, count + 1):
        entry = AuditEntry(
            person="U1", verb="pause", task=f"t{number}", outcome="done", reference=f"r{number}"
        )
        await engine.queues.write(trail.add_to(Batch(), entry))


Rows = list[tuple[str, dict[str, str]]]


async def rows(engine: Engine) -> Rows:
    return cast("Rows", await engine.connections.commands.xrange(engine.keys.named("audit")))


async def tasks(trail: AuditTrail, **wanted: object) -> list[str]:
    return [each.entry.task async for each in trail.read(AuditFilter.model_validate(wanted))]


async def test_entries_are_numbered_and_read_in_their_order(engine: Engine) -> None:
    """Entries are numbered. A reader gets all entries in order from either end, even if this takes several
    calls."""
    count = ENTRIES_PER_CALL + 2
    trail = trail_of(engine, most=count)
    await acts(engine, count, trail)

    newest = await trail.list_newest(AuditFilter(), 2)

    assert await tasks(trail) == [f"t{number}" for number in range(1, count + 1)]
    assert [each.number for each in newest] == [count, count - 1]
    assert [each.entry.task for each in await trail.list_newest(AuditFilter(task="t1"), count)][-1] == "t1"
    assert await trail.find_break() is None


async def test_the_call_that_ends_a_job_returns_the_number_and_the_hash(engine: Engine) -> None:
    """The call that ends a job returns the number and the hash of the job's audit entry. Taskwire logs them.
    A person who can write to Redis cannot change the log."""
    trail = trail_of(engine)
    await engine.append("a")
    entry = AuditEntry(person="U1", verb="pause", outcome="done", reference="r")

    written = await engine.queues.complete(await engine.takes(), "done", trail.add_to(Batch(), entry))

    [stored] = await trail.list_newest(AuditFilter(), 1)
    assert written == (1, stored.hash, "")
    assert await trail.find_head() == f"1 ({stored.hash})"


async def test_too_many_and_too_old_entries_are_trimmed_without_a_break(engine: Engine) -> None:
    """If there are too many entries, or some are too old, the oldest are removed, and the chain of hashes is
    not broken. Old entries are removed even if nobody acts."""
    trail = trail_of(engine, most=3, days=1)
    await acts(engine, 5, trail)
    await trail.seal()
    by_number = await tasks(trail)
    await acts(engine, 1, trail)
    engine.passes(25 * 3_600)
    whole = await trail.find_break()

    await trail_of(engine, most=3, days=1).seal()

    assert by_number == ["t3", "t4", "t5"]
    assert whole is None
    assert await tasks(trail) == []
    assert await trail.find_break() is None
    await acts(engine, 1, trail)
    assert await trail.find_break() is None


async def test_a_clock_that_goes_back_loses_no_entry(engine: Engine) -> None:
    """If Redis's clock goes back, an entry still gets a later id than the entry before, because ids of a
    stream must rise. The act is not refused."""
    await acts(engine, 2)
    engine.passes(-3_600)

    await acts(engine, 1)

    assert await tasks(trail_of(engine)) == ["t1", "t2", "t1"]
    assert await trail_of(engine).find_break() is None


async def test_only_wanted_entries_are_read(engine: Engine) -> None:
    """A reader can ask for entries by a person's Slack or Coder name, by the beginning of a task's name, by a
    verb, and by a time."""
    trail = trail_of(engine)
    for person, verb in (("U1", "pause"), ("U2", "delete")):
        entry = AuditEntry(
            person=person, account=f"in-{person}", verb=verb, task=person, outcome="done", reference=person
        )
        await engine.queues.write(trail.add_to(Batch(), entry))
        engine.passes(60)

    assert await tasks(trail, person="U2") == await tasks(trail, person="in-U2") == ["U2"]
    assert await tasks(trail, verb="pause") == await tasks(trail, task="U1") == ["U1"]
    assert await tasks(trail, verb="stop") == ["U1"]
    assert await tasks(trail, since=from_ms(NOON_MS + 30_000)) == ["U2"]
    assert await trail.list_newest(AuditFilter(since=from_ms(NOON_MS + 90_000)), 5) == []


async def rewrite(engine: Engine, written: Rows) -> None:
    """Rewrite the stream directly in Redis, not through Taskwire."""
    redis, key = engine.connections.commands, engine.keys.named("audit")
    await redis.delete(key)
    for row_id, fields in written:
        words = ["XADD", key, row_id, *(word for pair in fields.items() for word in pair)]
        await cast("Awaitable[object]", redis.execute_command(*words))  # type: ignore[no-untyped-call] # untyped


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ((1, 2, 3), BrokenChain(1, "it is missing")),
        ((0, 2, 3), BrokenChain(2, "it is missing")),
        ((0, 1, 2), BrokenChain(4, "it and what follows is missing")),
        ((), BrokenChain(1, "it and what follows is missing")),
    ],
)
async def test_an_entry_that_somebody_removed_is_missed(
    engine: Engine, left: tuple[int, ...], found: BrokenChain
) -> None:
    """If somebody removes an entry, the check names the first missing number. If the latest entries are
    removed, it says that all that follows is missing too."""
    await acts(engine, 4)
    before = await rows(engine)

    await rewrite(engine, [before[number] for number in left])

    assert await trail_of(engine).find_break() == found


@pytest.mark.parametrize("number", [0, 1, 3])
async def test_an_entry_that_somebody_changed_is_found(engine: Engine, number: int) -> None:
    """If somebody changes an entry, its hash no longer fits, and the check names the entry."""
    await acts(engine, 4)
    written = await rows(engine)
    row_id, fields = written[number]
    written[number] = row_id, fields | {"entry": fields["entry"].replace("U1", "U2")}

    await rewrite(engine, written)

    assert await trail_of(engine).find_break() == BrokenChain(number + 1, "it or the one before was changed")


async def test_nobody_can_pretend_that_kept_entries_were_trimmed(engine: Engine) -> None:
    """If somebody removes the first entries, the check reports them as missing, because only the signed seal
    says which entries Taskwire itself has removed."""
    await acts(engine, 3)
    await trail_of(engine).seal()
    written = await rows(engine)

    await rewrite(engine, written[1:])

    assert await trail_of(engine).find_break() == BrokenChain(1, "it is missing")


def chained(written: Rows) -> Rows:
    """Return the rows, each with the hash that the script would compute."""
    before, made = "", []
    for row_id, fields in written:
        text = f"{before} {row_id} {fields['entry']}"
        before = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        made.append((row_id, {"entry": fields["entry"], "hash": before}))
    return made


async def write_head(engine: Engine, **fields: str | int) -> None:
    words = [word for pair in fields.items() for word in pair]
    head = ("HSET", engine.keys.named("audit", "head"), *words)
    await cast("Awaitable[object]", engine.connections.commands.execute_command(*head))  # type: ignore[no-untyped-call] # untyped


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("U1", "U2"), "its signature is wrong"),
        (lambda _: '{"person":"U2","verb":"pause","outcome":"done","reference":"r"}', "it is not signed"),
    ],
)
async def test_a_chain_that_somebody_computed_anew_is_found(
    engine: Engine, change: Callable[[str], str], why: str
) -> None:
    """If somebody changes entries and computes all hashes again, the check still finds the change, because
    the entries have signatures that need the key."""
    await acts(engine, 3)
    written = await rows(engine)
    row_id, fields = written[1]
    written[1] = row_id, {"entry": change(fields["entry"])}
    forged = chained(written)

    await rewrite(engine, forged)
    await write_head(engine, number=3, hash=forged[-1][1]["hash"])

    assert await trail_of(engine).find_break() == BrokenChain(2, why)


async def test_an_entry_cannot_be_copied(engine: Engine) -> None:
    """If somebody copies an entry, the check finds the copy, because each entry has a random word."""
    await acts(engine, 2)
    written = await rows(engine)
    at_ms = int(written[-1][0].partition("-")[0]) + 1
    forged = chained([*written, (f"{at_ms}-3", written[0][1])])

    await rewrite(engine, forged)
    await write_head(engine, number=3, hash=forged[-1][1]["hash"])

    assert await trail_of(engine).find_break() == BrokenChain(3, "it is a copy of another one")


async def test_sealed_entries_cannot_be_left_out(engine: Engine) -> None:
    """If somebody removes sealed entries and computes all hashes again, the last hash does not fit the seal.
    Nobody can make a seal without the key."""
    await acts(engine, 3)
    await trail_of(engine).seal()
    written = await rows(engine)
    forged = chained([written[0], (written[2][0].replace("-3", "-2"), written[2][1])])

    await rewrite(engine, forged)
    await write_head(engine, number=2, hash=forged[-1][1]["hash"])
    left_out = await trail_of(engine).find_break()
    await write_head(engine, seal=sealing.key_ring().seal("{}", "another purpose"))

    assert left_out == BrokenChain(3, "it and what follows is missing")
    assert await trail_of(engine).find_break() == BrokenChain(1, "its seal was changed")


async def test_a_break_stays_known(engine: Engine) -> None:
    """The chain of entries is broken, and later entries are written and sealed after the break. The check
    still reports the break."""
    trail = trail_of(engine)
    await acts(engine, 3, trail)
    await engine.connections.commands.xdel(engine.keys.named("audit"), (await rows(engine))[1][0])

    await trail.seal()
    await acts(engine, 2, trail)
    await trail.seal()
    await trail.seal()

    assert await trail.find_break() == BrokenChain(2, "it is missing")


async def test_a_rotation_keeps_what_is_sealed(engine: Engine) -> None:
    """After a key rotation, the old key is removed. Entries that are sealed stay valid, because the check
    does not need their own signatures any more."""
    trail, new = trail_of(engine), sealing.make_key()
    await acts(engine, 2, trail)
    await trail.seal()
    try:
        sealing.install_keys([new, KEY])
        await StoredKeys(engine.connections, engine.keys, engine.clock).look()
        sealing.install_keys([new])
        await acts(engine, 1, trail)
        await trail.seal()

        assert await trail.find_break() is None
        assert await tasks(trail) == ["t1", "t2", "t1"]
    finally:
        sealing.install_keys([KEY])
    assert await trail.find_break() == BrokenChain(1, "there is no key to check its seal")


async def test_two_processes_seal_one_trail(engine: Engine) -> None:
    """If two processes seal the same trail, each continues where the other has ended."""
    one, other = trail_of(engine), trail_of(engine)
    await acts(engine, 2)
    await one.seal()
    await acts(engine, 2)
    await other.seal()
    await one.seal()

    assert await one.find_break() is None


async def test_a_head_that_somebody_removed_stops_no_act(engine: Engine) -> None:
    """If somebody removes the stored head (number and hash of the newest entry), the next entry is still
    written. The check reports the break."""
    await acts(engine, 3)
    await engine.connections.commands.delete(engine.keys.named("audit", "head"))

    await acts(engine, 1)

    assert await tasks(trail_of(engine)) == ["t1", "t2", "t3", "t1"]
    assert await trail_of(engine).find_break() == BrokenChain(4, "it is missing")
