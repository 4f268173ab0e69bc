"""If the retention time in the settings gets shorter, this also applies to data that is already stored."""

import pytest

from taskwire.domain.durations import DAY_MS, HOUR_MS
from taskwire.domain.ids import LinkId, Ts
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.state.link_writes import LinkWrites
from taskwire.state.retention import KEYS_PER_LOOK, KeptTimes, Retention
from tests.queue.engine import Engine

MADE = Ts("1764072000.000000")


@pytest.fixture
def engine(shared_store: Connections) -> Engine:
    """Return queues on a real Valkey, because fakeredis lists keys in a different way."""
    return Engine(shared_store)


def retention(engine: Engine, ended_days: int = 30, excerpt_days: int = 7) -> Retention:
    kept = KeptTimes(ended_days * DAY_MS, excerpt_days * DAY_MS)
    return Retention(engine.connections, engine.keys, engine.clock, kept)


async def days_left(engine: Engine, *parts: str) -> float | None:
    """Return in how many days the key expires, or None if it does not expire."""
    left_ms = await engine.connections.commands.pttl(engine.keys.named(*parts))
    return None if left_ms == -1 else round(left_ms / DAY_MS, 1)


async def write_links(engine: Engine) -> None:
    """Write an open link and an ended link."""
    writes, batch = LinkWrites(engine.keys), Batch()
    for name in ("open", "over"):
        record = LinkRecord.model_validate(
            {
                "id": name,
                "channel": "C1",
                "made_at": MADE,
                "requested_by": "U1",
                "thread_ts": MADE,
                "name": name,
            }
        )
        writes.write_record(batch, record)
        writes.add_taken(batch, LinkId(name), MADE)
        if name == "over":
            writes.write_thread(batch, record)
            writes.end(batch, record, "detached")
    await engine.queues.write(batch)


async def test_a_shorter_time_holds_for_links_that_have_ended_already(engine: Engine) -> None:
    """If the retention time gets shorter, an ended link, its thread and its list of messages all expire after
    the shorter time. An open link stays."""
    await write_links(engine)
    before = await days_left(engine, "link", "over")

    await retention(engine, ended_days=3).look()

    ended = [("link", "over"), ("link", "over", "taken"), ("thread", f"C1:{MADE}")]
    assert before == 30
    assert [await days_left(engine, *parts) for parts in ended] == [3, 3, 3]
    assert await days_left(engine, "link", "open") is None
    assert await days_left(engine, "link", "open", "taken") == 400


async def test_what_was_shown_of_a_log_goes_earlier_too(engine: Engine) -> None:
    """If the retention time gets shorter, text that was shown from a log expires earlier too. Other notes
    keep their own times."""
    redis = engine.connections.commands
    for name in ("steps", "told"):
        await redis.set(engine.keys.named("notes", name, "L1", "a"), "sealed", px=7 * DAY_MS)

    await retention(engine, excerpt_days=1).look()

    assert await days_left(engine, "notes", "steps", "L1", "a") == 1
    assert await days_left(engine, "notes", "told", "L1", "a") == 7


async def test_a_longer_time_prolongs_nothing(engine: Engine) -> None:
    """If the retention time gets longer, links that have already ended do not live longer."""
    await write_links(engine)

    await retention(engine, ended_days=90).look()

    assert await days_left(engine, "link", "over") == 30


async def test_a_large_store_is_swept_in_parts_and_then_left_alone(engine: Engine) -> None:
    """A large store is searched in parts, so that no call takes long. The next search follows after an
    hour."""
    redis, count = engine.connections.commands, 2 * KEYS_PER_LOOK
    async with redis.pipeline(transaction=False) as pipe:
        for number in range(count):
            pipe.set(engine.keys.named("notes", "steps", str(number), "a"), "sealed", px=HOUR_MS * 48)
        await pipe.execute()
    sweep = retention(engine, excerpt_days=1)

    counts = []
    for _ in range(6):
        await sweep.look()
        left = [await days_left(engine, "notes", "steps", str(number), "a") for number in range(count)]
        counts.append(left.count(1.0))
    await redis.set(engine.keys.named("notes", "steps", "late", "a"), "sealed", px=HOUR_MS * 48)
    await sweep.look()

    assert 0 < counts[0] < count
    assert counts[-1] == count
    assert await days_left(engine, "notes", "steps", "late", "a") == 2
