"""A snapshot restores the exact contents that were kept, in the same objects."""

import asyncio
import random
from collections import deque
from pathlib import Path

import pytest
from redis.asyncio import Redis

from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox

from .actors import Actor
from .clock import SharedClock
from .environment import Environment
from .snapshot import ObjectSnapshot, StoreSnapshot

MINUTE_MS = 60_000


def test_containers_and_sources_of_chance_are_restored_in_place() -> None:
    """After a restore, lists, dicts, sets and random generators have their old contents and are the same
    objects, at any depth."""
    inner, names, waiting = {"a": [1, 2]}, {"x"}, deque([1])
    chance = random.Random(1)  # noqa: S311 - repeatable on purpose
    kept = ObjectSnapshot((inner, names, waiting, chance))
    first = chance.random()
    numbers = inner["a"]

    inner["a"] = [9]
    inner["b"] = []
    numbers.append(3)
    names.clear()
    waiting.append(2)
    kept.restore()

    assert (inner, names, waiting) == ({"a": [1, 2]}, {"x"}, deque([1]))
    assert inner["a"] is numbers
    assert chance.random() == first


async def test_the_stand_ins_and_an_actor_are_restored() -> None:
    """After a restore, a message, a deleted task and an actor's progress are as they were at the snapshot."""
    async with SlackSandbox() as slack, CoderSandbox() as coder:
        slack.add_user("alice")
        slack.add_channel("shop", ["alice"])
        coder.add_user("alice")
        task = coder.add_task("alice", "fix it")
        actor = Actor(0, "alice", "U1", "C1", task=task)
        kept = ObjectSnapshot(slack.backend.workspace, coder.deployment, actor)

        await slack.post("alice", "shop", "hello")
        task.delete()
        actor.begin(None)
        kept.restore()

        assert slack.messages("shop") == []
        assert [each.id for each in coder.tasks] == [task.id]
        assert not task.is_deleted
        assert (actor.run_number, actor.is_going, actor.is_waiting) == (0, False, True)


def test_what_waits_in_this_process_is_not_kept() -> None:
    """If an object has an event, a snapshot of the object is refused. If the event were replaced, a task that
    waits for it would wait for ever."""
    actor = Actor(0, "alice", "U1", "C1", seen=asyncio.Event())

    with pytest.raises(AssertionError, match=r"Actor belongs to the process, because of \['seen'\]"):
        ObjectSnapshot(actor)


async def test_keys_are_restored_with_the_time_they_have_left(environment: Environment) -> None:
    """After a restore, a new key is gone, a changed key has its old value, and a key without an expiry still
    has none."""
    async with environment.database() as (_, store, store_as_it_is):
        await _fill(store)
        kept = StoreSnapshot(store_as_it_is)
        await kept.take()

        await store.set("endless", "changed")
        await store.persist("short")
        await store.set("new", "1")
        await kept.restore()

        assert sorted(await store.keys()) == ["endless", "short"]
        assert await store.get("endless") == "1"
        assert await store.ttl("endless") == -1
        assert 0 < await store.pttl("short") <= MINUTE_MS


async def _fill(store: "Redis") -> None:
    await store.set("endless", "1")
    await store.set("short", "1", px=MINUTE_MS)


def test_the_clock_goes_back(tmp_path: Path) -> None:
    """After a restore, the clock shows the time of the snapshot and runs on from there."""
    clock = SharedClock(tmp_path / "clock")
    kept = clock.now_ms

    clock.move_to(kept + MINUTE_MS)
    moved = clock.now_ms
    clock.go_back_to(kept)

    assert kept <= clock.now_ms < moved
