"""The results of rehearsals: the points of a run without faults, or of the recovery from one kill."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .points import Aim, Fault, Kind, Point, fails_in_handler, faults_of, is_read, is_same
from .situations import situations_of


@dataclass
class Trace:
    """The points of one run, in order."""

    points: list[Point]
    # The points that count for the actor only because no other actor was running.
    alone: set[Point]
    # The points before which another event may have happened since the previous point.
    apart: set[Point]


class Rehearsals:
    """The results of several rehearsals of one flow."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.points = list(dict.fromkeys(point for trace in traces for point in trace.points))
        # The points that came in every rehearsal.
        self.sure = set.intersection(*(set(trace.points) for trace in traces))
        # The situation of each point, taken from the first rehearsal that has the point.
        self.situations: dict[Point, str] = {}
        for trace in reversed(traces):
            self.situations |= situations_of(trace.points)
        self._alone = set.union(*(trace.alone for trace in traces))
        self._apart = set.union(*(trace.apart for trace in traces)) | _shifting(traces)

    def aims(self) -> Iterator[Aim]:
        """Yield one aim for each fault of each point. Of several equal faults, only one is yielded."""
        for deaths in self._deaths():
            # Prefer a fault that can happen while other actors run, because it is quicker to try.
            yield min(deaths, key=lambda aim: aim.is_alone)
        failed_reads: set[tuple[str, Fault]] = set()
        for point in self.points:
            for fault in faults_of(point):
                if fault.is_kill or is_same(point, fault):
                    continue
                if fails_in_handler(point) and point in self.sure:
                    read = (self.situations[point].rpartition("\n")[0], fault)
                    if read in failed_reads:
                        continue
                    failed_reads.add(read)
                yield self._aim(point, fault)

    def _deaths(self) -> Iterator[list[Aim]]:
        """Yield groups of kills. All kills of a group leave the same state.

        A kill before a call leaves the same state as a kill after the previous call, unless another event may
        come between the two calls. In this case the call is in `_apart`. A kill before a read leaves the same
        state as a kill after it, because a read changes nothing.
        """
        same: list[Aim] = []
        for point in self.points:
            if same and (point in self._apart or point not in self.sure):
                yield same
                same = []
            same.append(self._aim(point, Fault.KILLED_BEFORE))
            if not is_read(point):
                yield same
                same = []
            same.append(self._aim(point, Fault.KILLED_AFTER))
            if point not in self.sure:
                yield same
                same = []
        if same:
            yield same

    def _aim(self, point: Point, fault: Fault) -> Aim:
        return Aim(point, fault, is_alone=point in self._alone, is_sure=point in self.sure)

    @property
    def fault_count(self) -> int:
        """Return the number of faults of all points, including equal faults."""
        return sum(len(faults_of(point)) for point in self.points)

    def second_deaths(self, first: Aim, lease: str) -> Iterator[Aim]:
        """Yield aims that kill the bot at `first`, and then kill the recovering bot. The second kill is at
        each point from the recovering bot's take of the lease until the lease's end."""
        of_lease = [
            (at, point.call.kind) for at, point in enumerate(self.points) if point.call.lease == lease
        ]
        takes = [at for at, kind in of_lease if kind is Kind.TAKE]
        ends = [at for at, kind in of_lease if kind is Kind.END]
        found = _listed(self.points)
        assert takes, f"{first}: {lease} was not taken over: {found}"
        assert ends, f"{first}: {lease} was not ended: {found}"
        recovery = set(self.points[takes[0] : ends[-1] + 1])
        for aim in self.aims():
            if aim.fault.is_kill and aim.point in recovery:
                yield first._replace(again=aim, is_alone=aim.is_alone, is_sure=aim.is_sure)


def _shifting(traces: Sequence[Trace]) -> set[Point]:
    """Return the points whose previous point was not the same in all rehearsals."""
    before: dict[Point, set[Point | None]] = {}
    for trace in traces:
        for last, point in zip([None, *trace.points], trace.points, strict=False):
            before.setdefault(point, set()).add(last)
    return {point for point, found in before.items() if len(found) > 1}


def until_call(trace: Trace, last: str) -> Trace:
    """Return a trace up to and with its first call of this name, or the whole trace if the name is empty."""
    ends = [at + 1 for at, point in enumerate(trace.points) if point.call.name == last]
    assert ends or not last, f"{last} is no point: {_listed(trace.points)}"
    return Trace(trace.points[: ends[0]] if ends else trace.points, trace.alone, trace.apart)


def find_unknown_outcomes(points: Iterable[Point]) -> Iterator[tuple[Point, str]]:
    """Yield the first call to Slack or Coder after each begin of an attempt, with the name of its lease. If
    the bot is killed at such a call, its outcome is unknown."""
    begun = ""
    for point in points:
        if point.call.kind is Kind.BEGIN:
            begun = point.call.lease
        elif begun and point.call.kind is Kind.OUTSIDE_WRITE:
            yield point, begun
            begun = ""


def first_deaths(point: Point) -> tuple[Aim, Aim]:
    """Return two kills at a call: the first before the call was executed, the second after it."""
    return Aim(point, Fault.KILLED_BEFORE), Aim(point, Fault.KILLED_AFTER)


def _listed(points: Iterable[Point]) -> list[str]:
    return [str(point) for point in points]
