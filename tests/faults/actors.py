"""An actor is a person with a channel of their own, who runs a flow while something goes wrong.

Many actors use one bot at the same time. A call belongs to an actor if it contains the name of the actor's
person, channel, task or link. A call without a name belongs to an actor only while no other actor is running.
`points.py` defines points, faults and aims.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from taskwire_sandbox.coder import SandboxTask
from taskwire_sandbox.slack import SlackSandbox

from .points import Aim, Call, Fault, Kind, Point

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# Kinds of calls that people or Coder cause. Such calls can come at any moment.
_FROM_OUTSIDE = (Kind.CLAIM, Kind.SWEEP)
# A link's id, which follows the name of a queue or of a link's record.
_LINK = re.compile(r"\b[a-z_]+:((?:task-)?[0-9a-f]{12})\b")


@dataclass(eq=False)
class Actor:
    """A person, their channel, and their progress through the flow."""

    number: int
    name: str
    person: str
    channel: str
    task: SandboxTask | None = None
    thread_ts: str = ""
    # Whether the actor has been prepared and has not started its flow. Until it starts, its messages and keys
    # may stay unchanged.
    is_waiting: bool = True
    # How often this actor has run its flow.
    run_number: int = 0
    aim: Aim | None = None
    # The next fault of the aim.
    target: Aim | None = None
    # Whether the target's fault has not happened yet. After the last planned fault, no more faults happen.
    is_aimed: bool = False
    is_going: bool = False
    is_struck: bool = False
    # Whether the actor is stopped at the point at which the test is going to kill the bot.
    is_held: bool = False
    # How many of the actor's deliveries the bot has claimed in this run.
    taken: int = 0
    failure: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    points: list[Point] = field(default_factory=list)
    # The points of this run before the latest kill of the bot.
    earlier: list[Point] = field(default_factory=list)
    # The points that count for this actor only because no other actor was running.
    alone: set[Point] = field(default_factory=set)
    # The points before which another event may have happened since the previous point.
    apart: set[Point] = field(default_factory=set)
    # How many of the actor's calls are being executed. Below it, what Coder showed at the actor's latest
    # call.
    under_way: int = 0
    shown_last: object = None
    # Whether the flow depends on the bot's polls. `listed` is the task's state in Coder's last answer to a
    # poll. `seen` is the part of this state that the bot has written to Redis.
    is_watched: bool = False
    listed: object = None
    seen: object = None
    # The bot's messages in the channel, and its private answers to the person, before this run.
    before: set[str] = field(default_factory=set)
    shown_before: int = 0
    builds_before: int = 0
    message_ts: str = ""

    def __str__(self) -> str:
        points = ", ".join(map(str, [*self.earlier, *self.points]))
        seen = f"Coder shows {self.shown()}, of which the bot has seen {self.seen}" if self.is_watched else ""
        return f"{self.name} ({self.aim}): {points}. {seen}"

    def begin(self, aim: Aim | None) -> None:
        """Start another run of the flow. `aim` is the fault that is planned for this run; with None, nothing
        goes wrong."""
        self.aim, self.target, self.is_aimed = aim, aim, aim is not None
        self.is_going, self.is_struck, self.is_held = True, False, False
        self.is_waiting = False
        self.run_number, self.taken, self.failure = self.run_number + 1, 0, ""
        self._count_anew()
        self.earlier.clear()

    def _count_anew(self) -> None:
        self.earlier += self.points
        self.counts.clear()
        self.points.clear()
        self.alone.clear()
        self.apart.clear()
        self.under_way = 0

    def continue_with_next_bot(self) -> None:
        """Prepare the actor for the bot that is started after a kill. If the actor's aim has a second fault,
        plan it for the new bot."""
        again = self.target.again if self.target is not None and self.is_held else None
        self.target, self.is_aimed, self.is_held = again, again is not None, False
        self._count_anew()

    def take_fault(self, point: Point) -> Fault | None:
        """Return the fault that is planned for this point, or None if none is planned. A fault is returned
        only once."""
        if self.target is None or not self.is_aimed or self.target.point != point:
            return None
        self.is_struck, self.is_aimed = self.target.again is None, False
        self.is_held = self.target.fault.is_kill
        return self.target.fault

    def count_point(self, call: Call, *, is_alone: bool) -> Point:
        """Count this call, and return its point: the call with its number among the actor's calls of the same
        name. `is_alone` says whether the call belongs to this actor only because no other actor is running.
        """
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
        """Return the state of the actor's task as Coder shows it now: "gone" if the task is deleted, None if
        the actor has no task."""
        if self.task is None or self.task.is_deleted:
            return None if self.task is None else "gone"
        latest = self.task.builds[-1]
        reports = latest.agent.app.statuses if latest.agent else []
        return self.task.id, self.task.status, self.task.state, latest.number, latest.job_status, len(reports)

    def loses_answer_of(self, call: str) -> bool:
        """Return whether the actor's fault is planned for a call of this name and does not kill the bot. The
        bot then gets an error, or no answer, from the call."""
        return self.aim is not None and self.aim.point.call.name == call and not self.aim.fault.is_kill

    @property
    def is_untaken(self) -> bool:
        """Return whether the person saw an error, and the bot has claimed none of the person's deliveries in
        this run."""
        return bool(self.failure) and not self.taken


class Names:
    """Maps each name to the actor that owns it."""

    def __init__(self) -> None:
        self._actors: dict[str, Actor] = {}

    def add(self, actor: Actor, *names: str) -> None:
        """Register names of an actor."""
        for name in names:
            self._actors[name] = actor

    def find_actors(self, text: str) -> set[Actor]:
        """Return all actors that are named in a text."""
        return {self._actors[word] for word in _WORD.findall(text) if word in self._actors}

    def learn(self, text: str) -> None:
        """If a text contains ids of links and names exactly one actor, register these ids as names of this
        actor."""
        links = _LINK.findall(text)
        named = self.find_actors(text) if links else set()
        if len(named) == 1:
            for link in links:
                self._actors.setdefault(link, *named)


def said_in(slack: SlackSandbox, actor: Actor) -> list[Mapping[str, object]]:
    """Return all messages of the bot in an actor's channel, including its threads."""
    said: list[Mapping[str, object]] = []
    for message in slack.messages(actor.channel):
        said.append(message)
        if message.get("reply_count"):
            said += slack.thread(actor.channel, str(message["ts"]))[1:]
    return [message for message in said if message.get("bot_id")]


def metadata(message: Mapping[str, object]) -> dict[str, str]:
    """Return the content of the metadata that the bot has attached to a message."""
    return cast("dict[str, dict[str, str]]", message["metadata"])["event_payload"]


def texts(messages: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the texts of messages."""
    return [str(message["text"]) for message in messages]
