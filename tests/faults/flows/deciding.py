"""Somebody decides on a reply of which nobody knows whether the agent has it."""

import asyncio
from collections.abc import Sequence

from tests.faults.life import LOOK_SECONDS
from tests.faults.points import Kind
from tests.faults.seats import Seat

from .flow import TURN, Flow, give_tasks

ONCE_ONLY = "That has been decided already."
# Of a claim whose answer was lost, and of those that were written down in the same exchange.
CANNOT_TELL = (
    "I can't tell whether I took this: my store did not answer. Look for its card before you repeat it."
)


class Deciding(Flow):
    """*Send again*: the reply is in its list as if it had just come in, and the question gives way."""

    floor = 23
    meets = TURN - {Kind.BEGIN} | {Kind.CLAIM, Kind.OUTSIDE_LIGHT}
    last = "slack chat.update"

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task with its thread for everybody."""
        await give_tasks(self, seats)

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """A reply that the agent's side has rejected, and the question about it."""
        for seat in seats:
            assert seat.task is not None
            seat.task.becomes("idle", f"waiting for word {seat.turn + 1}")
            seat.task.agentapi_fails("message")
            seat.message_ts = await self.life.slack.post(
                seat.person, seat.channel, _word(seat.turn + 1), seat.thread_ts
            )
        await self.life.live_until(lambda: all(map(self._button, seats)), "everybody is asked")

    async def go(self, seat: Seat) -> None:
        """Press the button, and again if the bot says that it cannot tell, or dies meanwhile."""
        while (button := self._button(seat)) and not self.is_over(seat):
            told, death = self._untold(seat), self.life.watch.death
            answer = await self.life.slack.click(seat.person, seat.channel, *button)
            while answer.ok and self._button(seat) and not self.is_over(seat):
                if death.is_set() or self._untold(seat) > told:
                    break
                await asyncio.sleep(LOOK_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    def is_over(self, seat: Seat) -> bool:
        """It is marked as delivered."""
        return "white_check_mark" in self._receipts(seat)

    def check(self, seat: Seat) -> None:
        """The agent has all replies once and in order; nobody was asked again, nor told anything else."""
        assert seat.task is not None
        assert seat.task.inputs == [_word(turn) for turn in range(1, seat.turn + 1)]
        assert self._receipts(seat) == ["white_check_mark"]
        assert self.said(seat) == []
        assert set(self.told(seat)) <= {ONCE_ONLY, CANNOT_TELL}

    def _untold(self, seat: Seat) -> int:
        """How often the person was told that it cannot be told."""
        return self.told(seat).count(CANNOT_TELL)

    def _receipts(self, seat: Seat) -> list[str]:
        return list(self.life.slack.reactions(seat.channel, seat.message_ts))

    def _button(self, seat: Seat) -> tuple[str, str, str] | None:
        return self.button(seat, "Send again")


def _word(turn: int) -> str:
    return f"word {turn}"
