"""Rounds: what goes wrong at the same time, so that one death serves many.

In a round of kills everybody stops at their point, and then the bot dies once. Those whose point can only be
told to be theirs when they go alone come last, and only one of them. In the other rounds all go at once, and
those afterwards one by one.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .points import Aim, Point, faults_of

TOGETHER = 5
ALONE = 4


class Round(NamedTuple):
    """What goes wrong at the same time, and afterwards for one after the other."""

    together: tuple[Aim, ...]
    alone: tuple[Aim, ...]
    is_kill: bool
    is_slow: bool


def plan(points: Iterable[Point], alone: set[Point]) -> list[Round]:
    """Every fault of every point, in as few rounds as that takes."""
    aims = [Aim(point, fault) for point in points for fault in faults_of(point)]
    return rounds_of(aims, alone)


def rounds_of(aims: Sequence[Aim], alone: set[Point]) -> list[Round]:
    """Put aims into rounds."""
    kills = [aim for aim in aims if aim.fault.is_kill]
    slow = [aim for aim in aims if aim.fault.is_slow]
    others = [aim for aim in aims if not aim.fault.is_kill and not aim.fault.is_slow]
    return [
        *_rounds(kills, alone, 1, is_kill=True),
        *_rounds(others, alone, ALONE),
        *_rounds(slow, alone, ALONE, is_slow=True),
    ]


def _rounds(
    aims: Sequence[Aim], alone: set[Point], most_alone: int, *, is_kill: bool = False, is_slow: bool = False
) -> list[Round]:
    single = [aim for aim in aims if aim.point in alone]
    one_by_one = [tuple(single[at : at + most_alone]) for at in range(0, len(single), most_alone)]
    rest = [aim for aim in aims if aim.point not in alone]
    count = max(len(one_by_one), -(-len(rest) // TOGETHER))
    return [
        Round(tuple(rest[at::count]), one_by_one[at] if at < len(one_by_one) else (), is_kill, is_slow)
        for at in range(count)
    ]
