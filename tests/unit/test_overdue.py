"""What the reducer does about tasks in which nothing changes, and about questions that nobody answers."""

import pytest

from taskwire.domain.lifecycle.events import Acted, Delivered, Event, Snoozed, Vanished
from taskwire.domain.lifecycle.link_state import ReducerSettings

from .task_histories import (
    ALICE,
    MINUTE,
    SECOND,
    SETTLE,
    T0,
    TaskHistory,
    observed,
    report,
    seen,
    when,
    working,
)

HOUR = 60 * MINUTE
RULES = ReducerSettings(SETTLE, stuck_ms=30 * MINUTE, reminder_ms=HOUR, fallback="U2")
ASKED = MINUTE + SETTLE


def asking(rules: ReducerSettings = RULES) -> TaskHistory:
    """Return a history in which the agent asked a question one minute after it began to work."""
    return working(rules).at(MINUTE, observed(seen(last=report(MINUTE, "idle", "Which one?"))))


def reminded(told: TaskHistory) -> list[tuple[int, str]]:
    """Return the time of each reminder, and the fallback to whom it went. An empty text instead of a fallback
    means the owner."""
    return [(ms, notice.fallback) for ms, notice in told.notices if notice.kind == "reminder"]


def test_a_task_in_which_nothing_changes_is_stuck_once_a_turn() -> None:
    """If nothing changes in a task for half an hour, a notice says that the task is stuck. Any change starts
    the half hour again. There is at most one such notice in a turn."""
    told = working(RULES).at(29 * MINUTE, observed(seen(last=report(29 * MINUTE, "working", "Tests"))))
    told.until(58 * MINUTE)
    assert told.kinds == []

    told.until(3 * HOUR)
    told.at(3 * HOUR, observed(seen(last=report(3 * HOUR, "working", "More tests")))).until(9 * HOUR)
    assert told.times == [(59 * MINUTE, "stuck")]
    notice = told.notices[0][1]
    assert (notice.is_call, notice.since_ms, notice.lasted_ms) == (True, T0 + 29 * MINUTE, 30 * MINUTE)


def test_the_next_turn_can_be_stuck_again() -> None:
    """A task is stuck in one turn and, after an input, in the next turn too. The second notice has another id
    than the first."""
    told = working(RULES).until(HOUR).at(HOUR, Delivered(last_report_at=when(0))).until(9 * HOUR)

    assert told.times == [(30 * MINUTE, "stuck"), (90 * MINUTE, "stuck")]
    assert len({notice.id for _, notice in told.notices}) == 2


def test_a_task_is_stuck_only_as_long_as_nothing_changes() -> None:
    """The notice about a stuck task loses its button as soon as something changes."""
    told = working(RULES).until(HOUR)
    assert told.state.is_stuck

    told.at(HOUR, observed(seen(last=report(HOUR, "working", "Tests"))))
    assert not told.state.is_stuck


@pytest.mark.parametrize("workspace", ["running", "stopping"])
def test_a_task_of_unknown_status_is_stuck_after_the_same_time(workspace: str) -> None:
    """Coder does not say what the workspace does, or the workspace never finishes its stop. Such a task
    counts as stuck after the usual time."""
    told = working(RULES).at(MINUTE, observed(seen("unknown", workspace=workspace))).until(HOUR)

    assert told.times == [(31 * MINUTE, "stuck")]


@pytest.mark.parametrize(
    "event",
    [
        observed(seen(last=report(MINUTE, "complete", "Done"))),
        observed(seen(last=report(MINUTE, "idle", "Which one?"))),
        observed(seen("paused", build=2, workspace="stopped")),
        observed(seen("initializing", build=2, workspace="starting")),
        Vanished(),
    ],
)
def test_a_task_that_does_not_work_is_not_stuck(event: Event) -> None:
    """A task that waits for a person or for its workspace, or that is at rest, does not count as stuck."""
    told = working(RULES).at(MINUTE, event).until(9 * HOUR)

    assert "stuck" not in told.kinds


def test_what_comes_and_goes_within_the_settle_time_is_not_stuck() -> None:
    """The time after which a task is stuck is shorter than the settle time. So the settle time is used."""
    rules = ReducerSettings(SETTLE, stuck_ms=SECOND)
    told = working(rules).until(SETTLE - SECOND)
    assert told.kinds == []

    assert told.until(SETTLE).times == [(SETTLE, "stuck")]


@pytest.mark.parametrize("rules", [ReducerSettings(SETTLE), ReducerSettings(SETTLE, fallback="U2")])
def test_without_times_nothing_is_ever_late(rules: ReducerSettings) -> None:
    """With a time of 0, the reducer sends no notice and no reminder."""
    assert working(rules).until(99 * HOUR).kinds == []
    assert asking(rules).until(99 * HOUR).kinds == ["needs_input"]


def test_a_question_has_two_reminders_at_most() -> None:
    """Nobody answers a question. The first reminder goes to the owner. After the same time again, the second
    goes to the fallback, and no other follows."""
    told = asking().until(99 * HOUR)

    assert reminded(told) == [(ASKED + HOUR, ""), (ASKED + 2 * HOUR, "U2")]
    assert told.kinds == ["needs_input", "reminder", "reminder"]


def test_without_a_fallback_there_is_one_reminder() -> None:
    """Nobody answers a question, and the channel has no fallback. Only the owner is reminded, and once."""
    assert reminded(asking(RULES._replace(fallback="")).until(99 * HOUR)) == [(ASKED + HOUR, "")]


def test_an_answer_ends_the_reminders() -> None:
    """After an answer, nobody is reminded of the question. The question of the next turn has reminders of its
    own."""
    told = asking().until(ASKED + HOUR).at(2 * HOUR, Delivered(last_report_at=when(MINUTE)))
    told.at(2 * HOUR + SECOND, observed(seen(last=report(2 * HOUR + SECOND, "working", "Ok"))))
    told.at(2 * HOUR + MINUTE, observed(seen(last=report(2 * HOUR + MINUTE, "idle", "And this?"))))
    told.until(99 * HOUR)

    asked_again = 2 * HOUR + MINUTE + SETTLE
    assert reminded(told) == [(ASKED + HOUR, ""), (asked_again + HOUR, ""), (asked_again + 2 * HOUR, "U2")]


def test_an_agent_that_goes_on_by_itself_is_not_waited_for() -> None:
    """After a question, the agent works again before the reminder is due, so the reminder is not sent. When
    the agent is idle again, the time until the reminder starts again."""
    told = asking().until(30 * MINUTE)
    told.at(30 * MINUTE, observed(seen(last=report(30 * MINUTE, "working", "I'll try"))))
    told.at(40 * MINUTE, observed(seen(last=report(40 * MINUTE, "idle", "Which one?"))))

    told.until(90 * MINUTE)

    assert told.kinds == ["needs_input"]
    assert reminded(told.until(99 * HOUR))[0] == (100 * MINUTE + SETTLE, "")


def test_a_question_stays_open_while_coder_pauses_the_task() -> None:
    """Coder pauses the task while the agent's question is open. That is no answer, so the reminder of the
    question is still sent."""
    told = asking().at(10 * MINUTE, observed(seen("paused", build=2, workspace="stopped"))).until(HOUR)
    assert told.kinds == ["needs_input", "paused"]

    assert reminded(told.until(ASKED + HOUR)) == [(ASKED + HOUR, "")]


def test_a_person_who_pauses_the_task_needs_no_reminder() -> None:
    """A person pauses a task with an open question. There is no reminder, because that person has read the
    question."""
    told = asking().at(10 * MINUTE, Acted(verb="pause", person=ALICE, build=2))
    told.at(11 * MINUTE, observed(seen("paused", build=2, workspace="stopped"))).until(99 * HOUR)

    assert reminded(told) == []


@pytest.mark.parametrize(("already", "to"), [(1, ""), (2, "U2")])
def test_a_snoozed_reminder_is_repeated_once(already: int, to: str) -> None:
    """A person snoozes a reminder. It is repeated once, to the same person. The next reminder then comes as
    usual."""
    told = asking().until(ASKED + already * HOUR)
    assert len(reminded(told)) == already

    told.at(ASKED + already * HOUR + MINUTE, Snoozed(until_ms=T0 + 19 * HOUR))
    told.at(ASKED + already * HOUR + 2 * MINUTE, Snoozed(until_ms=T0 + 20 * HOUR)).until(99 * HOUR)

    rest = [(21 * HOUR, "U2")] if already == 1 else []
    assert reminded(told)[already:] == [(20 * HOUR, to), *rest]


@pytest.mark.parametrize(
    "event", [Delivered(last_report_at=when(MINUTE)), observed(seen("initializing", build=2))]
)
def test_a_snoozed_reminder_does_not_outlive_its_question(event: Event) -> None:
    """A person snoozes a reminder. After an answer, or a start of the workspace, it is not repeated."""
    told = asking().until(ASKED + HOUR).at(ASKED + HOUR + MINUTE, Snoozed(until_ms=T0 + 20 * HOUR))

    told.at(ASKED + HOUR + 2 * MINUTE, event).until(30 * HOUR)

    assert (told.state.snoozed_until_ms, len(reminded(told))) == (0, 1)


def test_a_snoozed_reminder_comes_although_reminders_were_turned_off_since() -> None:
    """A person snoozes a reminder, and reminders are then turned off. The snoozed reminder still comes,
    because the person was told so. No other follows."""
    told = asking().until(ASKED + 2 * HOUR).at(ASKED + 2 * HOUR, Snoozed(until_ms=T0 + 20 * HOUR))
    without = TaskHistory(told.state, look_at=told.look_at, rules=ReducerSettings(SETTLE)).until(99 * HOUR)

    assert reminded(without) == [(20 * HOUR, "")]


def test_nothing_is_snoozed_before_the_first_reminder() -> None:
    """There is no reminder to snooze, so the press is invented and does nothing."""
    told = asking().until(10 * MINUTE).at(10 * MINUTE, Snoozed(until_ms=T0 + 99 * HOUR)).until(98 * HOUR)

    assert len(reminded(told)) == 2


def test_a_state_of_an_older_version_is_neither_stuck_nor_asked() -> None:
    """An older version stored a state that does not say since when nothing has changed. The reducer then
    sends neither a notice that the task is stuck nor a reminder."""
    old = asking().until(2 * MINUTE).state.model_copy(update={"changed_ms": 0, "asked_ms": 0})

    assert TaskHistory(old, rules=RULES).until(99 * HOUR).kinds == []
