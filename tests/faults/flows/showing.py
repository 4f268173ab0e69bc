"""Flows that show the present state of a task: the card, Slack's agent surface, and the log as a file."""

from collections.abc import Sequence

from tests.faults.actors import Actor
from tests.faults.points import Kind
from tests.scenarios.reading import shown

from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of

NOT_NOW = (
    "Coder is not answering. Try again in a minute.",
    "Slack refused that. Try again in a minute.",
)


class Drawing(Flow):
    """An agent reports something, and the card shows the report."""

    floor = 17
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.SWEEP, Kind.OUTSIDE_LIGHT}
    is_watched = True

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task whose agent is working."""
        await give_tasks(self, actors)

    async def go(self, actor: Actor) -> None:
        """Let the agent report something."""
        task_of(actor).becomes("working", self._report(actor))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the card shows the report."""
        return self._report(actor) in self.card(actor)

    def check(self, actor: Actor) -> None:
        """Check that the card shows the report, and that the bot said nothing else."""
        assert self.card(actor) == self.card_of(
            actor,
            f"Working: {title_of(actor)}. {self._report(actor)}.",
            f" {self.page(actor)}",
            "[Stop] [⋯ Open in Coder, Follow, Logs, Watch, Mute, New like this, Share, Detach, Delete]",
        )
        assert (self.said(actor), self.told(actor)) == ([], [])

    def _report(self, actor: Actor) -> str:
        return f"Step {actor.run_number} of {actor.name}"


class ShowingSession(Drawing):
    """An agent starts to work again, and Slack's own agent surface shows this. `Drawing` proves the first
    calls of this flow."""

    floor = 24
    is_timed = True
    is_agent = True

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let the agent end its turn."""
        for actor in actors:
            task_of(actor).becomes("complete", f"Done with {actor.run_number + 1}")
        await self.deployment.poll()
        await self.deployment.run_until(
            lambda: all(self._shown(actor) == "active" for actor in actors), "no agent works"
        )

    def is_over(self, actor: Actor) -> bool:
        """Return whether Slack's agent surface shows that the agent works."""
        return super().is_over(actor) and self._shown(actor) == "processing"

    def _shown(self, actor: Actor) -> str:
        return self.deployment.slack.session_status(actor.channel, actor.thread_ts)


class Logging(Flow):
    """A person writes `!logs full`. The bot sends the whole log as a file by direct message."""

    floor = 30
    tries_silence = True
    dies_twice = ("slack files.completeUploadExternal",)

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task whose agent has written a long log."""
        await give_tasks(self, actors)
        for actor in actors:
            # A call that names the person's direct messages belongs to the actor.
            self.deployment.watch.names.add(actor, self.deployment.slack.open_direct(actor.person).id)
            task_of(actor).says("\n\n".join(f"Step {number} is done." for number in range(50)))

    async def go(self, actor: Actor) -> None:
        """Write `!logs full` in the thread."""
        await self.write(actor, "!logs full")

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has sent the file, or has told the person why it cannot. After a failure,
        the bot does not try again by itself."""
        return bool(self._files(actor) or set(self.told(actor)) & set(NOT_NOW))

    def check(self, actor: Actor) -> None:
        """Check that the file was sent at most once, and that the person was told of it at most once."""
        sent = f"The whole log of *{title_of(actor)}* is in your direct messages with me."
        files = self._files(actor)
        self.told_at_most(actor, *((sent, f"{sent}\n[Open the file]") if files else NOT_NOW))
        assert self.said(actor) == []
        assert files in ([], [f"(file {task_of(actor).name}.log)"])

    def _files(self, actor: Actor) -> list[str]:
        slack = self.deployment.slack
        messages = slack.messages(slack.open_direct(actor.person).id)
        return [shown(each) for each in messages if float(str(each["ts"])) > float(actor.message_ts)]
