"""Flows in which a person steers a task: by a verb in its thread, by a command with its name, or by a
dialog."""

from collections.abc import Sequence
from typing import ClassVar

from tests.faults.actors import Actor
from tests.faults.points import Kind
from tests.scenarios.people import buttons

from .deciding import AWAY, CANNOT_TELL, press
from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of


class Steering(Flow):
    """A person writes a verb in the thread of a running task."""

    is_watched = True
    verb: ClassVar[str]

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def go(self, actor: Actor) -> None:
        """Write the flow's verb in the thread."""
        await self.write(actor, self.verb)

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has posted a message about the verb in the thread."""
        return bool(self.said(actor))


class Pausing(Steering):
    """A person writes `!pause`. The workspace is stopped, and the bot says so in the thread."""

    floor = 60
    tries_silence = True
    dies_twice: ClassVar[tuple[str, ...]] = ("coder tasks.pause",)
    verb = "!pause"

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let the task run."""
        await self.let_work(actors)

    def check(self, actor: Actor) -> None:
        """Check that the workspace was stopped once, and that the bot said so once in the thread."""
        assert self.new_builds(actor) == ["stop"]
        assert self.said(actor) == [f"Paused by {actor.name.capitalize()}. A reply resumes it."]
        assert self.card(actor) == self.card_of(
            actor,
            f"Paused: {title_of(actor)}. On it.",
            f" {self.page(actor)}",
            "[Resume] [⋯ Open in Coder, Logs, Edit prompt, Watch, Mute, New like this, Share, Detach, "
            "Delete]",
        )
        self.told_at_most(
            actor,
            self.answer(actor),
            wishes=[
                f"stopping *{title_of(actor)}*",
                f"stopping `{task_of(actor).name}`",
                "what you asked for",
            ],
        )

    def answer(self, actor: Actor) -> str:
        """Return the expected private answer."""
        return f"Pausing *{title_of(actor)}*. A reply in its thread resumes it."


class PausingByCommand(Pausing):
    """A person types `/task pause NAME`. The bot finds the task by its name. After that the flow is the same
    as for the verb."""

    floor = 20
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM}
    last = "take to_coder:act:pause"
    dies_twice = ()

    async def go(self, actor: Actor) -> None:
        """Type `/task pause` with the task's name."""
        await self.type(actor, f"pause {task_of(actor).name}")


class Stopping(Pausing):
    """A person writes only `stop` in a thread. The bot pauses the task, and offers to send the word to the
    agent.

    `Pausing` proves what follows.
    """

    floor = 26
    last = "end to_coder:act:pause done"
    dies_twice = ()
    verb = "stop"

    def answer(self, actor: Actor) -> str:
        """Return the expected private answer. It has a button that sends the word to the agent."""
        return f"{super().answer(actor)}\n[I meant it as text]"

    def check(self, actor: Actor) -> None:
        """Check that the workspace was stopped once, and that the word was not sent to the agent."""
        super().check(actor)
        assert task_of(actor).inputs == []


class StoppingByOffer(Pausing):
    """The author of a bare `pause` presses *Stop the task*, which the bot offers. The word is not sent to the
    agent.

    `Pausing` proves what follows.
    """

    floor = 28
    last = "end to_coder:act:pause done"
    dies_twice = ()

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write `pause` to a busy agent, and wait for the offer."""
        await super().reach_start(actors)
        for actor in actors:
            await self.write(actor, "pause")
        await self.deployment.run_until(lambda: all(map(self._offer, actors)), "everybody has the offer")

    async def go(self, actor: Actor) -> None:
        """Press *Stop the task*."""
        await press(self, actor, lambda: self._offer(actor))

    def check(self, actor: Actor) -> None:
        """Check that the workspace was stopped once, and that the word did not reach the agent."""
        assert self.new_builds(actor) == ["stop"]
        assert self.said(actor) == [f"Paused by {actor.name.capitalize()}. A reply resumes it."]
        assert task_of(actor).inputs == []
        assert self.marks(actor) == []
        title = f"*{title_of(actor)}*"
        # If the bot's answer to the press was lost, the person presses again and gets this text.
        late = f"{title} is already paused. A reply in its thread resumes it."
        answer = f"{self.answer(actor)}\n[I meant it as text]"
        assert set(self.told(actor)) <= {answer, late, CANNOT_TELL, AWAY, self.waits(title)}

    def waits(self, title: str) -> str:
        """Return what the bot tells a person while Coder does not answer."""
        return (
            f"Coder is not answering, so stopping {title} has to wait. I'll try for an hour; no need to "
            "repeat it."
        )

    def _offer(self, actor: Actor) -> tuple[str, str, str] | None:
        for told in self.deployment.slack.ephemerals(actor.person):
            for found in buttons(told.body, "Stop the task"):
                if found["value"].endswith(f":{actor.message_ts}"):
                    return told.ts, found["action_id"], found["value"]
        return None


class StoppingBySign(Pausing):
    """A person adds the reaction stop sign to a notice. A job finds the notice's task. After that the flow is
    the same as for the verb."""

    floor = 9
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM}
    last = "take to_coder:act:pause"
    dies_twice = ()

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task, and let the bot post a notice about it."""
        await super().prepare(actors)
        for actor in actors:
            task_of(actor).becomes("complete", f"Done by {actor.name}")
        await self.deployment.poll()
        await self.deployment.run_until(lambda: all(map(self._notices, actors)), "everybody has a notice")
        for actor in actors:
            actor.message_ts = self._notices(actor)[-1]

    def _notices(self, actor: Actor) -> list[str]:
        thread = self.deployment.slack.thread(actor.channel, actor.thread_ts)
        return [str(each["ts"]) for each in thread if f"Done by {actor.name}" in str(each["text"])][1:]

    async def go(self, actor: Actor) -> None:
        """Add the stop sign to the notice. Then remove it, so that the next run can add it again."""
        where = (actor.person, actor.channel, actor.message_ts, "octagonal_sign")
        await self.deployment.slack.react(*where)
        await self.deployment.slack.unreact(*where)


class Resuming(Steering):
    """A person writes `!resume`. The workspace is started, and the bot says so in the thread."""

    floor = 66
    dies_twice = ("coder tasks.resume",)
    verb = "!resume"

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Pause the task in Coder."""
        for task in map(task_of, actors):
            if task.status != "paused":
                task.pause()
        await self.deployment.poll()

    def check(self, actor: Actor) -> None:
        """Check that the workspace was started once, and that the bot said so once in the thread."""
        assert self.new_builds(actor) == ["start"]
        assert self.said(actor) == [f"Resumed by {actor.name.capitalize()}."]
        self.told_at_most(
            actor,
            f"Resuming *{title_of(actor)}*.",
            wishes=[f"resuming *{title_of(actor)}*"],
        )


class Editing(Steering):
    """A person writes `!edit TEXT` in the thread of a paused task. The task gets a new prompt."""

    floor = 31
    dies_twice = ("coder tasks.input",)
    is_watched = False

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a paused task."""
        await super().prepare(actors)
        for task in map(task_of, actors):
            task.pause()
        await self.deployment.poll()

    async def go(self, actor: Actor) -> None:
        """Write `!edit` with a new prompt."""
        await self.write(actor, f"!edit {self._prompt(actor)}")

    def is_over(self, actor: Actor) -> bool:
        """Return whether the card's title is made from the new prompt."""
        return self._title(actor) in self.card(actor)

    def check(self, actor: Actor) -> None:
        """Check that the task has the new prompt, and that the card shows it."""
        assert task_of(actor).prompt == self._prompt(actor)
        assert self.said(actor) == []
        assert self.card(actor) == self.card_of(
            actor,
            f"Paused: {self._title(actor)}. On it.",
            f" {self.page(actor)}",
            "[Resume] [⋯ Open in Coder, Logs, Edit prompt, Watch, Mute, New like this, Share, Detach, "
            "Delete]",
        )
        # The private answer may name the task by an older title: Coder's own, or the title of an earlier
        # edit.
        titles = [title_of(actor), *(self._title(actor, number) for number in range(actor.run_number + 1))]
        self.told_at_most(
            actor,
            *(f"*{name}* has a new prompt. The agent reads it when the task is resumed." for name in titles),
            wishes=[f"editing the prompt of *{name}*" for name in titles],
        )

    def _prompt(self, actor: Actor) -> str:
        return f"fix it in way {actor.run_number} of {actor.name}"

    def _title(self, actor: Actor, number: int | None = None) -> str:
        return f"Fix it in way {actor.run_number if number is None else number} of {actor.name}"


class Muting(Steering):
    """A person writes `!mute`. After that, notices of the task mention nobody."""

    floor = 24
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM, Kind.OUTSIDE_LIGHT}
    is_watched = False
    verb = "!mute"

    def is_over(self, actor: Actor) -> bool:
        """Return whether the card offers *Unmute*."""
        return ", Unmute," in self.card(actor)

    def check(self, actor: Actor) -> None:
        """Check that the card offers *Unmute*, and that the bot posted nothing else."""
        assert self.said(actor) == []
        assert self.card(actor) == self.card_of(
            actor,
            f"Working: {title_of(actor)}. On it.",
            f" {self.page(actor)}",
            "[Stop] [⋯ Open in Coder, Follow, Logs, Watch, Unmute, New like this, Share, Detach, Delete]",
        )
        self.told_at_most(
            actor,
            f"Muted: I call nobody about *{title_of(actor)}*, not even its watchers. "
            "Its messages still come.\n[Undo]",
            wishes=[f"muting *{title_of(actor)}*"],
        )


class Following(Steering):
    """A person writes `!follow`. One message shows what the agent writes until the agent is done."""

    floor = 21
    last = "slack chat.postMessage"
    verb = "!follow"

    def is_over(self, actor: Actor) -> bool:
        """When the bot has posted the message, let the agent finish. Return whether the message and a notice
        say that it is done."""
        if self.said(actor) and task_of(actor).state == "working":
            task_of(actor).becomes("complete", "Opened PR #12")
        return len(self.said(actor)) > 1 and ", live for everybody" not in self.said(actor)[0]

    def check(self, actor: Actor) -> None:
        """Check that the bot posted one message that shows what the agent writes, and one notice that the
        agent is done."""
        assert self.said(actor) == [
            f"Followed *{title_of(actor)}* until the agent was done.",
            f"<@{actor.person}> Opened PR #12.\nDone: {title_of(actor)}. Reply here if there is more to do.",
        ]
        self.told_at_most(actor, wishes=[f"following *{title_of(actor)}*"])


class Detaching(Steering):
    """A person writes `!detach`. The link ends, and the task continues."""

    floor = 32
    is_watched = False
    verb = "!detach"

    def check(self, actor: Actor) -> None:
        """Check that the bot said once that the link has ended, that the card shows this, and that the task
        was not changed."""
        assert self.said(actor) == [
            "Detached: replies here no longer reach the agent. The task itself stays as it is.\n[Attach "
            "again]"
        ]
        assert self.card(actor) == self.card_of(
            actor,
            f"Detached: {title_of(actor)}.",
            f" {self.page(actor)}",
            "[Open in Coder]",
        )
        assert (task_of(actor).status, self.new_builds(actor)) == ("active", [])
        self.told_at_most(actor, wishes=[f"detaching *{title_of(actor)}*"])


class Deleting(Steering):
    """A person submits the dialog that confirms a deletion. The task is deleted."""

    floor = 61
    dies_twice = ("coder tasks.delete",)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Open the dialog that confirms the deletion."""
        await self.open_dialogs({actor: f"delete {task_of(actor).name}" for actor in actors})

    async def go(self, actor: Actor) -> None:
        """Submit the dialog that confirms the deletion."""
        await self.submit(actor)

    def check(self, actor: Actor) -> None:
        """Check that the task is deleted, and that the bot said so once in the thread."""
        assert task_of(actor).is_deleted
        assert self.said(actor) == [
            f"Gone: {title_of(actor)}. {actor.name.capitalize()} deleted it. No agent gets replies here "
            "now.\n[New task]"
        ]
        assert self.card(actor) == self.card_of(
            actor,
            f"Gone: {title_of(actor)}. This task is no longer in Coder, so no agent gets replies here. "
            "`/task create` creates a new task.",
            "",
            "",
        )
        wishes = [f"*{title_of(actor)}*", f"`{task_of(actor).id}`"]
        self.told_at_most(
            actor, f"*{title_of(actor)}* is deleted.", wishes=[f"deleting {wish}" for wish in wishes]
        )

    def check_untaken(self, actor: Actor) -> None:
        """Check that the task is still there."""
        assert self.said(actor) == []
        assert not task_of(actor).is_deleted
