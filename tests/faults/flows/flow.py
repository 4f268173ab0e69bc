"""The base of all flows. A flow says what a person or an agent does, when this has ended, and what must be
true then."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import ClassVar

from taskwire.messages import answers
from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import ActionResult
from tests.faults.actors import Actor, metadata, said_in
from tests.faults.deployment import Deployment
from tests.faults.points import Kind
from tests.scenarios.reading import check_page, is_notice, shown

# The bot answers a command with this text if Redis does not answer in time.
OUTCOME_UNKNOWN = answers.command_outcome_unknown()

# A job that makes an attempt makes calls of these kinds for its lease.
LEASE_KINDS = frozenset({Kind.TAKE, Kind.BEGIN, Kind.END})


class Flow:
    """The base of all flows. A deployment has one flow object for all its actors, so what differs between
    actors is stored in the actors."""

    # Whether the flow depends on the bot's polls of Coder.
    is_watched: ClassVar[bool] = False
    # How many seconds an agent must be idle before it needs a person. By default an idle agent never does.
    settle_seconds: ClassVar[float] = 1_000_000.0
    # How many seconds after a question somebody is reminded. By default there are no reminders.
    reminder_seconds: ClassVar[float] = 0.0
    # Whether the Slack app is declared as an agent.
    is_agent: ClassVar[bool] = False
    # Whether the state at the start of the flow changes with time. If so, all actors must start at the same
    # time.
    is_timed: ClassVar[bool] = False
    # The setting TASKWIRE_ACCOUNTS, which says whose Coder accounts the bot uses.
    accounts: ClassVar[str] = "service"
    # Whether a fault of one actor would delay another actor. If so, each actor runs alone.
    is_solitary: ClassVar[bool] = False

    # Whether the proof also tries calls that get no answer. The bot then sees a timeout where it otherwise
    # sees a cut connection. This makes a difference in the client and not in the flow, so one flow for each
    # client is enough.
    tries_silence: ClassVar[bool] = False

    # The names of calls that are made as attempts. If the bot is killed at such a call, its outcome is
    # unknown. The proof then also kills the bot that recovers.
    dies_twice: ClassVar[tuple[str, ...]] = ()
    # A rehearsal must find at least this many points. If it finds fewer, the proof does not see some calls.
    # Each flow sets its own number.
    floor: ClassVar[int] = 0
    # The flow must make a call of each of these kinds. Otherwise the proof fails.
    meets: ClassVar[frozenset[Kind]] = LEASE_KINDS | {Kind.CLAIM, Kind.OUTSIDE_WRITE}
    # The last call that this flow proves; another flow proves the later calls. Empty if this flow proves all
    # calls.
    last: ClassVar[str] = ""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment

    async def prepare(self, actors: Sequence[Actor]) -> None:
        """Prepare what the actors need, for example tasks."""

    async def reach_start(self, actors: Sequence[Actor]) -> None:
        """Bring the actors to the start of the flow. The proof keeps this state and restores it before each
        run."""

    async def go(self, actor: Actor) -> None:
        """Do the act of the person or of the agent that starts the flow."""
        raise NotImplementedError

    def is_over(self, actor: Actor) -> bool:
        """Return whether the actor's run of the flow has reached its end."""
        raise NotImplementedError

    def check(self, actor: Actor) -> None:
        """Check that the flow had exactly its intended effect, and that the person was told about the
        effect."""
        raise NotImplementedError

    async def check_store(self, actor: Actor) -> None:
        """Check what the bot has stored in Redis. Flows need this check only for an effect that neither Slack
        nor Coder shows."""

    def check_untaken(self, actor: Actor) -> None:
        """Check that the act had no effect. This is called if Slack showed the person an error and the bot
        has not claimed the delivery."""
        assert self.said(actor) == []
        assert self.new_builds(actor) == []

    # Methods that flows use.

    async def begin_turn(self, actors: Sequence[Actor]) -> None:
        """Begin a new turn of each agent: the agent waits for input, its person writes a reply, and the agent
        works again."""
        for actor in actors:
            task_of(actor).becomes("idle", "Ready")
            await self.write(actor, f"answer {actor.run_number + 1}")
        await self.deployment.run_until(
            lambda: all("white_check_mark" in self.marks(actor) for actor in actors), "all have their answers"
        )
        for actor in actors:
            task_of(actor).becomes("working", f"Turn {actor.run_number + 1}")
        await self.deployment.poll()

    async def let_work(self, actors: Sequence[Actor]) -> None:
        """Let each agent work, and let the bot poll Coder."""
        for task in map(task_of, actors):
            task.becomes("working", "On it")
        await self.deployment.poll()

    async def write(self, actor: Actor, words: str) -> None:
        """Write a message in the actor's thread, as the actor's person."""
        actor.message_ts = await self.deployment.slack.post(
            actor.person, actor.channel, words, actor.thread_ts
        )

    async def type(self, actor: Actor, words: str) -> None:
        """Type `/task` with these words. Keep an error of Slack or a private answer of the bot in
        `actor.failure`."""
        answer = await self.deployment.slack.command(actor.person, actor.channel, "/task", words)
        actor.failure = answer.failure or str((answer.reply or {}).get("text", ""))

    async def open_dialogs(self, words: Mapping[Actor, str]) -> None:
        """Let each actor type its command, which opens a dialog: the values of `words` are the texts after
        `/task`. Wait until the dialogs have their content."""
        slack = self.deployment.slack
        await self.open_each(
            list(words), lambda actor: slack.command(actor.person, actor.channel, "/task", words[actor])
        )

    async def open_each(
        self, actors: Sequence[Actor], open_one: Callable[[Actor], Awaitable[ActionResult]]
    ) -> None:
        """Let each actor open a dialog with `open_one`. Wait until the dialogs have their content."""
        slack = self.deployment.slack
        for actor in actors:
            for left in slack.views(actor.person):
                await slack.close(actor.person, left)
            assert (await open_one(actor)).ok
        await self.deployment.until(lambda: all(map(self._is_filled, actors)), "dialogs are open")

    def _is_filled(self, actor: Actor) -> bool:
        views = self.deployment.slack.views(actor.person)
        return bool(views) and "submit" in views[-1].content

    async def submit(self, actor: Actor, values: Mapping[str, object] | None = None) -> None:
        """Submit the actor's open dialog with these values. If Slack fails or the dialog does not close,
        store an error in `actor.failure`."""
        view = self.deployment.slack.views(actor.person)[-1]
        submitted = await self.deployment.slack.submit(actor.person, view, dict(values or {}))
        actor.failure = submitted.failure or ("the dialog says so" if submitted.view is not None else "")

    def said(self, actor: Actor) -> list[str]:
        """Return the bot's public texts in the actor's channel during this run."""
        said = self.messages(actor)
        for notice in filter(is_notice, said):
            check_page(notice, self._page(actor))
        return [shown(message) for message in said]

    def messages(self, actor: Actor) -> list[Mapping[str, object]]:
        """Return the bot's messages in the actor's channel during this run."""
        before = actor.before
        return [m for m in said_in(self.deployment.slack, actor) if str(m["ts"]) not in before]

    def told(self, actor: Actor) -> list[str]:
        """Return the private answers that the actor's person got during this run."""
        return [
            shown(each.body) for each in self.deployment.slack.ephemerals(actor.person)[actor.shown_before :]
        ]

    def told_at_most(self, actor: Actor, *may_be: str, wishes: Sequence[str] = ()) -> None:
        """Check that the person got only the private answers in `may_be`, each at most once. Private answers
        are not promised, so they may be missing.

        `wishes` are the acts that the person asked for. While Coder or Slack does not answer, the bot may say
        that such an act has to wait. This private answer is allowed too.
        """
        told = self.told(actor)
        waits = [
            f"{side} is not answering, so {wish} has to wait. I'll try for an hour; no need to repeat it."
            for side in ("Coder", "Slack")
            for wish in wishes
        ]
        assert sorted(set(told)) == sorted(told), told
        assert set(told) <= {*may_be, *waits, OUTCOME_UNKNOWN}, told

    def button(self, actor: Actor, text: str) -> tuple[str, str, str] | None:
        """Find a button by its text in the newest message of the actor's thread. Return the message's ts, the
        action's id and the value, or None if the message has no such button."""
        message = self.deployment.slack.thread(actor.channel, actor.thread_ts)[-1]
        for block in message.get("blocks") or []:
            for element in block.get("elements", ()) if block["type"] == "actions" else ():
                if element.get("text", {}).get("text") == text:
                    return str(message["ts"]), element["action_id"], element["value"]
        return None

    def marks(self, actor: Actor) -> list[str]:
        """Return the reactions on the latest message of the actor's person."""
        return list(self.deployment.slack.reactions(actor.channel, actor.message_ts))

    def new_builds(self, actor: Actor) -> list[str]:
        """Return the kind ("start" or "stop") of each build that the actor's workspace got in this run."""
        builds = actor.task.builds if actor.task is not None else []
        return [build.transition for build in builds[actor.builds_before :]]

    def card(self, actor: Actor) -> str:
        """Return the text of the actor's card."""
        return shown(self.deployment.slack.message(actor.channel, actor.thread_ts))

    def card_of(self, actor: Actor, phase: str, follow: str, buttons: str) -> str:
        """Return the expected text of the actor's card in a phase. `follow` is the text after the template's
        name. `buttons` is the last line, empty if the card has none. The prompt does not appear, because it
        is the title."""
        facts = f"{phase} Owner: {actor.name.capitalize()}. Template: Tasks on Docker.{follow}"
        return f"{facts}\n{buttons}" if buttons else facts

    def page(self, actor: Actor) -> str:
        """Return the link to the actor's task in Coder."""
        return f"<{self._page(actor)}>"

    def _page(self, actor: Actor) -> str:
        return f"{self.deployment.coder.url}/tasks/{actor.name}/{task_of(actor).id}"


async def give_tasks(flow: Flow, actors: Sequence[Actor]) -> None:
    """Give each actor a task with a thread, whose agent is working."""
    deployment = flow.deployment
    for actor in actors:
        actor.before = {str(message["ts"]) for message in said_in(deployment.slack, actor)}
        answer = await deployment.slack.command(
            actor.person, actor.channel, "/task", f"create {prompt_of(actor)}"
        )
        assert answer.ok, answer
    await deployment.run_until(
        lambda: all(_has_task(flow, actor) for actor in actors), "everybody has a task"
    )
    for actor in actors:
        task_of(actor).becomes("working", "On it")
    await deployment.poll()


def task_of(actor: Actor) -> SandboxTask:
    """Return an actor's task."""
    assert actor.task is not None
    return actor.task


def title_of(actor: Actor) -> str:
    """Return the title of an actor's task."""
    return f"Fix the bug of {actor.name}"


def prompt_of(actor: Actor) -> str:
    """Return the prompt of an actor's task."""
    return f"fix the bug of {actor.name}"


def _has_task(flow: Flow, actor: Actor) -> bool:
    cards = flow.messages(actor)
    if not cards or "task_id" not in metadata(cards[-1]):
        return False
    actor.thread_ts = str(cards[-1]["ts"])
    actor.task = flow.deployment.coder.task(metadata(cards[-1])["task_id"])
    return True
