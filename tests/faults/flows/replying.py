"""Flows in which a person replies in the thread of a task."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from tests.faults.actors import Actor
from tests.faults.deployment import Deployment
from tests.faults.points import Kind

from .deciding import CANNOT_TELL
from .flow import LEASE_KINDS, Flow, give_tasks, task_of


class Replying(Flow):
    """A person replies to an agent that waits for input.

    If the outcome of sending the reply is unknown, the bot sends the reply once more. If the outcome is
    unknown again, the bot asks a person.
    """

    floor = 44
    tries_silence = True
    dies_twice: ClassVar[tuple[str, ...]] = ("coder tasks.send",)

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._answers: dict[Actor, asyncio.Future[object]] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let the agent report something. The next reply is then later than this report."""
        for actor in actors:
            self._answers.pop(actor, None)
            task_of(actor).becomes("working", f"Busy with word {actor.run_number}")
        await self.deployment.poll()

    async def go(self, actor: Actor) -> None:
        """Let the agent wait for input, and write the reply."""
        task_of(actor).becomes("idle", "Waiting for the next word")
        await self.write(actor, _word(actor.run_number))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the reply is marked as delivered."""
        if actor.aim is not None and actor.aim.again is not None and actor not in self._answers:
            self._answer(actor)
        return "white_check_mark" in self.marks(actor)

    def _answer(self, actor: Actor) -> None:
        """If the bot asks whether the reply arrived, look at the agent's input and press the button with the
        true answer."""
        is_there = _word(actor.run_number) in task_of(actor).inputs
        if button := self.button(actor, "Yes" if is_there else "Send again"):
            click = self.deployment.slack.click(actor.person, actor.channel, *button)
            self._answers[actor] = asyncio.ensure_future(click)

    def check(self, actor: Actor) -> None:
        """Check that the agent has all replies once and in order.

        Check also that the latest reply has one reaction, and that the bot said nothing else.
        """
        assert task_of(actor).inputs == [_word(number) for number in range(1, actor.run_number + 1)]
        assert self.marks(actor) == ["white_check_mark"]
        said = "".join(self.said(actor))
        assert not said or (actor in self._answers and said.startswith(("Sending it again.", "Sent again.")))
        self.told_at_most(actor)


class Waiting(Replying):
    """A person replies to a busy agent. The reply is marked as waiting, and is delivered when the agent is
    ready."""

    floor = 66
    dies_twice = ()

    async def go(self, actor: Actor) -> None:
        """Write the reply."""
        await self.write(actor, _word(actor.run_number))

    def is_over(self, actor: Actor) -> bool:
        """When the reply is marked as waiting, let the agent become ready. Return whether the reply is marked
        as delivered."""
        if "hourglass_flowing_sand" in self.marks(actor) and not task_of(actor).is_stable:
            task_of(actor).becomes("idle", "Ready")
        return super().is_over(actor)


class SendingToTask(Replying):
    """A person uses *Send to its task* on a message that was not for the agent. The message becomes a reply.
    `Replying` proves how the reply is sent."""

    floor = 16
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM}
    last = "end to_coder:send_to_task done"
    dies_twice = ()

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write a message that is for people, not for the agent."""
        await super().reach_start(actors)
        for actor in actors:
            await self.write(actor, f"// {_word(actor.run_number + 1)}")

    async def go(self, actor: Actor) -> None:
        """Let the agent wait for input, and use *Send to its task* on the message."""
        task_of(actor).becomes("idle", "Waiting for the next word")
        used = await self.deployment.slack.message_shortcut(
            actor.person, actor.channel, actor.message_ts, "send_to_task"
        )
        actor.failure = used.failure

    def check(self, actor: Actor) -> None:
        """Check that the agent got the message once, as its latest input. An earlier run's message may be
        missing, because Slack does not repeat a shortcut that has failed."""
        inputs = task_of(actor).inputs
        assert (inputs[-1], len(set(inputs))) == (f"// {_word(actor.run_number)}", len(inputs))
        assert self.marks(actor) == ["white_check_mark"]
        assert self.said(actor) == []
        self.told_at_most(actor, CANNOT_TELL, wishes=["what you asked for"])


def _word(number: int) -> str:
    return f"word {number}"
