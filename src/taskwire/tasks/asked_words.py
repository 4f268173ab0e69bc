"""Questions about messages in a thread that begin with `!` and are no command: are they text?

Such a message is stored while the bot asks. The question shows the message as it is stored now, because its
author may edit it. If the message is a single word, or an edit has made it a command or has removed the `!`,
only its author is asked.
"""

import contextlib
import json
from typing import cast

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import Ts, microseconds
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing import replies
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, AnswerInThread
from taskwire.domain.text.message import Block, Message
from taskwire.job_context import JobContext, Outcome, done
from taskwire.messages import inputs
from taskwire.messages.inputs import ClosingReason
from taskwire.messages.unknown_verbs import ask_about_edited, ask_about_unknown_verb, too_many_unknown
from taskwire.outbox import questions
from taskwire.outbox.enqueue import say
from taskwire.queue.batch import Batch
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata
from taskwire.state.link_writes import KEPT_REPLY_TTL_MS
from taskwire.waiting_replies.kept import find_kept_reply
from taskwire.waiting_replies.undelivered import list_undelivered

# How many messages of one person that begin with `!` and are no verbs are stored for a thread, in a week.
MOST_ASKED_WORDS = 20


class AskedWords:
    """Makes the questions about stored messages. The methods take a job whose question is `not_a_verb`."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    async def count(self, link: Link, work: AnswerInThread, context: JobContext) -> Batch:
        """Return a batch that counts the message.

        The message is stored, so that a button can send it as text. Raise UserError if too many messages of
        this person are stored. Raises RedisError.
        """
        counted = ("asked_words", link.id, work.requester.person)
        others = {*await self._deps.notes.list_counted(*counted)} - {work.job}
        if len(others) >= MOST_ASKED_WORDS:
            raise UserError(*too_many_unknown())
        return self._deps.notes.count_in(
            Batch(), work.job, context.now_ms, MOST_ASKED_WORDS, *counted, ttl_ms=KEPT_REPLY_TTL_MS
        )

    async def make_question(self, link: Link, work: AnswerInThread) -> Message:
        """Return the question about the message as it is stored now."""
        value = f"{link.id} {work.job}"
        kept = await find_kept_reply(self._deps, link, work.job)
        if kept is None or kept.is_from_command:
            return ask_about_unknown_verb(work.words, value, work.text)
        blocks = cast("list[Block]", json.loads(kept.blocks)) if kept.blocks else []
        bot = self._deps.bot.bot_user_id
        read = replies.classify(kept.text, bot, kept.person, blocks)
        if isinstance(read, replies.NotAVerb):
            return ask_about_unknown_verb(read.suggestions, value, read.text)
        text = replies.remove_bot_mention(kept.text, bot, blocks)
        return ask_about_edited(replies.suggest_verbs(text) if text.startswith("!") else (), value, text)

    async def is_for_author(self, link: Link, work: AnswerInThread) -> bool:
        """Return whether only the message's author is asked."""
        if work.requester.surface != "reply":
            return False
        kept = await find_kept_reply(self._deps, link, work.job)
        return replies.is_single_word(work.text) if kept is None else kept.only_author_decides

    async def replace_open(self, link: Link, work: AnswerInThread, message: Message, batch: Batch) -> bool:
        """Show `message` in the open question about the message. Return False if there is none.

        Edit Slack's message even if the same words are stored: Slack's answer to an earlier edit may be lost.
        """
        if await questions.find_open(self._deps, link, work.job) is None:
            return False
        return await questions.replace_text(self._deps, link, work.job, message, batch)

    async def show_in_earlier_post(self, link: Link, ts: Ts, message: Message, meta: Metadata) -> None:
        """Show `message` in the question that an earlier try has posted, perhaps with other words."""
        with contextlib.suppress(ChannelProblem, MessageGone):
            await self._deps.slack.update(link.record.channel, ts, message, meta, Priority.POST)

    async def find_settlement(self, link: Link, work: AnswerInThread) -> ClosingReason | None:
        """Return why a question is settled; None if the question is still open."""
        if await self._deps.notes.find_signed("reply", link.id, work.job) is not None:
            return None
        ts = Ts(work.job.removeprefix(REPLY_ID_PREFIX))
        is_sent = await self._deps.links.find_delivered(link.id, ts) is not None
        if is_sent or any(job.id == work.job for job, _ in await list_undelivered(self._deps.links, link.id)):
            return "decided"
        return "deleted"

    async def settle_if_over(self, link: Link, work: AnswerInThread, batch: Batch) -> None:
        """Settle a question that everybody sees, if it is over, or if only the author is asked by now."""
        why = await self.find_settlement(link, work)
        if why is None and await self.is_for_author(link, work):
            why = "edited"
        if why is not None:
            questions.settle(link, work.job, inputs.question_closed(why), batch, is_last=why != "decided")

    def end(self, link: Link, work: AnswerInThread, context: JobContext) -> Outcome:
        """End a question about a message that is no longer stored.

        If the message's author deleted the message, say nothing. If the message has expired, tell the thread
        that it was not sent.
        """
        if context.now_ms - microseconds(work.requester.at) // 1000 < KEPT_REPLY_TTL_MS:
            return done()
        message = inputs.question_expired(work.text, is_outcome_unknown=False)
        return done(say(link.id, f"expired:{context.job.id}", message, is_call=True))
