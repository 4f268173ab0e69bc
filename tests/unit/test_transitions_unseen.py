"""What the reducer makes of events that no poll saw: ends before a pause, failed builds, unreachable
agents."""

import pytest

from taskwire.domain.lifecycle.events import Acted, Delivered, Event, Observed, TimerFired
from taskwire.domain.lifecycle.link_state import ReducerSettings
from taskwire.domain.lifecycle.phases import Observation, Phase, Report
from taskwire.domain.lifecycle.transitions import initial_state

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


def paused(last: Report, stopped_ms: int, build: int = 2) -> Event:
    """Return an observation of a stopped workspace. Its agent cannot be read any more."""
    shown = seen("paused", last, build=build, workspace="stopped")
    return Observed(observation=shown, stopped_at=when(stopped_ms))


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_failed_build_is_told_at_once(status: str) -> None:
    """A failed build does not recover by itself, so the notice does not wait."""
    told = TaskHistory().at(0, observed(seen("initializing", workspace="starting")))
    told.at(MINUTE, observed(seen("error", workspace=status)))

    assert (told.state.phase, told.times) == (Phase.BROKEN, [(MINUTE, "error")])

    told.until(60 * MINUTE).at(61 * MINUTE, observed(seen("error", workspace=status)))
    assert told.kinds == ["error"]


def test_a_stop_that_fails_is_told_at_once() -> None:
    """A workspace cannot be stopped. The notice comes at once, whatever the agent was doing."""
    told = working().at(MINUTE, observed(seen("unknown", build=2, workspace="stopping")))
    told.at(2 * MINUTE, observed(seen("error", report(0, "working"), build=2, workspace="failed")))

    assert (told.state.phase, told.times) == (Phase.BROKEN, [(2 * MINUTE, "error")])


def test_a_task_without_a_link_whose_build_failed_is_broken() -> None:
    """The build of a task without a link has failed. The first observation already gives *Broken*, even in
    the first minutes of the task."""
    shown = Observed(observation=seen("error", workspace="failed"))

    assert initial_state(shown, ReducerSettings(SETTLE), T0 + SECOND).phase is Phase.BROKEN


def test_an_agent_whose_startup_script_failed_is_not_out_of_reach() -> None:
    """If only the startup script of the agent's workspace has failed, the agent still takes input. So it does
    not count as unreachable. The state notes the failed script for as long as Coder reports it."""
    told = working().at(
        MINUTE, observed(seen(last=report(0, "working"), is_healthy=False, is_script_failed=True))
    )
    assert (told.state.unreachable_since_ms, told.state.is_script_failed) == (None, True)

    told.at(2 * MINUTE, observed(seen(last=report(0, "working"))))
    assert not told.state.is_script_failed


@pytest.mark.parametrize(("state", "kind"), [("complete", "completed"), ("failed", "failed")])
def test_an_end_that_only_the_paused_task_shows_is_told_before_the_pause(state: str, kind: str) -> None:
    """A stopped agent cannot be read any more, but Coder's list keeps its last report. From that report, the
    end is posted before the pause."""
    end = report(MINUTE, state, "Opened PR", "https://x/1")
    told = working().at(60 * MINUTE, paused(end, 2 * MINUTE)).until(90 * MINUTE)

    assert (told.kinds, told.state.phase) == ([kind, "paused"], Phase.PAUSED)
    assert told.notices[0][1].report == end


def test_an_end_that_was_told_of_a_paused_task_is_no_news_when_it_is_resumed() -> None:
    """A turn's end was posted while the task was paused. After a resume, the agent's history shows this end
    again. Its reports are older than the posted notice, so there is no second notice."""
    end, idle = report(MINUTE, "complete", "Done"), report(MINUTE + 2_000, "idle", "Done")
    told = working().at(60 * MINUTE, paused(idle, 40 * MINUTE))
    told.at(70 * MINUTE, observed(seen(build=3), report(0, "working"), end, idle)).until(70 * MINUTE + SECOND)

    assert told.kinds == ["needs_input", "paused", "resumed"]


def test_a_turn_that_ended_unseen_before_a_pause_is_told() -> None:
    """No poll saw that the agent was idle, and then the workspace stopped. The list still has the idle
    report. So a notice says that the agent needs somebody, once, before the notice of the pause."""
    idle = report(MINUTE, "idle", "Opened PR")
    told = working().at(60 * MINUTE, paused(idle, 40 * MINUTE)).at(61 * MINUTE, paused(idle, 40 * MINUTE))

    assert told.times == [(60 * MINUTE, "needs_input"), (60 * MINUTE, "paused")]
    assert told.notices[0][1].is_call


def test_an_agent_that_was_known_to_stand_still_is_told_too() -> None:
    """A poll saw that the agent was idle. The next poll came only after the settle time, and saw a paused
    task. The notice that the agent needs somebody is still posted."""
    idle = report(MINUTE, "idle")
    told = working().at(MINUTE, observed(seen(last=idle))).at(60 * MINUTE, paused(idle, 40 * MINUTE))

    assert told.kinds == ["needs_input", "paused"]


@pytest.mark.parametrize(
    ("last", "stopped_ms"),
    [
        (report(MINUTE, "working", "Reading"), 40 * MINUTE),
        (report(MINUTE, "idle"), MINUTE + SETTLE - SECOND),
    ],
)
def test_a_turn_that_a_pause_broke_off_is_not_told(last: Report, stopped_ms: int) -> None:
    """When the workspace stopped, the agent was working, or had been idle for less than the settle time.
    There is only the notice of the pause, and none that the agent needs somebody."""
    assert working().at(60 * MINUTE, paused(last, stopped_ms)).kinds == ["paused"]


def test_the_person_who_pauses_a_task_is_not_mentioned_for_its_question() -> None:
    """Polls are far apart. One poll shows both the idle agent and the person's pause, so the notice does not
    mention that person."""
    told = working().at(2 * MINUTE, Acted(verb="pause", person=ALICE, build=2))
    told.at(3 * MINUTE, paused(report(MINUTE, "idle"), 2 * MINUTE))

    assert told.kinds == ["paused"]


def test_what_was_told_before_a_pause_is_not_told_again() -> None:
    """An input was delivered after the notice, but the agent has not reacted to it. The notice is not
    repeated."""
    idle = report(MINUTE, "idle")
    asked = working().at(MINUTE, observed(seen(last=idle))).until(5 * MINUTE).state
    again = TaskHistory(asked).at(60 * MINUTE, paused(idle, 40 * MINUTE))
    answered = TaskHistory(asked).at(6 * MINUTE, Delivered(last_report_at=when(MINUTE)))
    answered.at(60 * MINUTE, paused(idle, 40 * MINUTE))

    assert again.kinds == answered.kinds == ["paused"]


def test_an_end_that_was_told_is_not_told_again_by_the_pause() -> None:
    """The notice of a turn's end was posted. Then one poll shows a later idle report with the same message
    and a paused task. There is only a notice of the pause."""
    end, idle = report(MINUTE, "complete", "Done"), report(MINUTE + 2_000, "idle", "Done")
    told = working().at(MINUTE, observed(seen(last=end))).at(60 * MINUTE, paused(idle, 40 * MINUTE))

    assert told.kinds == ["completed", "paused"]


def test_a_paused_task_that_gets_a_thread_tells_nothing_of_its_past() -> None:
    """A paused task is attached. The card shows the last report, and no notice is posted."""
    end = report(MINUTE, "complete", "Done")
    shown: Observation = seen("paused", end, build=2, workspace="stopped")
    told = (
        TaskHistory()
        .at(60 * MINUTE, Observed(observation=shown, is_baseline=True))
        .at(61 * MINUTE, TimerFired())
    )

    assert (told.kinds, told.state.last_report) == ([], end)
