"""Points of a flow, what can go wrong at each, and what is planned for whom."""

from enum import Enum
from typing import NamedTuple


class Point(NamedTuple):
    """One call of a flow, to the outside or to Redis: its name, and the how-manieth of that name."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} #{self.number}"


class Fault(Enum):
    """What goes wrong at a point."""

    KILLED_BEFORE = "killed before it"
    KILLED_AFTER = "killed after it, before its answer"
    ANSWER_LOST = "done, and the connection cut in place of the answer"
    CUT_BEFORE = "the connection cut before it"
    LIMITED = "429 with Retry-After"
    FAILED = "500, not done"
    FAILED_DONE = "500, done all the same"
    SILENT = "done, and never answered"

    @property
    def is_kill(self) -> bool:
        """Whether the process dies of it."""
        return self in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)

    @property
    def is_slow(self) -> bool:
        """Whether the bot has to wait, in real time, until it gives up."""
        return self is Fault.SILENT


OF_REDIS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.ANSWER_LOST, Fault.CUT_BEFORE, Fault.SILENT)
OF_OUTSIDE = tuple(Fault)


def faults_of(point: Point) -> tuple[Fault, ...]:
    """Everything that can go wrong at a point."""
    return OF_OUTSIDE if point.call.startswith(("slack ", "coder ")) else OF_REDIS


class Aim(NamedTuple):
    """What is to go wrong with one going through a flow."""

    point: Point
    fault: Fault

    def __str__(self) -> str:
        return f"{self.point}: {self.fault.value}"
