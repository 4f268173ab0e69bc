"""A flow in which a person snoozes the reminder of an open question."""

from collections.abc import Sequence

from tests.faults.actors import Actor
from tests.faults.points import Kind

from .deciding import ANSWERED, AWAY, CANNOT_TELL, press
from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of


class Snoozing(Flow):
    """A person snoozes a reminder. The reminder loses its buttons and then says who snoozed it."""

    floor = 17
    is_watched = True
    settle_seconds = 20.0
    reminder_seconds = 60.0
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM, Kind.OUTSIDE_LIGHT}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Answer the agent's latest question, let it ask another question, and wait until its owner is
        reminded."""
        await self.begin_turn(actors)
        for actor in actors:
            task_of(actor).says(f"\n\n{_question(actor.run_number + 1)}")
            task_of(actor).becomes("idle", _question(actor.run_number + 1))
        await self.deployment.poll()
        await self.deployment.run_until(lambda: all(map(self._button, actors)), "everybody is reminded")

    async def go(self, actor: Actor) -> None:
        """Press *Snooze for 1 h* on the reminder."""
        await press(self, actor, lambda: self._button(actor))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the reminder says that the person snoozed it."""
        return len(self._snoozed(actor)) == actor.run_number

    def check(self, actor: Actor) -> None:
        """Check that the bot said nothing except the reminder."""
        question = f"<@{actor.person}> {_question(actor.run_number)}\n"
        said = f"{question}Still needs you: {title_of(actor)}. {actor.name.capitalize()}: "
        assert self._snoozed(actor)[-1].startswith(said)
        assert self.said(actor) == []
        self.told_at_most(
            actor, ANSWERED, CANNOT_TELL, AWAY, wishes=[f"delaying the reminder of *{title_of(actor)}*"]
        )

    def _snoozed(self, actor: Actor) -> list[str]:
        thread = self.deployment.slack.thread(actor.channel, actor.thread_ts)
        said = [str(each["text"]) for each in thread]
        return [text for text in said if f"{actor.name.capitalize()}: no reminder until " in text]

    def _button(self, actor: Actor) -> tuple[str, str, str] | None:
        return self.button(actor, "Remind me in 1 h")


def _question(number: int) -> str:
    return f"Which one, {number}?"
