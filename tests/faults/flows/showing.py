"""What shows the present: the card, and the log as a file."""

from collections.abc import Sequence

from tests.faults.seats import Seat

from .flow import Flow, give_tasks, task_of, title_of
from .telling import RUNS

UNANSWERED = "Coder does not answer me right now. Please try again in a minute."


class Drawing(Flow):
    """The card follows what the agent says."""

    is_watched = True

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task whose agent works, for everybody."""
        await give_tasks(self, seats)

    async def go(self, seat: Seat) -> None:
        """Report something."""
        task_of(seat).becomes("working", self._report(seat))

    def is_over(self, seat: Seat) -> bool:
        """The card says it."""
        return self._report(seat) in self.card(seat)

    def check(self, seat: Seat) -> None:
        """And nothing else was said."""
        assert self.card(seat) == self.card_of(
            seat,
            f"Working: {title_of(seat)}. {self._report(seat)}.",
            f" Reply in this thread to talk to the agent. {self.page(seat)}",
            RUNS,
        )
        assert (self.said(seat), self.told(seat)) == ([], [])

    def _report(self, seat: Seat) -> str:
        return f"Step {seat.turn} of {seat.name}"


class Logging(Flow):
    """`!logs full`: the whole log, as a file."""

    dies_twice = ("slack files.completeUploadExternal",)

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task whose agent has written much, for everybody."""
        await give_tasks(self, seats)
        for seat in seats:
            task_of(seat).says("\n\n".join(f"Step {number} is done." for number in range(50)))

    async def go(self, seat: Seat) -> None:
        """Ask for it."""
        await self.write(seat, "!logs full")

    def is_over(self, seat: Seat) -> bool:
        """It is there, or the thread hears why not: a question is asked of Coder once."""
        return len(self.said(seat)) > (0 if seat.meets("coder tasks.logs") else 1)

    def check(self, seat: Seat) -> None:
        """Once, and announced once."""
        self.told_at_most(seat)
        if seat.meets("coder tasks.logs") and self.said(seat) == [UNANSWERED]:
            return
        assert self.said(seat) == [
            f"The whole log of *{title_of(seat)}* follows as a file.",
            f"(file {task_of(seat).name}.log)",
        ]
