"""Something becomes of a task, and its thread hears of it."""

from collections.abc import Sequence
from typing import ClassVar

from tests.faults.life import Process
from tests.faults.points import Kind
from tests.faults.seats import Seat

from .flow import TURN, Flow, give_tasks, task_of, title_of

RUNS = "[Open in Coder] [Logs] [Pause] [Mute] [Delete]"


class Telling(Flow):
    """A notice, which comes once."""

    meets = TURN | {Kind.SWEEP, Kind.OUTSIDE_WRITE}
    is_watched = True
    # What is read for the notice alone: where it cannot be, the notice comes without.
    reads: ClassVar[str] = ""

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """A task whose agent works, for everybody."""
        await give_tasks(self, seats)

    def is_over(self, seat: Seat) -> bool:
        """The thread hears of it."""
        return bool(self.said(seat))

    def check(self, seat: Seat) -> None:
        """It was told once, and the card shows it."""
        if not (seat.meets(self.reads) and self.said(seat) == [self.poorer(seat)]):
            assert self.said(seat) == [self.notice(seat)]
            self.is_read(seat)
        assert self.card(seat) == self.shows(seat)
        assert self.told(seat) == []

    def notice(self, seat: Seat) -> str:
        """What is told."""
        raise NotImplementedError

    def poorer(self, seat: Seat) -> str:
        """What is told if not all could be read."""
        raise NotImplementedError

    def is_read(self, seat: Seat) -> None:
        """Note that the thread has all of it."""

    def shows(self, seat: Seat) -> str:
        """What the card shows."""
        raise NotImplementedError


class Writing(Telling):
    """A notice that brings what the agent has written; if its log cannot be read, the next one brings it."""

    reads = "coder tasks.logs"

    def __init__(self, life: Process) -> None:
        super().__init__(life)
        self._written: dict[Seat, list[str]] = {}

    def writes(self, seat: Seat, text: str) -> None:
        """Let the agent write a paragraph."""
        task_of(seat).says(text)
        self._written.setdefault(seat, []).append(text)

    def is_read(self, seat: Seat) -> None:
        """What was written is old from now on."""
        self._written[seat].clear()

    def notice(self, seat: Seat) -> str:
        """It brings all that nobody has read."""
        return self.with_excerpt(seat, "\n| \n".join(f"| {text}" for text in self._written[seat]) + "\n")

    def poorer(self, seat: Seat) -> str:
        """It brings nothing."""
        return self.with_excerpt(seat, "")

    def with_excerpt(self, seat: Seat, excerpt: str) -> str:
        """What is told."""
        raise NotImplementedError


class Completing(Writing):
    """An agent says that it is done, after it has written something."""

    floor = 27

    async def go(self, seat: Seat) -> None:
        """Write, and be done."""
        self.writes(seat, f"I mended it, {seat.turn}.")
        task_of(seat).becomes("complete", f"Opened PR {seat.turn}", "https://example.com/pull/1")

    def with_excerpt(self, seat: Seat, excerpt: str) -> str:
        """It calls the owner."""
        return (
            f"<@{seat.person}> Done: {title_of(seat)}. Opened PR {seat.turn}. Reply here if there is more to "
            f"do. <https://example.com/pull/1>\n{excerpt}[View pull request (example.com)] [Open in Coder]"
        )

    def shows(self, seat: Seat) -> str:
        """It is done."""
        return self.card_of(
            seat,
            f"Done: {title_of(seat)}. Opened PR {seat.turn}.",
            f" Reply in this thread if there is more to do. <https://example.com/pull/1> {self.page(seat)}",
            f"[View pull request (example.com)] {RUNS}",
        )


class Failing(Telling):
    """An agent says that it failed."""

    floor = 27

    async def go(self, seat: Seat) -> None:
        """Fail."""
        task_of(seat).becomes("failed", f"No luck with try {seat.turn}")

    def notice(self, seat: Seat) -> str:
        """It calls the owner."""
        return (
            f"<@{seat.person}> Failed: {title_of(seat)}. The agent says that it failed: “No luck with try "
            f"{seat.turn}”. Reply here to tell the agent how to go on.\n[Open in Coder] [Logs]"
        )

    def shows(self, seat: Seat) -> str:
        """It has failed."""
        return self.card_of(
            seat,
            f"Failed: {title_of(seat)}. No luck with try {seat.turn}.",
            f" Reply in this thread to tell the agent how to go on. {self.page(seat)}",
            RUNS,
        )


class Needing(Writing):
    """An agent waits for a person."""

    floor = 37
    settle_seconds = 20.0

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """It has its answer to what it asked before, and works."""
        for seat in seats:
            task_of(seat).becomes("idle", "Ready")
            await self.write(seat, f"answer {seat.turn}")
        await self.life.live_until(
            lambda: all("white_check_mark" in self.marks(seat) for seat in seats), "all have their answers"
        )
        for seat in seats:
            task_of(seat).becomes("working", f"Turn {seat.turn}")
        await self.life.look()

    async def go(self, seat: Seat) -> None:
        """Ask, and wait."""
        self.writes(seat, f"Which one, {seat.turn}?")
        task_of(seat).becomes("idle", f"Question {seat.turn}")

    def with_excerpt(self, seat: Seat, excerpt: str) -> str:
        """It calls the owner."""
        return (
            f"<@{seat.person}> Needs you: {title_of(seat)}. The agent is waiting for you. It last reported: "
            f"“Question {seat.turn}”. Reply here to go on.\n{excerpt}[Open in Coder] [Logs]"
        )

    def shows(self, seat: Seat) -> str:
        """It needs somebody."""
        return self.card_of(
            seat,
            f"Needs you: {title_of(seat)}. Question {seat.turn}.",
            f" Reply in this thread to go on. {self.page(seat)}",
            RUNS,
        )


class Breaking(Telling):
    """A workspace breaks."""

    floor = 34
    reads = "coder workspaces.get"
    is_lasting = False
    settle_seconds = 20.0

    async def go(self, seat: Seat) -> None:
        """Let its agent crash."""
        task_of(seat).crashes()

    def notice(self, seat: Seat) -> str:
        """It calls the owner."""
        return self._told(
            seat,
            "The agent crashed. Its workspace itself is fine. "
            "*Retry* stops the workspace and starts it again.",
        )

    def poorer(self, seat: Seat) -> str:
        """It says no more than the list did."""
        return self._told(
            seat,
            "Coder reports an error with the workspace, so the agent cannot work. *Retry* starts the "
            "workspace again. If it fails the same way, show this to whoever looks after the template.",
        )

    def _told(self, seat: Seat, what: str) -> str:
        return f"<@{seat.person}> Broken: {title_of(seat)}. {what}\n[Retry] [Open in Coder]"

    def shows(self, seat: Seat) -> str:
        """It is broken."""
        return self.card_of(
            seat,
            f"Broken: {title_of(seat)}. Coder reports an error with its workspace. *Retry* starts it again.",
            " Replies in this thread are not delivered while it is broken; a button sends them later. "
            f"{self.page(seat)}",
            "[Open in Coder] [Logs] [Retry] [Mute] [Delete]",
        )


class PausedElsewhere(Telling):
    """A workspace is stopped for want of use."""

    floor = 29
    reads = "coder workspaces.get"

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """It runs."""
        for task in map(task_of, seats):
            if task.status == "paused":
                task.resume()
            task.becomes("working", "On it")
        await self.life.look()

    async def go(self, seat: Seat) -> None:
        """Let Coder stop it."""
        task_of(seat).pause_by_timeout()

    def notice(self, seat: Seat) -> str:
        """It calls nobody."""
        return self._told(seat, "Nothing happened in it for a while, so Coder stopped its workspace.")

    def poorer(self, seat: Seat) -> str:
        """It does not say why."""
        return self._told(seat, "The workspace was stopped in Coder.")

    def _told(self, seat: Seat, why: str) -> str:
        return (
            f"Paused: {title_of(seat)}. {why} Nothing is lost. Reply here and it goes on.\n"
            "[Resume] [Edit prompt] [Open in Coder]"
        )

    def shows(self, seat: Seat) -> str:
        """It is paused."""
        return self.card_of(
            seat,
            f"Paused: {title_of(seat)}. On it.",
            f" Reply in this thread to talk to the agent; your reply resumes it. {self.page(seat)}",
            "[Open in Coder] [Logs] [Resume] [Edit prompt] [Mute] [Delete]",
        )


class ResumedElsewhere(Telling):
    """A workspace is started in Coder's own pages."""

    floor = 32

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """It is paused."""
        for task in map(task_of, seats):
            if task.status != "paused":
                task.pause()
        await self.life.look()

    async def go(self, seat: Seat) -> None:
        """Start it."""
        task_of(seat).resume()

    def notice(self, seat: Seat) -> str:
        """It calls nobody."""
        return (
            f"Resumed: {title_of(seat)}. The workspace is up again. Reply here to talk to the agent.\n"
            "[Open in Coder]"
        )

    def shows(self, seat: Seat) -> str:
        """It starts."""
        return self.card_of(
            seat,
            f"Starting: {title_of(seat)}.",
            " Reply in this thread to talk to the agent; it gets your words as soon as it is up. "
            f"{self.page(seat)}",
            RUNS,
        )


class Vanishing(Telling):
    """A task is deleted in Coder's own pages."""

    floor = 42
    is_lasting = False
    # A sweep makes certain of one after the other.
    is_solitary = True

    async def go(self, seat: Seat) -> None:
        """Delete it."""
        task_of(seat).deleted_elsewhere()

    def notice(self, seat: Seat) -> str:
        """It calls nobody."""
        return (
            f"Gone: {title_of(seat)}. The task no longer exists in Coder. Replies here reach nobody any "
            "more. `/task create` starts a new task."
        )

    def shows(self, seat: Seat) -> str:
        """It is gone."""
        return self.card_of(
            seat,
            f"Gone: {title_of(seat)}. This task is no longer in Coder: replies here reach nobody. "
            "`/task create` starts a new one.",
            "",
            "",
        )
