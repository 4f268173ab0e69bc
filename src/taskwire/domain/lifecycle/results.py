"""Decides which results are announced, and which of them call people.

A result is a report in which the agent says that it has finished or failed. An agent reports as often as it
likes, so a faulty or hostile agent could post without end. There are two limits:

- Of several results of one turn in one observation, only the newest is announced. Inputs separate turns, so
  each turn that a person's reply has begun keeps its result.
- Without a new input, `MOST_RESULT_CALLS` results within an hour call people. The next ones call nobody, and
  are announced at most once in `RESULT_INTERVAL_MS`. Until then the newest result waits in the link's state.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from taskwire.domain.durations import HOUR_MS
from taskwire.domain.lifecycle.events import Delivered, Notice
from taskwire.domain.lifecycle.link_state import LinkState

# How many results may call people within an hour if no person writes to the agent meanwhile.
MOST_RESULT_CALLS = 5
# In milliseconds. Above this limit, results of one task are announced at most once in this time.
RESULT_INTERVAL_MS = 30_000
# How many inputs are remembered that may separate the next reports. As many replies may wait in a thread.
MOST_SEPARATING_INPUTS = 200


def record_input(state: LinkState, event: Delivered) -> tuple[LinkState, list[Notice]]:
    """Record that an input begins a turn. Return the result that waited, because it waits no longer.

    The result calls people only if the agent has reported it after this input.
    """
    since, waiting = event.last_report_at, state.waiting_result
    times = state.inputs_after if since is None else tuple(sorted({*state.inputs_after, since}))
    notices = []
    if waiting is not None and waiting.report is not None:
        is_new = since is None or waiting.report.at > since
        notices = [waiting.model_copy(update={"is_call": is_new})]
    update = {"inputs_after": times[-MOST_SEPARATING_INPUTS:], "waiting_result": None}
    return state.model_copy(update=update), notices


def announce(state: LinkState, found: Sequence[Notice], now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Return the notices to post of the results that one observation shows, the oldest first."""
    notices: list[Notice] = []
    for notice in _list_newest(state, found):
        state, due = _limit(state, notice, now_ms)
        notices += due
    last = state.last_report
    # An input separates no later reports once the agent has reported after it.
    times = tuple(at for at in state.inputs_after if last is None or at >= last.at)
    return state.model_copy(update={"inputs_after": times, "unseen_inputs": 0}), notices


def release(
    state: LinkState, notices: list[Notice], now_ms: int
) -> tuple[LinkState, list[Notice], list[int]]:
    """Return the notices with the result that waits, if it is due, and the times at which it becomes due.

    The result is also due if another notice is posted, so that the thread has the notices in their order.
    """
    waiting, due = state.waiting_result, state.result_ms + RESULT_INTERVAL_MS
    if waiting is None:
        return state, notices, []
    if not notices and now_ms < due:
        return state, notices, [due]
    return state.model_copy(update={"waiting_result": None, "result_ms": now_ms}), [waiting, *notices], []


def _list_newest(state: LinkState, found: Sequence[Notice]) -> list[Notice]:
    """List the newest result of each turn.

    It is not known exactly where a turn began if its input is not in the state yet, or if the agent reported
    while the input was on its way. For each such input, list one more result of the turn.
    """
    kept: list[Notice] = []
    counts: Counter[tuple[str, int]] = Counter()
    for notice in reversed(found):
        report = notice.report
        if report is None:
            continue
        number = bisect_left(state.inputs_after, report.at)
        turn = (report.agent_id, number)
        if counts[turn] <= state.unseen_inputs + (1 if number else 0):
            kept.append(notice)
        counts[turn] += 1
    return kept[::-1]


def _limit(state: LinkState, notice: Notice, now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Return the notice if it may be posted now. Otherwise, it waits in place of the result that waited."""
    waiting = state.waiting_result
    # A result of an earlier start of the workspace was not replaced by this one.
    earlier = [] if waiting is None or waiting.build == notice.build else [waiting]
    calls = tuple(at for at in state.result_calls_ms if now_ms - at < HOUR_MS)
    if len(calls) < MOST_RESULT_CALLS:
        update = {"result_calls_ms": (*calls, now_ms), "result_ms": now_ms, "waiting_result": None}
        return state.model_copy(update=update), [*earlier, notice]
    waiting = notice.model_copy(update={"is_call": False})
    return state.model_copy(update={"waiting_result": waiting}), earlier
