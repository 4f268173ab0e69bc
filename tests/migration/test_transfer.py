"""A store is moved completely or not at all, between real servers, however often the move is interrupted."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from redis.exceptions import RedisError, ResponseError

from taskwire.cancelling import cancel_and_wait
from taskwire.domain.errors import TryLater, UserError
from taskwire.domain.ids import ChannelId, LinkId, ThreadRef, Ts
from taskwire.domain.queueing.queues import to_coder
from taskwire.migration import transfer
from taskwire.migration.side import ITEMS_PER_CALL, Side
from taskwire.queue import fence
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import Inbox
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import ServerClock
from taskwire.state.notes import Notes
from taskwire.state.owner import Owner, Ownership
from tests.faults.proxy import FaultProxy
from tests.queue.engine import LIST, job

from .conftest import Places

US, OTHERS = (Owner(app, "d-1", "https://coder.example.com") for app in ("U0BOT", "U0OTHER"))
THREAD = ThreadRef(ChannelId("C1"), Ts("1.000000"))


async def _fill(side: Side) -> None:
    """Fill a store with waiting jobs, an open thread, expiring keys, long values, and a value that is no
    text."""
    redis, keys = side.connections.commands, side.keys
    await Ownership(side.connections, keys, ServerClock()).claim(US)
    await Queues(side.connections, keys, ServerClock()).write(Batch().append(LIST, job("a"), delay_ms=60_000))
    batch = Batch().append(to_coder("@"), job("b"), claimed_in=THREAD)
    batch.write("HSET", keys.link(LinkId("@")), "x", "y")
    await Inbox(side.connections, keys, ServerClock()).claim_in_thread("C1:2.0", THREAD, batch, is_ours=True)
    await redis.hset(keys.named("links"), "task-1", "L1")
    await redis.set(keys.named("claim", "event", "Ev1"), "1", px=3_600_000)
    await redis.zadd(keys.named("timers"), {"L1": 1_764_072_000_123, "L2": 0.1, "L3": -1.5e300})
    long = {f"field-{number}": f"words {number}" for number in range(2 * ITEMS_PER_CALL + 1)}
    await redis.hset(keys.named("link", "long"), items=[word for pair in long.items() for word in pair])
    await redis.zadd(keys.named("queue", "long", "order"), {each: at for at, each in enumerate(long)})
    await redis.rpush(keys.named("parked", "long"), *long.values())
    await side.raw.set(keys.named("odd"), b"\xff\x00 no text")
    await redis.sadd(keys.named("a-set"), "one", "two")
    await redis.xadd(keys.named("audit"), {"entry": "1", "hash": "a"}, id="1764072000000-1")


async def _holds(side: Side, of: bytes | None = None) -> dict[bytes, tuple[str, bool, tuple[bytes, ...]]]:
    """Return each key's type, whether it expires, and its items, with `of` in place of its prefix."""
    found = await side.read(sorted(await side.list_keys()))
    return {
        name: (value.kind, value.ttl_ms > 0, value.with_prefix(side.prefix, of or side.prefix).items)
        for name, value in found.items()
    }


async def _moves(source: Side, target: Side, *, replaces: bool = False) -> transfer.Moved | None:
    return await transfer.Transfer(source, target, US, lambda _: None).move(replaces=replaces)


async def _states(*sides: Side) -> list[str]:
    fences = [await fence.find(side.connections, side.keys) for side in sides]
    return [each.state if each else "" for each in fences]


@pytest.mark.parametrize("way", ["to Redis", "from Redis", "to another prefix"])
async def test_all_of_it_is_moved(places: Places, way: str) -> None:
    """A move keeps types, order, scores and times to live, opens the new store and closes the old one."""
    urls = {"to Redis": (places.own, places.redis), "from Redis": (places.redis, places.own)}
    here, there = urls.get(way, (places.redis, places.redis))
    source = await places.side(here)
    target = await places.side(there, "staging" if way == "to another prefix" else "tw")
    await _fill(source)
    before = await _holds(source, target.prefix)

    moved = await _moves(source, target)

    assert (moved, await _states(source, target)) == (transfer.Moved(len(before), 1), ["left", ""])
    assert await _holds(target) == before
    assert await _holds(source, target.prefix) == before


async def test_work_goes_on_where_it_was_moved_to(places: Places) -> None:
    """After a move, even to another prefix, a message that was parked for a thread reaches its link."""
    source, target = await places.side(places.own), await places.side(places.redis, "staging")
    await _fill(source)
    await _moves(source, target)
    queues = Queues(target.connections, target.keys, ServerClock())

    await queues.write(Batch().adopt(target.keys.named("parked", "C1:1.000000"), LinkId("L9")))

    taken = await queues.acquire()
    assert (taken.name, taken.job_id) == ("to_coder:L9", "b")  # type: ignore[union-attr] # a turn, or this fails
    assert await target.connections.commands.hget(target.keys.link(LinkId("L9")), "x") == "y"
    assert queues.data_loss_detector.last is None
    assert await target.connections.commands.exists(target.keys.named("data_loss")) == 0


async def test_a_process_that_slept_through_a_move_writes_nothing_to_the_old_store(places: Places) -> None:
    """A process that stood still during the whole move gets no job from the old store and writes nothing to
    it."""
    source, target = await places.side(places.own), await places.side(places.redis)
    await _fill(source)
    asleep = Queues(source.connections, source.keys, ServerClock())
    inbox = Inbox(source.connections, source.keys, ServerClock())
    await _moves(source, target)
    before = await _holds(source)

    with pytest.raises(ResponseError, match="ELSEWHERE"):
        await asleep.acquire()
    with pytest.raises(TryLater):
        await inbox.claim("command", "one", Batch().append(LIST, job("c")))
    with pytest.raises(ResponseError, match="ELSEWHERE"):
        await Notes(source.connections, source.keys).keep("1", "told")
    assert await _holds(source) == before


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("spelling", ["localhost", "without a database", "its socket"])
async def test_one_store_in_two_spellings_is_one_store(
    places: Places, spelling: str, *, replaces: bool
) -> None:
    """If source and target are two URLs of one store, the move is refused. It would delete the store."""
    same = {
        "localhost": (places.redis, places.redis.replace("127.0.0.1", "localhost")),
        "without a database": (places.redis, places.redis.removesuffix("/0")),
        "its socket": (places.own, f"{places.own}?db=0"),
    }
    source, target = [await places.side(url) for url in same[spelling]]
    await _fill(source)

    said = await _refused(source, target, replaces=replaces)

    assert said.startswith("--from names the store that the settings name too. Set REDIS_URL ")
    assert await _states(source) == [""]


async def test_another_database_is_another_store(places: Places) -> None:
    """A store can move to another database of its server. The old store's fence names this database."""
    source, target = await places.side(places.redis), await places.side(places.redis.removesuffix("0") + "1")
    await _fill(source)
    before = await _holds(source)

    await _moves(source, target)

    left = await fence.find(source.connections, source.keys)
    assert await _holds(target) == before
    assert left is not None and left.other == target.where == f"{source.where}/1"  # noqa: PT018 - for the types


class _Dying(FaultProxy):
    """A proxy that resets connections from request `dies_at` on. All proxies count requests together."""

    passed = 0
    dies_at = 0

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            _Dying.passed += 1
            if _Dying.passed >= _Dying.dies_at:
                raise ConnectionResetError
            writer.write(chunk)
            await writer.drain()


async def test_a_move_that_is_broken_off_anywhere_goes_on(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move can be interrupted at any request and continued later. The old and the new store are never open
    at the same time."""
    monkeypatch.setattr(transfer, "KEYS_PER_CALL", 4)
    proxies = [_Dying(places.own), _Dying(places.redis)]
    for each in proxies:
        await each.start()
        places.stack.push_async_callback(each.stop)
    server = places.redis.rpartition(":")[0]
    urls = (f"redis://127.0.0.1:{proxies[0].port}", f"{server}:{proxies[1].port}/0")
    broken_off = 0
    for at in range(1, 1_000):
        source = await places.side(places.own, f"at{at}")
        target = await places.side(places.redis, f"at{at}")
        await _fill(source)
        before = await _holds(source)
        _Dying.passed, _Dying.dies_at = 0, at
        async with contextlib.AsyncExitStack() as stack:
            through = Places(stack, *urls)
            sides = [await through.side(url, f"at{at}") for url in urls]
            try:
                await _moves(*sides)
                break
            except (RedisError, OSError):
                broken_off += 1
        states, names = await _states(source, target), await target.list_keys()
        reached = (["", ""], ["", "arriving"], ["leaving", "arriving"], ["left", "arriving"], ["left", ""])
        assert states in reached
        assert states != ["", ""] or names == set()

        await _moves(source, target)

        assert (await _states(source, target), await _holds(target)) == (["left", ""], before)
    assert broken_off > 20


class _Overtaken(transfer.Transfer):
    async def _begin(self, *, replaces: bool) -> bool:
        has_begun = await super()._begin(replaces=replaces)
        await _moves(self._source, self._target)
        await self._target.connections.commands.set(self._target.keys.named("odd"), "newer")
        return has_begun


async def test_another_run_takes_over(places: Places) -> None:
    """A slow run of a move notices that another run has finished the move, and writes nothing more."""
    source, target = await places.side(places.own), await places.side(places.redis)
    await _fill(source)

    with pytest.raises(UserError, match="Wait for the other run to end"):
        await _Overtaken(source, target, US, lambda _: None).move()

    assert await target.connections.commands.get(target.keys.named("odd")) == "newer"


class _StandingStill(FaultProxy):
    """A proxy that runs `meanwhile` before request `stands_at`. All proxies count requests together."""

    passed = 0
    stands_at = 0
    meanwhile: Callable[[], Awaitable[None]]

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(65536):
            _StandingStill.passed += 1
            if _StandingStill.passed == _StandingStill.stands_at:
                await _StandingStill.meanwhile()
            writer.write(chunk)
            await writer.drain()


async def _stands_still(
    places: Places, prefix: str, meanwhile: Callable[[Side, Side], Awaitable[None]]
) -> tuple[Side, Side, bool]:
    """Let a move stand still while `meanwhile` runs. Return source, target, and whether it succeeded."""
    source, target = await places.side(places.own, prefix), await places.side(places.redis, prefix)
    await _fill(source)
    server = places.redis.rpartition(":")[0]
    _StandingStill.passed = 0
    _StandingStill.meanwhile = lambda: meanwhile(source, target)
    async with contextlib.AsyncExitStack() as stack:
        proxies = [_StandingStill(places.own), _StandingStill(places.redis)]
        for each in proxies:
            await each.start()
            stack.push_async_callback(each.stop)
        urls = (f"redis://127.0.0.1:{proxies[0].port}", f"{server}:{proxies[1].port}/0")
        through = Places(stack, *urls)
        slow = [await through.side(url, prefix) for url in urls]
        try:
            await _moves(*slow)
        except (RedisError, UserError):
            return source, target, False
    return source, target, True


async def _works(side: Side) -> None:
    """Do what a running Taskwire does with a store: acquire a lease, and write a key."""
    await Queues(side.connections, side.keys, ServerClock()).acquire()
    await side.connections.commands.set(side.keys.named("notes", "works"), "newer")


async def test_a_run_that_stood_still_anywhere_spoils_nothing(places: Places) -> None:
    """While one run of a move stands still, another run finishes the move, and a Taskwire uses the new store.
    When the first run continues, it changes nothing in either store."""

    async def ends(source: Side, target: Side) -> None:
        if await _states(source, target) != ["left", ""]:
            await _moves(source, target)
        await _works(target)

    for at in range(1, 1_000):
        _StandingStill.stands_at = at
        source, target, _ = await _stands_still(places, f"at{at}", ends)
        if _StandingStill.passed < at:
            break

        await fence.require_open(target.connections, target.keys)
        assert await _states(source, target) == ["left", ""], at
        assert await target.connections.commands.get(target.keys.named("notes", "works")) == "newer", at
    assert at > 20


async def test_a_run_that_stood_still_leaves_a_store_open_that_was_opened_again(places: Places) -> None:
    """If the operator reopens the old store while a run stands still, the run leaves this store open."""

    async def thinks_better(source: Side, _: Side) -> None:
        if await _states(source) == ["leaving"]:
            await transfer.reopen(source)
            await _works(source)

    opened = 0
    for at in range(1, 1_000):
        _StandingStill.stands_at = at
        source, target, is_well = await _stands_still(places, f"at{at}", thinks_better)
        if _StandingStill.passed < at:
            break
        if await source.connections.commands.get(source.keys.named("notes", "works")) != "newer":
            continue
        opened += 1
        assert not is_well, at
        assert (await _states(source, target))[0] == "", at
        assert (await _states(target)) != [""] or not await target.list_keys(), at
    assert opened > 10


async def test_what_is_left_of_a_fence_keeps_nobody_out_for_good(places: Places) -> None:
    """An incomplete fence keeps processes out of a store. `reopen` removes this fence."""
    side = await places.side(places.redis)
    await _fill(side)
    await side.connections.commands.hset(fence.key(side.keys), "run", "1")

    with pytest.raises(UserError) as refused:
        await fence.require_open(side.connections, side.keys)
    await transfer.reopen(side)

    assert str(refused.value).startswith(
        f"A move of the store at {side.where} to ? began on an unknown day and has not ended."
    )
    await fence.require_open(side.connections, side.keys)


async def test_a_move_that_has_ended_is_not_made_again(places: Places) -> None:
    """If a move has finished and only its last answer was lost, it is not made again. Newer data stays."""
    source, target = await places.side(places.own), await places.side(places.redis)
    await _fill(source)
    await _moves(source, target)
    await _works(target)
    now = await _holds(target)

    assert await _moves(source, target, replaces=True) is None

    assert (await _states(source, target), await _holds(target)) == (["left", ""], now)


async def test_it_goes_back_the_same_way(places: Places) -> None:
    """A move back to the old store replaces the copy that was left there."""
    here, there = await places.side(places.own), await places.side(places.redis)
    await _fill(here)
    await _moves(here, there)
    await there.connections.commands.set(there.keys.named("notes", "new"), "1")
    await there.connections.commands.delete(there.keys.named("a-set"))
    new = await _holds(there)

    await _moves(there, here)

    assert (await _states(here, there), await _holds(here)) == (["", "left"], new)


async def _refused(source: Side, target: Side, *, replaces: bool = False) -> str:
    """Return the reason why a move is refused. Check that the refused move changed nothing."""
    before = [await _holds(side) for side in (source, target)], await _states(source, target)
    with pytest.raises(UserError) as caught:
        await _moves(source, target, replaces=replaces)
    assert ([await _holds(side) for side in (source, target)], await _states(source, target)) == before
    return str(caught.value)


async def test_what_is_in_use_is_not_overwritten(places: Places) -> None:
    """A move overwrites another store of this installation only with --replace."""
    source, target = await places.side(places.own), await places.side(places.redis)
    await _fill(source)
    await Ownership(target.connections, target.keys, ServerClock()).claim(US)

    said = await _refused(source, target)
    await _moves(source, target, replaces=True)

    assert said == (
        f"The store at {target.where} is not empty: it has 0 open threads. Nothing is merged. Take another "
        "database or TASKWIRE_KEY_PREFIX, or add --replace to drop what is there."
    )
    assert await _holds(target) == await _holds(source)


@pytest.mark.parametrize("owner", [OTHERS, Owner("U0BOT", "d-2", "https://staging.example.com")])
async def test_somebody_elses_is_never_touched(places: Places, owner: Owner) -> None:
    """If a store belongs to another Slack app or Coder, it can be neither source nor target of a move."""
    source, target = await places.side(places.own), await places.side(places.redis)
    await _fill(source)
    await Ownership(target.connections, target.keys, ServerClock()).claim(owner)

    said = await _refused(source, target, replaces=True)

    assert said.startswith(f"The store at {target.where} belongs to a Taskwire for ")
    if owner is OTHERS:
        assert (await _refused(target, source, replaces=True)).startswith(
            f"The store at {target.where} belongs"
        )


async def test_a_store_at_which_somebody_works_is_refused(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move refuses a store in use. Each process notes every few seconds that it uses its store."""
    monkeypatch.setattr(transfer, "IDLE_MS", 1_500)
    source = await places.side(places.redis, is_exclusive=False)
    target = await places.side(places.own)
    await _fill(source)
    redis, noted = source.connections.commands, source.keys.named("server")

    async def works() -> None:
        while True:
            seconds, microseconds = await redis.time()
            await redis.hset(noted, "at", seconds * 1000 + microseconds // 1000)
            await asyncio.sleep(0.1)

    working = asyncio.create_task(works())
    try:
        said = await _refused(source, target)
    finally:
        await cancel_and_wait(working)
    await _moves(source, target)

    hint = "Stop all that use it, then run this again."
    assert said == f"A Taskwire works on the store at {source.where}. {hint}"
    assert await _states(source, target) == ["left", ""]


async def test_a_move_elsewhere_is_not_begun_before_the_first_has_ended(places: Places) -> None:
    """After an interrupted move, a move to another target is refused. It would leave two partial copies."""
    source, target = await places.side(places.own), await places.side(places.redis)
    elsewhere = await places.side(places.redis, "elsewhere")
    await _fill(source)
    await transfer.Transfer(source, target, US, lambda _: None)._begin(replaces=False)  # noqa: SLF001 - broken off there

    elsewhere = replace(elsewhere, where="redis://elsewhere", is_exclusive=True)
    said = await _refused(source, elsewhere)

    assert said.startswith(f"A move of the store at {source.where} to {target.where} began on 20")
    assert said.endswith("To stay here, run `taskwire store reopen`.")


async def test_what_was_left_can_be_gone_on_with(places: Places) -> None:
    """After a move, an operator can reopen the old store. Taskwire treats this as data loss: before each
    first try of a job, it looks for an earlier effect of the job."""
    source, target = await places.side(places.own), await places.side(places.redis)
    await _fill(source)
    queues = Queues(source.connections, source.keys, ServerClock())
    await queues.acquire()
    await _moves(source, target)

    said = [await transfer.reopen(source), await transfer.reopen(source)]

    assert [each and each.state for each in said] == ["left", None]
    await queues.acquire()
    assert await source.connections.commands.exists(source.keys.named("data_loss")) == 1


async def test_a_part_is_not_gone_on_with(places: Places) -> None:
    """If a move has left an incomplete copy of a store, the copy cannot be reopened."""
    source, target = await places.side(places.own), await places.side(places.redis)
    await _fill(source)
    await transfer.Transfer(source, target, US, lambda _: None)._begin(replaces=False)  # noqa: SLF001 - broken off there

    with pytest.raises(UserError, match="is not whole"):
        await transfer.reopen(target)
    await transfer.reopen(source)

    assert await _states(source, target) == ["", "arriving"]


async def test_nothing_is_no_store(places: Places) -> None:
    """If the source of a move is empty, the move is refused. The URL or the prefix may be wrong."""
    source, target = await places.side(places.own, "typo"), await places.side(places.redis)

    assert await _refused(source, target) == (
        f"There is nothing at {source.where} under the key prefix typo. Look at --from and --from-prefix."
    )
