"""Flows in which a person brings a task to Slack: a new one, or an existing one."""

from collections.abc import Sequence
from typing import ClassVar

from tests.faults.actors import Actor, metadata

from .flow import Flow, prompt_of, task_of, title_of


class Creating(Flow):
    """`/task create`: a card, a task, and the link between them."""

    floor = 67
    is_watched = True
    is_lasting = False
    dies_twice: ClassVar[tuple[str, ...]] = ("slack chat.postMessage", "coder tasks.create")

    async def prepare_run(self, actors: Sequence[Actor]) -> None:
        """Forget the task of the last run."""
        for actor in actors:
            actor.task = actor.seen = None

    async def go(self, actor: Actor) -> None:
        """Type the command."""
        await self.type(actor, f"create {prompt_of(actor)}")

    def is_over(self, actor: Actor) -> bool:
        """Return whether the card shows that the task is working."""
        # A task counts only once it is linked. The number of polls before that is a matter of chance.
        bound = [metadata(message).get("task_id") for message in self.messages(actor)]
        tasks = [task for task in self.deployment.coder.tasks if task.id in bound]
        actor.task = tasks[0] if tasks else None
        return any(said.startswith("Working") for said in self.said(actor))

    def check(self, actor: Actor) -> None:
        """Check that there is one card and one task, and they are linked."""
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
        """Check that there is neither a card nor a task."""
        super().check_untaken(actor)
        assert [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)] == []


class Filling(Creating):
    """A person submits the form for a new task. After the post of the card, the flow is that of a command."""

    floor = 34
    last = "slack chat.postMessage"
    dies_twice = ()

    async def prepare_run(self, actors: Sequence[Actor]) -> None:
        """Open the form."""
        await super().prepare_run(actors)
        await self.open_dialogs(dict.fromkeys(actors, "create"))

    async def go(self, actor: Actor) -> None:
        """Submit the form."""
        await self.submit(actor, {"form.prompt": prompt_of(actor)})


class Attaching(Flow):
    """`/task attach NAME`: an existing task gets a thread."""

    floor = 56
    is_lasting = False

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task without a thread."""
        for actor in actors:
            actor.task = self.deployment.coder.add_task(actor.name, prompt_of(actor))
            actor.task.becomes("working", "On it")

    async def go(self, actor: Actor) -> None:
        """Type the command."""
        await self.type(actor, f"attach {task_of(actor).name}")

    def is_over(self, actor: Actor) -> bool:
        """Return whether there is a card."""
        return bool(self.said(actor))

    def check(self, actor: Actor) -> None:
        """Check that there is one card, and it is linked to the task."""
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
