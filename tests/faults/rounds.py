"""Rounds: groups of faults that happen at the same time, so that one kill serves many actors.

In a round of kills, all actors are held at their points. Then the bot is killed once. If an actor's point can
be recognized only while no other actor runs, this actor starts after the others are held. A round of kills
has at most one such actor.

In a round without kills, the actors that need not be alone run first, at the same time. Then the actors that
must be alone run one by one.
"""

from collections.abc import Sequence
from typing import NamedTuple

from .points import Aim

TOGETHER = 8
ALONE = 6


class Round(NamedTuple):
    """Faults that happen at the same time (`together`), and faults that follow one by one (`alone`)."""

    together: tuple[Aim, ...]
    alone: tuple[Aim, ...]
    is_kill: bool
    is_slow: bool

    @property
    def aims(self) -> tuple[Aim, ...]:
        """Return the aims of the round."""
        return self.together + self.alone


def rounds_of(aims: Sequence[Aim], *, is_apart: bool = False) -> list[Round]:
    """Put aims into as few rounds as possible.

    With `is_apart`, each aim that must be alone gets a round of its own, and so a bot of its own. This is
    needed if the state at the start of the flow changes with time, or if a process makes a call only once.
    """
    if is_apart:
        own = [rounds_of([aim]) for aim in aims if aim.is_alone]
        return [*rounds_of([aim for aim in aims if not aim.is_alone]), *(each for (each,) in own)]
    twice = [aim for aim in aims if aim.again is not None]
    kills = [aim for aim in aims if aim.fault.is_kill and aim.again is None]
    slow = [aim for aim in aims if aim.fault.is_slow]
    others = [aim for aim in aims if not aim.fault.is_kill and not aim.fault.is_slow]
    return [
        *_rounds(kills, 1, is_kill=True),
        # The recoveries of one round run at the same time. If a recovery must be alone, its aim therefore
        # gets a place in which it runs alone.
        *_rounds([aim for aim in twice if aim.is_alone], 1, is_kill=True),
        *_rounds([aim for aim in twice if not aim.is_alone], 1, is_kill=True),
        *_rounds(others, ALONE),
        *_rounds(slow, ALONE, is_slow=True),
    ]


def _rounds(
    aims: Sequence[Aim], most_alone: int, *, is_kill: bool = False, is_slow: bool = False
) -> list[Round]:
    single = [aim for aim in aims if aim.is_alone]
    one_by_one = [tuple(single[at : at + most_alone]) for at in range(0, len(single), most_alone)]
    rest = [aim for aim in aims if not aim.is_alone]
    count = max(len(one_by_one), -(-len(rest) // TOGETHER))
    return [
        Round(tuple(rest[at::count]), one_by_one[at] if at < len(one_by_one) else (), is_kill, is_slow)
        for at in range(count)
    ]
