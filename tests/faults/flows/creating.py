"""Somebody brings a task to Slack: a new one, or one that exists."""

from collections.abc import Sequence
from typing import ClassVar

from tests.faults.actors import Actor, metadata

from .flow import Flow, prompt_of, task_of, title_of


class Creating(Flow):
    """`/task create`: a card, a task, and the bond between them."""

    floor = 67
    is_watched = True
    is_lasting = False
    dies_twice: ClassVar[tuple[str, ...]] = ("slack chat.postMessage", "coder tasks.create")

    async def set_out(self, actors: Sequence[Actor]) -> None:
        """Nobody has a task yet."""
        for actor in actors:
            actor.task = actor.seen = None

    async def go(self, actor: Actor) -> None:
        """Type it."""
        await self.type(actor, f"create {prompt_of(actor)}")

    def is_over(self, actor: Actor) -> bool:
        """The card shows a task that is up."""
        # Coder is not looked at before the two are bound: how often that would be is a matter of chance.
        bound = [metadata(message).get("task_id") for message in self.messages(actor)]
        tasks = [task for task in self.deployment.coder.tasks if task.id in bound]
        actor.task = tasks[0] if tasks else None
        return any(said.startswith("Working") for said in self.said(actor))

    def check(self, actor: Actor) -> None:
        """One card and one task, bound to each other."""
        (actor.task,) = [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)]

        assert self.said(actor) == [
            self.card_of(
                actor,
                f"Working: {title_of(actor)}.",
                f" Reply in this thread to talk to the agent. {self.page(actor)}",
                "[Open in Coder] [Logs] [Pause] [Mute] [Delete]",
            )
        ]
        assert metadata(self.messages(actor)[0])["task_id"] == actor.task.id
        assert actor.task.inputs == []
        self.told_at_most(
            actor, wishes=[f"creating *{name}*" for name in (prompt_of(actor), title_of(actor))]
        )

    def check_untaken(self, actor: Actor) -> None:
        """Neither card nor task."""
        super().check_untaken(actor)
        assert [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)] == []


class Filling(Creating):
    """The form for a new task is submitted; the card's post and all behind it is as for a command."""

    floor = 26
    last = "slack chat.postMessage"
    dies_twice = ()

    async def set_out(self, actors: Sequence[Actor]) -> None:
        """It is open."""
        await super().set_out(actors)
        await self.open_dialogs(dict.fromkeys(actors, "create"))

    async def go(self, actor: Actor) -> None:
        """Submit it."""
        await self.submit(actor, {"form.prompt": prompt_of(actor)})


class Attaching(Flow):
    """`/task attach NAME`: a task that exists gets a thread."""

    floor = 56
    is_lasting = False

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """A task without a thread for everybody."""
        for actor in actors:
            actor.task = self.deployment.coder.add_task(actor.name, prompt_of(actor))
            actor.task.becomes("working", "On it")

    async def go(self, actor: Actor) -> None:
        """Type it."""
        await self.type(actor, f"attach {task_of(actor).name}")

    def is_over(self, actor: Actor) -> bool:
        """There is a card."""
        return bool(self.said(actor))

    def check(self, actor: Actor) -> None:
        """There is one, bound to the task."""
        assert self.said(actor) == [
            self.card_of(
                actor,
                f"Working: {title_of(actor)}. On it.",
                f" Reply in this thread to talk to the agent. {self.page(actor)}",
                "[Open in Coder] [Logs] [Pause] [Mute] [Delete]",
            )
        ]
        assert metadata(self.messages(actor)[0])["task_id"] == task_of(actor).id
        wishes = [f"`{task_of(actor).name}`", f"*{title_of(actor)}*"]
        self.told_at_most(actor, wishes=[f"giving a thread to {wish}" for wish in wishes])
