"""Somebody answers in the thread of a task."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from tests.faults.life import Process
from tests.faults.seats import Seat

from .flow import Flow, give_tasks, task_of


class Replying(Flow):
    """A reply to an agent that waits for one.

    What nobody can know is sent again once; if the bot dies once more before it knows, a person is asked.
    """

    floor = 36
    dies_twice: ClassVar[tuple[str, ...]] = ("coder tasks.send",)

    def __init__(self, life: Process) -> None:
        super().__init__(life)
        self._answers: dict[Seat, asyncio.Future[object]] = {}

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task with its thread for everybody."""
        await give_tasks(self, seats)

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """The agent has said something that a reply makes old."""
        for seat in seats:
            self._answers.pop(seat, None)
            task_of(seat).becomes("working", f"Busy with word {seat.turn}")
        await self.life.look()

    async def go(self, seat: Seat) -> None:
        """Write it."""
        task_of(seat).becomes("idle", "Waiting for the next word")
        await self.write(seat, _word(seat.turn))

    def is_over(self, seat: Seat) -> bool:
        """It is marked as delivered."""
        if seat.aim is not None and seat.aim.again is not None and seat not in self._answers:
            self._answer(seat)
        return "white_check_mark" in self.marks(seat)

    def _answer(self, seat: Seat) -> None:
        """Look at the agent, and say what became of the reply, if that is asked."""
        is_there = _word(seat.turn) in task_of(seat).inputs
        if button := self.button(seat, "It arrived" if is_there else "Send again"):
            click = self.life.slack.click(seat.person, seat.channel, *button)
            self._answers[seat] = asyncio.ensure_future(click)

    def check(self, seat: Seat) -> None:
        """The agent has all replies once and in order, this one has one mark, and no more was said."""
        assert task_of(seat).inputs == [_word(turn) for turn in range(1, seat.turn + 1)]
        assert self.marks(seat) == ["white_check_mark"]
        said = "".join(self.said(seat))
        assert not said or (seat in self._answers and said.startswith(("Sending it again.", "Sent again.")))
        self.told_at_most(seat)


class Waiting(Replying):
    """A reply to an agent that is busy waits, says so, and is delivered when the agent is ready."""

    floor = 58
    dies_twice = ()

    async def go(self, seat: Seat) -> None:
        """Write it."""
        await self.write(seat, _word(seat.turn))

    def is_over(self, seat: Seat) -> bool:
        """The agent becomes ready once the reply is marked as waiting."""
        if "hourglass_flowing_sand" in self.marks(seat) and not task_of(seat).is_stable:
            task_of(seat).becomes("idle", "Ready")
        return super().is_over(seat)


def _word(turn: int) -> str:
    return f"word {turn}"
