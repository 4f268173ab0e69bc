"""What a flow is: a thing that somebody does, when it is over, and what is then true."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from tests.faults.life import Life
from tests.faults.seats import Seat, metadata, said_in
from tests.scenarios.reading import shown


class Flow:
    """One flow, for everybody in one life; all that differs between people is kept in their seats."""

    # Whether it goes on with what the bot sees in Coder's list.
    is_watched: ClassVar[bool] = False
    # How long an agent is idle before it needs somebody: by itself, for ever.
    settle_seconds: ClassVar[float] = 1_000_000.0
    # Whether the same seat can go through it again; else everybody begins anew in an empty store.
    is_lasting: ClassVar[bool] = True

    # What comes after this call is another flow's to prove; nothing, if all of it is this one's.
    last: ClassVar[str] = ""

    def __init__(self, life: Life) -> None:
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

    # What flows ask for.

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

    def card(self, seat: Seat) -> str:
        """What the seat's card shows."""
        return shown(self.life.slack.message(seat.channel, seat.thread_ts))

    def card_task(self, seat: Seat) -> str:
        """The id of the task that the seat's card is bound to, or nothing."""
        return metadata(self.life.slack.message(seat.channel, seat.thread_ts)).get("task_id", "")


async def give_tasks(flow: Flow, seats: Sequence[Seat]) -> None:
    """Let everybody have a task with a thread, and an agent that has just come up."""
    life = flow.life
    for seat in seats:
        answer = await life.slack.command(seat.person, seat.channel, "/task", f"create {prompt_of(seat)}")
        assert answer.ok, answer
    await life.live_until(lambda: all(_has_task(flow, seat) for seat in seats), "everybody has a task")


def prompt_of(seat: Seat) -> str:
    """What a seat's agent is to do."""
    return f"fix the bug of {seat.name}"


def _has_task(flow: Flow, seat: Seat) -> bool:
    cards = said_in(flow.life.slack, seat)
    if not cards or "task_id" not in metadata(cards[-1]):
        return False
    seat.thread_ts = str(cards[-1]["ts"])
    seat.task = flow.life.coder.task(metadata(cards[-1])["task_id"])
    return True
