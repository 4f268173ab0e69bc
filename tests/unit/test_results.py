"""Which results of an agent are announced, and which of them call people."""

import pytest

from taskwire.domain.lifecycle.events import Delivered, Observed, Vanished
from taskwire.domain.lifecycle.phases import Report
from taskwire.domain.lifecycle.results import MOST_RESULT_CALLS, RESULT_INTERVAL_MS

from .task_histories import MINUTE, SECOND, TaskHistory, observed, report, seen, when, working


def _results(*times: int, agent: str = "") -> list[Report]:
    made = [report(ms, "complete", f"Part {ms}") for ms in times]
    return [each.model_copy(update={"agent_id": agent}) for each in made]


def _looks(reports: list[Report]) -> Observed:
    return observed(seen("active", reports[-1]), *reports)


def _told(history: TaskHistory) -> list[tuple[str, bool]]:
    return [(notice.id.partition(":r")[2], notice.is_call) for _, notice in history.notices]


def _noisy() -> TaskHistory:
    """Return a history with as many results as may call people, one a second, and one that waits."""
    history = working()
    for number in range(1, MOST_RESULT_CALLS + 2):
        history.at(number * SECOND, _looks(_results(number * SECOND)))
    assert len(history.notices) == MOST_RESULT_CALLS
    history.notices.clear()
    return history


_LAST = (MOST_RESULT_CALLS + 1) * SECOND


@pytest.mark.parametrize(
    ("inputs", "unseen_inputs", "told"),
    [
        ([], 0, ["40"]),
        ([], 1, ["30", "40"]),
        ([15], 0, ["10", "30", "40"]),
        ([10], 0, ["10", "30", "40"]),
        ([15, 25], 0, ["10", "20", "30", "40"]),
        ([0], 0, ["30", "40"]),
    ],
)
def test_inputs_separate_results(inputs: list[int], unseen_inputs: int, told: list[str]) -> None:
    """Of the results of a turn, the newest is announced. If an input may lie among them, so is one more."""
    history = working()
    for number, at in enumerate(inputs):
        history.at(50 + number, Delivered(last_report_at=when(at)))

    history.state = history.state.model_copy(update={"unseen_inputs": unseen_inputs})
    history.at(100, _looks(_results(10, 20, 30, 40)))

    assert [name for name, _ in _told(history)] == told


def test_each_start_of_a_workspace_keeps_its_result() -> None:
    """Each start of a workspace has another agent. The results of two agents are both announced."""
    reports = [*_results(10, 20, agent="a1"), *_results(30, 40, agent="a2")]

    history = working().at(100, _looks(reports))

    assert _told(history) == [("20", True), ("40", True)]


def test_more_turns_than_may_call_people_are_all_announced_in_order() -> None:
    """One look shows the results of eight turns, which replies of people separate. All are announced in
    order, and those above the limit call nobody."""
    history = working()
    for number in range(8):
        history.at(90 + number, Delivered(last_report_at=when(5 + 10 * number)))

    history.at(100, _looks(_results(*range(10, 90, 10))))

    called = [number < MOST_RESULT_CALLS for number in range(8)]
    assert _told(history) == [(str(10 + 10 * number), called[number]) for number in range(8)]


def test_a_result_that_waits_is_kept_beside_that_of_a_turn_not_known_yet() -> None:
    """A result waits, and a person's reply has reached the agent. The next look comes before the state knows
    of the reply. Both results are announced when it does, and the newer one calls people."""
    history = _noisy()
    newer = _LAST + SECOND
    history.state = history.state.model_copy(update={"unseen_inputs": 1})

    history.at(newer, _looks(_results(newer)))
    early = _told(history)
    history.at(newer + 1, Delivered(last_report_at=when(_LAST)))

    assert early == []
    assert _told(history) == [(str(_LAST), False), (str(newer), True)]


def test_the_newest_result_waits_and_calls_nobody() -> None:
    """Above the limit, the newest result is announced when half a minute has passed since the last one."""
    history = _noisy()
    newer = _LAST + SECOND
    history.at(newer, _looks(_results(newer)))
    due = (MOST_RESULT_CALLS * SECOND) + RESULT_INTERVAL_MS

    history.until(due - 1)
    assert history.notices == []
    history.until(due)

    assert _told(history) == [(str(newer), False)]
    assert history.times == [(due, "completed")]


@pytest.mark.parametrize(("reported_before", "is_call"), [(0, True), (_LAST, False), (_LAST + 1, False)])
def test_an_input_releases_the_result_that_waits(reported_before: int, is_call: bool) -> None:
    """The result that waits is announced at once. It calls people only if it came after the input."""
    history = _noisy()

    history.at(_LAST + SECOND, Delivered(last_report_at=when(reported_before)))

    assert _told(history) == [(str(_LAST), is_call)]


def test_after_an_input_results_call_people_again() -> None:
    """An input begins a turn, and its result calls people."""
    history = _noisy().at(_LAST + SECOND, Delivered(last_report_at=when(_LAST)))
    history.notices.clear()

    history.at(_LAST + MINUTE, _looks(_results(_LAST + MINUTE)))

    assert _told(history) == [(str(_LAST + MINUTE), True)]


def test_a_result_that_waits_is_announced_before_the_end_of_its_task() -> None:
    """The task vanishes while a result waits. The result comes first, and nothing is lost."""
    history = _noisy().at(_LAST + SECOND, Vanished())

    assert history.kinds == ["completed", "gone"]
    assert history.state.waiting_results == ()


def test_a_result_that_waits_is_announced_before_other_notices() -> None:
    """The task is paused while a result waits. The thread has both notices in the order of the events."""
    history = _noisy().at(_LAST + SECOND, observed(seen("paused", build=2, workspace="stopped")))

    assert history.kinds == ["completed", "paused"]
