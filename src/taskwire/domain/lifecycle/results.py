"""Decides which results are announced, and which of them call people.

A result is a report in which the agent says that it has finished or failed. An agent reports as often as it
likes, so a faulty or hostile agent could post without end. There are two limits:

- Of several results of one turn in one observation, only the newest is announced. Inputs separate turns, so
  each turn that a person's reply has begun keeps its result.
- Without a new input through Taskwire, `MOST_RESULT_CALLS` results within an hour call people. The next ones
  call nobody, and are announced at most once in `RESULT_INTERVAL_MS`. Until then, the newest result of the
  turn waits in the link's state. If it is not known whether an input lies between two results, both wait.
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
# How many results wait at most. More than one waits only if inputs may lie between them.
MOST_WAITING_RESULTS = 10
# How many inputs are remembered that may separate the next reports. As many replies may wait in a thread.
MOST_SEPARATING_INPUTS = 200


def record_input(state: LinkState, event: Delivered) -> tuple[LinkState, list[Notice]]:
    """Record that an input begins a turn. Return the results that waited, because they wait no longer.

    Such a result calls people only if the agent has reported it after this input.
    """
    since = event.last_report_at
    times = state.inputs_after if since is None else tuple(sorted({*state.inputs_after, since}))
    notices = [
        waiting.model_copy(update={"is_call": since is None or waiting.report.at > since})
        for waiting in state.waiting_results
        if waiting.report is not None
    ]
    update = {"inputs_after": times[-MOST_SEPARATING_INPUTS:], "waiting_results": ()}
    return state.model_copy(update=update), notices


def announce(state: LinkState, found: Sequence[Notice], now_ms: int) -> tuple[LinkState, list[Notice]]:
    """Return the notices to post of the results that one observation shows, the oldest first."""
    kept, last = _list_newest(state, found), state.last_report
    waiting = _without_replaced(state, kept[0]) if kept else ()
    # An input separates no later reports once the agent has reported after it.
    times = tuple(at for at in state.inputs_after if last is None or at >= last.at)
    state = state.model_copy(update={"inputs_after": times, "unseen_inputs": 0})
    if not kept:
        return state, []
    calls = tuple(at for at in state.result_calls_ms if now_ms - at < HOUR_MS)
    room = max(0, MOST_RESULT_CALLS - len(calls))
    results = [*waiting, *kept[:room], *(each.model_copy(update={"is_call": False}) for each in kept[room:])]
    if not room:
        # `release` posts them when they are due.
        return state.model_copy(update={"waiting_results": tuple(results[-MOST_WAITING_RESULTS:])}), []
    calls += (now_ms,) * min(room, len(kept))
    update = {"result_calls_ms": calls, "result_ms": now_ms, "waiting_results": ()}
    return state.model_copy(update=update), results


def release(
    state: LinkState, notices: list[Notice], now_ms: int
) -> tuple[LinkState, list[Notice], list[int]]:
    """Return the notices with the results that wait, if they are due, and the times at which they become due.

    They are also due if another notice is posted, so that the thread has the notices in their order.
    """
    waiting, due = state.waiting_results, state.result_ms + RESULT_INTERVAL_MS
    if not waiting:
        return state, notices, []
    if not notices and now_ms < due:
        return state, notices, [due]
    update = {"waiting_results": (), "result_ms": now_ms}
    return state.model_copy(update=update), [*waiting, *notices], []


def _without_replaced(state: LinkState, newer: Notice) -> tuple[Notice, ...]:
    """Return the results that wait, without the last one if the newer result is certainly of the same turn.

    An input that is in the state has released all results before it. Each start of the workspace has another
    agent.
    """
    waiting = state.waiting_results
    is_same_turn = bool(waiting) and not state.unseen_inputs and waiting[-1].build == newer.build
    return waiting[:-1] if is_same_turn else waiting


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
