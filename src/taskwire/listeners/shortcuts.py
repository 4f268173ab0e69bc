"""Listener for the shortcuts *New task*, *Make a task of this* and *Send to its task*.

*New task* works anywhere, and the other two work on a message. *New task* and *Make a task of this* open the
form for a new task; `dialogs.py` claims the form's submission. *Send to its task* is claimed here, for the
task of the message's thread.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.agent.input import has_only_own_files
from taskwire.agent.picked_files import read_files_at_once
from taskwire.domain.ids import ThreadRef, moment_of
from taskwire.domain.queueing.jobs import Job, SendToTask
from taskwire.domain.queueing.queues import no_agent_score, to_coder
from taskwire.domain.text.message import Message
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.ingress import Ingress
from taskwire.messages import answers
from taskwire.outbox.private_answers import PrivateAnswer, PrivateAnswers
from taskwire.queue.batch import Batch
from taskwire.queue.user_limits import PICKED_ID_PREFIX, UserLimit, limit_of_picked
from taskwire.replies.admit import CLAIMED_LINK
from taskwire.slack.manifest import MAKE_TASK, NEW_TASK, SEND_TO_TASK
from taskwire.slack.shortcuts import Shortcut, parse_shortcut

# Slack may show a card before Redis knows the card's thread. So for a message that is younger than this, the
# link is looked up a few times. Slack waits 3 s for the ack.
NEW_MESSAGE: Final = timedelta(seconds=30)
LINK_LOOKS, LINK_PAUSE_SECONDS = 5, 0.4


class Shortcuts:
    """Handles shortcuts."""

    def __init__(
        self,
        ingress: Ingress,
        dialogs: Dialogs,
        private_answers: PrivateAnswers,
    ) -> None:
        self._ingress = ingress
        self._dialogs = dialogs
        self._private_answers = private_answers

    def listen(self, app: AsyncApp) -> None:
        """Handle our shortcuts."""
        app.shortcut(NEW_TASK)(self._new_task)
        app.shortcut(MAKE_TASK)(self._make_task)
        app.shortcut(SEND_TO_TASK)(self._send_to_task)

    async def _find(self, body: Mapping[str, object]) -> Shortcut | None:
        """Return the used shortcut, or None if Taskwire must not handle it.

        If the settings do not allow the bot in the shortcut's channel, or do not allow the person, tell the
        person and return None.
        """
        used = parse_shortcut(body)
        if used is None or not self._ingress.is_accepted(body):
            return None
        self._ingress.record_arrival("shortcut")
        refused = await self._ingress.refuse("shortcut", f"shortcut:{used.delivery}", used.requester)
        if refused is not None and not used.requester.channel:
            # No private message can be shown, because the person is in no channel.
            if refused.text and await self._is_counted(used):
                self._dialogs.open_refused(used.requester, used.trigger_id, refused)
            return None
        if refused is not None:
            self._private_answers.show(PrivateAnswer(used.requester, refused))
            return None
        return used

    async def _is_counted(self, used: Shortcut) -> bool:
        """Count a shortcut as a question. Return whether it may be used now; if not, tell the person."""
        counted = await self._ingress.count_question(f"shortcut:{used.delivery}", used.requester)
        if counted.reply and not used.requester.channel:
            self._dialogs.open_refused(used.requester, used.trigger_id, Message(text=counted.reply))
        elif counted.reply:
            self._private_answers.show(PrivateAnswer(used.requester, Message(text=counted.reply)))
        return counted.is_new

    async def _new_task(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        used = await self._find(body)
        may_open = used is not None and await self._is_counted(used)
        await ack()
        if used is not None and may_open:
            self._dialogs.open_form(used.requester, used.trigger_id)

    async def _make_task(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        used = await self._find(body)
        may_open = used is not None and await self._is_counted(used)
        await ack()
        if used is not None and used.message is not None and may_open:
            self._dialogs.open_form_for_message(used.requester, used.trigger_id, used.message)

    async def _send_to_task(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        used = await self._find(body)
        if used is None or used.message is None:
            await ack()
            return
        message, requester = used.message, used.requester
        job = Job(
            id=f"{PICKED_ID_PREFIX}{used.delivery}", work=SendToTask(requester=requester, ts=message.ts)
        )
        score = no_agent_score(requester.at)
        thread = ThreadRef(requester.channel, message.thread_ts or message.ts)
        batch = Batch().append(to_coder(CLAIMED_LINK), job, score=score, claimed_in=thread)
        is_in_thread = message.thread_ts is not None or message.person is None
        is_new = is_in_thread and moment_of(requester.at) - moment_of(message.ts) < NEW_MESSAGE
        looks = LINK_LOOKS if is_new else 1
        limit = limit_of_picked(requester.person, requester.at)
        if message.person != requester.person or not has_only_own_files(message.person, message.files):
            read_files_at_once(requester, message.ts, CLAIMED_LINK, batch, claimed_in=thread)
        said = await self._claim(f"shortcut:{used.delivery}", thread, batch, limit, looks)
        await ack()
        if said is not None:
            self._private_answers.show(PrivateAnswer(requester, said))

    async def _claim(
        self, delivery: str, thread: ThreadRef, batch: Batch, limit: UserLimit, looks: int
    ) -> Message | None:
        """Claim the shortcut for the task that is linked to the message's thread.

        The link of a new thread may not exist yet, so look for it at most `looks` times. Return None if the
        shortcut was claimed; otherwise, the message that tells the person why not.
        """
        said = await self._ingress.claim_in_thread("shortcut", delivery, thread, batch, limit)
        for _ in range(looks - 1):
            if said != answers.thread_without_task():
                break
            await asyncio.sleep(LINK_PAUSE_SECONDS)
            said = await self._ingress.claim_in_thread("shortcut", delivery, thread, batch, limit)
        return said
