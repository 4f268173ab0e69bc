"""The proof: rehearse a flow to find its points, then run the flow once for each fault of each point. A point
is one call to Redis, Slack or Coder.

If the bot is killed while the outcome of a call is unknown, the proof kills the recovering bot too. To find
the points of the recovery, the recovering bot first runs undisturbed. It is then killed at each of these
points.
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
from .points import Aim, Fault, Kind, Point, is_outside
from .rounds import ALONE, TOGETHER, Round, rounds_of
from .situations import Tried
from .traces import Rehearsals, find_unknown_outcomes, first_deaths, until_call

PATIENT_SECONDS = 15.0
HASTY_SECONDS = 1.0
# A point may not come while other actors run, or after other actors, because a process makes some calls only
# once. The proof then tries its aim again, up to this number of times. From `FIRST_APART` on, a try has a bot
# of its own. There are two of these, because a point may also depend on chance.
TRIES, FIRST_APART = 4, 3
# The number of rehearsals to find a flow's points. What depends on chance differs between rehearsals.
REHEARSALS = 3
RECOVERIES = 2


@dataclass
class Tally:
    """The numbers of points and faults that were found and tried for one flow."""

    flow: str
    points: list[Point] = field(default_factory=list)
    # How many points came in every rehearsal.
    sure: int = 0
    # How many faults were tried. Below it, how many were left out because they are equal to another fault of
    # this flow.
    tried: int = 0
    same: int = 0
    # How many faults were left to another flow, which tries them in the same situation.
    elsewhere: int = 0
    # How often the recovering bot is to be killed, by the call whose outcome was unknown.
    again: Counter[str] = field(default_factory=Counter)
    doubtful: set[str] = field(default_factory=set)
    missed: list[Aim] = field(default_factory=list)
    # How many faults were never tried because their point came in some rehearsal and never again.
    unsure_missed: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        outside = sum(map(is_outside, self.points))
        return (
            f"{self.flow}: {len(self.points)} points ({self.sure} each time, {outside} outside), "
            f"{self.tried + self.same + self.elsewhere} ways to go wrong: {self.tried} tried, "
            f"{self.same} same as another, {self.elsewhere} tried in another flow, "
            f"{self.again.total()} second deaths; {self.unsure_missed} unsure and never hit; "
            f"{self.seconds:.0f} s"
        )


def shortfalls(flow: type[Flow], tally: Tally) -> list[str]:
    """Return a sentence for each thing that the proof of this flow should have found and did not find. The
    proof fails if there is any."""
    found = {point.call.kind for point in tally.points}
    short = [f"{kind.value} was not met" for kind in Kind if kind in flow.meets - found]
    # The floor counts only for the flow that sets it, not for flows that inherit from it.
    floor = vars(flow).get("floor", 0)
    if not floor:
        short.append("it says no floor")
    if len(tally.points) < floor:
        short.append(f"{len(tally.points)} points were found, and there were {floor}")
    short += [f"no second death was tried after {call}" for call in flow.dies_twice if not tally.again[call]]
    if not tally.tried + tally.elsewhere:
        short.append("nothing was tried, here or in another flow")
    return [f"{tally.flow}: {each}" for each in short]


class Proof:
    """The proof of one flow in one environment."""

    def __init__(
        self, flow: type[Flow], environment: Environment, directory: Path, tried: Tried | None = None
    ) -> None:
        self._flow = flow
        self._environment = environment
        self._directory = directory
        self._tried = tried
        self._deployments = 0
        self.tally = Tally(flow.__name__.lower())

    async def run(self) -> Tally:
        """Find and try all faults. Raise AssertionError if the rehearsals find too little, or if a check
        fails."""
        began = time.monotonic()
        async with self._new_deployment(PATIENT_SECONDS) as deployment:
            flow_run, missed = await self._rehearse_all(deployment)
            if self._flow.is_solitary:
                missed = [aim._replace(is_alone=True) for aim in missed]
            for number in range(1, TRIES + 1):
                rounds = rounds_of(missed, is_apart=self._flow.is_timed or number >= FIRST_APART)
                missed = await self._perform(flow_run, rounds)
        self.tally.missed = [aim for aim in missed if aim.is_sure]
        self.tally.unsure_missed = len(missed) - len(self.tally.missed)
        self.tally.seconds = time.monotonic() - began
        return self.tally

    async def find(self) -> Tally:
        """Find the faults to try, but do not try them. Raise AssertionError if the rehearsals find too
        little."""
        async with self._new_deployment(PATIENT_SECONDS) as deployment:
            await self._rehearse_all(deployment)
        return self.tally

    async def _rehearse_all(self, deployment: Deployment) -> tuple[FlowRun, list[Aim]]:
        flow_run = FlowRun(deployment, self._flow, TOGETHER + ALONE)
        rehearsals = await self._rehearse(flow_run)
        again = await self._recover(flow_run, rehearsals)
        found = [*self._aims(rehearsals), *again]
        aims = [aim for aim in found if self._is_left(aim, rehearsals)]
        self.tally.tried, self.tally.elsewhere = len(aims), len(found) - len(aims)
        short = shortfalls(self._flow, self.tally)
        assert not short, "; ".join(short)
        return flow_run, aims

    async def _rehearse(self, flow_run: FlowRun) -> Rehearsals:
        traces = [await flow_run.rehearse() for _ in range(REHEARSALS)]
        rehearsals = Rehearsals([until_call(trace, self._flow.last) for trace in traces])
        self.tally.points, self.tally.sure = rehearsals.points, len(rehearsals.sure)
        self.tally.same = rehearsals.fault_count - len(self._aims(rehearsals))
        return rehearsals

    def _aims(self, rehearsals: Rehearsals) -> list[Aim]:
        # This setting counts only for the flow that has it, not for flows that inherit from it.
        is_tried = vars(self._flow).get("tries_silence", False)
        return [aim for aim in rehearsals.aims() if is_tried or aim.fault is not Fault.SILENT]

    def _is_left(self, aim: Aim, rehearsals: Rehearsals) -> bool:
        situation = rehearsals.situations[aim.point]
        return self._tried is None or self._tried.is_left(self.tally.flow, aim, situation)

    async def _recover(self, flow_run: FlowRun, rehearsals: Rehearsals) -> list[Aim]:
        """Rehearse the recovery from a kill at each call of `dies_twice`. Return the second kills to try."""
        again: list[Aim] = []
        for point, lease in find_unknown_outcomes(rehearsals.points):
            call = point.call.name
            self.tally.doubtful.add(call)
            for death in first_deaths(point) if call in self._flow.dies_twice else ():
                traces = [await flow_run.rehearse(death) for _ in range(RECOVERIES)]
                found = list(Rehearsals(traces).second_deaths(death, lease))
                self.tally.again[call] += len(found)
                again += found
        return again

    async def _perform(self, flow_run: FlowRun, rounds: Sequence[Round]) -> list[Aim]:
        """Run the rounds. Rounds in which the bot waits for timeouts in real time get a separate deployment.
        Return the aims whose point never came."""
        quick = [each for each in rounds if not each.is_slow]
        slow = [each for each in rounds if each.is_slow]
        missed = await asyncio.gather(_run_rounds(flow_run, quick), self._run_apart(slow))
        return [aim for each in missed for aim in each]

    async def _run_apart(self, rounds: Sequence[Round]) -> list[Aim]:
        if not rounds:
            return []
        async with self._new_deployment(HASTY_SECONDS) as deployment:
            return await _run_rounds(FlowRun(deployment, self._flow, TOGETHER + ALONE), rounds)

    def _new_deployment(self, timeout_seconds: float) -> AbstractAsyncContextManager[Deployment]:
        self._deployments += 1
        place = self._directory / f"deployment-{self._deployments}"
        times = (timeout_seconds, self._flow.settle_seconds, self._flow.reminder_seconds)
        flow = self._flow
        return new_deployment(
            self._environment, place, *times, is_agent=flow.is_agent, accounts=flow.accounts
        )


async def _run_rounds(flow_run: FlowRun, rounds: Sequence[Round]) -> list[Aim]:
    return [aim for each in rounds for aim in await flow_run.run_round(each)]
