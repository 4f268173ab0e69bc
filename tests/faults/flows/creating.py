"""Somebody creates a task."""

from tests.faults.seats import Seat, metadata

from .flow import Flow


class Creating(Flow):
    """`/task create`: a card, a task, and the bond between them."""

    is_lasting = False

    async def go(self, seat: Seat) -> None:
        """Type it."""
        seat.hears(
            await self.life.slack.command(seat.person, seat.channel, "/task", f"create {_prompt(seat)}")
        )

    def is_over(self, seat: Seat) -> bool:
        """The card names its task."""
        return any("task_id" in metadata(message) for message in self.messages(seat))

    def check(self, seat: Seat) -> None:
        """One card and one task, bound to each other."""
        tasks = [task for task in self.life.coder.tasks if task.prompt == _prompt(seat)]
        assert len(self.messages(seat)) == 1, self.messages(seat)
        (card,) = self.messages(seat)
        assert len(tasks) == 1
        assert metadata(card)["task_id"] == tasks[0].id
        assert tasks[0].inputs == []

    def check_untaken(self, seat: Seat) -> None:
        """Neither card nor task."""
        super().check_untaken(seat)
        assert [task for task in self.life.coder.tasks if task.prompt == _prompt(seat)] == []


def _prompt(seat: Seat) -> str:
    return f"fix bug {seat.turn} of {seat.name}"
