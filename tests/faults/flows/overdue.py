"""A flow about a question that has been open for too long."""

import re
from collections.abc import Sequence

from taskwire.domain.channel_settings import ChannelSettings
from tests.faults.actors import Actor
from tests.faults.deployment import Deployment
from tests.faults.points import Kind

from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of


class Reminding(Flow):
    """Nobody answers an agent's question. The bot reminds the task's owner, and later the channel's fallback.

    Each run begins in a new turn of the agent.
    """

    is_watched = True
    settle_seconds = 20.0
    floor = 19
    is_timed = True
    meets = LEASE_KINDS | {Kind.OUTSIDE_WRITE}
    last = "end to_thread:post_notice:reminder done"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._fallbacks: dict[Actor, str] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task, and set a fallback for each channel. The fallback is called a minute after
        the owner."""
        await give_tasks(self, actors)
        slack = self.deployment.slack
        for actor in actors:
            name = f"mate{actor.number}"
            mate = slack.add_user(name, email=f"{name}@example.com")
            slack.workspace.channel(actor.channel).members.append(mate.id)
            self.deployment.watch.names.add(actor, mate.id)
            self._fallbacks[actor] = mate.id
            key = self.deployment.keys.named("channel_settings", actor.channel)
            settings = ChannelSettings(reminder_seconds=60, fallback=mate.id)
            await self.deployment.store.set(
                key, settings.model_dump_json(context=f"channel_settings:{actor.channel}")
            )

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let each agent ask a question, and wait until the bot has posted the notice about it."""
        await self.begin_turn(actors)
        for actor in actors:
            question = _question(actor.run_number + 1)
            task_of(actor).says(f"\n\n{question}")
            task_of(actor).becomes("idle", question)
        await self.deployment.poll()
        await self.deployment.run_until(lambda: all(map(self._is_asked, actors)), "everybody is asked")

    async def go(self, actor: Actor) -> None:
        """Do nothing. The flow starts because time passes."""

    def is_over(self, actor: Actor) -> bool:
        """Return whether the bot has called the fallback."""
        return f"<@{self._fallbacks[actor]}>" in "".join(self.said(actor))

    def check(self, actor: Actor) -> None:
        """Check that the owner and then the fallback were each called once."""
        question, title, owner = _question(actor.run_number), title_of(actor), actor.name.capitalize()
        assert timeless(self, actor) == [
            f"<@{actor.person}> {question}\nStill needs you: {title}. I asked again below.",
            f"<@{self._fallbacks[actor]}> {question}\n"
            f"Still needs somebody: {title}. {owner} has not answered for N min. Reply here, or ask them.\n"
            "[Answer] [Remind me in 1 h] [Remind me tomorrow]",
        ]
        assert self.told(actor) == []

    def _is_asked(self, actor: Actor) -> bool:
        newest = self.deployment.slack.thread(actor.channel, actor.thread_ts)[-1]
        return _question(actor.run_number + 1) in str(newest["text"])


def timeless(flow: Flow, actor: Actor) -> list[str]:
    """Return the bot's texts of this run, with "N min" for each number of minutes. The number is not fixed: a
    notice comes later if a killed bot has left its lease."""
    return [re.sub(r"\d+ min", "N min", said) for said in flow.said(actor)]


def _question(number: int) -> str:
    return f"Which one, {number}?"
