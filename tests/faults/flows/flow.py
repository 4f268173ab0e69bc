"""What a flow is: a thing that somebody does, when it is over, and what is then true."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from taskwire.messages import answers
from taskwire.sandbox.coder import PuppetTask
from tests.faults.life import Process
from tests.faults.points import Kind
from tests.faults.seats import Seat, metadata, said_in
from tests.scenarios.reading import shown

# What is shown to whom Redis keeps waiting.
IN_DOUBT = answers.in_doubt_command()

# The calls of which a turn with an attempt is made.
TURN = frozenset({Kind.TAKE, Kind.BEGIN, Kind.END})


class Flow:
    """One flow, for everybody in one life; all that differs between people is kept in their seats."""

    # Whether it goes on with what the bot sees in Coder's list.
    is_watched: ClassVar[bool] = False
    # How long an agent is idle before it needs somebody: by itself, for ever.
    settle_seconds: ClassVar[float] = 1_000_000.0
    # Whether the same seat can go through it again; else everybody begins anew in an empty store.
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

    def __init__(self, life: Process) -> None:
        self.life = life

    async def prepare(self, seats: Sequence[Seat]) -> None:
        """What has to be there before anybody goes for the first time."""

    async def set_out(self, seats: Sequence[Seat]) -> None:
        """What has to be there before these go once more; nothing of it is a point."""

    async def go(self, seat: Seat) -> None:
        """What somebody does."""
        raise NotImplementedError

    def is_over(self, seat: Seat) -> bool:
        """Whether what they wanted has come about."""
        raise NotImplementedError

    def check(self, seat: Seat) -> None:
        """Exactly what they wanted has come about, and they were told so."""
        raise NotImplementedError

    def check_untaken(self, seat: Seat) -> None:
        """The bot did not take what Slack had told them to have failed: nothing has come of it."""
        assert self.said(seat) == []
        assert self.new_builds(seat) == []

    # What flows ask for.

    async def write(self, seat: Seat, words: str) -> None:
        """Write in the seat's thread."""
        seat.message_ts = await self.life.slack.post(seat.person, seat.channel, words, seat.thread_ts)

    async def type(self, seat: Seat, words: str) -> None:
        """Type a command, and hear what Slack, or the bot, says if it may not have been taken."""
        answer = await self.life.slack.command(seat.person, seat.channel, "/task", words)
        seat.failure = answer.failure or str((answer.reply or {}).get("text", ""))

    async def open_dialogs(self, words: Mapping[Seat, str]) -> None:
        """Let each seat's person open a dialog by a command, and see it filled."""
        slack = self.life.slack
        for seat, typed in words.items():
            for left in slack.views(seat.person):
                await slack.close(seat.person, left)
            assert (await slack.command(seat.person, seat.channel, "/task", typed)).ok
        await self.life.until(lambda: all(map(self._is_filled, words)), "dialogs are open")

    def _is_filled(self, seat: Seat) -> bool:
        views = self.life.slack.views(seat.person)
        return bool(views) and "submit" in views[-1].given

    async def submit(self, seat: Seat, values: Mapping[str, object] | None = None) -> None:
        """Submit the dialog that is open, and see whether it closes."""
        view = self.life.slack.views(seat.person)[-1]
        submitted = await self.life.slack.submit(seat.person, view, dict(values or {}))
        seat.failure = submitted.failure or ("the dialog says so" if submitted.view is not None else "")

    def said(self, seat: Seat) -> list[str]:
        """What the bot has said for all in a seat's channel since the seat went."""
        return [shown(message) for message in self.messages(seat)]

    def messages(self, seat: Seat) -> list[Mapping[str, object]]:
        """The same, as messages."""
        before = seat.before
        return [m for m in said_in(self.life.slack, seat) if str(m["ts"]) not in before]

    def told(self, seat: Seat) -> list[str]:
        """What only the seat's person was shown since they went."""
        return [shown(each.body) for each in self.life.slack.ephemerals(seat.person)[seat.shown_before :]]

    def told_at_most(self, seat: Seat, *may_be: str, wishes: Sequence[str] = ()) -> None:
        """See that the seat's person was shown nothing but this, each once: such answers are not promised.

        What they wish may have to wait for somebody who does not answer, and they hear so.
        """
        told = self.told(seat)
        waits = [
            f"{side} does not answer me right now, so {wish} has to wait. I try again for up to an hour; "
            "there is no need to repeat it."
            for side in ("Coder", "Slack")
            for wish in wishes
        ]
        assert sorted(set(told)) == sorted(told), told
        assert set(told) <= {*may_be, *waits, IN_DOUBT}, told

    def button(self, seat: Seat, text: str) -> tuple[str, str, str] | None:
        """A button of the newest message that the seat's thread has."""
        message = self.life.slack.thread(seat.channel, seat.thread_ts)[-1]
        for block in message.get("blocks") or []:
            for element in block.get("elements", ()) if block["type"] == "actions" else ():
                if element["text"]["text"] == text:
                    return str(message["ts"]), element["action_id"], element["value"]
        return None

    def marks(self, seat: Seat) -> list[str]:
        """The reactions on what the seat has written last."""
        return list(self.life.slack.reactions(seat.channel, seat.message_ts))

    def new_builds(self, seat: Seat) -> list[str]:
        """What was done to the workspace since the seat went."""
        builds = seat.task.builds if seat.task is not None else []
        return [build.transition for build in builds[seat.builds_before :]]

    def card(self, seat: Seat) -> str:
        """What the seat's card shows."""
        return shown(self.life.slack.message(seat.channel, seat.thread_ts))

    def card_of(self, seat: Seat, phase: str, follow: str, buttons: str) -> str:
        """What a card shows in a phase; its title says the prompt already."""
        facts = f"{phase} Owner: {seat.name}. Template: Tasks on Docker.{follow}"
        return f"{facts}\n{buttons}" if buttons else facts

    def page(self, seat: Seat) -> str:
        """The address of the seat's task in Coder."""
        return f"<{self.life.coder.url}/tasks/{seat.name}/{task_of(seat).id}>"


async def give_tasks(flow: Flow, seats: Sequence[Seat]) -> None:
    """Let everybody have a task with a thread, and an agent that works."""
    life = flow.life
    for seat in seats:
        seat.before = {str(message["ts"]) for message in said_in(life.slack, seat)}
        answer = await life.slack.command(seat.person, seat.channel, "/task", f"create {prompt_of(seat)}")
        assert answer.ok, answer
    await life.live_until(lambda: all(_has_task(flow, seat) for seat in seats), "everybody has a task")
    for seat in seats:
        task_of(seat).becomes("working", "On it")
    await life.look()


def task_of(seat: Seat) -> PuppetTask:
    """A seat's task."""
    assert seat.task is not None
    return seat.task


def title_of(seat: Seat) -> str:
    """What a seat's task is called."""
    return f"Fix the bug of {seat.name}"


def prompt_of(seat: Seat) -> str:
    """What a seat's agent is to do."""
    return f"fix the bug of {seat.name}"


def _has_task(flow: Flow, seat: Seat) -> bool:
    cards = flow.messages(seat)
    if not cards or "task_id" not in metadata(cards[-1]):
        return False
    seat.thread_ts = str(cards[-1]["ts"])
    seat.task = flow.life.coder.task(metadata(cards[-1])["task_id"])
    return True
