"""Somebody steers a task: by a verb in its thread, by a command that names it, or by a dialog."""

from collections.abc import Sequence
from typing import ClassVar

from tests.faults.points import Kind
from tests.faults.seats import Seat

from .flow import TURN, Flow, give_tasks, task_of, title_of


class Steering(Flow):
    """A verb in the thread of a task that runs."""

    is_watched = True
    verb: ClassVar[str]

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task with its thread for everybody."""
        await give_tasks(self, seats)

    async def go(self, seat: Seat) -> None:
        """Write it."""
        await self.write(seat, self.verb)

    def is_over(self, seat: Seat) -> bool:
        """The thread hears of it."""
        return bool(self.said(seat))


class Pausing(Steering):
    """`!pause`: the workspace is stopped, and the thread hears of it."""

    floor = 52
    dies_twice: ClassVar[tuple[str, ...]] = ("coder tasks.pause",)
    verb = "!pause"

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """It runs."""
        for task in map(task_of, seats):
            if task.status == "paused":
                task.resume()
            task.becomes("working", "On it")
        await self.life.look()

    def check(self, seat: Seat) -> None:
        """The workspace was stopped once, and the thread told so."""
        assert self.new_builds(seat) == ["stop"]
        assert self.said(seat) == [
            f"Paused: {title_of(seat)}. {seat.name.capitalize()} paused it. The workspace is stopped. "
            "Nothing is lost. Reply here and it goes on.\n"
            "[Resume] [Edit prompt] [Open in Coder]"
        ]
        assert self.card(seat) == self.card_of(
            seat,
            f"Paused: {title_of(seat)}. On it.",
            f" Reply in this thread to talk to the agent; your reply resumes it. {self.page(seat)}",
            "[Open in Coder] [Logs] [Resume] [Edit prompt] [Mute] [Delete]",
        )
        self.told_at_most(
            seat,
            f"Pausing *{title_of(seat)}*. A reply in its thread, or *Resume*, starts it again.",
            wishes=[f"pausing *{title_of(seat)}*", f"pausing `{task_of(seat).name}`"],
        )


class PausingByCommand(Pausing):
    """`/task pause NAME`, which finds the task first; from then on it is as with the verb."""

    floor = 12
    meets = TURN - {Kind.BEGIN} | {Kind.CLAIM}
    last = "take to_coder:act:pause"
    dies_twice = ()

    async def go(self, seat: Seat) -> None:
        """Type it."""
        await self.type(seat, f"pause {task_of(seat).name}")


class Resuming(Steering):
    """`!resume`: the workspace is started, and the thread hears of it."""

    floor = 58
    dies_twice = ("coder tasks.resume",)
    verb = "!resume"

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """It is paused."""
        for task in map(task_of, seats):
            if task.status != "paused":
                task.pause()
        await self.life.look()

    def check(self, seat: Seat) -> None:
        """The workspace was started once, and the thread told so."""
        assert self.new_builds(seat) == ["start"]
        assert self.said(seat) == [
            f"Resumed: {title_of(seat)}. {seat.name.capitalize()} resumed it. The workspace is up again. "
            "Reply here to talk to the agent.\n[Open in Coder]"
        ]
        self.told_at_most(
            seat,
            f"Resuming *{title_of(seat)}*. I say so in the thread when it is up.",
            wishes=[f"resuming *{title_of(seat)}*"],
        )


class Editing(Steering):
    """`!edit TEXT`: the prompt of a paused task is replaced."""

    floor = 23
    dies_twice = ("coder tasks.input",)
    is_watched = False

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task that is paused."""
        await super().prepare(seats)
        for task in map(task_of, seats):
            task.pause()
        await self.life.look()

    async def go(self, seat: Seat) -> None:
        """Write it."""
        await self.write(seat, f"!edit {self._prompt(seat)}")

    def is_over(self, seat: Seat) -> bool:
        """The card shows it."""
        return self._title(seat) in self.card(seat)

    def check(self, seat: Seat) -> None:
        """The task has it, and the card shows it."""
        assert task_of(seat).prompt == self._prompt(seat)
        assert self.said(seat) == []
        assert self.card(seat) == self.card_of(
            seat,
            f"Paused: {self._title(seat)}. On it.",
            f" Reply in this thread to talk to the agent; your reply resumes it. {self.page(seat)}",
            "[Open in Coder] [Logs] [Resume] [Edit prompt] [Mute] [Delete]",
        )
        # It is called as it was before, by Coder or by an edit.
        titles = [title_of(seat), *(self._title(seat, turn) for turn in range(seat.turn + 1))]
        self.told_at_most(
            seat,
            *(
                f"*{name}* has its new prompt. The agent reads it when the task is resumed."
                for name in titles
            ),
            wishes=[f"changing the prompt of *{name}*" for name in titles],
        )

    def _prompt(self, seat: Seat) -> str:
        return f"fix it in way {seat.turn} of {seat.name}"

    def _title(self, seat: Seat, turn: int | None = None) -> str:
        return f"Fix it in way {seat.turn if turn is None else turn} of {seat.name}"


class Muting(Steering):
    """`!mute`: nobody is called any more."""

    floor = 16
    meets = TURN - {Kind.BEGIN} | {Kind.CLAIM, Kind.OUTSIDE_LIGHT}
    is_watched = False
    verb = "!mute"

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """It calls people."""
        for seat in seats:
            if "[Unmute]" in self.card(seat):
                await self.write(seat, "!unmute")
        await self.life.live_until(
            lambda: all("[Mute]" in self.card(seat) for seat in seats), "everybody is called again"
        )

    def is_over(self, seat: Seat) -> bool:
        """The card offers the opposite."""
        return "[Unmute]" in self.card(seat)

    def check(self, seat: Seat) -> None:
        """Nothing else was said."""
        assert self.said(seat) == []
        assert self.card(seat) == self.card_of(
            seat,
            f"Working: {title_of(seat)}. On it.",
            f" Reply in this thread to talk to the agent. {self.page(seat)}",
            "[Open in Coder] [Logs] [Pause] [Unmute] [Delete]",
        )
        self.told_at_most(
            seat,
            f"*{title_of(seat)}* mentions nobody any more; its messages still come. "
            f"`/task unmute {task_of(seat).name}`, or `!unmute` in its thread, undoes this.",
            wishes=[f"muting *{title_of(seat)}*"],
        )


class Detaching(Steering):
    """`!detach`: the link ends, and the task goes on."""

    floor = 24
    is_watched = False
    is_lasting = False
    verb = "!detach"

    def check(self, seat: Seat) -> None:
        """The thread was told once, the card shows it, and the task was left alone."""
        name = task_of(seat).name
        assert self.said(seat) == [
            "This thread is detached: the task itself is left alone, and I say no more about it here. "
            f"`/task attach {name}` gives it a new thread."
        ]
        assert self.card(seat) == self.card_of(
            seat,
            f"Detached: {title_of(seat)}. This thread is no longer the task's; the task itself was left "
            f"alone. `/task attach {name}` gives it one again.",
            f" {self.page(seat)}",
            "[Open in Coder]",
        )
        assert (task_of(seat).status, self.new_builds(seat)) == ("active", [])
        self.told_at_most(seat, wishes=[f"detaching *{title_of(seat)}*"])


class Deleting(Steering):
    """The dialog that asks whether a task is to be deleted is submitted."""

    floor = 49
    dies_twice = ("coder tasks.delete",)
    is_lasting = False

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """The dialog is open."""
        await self.open_dialogs({seat: f"delete {task_of(seat).name}" for seat in seats})

    async def go(self, seat: Seat) -> None:
        """Submit it."""
        await self.submit(seat)

    def check(self, seat: Seat) -> None:
        """The task is gone, and the thread told so once."""
        assert task_of(seat).is_deleted
        assert self.said(seat) == [
            f"Gone: {title_of(seat)}. {seat.name.capitalize()} deleted it. Replies here reach nobody any "
            "more. `/task create` starts a new task."
        ]
        assert self.card(seat) == self.card_of(
            seat,
            f"Gone: {title_of(seat)}. This task is no longer in Coder: replies here reach nobody. "
            "`/task create` starts a new one.",
            "",
            "",
        )
        wishes = [f"*{title_of(seat)}*", f"`{task_of(seat).id}`"]
        self.told_at_most(
            seat, f"*{title_of(seat)}* is deleted.", wishes=[f"deleting {wish}" for wish in wishes]
        )

    def check_untaken(self, seat: Seat) -> None:
        """The task is still there."""
        assert self.said(seat) == []
        assert not task_of(seat).is_deleted
