"""Somebody answers in the thread of a task."""

from collections.abc import Sequence

from tests.faults.seats import Seat

from .flow import Flow, give_tasks


class Replying(Flow):
    """A reply to an agent that waits for one."""

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task with its thread for everybody."""
        await give_tasks(self, seats)

    async def go(self, seat: Seat) -> None:
        """Write it."""
        assert seat.task is not None
        seat.task.becomes("idle", f"waiting for word {seat.turn}")
        seat.message_ts = await self.life.slack.post(
            seat.person, seat.channel, _word(seat.turn), seat.thread_ts
        )

    def is_over(self, seat: Seat) -> bool:
        """It is marked as delivered."""
        return "white_check_mark" in self._receipts(seat)

    def check(self, seat: Seat) -> None:
        """The agent has all replies once and in order, this one has one receipt, and nothing was said."""
        assert seat.task is not None
        assert seat.task.inputs == [_word(turn) for turn in range(1, seat.turn + 1)]
        assert self._receipts(seat) == ["white_check_mark"]
        assert self.said(seat) == []
        assert self.told(seat) == []

    def _receipts(self, seat: Seat) -> list[str]:
        return list(self.life.slack.reactions(seat.channel, seat.message_ts))


def _word(turn: int) -> str:
    return f"word {turn}"
