"""The proof: a flow is gone through to find its points, then once for each way in which one can fail.

Where the bot dies with a call in doubt, the bot that recovers from it dies too: its points are found in the
same way, by letting it recover, and then it is killed at each of them.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from .company import Company
from .flows.flow import Flow
from .ground import Ground
from .life import Life, new_life
from .points import Aim, Point, is_outside
from .rounds import ALONE, TOGETHER, Round, rounds_of
from .walks import Way, first_deaths, in_doubt, up_to

PATIENT_SECONDS = 15.0
HASTY_SECONDS = 1.0
# A point may not come when others go at the same time; then it is tried again.
TRIES = 3
# So often a flow is run to find its points, after a first time that is not like those that follow.
REHEARSALS = 3
RECOVERIES = 2


@dataclass
class Tally:
    """What was tried of one flow."""

    flow: str
    points: list[Point] = field(default_factory=list)
    # What was tried, and what was not because it is the same.
    tried: int = 0
    same: int = 0
    # Of what was tried, how often the recovering bot died too.
    again: int = 0
    doubtful: set[str] = field(default_factory=set)
    missed: list[Aim] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        outside = sum(map(is_outside, self.points))
        ways = f"{self.tried + self.same} ways to go wrong ({self.same} the same as another)"
        return (
            f"{self.flow}: {len(self.points)} points ({outside} outside), {ways}, "
            f"{self.again} second deaths, {self.seconds:.0f} s"
        )


class Proof:
    """One flow on one ground."""

    def __init__(self, flow: type[Flow], ground: Ground, directory: Path) -> None:
        self._flow = flow
        self._ground = ground
        self._directory = directory
        self._lives = 0
        self.tally = Tally(flow.__name__.lower())

    async def run(self) -> Tally:
        """Try everything; raises what does not hold."""
        began = time.monotonic()
        async with self._new_life(PATIENT_SECONDS) as life:
            company = Company(life, self._flow, TOGETHER + ALONE)
            way = await self._rehearse(company)
            again = await self._recover(company, way)
            missed = [*way.aims(), *again]
            if self._flow.is_solitary:
                missed = [aim._replace(is_alone=True) for aim in missed]
            self.tally.tried, self.tally.again = len(missed), len(again)
            for _ in range(TRIES):
                missed = await self._perform(company, rounds_of(missed))
        self.tally.missed = [aim for aim in missed if aim.is_sure]
        self.tally.seconds = time.monotonic() - began
        return self.tally

    async def _rehearse(self, company: Company) -> Way:
        await company.rehearse()
        walks = [await company.rehearse() for _ in range(REHEARSALS)]
        way = Way([up_to(walk, self._flow.last) for walk in walks])
        self.tally.points = way.points
        self.tally.same = way.ways - len(list(way.aims()))
        return way

    async def _recover(self, company: Company, way: Way) -> list[Aim]:
        """Find what recovers from a death with a call in doubt, where that is this flow's to prove."""
        again: list[Aim] = []
        for point, turn in in_doubt(way.points):
            self.tally.doubtful.add(point.call)
            for death in first_deaths(point) if point.call in self._flow.dies_twice else ():
                walks = [await company.rehearse(death) for _ in range(RECOVERIES)]
                again += Way(walks).deaths_again(death, turn)
        return again

    async def _perform(self, company: Company, rounds: Sequence[Round]) -> list[Aim]:
        """Perform rounds; those that have to wait in real time have a life of their own, side by side."""
        quick = [each for each in rounds if not each.is_slow]
        slow = [each for each in rounds if each.is_slow]
        missed = await asyncio.gather(_work(company, quick), self._live(slow))
        return [aim for each in missed for aim in each]

    async def _live(self, rounds: Sequence[Round]) -> list[Aim]:
        if not rounds:
            return []
        async with self._new_life(HASTY_SECONDS) as life:
            return await _work(Company(life, self._flow, TOGETHER + ALONE), rounds)

    def _new_life(self, timeout_seconds: float) -> AbstractAsyncContextManager[Life]:
        self._lives += 1
        place = self._directory / f"life-{self._lives}"
        return new_life(self._ground, place, timeout_seconds, self._flow.settle_seconds)


async def _work(company: Company, rounds: Sequence[Round]) -> list[Aim]:
    return [aim for each in rounds for aim in await company.perform(each)]
