"""Decides what follows from an event of a link.

`reduce` is the only place that decides this. It is a pure function from a link's state, one event and the
time to the next state, the notices to post and the time of the next look. Events of one link are applied one
at a time. Decisions use `now_ms`, the time of Redis's clock. The agent's own times only order its reports.

This module writes no text: a notice says what has changed, and `messages/notices.py` says it in words.
"""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from taskwire.domain.ids import UserId, to_ms
from taskwire.domain.phases import Observation, Phase, Report

# In milliseconds. An active agent that has never reported counts as waiting after this time.
SILENT_START_MS = 30_000
# In milliseconds. The agent's app is unhealthy until it is up, so an error this soon after a start may pass.
START_GRACE_MS = 300_000

# In these phases the task waits for a person.
NEEDING = (Phase.NEEDS_YOU, Phase.FAILED, Phase.BROKEN)

NoticeKind = Literal["needs_input", "completed", "failed", "error", "paused", "resumed", "gone"]


class FrozenModel(BaseModel):
    """A frozen value that can be stored in Redis."""

    model_config = ConfigDict(frozen=True)


class Notice(FrozenModel):
    """A change that somebody may have to know. `id` is the same at every try."""

    kind: NoticeKind
    id: str
    is_call: bool = False
    report: Report | None = None
    build: int = 0
    by: UserId | None = None


class Observed(FrozenModel):
    """Coder's list showed the task. `reports` is the agent's history, oldest first, if it was read."""

    event: Literal["observed"] = "observed"
    seen: Observation
    reports: tuple[Report, ...] = ()
    # When the stop of a paused task was asked for, if that is known.
    stopped_at: datetime | None = None
    is_baseline: bool = False


class Delivered(FrozenModel):
    """The agent got an input. Reports after `last_report_at` belong to the turn that this input begins."""

    event: Literal["delivered"] = "delivered"
    last_report_at: datetime | None = None


class Acted(FrozenModel):
    """A person paused, resumed or retried the task in Slack. `build` is the build that this made.

    A stop that precedes another start is not a pause: `retry` names the build of that stop.
    """

    event: Literal["acted"] = "acted"
    verb: Literal["pause", "resume", "retry"]
    by: UserId
    build: int


class TimerFired(FrozenModel):
    """The time of the next look has come."""

    event: Literal["time_came"] = "time_came"


class Vanished(FrozenModel):
    """The task is no longer in Coder. `by` is the person who deleted it from Slack, if a person did."""

    event: Literal["vanished"] = "vanished"
    by: UserId | None = None


Event = Annotated[Observed | Delivered | Acted | TimerFired | Vanished, Field(discriminator="event")]


def may_call(event: Event) -> bool:
    """Whether this event may lead to a mention, as far as the event alone shows."""
    match event:
        case TimerFired():
            return True
        case Observed(seen=seen):
            return seen.status == "error" or (seen.report is not None and seen.report.is_finish)
        case _:
            return False


class Rules(NamedTuple):
    """The settings that decide when a notice is posted."""

    settle_ms: int


class LinkState(FrozenModel):
    """What is known of a link's task, and what the thread was told of it."""

    phase: Phase = Phase.STARTING
    word: str = ""
    since_ms: int = 0
    status: str = ""
    build: int = 0
    started_ms: int = 0
    active_ms: int | None = None
    last_report: Report | None = None
    report_build: int = 0
    finished: Report | None = None
    # The last report before the present turn. Coder repeats its text while the agent works.
    before_turn: Report | None = None
    idle_ms: int | None = None
    error_ms: int | None = None
    unreachable_ms: int | None = None
    is_build_failed: bool = False
    is_script_failed: bool = False
    is_need_told: bool = False
    need_told_of: str = ""
    error_told_build: int = 0
    # An error that returns after the agent was well for a while gets a new notice, with another id.
    is_error_again: bool = False
    pause_told_build: int = 0
    # The phase when the workspace was stopped. A question or a failure stays open during a pause.
    paused_from: Phase | None = None
    acted: Acted | None = None
    # Where the agent's history can be read, even after the workspace has stopped.
    agent_id: str | None = None
    app_id: str | None = None

    @property
    def has_reported(self) -> bool:
        """Whether the agent has reported since the workspace's last build."""
        return self.last_report is not None and self.report_build == self.build

    @property
    def present_report(self) -> Report | None:
        """The last report; None if the agent works on something newer."""
        last, old = self.last_report, self.before_turn
        is_old = last is not None and old is not None and last.says_the_same_as(old)
        return None if is_old and self.phase is Phase.WORKING else last

    @property
    def open_phase(self) -> Phase:
        """The phase; during a pause the phase before it, if the task waited for a person then."""
        before = self.paused_from
        is_paused = self.phase in (Phase.PAUSING, Phase.PAUSED)
        return before if is_paused and before is not None and before in NEEDING else self.phase

    @property
    def grace_ends_ms(self) -> int:
        """The time until which an error counts as part of the start; 0 for a later error."""
        is_early = self.error_ms is not None and self.error_ms - self.started_ms < START_GRACE_MS
        return self.started_ms + START_GRACE_MS if is_early else 0


class Transition(NamedTuple):
    """What follows from an event."""

    state: LinkState
    notices: tuple[Notice, ...] = ()
    look_at_ms: int | None = None


def reduce(state: LinkState, event: Event, rules: Rules, now_ms: int) -> Transition:
    """Decide what follows from an event."""
    match event:
        case Observed():
            told, notices = _observed(state, event, rules, now_ms)
        case Delivered():
            told, notices = _delivered(state, event, now_ms), []
        case Acted():
            told, notices = state.model_copy(update={"acted": event}), []
        case TimerFired():
            told, notices = state, []
        case Vanished():
            return _vanished(state, event, now_ms)
    if state.phase is Phase.GONE and not isinstance(event, Observed):
        return Transition(state)
    is_quiet = isinstance(event, Observed) and event.is_baseline
    return _judged(state, told, [] if is_quiet else notices, rules, now_ms)


def initial_state(event: Observed, rules: Rules, now_ms: int) -> LinkState:
    """Return the state of a task without a link, as if it had been observed when it last reported."""
    reported = [event.seen.created_at] + [report.at for report in event.reports]
    seen_ms = min(now_ms, max(event.seen.report_ms, *(to_ms(moment) for moment in reported)))
    first = reduce(LinkState(), event.model_copy(update={"is_baseline": True}), rules, seen_ms)
    return reduce(first.state, TimerFired(), rules, now_ms).state


def _vanished(state: LinkState, event: Vanished, now_ms: int) -> Transition:
    if state.phase is Phase.GONE:
        return Transition(state)
    gone = state.model_copy(
        update={"phase": Phase.GONE, "since_ms": now_ms, "idle_ms": None, "error_ms": None}
    )
    return Transition(gone, (Notice(kind="gone", id=f"gone:{state.build}", build=state.build, by=event.by),))


def _delivered(state: LinkState, event: Delivered, now_ms: int) -> LinkState:
    """Begin a turn. The agent's reports since the input was sent belong to it already."""
    report, since = state.last_report, event.last_report_at
    is_answered = report is not None and (since is None or report.at > since)
    keeps_finish = state.finished is not None and (since is None or state.finished.at > since)
    earlier = (None if keeps_finish else state.finished) if is_answered else report
    is_idle = is_answered and report is not None and report.state == "idle"
    return state.model_copy(
        update={
            "finished": state.finished if keeps_finish else None,
            "before_turn": earlier,
            "idle_ms": now_ms if is_idle else None,
            # An agent that never reports gets the whole SILENT_START_MS again.
            "active_ms": state.active_ms if state.active_ms is None or state.has_reported else now_ms,
            "is_need_told": False,
            "phase": Phase.WORKING if state.status == "active" and not keeps_finish else state.phase,
        }
    )


def _observed(state: LinkState, event: Observed, rules: Rules, now_ms: int) -> tuple[LinkState, list[Notice]]:
    seen = event.seen
    notices: list[Notice] = []
    if state.phase is Phase.GONE:
        state = state.model_copy(update={"phase": Phase.STARTING})
    if seen.report is None and event.reports:
        # Coder shows no report that is older than the start. So all reports in the history precede the start.
        state, notices = _folded(state, event, now_ms)
    finished = state.finished
    state = _with_build(state, seen, now_ms)
    if seen.is_active and state.active_ms is None:
        state, came = _came_up(state, now_ms)
        notices += came
    if seen.report is not None:
        state, reported = _folded(state, event, now_ms)
        notices += reported
    if not seen.is_active:
        state, unasked = _stood_still(state, event, finished, rules)
        notices += unasked
        state = _stopped_being_active(_resting(state, seen), seen, now_ms)
    state = _with_status(state, seen, now_ms)
    if seen.status == "paused" and state.pause_told_build != seen.build and not _is_retry(state):
        notices.append(_paused(state))
        state = state.model_copy(update={"pause_told_build": seen.build})
    return (_known(state, seen) if event.is_baseline else state), notices


def _standing(state: LinkState) -> Phase:
    """Return the phase that the task itself is in, before a stop of its workspace hides it."""
    if state.finished is not None:
        return _STANDING[state.finished.state]
    if state.phase in (Phase.PAUSING, Phase.PAUSED) and state.paused_from is not None:
        return state.paused_from
    return Phase.NEEDS_YOU if state.idle_ms is not None else state.phase


def _resting(state: LinkState, seen: Observation) -> LinkState:
    """Set `paused_from` if it became known only with the stop, or at the first observation."""
    if state.finished is not None or state.idle_ms is not None:
        return state.model_copy(update={"paused_from": _standing(state)})
    if state.paused_from is Phase.STARTING and state.last_report is None and seen.report is not None:
        return state.model_copy(update={"paused_from": _STANDING.get(seen.report.state)})
    return state


_STANDING = {"idle": Phase.NEEDS_YOU, "complete": Phase.DONE, "failed": Phase.FAILED}


def _stood_still(
    state: LinkState, event: Observed, finished: Report | None, rules: Rules
) -> tuple[LinkState, list[Notice]]:
    """Add a notice for a turn that ended before the workspace was stopped, if it was not announced."""
    last, old, stopped = state.last_report, state.before_turn, event.stopped_at
    ended = state.finished or finished
    if last is None or stopped is None or last.state != "idle" or state.is_need_told:
        return state, []
    if _who(state, "pause") is not None:
        return state, []
    is_old = last.id in (state.need_told_of, old.id if old is not None else None)
    is_end = ended is not None and last.says_the_same_as(ended)
    if is_old or is_end or to_ms(stopped) - to_ms(last.at) < rules.settle_ms:
        return state, []
    told = state.model_copy(update={"is_need_told": True, "need_told_of": last.id})
    return told, [_need(last.id, last, state.build)]


def _stopped_being_active(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    update: dict[str, object] = {"active_ms": None, "idle_ms": None}
    was_well = state.active_ms is not None and now_ms - state.active_ms >= START_GRACE_MS
    if was_well and seen.status == "error" and state.error_told_build == seen.build:
        update |= {"error_told_build": 0, "is_error_again": True}
    return state.model_copy(update=update)


def _came_up(state: LinkState, now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Become active. An agent that was idle before a short error does not report that again."""
    last = state.last_report
    is_waiting = last is not None and state.has_reported and state.finished is None and last.state == "idle"
    update = {"active_ms": now_ms, "idle_ms": now_ms if is_waiting else None}
    if state.pause_told_build in (0, state.build):
        return state.model_copy(update=update), []
    return state.model_copy(update=update | {"pause_told_build": 0}), [_resumed(state)]


def _known(state: LinkState, seen: Observation) -> LinkState:
    """Treat what the first observation shows as announced: an idle agent, a broken workspace."""
    last = state.last_report
    is_busy = last is not None and state.has_reported and last.state not in ("idle", "complete", "failed")
    update: dict[str, object] = {"is_need_told": seen.is_active and not is_busy}
    if seen.status == "error":
        update["error_told_build"] = seen.build
    return state.model_copy(update=update)


def _with_build(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    """Apply a new build: it clears what the last build left. A start also begins a turn."""
    if seen.build == state.build:
        return state
    is_up = seen.is_active or seen.is_coming_up or seen.workspace_status in ("starting", "running")
    is_start = is_up or state.build == 0
    update: dict[str, object] = {
        "build": seen.build,
        "finished": None,
        "idle_ms": None,
        "is_error_again": False,
        "paused_from": _standing(state),
    }
    if is_start:
        update |= {"started_ms": now_ms, "is_need_told": False, "active_ms": None, "phase": Phase.STARTING}
    return state.model_copy(update=update)


def _with_status(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    is_error = seen.status == "error"
    return state.model_copy(
        update={
            "status": seen.status,
            "agent_id": seen.agent_id or state.agent_id,
            "app_id": seen.app_id or state.app_id,
            "word": seen.status if seen.status not in _KNOWN else "",
            "phase": _phase_of(state, seen),
            "error_ms": (state.error_ms or now_ms) if is_error else None,
            "unreachable_ms": (state.unreachable_ms or now_ms) if seen.is_lost else None,
            "is_build_failed": seen.is_build_failed,
            "is_script_failed": seen.is_script_failed,
        }
    )


_KNOWN = ("pending", "initializing", "active", "paused", "error", "unknown")


def _phase_of(state: LinkState, seen: Observation) -> Phase:
    """Return the phase that the status alone gives. `_judged` adds what depends on the time."""
    match seen.status:
        case "pending" | "initializing":
            return Phase.STARTING
        case "active":
            return _active_phase(state)
        case "unknown":
            # While its build waits for a provisioner, the status is unknown only for a stop or a deletion.
            return Phase.PAUSING if seen.workspace_status in ("pending", "stopping") else Phase.UNCLEAR
        case "paused":
            return Phase.PAUSED
        case "error":
            return state.phase
        case _:
            return Phase.OTHER


def _active_phase(state: LinkState) -> Phase:
    if state.finished is not None:
        return Phase.DONE if state.finished.state == "complete" else Phase.FAILED
    if state.has_reported and state.last_report is not None and state.last_report.state != "idle":
        return Phase.WORKING
    if state.phase in _BEFORE_IDLE:
        return state.phase
    if not state.has_reported:
        return Phase.STARTING
    # The agent was idle before Coder lost sight of it for a moment.
    return Phase.NEEDS_YOU if state.is_need_told else Phase.WORKING


_BEFORE_IDLE = frozenset({Phase.STARTING, Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED})


def _folded(state: LinkState, event: Observed, now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Apply every report that is newer than the last applied one, in order."""
    notices: list[Notice] = []
    unread = () if event.seen.report is None else (event.seen.report,)
    for report in event.reports or unread:
        if state.last_report is not None and report.at <= state.last_report.at:
            continue
        state = _reported(state, report, now_ms)
        if report.is_finish and not event.is_baseline:
            kind: NoticeKind = "completed" if report.state == "complete" else "failed"
            notices.append(
                Notice(kind=kind, id=f"{kind}:{report.id}", is_call=True, report=report, build=state.build)
            )
    return _with_present(state, event.seen, now_ms), notices


def _with_present(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    """Let the newest report count for this start if the list shows it, even if it was read before."""
    last = state.last_report
    if last is None or seen.report is None or not seen.is_active or state.report_build == state.build:
        return state
    return _reported(state, last, now_ms) if seen.report.at >= last.at else state


def _reported(state: LinkState, report: Report, now_ms: int) -> LinkState:
    update: dict[str, object] = {"last_report": report, "report_build": state.build}
    is_still = state.finished is not None and report.says_the_same_as(state.finished)
    if report.is_finish:
        update |= {"finished": report, "idle_ms": None}
    elif report.state == "idle" and not is_still:
        update |= {"finished": None, "idle_ms": state.idle_ms if state.idle_ms is not None else now_ms}
    elif not is_still:
        update |= {"finished": None, "idle_ms": None, "phase": Phase.WORKING}
    return state.model_copy(update=update)


def _resumed(state: LinkState) -> Notice:
    return Notice(kind="resumed", id=f"resumed:{state.build}", build=state.build, by=_who(state, "resume"))


def _paused(state: LinkState) -> Notice:
    return Notice(kind="paused", id=f"paused:{state.build}", build=state.build, by=_who(state, "pause"))


def _is_retry(state: LinkState) -> bool:
    return state.acted is not None and (state.acted.verb, state.acted.build) == ("retry", state.build)


def _who(state: LinkState, verb: str) -> UserId | None:
    acted = state.acted
    return acted.by if acted is not None and (acted.verb, acted.build) == (verb, state.build) else None


def _judged(
    before: LinkState, state: LinkState, notices: list[Notice], rules: Rules, now_ms: int
) -> Transition:
    """Add notices for what has settled, and set the time of the next look for the rest."""
    deadlines = []
    idle_from = _idle_from(state)
    if idle_from is not None and state.status == "active" and state.finished is None:
        due = idle_from + rules.settle_ms
        if now_ms >= due:
            state, needed = _needs_you(state)
            notices += needed
        else:
            deadlines.append(due)
    if state.error_ms is not None:
        is_final = state.is_build_failed
        due = state.error_ms if is_final else max(state.error_ms + rules.settle_ms, state.grace_ends_ms)
        if now_ms >= due:
            state, broken = _broken(state)
            notices += broken
        else:
            deadlines.append(due)
    if state.phase is not before.phase or not state.since_ms:
        state = state.model_copy(update={"since_ms": now_ms})
    return Transition(state, tuple(notices), min(deadlines, default=None))


def _idle_from(state: LinkState) -> int | None:
    """Return since when the agent waits: since its report, or 30 s after a start without reports."""
    if state.idle_ms is not None:
        return state.idle_ms
    if state.has_reported or state.active_ms is None:
        return None
    return state.active_ms + SILENT_START_MS


def _needs_you(state: LinkState) -> tuple[LinkState, list[Notice]]:
    """Enter NEEDS_YOU. A report without a notice may get one later, if it turns out to answer an input."""
    report = state.last_report
    about = report.id if report is not None and state.has_reported else f"build-{state.build}"
    needing = state.model_copy(update={"phase": Phase.NEEDS_YOU})
    if state.is_need_told or state.need_told_of == about:
        return needing.model_copy(update={"is_need_told": True}), []
    told = needing.model_copy(update={"is_need_told": True, "need_told_of": about})
    return told, [_need(about, report, state.build)]


def _need(about: str, report: Report | None, build: int) -> Notice:
    return Notice(kind="needs_input", id=f"needs_input:{about}", is_call=True, report=report, build=build)


def _broken(state: LinkState) -> tuple[LinkState, list[Notice]]:
    told = state.model_copy(update={"phase": Phase.BROKEN, "error_told_build": state.build})
    if state.error_told_build == state.build:
        return told, []
    again = f":{state.error_ms}" if state.is_error_again else ""
    notice = Notice(kind="error", id=f"error:{state.build}{again}", is_call=True, build=state.build)
    return told, [notice]
