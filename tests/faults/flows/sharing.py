"""A flow in which the owner of a task lets a teammate talk to the task's agent."""

from collections.abc import Callable, Sequence

from tests.faults.actors import Actor
from tests.faults.deployment import Deployment
from tests.faults.points import Kind
from tests.scenarios.people import buttons
from tests.scenarios.reading import shown

from .deciding import CANNOT_TELL, press
from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of

Find = Callable[[], tuple[str, str, str] | None]


class Sharing(Flow):
    """The owner presses *Always let NAME*. The teammate's waiting reply is passed on, and the teammate's next
    reply needs no approval."""

    floor = 27
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM}
    last = "end to_coder:pass_on done"

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(deployment)
        self._teammates: dict[Actor, str] = {}
        # The ts of the reply that is passed on. Below it, the ts of the teammate's next reply.
        self._passed: dict[Actor, str] = {}
        self._next: dict[Actor, str] = {}
        # How many direct messages the teammate had got before this run.
        self._told_before: dict[Actor, int] = {}

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread, and a teammate in the channel."""
        await give_tasks(self, actors)
        slack = self.deployment.slack
        for actor in actors:
            name = f"mate{actor.number}"
            mate = slack.add_user(name, email=f"{name}@example.com")
            self.deployment.coder.add_user(name, email=f"{name}@example.com")
            slack.workspace.channel(actor.channel).members.append(mate.id)
            self.deployment.watch.names.add(actor, mate.id)
            self._teammates[actor] = mate.id

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let each teammate write a reply. Then let the teammate ask the owner to pass on this reply."""
        deployment, slack = self.deployment, self.deployment.slack
        for actor in actors:
            self._told_before[actor] = len(self._told_directly(actor))
            task_of(actor).becomes("idle", f"waiting for word {actor.run_number + 1}")
            mate = self._teammates[actor]
            self._passed[actor] = await slack.post(
                mate, actor.channel, _word(actor.run_number + 1), actor.thread_ts
            )
        await deployment.run_until(lambda: all(self._offer(actor)() for actor in actors), "offers")
        for actor in actors:
            offer = self._offer(actor)()
            assert offer is not None
            assert (await slack.click(self._teammates[actor], actor.channel, *offer)).ok
        await deployment.run_until(lambda: all(self._question(actor)() for actor in actors), "questions")

    async def go(self, actor: Actor) -> None:
        """Press *Always let NAME*. When the agent has the reply, let the teammate write another one."""
        question = self._question(actor)
        await press(self, actor, lambda: None if self._has_arrived(actor) else question())
        await self.deployment.until(lambda: self._has_arrived(actor), "the reply was passed on")
        mate = self._teammates[actor]
        self._next[actor] = await self.deployment.slack.post(
            mate, actor.channel, f"{_word(actor.run_number)} again", actor.thread_ts
        )
        task_of(actor).becomes("idle", f"waiting for the next word {actor.run_number}")

    def is_over(self, actor: Actor) -> bool:
        """Return whether the second reply is marked as delivered, and the teammate got a direct message about
        the share."""
        is_told = len(self._told_directly(actor)) > self._told_before[actor]
        return is_told and actor in self._next and self._is_marked(actor, self._next[actor])

    def check(self, actor: Actor) -> None:
        """Check that the agent has both replies once and in order, each with its author's name."""
        name = f"Mate{actor.number}"
        word = _word(actor.run_number)
        assert task_of(actor).inputs[-2:] == [f"{name} wrote:\n> {word}", f"{name} wrote:\n> {word} again"]
        assert len(task_of(actor).inputs) == 2 * actor.run_number
        assert self.said(actor) == []
        passed = f"Passed on. The reaction on {name}'s reply shows when the agent has it."
        always = f" From now on {name} can steer the task; `!unshare @{name}` ends that."
        told = {text for text in self.told(actor) if not text.startswith("You passed this on (")}
        assert told <= {passed + always, CANNOT_TELL}
        assert self._told_directly(actor)[self._told_before[actor] :] == [
            f"{actor.name.capitalize()} lets you steer *{title_of(actor)}*. Replies in its thread go to "
            "the agent. You can also stop and resume the task, and edit its prompt.\n[Open thread]"
        ]

    def _told_directly(self, actor: Actor) -> list[str]:
        """Return all direct messages of the bot to the actor's teammate."""
        slack = self.deployment.slack
        return [shown(each) for each in slack.messages(slack.open_direct(self._teammates[actor]).id)]

    def _has_arrived(self, actor: Actor) -> bool:
        return self._is_marked(actor, self._passed[actor])

    def _is_marked(self, actor: Actor, ts: str) -> bool:
        return list(self.deployment.slack.reactions(actor.channel, ts)) == ["white_check_mark"]

    def _offer(self, actor: Actor) -> Find:
        return self._private_button(actor, self._teammates[actor], "Ask ")

    def _question(self, actor: Actor) -> Find:
        return self._private_button(actor, actor.person, "Always let ")

    def _private_button(self, actor: Actor, person: str, label: str) -> Find:
        """Return a function that finds a button in the private answers to `person`. The button's text begins
        with `label`, and the button is about the reply that waits in this run. The function returns the
        message's ts, the action's id and the value, or None if there is no such button."""

        def find() -> tuple[str, str, str] | None:
            for told in self.deployment.slack.ephemerals(person):
                for found in buttons(told.body, label):
                    if f":{self._passed[actor]}" in found["value"]:
                        return told.ts, found["action_id"], found["value"]
            return None

        return find


def _word(number: int) -> str:
    return f"word {number}"
