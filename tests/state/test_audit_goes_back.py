"""The audit trail goes back with its seal, or is gone. Processes, the seal and the log show it."""

from typing import NamedTuple, cast

import pytest
from structlog.testing import capture_logs

from taskwire.queue.data_loss_detector import DataLoss
from taskwire.redis.connection import Connections
from taskwire.state.audit import AuditLimits, AuditTrail
from taskwire.state.audit_chain import BrokenChain, LostEntries
from taskwire.state.seal_memory import JUDGE_AFTER_MS, REMOVED, REPLACED
from tests.queue.engine import NOON_MS, Engine

from .test_audit import Rows, acts, rewrite, rows, trail_of, write_head

MISSING = "its seal is missing, although tasks have threads"


@pytest.fixture
def engine(shared_store: Connections) -> Engine:
    """Return queues on a real Valkey, because scripts on fakeredis have no hash function."""
    return Engine(shared_store)


class Kept(NamedTuple):
    """An older state of the trail, as a person keeps it who can read Redis."""

    rows: Rows
    head: dict[str, str]


async def keep(engine: Engine) -> Kept:
    redis, head = engine.connections.commands, engine.keys.named("audit", "head")
    return Kept(await rows(engine), cast("dict[str, str]", await redis.hgetall(head)))


async def put_back(engine: Engine, kept: Kept) -> None:
    await rewrite(engine, kept.rows)
    await engine.connections.commands.delete(engine.keys.named("audit", "head"))
    await write_head(engine, **kept.head)


async def acts_and_seals(engine: Engine, count: int, trail: AuditTrail) -> None:
    """Enter this many acts, and seal the trail."""
    await acts(engine, count, trail)
    await trail.seal()


async def judge(engine: Engine, trail: AuditTrail) -> None:
    """Let a process seal until it has judged what it sees."""
    await trail.seal()
    engine.passes(JUDGE_AFTER_MS / 1000 + 1)
    await trail.seal()


async def test_an_older_trail_is_a_break_that_stays_known(engine: Engine) -> None:
    """Somebody keeps the trail with its seal, lets people act, and puts it back. A process that runs has read
    the newer seal. Processes that start later know of the break too."""
    trail = trail_of(engine)
    await acts_and_seals(engine, 2, trail)
    kept = await keep(engine)
    await acts_and_seals(engine, 2, trail)

    await put_back(engine, kept)
    await judge(engine, trail)
    await acts(engine, 1)
    await trail_of(engine).seal()

    assert await trail_of(engine).find_break() == BrokenChain(3, REMOVED)
    assert await trail_of(engine).find_trouble() == f"It breaks at entry 3: {REMOVED}."


async def test_an_older_trail_is_noticed_after_others_have_written_on(engine: Engine) -> None:
    """Somebody puts an older trail back. Before this process looks, another one has started, and has sealed
    as many new entries. The entry that this process knows is not among them."""
    trail, other = trail_of(engine), trail_of(engine)
    await acts_and_seals(engine, 1, trail)
    kept = await keep(engine)
    await acts_and_seals(engine, 1, trail)

    await put_back(engine, kept)
    await acts(engine, 2, other)
    await other.seal()
    await judge(engine, trail)

    assert await trail_of(engine).find_break() == BrokenChain(2, REPLACED)


async def test_a_trail_that_is_gone_is_a_break(engine: Engine) -> None:
    """Somebody removes the trail with its seal while a process runs."""
    trail = trail_of(engine)
    await acts_and_seals(engine, 2, trail)

    await put_back(engine, Kept([], {"number": "0"}))
    await judge(engine, trail)

    assert await trail_of(engine).find_break() == BrokenChain(1, REMOVED)


async def test_a_trail_that_is_gone_is_missed_as_long_as_tasks_have_threads(engine: Engine) -> None:
    """Somebody removes the trail while no process runs. A store that has links has a seal, so the trail is
    known to be missing, before and after a process starts."""
    await trail_of(engine).seal()
    await engine.connections.commands.hset(engine.keys.named("links"), "task", "link")
    await acts(engine, 2)
    await trail_of(engine).seal()
    whole = await trail_of(engine).find_break()
    await put_back(engine, Kept([], {"number": "0"}))

    trouble, found = await trail_of(engine).find_trouble(), await trail_of(engine).find_break()
    await acts(engine, 1)
    await trail_of(engine).seal()

    assert whole is None
    assert trouble == f"It breaks at entry 1: {MISSING}."
    assert found == await trail_of(engine).find_break() == BrokenChain(1, MISSING)


async def test_a_store_that_lost_writes_is_no_break(engine: Engine) -> None:
    """Redis goes back after a failover. The seal says so, once, whoever judges first."""
    losses: list[DataLoss] = []
    trail, other = (
        AuditTrail(
            engine.connections,
            engine.keys,
            engine.clock,
            AuditLimits(),
            lambda: losses[-1] if losses else None,
        )
        for _ in range(2)
    )
    await acts_and_seals(engine, 1, trail)
    kept = await keep(engine)
    await acts_and_seals(engine, 1, trail)
    await other.seal()
    newest = (await rows(engine))[-1][1]["hash"]

    await put_back(engine, kept)
    losses.append(DataLoss(NOON_MS, NOON_MS))
    await trail.seal()
    await other.seal()
    await acts(engine, 1, other)
    await judge(engine, trail)
    await judge(engine, other)

    assert await trail.find_break() is None
    assert await trail.list_losses() == (LostEntries(NOON_MS, 2, newest),)


async def test_a_store_that_lost_writes_long_ago_explains_nothing(engine: Engine) -> None:
    """Redis lost writes before this process has read the newest seal. So the trail was put back later."""
    trail = AuditTrail(
        engine.connections,
        engine.keys,
        engine.clock,
        AuditLimits(),
        lambda: DataLoss(NOON_MS - 120_000, NOON_MS - 120_000),
    )
    await acts_and_seals(engine, 1, trail)
    kept = await keep(engine)
    await acts_and_seals(engine, 1, trail)

    await put_back(engine, kept)
    await judge(engine, trail)

    assert await trail.find_break() == BrokenChain(2, REMOVED)


async def test_each_seal_is_logged_once_and_every_hour(engine: Engine) -> None:
    """The log has the number and the hash of each seal. A person who can write to Redis cannot change it."""
    trail = trail_of(engine)
    await acts(engine, 1, trail)
    newest = (await rows(engine))[-1][1]["hash"]

    with capture_logs() as logs:
        await trail.seal()
        await trail.seal()
        engine.passes(3_601)
        await trail.seal()

    told = [(each["number"], each["hash"]) for each in logs if each["event"] == "audit trail sealed"]
    assert told == [(1, newest)] * 2


async def test_what_the_log_has_is_compared_with_the_trail(engine: Engine) -> None:
    """An operator gives an entry from the log. It is there, is older than what is kept, or is missing."""
    trail = trail_of(engine, most=2)
    await acts(engine, 4, trail)
    hashes = [fields["hash"] for _, fields in await rows(engine)]
    await trail.seal()

    found = [await trail.compare(number, each) for number, each in enumerate(hashes, 1)]

    assert found == ["trimmed", "there", "there", "there"]
    assert await trail.compare(2, hashes[0]) == await trail.compare(3, hashes[0]) == "missing"
    assert await trail.compare(5, hashes[0]) == "missing"


async def test_a_seal_does_not_end_while_nobody_acts(engine: Engine) -> None:
    """Nobody acts for longer than entries are kept. The process that runs keeps the seal, so no trail is
    called changed."""
    trail = trail_of(engine, days=1)
    await acts_and_seals(engine, 1, trail)
    for _ in range(6):
        engine.passes(12 * 3_600)
        await judge(engine, trail)

    assert await trail.find_break() is None
    assert (await keep(engine)).head["seal"]


async def test_a_store_that_lost_everything_is_no_break(engine: Engine) -> None:
    """Redis loses everything, and a thread is found again before this process seals. The seal says that Redis
    went back, and does not say that it was missing."""
    losses: list[DataLoss] = []
    trail = AuditTrail(
        engine.connections, engine.keys, engine.clock, AuditLimits(), lambda: losses[-1] if losses else None
    )
    await acts_and_seals(engine, 1, trail)

    await put_back(engine, Kept([], {"number": "0"}))
    await engine.connections.commands.hset(engine.keys.named("links"), "task", "link")
    losses.append(DataLoss(NOON_MS, 0))
    await trail.seal()

    assert await trail.find_break() is None
    assert [each.number for each in await trail.list_losses()] == [1]
