"""Lists the tasks that a person has asked for and that wait for Coder, or for the person's account.

Such a task is in no list of Coder, and has no link yet. It is only a request in a queue of the person: a
command, a form, a mention of the bot, or a reaction on a message. This module makes no calls, so it does not
know the text of a message with a reaction. It changes nothing; `request_retries.py` and `waiting_requests.py`
let the requests wait.
"""

import json
from typing import cast

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ThreadRef, UserId
from taskwire.domain.parsing import replies
from taskwire.domain.parsing.bot_messages import Prompt, find_title, read_message
from taskwire.domain.parsing.commands import List
from taskwire.domain.parsing.grammar import ListFilter
from taskwire.domain.queueing.jobs import CreateRequested, Job, MessageToBot
from taskwire.domain.queueing.person_jobs import MakeTaskOfMessage, WaitForAccount
from taskwire.domain.queueing.queues import intake, waiting_requests
from taskwire.domain.text.message import Block
from taskwire.messages import waiting
from taskwire.messages.task_lists import WaitingCreates
from taskwire.outbox.coder_health import find_outage
from taskwire.redis.decoding import read_if_possible


async def list_waiting_creates(deps: Dependencies, person: UserId) -> WaitingCreates:
    """Return a line for each task that waits: first for the person's account, then for Coder."""
    held = await deps.links.list_jobs(waiting_requests(person))
    own = [
        read_if_possible(Job, job.work.waiting_job)
        for job in held
        if isinstance(job.work, WaitForAccount) and job.work.requester.person == person
    ]
    queued = await deps.links.list_jobs(intake(person))
    if not any(job.tries for job in queued):
        # The requests run at this moment.
        queued = []
    is_away = bool(queued) and await find_outage(deps) is not None
    return WaitingCreates(
        needing=[
            waiting.create_waits_for_account(prompt)
            for prompt in [await _find_prompt(deps, job) for job in own if job is not None]
            if prompt is not None
        ],
        running=[
            waiting.create_waits(prompt, is_coder_away=is_away)
            for prompt in [await _find_prompt(deps, job) for job in queued]
            if prompt is not None
        ],
    )


async def list_creates_in_list(deps: Dependencies, person: UserId, question: List, page: int) -> list[str]:
    """Return the lines for one page of a list: those that fit its filter, on the first page."""
    is_of_all = question.filter in (ListFilter.ALL, ListFilter.MINE)
    if page > 1 or question.owner or not (is_of_all or question.filter is ListFilter.NEEDS_ME):
        return []
    creates = await list_waiting_creates(deps, person)
    return [*creates.needing, *(creates.running if is_of_all else ())]


async def _find_prompt(deps: Dependencies, job: Job) -> str | None:
    """Return the prompt of the task that this job creates; None if the job creates none.

    The prompt is empty if it is not known yet.
    """
    match job.work:
        case CreateRequested(prompt=prompt):
            return prompt
        case MessageToBot() as work:
            return await _read_mention(deps, work)
        case MakeTaskOfMessage():
            return ""
        case _:
            return None


async def _read_mention(deps: Dependencies, work: MessageToBot) -> str | None:
    """Return the prompt in a mention of the bot; None if the mention creates no task.

    A direct message creates none: the bot first asks whether to create it. In the thread of a task, a mention
    is a reply. `tasks/messages_to_bot.py` decides finally, when Coder answers.
    """
    requester, bot = work.requester, deps.bot.bot_user_id
    thread = ThreadRef(requester.channel, requester.thread_ts or requester.at)
    if work.is_direct or await deps.links.find_by_thread(thread) is not None:
        return None
    blocks = cast("list[Block]", json.loads(work.blocks)) if work.blocks else []
    if isinstance(replies.classify(work.text, bot, requester.person, blocks), replies.Aside):
        return None
    text = replies.remove_bot_mention(work.text, bot, blocks)
    try:
        asked = read_message(text, is_direct=False)
    except UserError:
        return None
    return asked.request.prompt if isinstance(asked, Prompt) and find_title(text) is None else None
