"""The reducer: decides what follows from an event of a link.

`reduce` is a pure function. It takes a link's state, one event and the time. It returns the next state, the
notices to post, and the time of the next timer. No other module decides these three. Events of one link are
applied one at a time. Decisions use `now_ms`, the time of Redis's clock in milliseconds. The times that an
agent writes only order its reports.

This module writes no text. A notice says what has changed, and `messages/notices.py` has the words for it.
"""

from typing import NamedTuple

from taskwire.domain.ids import to_ms
from taskwire.domain.lifecycle import overdue, results
from taskwire.domain.lifecycle.events import (
    Acted,
    Delivered,
    Event,
    Notice,
    NoticeKind,
    Observed,
    Snoozed,
    TimerFired,
    Vanished,
)
from taskwire.domain.lifecycle.link_state import START_GRACE_MS, LinkState, ReducerSettings
from taskwire.domain.lifecycle.phases import Observation, Phase, Report

# In milliseconds. After this time, an active agent that has never reported counts as idle.
SILENT_START_MS = 30_000


class Transition(NamedTuple):
    """What follows from an event. `look_at_ms` is when to send `TimerFired`; None if no timer is needed."""

    state: LinkState
    notices: tuple[Notice, ...] = ()
    look_at_ms: int | None = None


def reduce(state: LinkState, event: Event, rules: ReducerSettings, now_ms: int) -> Transition:
    """Return the state after an event, the notices to post, and the time of the next timer."""
    match event:
        case Observed():
            updated, notices = _apply_observed(state, event, rules, now_ms)
        case Delivered():
            updated, notices = results.record_input(state, event)
            updated = _apply_delivered(updated, event, now_ms)
        case Acted():
            updated, notices = state.model_copy(update={"last_action": event}), []
        case Snoozed():
            updated, notices = overdue.snooze(state, event), []
        case TimerFired():
            updated, notices = state, []
        case Vanished():
            return _apply_vanished(state, event, now_ms)
    if state.phase is Phase.GONE and not isinstance(event, Observed):
        return Transition(state)
    if not isinstance(event, TimerFired | Snoozed):
        updated = overdue.record_change(updated, now_ms)
    is_quiet = isinstance(event, Observed) and event.is_baseline
    return _apply_deadlines(state, updated, [] if is_quiet else notices, rules, now_ms)


def initial_state(event: Observed, rules: ReducerSettings, now_ms: int) -> LinkState:
    """Return the state of a task that has no stored state yet.

    The state is the same as if the task had been observed at the time of its latest report, and had not
    changed since then. Nothing is announced.
    """
    reported = [event.observation.created_at] + [report.at for report in event.reports]
    seen_ms = min(now_ms, max(event.observation.report_ms, *(to_ms(moment) for moment in reported)))
    first = reduce(LinkState(), event.model_copy(update={"is_baseline": True}), rules, seen_ms)
    return reduce(first.state, TimerFired(), rules, now_ms).state


def _apply_vanished(state: LinkState, event: Vanished, now_ms: int) -> Transition:
    if state.phase is Phase.GONE:
        return Transition(state)
    gone = state.model_copy(
        update={"phase": Phase.GONE, "since_ms": now_ms, "idle_since_ms": None, "error_since_ms": None}
    )
    notice = Notice(kind="gone", id=f"gone:{state.build}", build=state.build, person=event.person)
    gone, notices, _ = results.release(gone, [notice], now_ms)
    return Transition(gone, tuple(notices))


def _apply_delivered(state: LinkState, event: Delivered, now_ms: int) -> LinkState:
    """Begin a turn, because the agent got an input. Reports that come after the input belong to this turn."""
    report, since = state.last_report, event.last_report_at
    is_answered = report is not None and (since is None or report.at > since)
    keeps_finish = state.final_report is not None and (since is None or state.final_report.at > since)
    earlier = (None if keeps_finish else state.final_report) if is_answered else report
    is_idle = is_answered and report is not None and report.state == "idle"
    return state.begin_turn().model_copy(
        update={
            "final_report": state.final_report if keeps_finish else None,
            "input_after": since,
            "delivered_ms": now_ms,
            "previous_report": earlier,
            "idle_since_ms": now_ms if is_idle else None,
            # An agent that never reports has SILENT_START_MS from now until it counts as idle.
            "active_since_ms": state.active_since_ms
            if state.active_since_ms is None or state.has_reported
            else now_ms,
            "phase": Phase.WORKING if state.status == "active" and not keeps_finish else state.phase,
        }
    )


def _apply_observed(
    state: LinkState, event: Observed, rules: ReducerSettings, now_ms: int
) -> tuple[LinkState, list[Notice]]:
    seen = event.observation
    notices: list[Notice] = []
    if state.phase is Phase.GONE:
        state = state.model_copy(update={"phase": Phase.STARTING})
    if seen.report is None and event.reports:
        # Coder's list shows only reports that came after the latest start of the workspace, and here it shows
        # none. So all reports of the history are older than this start, and are applied first.
        state, notices = _apply_reports(state, event, now_ms)
    finished = state.final_report
    state = _with_build(state, seen, now_ms)
    if seen.is_active and state.active_since_ms is None:
        state, resumed = _become_active(state, now_ms)
        notices += resumed
    if seen.report is not None:
        state, reported = _apply_reports(state, event, now_ms)
        notices += reported
    if not seen.is_active:
        state, unseen = _announce_unseen_end(state, event, finished, rules, now_ms)
        notices += unseen
        state = _become_inactive(_with_paused_from(state, seen), seen, now_ms)
    state = _with_status(state, seen, now_ms)
    if seen.status == "paused" and state.announced_pause_build != seen.build and not _is_retry(state):
        notices.append(_make_build_notice(state, "paused", "pause"))
        state = state.model_copy(update={"announced_pause_build": seen.build})
    return (_mark_announced(state, seen) if event.is_baseline else state), notices


def _phase_without_stop(state: LinkState) -> Phase:
    """Return the phase in which the task would be if its workspace had not stopped.

    An agent that has reported that it waits counts as waiting (NEEDS_YOU), even if this was not announced
    yet.
    """
    if state.final_report is not None:
        return _PHASE_OF_REPORT[state.final_report.state]
    if state.phase in (Phase.PAUSING, Phase.PAUSED) and state.paused_from is not None:
        return state.paused_from
    return Phase.NEEDS_YOU if state.idle_since_ms is not None else state.phase


def _with_paused_from(state: LinkState, seen: Observation) -> LinkState:
    """Record the phase before the stop (`paused_from`) if this observation is the first that shows it.

    The agent may have reported between the previous poll and the stop.
    """
    if state.final_report is not None or state.idle_since_ms is not None:
        return state.model_copy(update={"paused_from": _phase_without_stop(state)})
    if state.paused_from is Phase.STARTING and state.last_report is None and seen.report is not None:
        return state.model_copy(update={"paused_from": _PHASE_OF_REPORT.get(seen.report.state)})
    return state


_PHASE_OF_REPORT = {"idle": Phase.NEEDS_YOU, "complete": Phase.DONE, "failed": Phase.FAILED}


def _announce_unseen_end(
    state: LinkState, event: Observed, finished: Report | None, rules: ReducerSettings, now_ms: int
) -> tuple[LinkState, list[Notice]]:
    """Announce that the agent waits for a person, if it began to wait before the workspace stopped.

    This happens if no poll saw the agent wait, and if it waited for at least `settle_ms` before the stop.
    Nothing is announced if a person paused the task. `finished` is the report with which the agent has
    finished; None if it has not finished.
    """
    last, old, stopped = state.last_report, state.previous_report, event.stopped_at
    ended = state.final_report or finished
    if last is None or stopped is None or last.state != "idle" or state.is_need_announced:
        return state, []
    if state.find_actor("pause") is not None:
        return state, []
    is_old = last.id in (state.announced_need_id, old.id if old is not None else None)
    is_end = ended is not None and last.has_same_text(ended)
    if is_old or is_end or to_ms(stopped) - to_ms(last.at) < rules.settle_ms:
        return state, []
    updated = state.model_copy(
        update={"is_need_announced": True, "announced_need_id": last.id, "asked_ms": now_ms}
    )
    return updated, [_make_need_notice(last.id, last, state.build)]


def _become_inactive(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    update: dict[str, object] = {"active_since_ms": None, "idle_since_ms": None}
    was_well = state.active_since_ms is not None and now_ms - state.active_since_ms >= START_GRACE_MS
    if was_well and seen.status == "error" and state.announced_error_build == seen.build:
        update |= {"announced_error_build": 0, "is_error_repeated": True}
    return state.model_copy(update=update)


def _become_active(state: LinkState, now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Record that the task is active again, and announce the end of a pause."""
    last = state.last_report
    is_waiting = (
        last is not None and state.has_reported and state.final_report is None and last.state == "idle"
    )
    update = {"active_since_ms": now_ms, "idle_since_ms": now_ms if is_waiting else None}
    if state.announced_pause_build in (0, state.build):
        return state.model_copy(update=update), []
    return state.model_copy(update=update | {"announced_pause_build": 0}), [
        _make_build_notice(state, "resumed", "resume")
    ]


def _mark_announced(state: LinkState, seen: Observation) -> LinkState:
    """Mark the need or the error in a task's first observation as announced, so that no notice follows.

    A need is that the agent waits for a person.
    """
    last = state.last_report
    is_busy = last is not None and state.has_reported and last.state not in ("idle", "complete", "failed")
    update: dict[str, object] = {"is_need_announced": seen.is_active and not is_busy}
    if seen.status == "error":
        update["announced_error_build"] = seen.build
    return state.model_copy(update=update)


def _with_build(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    """If the observation has a new build, remove from the state what belonged to the previous build.

    A build that starts the workspace also begins a turn.
    """
    if seen.build == state.build:
        return state
    is_up = seen.is_active or seen.is_starting or seen.workspace_status in ("starting", "running")
    is_start = is_up or state.build == 0
    update: dict[str, object] = {
        "build": seen.build,
        # A stop does not end the phases Done and Failed. The idle report that follows one of these phases may
        # be seen only after the stop.
        "final_report": None if is_start else state.final_report,
        "idle_since_ms": None,
        "is_error_repeated": False,
        "paused_from": _phase_without_stop(state),
    }
    if is_start:
        update |= {"started_ms": now_ms, "active_since_ms": None, "phase": Phase.STARTING}
        state = state.begin_turn()
    return state.model_copy(update=update)


def _with_status(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    is_error = seen.status == "error"
    return state.model_copy(
        update={
            "status": seen.status,
            "agent_id": seen.agent_id or state.agent_id,
            "app_id": seen.app_id or state.app_id,
            "unknown_status": seen.status if seen.status not in _KNOWN_STATUSES else "",
            "phase": _phase_of(state, seen),
            "error_since_ms": (state.error_since_ms or now_ms) if is_error else None,
            "unreachable_since_ms": (state.unreachable_since_ms or now_ms) if seen.is_lost else None,
            "is_build_failed": seen.is_build_failed,
            "is_script_failed": seen.is_script_failed,
        }
    )


_KNOWN_STATUSES = ("pending", "initializing", "active", "paused", "error", "unknown")


def _phase_of(state: LinkState, seen: Observation) -> Phase:
    """Return the phase for Coder's status. `_apply_deadlines` sets the phases that depend on time."""
    match seen.status:
        case "pending" | "initializing":
            return Phase.STARTING
        case "active":
            return _active_phase(state)
        case "unknown":
            # If a build waits for a provisioner, Coder shows this status only for a stop or a deletion.
            return Phase.PAUSING if seen.workspace_status in ("pending", "stopping") else Phase.UNCLEAR
        case "paused":
            return Phase.PAUSED
        case "error":
            return state.phase
        case _:
            return Phase.OTHER


def _active_phase(state: LinkState) -> Phase:
    if state.final_report is not None:
        return Phase.DONE if state.final_report.state == "complete" else Phase.FAILED
    if state.has_reported and state.last_report is not None and state.last_report.state != "idle":
        return Phase.WORKING
    if state.phase in _PHASES_OF_ACTIVE:
        return state.phase
    if not state.has_reported:
        return Phase.STARTING
    # Coder has not seen the agent for a moment. Before that, the agent was idle.
    return Phase.NEEDS_YOU if state.is_need_announced else Phase.WORKING


_PHASES_OF_ACTIVE = frozenset({Phase.STARTING, Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED})


def _apply_reports(state: LinkState, event: Observed, now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Apply each report that is newer than the state's latest report, the oldest first.

    Return the new state, and the notices of those reports that say that the agent has finished or failed.
    """
    found: list[Notice] = []
    unread = () if event.observation.report is None else (event.observation.report,)
    for report in event.reports or unread:
        if state.last_report is not None and report.at <= state.last_report.at:
            continue
        state = _apply_report(state, report, now_ms)
        if report.is_final and not event.is_baseline:
            kind: NoticeKind = "completed" if report.state == "complete" else "failed"
            found.append(
                Notice(kind=kind, id=f"{kind}:{report.id}", is_call=True, report=report, build=state.build)
            )
    state, notices = results.announce(state, found, now_ms)
    return _reapply_last_report(state, event.observation, now_ms), notices


def _reapply_last_report(state: LinkState, seen: Observation, now_ms: int) -> LinkState:
    """Apply the latest report to the present build too, if Coder's list still shows that report.

    This is needed if the report was applied to an earlier build.
    """
    last = state.last_report
    if last is None or seen.report is None or not seen.is_active or state.report_build == state.build:
        return state
    return _apply_report(state, last, now_ms) if seen.report.at >= last.at else state


def _apply_report(state: LinkState, report: Report, now_ms: int) -> LinkState:
    update: dict[str, object] = {"last_report": report, "report_build": state.build}
    is_still = state.final_report is not None and report.has_same_text(state.final_report)
    if report.is_final:
        update |= {"final_report": report, "idle_since_ms": None}
    elif report.state == "idle" and not is_still:
        update |= {
            "final_report": None,
            "idle_since_ms": state.idle_since_ms if state.idle_since_ms is not None else now_ms,
        }
    elif not is_still:
        update |= {"final_report": None, "idle_since_ms": None, "phase": Phase.WORKING}
    return state.model_copy(update=update)


def _make_build_notice(state: LinkState, kind: NoticeKind, verb: str) -> Notice:
    """Make the notice of a pause or a resume. It names the person who did `verb`, if a person did."""
    return Notice(kind=kind, id=f"{kind}:{state.build}", build=state.build, person=state.find_actor(verb))


def _is_retry(state: LinkState) -> bool:
    return state.last_action is not None and (state.last_action.verb, state.last_action.build) == (
        "retry",
        state.build,
    )


def _apply_deadlines(
    before: LinkState, state: LinkState, notices: list[Notice], rules: ReducerSettings, now_ms: int
) -> Transition:
    """Announce an idle agent or an error that has lasted long enough. Set a timer for what becomes due later.

    `before` is the state before the event. `notices` are the notices of the event itself. The result has
    these notices, and then the notices of this function.
    """
    deadlines = []
    idle_from = _find_idle_since(state)
    if idle_from is not None and state.status == "active" and state.final_report is None:
        due = idle_from + rules.settle_ms
        if now_ms >= due:
            state, needed = _enter_needs_you(state, now_ms)
            notices += needed
        else:
            deadlines.append(due)
    if state.error_since_ms is not None:
        is_final = state.is_build_failed
        due = (
            state.error_since_ms
            if is_final
            else max(state.error_since_ms + rules.settle_ms, state.grace_ends_ms)
        )
        if now_ms >= due:
            state, broken = _enter_broken(state)
            notices += broken
        else:
            deadlines.append(due)
    state, late, times = overdue.apply(state, rules, now_ms)
    notices += late
    deadlines += times
    state, notices, times = results.release(state, notices, now_ms)
    deadlines += times
    if state.phase is not before.phase or not state.since_ms:
        state = state.model_copy(update={"since_ms": now_ms})
    return Transition(state, tuple(notices), min(deadlines, default=None))


def _find_idle_since(state: LinkState) -> int | None:
    """Return the time in milliseconds at which the agent became idle; None if the agent works.

    An agent that does not report within 30 s after the start counts as idle after these 30 s.
    """
    if state.idle_since_ms is not None:
        return state.idle_since_ms
    if state.has_reported or state.active_since_ms is None:
        return None
    return state.active_since_ms + SILENT_START_MS


def _enter_needs_you(state: LinkState, now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Enter the phase NEEDS_YOU, and announce that the agent waits for a person.

    It is not announced a second time for the same report, or, without a report, for the same build.
    """
    report = state.last_report
    about = report.id if report is not None and state.has_reported else f"build-{state.build}"
    asked_ms = now_ms if state.asked_ms and state.phase is not Phase.NEEDS_YOU else state.asked_ms
    needing = state.model_copy(update={"phase": Phase.NEEDS_YOU, "asked_ms": asked_ms})
    if state.is_need_announced or state.announced_need_id == about:
        return needing.model_copy(update={"is_need_announced": True}), []
    updated = needing.model_copy(
        update={"is_need_announced": True, "announced_need_id": about, "asked_ms": now_ms}
    )
    return updated, [_make_need_notice(about, report, state.build)]


def _make_need_notice(about: str, report: Report | None, build: int) -> Notice:
    return Notice(kind="needs_input", id=f"needs_input:{about}", is_call=True, report=report, build=build)


def _enter_broken(state: LinkState) -> tuple[LinkState, list[Notice]]:
    updated = state.model_copy(update={"phase": Phase.BROKEN, "announced_error_build": state.build})
    if state.announced_error_build == state.build:
        return updated, []
    again = f":{state.error_since_ms}" if state.is_error_repeated else ""
    notice = Notice(kind="error", id=f"error:{state.build}{again}", is_call=True, build=state.build)
    return updated, [notice]
