"""A person who can write to Redis changes the audit trail. Acts and seals go on, and it is noticed."""

import json
from typing import cast

import pytest
from redis.client import NEVER_DECODE
from structlog.testing import capture_logs

from taskwire.domain.audit import AuditEntry, AuditFilter
from taskwire.queue.batch import Batch
from taskwire.queue.leases import NothingDue
from taskwire.redis.connection import Connections
from taskwire.state.audit_chain import BrokenChain
from tests.queue.engine import NOON_MS, Engine

from .test_audit import acts, rewrite, rows, tasks, trail_of

HIGHEST_ID = "18446744073709551615-1"
NOTHING_FOLLOWS = "it and what follows is missing"


@pytest.fixture
def engine(shared_store: Connections) -> Engine:
    """Return queues on a real Valkey, because scripts on fakeredis have no hash function."""
    return Engine(shared_store)


async def call(engine: Engine, *words: str | int | bytes) -> object:
    """Send a command to Redis, as a person does who has the password of Taskwire's user."""
    return await engine.connections.commands.execute_command(*words)  # type: ignore[no-untyped-call] # untyped


async def ids(engine: Engine) -> list[bytes]:
    """List the ids of the rows, which may be no text."""
    asked = engine.connections.commands.execute_command(  # type: ignore[no-untyped-call] # untyped
        "XRANGE", key(engine), "-", "+", **{NEVER_DECODE: True}
    )
    return [row_id for row_id, _ in cast("list[tuple[bytes, object]]", await asked)]


def key(engine: Engine) -> str:
    return engine.keys.named("audit")


async def test_an_entry_that_redis_refuses_is_missed_and_stops_nothing(engine: Engine) -> None:
    """Somebody writes a row with the highest id and removes it. Redis then refuses every entry.

    The act goes on, its entry has a number and a hash for the log, and the chain shows the gap. This stays so
    after the stream was made anew and the number was set back.
    """
    trail = trail_of(engine)
    await acts(engine, 1, trail)
    await trail.seal()
    await call(engine, "XADD", key(engine), HIGHEST_ID, "entry", "x")
    await call(engine, "XDEL", key(engine), HIGHEST_ID)
    await engine.append("a")
    entry = AuditEntry(person="U1", verb="stop", outcome="done", reference="r")

    written = await engine.queues.complete(await engine.takes(), "done", trail.add_to(Batch(), entry))
    trouble = await trail.find_trouble()
    await trail.seal()
    await rewrite(engine, await rows(engine))
    await call(engine, "HSET", f"{key(engine)}:head", "number", 1)
    await acts(engine, 1, trail)

    assert (written.number, len(written.hash)) == (2, 40)
    assert written.trouble == "ERR Invalid stream ID specified as stream command argument"
    assert trouble == "Its newest entry is missing: Redis has refused it, or somebody has removed it."
    assert isinstance(await engine.queues.acquire(), NothingDue)
    assert await trail.find_break() == BrokenChain(2, NOTHING_FOLLOWS)
    assert await trail.find_trouble() == f"It breaks at entry 2: {NOTHING_FOLLOWS}."


async def test_a_row_in_the_future_that_is_gone_again_stops_no_entry(engine: Engine) -> None:
    """Somebody writes a row with an id of tomorrow and removes it. The next entry is written all the same."""
    await acts(engine, 1)
    await call(engine, "XADD", key(engine), f"{NOON_MS + 3_600_000}-7", "entry", "x")
    await call(engine, "XDEL", key(engine), f"{NOON_MS + 3_600_000}-7")

    await acts(engine, 1)

    assert await tasks(trail_of(engine)) == ["t1", "t1"]
    assert await trail_of(engine).find_break() is None


async def test_a_time_that_cannot_be_is_a_break(engine: Engine) -> None:
    """A row of the far future gives later entries a wrong time. The check says so, with the row gone."""
    trail = trail_of(engine)
    await acts(engine, 1, trail)
    await call(engine, "XADD", key(engine), "9999999999999-1", "entry", "x")
    await acts(engine, 1, trail)
    await call(engine, "XDEL", key(engine), "9999999999999-1")

    await trail.seal()

    assert await trail.find_break() == BrokenChain(2, "its time is in the future")


async def test_old_entries_cannot_be_removed_behind_a_row_that_is_no_text(engine: Engine) -> None:
    """Somebody writes a row that is not UTF-8, waits, and removes it with the acts after it. Sealing went on
    meanwhile, so the break stays known."""
    trail = trail_of(engine)
    await acts(engine, 1, trail)
    await trail.seal()
    head = await call(engine, "HMGET", f"{key(engine)}:head", "number", "hash")
    await call(engine, "XADD", key(engine), "*", "entry", b"\xff", "hash", "x")
    await acts(engine, 2, trail)
    await trail.seal()
    for row_id in (await ids(engine))[1:]:
        await call(engine, "XDEL", key(engine), row_id)
    assert isinstance(head, list)
    await call(engine, "HSET", f"{key(engine)}:head", "number", head[0], "hash", head[1])

    await trail.seal()

    assert await trail.find_break() == BrokenChain(2, "it is missing")


@pytest.mark.parametrize(
    "row",
    [
        ("*", "entry", b"\xff", "hash", "x"),
        ("*", "entry", "{}", "hash", b"\xff"),
        ("*", b"\xff", b"\xff"),
        ("*", "entry", '{"person":1}', "hash", "x"),
        ("18446744073709551615-3", "entry", "x", "hash", "x"),
        ("1899999999999-18446744073709551615", "entry", "x", "hash", "x"),
    ],
)
async def test_a_row_that_is_no_entry_is_shown_and_breaks_the_chain(
    engine: Engine, row: tuple[str | bytes, ...]
) -> None:
    """Whatever somebody writes into the trail, reading it ends in no error: the row is an entry that is not
    readable, whatever is asked for, and no entry is trimmed because of it."""
    trail = trail_of(engine)
    await acts(engine, 2, trail)

    await call(engine, "XADD", key(engine), *row)
    await trail.seal()
    shown = [each async for each in trail.read(AuditFilter(person="U1", task="t1"))]
    newest = await trail.list_newest(AuditFilter(), 1)

    assert [each.trouble for each in shown] == ["", "not readable, written by somebody"]
    assert json.loads(newest[0].to_json())["trouble"] == "not readable, written by somebody"
    assert await call(engine, "XLEN", key(engine)) == 3
    broken = await trail.find_break()
    assert broken is not None
    assert broken.number == 3


async def test_another_value_in_place_of_the_trail_stops_no_act(engine: Engine) -> None:
    """Somebody replaces the head or the stream with a string. Acts and seals go on, and the check says it."""
    trail = trail_of(engine)
    await acts(engine, 2, trail)
    await trail.seal()
    await call(engine, "SET", f"{key(engine)}:head", "x")
    await trail.seal()
    await acts(engine, 1, trail)
    without_head = await trail.find_break()
    await call(engine, "SET", key(engine), "x")

    entry = AuditEntry(person="U1", verb="stop", outcome="done", reference="r")
    written = await engine.queues.write(trail.add_to(Batch(), entry))
    await trail.seal()

    assert without_head == BrokenChain(3, "it is missing")
    assert written.trouble.startswith("WRONGTYPE")
    assert await trail.find_break() is not None
    assert [each async for each in trail.read(AuditFilter())] == []


@pytest.mark.parametrize("number", ["nan", "-5", "1e300", "inf", b"\xff", "9007199254740993"])
async def test_a_head_that_is_nonsense_stops_no_act(engine: Engine, number: str | bytes) -> None:
    """Somebody writes nonsense into the head and the seal. The next entry is written. The check says it."""
    trail = trail_of(engine)
    await acts(engine, 2, trail)
    await trail.seal()
    await call(engine, "HSET", f"{key(engine)}:head", "number", number, "hash", b"\xff", "seal", b"\xff")

    entry = AuditEntry(person="U1", verb="stop", outcome="done", reference="r")
    written = await engine.queues.write(trail.add_to(Batch(), entry))
    await trail.seal()

    assert (written.number, written.trouble) == (1, "")
    assert await trail.find_break() == BrokenChain(3, "its seal was changed")


async def test_numbers_that_are_used_again_are_told_in_the_log(engine: Engine) -> None:
    """Somebody removes each entry before it is sealed. The process knows the numbers of its own entries, so
    the next act shows it."""
    trail = trail_of(engine)
    await acts(engine, 1, trail)
    sealed, head = await rows(engine), await call(engine, "HGET", f"{key(engine)}:head", "hash")
    entry = AuditEntry(person="U1", verb="stop", outcome="done", reference="r")
    assert isinstance(head, str)

    with capture_logs() as logs:
        trail.note_written(await engine.queues.write(trail.add_to(Batch(), entry)))
        await rewrite(engine, sealed)
        await call(engine, "HSET", f"{key(engine)}:head", "number", 1, "hash", head)
        trail.note_written(await engine.queues.write(trail.add_to(Batch(), entry)))

    [told] = [each for each in logs if each["log_level"] == "warning"]
    assert told["event"] == "entries of the audit trail are gone, their numbers are used again"
    assert told["number"] == 2
    assert await trail.find_break() is None
