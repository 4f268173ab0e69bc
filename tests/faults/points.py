"""Points of a flow, what can go wrong at each, and what is planned for whom.

Two things that go wrong are the same if they leave the same world and the same bot, and then one of them is
tried: of deaths between which nothing was written (`walks`), and where a call only reads, of what is told
apart by whether it was carried out.
"""

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


_READS_OF_REDIS = frozenset({"EXISTS", "GET", "HGET", "HGETALL", "HLEN", "HMGET", "LLEN", "LRANGE", "MGET"})
_READS_OF_REDIS |= {"PTTL", "SISMEMBER", "SMEMBERS", "TTL", "XRANGE", "ZCARD", "ZRANGE", "ZSCORE"}
_READS_OUTSIDE = ("get", "history", "info", "list", "logs", "lookupByEmail", "members", "replies")
OF_REDIS = (Fault.KILLED_BEFORE, Fault.KILLED_AFTER, Fault.ANSWER_LOST, Fault.CUT_BEFORE, Fault.SILENT)
OF_OUTSIDE = tuple(Fault)


def is_outside(point: Point) -> bool:
    """Whether a point is a call to Slack or Coder."""
    return point.call.startswith(("slack ", "coder "))


def is_read(point: Point) -> bool:
    """Whether a call changes nothing; of a script that is not asked."""
    if is_outside(point):
        return point.call.rpartition(".")[2] in _READS_OUTSIDE
    return point.call.partition(" ")[0] in _READS_OF_REDIS


def faults_of(point: Point) -> tuple[Fault, ...]:
    """Everything that can go wrong at a point."""
    return OF_OUTSIDE if is_outside(point) else OF_REDIS


def is_same(point: Point, fault: Fault) -> bool:
    """Whether something else that goes wrong with a read is the same, since there is nothing to carry out."""
    # Slack and Coder are not reached at all if they are cut off before, which is told from no answer.
    is_cut = fault is Fault.CUT_BEFORE and not is_outside(point)
    return is_read(point) and (is_cut or fault is Fault.FAILED_DONE)


class Aim(NamedTuple):
    """What is to go wrong with one going through a flow, and then with what recovers from it."""

    point: Point
    fault: Fault
    again: "Aim | None" = None
    # Whether that can only be told to be theirs, or only happen, while nobody else goes.
    is_alone: bool = False
    # Whether that point has come each time; if not, it is tried all the same, and may not come about.
    is_sure: bool = True

    def __str__(self) -> str:
        return f"{self.point}: {self.fault.value}" + (f"; then {self.again}" if self.again else "")
