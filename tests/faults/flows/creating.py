"""Flows in which a person creates a task from Slack, or attaches an existing task to a thread."""

from collections.abc import Sequence
from typing import ClassVar

from taskwire.settings import DEFAULT_EMOJI
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import ActionResult
from taskwire_sandbox.slack.errors import Json
from tests.faults.actors import Actor, metadata
from tests.faults.deployment import Deployment
from tests.faults.points import Kind
from tests.scenarios.people import buttons

from .deciding import AWAY, CANNOT_TELL, ONCE_ONLY, press
from .flow import Flow, prompt_of, task_of, title_of


class Creating(Flow):
    """A person types `/task create`. The bot posts a card, creates a task, and links both."""

    floor = 67
    tries_silence = True
    is_watched = True
    dies_twice: ClassVar[tuple[str, ...]] = ("slack chat.postMessage", "coder tasks.create")

    async def go(self, actor: Actor) -> None:
        """Type `/task create` with a prompt."""
        await self.type(actor, f"create {prompt_of(actor)}")

    def is_over(self, actor: Actor) -> bool:
        """Return whether the card shows that the task is working."""
        # A task counts only after the card names it. How many polls happen before that depends on chance.
        bound = [metadata(message).get("task_id") for message in self.messages(actor)]
        tasks = [task for task in self.deployment.coder.tasks if task.id in bound]
        actor.task = tasks[0] if tasks else None
        return any(said.startswith("Working") for said in self.said(actor))

    def check(self, actor: Actor) -> None:
        """Check that there is one card and one task, and that the card is linked to the task."""
        (actor.task,) = [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)]

        assert self.said(actor) == [
            self.card_of(
                actor,
                f"Working: {title_of(actor)}.",
                f" {self.page(actor)}",
                "[Stop] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, Detach, Delete]",
            )
        ]
        assert metadata(self.messages(actor)[0])["task_id"] == actor.task.id
        assert actor.task.inputs == []
        self.told_at_most(
            actor, wishes=[f"creating *{name}*" for name in (prompt_of(actor), title_of(actor))]
        )

    def check_untaken(self, actor: Actor) -> None:
        """Check that the bot has posted no card and created no task."""
        super().check_untaken(actor)
        assert [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)] == []


class Filling(Creating):
    """A person submits the form for a new task. After the bot has posted the card, the flow is the same as
    for a command."""

    floor = 34
    last = "slack chat.postMessage"
    dies_twice = ()

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Open the form for a new task."""
        await self.open_dialogs(dict.fromkeys(actors, "create"))

    async def go(self, actor: Actor) -> None:
        """Submit the form for a new task."""
        await self.submit(actor, {"form.prompt": prompt_of(actor)})


class Mentioning(Creating):
    """A person mentions the bot in a discussion. The bot posts the card as a reply in this discussion."""

    floor = 34
    last = "slack chat.postMessage"
    dies_twice: ClassVar[tuple[str, ...]] = ("slack chat.postMessage",)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write a message that begins a discussion."""
        for actor in actors:
            actor.thread_ts = await self.deployment.slack.post(actor.person, actor.channel, "it is broken")

    async def go(self, actor: Actor) -> None:
        """Mention the bot in the discussion, with a prompt."""
        await self.deployment.slack.mention(actor.person, actor.channel, prompt_of(actor), actor.thread_ts)

    def check(self, actor: Actor) -> None:
        """Check that there is one task, and one card as a reply in the discussion."""
        (actor.task,) = [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)]

        assert self.said(actor) == [
            self.card_of(
                actor,
                f"Working: {title_of(actor)}. The agent gets only messages that mention @Taskwire.",
                f" {self.page(actor)}",
                "[Stop] [⋯ Open in Coder, Follow, Logs, Give it the thread, Read every reply, Watch, Mute, "
                "New like this, Share, Detach, Delete]",
            )
        ]
        (card,) = self.messages(actor)
        assert (card["thread_ts"], metadata(card)["task_id"]) == (actor.thread_ts, actor.task.id)
        wishes = [f"creating *{name}*" for name in (prompt_of(actor), title_of(actor))]
        self.told_at_most(actor, wishes=[*wishes, "what you asked for"])


class Marking(Creating):
    """A person adds the reaction that means "create a task" to a message of a discussion. The bot posts the
    card as a reply in this discussion."""

    floor = 38
    last = "slack chat.postMessage"
    dies_twice = ()

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write a discussion whose last message has the prompt."""
        slack = self.deployment.slack
        for actor in actors:
            actor.thread_ts = await slack.post(actor.person, actor.channel, "it is broken")
            actor.message_ts = await slack.post(
                actor.person, actor.channel, prompt_of(actor), actor.thread_ts
            )

    async def go(self, actor: Actor) -> None:
        """Add the reaction to the message with the prompt."""
        await self.deployment.slack.react(actor.person, actor.channel, actor.message_ts, DEFAULT_EMOJI)

    def check(self, actor: Actor) -> None:
        """Check that there is one task, and one card as a reply in the discussion."""
        (actor.task,) = self._tasks(actor)

        (card,) = self.messages(actor)
        assert (card["thread_ts"], metadata(card)["task_id"]) == (actor.thread_ts, actor.task.id)
        (said,) = self.said(actor)
        assert said.startswith(f"Working: {title_of(actor)}")
        self.told_at_most(actor, wishes=[f"creating *{prompt_of(actor)}*", "what you asked for"])

    def check_untaken(self, actor: Actor) -> None:
        """Check that the bot has posted no card and created no task."""
        super().check_untaken(actor)
        assert self._tasks(actor) == []

    def _tasks(self, actor: Actor) -> list[SandboxTask]:
        begins = f"{prompt_of(actor)}\n\nFrom Slack: "
        return [task for task in self.deployment.coder.tasks if task.prompt.startswith(begins)]


class FillingFromMessage(Creating):
    """A person opens the form for a new task from a message, and submits the form. The thread of the message
    becomes context of the prompt."""

    floor = 39
    last = "slack chat.postMessage"
    dies_twice = ()

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write a thread, and open the form for a new task from the thread's last message."""
        await self.open_each(actors, self._open_from_message)

    async def _open_from_message(self, actor: Actor) -> ActionResult:
        slack = self.deployment.slack
        root = await slack.post(actor.person, actor.channel, "it is broken")
        ts = await slack.post(actor.person, actor.channel, "since Monday", root)
        return await slack.message_shortcut(actor.person, actor.channel, ts, "make_task")

    async def go(self, actor: Actor) -> None:
        """Submit the form, with the thread as context."""
        await self.submit(actor, {"form.prompt": prompt_of(actor), "form.with_thread": ["yes"]})

    def check(self, actor: Actor) -> None:
        """Check that there is one card and one task, and that the task's prompt ends with the thread."""
        (actor.task,) = [
            task for task in self.deployment.coder.tasks if task.prompt.startswith(f"{prompt_of(actor)}\n")
        ]

        name = actor.name.capitalize()
        assert actor.task.prompt.endswith(f"\n> {name}: it is broken\n> {name}: since Monday")
        assert [metadata(message).get("task_id") for message in self.messages(actor)] == [actor.task.id]
        self.told_at_most(
            actor, wishes=[f"creating *{name}*" for name in (prompt_of(actor), title_of(actor))]
        )


class Offering(Flow):
    """A person writes a direct message and presses *Create* below the bot's offer. The bot posts the card in
    the direct messages."""

    floor = 33
    last = "slack chat.postMessage"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        # How many direct messages the person and the bot had written before this run.
        self._earlier: dict[Actor, int] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Register the id of each person's direct messages with the bot as a name of the actor. Calls with
        this id then belong to the actor."""
        for actor in actors:
            self.deployment.watch.names.add(actor, self._direct(actor))

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write a direct message with a prompt, and wait for the bot's offer."""
        for actor in actors:
            actor.task = None
            self._earlier[actor] = len(self.deployment.slack.messages(self._direct(actor)))
            await self.deployment.slack.post(actor.person, self._direct(actor), prompt_of(actor))
        await self.deployment.run_until(lambda: all(map(self._button, actors)), "everybody has an offer")

    async def go(self, actor: Actor) -> None:
        """Press *Create* below the offer."""
        await press(self, actor, lambda: self._button(actor), self._direct(actor))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has posted the card and created the task."""
        tasks = [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)]
        actor.task = tasks[0] if tasks else None
        return bool(tasks) and bool(self._cards(actor))

    def check(self, actor: Actor) -> None:
        """Check that there is one card and one task. The offer may still be there, because a kill can prevent
        the edit that replaces it."""
        tasks = [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)]
        assert (len(tasks), len(self._cards(actor))) == (1, 1)
        wishes = [f"creating *{name}*" for name in (prompt_of(actor), title_of(actor))]
        self.told_at_most(actor, ONCE_ONLY, CANNOT_TELL, wishes=[*wishes, "what you asked for"])

    def _direct(self, actor: Actor) -> str:
        return str(self.deployment.slack.open_direct(actor.person).id)

    def _messages(self, actor: Actor) -> list[Json]:
        return self.deployment.slack.messages(self._direct(actor))[self._earlier.get(actor, 0) :]

    def _cards(self, actor: Actor) -> Sequence[object]:
        return [
            each for each in self._messages(actor) if each.get("bot_id") and metadata(each)["kind"] == "card"
        ]

    def _button(self, actor: Actor) -> tuple[str, str, str] | None:
        for message in self._messages(actor):
            for found in buttons(message, "Create"):
                return str(message["ts"]), found["action_id"], found["value"]
        return None


class Correcting(Flow):
    """A person misspells `/task craete PROMPT`, and presses the button that the bot offers for it."""

    floor = 2
    meets = frozenset({Kind.CLAIM})
    last = "inbox.claim claim:command:offered:*"

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Type the misspelt command, and wait for the bot's offer."""
        for actor in actors:
            await self.type(actor, f"craete {prompt_of(actor)}")
        await self.deployment.run_until(lambda: all(map(self._button, actors)), "everybody has an offer")

    async def go(self, actor: Actor) -> None:
        """Press *Create* below the offer."""
        await press(self, actor, lambda: self._button(actor))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has posted the card and created the task."""
        tasks = [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)]
        actor.task = tasks[0] if tasks else None
        return bool(tasks) and bool(self.said(actor))

    def check(self, actor: Actor) -> None:
        """Check that there is one card and one task. The offer may still be there, because a kill can prevent
        the edit that replaces it."""
        tasks = [task for task in self.deployment.coder.tasks if task.prompt == prompt_of(actor)]
        assert (len(tasks), len(self.said(actor))) == (1, 1)
        asked = f"> {prompt_of(actor)}"
        may_be = [f"Create a task with this?\n{asked}\n[Create]", (f"You chose *Create*:\n{asked}")]
        wishes = [f"creating *{name}*" for name in (prompt_of(actor), title_of(actor))]
        self.told_at_most(actor, *may_be, ONCE_ONLY, CANNOT_TELL, AWAY, wishes=wishes)

    def _button(self, actor: Actor) -> tuple[str, str, str] | None:
        for told in reversed(self.deployment.slack.ephemerals(actor.person)):
            for found in buttons(told.body, "Create"):
                return str(told.ts), found["action_id"], found["value"]
        return None


class Attaching(Flow):
    """A person types `/task attach NAME`. An existing task gets a thread."""

    floor = 56

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task without a thread."""
        for actor in actors:
            actor.task = self.deployment.coder.add_task(actor.name, prompt_of(actor))
            actor.task.becomes("working", "On it")

    async def go(self, actor: Actor) -> None:
        """Type `/task attach` with the task's name."""
        await self.type(actor, f"attach {task_of(actor).name}")

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has posted the card."""
        return bool(self.said(actor))

    def check(self, actor: Actor) -> None:
        """Check that there is one card, and that it is linked to the task."""
        assert self.said(actor) == [
            self.card_of(
                actor,
                f"Working: {title_of(actor)}. On it.",
                f" {self.page(actor)}",
                "[Stop] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, Detach, Delete]",
            )
        ]
        assert metadata(self.messages(actor)[0])["task_id"] == task_of(actor).id
        wishes = [f"`{task_of(actor).name}`", f"*{title_of(actor)}*"]
        self.told_at_most(actor, wishes=[f"giving a thread to {wish}" for wish in wishes])
