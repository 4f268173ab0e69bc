"""Flows in which a person presses a button that sends input to the agent, for example *Send again* or a
choice that the agent offers."""

import asyncio
import re
from collections.abc import Callable, Sequence

from taskwire.messages import answers
from tests.faults.actors import Actor
from tests.faults.deployment import LOOK_SECONDS
from tests.faults.points import Kind
from tests.scenarios.people import buttons
from tests.scenarios.reading import shown

from .flow import LEASE_KINDS, Flow, give_tasks, task_of, title_of

ONCE_ONLY = "Somebody already decided this."
ANSWERED = "This was already answered."
# The bot answers with this text if Redis does not answer before the ack.
AWAY = answers.store_unreachable()
# The bot answers with this text if Redis's answer to the claim was lost. If other claims were sent in the
# same exchange, their persons get this text too.
CANNOT_TELL = (
    "I may have lost this request: my data store did not answer. Check the result before you ask again."
)


class Deciding(Flow):
    """Taskwire does not know whether a reply reached the agent, and asks the person. The person presses *Send
    again*. The bot queues the reply again and replaces the question."""

    # Two calls that deliver the reply may come before or after the edit of the question.
    floor = 28
    meets = LEASE_KINDS - {Kind.BEGIN} | {Kind.CLAIM, Kind.OUTSIDE_LIGHT}
    last = "slack chat.update"

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write a reply that the agent's API rejects. Wait until the bot asks the person whether to send it
        again."""
        for actor in actors:
            assert actor.task is not None
            actor.task.becomes("idle", f"waiting for word {actor.run_number + 1}")
            actor.task.agentapi_fails("message")
            actor.message_ts = await self.deployment.slack.post(
                actor.person, actor.channel, _word(actor.run_number + 1), actor.thread_ts
            )
        await self.deployment.run_until(lambda: all(map(self._button, actors)), "everybody is asked")

    async def go(self, actor: Actor) -> None:
        """Press *Send again*. If the bot is killed or says that it does not know the outcome, press the
        button again."""
        await press(self, actor, lambda: self._button(actor))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the reply is marked as delivered."""
        return "white_check_mark" in self._receipts(actor)

    def check(self, actor: Actor) -> None:
        """Check that the agent has all replies once and in order, and that the person got no unexpected
        message."""
        assert actor.task is not None
        assert actor.task.inputs == [_word(number) for number in range(1, actor.run_number + 1)]
        assert self._receipts(actor) == ["white_check_mark"]
        assert self.said(actor) == []
        assert set(self.told(actor)) <= {ONCE_ONLY, CANNOT_TELL}

    def _receipts(self, actor: Actor) -> list[str]:
        return list(self.deployment.slack.reactions(actor.channel, actor.message_ts))

    def _button(self, actor: Actor) -> tuple[str, str, str] | None:
        return self.button(actor, "Send again")


def _word(number: int) -> str:
    return f"word {number}"


class Releasing(Flow):
    """A person presses *Resume and send*. The task is resumed, and the agent gets a reply that was held by a
    pause.

    `Pausing` proves the pause, and `Waiting` proves what follows the resume.
    """

    floor = 25
    is_watched = True
    last = "end to_coder:act:resume done"

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Write a reply to a busy agent, pause the task, and wait until the bot says that it holds the
        reply."""
        for actor in actors:
            task_of(actor).becomes("working", f"Turn {actor.run_number + 1}")
        await self.deployment.poll()
        for actor in actors:
            await self.write(actor, _word(actor.run_number + 1))
        await self.deployment.run_until(lambda: all(map(self._is_waiting, actors)), "all replies wait")
        for actor in actors:
            await self.deployment.slack.post(actor.person, actor.channel, "!pause", actor.thread_ts)
        await self.deployment.run_until(lambda: all(map(self._button, actors)), "all replies are held")
        await self.deployment.poll()

    async def go(self, actor: Actor) -> None:
        """Press *Resume and send*."""
        await press(self, actor, lambda: self._button(actor))

    def is_over(self, actor: Actor) -> bool:
        """When the workspace runs, let the agent wait for input. Return whether the reply is marked as
        delivered."""
        if task_of(actor).status == "active" and not task_of(actor).is_stable:
            task_of(actor).becomes("idle", "Ready")
        return self.marks(actor) == ["white_check_mark"]

    def check(self, actor: Actor) -> None:
        """Check that the workspace was started once, and that the agent has all replies once and in order."""
        assert task_of(actor).inputs == [_word(number) for number in range(1, actor.run_number + 1)]
        assert self.new_builds(actor) == ["start"]
        assert self.said(actor) == []
        title = f"*{title_of(actor)}*"
        # A person who got no answer presses the button again.
        running = f"{title} is already running."
        sends = f"{running} I'll send the reply that waits."
        late = (running, sends, f"No reply waits in {title} any more.")
        self.told_at_most(actor, f"Resuming {title}.", *late, CANNOT_TELL, AWAY, wishes=[f"resuming {title}"])

    def _is_waiting(self, actor: Actor) -> bool:
        return self.marks(actor) == ["hourglass_flowing_sand"]

    def _button(self, actor: Actor) -> tuple[str, str, str] | None:
        for message in self.deployment.slack.thread(actor.channel, actor.thread_ts):
            for button in buttons(message, "Resume and send"):
                return str(message["ts"]), button["action_id"], button["value"]
        return None


class Choosing(Flow):
    """A person presses a choice that the agent offers. The bot posts the choice in the person's name.
    `Replying` proves how the choice is sent to the agent."""

    floor = 26
    last = "end to_coder:choose done"

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let each agent offer two choices."""
        for actor in actors:
            turn = actor.run_number + 1
            task_of(actor).becomes("working", f"Turn {turn}")
            task_of(actor).says(f"\n\nWhich one, {turn}?\n\n1. first {turn}\n2. {_choice(turn)}")
            task_of(actor).becomes("complete", f"Question {turn}")
        await self.deployment.poll()
        await self.deployment.run_until(
            lambda: all(self._button(actor, actor.run_number + 1) for actor in actors), "everybody is asked"
        )

    async def go(self, actor: Actor) -> None:
        """Press the second of the two choices."""
        await press(self, actor, lambda: self._button(actor, actor.run_number))

    def is_over(self, actor: Actor) -> bool:
        """Return whether the posted choice is marked as delivered."""
        return _receipts(self, actor) == ["white_check_mark"]

    def check(self, actor: Actor) -> None:
        """Check that the agent got each choice once, that the bot posted the latest choice once, and that the
        agent's question now names the person who chose."""
        number = actor.run_number
        words = f"2. {_choice(number)}"
        assert task_of(actor).inputs == [f"2. {_choice(turn)}" for turn in range(1, number + 1)]
        assert self.said(actor) == [f"{actor.name.capitalize()} chose: {words}\n> {words}"]
        assert _receipts(self, actor) == ["white_check_mark"]
        thread = self.deployment.slack.thread(actor.channel, actor.thread_ts)
        asked = [shown(each) for each in thread if f"Which one, {number}?" in str(each["text"])]
        assert [f"Answered by {actor.name.capitalize()}." in text for text in asked] == [True]
        assert set(self.told(actor)) <= {ANSWERED, CANNOT_TELL}

    def _button(self, actor: Actor, number: int) -> tuple[str, str, str] | None:
        return self.button(actor, f"2. {_choice(number)}")


class Answering(Flow):
    """A person submits the dialog of *Answer*. The bot posts the answer in the person's name.

    `Replying` proves how the answer is sent to the agent.
    """

    floor = 26
    last = "end intake:act_requested:send done"

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Give each actor a task with a thread."""
        await give_tasks(self, actors)

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Let each agent fail. Then open the dialog by *Answer* on the card."""
        slack = self.deployment.slack
        for actor in actors:
            task_of(actor).becomes("working", f"Turn {actor.run_number + 1}")
            task_of(actor).becomes("failed", f"No luck with try {actor.run_number + 1}")
        await self.deployment.poll()
        await self.deployment.run_until(
            lambda: all(f"try {actor.run_number + 1}" in self.card(actor) for actor in actors),
            "all have failed",
        )
        await self.open_each(
            actors,
            lambda actor: slack.click(actor.person, actor.channel, actor.thread_ts, "task.answer"),
        )

    async def go(self, actor: Actor) -> None:
        """Submit the dialog with an answer."""
        await self.submit(actor, {"form.prompt": f"try {actor.run_number}"})

    def is_over(self, actor: Actor) -> bool:
        """Return whether the posted answer is marked as delivered."""
        return _receipts(self, actor) == ["white_check_mark"]

    def check(self, actor: Actor) -> None:
        """Check that the agent has the answer once, and that the bot posted the answer once."""
        words, inputs = f"try {actor.run_number}", task_of(actor).inputs
        assert (inputs[-1], inputs.count(words)) == (words, 1)
        assert self.said(actor) == [f"{actor.name.capitalize()} says: {words}\n> {words}"]
        assert _receipts(self, actor) == ["white_check_mark"]
        self.told_at_most(actor, wishes=[f"sending your reply to `{task_of(actor).id}`"])


def _receipts(flow: Flow, actor: Actor) -> list[str]:
    """Return the reactions on the message that the bot posted in an actor's name during this run."""
    said = [each for each in flow.messages(actor) if re.search(" (says|chose): ", str(each["text"]))]
    return list(flow.deployment.slack.reactions(actor.channel, str(said[-1]["ts"]))) if said else []


def _choice(number: int) -> str:
    return f"second {number}"


async def press(
    flow: Flow, actor: Actor, find: Callable[[], tuple[str, str, str] | None], channel: str = ""
) -> None:
    """Press the button that `find` returns, as a person does: again after an error, after the bot was killed,
    or after an unclear answer (see `_count_doubts`). Stop when the flow is over or the button is gone.

    `find` returns the message's ts, the action's id and the value, or None if the button is gone. The button
    is in the actor's channel, or in `channel` if it is given.
    """
    slack = flow.deployment.slack
    while (button := find()) and not flow.is_over(actor):
        untold, death = _count_doubts(flow, actor), flow.deployment.watch.death
        answer = await slack.click(actor.person, channel or actor.channel, *button)
        while answer.ok and find() and not flow.is_over(actor):
            if death.is_set() or _count_doubts(flow, actor) > untold:
                break
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.sleep(LOOK_SECONDS)


def _count_doubts(flow: Flow, actor: Actor) -> int:
    """Return how many private answers say that the bot does not know the outcome or cannot reach its store.
    After such an answer, a person presses the button again."""
    return sum(flow.told(actor).count(said) for said in (CANNOT_TELL, AWAY))
