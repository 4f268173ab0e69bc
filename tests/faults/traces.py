"""What is found by going through a flow while nothing goes wrong, or through what one dead bot has left."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .points import Aim, Fault, Kind, Point, faults_of, is_read, is_same


@dataclass
class Trace:
    """One time through: the points in their order."""

    points: list[Point]
    # Those that are only known to be somebody's because nobody else goes.
    alone: set[Point]
    # Those before which something else may have happened since the one before.
    apart: set[Point]


class Way:
    """What several times through have shown."""

    def __init__(self, traces: Sequence[Trace]) -> None:
        self.points = list(dict.fromkeys(point for trace in traces for point in trace.points))
        # Those that have come each time.
        self.sure = set.intersection(*(set(trace.points) for trace in traces))
        self._alone = set.union(*(trace.alone for trace in traces))
        self._apart = set.union(*(trace.apart for trace in traces)) | _shifting(traces)

    def aims(self) -> Iterator[Aim]:
        """Every fault of every point, but for those that are the same as another."""
        for deaths in self._deaths():
            # Those that can be met side by side are quicker.
            yield min(deaths, key=lambda aim: aim.is_alone)
        for point in self.points:
            for fault in faults_of(point):
                if not fault.is_kill and not is_same(point, fault):
                    yield self._aim(point, fault)

    def _deaths(self) -> Iterator[list[Aim]]:
        """Deaths that leave the same world, together.

        Who dies before a call leaves the same as who died after the one before, unless something else may
        have happened between them: then the call stands apart. A read changes nothing.
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
    def ways(self) -> int:
        """How many faults of points there are, with those that are the same."""
        return sum(len(faults_of(point)) for point in self.points)

    def deaths_again(self, first: Aim, turn: str) -> Iterator[Aim]:
        """Deaths in what recovers from one: while its turn is taken over, and until that ends for good."""
        of_turn = [(at, point.call.kind) for at, point in enumerate(self.points) if point.call.turn == turn]
        takes = [at for at, kind in of_turn if kind is Kind.TAKE]
        ends = [at for at, kind in of_turn if kind is Kind.END]
        found = _listed(self.points)
        assert takes, f"{first}: {turn} was not taken over: {found}"
        assert ends, f"{first}: {turn} was not ended: {found}"
        recovery = set(self.points[takes[0] : ends[-1] + 1])
        for aim in self.aims():
            if aim.fault.is_kill and aim.point in recovery:
                yield first._replace(again=aim, is_alone=aim.is_alone, is_sure=aim.is_sure)


def _shifting(traces: Sequence[Trace]) -> set[Point]:
    """Those that do not always come behind the same."""
    before: dict[Point, set[Point | None]] = {}
    for trace in traces:
        for last, point in zip([None, *trace.points], trace.points, strict=False):
            before.setdefault(point, set()).add(last)
    return {point for point, found in before.items() if len(found) > 1}


def up_to(trace: Trace, last: str) -> Trace:
    """A trace as far as its first call of a name, or all of it."""
    ends = [at + 1 for at, point in enumerate(trace.points) if point.call.name == last]
    assert ends or not last, f"{last} is no point: {_listed(trace.points)}"
    return Trace(trace.points[: ends[0]] if ends else trace.points, trace.alone, trace.apart)


def of_unknown_outcome(points: Iterable[Point]) -> Iterator[tuple[Point, str]]:
    """The calls before which an attempt begins, each with its turn: who dies there leaves them in doubt."""
    begun = ""
    for point in points:
        if point.call.kind is Kind.BEGIN:
            begun = point.call.turn
        elif begun and point.call.kind is Kind.OUTSIDE_WRITE:
            yield point, begun
            begun = ""


def first_deaths(point: Point) -> tuple[Aim, Aim]:
    """A call in doubt that was not made, and one that was."""
    return Aim(point, Fault.KILLED_BEFORE), Aim(point, Fault.KILLED_AFTER)


def _listed(points: Iterable[Point]) -> list[str]:
    return [str(point) for point in points]
