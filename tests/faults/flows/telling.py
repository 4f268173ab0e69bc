"""Flows in which something happens to a task, and the bot posts a notice in its thread."""

from collections.abc import Sequence
from typing import ClassVar

from tests.faults.actors import Actor
from tests.faults.deployment import Deployment
from tests.faults.points import Kind

from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of

MENU = "[⋯ Open in Coder, Logs, Watch, Mute, New like this, Share, Detach, Delete]"
RUNS = f"[Stop] {MENU}"


class Telling(Flow):
    """The base of these flows. Each flow checks that the bot posts one notice, once."""

    meets = LEASE_KINDS | {Kind.SWEEP, Kind.OUTSIDE_WRITE}
    is_watched = True
    # The name of the call that reads the excerpt or the reason for the notice. If this call fails, the bot
    # posts the notice without the excerpt or reason.
    reads: ClassVar[str] = ""

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task whose agent is working."""
        await give_tasks(self, actors)

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has posted a notice."""
        return bool(self.said(actor))

    def check(self, actor: Actor) -> None:
        """Check that the notice was posted once, and that the card shows the new state."""
        if not (actor.loses_answer_of(self.reads) and self.said(actor) == [self.poorer(actor)]):
            assert self.said(actor) == [self.notice(actor)]
            self.is_read(actor)
        assert self.card(actor) == self.shows(actor)
        assert self.told(actor) == []

    def notice(self, actor: Actor) -> str:
        """Return the expected notice."""
        raise NotImplementedError

    def poorer(self, actor: Actor) -> str:
        """Return the expected notice if the call named `reads` has failed. This notice lacks what the call
        would have read."""
        raise NotImplementedError

    def is_read(self, actor: Actor) -> None:
        """Note that the notice was posted, so the thread now shows all that the agent has written so far."""

    def shows(self, actor: Actor) -> str:
        """Return the expected text of the card."""
        raise NotImplementedError


class Writing(Telling):
    """The base of flows whose notice has an excerpt of what the agent wrote. If the bot cannot read the
    agent's log, the excerpt is added to the next notice."""

    reads = "coder tasks.logs"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._written: dict[Actor, list[str]] = {}

    def writes(self, actor: Actor, text: str) -> None:
        """Let the agent write a paragraph."""
        task_of(actor).says(text)
        self._written.setdefault(actor, []).append(text)

    def is_read(self, actor: Actor) -> None:
        """Forget the paragraphs that the thread already shows. The next notice must not repeat them."""
        self._written[actor].clear()

    def notice(self, actor: Actor) -> str:
        """Return the expected notice, with every paragraph that no notice had before."""
        return self.with_words(actor, self._written[actor])

    def with_words(self, actor: Actor, texts: Sequence[str]) -> str:
        """Return the expected notice with these paragraphs of the agent."""
        raise NotImplementedError


class Completing(Writing):
    """An agent writes something and reports that it is done."""

    floor = 27
    tries_silence = True

    async def go(self, actor: Actor) -> None:
        """Let the agent write something and report that it is done."""
        self.writes(actor, f"I mended it, {actor.run_number}.")
        task_of(actor).becomes("complete", f"Opened PR {actor.run_number}", "https://example.com/a/b/pull/1")

    def with_words(self, actor: Actor, texts: Sequence[str]) -> str:
        """Return the expected notice, which mentions the owner and begins with the agent's first
        paragraph."""
        first, *rest = texts
        lines = [
            f"Done: {title_of(actor)}. Reply here if there is more to do. <https://example.com/a/b/pull/1>"
        ]
        return "\n".join([f"<@{actor.person}> {first}", *lines, *rest, "[View pull request (example.com)]"])

    def poorer(self, actor: Actor) -> str:
        """Return the expected notice for the case that the log could not be read. It has the agent's report
        instead of the agent's text."""
        return self.with_words(actor, [f"Opened PR {actor.run_number}."])

    def shows(self, actor: Actor) -> str:
        """Return the expected card, which says that the task is done."""
        return self.card_of(
            actor,
            f"Done: {title_of(actor)}. Opened PR {actor.run_number}.",
            f" <https://example.com/a/b/pull/1> {self.page(actor)}",
            f"[View pull request (example.com)] {MENU}",
        )


class Failing(Telling):
    """An agent reports that it failed."""

    floor = 27

    async def go(self, actor: Actor) -> None:
        """Let the agent report a failure."""
        task_of(actor).becomes("failed", f"No luck with try {actor.run_number}")

    def notice(self, actor: Actor) -> str:
        """Return the expected notice, which mentions the owner."""
        return (
            f"<@{actor.person}> No luck with try {actor.run_number}.\n"
            f"Failed: {title_of(actor)}. Reply here to tell the agent how to go on.\n[Logs]"
        )

    def shows(self, actor: Actor) -> str:
        """Return the expected card, which says that the task has failed."""
        return self.card_of(
            actor,
            f"Failed: {title_of(actor)}. No luck with try {actor.run_number}.",
            f" {self.page(actor)}",
            f"[Reply] {MENU}",
        )


class Needing(Writing):
    """An agent asks something and becomes idle, so it needs a person."""

    floor = 37
    settle_seconds = 20.0

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let the person answer the agent's latest question, and let the agent work again."""
        await self.begin_turn(actors)

    async def go(self, actor: Actor) -> None:
        """Let the agent ask something and become idle."""
        self.writes(actor, f"Which one, {actor.run_number}?")
        task_of(actor).becomes("idle", f"Question {actor.run_number}")

    def with_words(self, actor: Actor, texts: Sequence[str]) -> str:
        """Return the expected notice, which mentions the owner and begins with the question."""
        *rest, question = texts
        follow = f"Needs you: {title_of(actor)}. Reply here to go on."
        return "\n".join([f"<@{actor.person}> {question}", follow, *rest])

    def poorer(self, actor: Actor) -> str:
        """Return the expected notice for the case that the log could not be read. It has the agent's report
        instead of the question."""
        return self.with_words(actor, [f"Question {actor.run_number}."]) + "\n[Logs]"

    def shows(self, actor: Actor) -> str:
        """Return the expected card, which says that the task needs somebody."""
        return self.card_of(
            actor,
            f"Needs you: {title_of(actor)}. Question {actor.run_number}.",
            f" {self.page(actor)}",
            f"[Answer] {RUNS}",
        )


class Breaking(Telling):
    """An agent crashes, and Coder shows its task as broken."""

    floor = 34
    reads = "coder workspaces.get"
    settle_seconds = 20.0

    async def go(self, actor: Actor) -> None:
        """Let the agent crash."""
        task_of(actor).crashes()

    def notice(self, actor: Actor) -> str:
        """Return the expected notice, which mentions the owner."""
        return self._told(
            actor,
            "The agent crashed. Its workspace is running. *Retry* stops the workspace and starts it again.",
        )

    def poorer(self, actor: Actor) -> str:
        """Return the expected notice for the case that the reason could not be read. It says only what
        Coder's list of tasks shows."""
        return self._told(
            actor,
            "The workspace is broken, so the agent can't work. *Retry* starts the workspace again. If that "
            "fails, show this to a Coder administrator.",
        )

    def _told(self, actor: Actor, what: str) -> str:
        return f"<@{actor.person}> Broken: {title_of(actor)}. {what}\n[Retry]"

    def shows(self, actor: Actor) -> str:
        """Return the expected card, which says that the task is broken."""
        return self.card_of(
            actor,
            f"Broken: {title_of(actor)}. The agent can't work.",
            f" {self.page(actor)}",
            f"[Retry] {MENU}",
        )


class PausedElsewhere(Telling):
    """Coder stops an idle workspace, and the bot posts a notice."""

    floor = 29
    reads = "coder workspaces.get"

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let the agent work."""
        await self.let_work(actors)

    async def go(self, actor: Actor) -> None:
        """Let Coder stop the workspace."""
        task_of(actor).pause_by_timeout()

    def notice(self, actor: Actor) -> str:
        """Return the expected notice, which mentions nobody."""
        return self._told(actor, "Nothing happened for a while, so Coder stopped its workspace.")

    def poorer(self, actor: Actor) -> str:
        """Return the expected notice for the case that the workspace could not be read. It gives no
        reason."""
        return self._told(actor, "The workspace was stopped in Coder.")

    def _told(self, actor: Actor, why: str) -> str:
        return (
            f"Paused: {title_of(actor)}. {why} Nothing is lost: a reply resumes it.\n[Resume] [Edit prompt]"
        )

    def shows(self, actor: Actor) -> str:
        """Return the expected card, which says that the task is paused."""
        return self.card_of(
            actor,
            f"Paused: {title_of(actor)}. On it.",
            f" {self.page(actor)}",
            "[Resume] [⋯ Open in Coder, Logs, Edit prompt, Watch, Mute, New like this, Share, Detach, "
            "Delete]",
        )


class ResumedElsewhere(Telling):
    """Somebody starts a workspace in Coder."""

    floor = 32

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Pause the task in Coder."""
        for task in map(task_of, actors):
            if task.status != "paused":
                task.pause()
        await self.deployment.poll()

    async def go(self, actor: Actor) -> None:
        """Start the workspace in Coder."""
        task_of(actor).resume()

    def notice(self, actor: Actor) -> str:
        """Return the expected notice, which mentions nobody."""
        return f"Resumed: {title_of(actor)}. The workspace is running. Reply here to talk to the agent."

    def shows(self, actor: Actor) -> str:
        """Return the expected card, which says that the task is starting."""
        return self.card_of(
            actor,
            f"Starting: {title_of(actor)}.",
            f" {self.page(actor)}",
            RUNS,
        )


class Vanishing(Telling):
    """Somebody deletes a task in Coder."""

    floor = 42
    # If several tasks have vanished, a poll looks for them one after the other. A fault of one actor would
    # therefore delay the others.
    is_solitary = True

    async def go(self, actor: Actor) -> None:
        """Delete the task in Coder."""
        task_of(actor).delete()

    def notice(self, actor: Actor) -> str:
        """Return the expected notice, which mentions nobody."""
        return (
            f"Gone: {title_of(actor)}. The task is no longer in Coder. No agent gets replies here now.\n"
            "[New task]"
        )

    def shows(self, actor: Actor) -> str:
        """Return the expected card, which says that the task is gone."""
        return self.card_of(
            actor,
            f"Gone: {title_of(actor)}. This task is no longer in Coder, so no agent gets replies here. "
            "`/task create` creates a new task.",
            "",
            "",
        )
