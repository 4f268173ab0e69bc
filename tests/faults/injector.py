"""Watches all calls of a bot, counts the points of each actor's flow, and injects the planned faults.

The injector sees the calls to Redis (`wire`) and to both stand-ins. A kill has two steps. First the injector
holds the call at the planned point, before or after the call is executed. It also holds all later calls of
the same actor. When all actors are held, the deployment kills the bot.

A take is the call that acquires a lease. A call is serial if it serves all flows, and the bot makes only one
such call at a time. A call is shared if the bot may send several such calls at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from urllib.parse import unquote

from aiohttp import web

from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.coder import faults as coder_faults
from taskwire_sandbox.coder.faults import Fault as CoderFault
from taskwire_sandbox.coder.server import RecordedRequest
from taskwire_sandbox.slack import Call, CallFault, SlackSandbox

from . import points
from .actors import Actor, Names
from .naming import Named, Namer
from .points import Fault, Kind, Point
from .wire import Exchange, Verdict

# A bot makes these calls when it starts. They belong to no actor.
AT_START = ("auth.test", "apps.connections.open")
# A call that gets no answer is held for this long, which is longer than any deployment lasts.
NEVER_SECONDS = 3600.0

_SLACKS = {
    Fault.ANSWER_LOST: CallFault.DONE_THEN_CUT,
    Fault.CUT_BEFORE: CallFault.REFUSE,
    Fault.LIMITED: CallFault.RATE_LIMITED,
    Fault.FAILED: CallFault.SERVER_ERROR,
    Fault.FAILED_DONE: CallFault.DONE_THEN_SERVER_ERROR,
    Fault.SILENT: CallFault.DONE_THEN_HANG,
}
_CODERS = {
    Fault.ANSWER_LOST: coder_faults.cut_after(),
    Fault.CUT_BEFORE: coder_faults.refused(),
    Fault.LIMITED: coder_faults.too_many(retry_after=1),
    Fault.FAILED: coder_faults.server_error(),
    Fault.FAILED_DONE: coder_faults.error_after(),
    Fault.SILENT: coder_faults.late_after(NEVER_SECONDS),
}

# Returns the queue and the job that a take (the call that acquires a lease) would acquire now, without taking
# the job. The argument says whether the take ignores priority.
Peek = Callable[[bool], Awaitable[tuple[str, str] | None]]
# For each answer of a claim, whether it means that the delivery was claimed.
_CLAIMED = {
    **dict.fromkeys((b"claimed", b"parked"), True),
    **dict.fromkeys((b"duplicate", b"not_ours", b"rejected", b"limit_told", b"limited"), False),
}


class FaultInjector:
    """Watches the actors that run a flow, and injects their faults."""

    def __init__(self, slack: SlackSandbox, coder: CoderSandbox, peek: Peek) -> None:
        self.names = Names()
        self.actors: list[Actor] = []
        # Whether a call that serves all actors is held. While it is held, no actor makes progress.
        self.is_stuck = False
        # Set when the bot was killed. It releases the calls that were held for the kill.
        self.death = asyncio.Event()
        # How many calls the bots have made so far, to Redis, Slack and Coder.
        self.calls = 0
        self._slack = slack
        self._coder = coder
        self._peek = peek
        self.namer = Namer()
        self._on_answer: dict[Exchange, list[tuple[Actor, Fault]]] = {}
        self._inbox: dict[Exchange, list[tuple[int, Actor]]] = {}
        self._observed: dict[Exchange, set[Actor]] = {}
        self._takes: dict[Exchange, Named] = {}
        # The actor of each lease that the bot holds, by the lease's token.
        self.turns: dict[str, Actor] = {}
        # The actors whose calls are being executed. The key is the exchange with Redis, the call to Slack or
        # the request to Coder.
        self._under_way: dict[object, list[Actor]] = {}
        self._stopped: dict[int, Fault] = {}
        slack.on_call = self._slack_asked
        coder.on_arrival = self._coder_arrived
        coder.on_request = self._coder_asked

    def going(self) -> list[Actor]:
        """Return the actors that are running and not held."""
        return [actor for actor in self.actors if actor.is_going and not actor.is_held]

    def reset(self) -> None:
        """Reset the injector for a new bot."""
        self.death = asyncio.Event()
        self.is_stuck = False
        self._on_answer.clear()
        self._inbox.clear()
        self._observed.clear()
        self._takes.clear()
        self._under_way.clear()
        self.turns.clear()
        self._stopped.clear()

    # Which actor a call belongs to, and whether the call is this actor's point.

    def _owners(self, text: str, *, is_serial: bool) -> tuple[list[Actor], bool]:
        """Return the actors that a call belongs to, and whether this is known only because one actor runs
        alone.

        A call that names exactly one actor belongs to this actor. A serial call belongs to all actors that it
        names. Other calls belong to the only running actor, or to nobody if several actors run.
        """
        named = self.names.find_actors(text)
        if is_serial or len(named) == 1:
            return [actor for actor in named if actor.is_going], is_serial
        going = self.going()
        return (going if len(going) == 1 else []), True

    def _passed(
        self, call: points.Call, text: str, *, is_serial: bool = False, is_shared: bool = False
    ) -> list[tuple[Actor, Fault | None]]:
        """Count a call for each actor that it belongs to. Return these actors, each with the fault that is
        planned for the call, or None. Held actors are left out."""
        owners, is_alone = self._owners(text, is_serial=is_serial or is_shared)
        if is_alone and not is_serial and not is_shared:
            # While several actors run, a call that names no actor counts for none of them. It gets a name of
            # its own, because calls that name their actor are counted separately.
            call = call._replace(name=f"{call.name} (unnamed)")
        return [
            (actor, self._struck(actor, actor.count_point(call, is_alone=is_alone), is_serial=is_serial))
            for actor in owners
            if not actor.is_held
        ]

    def _struck(self, actor: Actor, point: Point, *, is_serial: bool) -> Fault | None:
        fault = actor.take_fault(point)
        self.is_stuck = self.is_stuck or (fault is not None and is_serial and actor.is_held)
        return fault

    def _begun(self, key: object, actors: Iterable[Actor]) -> None:
        for actor in actors:
            actor.under_way += 1
            self._under_way.setdefault(key, []).append(actor)

    def _done(self, key: object) -> None:
        for actor in self._under_way.pop(key, ()):
            actor.under_way -= 1

    def _is_stopped(self, text: str) -> bool:
        """Return whether a call belongs to a held actor. Such a call must be held too."""
        named = self.names.find_actors(text)
        return len(named) == 1 and all(actor.is_going and actor.is_held for actor in named)

    def asked(self, exchange: Exchange) -> Verdict | Awaitable[Verdict]:
        """Return what happens to commands before they reach Redis: they pass, are held, or are cut with their
        connection."""
        self.calls += 1
        named = [self.namer.name(command) for command in exchange.commands]
        if named[0].is_take:
            self._takes[exchange] = named[0]
            return self._before_take(named[0].ignores_priority) if self._awaits_take() else Verdict.PASS
        if len({each.call.name for each in named}) == 1 < len(named) and not exchange.is_of_scripts:
            # A pipeline of equal commands is one question about many actors, so it is counted once.
            named = [replace(named[0], text=" ".join(each.text for each in named))]
        return _worst([self._asked(exchange, number, each) for number, each in enumerate(named)])

    def _asked(self, exchange: Exchange, number: int, named: Named) -> Verdict:
        if named.is_own:
            return Verdict.PASS
        if not named.is_serial and self._is_stopped(named.text):
            return Verdict.HOLD
        verdict = Verdict.PASS
        self.names.learn(named.text)
        passed = self._passed(named.call, named.text, is_serial=named.is_serial, is_shared=named.is_shared)
        self._begun(exchange, (actor for actor, _ in passed))
        for actor, fault in passed:
            match fault:
                case Fault.KILLED_BEFORE:
                    verdict = Verdict.HOLD
                case Fault.CUT_BEFORE:
                    verdict = Verdict.CUT
                case None:
                    pass
                case _:
                    self._on_answer.setdefault(exchange, []).append((actor, fault))
        if named.call.kind is Kind.CLAIM:
            # Claims that were sent in one exchange get the same fault, but each claim has its own answer.
            self._inbox.setdefault(exchange, []).extend((number, actor) for actor, _ in passed)
        if named.is_observation:
            self._observed[exchange] = self.names.find_actors(named.text)
        return verdict

    def answered(self, exchange: Exchange) -> Verdict:
        """Return what happens to answers of Redis before they reach the bot: they pass, are held, or are cut
        with their connection."""
        self._done(exchange)
        for number, actor in self._inbox.pop(exchange, []):
            actor.taken += self._is_claimed(exchange.answers[number])
        for actor in self._observed.pop(exchange, ()):
            actor.seen = actor.listed
        faults = [fault for _, fault in self._on_answer.pop(exchange, [])]
        if exchange in self._takes:
            del self._takes[exchange]
            taken = self.namer.taken(exchange.commands[0], exchange.answers[0])
            if taken is not None:
                faults += self._taken(taken)
        return _worst([_after(fault) for fault in faults])

    def _is_claimed(self, answer: object) -> bool:
        """Return whether this answer to a claim says that the delivery is claimed. An error counts as not
        claimed."""
        if isinstance(answer, bytes) and answer not in _CLAIMED:
            self.namer.report_problem(f"a claim answers {answer!r}, and nobody knows what that means")
        return isinstance(answer, bytes) and _CLAIMED.get(answer, False)

    def _taken(self, taken: Named) -> list[Fault]:
        owners = self.names.find_actors(taken.text)
        if len(owners) == 1:
            (self.turns[taken.token],) = owners
        passed = self._passed(taken.call, taken.text, is_serial=True)
        return [fault for _, fault in passed if fault is not None]

    def _awaits_take(self) -> bool:
        aims = [actor.target for actor in self.going() if actor.target is not None and actor.is_aimed]
        before = (Fault.KILLED_BEFORE, Fault.CUT_BEFORE)
        return any(aim.fault in before and aim.point.call.kind is Kind.TAKE for aim in aims)

    async def _before_take(self, ignores_priority: bool) -> Verdict:
        """Find the job that a take would acquire now. If a fault before this take is planned for the job's
        actor, return what happens to the take: it is held or cut. Otherwise the take passes."""
        found = await self._peek(ignores_priority)
        if found is None:
            return Verdict.PASS
        named = self.namer.name_job_of_acquire(*found)
        for actor in self._owners(named.text, is_serial=True)[0]:
            point = Point(named.call, actor.counts[named.call.name] + 1)
            if actor.target is None or actor.is_held or actor.target.fault not in _BEFORE:
                continue
            if self._struck(actor, point, is_serial=True) is not None:
                actor.count_point(named.call, is_alone=True)
                return _BEFORE[actor.target.fault]
        return Verdict.PASS

    def _slack_asked(self, phase: str, call: Call) -> Awaitable[None] | None:
        if phase == "after":
            self._done(id(call))
            self._learn_file(call)
            return self._until_death() if self._stopped.pop(id(call), None) else None
        self.calls += 1
        if call.method in AT_START:
            return None
        text = self._slack_text(call)
        if self._is_stopped(text):
            return self._until_death()
        known = points.call_of_slack(call.method)
        if known is None:
            self.namer.report_problem(f"nobody has said whether Slack's {call.method} writes")
            return None
        passed = self._passed(known, text)
        self._begun(id(call), (actor for actor, _ in passed))
        for _, fault in passed:
            match fault:
                case Fault.KILLED_BEFORE:
                    return self._until_death()
                case Fault.KILLED_AFTER:
                    self._stopped[id(call)] = fault
                case None:
                    pass
                case _:
                    self._slack.faults.add(
                        call.method, _SLACKS[fault], where=lambda given: given is call.arguments
                    )
        return None

    def _slack_text(self, call: Call) -> str:
        """Return the words of a Slack call that can name people and places. If the call has the id of a
        trigger or a dialog, the words have the id of its person."""
        given, backend = call.arguments, self._slack.backend
        words = [str(given.get(key, "")) for key in ("channel", "channel_id", "user", "users", "file")]
        words += [call.person, str(given.get("filename", "")), str(given.get("q", ""))]
        trigger = backend.tickets.triggers.get(str(given.get("trigger_id", "")))
        view = backend.views.find(str(given.get("view_id", "")))
        words += [trigger.user if trigger else "", view.user if view else ""]
        return " ".join(words)

    def _learn_file(self, call: Call) -> None:
        if call.method == "files.getUploadURLExternal" and call.answer and "file_id" in call.answer:
            for actor in self.names.find_actors(self._slack_text(call)):
                self.names.add(actor, str(call.answer["file_id"]))

    def _coder_arrived(self, seen: RecordedRequest) -> CoderFault | None:
        self.calls += 1
        text = self._coder_text(seen)
        if self._is_stopped(text):
            self._stopped[seen.number] = Fault.KILLED_BEFORE
            return None
        passed = self._passed(points.call_of_coder(seen.route, seen.method), text)
        self._begun(("coder", seen.number), (actor for actor, _ in passed))
        for _, fault in passed:
            if fault is not None and fault.is_kill:
                self._stopped[seen.number] = fault
            elif fault is not None:
                return _CODERS[fault]
        return None

    def _coder_asked(self, seen: RecordedRequest, phase: str) -> Awaitable[None] | None:
        if phase == "after":
            self._done(("coder", seen.number))
        if seen.route == "tasks.list" and phase == "after":
            for actor in self.actors:
                actor.listed = actor.shown()
        fault = self._stopped.get(seen.number)
        is_here = (fault is Fault.KILLED_BEFORE) == (phase == "before")
        return self._until_death() if fault is not None and is_here else None

    def _coder_text(self, seen: RecordedRequest) -> str:
        # A request with a person's own Coder account belongs to this person's actor. A request with the
        # service account belongs to an actor only if its URL names the actor.
        text = unquote(f"{seen.path} {seen.query} {seen.sender}")
        if not self.names.find_actors(text):
            self.learn_tasks()
        return text

    def learn_tasks(self) -> None:
        """Register the ids of each actor's task, workspace, builds and agents as names of the actor."""
        for task in self._coder.tasks:
            for actor in self.names.find_actors(task.row.owner.username):
                self.names.add(actor, task.id, task.row.workspace.id, f"{task.name}.log", *_ids(task.builds))

    async def _until_death(self) -> None:
        await self.death.wait()
        raise web.HTTPServiceUnavailable


def _ids(builds: Iterable[object]) -> list[str]:
    """Return the ids of builds, and the ids of the builds' agents and apps."""
    found: list[str] = []
    for build in builds:
        agent = getattr(build, "agent", None)
        found.append(str(getattr(build, "id", "")))
        if agent is not None:
            found += [agent.id, agent.app.id]
    return found


_BEFORE = {Fault.KILLED_BEFORE: Verdict.HOLD, Fault.CUT_BEFORE: Verdict.CUT}


def _after(fault: Fault) -> Verdict:
    return Verdict.CUT if fault is Fault.ANSWER_LOST else Verdict.HOLD


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return one verdict for commands that were sent together: hold if any of them must be held, otherwise
    cut if any must be cut, otherwise pass."""
    found = set(verdicts)
    return next((each for each in (Verdict.HOLD, Verdict.CUT) if each in found), Verdict.PASS)
