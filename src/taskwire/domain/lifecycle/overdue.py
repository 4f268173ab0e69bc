"""Decides what has lasted too long: a task in which nothing changes, and a question that nobody answers.

A task is announced as stuck at most once in a turn. A question has at most two reminders in a turn: one for
the owner, and one for the channel's fallback. Each time that a person snoozes a reminder, the bot repeats the
reminder once.
"""

from datetime import UTC, datetime, time, timedelta, tzinfo

from taskwire.domain.lifecycle.events import Notice, Snoozed
from taskwire.domain.lifecycle.link_state import LinkState, ReducerSettings
from taskwire.domain.lifecycle.phases import Phase

MORNING_HOUR = 9
# The hour at which a day begins. Before this hour, the next morning is the morning of the same day.
NIGHT_ENDS_HOUR = 5


def record_change(state: LinkState, now_ms: int) -> LinkState:
    """Return the state after a change in the task. The task then counts as not stuck."""
    return state.model_copy(update={"changed_ms": now_ms, "is_stuck": False})


def snooze(state: LinkState, event: Snoozed) -> LinkState:
    """Return the state in which the latest reminder is repeated at the time that the event names.

    If no question is open, or nobody was reminded of it, return the state unchanged.
    """
    if not state.asked_ms or not (state.reminder_count or state.snoozed_until_ms):
        return state
    count = state.reminder_count if state.snoozed_until_ms else state.reminder_count - 1
    return state.model_copy(update={"reminder_count": count, "snoozed_until_ms": event.until_ms})


def apply(state: LinkState, rules: ReducerSettings, now_ms: int) -> tuple[LinkState, list[Notice], list[int]]:
    """Return the state, the notices that are due, and the times at which other notices become due."""
    notices: list[Notice] = []
    times: list[int] = []
    stuck_at = _find_stuck_time(state, rules)
    if stuck_at is not None and now_ms >= stuck_at:
        notices.append(_make_stuck_notice(state, now_ms))
        state = state.model_copy(update={"is_stuck": True, "is_stuck_announced": True})
    elif stuck_at is not None:
        times.append(stuck_at)
    due = _find_reminder_time(state, rules)
    if due is not None and now_ms >= due:
        notices.append(_make_reminder(state, rules, due, now_ms))
        state = state.model_copy(
            update={
                "reminder_count": state.reminder_count + 1,
                "reminded_ms": now_ms,
                "snoozed_until_ms": 0,
            }
        )
        due = _find_reminder_time(state, rules)
    return state, notices, times if due is None else [*times, due]


def is_question_open(state: LinkState) -> bool:
    """Return whether a question that was announced still waits for an answer, also during a pause."""
    return bool(state.asked_ms) and state.open_phase is Phase.NEEDS_YOU


def find_next_morning(now: datetime, zone: tzinfo) -> datetime:
    """Return the next morning in this time zone.

    The result is right even if summer time begins or ends before that morning.
    """
    local = now.astimezone(zone)
    day = local.date() + timedelta(days=1 if local.hour >= NIGHT_ENDS_HOUR else 0)
    return datetime.combine(day, time(MORNING_HOUR), zone).astimezone(UTC)


def _find_stuck_time(state: LinkState, rules: ReducerSettings) -> int | None:
    """Return when the task counts as stuck; None if it cannot be stuck now, or was announced as stuck."""
    is_working = state.phase is Phase.WORKING and state.status == "active" and state.idle_since_ms is None
    can_be_stuck = bool(rules.stuck_ms and state.changed_ms) and not state.is_stuck_announced
    if not can_be_stuck or not (is_working or state.status == "unknown"):
        return None
    return state.changed_ms + max(rules.stuck_ms, rules.settle_ms)


def _make_stuck_notice(state: LinkState, now_ms: int) -> Notice:
    return Notice(
        kind="stuck",
        id=f"stuck:{state.build}:{state.changed_ms}",
        is_call=True,
        report=state.current_report,
        build=state.build,
        since_ms=state.changed_ms,
        lasted_ms=now_ms - state.changed_ms,
    )


def _find_reminder_time(state: LinkState, rules: ReducerSettings) -> int | None:
    """Return when the next reminder is due; None if no reminder will be sent.

    No reminder comes while a person has paused the task, because that person knows of the question. A snoozed
    reminder was promised, so it comes even if the settings have changed since.
    """
    is_awaited = is_question_open(state) and state.find_actor("pause") is None
    if not is_awaited:
        return None
    if state.snoozed_until_ms:
        return state.snoozed_until_ms
    if state.reminder_count >= (2 if rules.fallback else 1):
        return None
    return (state.reminded_ms or state.asked_ms) + rules.reminder_ms if rules.reminder_ms else None


def _make_reminder(state: LinkState, rules: ReducerSettings, due_ms: int, now_ms: int) -> Notice:
    return Notice(
        kind="reminder",
        id=f"reminder:{state.build}:{due_ms}",
        is_call=True,
        report=state.last_report,
        build=state.build,
        since_ms=state.asked_ms,
        lasted_ms=now_ms - state.asked_ms,
        fallback=rules.fallback if state.reminder_count else "",
    )
