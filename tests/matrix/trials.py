"""Tries an act and notes its result: what changed, what the person was shown of the task, and what the person
was told."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Literal, NamedTuple, cast

from taskwire.domain.audit import AuditFilter
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import ActVerb
from taskwire.people import permissions
from taskwire.people.permissions import People
from taskwire.people.places import Places
from taskwire.people.shares import Shares
from taskwire_sandbox.slack import Call
from tests.scenarios.reading import shown
from tests.scenarios.world import CARD_SECONDS

from .actors import CHANNELS, LOG, REPORT, Actor, Cast, Target
from .acts import NOTICE, QUESTION, Act, Scene

# Taskwire counts a person's requests over a minute. This is longer.
BETWEEN_SECONDS = 61.0
_READING = ("GET", "HEAD")
# The table has this many characters of each message. They are enough to show whether the message is a
# refusal.
LONGEST = 110
_NEUTRAL = (
    (re.compile(r"<!date\^[^>]*>"), "TIME"),
    (re.compile(r"https?://127\.0\.0\.1:\d+"), "https://coder"),
    (re.compile(r"\b(?:do-that|fix-it)-[0-9a-f]{6}\b"), "NAME"),
    (re.compile(r"<!subteam\^\w+>"), "@group"),
    (re.compile(r"<#C\w+>"), "#channel"),
    (re.compile(r"(?<=!share )@[^`]+"), "@ME"),
    (re.compile(r"(?<=/)C\w+/p\d+"), "THREAD"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b"), "ID"),
)
# These fields of a link record what people were shown. They may change a little later than the act.
_SHOWN = ("drawn_card", "session", "told_home", "cursor")
# These fields of a link record what people want of the task. The task itself does not change if these fields
# change.
_OF_PEOPLE = ("muted", "watchers", "shares", "mention_only")
# The act did something (+), showed something of the task (r), was refused (-), or had no effect at all (.).
Mark = Literal["+", "r", "-", "."]


@dataclass(frozen=True)
class Result:
    """The result of one actor's act. `asked` are the questions about rights that the product asked."""

    mark: Mark
    said: str
    asked: frozenset[str]


# Whether `People` is already answering a question. To answer it, `People` may ask itself further questions.
_IS_INSIDE: ContextVar[bool] = ContextVar("is_inside", default=False)


@dataclass
class Gates:
    """The questions about rights that the product has asked since the latest call of `take`."""

    asked: list[str]

    def take(self) -> frozenset[str]:
        """Return the questions since the latest call of `take`, and forget them."""
        found, self.asked = frozenset(self.asked), []
        return found


@contextmanager
def watching_gates() -> Iterator[Gates]:
    """Note each question about rights that other code asks `People`, `Places` or `Shares`. Questions that
    these ask are left out."""
    gates, originals = Gates([]), {gate: getattr(*gate) for gate in _list_gates()}

    def watched(owner: type, name: str) -> Callable[..., Awaitable[object]]:
        original = originals[owner, name]

        @wraps(original)
        async def ask(*args: object, **options: object) -> object:
            if not _IS_INSIDE.get():
                gates.asked.append(_name_question(name, args))
            inside = _IS_INSIDE.set(True)
            try:
                return await cast("Awaitable[object]", original(*args, **options))
            finally:
                _IS_INSIDE.reset(inside)

        return ask

    for owner, name in originals:
        setattr(owner, name, watched(owner, name))
    try:
        yield gates
    finally:
        for (owner, name), original in originals.items():
            setattr(owner, name, original)


def _list_gates() -> list[tuple[type, str]]:
    """List the methods of `People`, `Places` and `Shares` that ask what a person may do. Methods that find a
    person's name are left out."""
    found: list[tuple[type, str]] = []
    for owner in (People, Places, Shares):
        for name, method in inspect.getmembers(owner, inspect.iscoroutinefunction):
            is_about_person = {"person", "requester"} & inspect.signature(method).parameters.keys()
            if is_about_person and not name.startswith("_") and not name.endswith("_name"):
                found.append((owner, name))
    assert len(found) > 10, found
    return found


def _name_question(name: str, args: tuple[object, ...]) -> str:
    if name != "require_right_to":
        return name
    verb = cast("ActVerb", args[1])
    if verb == "unshare":
        return "right:end_share"
    if verb in permissions.OWNERS_VERBS:
        return "right:owner"
    return "right:viewer" if verb in permissions.VIEWERS_VERBS else "right:steerer"


class _Seen(NamedTuple):
    """What the store has before or after an act: the task's fields, the fields that say what people want of
    the task (`_OF_PEOPLE`), and the settings and account that the act may change."""

    task: Mapping[str, str]
    people: Mapping[str, str | None]
    others: Sequence[object]


class Trials:
    """Lets actors try acts, one after the other."""

    def __init__(self, everybody: Cast, gates: Gates) -> None:
        self._cast = everybody
        self._gates = gates
        self._world = everybody.world
        self._names = {actor.person.id: f"@{name}" for name, actor in everybody.actors.items()}
        self._names |= {everybody.friend.id: "@friend", self._world.slack.bot_user_id: "@Taskwire"}
        # The stored fields of each link, and the link that was parsed from these fields. The link is parsed
        # again only if the fields have changed.
        self._links: dict[str, tuple[dict[str, str], Link]] = {}

    async def attempt(self, act: Act, actor: Actor) -> Result:
        """Let an actor do an act, and return the result."""
        world, target = self._world, await self._prepare(act, actor)
        before, seen, since = await self._look(target, actor), self._count_messages(actor), world.clock.now()
        requests = len(world.coder.requests)
        self._cast.acks.clear()
        self._gates.take()
        await act.do(Scene(self._cast, actor, target))
        await world.settles()
        asked = self._gates.take()
        if act.surface == "Home":
            await world.passes(CARD_SECONDS)
        now = await self._look(target, actor)
        changes = [each.path for each in world.coder.requests[requests:] if each.method not in _READING]
        if now.task != before.task or any(target.task.id in path for path in changes):
            self._cast.states.pop(actor.target, None)
        has_acted = act.surface != NOTICE and (
            now != before or changes or await self._is_in_audit_trail(actor, since)
        )
        said = self._read_directly(actor, seen) if act.surface == NOTICE else self._read(actor, seen)
        titles = {target.link.title, (await self._find_link(target)).title}
        await self._cast.forget_waiting(actor)
        return Result(_mark(said, has_acted=bool(has_acted)), self._make_neutral(said, titles), asked)

    async def _prepare(self, act: Act, actor: Actor) -> Target:
        """Return the actor's task, in the state that the act needs. If an earlier act has ended the task,
        make a new task."""
        target, states = self._cast.targets[actor.target], self._cast.states
        if target.task.is_deleted or (await self._find_link(target)).end_reason is not None:
            target = await self._cast.has_target(actor.target, target.owner, target.channel)
        if states.get(actor.target) != (target.task.id, act.needs):
            await (self._cast.is_paused(target) if act.needs == "paused" else self._cast.is_idle(target))
            states[actor.target] = (target.task.id, act.needs)
        for view in self._world.slack.views(actor.person.id):
            self._world.slack.backend.views.drop(view)
        return target

    async def _find_link(self, target: Target) -> Link:
        read = self._world.connections.commands.hgetall(self._world.keys.link(target.link.id))
        stored = await cast("Awaitable[dict[str, str]]", read)
        if self._links.get(target.link.id, ({}, target.link))[0] != stored:
            found = await self._world.bot.parts.deps.links.find(target.link.id) or target.link
            self._links[target.link.id] = (stored, found)
        return self._links[target.link.id][1]

    async def _look(self, target: Target, actor: Actor) -> "_Seen":
        """Return what the store has of a task's link, and of an actor's settings and account."""
        keys, slack = self._world.keys, self._world.slack
        pipe = self._world.connections.commands.pipeline(transaction=False)
        pipe.hgetall(keys.link(target.link.id))
        for channel in CHANNELS:
            pipe.get(keys.named("channel_settings", slack.workspace.channel(channel).id))
        for kind in ("person_settings", "account"):
            pipe.get(keys.named(kind, actor.person.id))
        link, *others = cast("list[dict[str, str] | str | None]", await pipe.execute())
        assert isinstance(link, dict)
        people = {name: link.get(name) for name in _OF_PEOPLE}
        task = {name: text for name, text in link.items() if name not in (*_OF_PEOPLE, *_SHOWN)}
        return _Seen(task, people, others)

    async def _is_in_audit_trail(self, actor: Actor, since: datetime) -> bool:
        """Return whether the audit trail says that something was done for the actor after the time
        `since`."""
        trail, wanted = self._world.bot.parts.deps.audit, AuditFilter(person=actor.person.id, since=since)
        return any([stored.entry.outcome == "done" async for stored in trail.read(wanted)])

    def _count_messages(self, actor: Actor) -> dict[str, int]:
        slack, person = self._world.slack, actor.person.id
        counts = {"private": len(slack.ephemerals(person)), "calls": len(slack.calls)}
        counts["direct"] = len(slack.open_direct(person).messages)
        return counts

    def _read(self, actor: Actor, seen: dict[str, int]) -> list[str]:
        """Return the texts that the actor has got since the messages in `seen` were counted: private answers,
        dialogs, the Home tab and previews."""
        slack, person = self._world.slack, actor.person.id
        calls = [*slack.calls][seen["calls"] :]
        found = [
            *self._cast.acks,
            *(shown(each.body) for each in slack.ephemerals(person)[seen["private"] :]),
        ]
        found += self._read_directly(actor, seen)
        found += [actor.person.dialog()]
        found += [actor.person.home() for call in calls if _publishes_home(call, person)][-1:]
        found += [f"a preview: {call.arguments['unfurls']}" for call in calls if call.method == "chat.unfurl"]
        return [text for text in found if text and text != QUESTION]

    def _read_directly(self, actor: Actor, seen: dict[str, int]) -> list[str]:
        """Return the direct messages that the actor has got since the messages in `seen` were counted."""
        direct = list(self._world.slack.open_direct(actor.person.id).messages.values())[seen["direct"] :]
        return [str(each.body["text"]) for each in direct if each.body.get("bot_id")]

    def _make_neutral(self, said: list[str], titles: set[str]) -> str:
        """Return the texts as one line. Titles, ids, times and URLs in it are replaced by fixed words, so
        that the line is the same in every run."""
        text = " / ".join(sorted(said)).replace("\n", " ")
        for title in titles:
            text = text.replace(f"*{title}*", "*TASK*")
        for user, name in self._names.items():
            text = text.replace(f"<@{user}>", name).replace(user, name)
        for target in self._cast.targets.values():
            text = text.replace(target.task.id, "ID").replace(target.task.name, "NAME")
        for words, name in _NEUTRAL:
            text = words.sub(name, text)
        return f"{text[:LONGEST]} …" if len(text) > LONGEST else text


def _publishes_home(call: Call, person: str) -> bool:
    return call.method == "views.publish" and call.arguments.get("user_id") == person


def _mark(said: list[str], *, has_acted: bool) -> Mark:
    if has_acted:
        return "+"
    if any(words in text for text in said for words in (REPORT, LOG)):
        return "r"
    return "-" if said else "."
