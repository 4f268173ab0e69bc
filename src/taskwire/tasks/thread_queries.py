"""Answers verbs in a thread: `!status`, `!logs`, `!help`, and verbs that need a button.

An answer is shown to the person who asked. That person may then show the answer to everybody. A whole log
goes to the person's direct messages.

If a person has to decide something about a message, for example because its verb is unknown, the bot asks
everybody in the thread, if the message's author may steer the task. `asked_words` has the exceptions.
"""

import contextlib
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel

from taskwire.agent.log import read_full_log, read_last_output
from taskwire.agent.observing import observation_of, with_observation
from taskwire.coder.errors import CoderError, NotFound, PersonTokenRefused
from taskwire.coder.models import TaskStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import HOUR_MS
from taskwire.domain.errors import NoPlace, OutcomeUnknown, OutsideError, TryLater, UserError
from taskwire.domain.ids import Ts, UserId, microseconds
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.naming import digest
from taskwire.domain.queueing.jobs import (
    CHANGE_REFUSED,
    REPLY_REFUSED,
    VERB_REFUSED,
    AnswerInThread,
    Job,
    ShareFile,
    ShowAnswer,
)
from taskwire.domain.queueing.queues import to_thread
from taskwire.domain.queueing.retry_policies import THREAD_QUESTION
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done, replace_question
from taskwire.messages import answers, cards, help_texts, inputs, logs, refusals
from taskwire.messages.missing_rights import RefusedAct
from taskwire.notices.closed_threads import wait_for_new_card
from taskwire.outbox import questions
from taskwire.outbox.coder_health import is_coder_away
from taskwire.outbox.enqueue import say, show_receipt
from taskwire.outbox.error_messages import make_error_answer, make_give_up_message, make_waiting_message
from taskwire.outbox.posting import find_posted, get_earliest_unknown_ts, post_once
from taskwire.outbox.questions import PostedQuestion
from taskwire.outbox.tell_once import record_unless_told
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.people.shares import Shares
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read
from taskwire.slack.errors import ChannelProblem, MessageGone, SlackRateLimited
from taskwire.slack.metadata import Metadata
from taskwire.tasks.asked_words import AskedWords
from taskwire.tasks.last_known import LastKnown
from taskwire.telemetry import logger

# These answers are for everybody: questions about a message, and answers with a button. The value is the act
# that the message's author must be allowed to do.
WITH_BUTTON: dict[str, RefusedAct] = {"not_a_verb": "send", "edit": "edit", "delete": "delete"}
FOR_EVERYBODY = (*WITH_BUTTON, "rejection")
# These answers are private. The requester may show them to everybody.
FOR_REQUESTER_FIRST = ("status", "logs")
SHOWABLE_MS = 1_800_000

_log = logger("taskwire.tasks.thread_queries")


class KeptAnswer(BaseModel):
    """An answer that only one person has seen. It is stored so that the person can show it to everybody."""

    person: UserId
    link: str = ""
    message: Message
    message_kind: Literal["answer", "output"] = "answer"


class ThreadQueries:
    """Handles the jobs that answer in a thread."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people
        self._last_known = LastKnown(deps, people)
        self._shares = Shares(deps, people)
        self._asked_words = AskedWords(deps)

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.with_link(AnswerInThread, self.answer),
            Handler.with_any_link(ShowAnswer, self.show_to_everybody),
        )

    async def answer(self, context: JobContext, link: Link) -> Outcome:
        """Answer a question. If a needed value cannot be read now, the answer says so."""
        work = context.work(AnswerInThread)
        if link.record.thread_ts is None:
            return done()
        batch = Batch()
        if not context.is_outcome_unknown:
            try:
                batch = await self._admit(link, work, context)
            except (AccountNeeded, PersonTokenRefused):
                if work.question == "rejection":
                    return done()
                raise
            except (CoderError, TryLater, OutcomeUnknown) as error:
                return await self._answer_without_coder(link, work, context, error)
            if work.question == "not_a_verb" and await self._asked_words.find_settlement(link, work):
                return self._asked_words.end(link, work, context)
        if work.question == "rejection" and not await self._must_tell_too_many(link, work, batch):
            return done(batch)
        made = await self._make_answer(link, work, context)
        if isinstance(made, Outcome):
            return made
        answer, is_answer = (made[0], batch), made[1]
        if link.end_reason is not None or not await self._is_for_everybody(link, work):
            await self._settle_earlier_post(link, work, context, answer, is_answer=is_answer)
            return self._answer_privately(link, work, context, answer, is_answer=is_answer)
        return await self._post_for_everybody(link, work, context, answer, is_answer=is_answer)

    async def _post_for_everybody(
        self,
        link: Link,
        work: AnswerInThread,
        context: JobContext,
        answer: tuple[Message, Batch],
        *,
        is_answer: bool,
    ) -> Outcome:
        """Post the answer for everybody. If the answer is a question, record where it was posted."""
        message, batch = answer
        is_about_words = is_answer and work.question == "not_a_verb"
        is_new_try = is_about_words and not context.is_outcome_unknown
        if is_new_try and await self._asked_words.replace_open(link, work, message, batch):
            await self._asked_words.settle_if_over(link, work, batch)
            return done(batch)
        meta, record = _make_metadata(link, context), link.record
        try:
            ts = await post_once(
                self._deps, context, link.id, record.channel, record.thread_ts, message, meta
            )
        except MessageGone as problem:
            return await wait_for_new_card(self._deps, context, link) or _end_unanswered(link, problem.code)
        except ChannelProblem as problem:
            return _end_unanswered(link, problem.code)
        if is_about_words and not context.attempts_begun:
            await self._asked_words.show_in_earlier_post(link, ts, message, meta)
        if is_answer and work.question in WITH_BUTTON:
            await self._record_posted(link, work, ts, message, meta, batch)
        return done(batch)

    async def _record_posted(
        self, link: Link, work: AnswerInThread, ts: Ts, message: Message, meta: Metadata, batch: Batch
    ) -> None:
        """Record where a question was posted for everybody. Settle it if it is over already."""
        place = PostedQuestion(ts=ts, message_id=meta.id, kind=meta.kind, message=message)
        await questions.record_posted(self._deps, link, work.job or work.question, place, batch)
        if work.question == "not_a_verb":
            await self._asked_words.settle_if_over(link, work, batch)

    async def _settle_earlier_post(
        self,
        link: Link,
        work: AnswerInThread,
        context: JobContext,
        answer: tuple[Message, Batch],
        *,
        is_answer: bool,
    ) -> None:
        """Settle the question that an earlier try of this job has perhaps posted for everybody.

        Since that try, an edit of the message is the reason why only its author is asked.
        """
        if not is_answer or not context.is_outcome_unknown:
            return
        message, batch = answer
        try:
            ts = await find_posted(self._deps, context)
        except (ChannelProblem, MessageGone):
            return
        if ts is not None:
            await self._record_posted(link, work, ts, message, _make_metadata(link, context), batch)

    async def _require_rights(self, link: Link, work: AnswerInThread) -> None:
        if work.text in (REPLY_REFUSED, CHANGE_REFUSED) and work.question == "too_fast":
            # Check nothing: the answer shows nothing of the task, and Coder may be away.
            return
        await self._people.require_account(work.requester.person, needs_coder=work.question != "help")
        await self._people.require_visible(work.requester, link)
        if link.end_reason is None and work.question in WITH_BUTTON:
            await self._people.require_right_to(WITH_BUTTON[work.question], work.requester, link)

    async def _admit(self, link: Link, work: AnswerInThread, context: JobContext) -> Batch:
        """Raise UserError if the question is refused. The stored message of the question is then deleted.

        Return a batch that is written with the answer.
        """
        try:
            await self._require_rights(link, work)
            is_about_words = work.question == "not_a_verb"
            return await self._asked_words.count(link, work, context) if is_about_words else Batch()
        except UserError:
            if work.question == "not_a_verb":
                await self._deps.queues.write(self._deps.writes.forget_reply(Batch(), link.id, work.job))
            raise

    async def _answer_without_coder(
        self, link: Link, work: AnswerInThread, context: JobContext, error: OutsideError
    ) -> Outcome:
        """Answer while Coder does not answer.

        A question about a message waits, because the rights of the message's author are not known.
        """
        if work.question == "rejection" or isinstance(error, NoPlace | SlackRateLimited):
            raise error
        if work.question == "not_a_verb":
            return self._retry_behind_others(link, work, context, error)
        is_there = bool(await self._people.places.find_conversation(work.requester))
        if is_there and work.question == "status" and is_coder_away(error):
            return done(None, (work.requester, await self._last_known.show_status(work.requester, link)))
        _log.warning("question in thread not answered, person told why", link=link.id, error=str(error))
        return done(None, (work.requester, make_error_answer(error)))

    def _retry_behind_others(
        self, link: Link, work: AnswerInThread, context: JobContext, error: OutsideError
    ) -> Outcome:
        """Queue a question again because Coder or Slack did not answer.

        The question goes behind the other jobs of its thread. After an hour, give up and tell the person.
        """
        if THREAD_QUESTION.is_over(context.job.failing_since_ms, context.now_ms):
            return done(None, (work.requester, make_give_up_message(work, link, error)))
        tries = context.job.tries
        _log.info(
            "question in thread not answered, will retry", job=context.job.id, tries=tries, error=str(error)
        )
        delay_ms = int(1000 * THREAD_QUESTION.wait_seconds(tries, error.retry_after_seconds))
        # The other jobs of this queue have smaller scores. So a job that is appended later still runs first.
        behind = microseconds(work.requester.at)
        batch = Batch().append(context.lease.name, context.failed_again(), score=behind, delay_ms=delay_ms)
        private = ((work.requester, make_waiting_message(work, link, error)),) if tries == 1 else ()
        return replace(done(batch, *private), trouble="failing")

    async def _is_for_everybody(self, link: Link, work: AnswerInThread) -> bool:
        """Return whether everybody in the thread sees the answer."""
        if work.question == "not_a_verb" and await self._asked_words.is_for_author(link, work):
            return False
        return work.question in FOR_EVERYBODY

    def _answer_privately(
        self,
        link: Link,
        work: AnswerInThread,
        context: JobContext,
        answer: tuple[Message, Batch],
        *,
        is_answer: bool,
    ) -> Outcome:
        message, batch = answer
        if work.question not in FOR_REQUESTER_FIRST or not is_answer:
            return done(batch, (work.requester, message))
        key = digest(link.id, context.job.id)
        kind: Literal["answer", "output"] = "output" if work.question == "logs" else "answer"
        kept = KeptAnswer(person=work.requester.person, link=link.id, message=message, message_kind=kind)
        self._deps.notes.keep_in(batch, kept.model_dump_json(), "showable_answer", key, ttl_ms=SHOWABLE_MS)
        return done(batch, (work.requester, answers.add_share_button(message, f"{link.id} {key}")))

    async def show_to_everybody(self, context: JobContext, link: Link | None) -> Outcome:
        """Post a private answer for everybody, because the person has pressed *Show to everybody*."""
        work = context.work(ShowAnswer)
        try:
            await self._people.require_account(work.requester.person, needs_coder=False)
            link = await self._people.find_visible(work.requester, link)
        except (NoPlace, SlackRateLimited, PersonTokenRefused):
            raise
        except (CoderError, TryLater, OutcomeUnknown) as error:
            return done(None, (work.requester, make_error_answer(error)))
        kept = await self._deps.notes.find("showable_answer", work.key)
        answer = read(KeptAnswer.model_validate_json, kept) if kept is not None else None
        expected = (context.link_id, work.requester.person)
        if (
            link is None
            or link.end_reason is not None
            or answer is None
            or (answer.link, answer.person) != expected
        ):
            raise UserError(*refusals.button_expired())
        batch = say(link.id, f"shown:{work.key}", answer.message, message_kind=answer.message_kind)
        self._deps.notes.forget_in(batch, "showable_answer", work.key)
        return replace_question(batch, work.requester, answers.answer_shared())

    async def _must_tell_too_many(self, link: Link, work: AnswerInThread, batch: Batch) -> bool:
        """Return whether to say in the thread that too many replies wait. The thread is told once an hour.

        For the rest of the hour, only the receipt of each refused reply shows the refusal.
        """
        if link.end_reason is not None or not await self._people.can_steer(work.requester.person, link):
            return False
        show_receipt(link.id, work.requester.at, "failed", batch)
        return await record_unless_told(self._deps, batch, "too_many", link.id, ttl_ms=HOUR_MS)

    async def _make_answer(
        self, link: Link, work: AnswerInThread, context: JobContext
    ) -> tuple[Message, bool] | Outcome:
        """Return the message, and whether the message is what the person asked for.

        If a file follows, return the outcome of the job instead.
        """
        if link.end_reason is not None:
            return inputs.reply_without_task(link), False
        try:
            if work.question == "full_logs":
                return await self._send_full_log(link, work, context)
            if work.question == "logs":
                return await self._make_logs(link, context), True
            return await self._make_short_answer(link, work, context), True
        except UserError as error:
            return answers.refusal(error), False
        except (NoPlace, SlackRateLimited, PersonTokenRefused):
            # Waiting for a place is no failure.
            raise
        except (CoderError, TryLater, OutcomeUnknown) as error:
            if work.question == "status" and is_coder_away(error):
                return await self._last_known.show_status(work.requester, link), True
            _log.warning("question in thread not answered, person told why", link=link.id, error=str(error))
            return make_error_answer(error), False

    async def _make_short_answer(self, link: Link, work: AnswerInThread, context: JobContext) -> Message:
        match work.question:
            case "status":
                return await self._make_status(link, work, context)
            case "too_fast":
                return _make_limit_answer(work.text)
            case "help":
                return help_texts.thread_help()
            case "edit":
                is_running = link.state.status == TaskStatus.ACTIVE
                return (
                    inputs.offer_edit_while_running(link) if is_running else answers.offer_edit_dialog(link)
                )
            case "delete":
                return answers.offer_delete_dialog(link)
            case "rejection":
                return (
                    inputs.too_many_requests_in_thread()
                    if work.text == VERB_REFUSED
                    else inputs.too_many_replies()
                )
            case _:
                return await self._asked_words.make_question(link, work)

    async def _make_status(self, link: Link, work: AnswerInThread, context: JobContext) -> Message:
        if link.record.task_id is not None:
            with contextlib.suppress(NotFound):
                task = await context.coder.get_task(link.record.task_id)
                link = with_observation(
                    link,
                    Observed(observation=observation_of(task, self._deps.mask)),
                    self._deps.rules,
                    context.now_ms,
                )
        return cards.status_card(
            link,
            coder_url=self._deps.coder_url,
            forges=self._deps.forges,
            rights=link.get_shown_rights(
                work.requester.person, await self._people.get_rights(work.requester.person, link)
            ),
            shared_with=await self._shares.describe_in_force(link, is_for_all=True),
            is_open=await self._people.is_open_to_channel(link),
        )

    async def _make_logs(self, link: Link, context: JobContext) -> Message:
        async with context.keeping_lease():
            last = await read_last_output(self._deps, context.coder, link)
        return logs.last_output(link.title, last.output, last.snapshot_at, is_snapshot=last.is_snapshot)

    async def _send_full_log(self, link: Link, work: AnswerInThread, context: JobContext) -> Outcome:
        """Send the whole log as a direct message: in a thread, everybody would see the file.

        This job uploads a long log, so that no job has to store the log. Another job shares the file and
        answers the person. After data loss, a log that the person already has is not sent again.
        """
        async with context.keeping_lease():
            log = await read_full_log(context.coder, link)
        if not log.text:
            raise UserError(*refusals.log_empty(link.title))
        name = f"{link.record.name or 'task'}.log"
        channel = await self._deps.slack.open_direct(work.requester.person)
        if context.lease.is_suspect:
            since = get_earliest_unknown_ts(self._deps, context)
            if await self._deps.slack.files.has_file(channel, None, since, name, log.text):
                return done()
        share = ShareFile(
            channel=channel,
            thread_ts=None,
            name=name,
            title=f"Log of {link.title}",
            text="",
            file_id=await self._deps.slack.files.start_upload(name, log.text),
            requester=work.requester,
            answer=logs.log_sent(link.title, log.snapshot_at, is_snapshot=log.is_snapshot),
        )
        return done(Batch().append(to_thread(link.id), Job(id=f"file:{context.job.id}", work=share)))


def _make_metadata(link: Link, context: JobContext) -> Metadata:
    return Metadata(id=f"{link.id}:{context.job.id}", kind="answer", task_id=link.record.task_id)


def _make_limit_answer(refused: str) -> Message:
    """Return the answer to a message above a limit of its author. `refused` says what it was."""
    if refused == CHANGE_REFUSED:
        return inputs.too_many_changes()
    return inputs.too_many_unchecked() if refused == REPLY_REFUSED else answers.too_many_requests()


def _end_unanswered(link: Link, code: str) -> Outcome:
    """End the job, because its requester cannot be answered in the place where they asked."""
    _log.warning(
        "thread closed to the bot, request not answered", link=link.id, channel=link.record.channel, code=code
    )
    return done()
