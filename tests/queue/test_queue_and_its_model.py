"""The Lua scripts of the queue do the same as the model in plain Python, for any events in any order."""

import asyncio
import contextlib
import itertools
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import fakeredis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from taskwire.domain.queueing.queues import QueueName
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Lease, LeaseLost, NothingDue, OutcomeKind, Overtaken
from taskwire.redis import connection, embedded
from taskwire.redis.connection import Connections

from .engine import Engine
from .engine import job as a_job
from .model import IN_TURN, Model, Taken

T = TypeVar("T")
names = st.sampled_from(["to_thread:a", "to_coder:b", "receipts:c", "card:d"])
places = st.none() | st.integers(0, 9) | st.integers(IN_TURN, IN_TURN + 1)
jobs = st.sampled_from(["j1", "j2", "j3"])
delays = st.sampled_from([0, 0, 0, 5_000, 90_000])
verdicts = st.sampled_from(["done", "done", "retry", "unknown"])
# The newest lease is 0 and is chosen most often. The others are leases of workers that stood still.
leases = st.sampled_from([0, 0, 0, 0, 1, 2, 3])
_teams = itertools.count()


class Lists(RuleBasedStateMachine):
    """The steps that the state machine test takes in any order, and the checks after each step.

    A step is what a worker or a writer may do to a few queues. Some workers use leases that they have lost.
    """

    def __init__(self, runner: asyncio.Runner, connections: Connections) -> None:
        super().__init__()
        self._runner = runner
        self.engine = Engine(connections, f"T{next(_teams)}")
        self.model = Model()
        self.leases: list[tuple[Lease, Taken]] = []

    def does(self, call: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and return its result."""
        return self._runner.run(call)

    @rule(name=names, job=jobs, score=places, delay=delays, is_newest=st.booleans())
    def append(self, name: str, job: str, score: int | None, delay: int, *, is_newest: bool) -> None:
        """Append a job, in the store and in the model."""
        place = "next" if score is None else score
        append = self.engine.append(
            job, name=QueueName(name), score=place, delay_ms=delay, is_newest=is_newest
        )
        self.does(append)
        self.model.append(name, job, score, delay, is_newest=is_newest)

    @rule(name=names, job=jobs)
    def redo(self, name: str, job: str) -> None:
        """Ask for one more run of a job, in the store and in the model."""
        self.does(self.engine.queues.write(Batch().redo(QueueName(name), a_job(job))))
        self.model.redo(name, job)

    @precondition(lambda self: len(self.model.ready) > 1)
    @rule(name=names, job=jobs)
    def drop(self, name: str, job: str) -> None:
        """Drop a job, in the store and in the model."""
        self.does(self.engine.queues.write(Batch().drop(QueueName(name), job)))
        self.model.drop(name, job)

    @precondition(lambda self: self.model.ready)
    @rule(seconds=st.sampled_from([0.001, 1, 5, 10, 20, 61, 120]))
    def time_passes(self, seconds: float) -> None:
        """Move the clock by a short or a long time."""
        self.engine.passes(seconds)
        self.model.now = self.engine.clock.now_ms

    @precondition(lambda self: self.model.ready)
    @rule(ignores_priority=st.booleans())
    def take(self, *, ignores_priority: bool) -> None:
        """Acquire a lease, as a worker with a free slot does. Check that the model gives the same lease."""
        taken = self.does(self.engine.queues.acquire(ignores_priority=ignores_priority))
        if isinstance(taken, NothingDue):
            assert self.model.take("", ignores_priority=ignores_priority) is None
            return
        assert isinstance(taken, Lease)
        expected = self.model.take(taken.token, ignores_priority=ignores_priority)
        assert expected is not None
        seen = (taken.name, taken.job_id, taken.acquisitions, taken.intent is not None)
        assert seen == (expected.name, expected.job, expected.takes, expected.is_pinned)
        self.leases.append((taken, expected))

    @precondition(lambda self: self.leases)
    @rule(which=leases, seconds=st.sampled_from([1, 15, 60]))
    def begin(self, which: int, seconds: int) -> None:
        """Begin an attempt, possibly with a lost lease. Check that the model gives the same answer."""
        lease, mirror = self._turn(which)
        try:
            self.does(self.engine.queues.begin(lease, "note", seconds))
            answer = "begun"
        except LeaseLost:
            answer = "lost"
        except Overtaken:
            answer = "passed"
        assert answer == self.model.begin(mirror, seconds * 1000)

    @precondition(lambda self: self.leases)
    @rule(which=leases, verdict=verdicts, delay=delays)
    def end(self, which: int, verdict: str, delay: int) -> None:
        """Complete a lease, possibly a lost one. Check that the model gives the same answer."""
        lease, mirror = self._turn(which)
        try:
            self.does(
                self.engine.queues.complete(lease, cast("OutcomeKind", verdict), Batch(), delay_ms=delay)
            )
            answer = "ended"
        except LeaseLost:
            answer = "lost"
        assert answer == self.model.end(mirror, verdict, delay)

    def _turn(self, which: int) -> tuple[Lease, Taken]:
        """Return one of the leases that the store and the model have given. 0 means the newest, 1 the one
        before it, and so on."""
        return self.leases[-1 - which % len(self.leases)]

    @invariant()
    def each_list_is_due_when_the_model_says(self) -> None:
        """Check that the same queues are due at the same times as in the model."""
        due = self.does(self.engine.due())
        assert due == {name: (at - self.model.now) / 1000 for name, at in self.model.ready.items()}

    @invariant()
    def each_list_holds_what_the_model_says(self) -> None:
        """Check that each queue has the same jobs in the same order as in the model."""
        for name, held in self.model.lists.items():
            order = self.engine.connections.commands.zrange(
                self.engine.keys.named("queue", name, "order"), 0, -1
            )
            expected = sorted(held.jobs, key=lambda job: (held.jobs[job].score, job))
            assert self.does(_awaited(order)) == expected


async def _awaited(answer: object) -> object:
    return await cast("Coroutine[Any, Any, object]", answer)


@contextlib.contextmanager
def _connected(runner: asyncio.Runner, kind: str, directory: Path) -> Iterator[Connections]:
    async def opened() -> Connections:
        if kind == "fakeredis":
            fake = fakeredis.FakeAsyncRedis(decode_responses=True)
            return await stack.enter_async_context(Connections(fake, fake, kind))
        running = await stack.enter_async_context(embedded.store(directory / "store"))
        return await stack.enter_async_context(connection.open(running.url))

    stack = contextlib.AsyncExitStack()
    try:
        yield runner.run(opened())
    finally:
        runner.run(stack.aclose())


@pytest.mark.parametrize(("kind", "examples"), [("valkey", 120), ("fakeredis", 25)])
def test_the_queues_do_what_their_model_does(kind: str, examples: int, tmp_path: Path) -> None:
    """Random steps are made in the store and in the model, some of them by late workers. After each step, the
    queues in Redis and in the model are in the same state."""
    with asyncio.Runner() as runner, _connected(runner, kind, tmp_path) as connections:

        class These(Lists):
            def __init__(self) -> None:
                super().__init__(runner, connections)

        run_state_machine_as_test(
            These,
            settings=settings(
                max_examples=examples,
                stateful_step_count=50,
                deadline=None,
                database=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
