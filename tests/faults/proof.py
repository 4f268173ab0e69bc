"""The proof: a flow is gone through once to find its points, then once for each way in which one can fail."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from .company import Company
from .flows.flow import Flow
from .ground import Ground
from .life import Life, new_life
from .points import Aim, Point
from .rounds import ALONE, TOGETHER, Round, plan, rounds_of

# Lives side by side: while one waits, another works.
LIVES = 2
PATIENT_SECONDS = 15.0
HASTY_SECONDS = 1.0
# A point may not come when others go at the same time; then it is tried again.
TRIES = 3


@dataclass
class Tally:
    """What was tried of one flow."""

    flow: str
    points: list[Point] = field(default_factory=list)
    pairs: int = 0
    missed: list[Aim] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        outside = sum(point.call.startswith(("slack ", "coder ")) for point in self.points)
        counts = f"{len(self.points)} points ({outside} outside), {self.pairs} ways to go wrong"
        return f"{self.flow}: {counts}, {self.seconds:.0f} s"


class Proof:
    """One flow on one ground."""

    def __init__(self, flow: type[Flow], ground: Ground, directory: Path) -> None:
        self._flow = flow
        self._ground = ground
        self._directory = directory
        self._alone: set[Point] = set()
        self._lives = 0
        self.tally = Tally(flow.__name__.lower())

    async def run(self) -> Tally:
        """Try everything; raises what does not hold."""
        began = time.monotonic()
        await self._rehearse()
        rounds = plan(self.tally.points, self._alone)
        for _ in range(TRIES):
            missed = await self._perform(rounds)
            rounds = rounds_of(missed, self._alone)
        self.tally.missed = missed
        self.tally.seconds = time.monotonic() - began
        return self.tally

    async def _rehearse(self) -> None:
        async with self._new_life(PATIENT_SECONDS) as life:
            company = Company(life, self._flow, 1)
            await company.prepare()
            points, self._alone = await company.rehearse()
            self.tally.points = _own(points, self._flow.last)

    async def _perform(self, rounds: Sequence[Round]) -> list[Aim]:
        """Perform rounds in several lives; returns what did not come about."""
        quick = deque(each for each in rounds if not each.is_slow)
        slow = deque(each for each in rounds if each.is_slow)
        lives = [self._live(quick, PATIENT_SECONDS) for _ in range(LIVES)]
        lives.append(self._live(slow, HASTY_SECONDS))
        missed = [aim for each in await asyncio.gather(*lives) for aim in each]
        self.tally.pairs += sum(len(each.together) + len(each.alone) for each in rounds) - len(missed)
        return missed

    async def _live(self, rounds: deque[Round], timeout_seconds: float) -> list[Aim]:
        missed: list[Aim] = []
        if not rounds:
            return missed
        async with self._new_life(timeout_seconds) as life:
            company = Company(life, self._flow, TOGETHER + ALONE)
            await company.prepare()
            while rounds:
                missed += await company.perform(rounds.popleft())
        return missed

    def _new_life(self, timeout_seconds: float) -> AbstractAsyncContextManager[Life]:
        self._lives += 1
        place = self._directory / f"life-{self._lives}"
        return new_life(self._ground, place, timeout_seconds, self._flow.settle_seconds)


def _own(points: list[Point], last: str) -> list[Point]:
    """The points up to a call, or all of them."""
    ends = [at + 1 for at, point in enumerate(points) if point.call == last]
    assert ends or not last, f"{last} is no point: {[str(point) for point in points]}"
    return points[: ends[0]] if ends else points
