"""Handles edits and deletions of replies.

The job of a change is in the reply's own queue and runs before the reply's job. So no attempt to send the
reply is under way while the change is made. A reply that waits, is held, or is stored for another try is
changed or removed. If the agent already has the reply, a message in the thread reports the change. If the
change arrives before the reply's own message, the reply is claimed with its new text.
"""

import contextlib
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import cast

from taskwire.agent.input import AgentInput, is_asked_as_verb
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import HOUR_MS
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import Ts, microseconds, moment_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing import replies
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, AnswerInThread, Job, Reply, ReplyChanged
from taskwire.domain.queueing.queues import input_score, no_agent_score, thread_answers, to_coder
from taskwire.domain.queueing.retry_policies import ASKED_REPLY_SECONDS
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Block
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import inputs, teammates
from taskwire.outbox import questions
from taskwire.outbox.enqueue import say, show_receipt
from taskwire.outbox.questions import settle_reply
from taskwire.outbox.tell_once import record_unless_told
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import DELIVERY_CLAIM_TTL_MS
from taskwire.queue.user_limits import MAX_UNCHECKED_REPLIES
from taskwire.state.link_writes import MAX_TAKEN_MESSAGES
from taskwire.waiting_replies.kept import find_kept_reply
from taskwire.waiting_replies.undelivered import (
    find_reply,
    list_given_up_together,
    list_undelivered,
    settle_sent_replies,
)

# In the first seconds after a message was posted, Slack may answer without it. So if backfill does not find a
# reply, the reply counts as deleted only if it is older than this.
VISIBILITY_DELAY = timedelta(minutes=1)
CLAIM_AGE = timedelta(milliseconds=DELIVERY_CLAIM_TTL_MS)


class ReplyEdits:
    """Handles the jobs of edited and deleted messages."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_open_link(ReplyChanged, self.apply_change),)

    async def apply_change(self, context: JobContext, link: Link) -> Outcome:
        """Apply an edit or a deletion to the reply, in whatever state the reply is."""
        work = context.work(ReplyChanged)
        links, job_id = self._deps.links, f"{REPLY_ID_PREFIX}{work.ts}"
        context.audit.is_nothing()
        if work.was_away and not await self._is_still_valid(link, job_id, work):
            return done()
        for find, apply in (
            (links.find_waiting, self._change_waiting),
            (links.find_held, self._change_held),
        ):
            if old := find_reply(await find(link.id, job_id), job_id):
                change = self._interpret(old, work)
                if old.author_name and change.new_input is not None:
                    return done(await self._keep_as_sent(link, old, change.new_input))
                await self._enter(context, link, old)
                batch = await apply(link, job_id, old, change)
                if apply == self._change_held and change.new_input is None:
                    await questions.settle_empty_hold(self._deps, link, job_id, batch)
                return done(
                    await self._tell_change_while_unknown(link, change, batch)
                    if old.question == "outcome_unknown"
                    else batch
                )
        old = await find_kept_reply(self._deps, link, job_id)
        if old is not None:
            change = self._interpret(old, work)
            if old.author_name and change.new_input is not None:
                return done(await self._keep_as_sent(link, old, change.new_input))
            await self._enter(context, link, old)
            return done(await self._change_kept(link, job_id, old, change))
        told = await links.find_delivered(link.id, work.ts)
        if told is not None:
            return done(await self._tell_late_change(link, work, told))
        taken = await links.list_taken(link.id)
        is_known = work.ts in taken or _was_taken_before(work.ts, taken)
        if is_known or (link.reads_only_mentions_at(work.ts) and not self._is_addressed(work.new_input)):
            return done()
        return await self._claim_early_change(context, link, work)

    async def _enter(self, context: JobContext, link: Link, old: Reply) -> None:
        """Enter the change in the audit trail, if the author's rights were checked and still hold.

        Otherwise the change has no entry. The reply is checked before the agent gets it, and then has one.
        """
        person = old.person
        with contextlib.suppress(OutsideError, UserError):
            is_own = link.record.is_owned_by(person)
            is_let_in = is_own or await self._people.is_admin(person)
            if old.is_admitted and (is_let_in or await self._people.is_let_in(person, link)):
                context.audit.is_done()
                context.audit.person = person

    async def _keep_as_sent(self, link: Link, old: Reply, new_input: Reply) -> Batch:
        """Return a batch that tells about an edit and leaves the reply unchanged.

        The reply is sent in the name of another person. That person has not seen the new text. Edits that
        follow within an hour are not told.
        """
        batch = Batch()
        if not await record_unless_told(self._deps, batch, "edited_passed", link.id, old.ts, ttl_ms=HOUR_MS):
            return batch
        words = await self._agent_input.get_display_text(new_input)
        message = teammates.edited_after_passing_on(old.author_name, words)
        return say(link.id, f"edited-passed:{old.ts}", message, batch)

    def _is_addressed(self, reply: Reply | None) -> bool:
        """Return whether the changed message mentions the bot."""
        if reply is None:
            return False
        blocks = cast("list[Block]", json.loads(reply.blocks)) if reply.blocks else []
        return replies.is_addressed(reply.text, self._deps.bot.bot_user_id, blocks)

    async def _is_still_valid(self, link: Link, job_id: str, work: ReplyChanged) -> bool:
        """Return whether an edit or a deletion that backfill found still applies to the waiting reply.

        It applies if the reply's text has not changed since backfill read the thread.
        """
        if work.change == "deleted" and self._age(work) < VISIBILITY_DELAY:
            return False
        waiting = await list_undelivered(self._deps.links, link.id)
        return [reply.text for job, reply in waiting if job.id == job_id] == [work.previous_text]

    def _interpret(self, old: Reply, work: ReplyChanged) -> ReplyChanged:
        """Return the change, with the new text as input if the old text was input in spite of a leading `!`.

        A text that begins with `!` is otherwise read as a verb. If the old text does not begin with `!`,
        return `work` as it is.
        """
        blocks = cast("list[Block]", json.loads(old.blocks)) if old.blocks else []
        if not replies.begins_with_shell_mark(old.text, self._deps.bot.bot_user_id, blocks):
            return work
        return work.model_copy(update={"new_input": work.new_input or work.verbatim_input})

    async def _change_waiting(self, link: Link, job_id: str, old: Reply, work: ReplyChanged) -> Batch:
        if work.new_input is None:
            return await self._finish_deletion(link, old, Batch().drop(to_coder(link.id), job_id))
        new = await self._replace_text(old, work.new_input)
        delay_ms = int(ASKED_REPLY_SECONDS * 1000) if new.question else 0
        job = Job(id=job_id, work=new)
        batch = Batch().append(
            to_coder(link.id), job, score=_score_of(new), delay_ms=delay_ms, is_newest=True
        )
        return _settle_files_question(link, old, new, batch)

    async def _change_held(self, link: Link, job_id: str, old: Reply, work: ReplyChanged) -> Batch:
        if work.new_input is None:
            return await self._finish_deletion(
                link, old, self._deps.writes.drop_held(Batch(), link.id, job_id)
            )
        new = await self._replace_text(old, work.new_input)
        batch = self._deps.writes.replace_held(Batch(), link.id, Job(id=job_id, work=new), _score_of(new))
        return _settle_files_question(link, old, new, batch)

    async def _finish_deletion(self, link: Link, old: Reply, batch: Batch) -> Batch:
        if old.question:
            settle_reply(link, old, "deleted", batch)
        await settle_sent_replies(self._deps, link, [old], "deleted", batch)
        return show_receipt(link.id, old.ts, "none", batch)

    async def _change_kept(self, link: Link, job_id: str, old: Reply, work: ReplyChanged) -> Batch:
        if work.new_input is None:
            batch = self._deps.writes.forget_reply(Batch(), link.id, job_id)
            if not await list_given_up_together(self._deps, link, job_id):
                # If other replies wait with this one, the question stays open, because its button sends them
                # too.
                settle_reply(link, old, "deleted", batch)
            return show_receipt(link.id, work.ts, "none", batch)
        new = await self._replace_text(old, work.new_input)
        if not is_asked_as_verb(self._deps, old):
            return self._deps.writes.keep_reply(Batch(), link.id, job_id, new)
        is_for_author = old.only_author_decides or not self._may_others_decide(new)
        new = new.model_copy(update={"only_author_decides": is_for_author})
        batch = self._deps.writes.keep_reply(Batch(), link.id, job_id, new)
        return self._ask_anew(link, job_id, old, new, batch)

    def _may_others_decide(self, new: Reply) -> bool:
        """Return whether others than the author may say what the edited reply is.

        They may for several words after `!` that are no verb, as for a new reply.
        """
        blocks = cast("list[Block]", json.loads(new.blocks)) if new.blocks else []
        read = replies.classify(new.text, self._deps.bot.bot_user_id, new.person, blocks)
        return isinstance(read, replies.NotAVerb) and not replies.is_single_word(read.text)

    def _ask_anew(self, link: Link, job_id: str, old: Reply, new: Reply, batch: Batch) -> Batch:
        """Append the job that shows the new words in the question, or asks only the author. Return the batch.

        If only the author is asked from now on, the question that everybody sees is settled.
        """
        if new.only_author_decides and not old.only_author_decides:
            settle_reply(link, old, "edited", batch)
        requester = Requester(
            person=new.person,
            channel=link.record.channel,
            at=new.ts,
            thread_ts=link.record.thread_ts,
            surface="reply",
            is_out_of_place=new.is_out_of_place,
            barred=new.barred,
        )
        text = self._agent_input.get_plain(new)
        work = AnswerInThread(requester=requester, question="not_a_verb", text=text, job=job_id)
        # If the job runs already, it may have read the words of an earlier edit, so it runs once more.
        return batch.redo(thread_answers(link.id, new.person), Job(id=f"asked_anew:{new.ts}", work=work))

    async def _replace_text(self, old: Reply, now: Reply) -> Reply:
        """Return the old reply with the new text. If it is admitted, its names and files are fixed.

        A file that the reply had before counts with what it said then.
        """
        known = {file.id: each for file, each in zip(old.files, old.file_hashes, strict=False)}
        new = _with_new_text(old, now)
        if new.is_admitted or known:
            new = await self._agent_input.with_file_hashes(new, known)
        return await self._agent_input.with_names(new) if new.is_admitted else new

    async def _tell_change_while_unknown(self, link: Link, work: ReplyChanged, batch: Batch) -> Batch:
        """Post a message in the thread: the agent may have the text from before the change.

        It is not known whether the reply has reached the agent. Changes of the same kind that follow within
        an hour are not told.
        """
        told = (f"{work.change}_unknown", link.id, work.ts)
        if not await record_unless_told(self._deps, batch, *told, ttl_ms=HOUR_MS):
            return batch
        if work.new_input is None:
            message = inputs.unknown_reply_deleted(await self._people.find_name(work.person))
        else:
            message = inputs.unknown_reply_edited(await self._agent_input.get_display_text(work.new_input))
        return say(link.id, f"{work.change}-unknown:{work.ts}", message, batch)

    async def _tell_late_change(self, link: Link, work: ReplyChanged, told_changes: str) -> Batch:
        if work.change in told_changes.split():
            return Batch()
        if work.change == "deleted":
            message = inputs.reply_deleted_late(await self._people.find_name(work.person))
        else:
            message = inputs.reply_edited_late(
                await self._agent_input.get_display_text(work.new_input) if work.new_input is not None else ""
            )
        batch = say(link.id, f"{work.change}:{work.ts}", message)
        return self._deps.writes.mark_delivered(
            batch, link.id, work.ts, f"{told_changes} {work.change}".strip()
        )

    def _age(self, work: ReplyChanged) -> timedelta:
        return self._deps.slack.now() - moment_of(work.ts)

    async def _claim_early_change(self, context: JobContext, link: Link, work: ReplyChanged) -> Outcome:
        """Claim a message whose change has arrived before the message itself, or has made it a reply.

        The agent then gets only the new text, or nothing if the message was deleted. Do nothing if the
        message is older than the link, or too old to arrive later. The arrival of such a reply was not
        limited, so each person may have `MAX_UNCHECKED_REPLIES` of them in an hour.
        """
        is_older_than_link = microseconds(work.ts) < microseconds(link.record.shown_ts or link.record.made_at)
        if is_older_than_link or self._age(work) > CLAIM_AGE:
            return done()
        batch = self._deps.writes.mark_claimed(Batch(), f"{link.record.channel}:{work.ts}")
        self._deps.writes.add_taken(batch, link.id, work.ts)
        if work.new_input is None:
            return done(batch)
        person, since_ms = work.new_input.person, context.now_ms - HOUR_MS
        counted = ("early_change", link.id, person)
        earlier = await self._deps.notes.list_since(since_ms, *counted)
        is_own = link.record.is_owned_by(person)
        if not is_own and len(earlier) >= MAX_UNCHECKED_REPLIES:
            requester = Requester(
                person=person, channel=link.record.channel, at=work.ts, thread_ts=link.record.thread_ts
            )
            return done(None, (requester, inputs.too_many_unchecked()))
        most = MAX_UNCHECKED_REPLIES
        self._deps.notes.count_in(batch, work.ts, context.now_ms, most, *counted, ttl_ms=HOUR_MS)
        job = Job(id=f"{REPLY_ID_PREFIX}{work.ts}", work=work.new_input)
        return done(batch.append(to_coder(link.id), job, score=no_agent_score(work.ts), is_newest=True))


def _was_taken_before(ts: Ts, taken: Sequence[Ts]) -> bool:
    """Return whether a message is older than the newest messages of its link, whose ts alone are stored."""
    return len(taken) >= MAX_TAKEN_MESSAGES and microseconds(ts) < microseconds(taken[0])


def _score_of(reply: Reply) -> int:
    return input_score(reply.ts) if reply.is_admitted else no_agent_score(reply.ts)


def _settle_files_question(link: Link, old: Reply, new: Reply, batch: Batch) -> Batch:
    """If the bot has asked about the reply's files, settle that question. Return the batch.

    An edit makes this question obsolete. Questions of other kinds stay open.
    """
    return settle_reply(link, old, "edited", batch) if old.question and not new.question else batch


def _with_new_text(old: Reply, now: Reply) -> Reply:
    """Return the old reply with the text and the files of the new reply.

    If the author might not write one of them when it arrived, the agent gets neither.
    """
    words = {
        "text": now.text,
        "blocks": now.blocks,
        "files": now.files,
        "file_hashes": (),
        "shown_text": now.shown_text,
        "barred": old.barred or now.barred,
        "is_out_of_place": old.is_out_of_place or now.is_out_of_place,
    }
    if old.question in ("stale", "outcome_unknown"):
        return old.model_copy(update=words)
    return old.model_copy(update=words | {"question": "", "is_without_files": False})
