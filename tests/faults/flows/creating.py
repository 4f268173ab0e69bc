"""Somebody brings a task to Slack: a new one, or one that exists."""

from collections.abc import Sequence
from typing import ClassVar

from tests.faults.seats import Seat, metadata

from .flow import Flow, prompt_of, task_of, title_of


class Creating(Flow):
    """`/task create`: a card, a task, and the bond between them."""

    floor = 67
    is_watched = True
    is_lasting = False
    dies_twice: ClassVar[tuple[str, ...]] = ("slack chat.postMessage", "coder tasks.create")

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """Nobody has a task yet."""
        for seat in seats:
            seat.task = seat.seen = None

    async def go(self, seat: Seat) -> None:
        """Type it."""
        await self.type(seat, f"create {prompt_of(seat)}")

    def is_over(self, seat: Seat) -> bool:
        """The card shows a task that is up."""
        # Coder is not looked at before the two are bound: how often that would be is a matter of chance.
        bound = [metadata(message).get("task_id") for message in self.messages(seat)]
        tasks = [task for task in self.life.coder.tasks if task.id in bound]
        seat.task = tasks[0] if tasks else None
        return any(said.startswith("Working") for said in self.said(seat))

    def check(self, seat: Seat) -> None:
        """One card and one task, bound to each other."""
        (seat.task,) = [task for task in self.life.coder.tasks if task.prompt == prompt_of(seat)]

        assert self.said(seat) == [
            self.card_of(
                seat,
                f"Working: {title_of(seat)}.",
                f" Reply in this thread to talk to the agent. {self.page(seat)}",
                "[Open in Coder] [Logs] [Pause] [Mute] [Delete]",
            )
        ]
        assert metadata(self.messages(seat)[0])["task_id"] == seat.task.id
        assert seat.task.inputs == []
        self.told_at_most(seat, wishes=[f"creating *{name}*" for name in (prompt_of(seat), title_of(seat))])

    def check_untaken(self, seat: Seat) -> None:
        """Neither card nor task."""
        super().check_untaken(seat)
        assert [task for task in self.life.coder.tasks if task.prompt == prompt_of(seat)] == []


class Filling(Creating):
    """The form for a new task is submitted; the card's post and all behind it is as for a command."""

    floor = 26
    last = "slack chat.postMessage"
    dies_twice = ()

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """It is open."""
        await super().set_out(seats)
        await self.open_dialogs(dict.fromkeys(seats, "create"))

    async def go(self, seat: Seat) -> None:
        """Submit it."""
        await self.submit(seat, {"form.prompt": prompt_of(seat)})


class Attaching(Flow):
    """`/task attach NAME`: a task that exists gets a thread."""

    floor = 56
    is_lasting = False

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task without a thread for everybody."""
        for seat in seats:
            seat.task = self.life.coder.add_task(seat.name, prompt_of(seat))
            seat.task.becomes("working", "On it")

    async def go(self, seat: Seat) -> None:
        """Type it."""
        await self.type(seat, f"attach {task_of(seat).name}")

    def is_over(self, seat: Seat) -> bool:
        """There is a card."""
        return bool(self.said(seat))

    def check(self, seat: Seat) -> None:
        """There is one, bound to the task."""
        assert self.said(seat) == [
            self.card_of(
                seat,
                f"Working: {title_of(seat)}. On it.",
                f" Reply in this thread to talk to the agent. {self.page(seat)}",
                "[Open in Coder] [Logs] [Pause] [Mute] [Delete]",
            )
        ]
        assert metadata(self.messages(seat)[0])["task_id"] == task_of(seat).id
        wishes = [f"`{task_of(seat).name}`", f"*{title_of(seat)}*"]
        self.told_at_most(seat, wishes=[f"giving a thread to {wish}" for wish in wishes])
