"""What the reducer makes of a task's events: phases, notices and timers."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.lifecycle.events import Acted, Delivered, Event, Observed, TimerFired, Vanished
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


@pytest.mark.parametrize(
    ("observation", "phase"),
    [
        (seen("pending", workspace="pending"), Phase.STARTING),
        (seen("initializing", workspace="starting"), Phase.STARTING),
        (seen("active"), Phase.STARTING),
        (seen("active", report(0, "working")), Phase.WORKING),
        (seen("active", report(0, "a state to come")), Phase.WORKING),
        (seen("active", report(0, "complete")), Phase.DONE),
        (seen("active", report(0, "failed")), Phase.FAILED),
        (seen("unknown", workspace="pending"), Phase.PAUSING),
        (seen("unknown", workspace="stopping"), Phase.PAUSING),
        (seen("unknown"), Phase.UNCLEAR),
        (seen("paused", report(0, "working"), workspace="stopped"), Phase.PAUSED),
        (seen("hibernating"), Phase.OTHER),
    ],
)
def test_what_coder_says_is_one_phase(observation: Observation, phase: Phase) -> None:
    """The first observation of a task gives its phase at once. The phase follows from the statuses of the
    task and its workspace, and from its agent's report."""
    assert TaskHistory().at(0, observed(observation)).state.phase is phase


def test_a_word_to_come_is_kept() -> None:
    """If Coder sends a status that Taskwire does not know, the state keeps it until a known status."""
    told = TaskHistory().at(0, observed(seen("hibernating")))
    assert told.state.unknown_status == "hibernating"

    told.at(SECOND, observed(seen("active", report(1, "working"))))
    assert (told.state.unknown_status, told.state.phase) == ("", Phase.WORKING)


def test_idle_that_settles_is_told_once_a_turn() -> None:
    """An agent that is idle for the settle time needs somebody. Later changes between idle and working cause
    no notice."""
    told = working().at(MINUTE, observed(seen(last=report(MINUTE, "idle"))))
    assert told.state.phase is Phase.WORKING

    told.until(2 * MINUTE)
    assert (told.state.phase, told.times) == (Phase.NEEDS_YOU, [(MINUTE + SETTLE, "needs_input")])
    assert told.notices[0][1].is_call

    told.at(3 * MINUTE, observed(seen(last=report(3 * MINUTE, "working", "More"))))
    told.at(4 * MINUTE, observed(seen(last=report(4 * MINUTE, "idle", "More")))).until(9 * MINUTE)
    assert (told.state.phase, told.kinds) == (Phase.NEEDS_YOU, ["needs_input"])


def test_idle_that_comes_and_goes_is_never_told() -> None:
    """The agent is idle again and again, but never for as long as the settle time. There is no notice, and
    the phase stays Working."""
    told = working()
    for n in range(1, 20):
        told.at(n * 10_000, observed(seen(last=report(n * 10_000, "idle"))))
        told.at(n * 10_000 + 5_000, observed(seen(last=report(n * 10_000 + 5_000, "working"))))

    assert (told.state.phase, told.kinds) == (Phase.WORKING, [])


@pytest.mark.parametrize(("state", "phase"), [("complete", Phase.DONE), ("failed", Phase.FAILED)])
def test_the_end_is_told_at_once_and_sticks(state: str, phase: Phase) -> None:
    """When an agent reports that its turn is complete or has failed, the notice comes at once. Two seconds
    later, real agents report idle with the same message and link. That does not change the phase."""
    end, idle = (
        report(MINUTE, state, "Opened PR", "https://x/1"),
        report(MINUTE + 2_000, "idle", "Opened PR", "https://x/1"),
    )
    told = working().at(MINUTE, observed(seen(last=end)))
    told.at(MINUTE + 2_000, observed(seen(last=idle))).until(60 * MINUTE)

    assert told.state.phase is phase
    assert told.times == [(MINUTE, "completed" if state == "complete" else "failed")]


@pytest.mark.parametrize("polls", [["unknown"], ["paused"], ["unknown", "paused"]])
@pytest.mark.parametrize(("state", "phase"), [("complete", Phase.DONE), ("failed", Phase.FAILED)])
def test_the_end_sticks_though_the_idle_after_it_is_first_seen_with_a_stop(
    state: str, phase: Phase, polls: list[str]
) -> None:
    """After a turn's end, the agent reports idle with the same message, and the workspace stops. A poll first
    sees the idle report during or after the stop. The end still counts, and no notice of a question is
    posted."""
    end, idle = report(MINUTE, state, "Opened PR"), report(MINUTE + 2_000, "idle", "Opened PR")
    told = working().at(MINUTE, observed(seen(last=end)))
    for n, status in enumerate(polls, 1):
        is_last = n == len(polls)
        told.at(MINUTE + n * 5_000, observed(seen(status, idle if is_last else end, 2, "stopping")))
    told.until(60 * MINUTE)

    assert (told.state.paused_from, "needs_input" in told.kinds) == (phase, False)


def test_a_question_after_the_end_that_is_first_seen_with_a_stop_stays_open() -> None:
    """A task is Done. Then one poll shows an idle report with another message and a stopped workspace. The
    report counts as a question, which stays open during the pause."""
    told = working().at(MINUTE, observed(seen(last=report(MINUTE, "complete", "Opened PR"))))
    told.at(2 * MINUTE, observed(seen("paused", report(MINUTE + 2_000, "idle", "Merge it?"), 2, "stopped")))

    assert told.state.paused_from is Phase.NEEDS_YOU


def test_an_end_too_short_for_the_list_is_found_in_the_history() -> None:
    """Coder's list shows only the idle report after an end. The agent's history has the end too, so the
    notice of the end is posted."""
    history = [
        report(0, "working"),
        report(MINUTE, "complete", "Done"),
        report(MINUTE + 2_000, "idle", "Done"),
    ]
    told = working().at(2 * MINUTE, observed(seen(last=history[-1]), *history)).until(9 * MINUTE)

    assert (told.state.phase, told.kinds) == (Phase.DONE, ["completed"])
    assert told.notices[0][1].id == f"completed:r{MINUTE}"


def test_done_ends_when_the_agent_reports_something_else() -> None:
    """A task is Done, and the agent reports with another message. The task is then no longer Done."""
    told = working().at(MINUTE, observed(seen(last=report(MINUTE, "complete", "Done"))))
    told.at(2 * MINUTE, observed(seen(last=report(2 * MINUTE, "working", "Done"))))
    assert (told.state.phase, told.kinds) == (Phase.DONE, ["completed"])

    told.at(3 * MINUTE, observed(seen(last=report(3 * MINUTE, "working", "Fixing the tests"))))
    assert told.state.phase is Phase.WORKING


def test_done_ends_with_an_input_or_another_build() -> None:
    """A task is Done. A delivered input begins a turn, so the task is Working. A new build begins a turn too,
    so the task is Starting."""
    done = working().at(MINUTE, observed(seen(last=report(MINUTE, "complete", "Done")))).state
    input_given = TaskHistory(done).at(2 * MINUTE, Delivered(last_report_at=when(MINUTE)))
    restarted = TaskHistory(done).at(
        2 * MINUTE, observed(seen("initializing", build=2, workspace="starting"))
    )

    assert input_given.state.phase is Phase.WORKING
    assert restarted.state.phase is Phase.STARTING
    assert restarted.state.final_report is None


def test_each_input_begins_a_turn() -> None:
    """An agent gets another input, and is idle again after it. The thread gets another notice."""
    told = working().at(MINUTE, observed(seen(last=report(MINUTE, "idle")))).until(2 * MINUTE)
    told.at(3 * MINUTE, Delivered(last_report_at=when(MINUTE)))
    assert told.state.phase is Phase.WORKING

    told.at(4 * MINUTE, observed(seen(last=report(4 * MINUTE, "working", "Ok"))))
    told.at(5 * MINUTE, observed(seen(last=report(5 * MINUTE, "idle", "Ok")))).until(9 * MINUTE)
    assert told.times == [(MINUTE + SETTLE, "needs_input"), (5 * MINUTE + SETTLE, "needs_input")]


def test_a_turn_begins_though_its_answer_was_seen_first() -> None:
    """If a poll shows an answer before the delivery of its input is recorded, it counts for the new turn."""
    first = working().at(MINUTE, observed(seen(last=report(MINUTE, "idle")))).until(2 * MINUTE)
    answer = first.at(3 * MINUTE, observed(seen(last=report(3 * MINUTE, "idle", "Which one?"))))

    answer.at(3 * MINUTE + SECOND, Delivered(last_report_at=when(MINUTE))).until(9 * MINUTE)

    assert answer.state.phase is Phase.NEEDS_YOU
    assert answer.kinds == ["needs_input", "needs_input"]
    assert answer.notices[1][1].report == report(3 * MINUTE, "idle", "Which one?")


def test_a_finish_seen_before_its_delivery_stays_a_finish() -> None:
    """A delivery is recorded after the poll that shows Done. The task stays Done, and the notice is not
    repeated."""
    told = working().at(2 * MINUTE, observed(seen(last=report(2 * MINUTE, "complete", "Done"))))

    told.at(2 * MINUTE + SECOND, Delivered(last_report_at=when(0))).until(9 * MINUTE)

    assert (told.state.phase, told.kinds) == (Phase.DONE, ["completed"])


def test_an_agent_that_never_speaks_needs_somebody() -> None:
    """An agent that says nothing for 30 seconds after a start counts as idle. If that lasts for the settle
    time too, the task needs somebody."""
    told = TaskHistory().at(0, observed(seen())).until(30 * SECOND)
    assert (told.state.phase, told.kinds) == (Phase.STARTING, [])

    told.until(5 * MINUTE)
    assert told.times == [(30 * SECOND + SETTLE, "needs_input")]

    told.at(6 * MINUTE, Delivered())
    assert told.state.phase is Phase.WORKING


def test_an_error_while_a_workspace_starts_may_pass() -> None:
    """The agent is unhealthy while its workspace starts. For five minutes, no notice is posted."""
    told = TaskHistory().at(0, observed(seen("initializing", workspace="starting")))
    told.at(MINUTE, observed(seen("error"))).until(4 * MINUTE)
    assert told.state.phase is Phase.STARTING

    told.at(4 * MINUTE, observed(seen(last=report(4 * MINUTE, "working")))).until(20 * MINUTE)
    assert (told.state.phase, told.kinds) == (Phase.WORKING, [])


@pytest.mark.parametrize(
    ("error_at", "told_at"),
    [(MINUTE, 5 * MINUTE), (299 * SECOND, 319 * SECOND), (10 * MINUTE, 10 * MINUTE + SETTLE)],
)
def test_an_error_that_stays_is_told_once(error_at: int, told_at: int) -> None:
    """An error of the workspace lasts. Its notice comes after five minutes from the start or after the settle
    time, whichever is later, and once for each build."""
    told = working().at(error_at, observed(seen("error"))).until(60 * MINUTE)
    told.at(61 * MINUTE, observed(seen(last=report(61 * MINUTE, "working"))))
    told.at(62 * MINUTE, observed(seen("error"))).until(90 * MINUTE)

    assert told.state.phase is Phase.BROKEN
    assert told.times == [(told_at, "error")]


def test_an_error_that_comes_back_after_a_good_while_is_told_again() -> None:
    """A workspace has an error, is healthy for more than five minutes, and has an error again. The second
    error gets a notice of its own."""
    told = working().at(10 * MINUTE, observed(seen("error"))).until(20 * MINUTE)
    told.at(20 * MINUTE, observed(seen(last=report(20 * MINUTE, "working"))))
    told.at(26 * MINUTE, observed(seen("error"))).until(60 * MINUTE)

    assert told.kinds == ["error", "error"]
    assert told.notices[0][1].id != told.notices[1][1].id


def test_a_retry_that_has_to_stop_the_workspace_first_is_no_pause() -> None:
    """A person pressed *Retry* and expects the restart. The thread gets no notice of the stop or the
    start."""
    told = working().at(10 * MINUTE, observed(seen("error"))).until(20 * MINUTE)
    told.at(20 * MINUTE, Acted(verb="retry", person=ALICE, build=2))
    told.at(21 * MINUTE, observed(seen("paused", build=2, workspace="stopped")))
    told.at(22 * MINUTE, observed(seen(last=report(22 * MINUTE, "working"), build=3)))

    assert told.kinds == ["error"]
    assert told.state.phase is Phase.WORKING


def test_an_end_before_a_resume_that_nobody_saw_is_told_and_does_not_stick() -> None:
    """The task was done, paused and resumed while the bot was off. The notice of the end is posted late, but
    the phase is that of the new build: Starting."""
    end = report(MINUTE, "complete", "Done")
    told = working().at(60 * MINUTE, observed(seen(build=3), report(0, "working"), end))

    assert (told.state.phase, told.kinds) == (Phase.STARTING, ["completed"])

    told.at(61 * MINUTE, observed(seen(last=report(61 * MINUTE, "working", "Next"), build=3)))
    assert told.state.phase is Phase.WORKING


def test_a_report_that_was_read_before_its_start_was_seen_still_counts_for_it() -> None:
    """The bot reads a report before a list shows the start of the report's turn. The report still counts for
    that turn."""
    idle = report(60 * MINUTE, "idle", "Which one?")
    told = working().at(60 * MINUTE, observed(seen(build=3), report(0, "working"), idle))
    told.at(60 * MINUTE + 5_000, observed(seen(last=idle, build=3))).until(90 * MINUTE)

    assert told.times == [(60 * MINUTE + 5_000 + SETTLE, "needs_input")]


def test_a_moment_without_sight_is_not_a_start() -> None:
    """The status is unknown for a moment. The task still needs somebody, and the notice is not repeated."""
    told = working().at(MINUTE, observed(seen(last=report(MINUTE, "idle")))).until(2 * MINUTE)
    told.at(3 * MINUTE, observed(seen("unknown")))
    told.at(4 * MINUTE, observed(seen(last=report(MINUTE, "idle"))))

    assert (told.state.phase, told.kinds) == (Phase.NEEDS_YOU, ["needs_input"])


def test_a_start_that_is_first_seen_as_an_error_has_its_grace() -> None:
    """If a poll first sees a start as an error, the error still gets no notice for five minutes."""
    told = working().at(MINUTE, observed(seen("paused", workspace="stopped", build=2)))
    told.at(60 * MINUTE, observed(seen("error", build=3))).until(64 * MINUTE)
    assert told.kinds == ["paused"]

    told.until(66 * MINUTE)
    assert told.times[1:] == [(65 * MINUTE, "error")]


def test_an_agent_that_was_idle_before_a_short_error_is_still_asked_for() -> None:
    """An idle agent has an error for some seconds. After that, its report is the same old one, but the agent
    still waits. So the notice that it needs somebody is posted after the settle time."""
    told = working().at(10 * MINUTE, observed(seen(last=report(10 * MINUTE, "idle"))))
    told.at(10 * MINUTE + 5_000, observed(seen("error")))
    told.at(10 * MINUTE + 10_000, observed(seen(last=report(10 * MINUTE, "idle")))).until(30 * MINUTE)

    assert told.times == [(10 * MINUTE + 10_000 + SETTLE, "needs_input")]


def test_pause_and_resume_are_told_once_a_build_and_by_whom() -> None:
    """Each pause and each resume gets one notice, which later polls do not repeat. The notice names the
    person who did it in Slack. If it was done in Coder, the notice names nobody."""
    told = working().at(MINUTE, Acted(verb="pause", person=ALICE, build=2))
    for n in range(3):
        told.at(2 * MINUTE + n, observed(seen("unknown", build=2, workspace="stopping")))
        told.at(3 * MINUTE + n, observed(seen("paused", build=2, workspace="stopped")))
    told.at(4 * MINUTE, observed(seen("pending", build=3, workspace="pending")))
    for n in range(3):
        told.at(5 * MINUTE + n, observed(seen(build=3)))
        told.at(5 * MINUTE + n, observed(seen("error", build=3)))

    assert [(notice.id, notice.person) for _, notice in told.notices] == [
        ("paused:2", ALICE),
        ("resumed:3", None),
    ]
    assert not any(notice.is_call for _, notice in told.notices)


def test_a_resume_begins_a_turn() -> None:
    """An agent needed somebody before a pause, and is idle again after the resume. The thread gets another
    notice."""
    told = working().at(MINUTE, observed(seen(last=report(MINUTE, "idle")))).until(2 * MINUTE)
    told.at(3 * MINUTE, observed(seen("paused", build=2, workspace="stopped")))
    told.at(4 * MINUTE, observed(seen(build=3))).until(9 * MINUTE)

    assert told.kinds == ["needs_input", "paused", "resumed", "needs_input"]
    assert told.notices[-1][1].id == "needs_input:build-3"


@pytest.mark.parametrize(
    "observation",
    [
        seen(),
        seen(last=report(0, "idle")),
        seen(last=report(0, "complete")),
        seen("paused", workspace="stopped"),
        seen("error"),
    ],
)
def test_what_stands_when_a_task_is_attached_is_not_news(observation: Observation) -> None:
    """When a task is attached, the card shows its state. There is no notice of events before that."""
    told = TaskHistory().at(0, Observed(observation=observation, is_baseline=True)).until(60 * MINUTE)

    assert told.kinds == []


def test_what_comes_after_a_task_was_attached_is_news() -> None:
    """The task was working when it was attached. A later stop or error causes a notice."""
    base = TaskHistory().at(0, Observed(observation=seen(last=report(0, "working")), is_baseline=True)).state
    idle = TaskHistory(base).at(10 * MINUTE, observed(seen(last=report(MINUTE, "idle")))).until(20 * MINUTE)
    broken = TaskHistory(base).at(10 * MINUTE, observed(seen("error"))).until(20 * MINUTE)

    assert (idle.kinds, broken.kinds) == (["needs_input"], ["error"])


def test_a_task_that_vanishes_is_told_once_and_may_come_back() -> None:
    """The notice names the person who deleted the task. Later events are ignored until the task returns."""
    told = working().at(MINUTE, Vanished(person=ALICE)).at(MINUTE, Vanished())
    told.at(2 * MINUTE, Delivered()).at(2 * MINUTE, Acted(verb="pause", person=ALICE, build=1)).until(
        9 * MINUTE
    )
    assert [(notice.kind, notice.person) for _, notice in told.notices] == [("gone", ALICE)]
    assert (told.state.phase, told.look_at) == (Phase.GONE, None)

    told.at(10 * MINUTE, observed(seen(last=report(0, "working"))))
    assert (told.state.phase, told.kinds) == (Phase.WORKING, ["gone"])


def test_an_agent_out_of_reach_is_marked_until_it_is_back() -> None:
    """An agent becomes unreachable. Its phase does not change, and the state has the time since when it is
    unreachable."""
    told = working().at(MINUTE, observed(seen(last=report(0, "working"), is_healthy=False)))
    told.at(2 * MINUTE, observed(seen(last=report(0, "working"), is_healthy=False)))
    assert (told.state.phase, told.state.unreachable_since_ms) == (Phase.WORKING, T0 + MINUTE)

    told.at(3 * MINUTE, observed(seen(last=report(0, "working"))))
    assert told.state.unreachable_since_ms is None


@pytest.mark.parametrize(
    ("observation", "phase"),
    [
        (seen(last=report(MINUTE, "idle")), Phase.NEEDS_YOU),
        (seen(last=report(59 * MINUTE + 50_000, "idle")), Phase.STARTING),
        (seen(last=report(MINUTE, "working")), Phase.WORKING),
        (seen(), Phase.NEEDS_YOU),
        (seen("error"), Phase.BROKEN),
        (seen("paused", report(MINUTE, "idle")), Phase.PAUSED),
    ],
)
def test_a_task_that_no_link_watches_has_a_phase_too(observation: Observation, phase: Phase) -> None:
    """A task without a link has a phase too. It is the same phase as if polls had watched the task since its
    latest report."""
    assert (
        initial_state(Observed(observation=observation), ReducerSettings(SETTLE), T0 + 60 * MINUTE).phase
        is phase
    )


_STATES = st.sampled_from(["working", "idle", "complete", "failed"])
_STATUSES = st.sampled_from(
    ["pending", "initializing", "active", "active", "active", "paused", "error", "unknown"]
)
_STEPS = st.lists(
    st.tuples(
        st.integers(1, 120 * SECOND),
        st.sampled_from(["see", "see", "see", "deliver", "time", "act"]),
        _STATUSES,
        _STATES,
        st.sampled_from(["Looking", "Opened PR"]),
        st.integers(0, 1),
    ),
    max_size=30,
)


def events(steps: Sequence[tuple[int, str, str, str, str, int]]) -> list[tuple[int, Event]]:
    """Turn generated steps into a task's events. Build numbers only grow, and the history is complete."""
    made: list[tuple[int, Event]] = []
    history: list[Report] = []
    ms, build = 0, 1
    for wait, what, status, state, message, grows in steps:
        ms, build = ms + wait, build + grows
        if what == "deliver":
            made.append((ms, Delivered(last_report_at=history[-1].at if history else None)))
        elif what == "act":
            made.append((ms, Acted(verb="pause", person=ALICE, build=build)))
        elif what == "time":
            made.append((ms, TimerFired()))
        else:
            history.append(report(ms, state, message))
            made.append((ms, observed(seen(status, history[-1], build), *history)))
    return made


@settings(deadline=None)
@given(_STEPS)
def test_looking_twice_tells_nothing_twice(steps: list[tuple[int, str, str, str, str, int]]) -> None:
    """For any events: if an observation is repeated, or a timer fires early or twice, the state and the
    notices are the same as without this."""
    once, often = TaskHistory(), TaskHistory()
    for ms, event in events(steps):
        once.at(ms, event)
        often.at(ms, event)
        if isinstance(event, Observed):
            often.at(ms, event).at(ms, TimerFired()).at(ms, event)

    assert often.notices == once.notices
    assert often.state == once.state


@settings(deadline=None)
@given(_STEPS)
def test_every_notice_has_an_id_of_its_own(steps: list[tuple[int, str, str, str, str, int]]) -> None:
    """The bot posts each id once, so two notices must not share an id."""
    told = TaskHistory()
    for ms, event in events(steps):
        told.at(ms, event)

    ids = [notice.id for _, notice in told.notices]
    assert len(ids) == len(set(ids))


@settings(deadline=None)
@given(_STEPS)
def test_a_need_is_told_at_most_once_a_turn(steps: list[tuple[int, str, str, str, str, int]]) -> None:
    """For any events, at most one notice in each turn says that the task needs somebody."""
    told, asked, build = TaskHistory(), 0, 0
    for ms, event in events(steps):
        before = len(told.notices)
        told.until(ms)
        asked += sum(notice.kind == "needs_input" for _, notice in told.notices[before:])
        assert asked <= 1
        before = len(told.notices)
        told.at(ms, event)
        is_start = isinstance(event, Observed) and event.observation.build != build
        if is_start or isinstance(event, Delivered):
            asked = 0
        build = told.state.build
        asked += sum(notice.kind == "needs_input" for _, notice in told.notices[before:])
        assert asked <= 1


@settings(deadline=None)
@given(_STEPS)
def test_whether_the_bot_was_away_for_a_while_makes_no_difference_to_what_ended(
    steps: list[tuple[int, str, str, str, str, int]],
) -> None:
    """The last end in the agent's history gets a notice, whether a poll saw the end at that time, or the bot
    was off and reads the history later. Without inputs, the newest end of several stands for all."""
    made = [(ms, event) for ms, event in events(steps) if isinstance(event, Observed)]
    awake, away = TaskHistory(), TaskHistory()
    for ms, event in made:
        awake.at(ms, event)
    for ms, event in made[-1:]:
        away, awake = away.at(ms, event), awake.until(ms + MINUTE)

    def ends(told: TaskHistory) -> list[str]:
        return [notice.id for _, notice in told.notices if notice.kind in ("completed", "failed")]

    assert ends(away) == ends(awake)[-1:]
