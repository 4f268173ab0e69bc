"""Actors: each is a person with a channel of their own, who goes through a flow while something goes wrong.

Many go side by side through one bot. Whose a call is, is told by the names in it: the person's, the
channel's, the task's, the link's. What bears no name belongs to whoever goes alone.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from taskwire_sandbox.coder import PuppetTask
from taskwire_sandbox.slack import SlackSandbox

from .points import Aim, Call, Fault, Kind, Point

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# What people or Coder have brought about: they act whenever they like.
_FROM_OUTSIDE = (Kind.CLAIM, Kind.SWEEP)
# However a list or a record of a link is called, its id comes behind.
_LINK = re.compile(r"\b[a-z_]+:((?:task-)?[0-9a-f]{12})\b")


@dataclass(eq=False)
class Actor:
    """A person, their place, and how far they are."""

    number: int
    name: str
    person: str
    channel: str
    task: PuppetTask | None = None
    thread_ts: str = ""
    # How often this actor has gone through its flow.
    turn: int = 0
    aim: Aim | None = None
    # What of it comes next.
    target: Aim | None = None
    # Whether it still can: after a death nothing more is to go wrong.
    is_aimed: bool = False
    is_going: bool = False
    is_struck: bool = False
    # It has come to the point at which the bot dies, and goes no further.
    is_held: bool = False
    # How many of its deliveries the bot has claimed since it went.
    taken: int = 0
    failure: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    points: list[Point] = field(default_factory=list)
    # What came before the last death.
    earlier: list[Point] = field(default_factory=list)
    # Those that could only be told to be this actor's because nobody else went.
    alone: set[Point] = field(default_factory=set)
    # Those before which something else may have happened since the one before.
    apart: set[Point] = field(default_factory=set)
    # How many of its calls are being carried out; what Coder showed at the last one.
    under_way: int = 0
    shown_last: object = None
    # Whether the flow goes on with what the bot's poll sees; what of the task Coder has listed last, and
    # what of that the bot has written down.
    is_watched: bool = False
    listed: object = None
    seen: object = None
    # What had been said in the channel, and shown to the person alone, before they went.
    before: set[str] = field(default_factory=set)
    shown_before: int = 0
    builds_before: int = 0
    message_ts: str = ""

    def __str__(self) -> str:
        points = ", ".join(map(str, [*self.earlier, *self.points]))
        seen = f"Coder shows {self.shown()}, of which the bot has seen {self.seen}" if self.is_watched else ""
        return f"{self.name} ({self.aim}): {points}. {seen}"

    def begin(self, aim: Aim | None) -> None:
        """Go once more, to whatever end."""
        self.aim, self.target, self.is_aimed = aim, aim, aim is not None
        self.is_going, self.is_struck, self.is_held = True, False, False
        self.turn, self.taken, self.failure = self.turn + 1, 0, ""
        self.earlier.clear()
        self._count_anew()

    def _count_anew(self) -> None:
        self.earlier += self.points
        self.counts.clear()
        self.points.clear()
        self.alone.clear()
        self.apart.clear()
        self.under_way = 0

    def goes_on(self) -> None:
        """Go on in the hands of another bot, which may be going to die too."""
        again = self.target.again if self.target is not None and self.is_held else None
        self.target, self.is_aimed, self.is_held = again, again is not None, False
        self._count_anew()

    def strikes(self, point: Point) -> Fault | None:
        """What goes wrong at a point, if anything."""
        if self.target is None or not self.is_aimed or self.target.point != point:
            return None
        self.is_struck, self.is_aimed = self.target.again is None, False
        self.is_held = self.target.fault.is_kill
        return self.target.fault

    def passes(self, call: Call, *, is_alone: bool) -> Point:
        """Come to the next point of this name."""
        self.counts[call.name] += 1
        point = Point(call, self.counts[call.name])
        shown = self.shown()
        if not self.points or self.under_way or shown != self.shown_last or call.kind in _FROM_OUTSIDE:
            self.apart.add(point)
        self.shown_last = shown
        self.points.append(point)
        if is_alone:
            self.alone.add(point)
        return point

    def shown(self) -> object:
        """What Coder shows of the task now."""
        if self.task is None or self.task.is_deleted:
            return None if self.task is None else "gone"
        latest = self.task.builds[-1]
        reports = latest.agent.app.statuses if latest.agent else []
        return self.task.id, self.task.status, self.task.state, latest.number, latest.job_status, len(reports)

    def meets(self, call: str) -> bool:
        """Whether the bot hears something else than it asked for, or nothing, from this call."""
        return self.aim is not None and self.aim.point.call.name == call and not self.aim.fault.is_kill

    @property
    def is_untaken(self) -> bool:
        """Whether the person knows that it has failed, and it has."""
        return bool(self.failure) and not self.taken


class Names:
    """Whose names are whose."""

    def __init__(self) -> None:
        self._seats: dict[str, Actor] = {}

    def add(self, actor: Actor, *names: str) -> None:
        """Let these be names of a actor's."""
        for name in names:
            self._seats[name] = actor

    def whose(self, text: str) -> set[Actor]:
        """Everybody who is named in a text."""
        return {self._seats[word] for word in _WORD.findall(text) if word in self._seats}

    def learn(self, text: str) -> None:
        """Take the links that are named beside one actor for its own."""
        links = _LINK.findall(text)
        named = self.whose(text) if links else set()
        if len(named) == 1:
            for link in links:
                self._seats.setdefault(link, *named)


def said_in(slack: SlackSandbox, actor: Actor) -> list[Mapping[str, object]]:
    """Everything that the bot has said in a actor's channel, threads included."""
    said: list[Mapping[str, object]] = []
    for message in slack.messages(actor.channel):
        said.append(message)
        if message.get("reply_count"):
            said += slack.thread(actor.channel, str(message["ts"]))[1:]
    return [message for message in said if message.get("bot_id")]


def metadata(message: Mapping[str, object]) -> dict[str, str]:
    """What a message of the bot's says of itself to programs."""
    return cast("dict[str, dict[str, str]]", message["metadata"])["event_payload"]


def texts(messages: Iterable[Mapping[str, object]]) -> list[str]:
    """What messages say."""
    return [str(message["text"]) for message in messages]
