"""A flow in which a person decides about a reply that may or may not have reached the agent."""

import asyncio
from collections.abc import Sequence

from tests.faults.actors import Actor
from tests.faults.deployment import LOOK_SECONDS
from tests.faults.points import Kind

from .flow import LEASE_KINDS, Flow, give_tasks

ONCE_ONLY = "That has been decided already."
# Shown for a claim whose answer was lost, and for other claims of the same exchange.
CANNOT_TELL = (
    "I can't tell whether I took this: my store did not answer. Look for its card before you repeat it."
)


class Deciding(Flow):
    """*Send again*: the reply is queued as if it were new, and the question is replaced."""

    floor = 31
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM, Kind.OUTSIDE_LIGHT}
    last = "slack chat.update"

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def prepare_run(self, actors: Sequence[Actor]) -> None:
        """Write a reply that the agent's side rejects, and wait for the question about it."""
        for actor in actors:
            assert actor.task is not None
            actor.task.becomes("idle", f"waiting for word {actor.run_number + 1}")
            actor.task.agentapi_fails("message")
            actor.message_ts = await self.deployment.slack.post(
                actor.person, actor.channel, _word(actor.run_number + 1), actor.thread_ts
            )
        await self.deployment.run_until(lambda: all(map(self._button, actors)), "everybody is asked")

    async def go(self, actor: Actor) -> None:
        """Press the button. Press it again if the bot says that it cannot tell, or if it dies meanwhile."""
        while (button := self._button(actor)) and not self.is_over(actor):
            told, death = self._untold(actor), self.deployment.watch.death
            answer = await self.deployment.slack.click(actor.person, actor.channel, *button)
            while answer.ok and self._button(actor) and not self.is_over(actor):
                if death.is_set() or self._untold(actor) > told:
                    break
                await asyncio.sleep(LOOK_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    def is_over(self, actor: Actor) -> bool:
        """Return whether the reply is marked as delivered."""
        return "white_check_mark" in self._receipts(actor)

    def check(self, actor: Actor) -> None:
        """Check that the agent has all replies once and in order, and that nobody was told anything else."""
        assert actor.task is not None
        assert actor.task.inputs == [_word(number) for number in range(1, actor.run_number + 1)]
        assert self._receipts(actor) == ["white_check_mark"]
        assert self.said(actor) == []
        assert set(self.told(actor)) <= {ONCE_ONLY, CANNOT_TELL}

    def _untold(self, actor: Actor) -> int:
        """Return how often the person was told that the outcome is unknown."""
        return self.told(actor).count(CANNOT_TELL)

    def _receipts(self, actor: Actor) -> list[str]:
        return list(self.deployment.slack.reactions(actor.channel, actor.message_ts))

    def _button(self, actor: Actor) -> tuple[str, str, str] | None:
        return self.button(actor, "Send again")


def _word(number: int) -> str:
    return f"word {number}"
