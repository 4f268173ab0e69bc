"""The proof: a flow is gone through to find its points, then once for each way in which one can fail.

Where the bot dies with a call in doubt, the bot that recovers from it dies too: its points are found in the
same way, by letting it recover, and then it is killed at each of them.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from .deployment import Deployment, new_deployment
from .environment import Environment
from .flow_run import FlowRun
from .flows.flow import Flow
from .points import Aim, Kind, Point, is_outside
from .rounds import ALONE, TOGETHER, Round, rounds_of
from .traces import Way, first_deaths, of_unknown_outcome, up_to

PATIENT_SECONDS = 15.0
HASTY_SECONDS = 1.0
# A point may not come when others go at the same time; then it is tried again.
TRIES = 3
# So often a flow is run to find its points, after a first time that is not like those that follow.
REHEARSALS = 3
RECOVERIES = 2


@dataclass
class Tally:
    """What was found and tried of one flow."""

    flow: str
    points: list[Point] = field(default_factory=list)
    # Of the points, how many have come each time.
    sure: int = 0
    # What was tried, and what was not because it is the same.
    tried: int = 0
    same: int = 0
    # Of what was tried, how often the recovering bot died too, by the call that was in doubt.
    again: Counter[str] = field(default_factory=Counter)
    doubtful: set[str] = field(default_factory=set)
    missed: list[Aim] = field(default_factory=list)
    # What was not met either, at points that do not come each time.
    unsure_missed: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        outside = sum(map(is_outside, self.points))
        return (
            f"{self.flow}: {len(self.points)} points ({self.sure} each time, {outside} outside), "
            f"{self.tried + self.same} ways to go wrong: {self.tried} tried, {self.same} same as another, "
            f"{self.again.total()} second deaths; {self.unsure_missed} unsure and never hit; "
            f"{self.seconds:.0f} s"
        )


def shortfalls(flow: type[Flow], tally: Tally) -> list[str]:
    """What a proof of this flow must have found and has not: it would prove little, and may not pass."""
    found = {point.call.kind for point in tally.points}
    short = [f"{kind.value} was not met" for kind in Kind if kind in flow.meets - found]
    # A flow that is made of another has points of its own.
    floor = vars(flow).get("floor", 0)
    if not floor:
        short.append("it says no floor")
    if len(tally.points) < floor:
        short.append(f"{len(tally.points)} points were found, and there were {floor}")
    short += [f"no second death was tried after {call}" for call in flow.dies_twice if not tally.again[call]]
    if not tally.tried:
        short.append("nothing was tried")
    return [f"{tally.flow}: {each}" for each in short]


class Proof:
    """One flow on one environment."""

    def __init__(self, flow: type[Flow], environment: Environment, directory: Path) -> None:
        self._flow = flow
        self._ground = environment
        self._directory = directory
        self._lives = 0
        self.tally = Tally(flow.__name__.lower())

    async def run(self) -> Tally:
        """Try everything; raises what does not hold, and before that what was not found."""
        began = time.monotonic()
        async with self._new_life(PATIENT_SECONDS) as deployment:
            flow_run, missed = await self._found(deployment)
            if self._flow.is_solitary:
                missed = [aim._replace(is_alone=True) for aim in missed]
            for _ in range(TRIES):
                missed = await self._perform(flow_run, rounds_of(missed))
        self.tally.missed = [aim for aim in missed if aim.is_sure]
        self.tally.unsure_missed = len(missed) - len(self.tally.missed)
        self.tally.seconds = time.monotonic() - began
        return self.tally

    async def find(self) -> Tally:
        """Find what there is to try, and try nothing; raises what was not found."""
        async with self._new_life(PATIENT_SECONDS) as deployment:
            await self._found(deployment)
        return self.tally

    async def _found(self, deployment: Deployment) -> tuple[FlowRun, list[Aim]]:
        flow_run = FlowRun(deployment, self._flow, TOGETHER + ALONE)
        way = await self._rehearse(flow_run)
        again = await self._recover(flow_run, way)
        aims = [*way.aims(), *again]
        self.tally.tried = len(aims)
        short = shortfalls(self._flow, self.tally)
        assert not short, "; ".join(short)
        return flow_run, aims

    async def _rehearse(self, flow_run: FlowRun) -> Way:
        await flow_run.rehearse()
        traces = [await flow_run.rehearse() for _ in range(REHEARSALS)]
        way = Way([up_to(trace, self._flow.last) for trace in traces])
        self.tally.points, self.tally.sure = way.points, len(way.sure)
        self.tally.same = way.ways - len(list(way.aims()))
        return way

    async def _recover(self, flow_run: FlowRun, way: Way) -> list[Aim]:
        """Find what recovers from a death with a call in doubt, where that is this flow's to prove."""
        again: list[Aim] = []
        for point, turn in of_unknown_outcome(way.points):
            call = point.call.name
            self.tally.doubtful.add(call)
            for death in first_deaths(point) if call in self._flow.dies_twice else ():
                traces = [await flow_run.rehearse(death) for _ in range(RECOVERIES)]
                found = list(Way(traces).deaths_again(death, turn))
                self.tally.again[call] += len(found)
                again += found
        return again

    async def _perform(self, flow_run: FlowRun, rounds: Sequence[Round]) -> list[Aim]:
        """Perform rounds; those that have to wait in real time have a deployment of their own."""
        quick = [each for each in rounds if not each.is_slow]
        slow = [each for each in rounds if each.is_slow]
        missed = await asyncio.gather(_work(flow_run, quick), self._live(slow))
        return [aim for each in missed for aim in each]

    async def _live(self, rounds: Sequence[Round]) -> list[Aim]:
        if not rounds:
            return []
        async with self._new_life(HASTY_SECONDS) as deployment:
            return await _work(FlowRun(deployment, self._flow, TOGETHER + ALONE), rounds)

    def _new_life(self, timeout_seconds: float) -> AbstractAsyncContextManager[Deployment]:
        self._lives += 1
        place = self._directory / f"deployment-{self._lives}"
        return new_deployment(self._ground, place, timeout_seconds, self._flow.settle_seconds)


async def _work(flow_run: FlowRun, rounds: Sequence[Round]) -> list[Aim]:
    return [aim for each in rounds for aim in await flow_run.perform(each)]
