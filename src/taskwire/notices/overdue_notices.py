"""Notices about a stuck task, and reminders of a question that nobody has answered.

This module checks whether such a notice is still true, and removes its buttons if it is not.
`domain/lifecycle/overdue.py` decides when these notices are due.
"""

import asyncio
import contextlib

from taskwire.agent.log import read_last_output
from taskwire.coder.client import CoderClient
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.lifecycle.events import Notice
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.overdue import is_question_open, record_change
from taskwire.domain.text.agent_questions import read_answer
from taskwire.messages import inputs
from taskwire.outbox import questions
from taskwire.outbox.coder_health import find_outage
from taskwire.queue.batch import Batch

# In seconds. If reading the agent's log takes longer, a reminder shows the agent's report instead.
REMINDER_READ_SECONDS = 3.0


def is_overtaken(link: Link, notice: Notice) -> bool:
    """Return whether a notice must not be posted, because it is no longer true or would notify nobody.

    Only notices about a stuck task and reminders can be overtaken. A muted task has no reminders.
    """
    state = link.state
    if notice.kind == "stuck":
        return not state.is_stuck
    if notice.kind == "reminder":
        return link.is_muted or state.asked_ms != notice.since_ms or not is_question_open(state)
    return False


async def restart_if_unseen(deps: Dependencies, link: Link, now_ms: int) -> Link:
    """Return the link. If Coder does not show the task now, its waiting times begin again.

    If Coder does not answer, or its list lacks the task, the task may have changed without being seen. So the
    returned link looks as if the task had just changed, and the task does not count as stuck.
    """
    is_shown = await find_outage(deps) is None and not await deps.observations.is_missing(link.id)
    if is_shown:
        return link
    return link.model_copy(update={"state": record_change(link.state, now_ms)})


async def with_question(deps: Dependencies, coder: CoderClient, link: Link, notice: Notice) -> Notice:
    """Return the notice. If it is a reminder, show in it the agent's question in place of the agent's report.

    If the question cannot be read from the agent's log within three seconds, the report stays.
    """
    if notice.kind != "reminder" or notice.report is None:
        return notice
    with contextlib.suppress(TimeoutError, OutsideError, UserError):
        async with asyncio.timeout(REMINDER_READ_SECONDS):
            written = (await read_last_output(deps, coder, link)).output
        question = read_answer(written.answer, written.full_text).headline
        if question:
            report = notice.report.model_copy(update={"message": question})
            return notice.model_copy(update={"report": report})
    return notice


async def settle_overdue(
    deps: Dependencies, link: Link, answered: str, state: LinkState, batch: Batch
) -> None:
    """Remove the buttons of a notice about a stuck task or of a reminder, if the notice is no longer true.

    The notice is no longer true if the task is not stuck in the new `state`, or if the agent's question is
    closed. `answered` is the text that replaces the buttons of a reminder.
    """
    before = link.state
    if before.is_stuck and not state.is_stuck:
        await questions.settle_finally(deps, link, questions.STUCK, inputs.STUCK_ENDED, batch)
    if before.reminder_count and is_question_open(before) and not is_question_open(state):
        await questions.settle_finally(deps, link, questions.REMINDER, answered, batch)
