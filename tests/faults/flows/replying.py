"""Somebody answers in the thread of a task."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from tests.faults.actors import Actor
from tests.faults.deployment import Deployment

from .flow import Flow, give_tasks, task_of


class Replying(Flow):
    """A reply to an agent that waits for one.

    What nobody can know is sent again once; if the bot dies once more before it knows, a person is asked.
    """

    floor = 36
    dies_twice: ClassVar[tuple[str, ...]] = ("coder tasks.send",)

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._answers: dict[Actor, asyncio.Future[object]] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """A task with its thread for everybody."""
        await give_tasks(self, actors)

    async def set_out(self, actors: Sequence[Actor]) -> None:
        """The agent has said something that a reply makes old."""
        for actor in actors:
            self._answers.pop(actor, None)
            task_of(actor).becomes("working", f"Busy with word {actor.turn}")
        await self.deployment.look()

    async def go(self, actor: Actor) -> None:
        """Write it."""
        task_of(actor).becomes("idle", "Waiting for the next word")
        await self.write(actor, _word(actor.turn))

    def is_over(self, actor: Actor) -> bool:
        """It is marked as delivered."""
        if actor.aim is not None and actor.aim.again is not None and actor not in self._answers:
            self._answer(actor)
        return "white_check_mark" in self.marks(actor)

    def _answer(self, actor: Actor) -> None:
        """Look at the agent, and say what became of the reply, if that is asked."""
        is_there = _word(actor.turn) in task_of(actor).inputs
        if button := self.button(actor, "It arrived" if is_there else "Send again"):
            click = self.deployment.slack.click(actor.person, actor.channel, *button)
            self._answers[actor] = asyncio.ensure_future(click)

    def check(self, actor: Actor) -> None:
        """The agent has all replies once and in order, this one has one mark, and no more was said."""
        assert task_of(actor).inputs == [_word(turn) for turn in range(1, actor.turn + 1)]
        assert self.marks(actor) == ["white_check_mark"]
        said = "".join(self.said(actor))
        assert not said or (actor in self._answers and said.startswith(("Sending it again.", "Sent again.")))
        self.told_at_most(actor)


class Waiting(Replying):
    """A reply to an agent that is busy waits, says so, and is delivered when the agent is ready."""

    floor = 58
    dies_twice = ()

    async def go(self, actor: Actor) -> None:
        """Write it."""
        await self.write(actor, _word(actor.turn))

    def is_over(self, actor: Actor) -> bool:
        """The agent becomes ready once the reply is marked as waiting."""
        if "hourglass_flowing_sand" in self.marks(actor) and not task_of(actor).is_stable:
            task_of(actor).becomes("idle", "Ready")
        return super().is_over(actor)


def _word(turn: int) -> str:
    return f"word {turn}"
