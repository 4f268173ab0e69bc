"""What a flow is: a thing that somebody does, when it is over, and what is then true."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from taskwire.messages import answers
from taskwire_sandbox.coder import PuppetTask
from tests.faults.actors import Actor, metadata, said_in
from tests.faults.deployment import Deployment
from tests.faults.points import Kind
from tests.scenarios.reading import shown

# What is shown to whom Redis keeps waiting.
IN_DOUBT = answers.command_outcome_unknown()

# The calls of which a turn with an attempt is made.
TURN = frozenset({Kind.TAKE, Kind.BEGIN, Kind.END})


class Flow:
    """One flow, for everybody in one deployment; all that differs between people is kept in their actors."""

    # Whether it goes on with what the bot sees in Coder's list.
    is_watched: ClassVar[bool] = False
    # How long an agent is idle before it needs somebody: by itself, for ever.
    settle_seconds: ClassVar[float] = 1_000_000.0
    # Whether the same actor can go through it again; else everybody begins anew in an empty store.
    is_lasting: ClassVar[bool] = True
    # Whether what goes wrong for one would hold up another: then each goes alone.
    is_solitary: ClassVar[bool] = False

    # Calls of it that leave something in doubt if the bot dies, of which the recovery is proved here: the bot
    # dies in it again.
    dies_twice: ClassVar[tuple[str, ...]] = ()
    # So many points are found each time; with fewer the proof is blind to some. Each flow says its own.
    floor: ClassVar[int] = 0
    # Kinds of calls that are met in it, or nothing is proved.
    meets: ClassVar[frozenset[Kind]] = TURN | {Kind.CLAIM, Kind.OUTSIDE_WRITE}
    # What comes after this call is another flow's to prove; nothing, if all of it is this one's.
    last: ClassVar[str] = ""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """What has to be there before anybody goes for the first time."""

    async def set_out(self, actors: Sequence[Actor]) -> None:
        """What has to be there before these go once more; nothing of it is a point."""

    async def go(self, actor: Actor) -> None:
        """What somebody does."""
        raise NotImplementedError

    def is_over(self, actor: Actor) -> bool:
        """Whether what they wanted has come about."""
        raise NotImplementedError

    def check(self, actor: Actor) -> None:
        """Exactly what they wanted has come about, and they were told so."""
        raise NotImplementedError

    def check_untaken(self, actor: Actor) -> None:
        """The bot did not take what Slack had told them to have failed: nothing has come of it."""
        assert self.said(actor) == []
        assert self.new_builds(actor) == []

    # What flows ask for.

    async def write(self, actor: Actor, words: str) -> None:
        """Write in the actor's thread."""
        actor.message_ts = await self.deployment.slack.post(
            actor.person, actor.channel, words, actor.thread_ts
        )

    async def type(self, actor: Actor, words: str) -> None:
        """Type a command, and hear what Slack, or the bot, says if it may not have been taken."""
        answer = await self.deployment.slack.command(actor.person, actor.channel, "/task", words)
        actor.failure = answer.failure or str((answer.reply or {}).get("text", ""))

    async def open_dialogs(self, words: Mapping[Actor, str]) -> None:
        """Let each actor's person open a dialog by a command, and see it filled."""
        slack = self.deployment.slack
        for actor, typed in words.items():
            for left in slack.views(actor.person):
                await slack.close(actor.person, left)
            assert (await slack.command(actor.person, actor.channel, "/task", typed)).ok
        await self.deployment.until(lambda: all(map(self._is_filled, words)), "dialogs are open")

    def _is_filled(self, actor: Actor) -> bool:
        views = self.deployment.slack.views(actor.person)
        return bool(views) and "submit" in views[-1].given

    async def submit(self, actor: Actor, values: Mapping[str, object] | None = None) -> None:
        """Submit the dialog that is open, and see whether it closes."""
        view = self.deployment.slack.views(actor.person)[-1]
        submitted = await self.deployment.slack.submit(actor.person, view, dict(values or {}))
        actor.failure = submitted.failure or ("the dialog says so" if submitted.view is not None else "")

    def said(self, actor: Actor) -> list[str]:
        """What the bot has said for all in a actor's channel since the actor went."""
        return [shown(message) for message in self.messages(actor)]

    def messages(self, actor: Actor) -> list[Mapping[str, object]]:
        """The same, as messages."""
        before = actor.before
        return [m for m in said_in(self.deployment.slack, actor) if str(m["ts"]) not in before]

    def told(self, actor: Actor) -> list[str]:
        """What only the actor's person was shown since they went."""
        return [
            shown(each.body) for each in self.deployment.slack.ephemerals(actor.person)[actor.shown_before :]
        ]

    def told_at_most(self, actor: Actor, *may_be: str, wishes: Sequence[str] = ()) -> None:
        """See that the actor's person was shown nothing but this, each once: such answers are not promised.

        What they wish may have to wait for somebody who does not answer, and they hear so.
        """
        told = self.told(actor)
        waits = [
            f"{side} does not answer me right now, so {wish} has to wait. I try again for up to an hour; "
            "there is no need to repeat it."
            for side in ("Coder", "Slack")
            for wish in wishes
        ]
        assert sorted(set(told)) == sorted(told), told
        assert set(told) <= {*may_be, *waits, IN_DOUBT}, told

    def button(self, actor: Actor, text: str) -> tuple[str, str, str] | None:
        """A button of the newest message that the actor's thread has."""
        message = self.deployment.slack.thread(actor.channel, actor.thread_ts)[-1]
        for block in message.get("blocks") or []:
            for element in block.get("elements", ()) if block["type"] == "actions" else ():
                if element["text"]["text"] == text:
                    return str(message["ts"]), element["action_id"], element["value"]
        return None

    def marks(self, actor: Actor) -> list[str]:
        """The reactions on what the actor has written last."""
        return list(self.deployment.slack.reactions(actor.channel, actor.message_ts))

    def new_builds(self, actor: Actor) -> list[str]:
        """What was done to the workspace since the actor went."""
        builds = actor.task.builds if actor.task is not None else []
        return [build.transition for build in builds[actor.builds_before :]]

    def card(self, actor: Actor) -> str:
        """What the actor's card shows."""
        return shown(self.deployment.slack.message(actor.channel, actor.thread_ts))

    def card_of(self, actor: Actor, phase: str, follow: str, buttons: str) -> str:
        """What a card shows in a phase; its title says the prompt already."""
        facts = f"{phase} Owner: {actor.name}. Template: Tasks on Docker.{follow}"
        return f"{facts}\n{buttons}" if buttons else facts

    def page(self, actor: Actor) -> str:
        """The address of the actor's task in Coder."""
        return f"<{self.deployment.coder.url}/tasks/{actor.name}/{task_of(actor).id}>"


async def give_tasks(flow: Flow, actors: Sequence[Actor]) -> None:
    """Let everybody have a task with a thread, and an agent that works."""
    deployment = flow.deployment
    for actor in actors:
        actor.before = {str(message["ts"]) for message in said_in(deployment.slack, actor)}
        answer = await deployment.slack.command(
            actor.person, actor.channel, "/task", f"create {prompt_of(actor)}"
        )
        assert answer.ok, answer
    await deployment.live_until(
        lambda: all(_has_task(flow, actor) for actor in actors), "everybody has a task"
    )
    for actor in actors:
        task_of(actor).becomes("working", "On it")
    await deployment.look()


def task_of(actor: Actor) -> PuppetTask:
    """A actor's task."""
    assert actor.task is not None
    return actor.task


def title_of(actor: Actor) -> str:
    """What a actor's task is called."""
    return f"Fix the bug of {actor.name}"


def prompt_of(actor: Actor) -> str:
    """What a actor's agent is to do."""
    return f"fix the bug of {actor.name}"


def _has_task(flow: Flow, actor: Actor) -> bool:
    cards = flow.messages(actor)
    if not cards or "task_id" not in metadata(cards[-1]):
        return False
    actor.thread_ts = str(cards[-1]["ts"])
    actor.task = flow.deployment.coder.task(metadata(cards[-1])["task_id"])
    return True
