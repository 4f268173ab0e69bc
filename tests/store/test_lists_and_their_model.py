"""The scripts do what the plain model does, whatever happens in whatever order."""

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

from taskwire.model.jobs import ListName
from taskwire.store import connection, embedded
from taskwire.store.connection import Connections
from taskwire.store.queue import Nothing, Passed, Turn, TurnLost, Verdict
from taskwire.store.steps import Step

from .engine import Engine
from .engine import job as a_job
from .model import IN_TURN, Model, Taken

T = TypeVar("T")
names = st.sampled_from(["tell:a", "steer:b", "show:c", "card:d"])
places = st.none() | st.integers(0, 9) | st.integers(IN_TURN, IN_TURN + 1)
jobs = st.sampled_from(["j1", "j2", "j3"])
delays = st.sampled_from([0, 0, 0, 5_000, 90_000])
verdicts = st.sampled_from(["done", "done", "later", "unknown"])
# The newest turn mostly; now and then somebody who was asleep.
turns = st.sampled_from([0, 0, 0, 0, 1, 2, 3])
_teams = itertools.count()


class Lists(RuleBasedStateMachine):
    """Everything that takers and writers may do to a few lists, also those who are late."""

    def __init__(self, runner: asyncio.Runner, connections: Connections) -> None:
        super().__init__()
        self._runner = runner
        self.engine = Engine(connections, f"T{next(_teams)}")
        self.model = Model()
        self.turns: list[tuple[Turn, Taken]] = []

    def does(self, call: Coroutine[Any, Any, T]) -> T:
        """Await a call."""
        return self._runner.run(call)

    @rule(name=names, job=jobs, score=places, delay=delays, is_newest=st.booleans())
    def append(self, name: str, job: str, score: int | None, delay: int, *, is_newest: bool) -> None:
        """Somebody wants something."""
        place = "next" if score is None else score
        append = self.engine.append(
            job, name=ListName(name), score=place, delay_ms=delay, is_newest=is_newest
        )
        self.does(append)
        self.model.append(name, job, score, delay, is_newest=is_newest)

    @rule(name=names, job=jobs)
    def redo(self, name: str, job: str) -> None:
        """Somebody wants it done from now on."""
        self.does(self.engine.queue.write(Step().redo(ListName(name), a_job(job))))
        self.model.redo(name, job)

    @precondition(lambda self: len(self.model.ready) > 1)
    @rule(name=names, job=jobs)
    def drop(self, name: str, job: str) -> None:
        """Somebody wants it no more."""
        self.does(self.engine.queue.write(Step().drop(ListName(name), job)))
        self.model.drop(name, job)

    @precondition(lambda self: self.model.ready)
    @rule(seconds=st.sampled_from([0.001, 1, 5, 10, 20, 61, 120]))
    def time_passes(self, seconds: float) -> None:
        """A little or a lot."""
        self.engine.passes(seconds)
        self.model.now = self.engine.clock.now_ms

    @precondition(lambda self: self.model.ready)
    @rule(is_alike=st.booleans())
    def take(self, *, is_alike: bool) -> None:
        """A worker has a free place."""
        taken = self.does(self.engine.queue.take(is_alike=is_alike))
        if isinstance(taken, Nothing):
            assert self.model.take("", is_alike=is_alike) is None
            return
        assert isinstance(taken, Turn)
        expected = self.model.take(taken.token, is_alike=is_alike)
        assert expected is not None
        seen = (taken.name, taken.job_id, taken.takes, taken.attempt is not None)
        assert seen == (expected.name, expected.job, expected.takes, expected.is_pinned)
        self.turns.append((taken, expected))

    @precondition(lambda self: self.turns)
    @rule(which=turns, seconds=st.sampled_from([1, 15, 60]))
    def begin(self, which: int, seconds: int) -> None:
        """A worker is about to call, perhaps one who has been asleep."""
        turn, mirror = self._turn(which)
        try:
            self.does(self.engine.queue.begin(turn, "note", seconds))
            answer = "begun"
        except TurnLost:
            answer = "lost"
        except Passed:
            answer = "passed"
        assert answer == self.model.begin(mirror, seconds * 1000)

    @precondition(lambda self: self.turns)
    @rule(which=turns, verdict=verdicts, delay=delays)
    def end(self, which: int, verdict: str, delay: int) -> None:
        """A worker has carried it out, or not, or is late."""
        turn, mirror = self._turn(which)
        try:
            self.does(self.engine.queue.end(turn, cast("Verdict", verdict), Step(), delay_ms=delay))
            answer = "ended"
        except TurnLost:
            answer = "lost"
        assert answer == self.model.end(mirror, verdict, delay)

    def _turn(self, which: int) -> tuple[Turn, Taken]:
        """One of the last turns, the newest first."""
        return self.turns[-1 - which % len(self.turns)]

    @invariant()
    def each_list_is_due_when_the_model_says(self) -> None:
        """And there is no other."""
        due = self.does(self.engine.due())
        assert due == {name: (at - self.model.now) / 1000 for name, at in self.model.ready.items()}

    @invariant()
    def each_list_holds_what_the_model_says(self) -> None:
        """In its order."""
        for name, held in self.model.lists.items():
            order = self.engine.connections.commands.zrange(
                self.engine.keys.named("list", name, "order"), 0, -1
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
def test_the_lists_do_what_their_model_does(kind: str, examples: int, tmp_path: Path) -> None:
    """Appends, drops, takings, beginnings and ends in any order, at any time, also by those who are late."""
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
