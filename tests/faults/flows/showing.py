"""What shows the present: the card, and the log as a file."""

from collections.abc import Sequence

from tests.faults.points import Kind
from tests.faults.seats import Seat
from tests.scenarios.reading import shown

from .flow import TURN, Flow, give_tasks, task_of, title_of
from .telling import RUNS

NOT_NOW = (
    "Coder does not answer me right now. Please try again in a minute.",
    "Slack did not do what I asked of it just now. Please try again in a minute.",
)


class Drawing(Flow):
    """The card follows what the agent says."""

    floor = 17
    meets = TURN - {Kind.BEGIN} | {Kind.SWEEP, Kind.OUTSIDE_LIGHT}
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
    """`!logs full`: the whole log, as a file in direct messages."""

    floor = 22
    dies_twice = ("slack files.completeUploadExternal",)

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task whose agent has written much, for everybody."""
        await give_tasks(self, seats)
        for seat in seats:
            # A call that names their direct messages is theirs.
            self.life.watch.names.add(seat, self.life.slack.direct(seat.person).id)
            task_of(seat).says("\n\n".join(f"Step {number} is done." for number in range(50)))

    async def go(self, seat: Seat) -> None:
        """Ask for it."""
        await self.write(seat, "!logs full")

    def is_over(self, seat: Seat) -> bool:
        """It is there, or they hear why not: a question is asked once."""
        return bool(self._files(seat) or set(self.told(seat)) & set(NOT_NOW))

    def check(self, seat: Seat) -> None:
        """Once, and announced at most once."""
        follows = f"The whole log of *{title_of(seat)}* follows in your direct messages with me."
        files = self._files(seat)
        self.told_at_most(seat, *((follows,) if files else NOT_NOW))
        assert self.said(seat) == []
        assert files in ([], [f"(file {task_of(seat).name}.log)"])

    def _files(self, seat: Seat) -> list[str]:
        slack = self.life.slack
        messages = slack.messages(slack.direct(seat.person).id)
        return [shown(each) for each in messages if float(str(each["ts"])) > float(seat.message_ts)]
