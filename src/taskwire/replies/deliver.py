"""Checks whether a reply may go to the agent now, makes the agent's text, and calls Coder.

An author who may not steer the task is told so. A pause holds the replies that were written before the pause.
If a person has to decide something, a question is posted, and all later replies wait.

The state of the task is read from Coder for each try, because the last observation may be too old. A reply is
sent if the task is active. A paused task is resumed first. While the agent is busy or the workspace starts,
the reply waits (`wait_or_give_up.py`). If the answer to a call is lost, `replies/reconcile.py` finds out
whether the reply has arrived.
"""

import asyncio
import contextlib
from dataclasses import replace
from functools import partial

from taskwire.agent.input import LONGEST_INPUT, AgentInput, InputTooLong, PreparedInput
from taskwire.agent.log import offers_number
from taskwire.agent.observing import entries_of
from taskwire.coder.agent_places import NoAgentPlace, take_agent_place
from taskwire.coder.errors import (
    AlreadyRunning,
    AppUnreachable,
    BuildActive,
    MustBeActive,
    NoLogs,
    NotFound,
    NotReady,
    PersonTokenRefused,
    RejectedByApp,
    TaskPaused,
    TasksNotSupported,
    TokenRefused,
)
from taskwire.coder.models import Task, TaskLogs, TaskStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import NoPlace, OutcomeUnknown, Refused, TryLater, UserError
from taskwire.domain.ids import microseconds, moment_of
from taskwire.domain.lifecycle import reconcile
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.lifecycle.reconcile import ResumeIntent
from taskwire.domain.parsing.bare_words import is_pause, is_thanks
from taskwire.domain.parsing.replies import STALE_AFTER
from taskwire.domain.queueing.jobs import Job, Reply
from taskwire.domain.queueing.maintenance import ReportDuplicateInput
from taskwire.domain.queueing.queues import duplicates
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_text import AgentText
from taskwire.job_context import Handler, JobContext, Outcome, done, retry, unknown
from taskwire.messages import inputs, missing_rights, refusals, task_limits, teammates
from taskwire.outbox import questions
from taskwire.outbox.coder_health import is_agent_forbidden
from taskwire.outbox.enqueue import show_receipt
from taskwire.outbox.error_messages import get_refusal_text
from taskwire.outbox.tell_once import record_unless_told
from taskwire.outbox.waiting_requests import AccountProblem, waits_for_account
from taskwire.people.account_errors import AccountNeeded, NoAccount
from taskwire.people.allowed import require_allowed
from taskwire.people.permissions import People
from taskwire.people.quotas import Quotas, TooManyRunning
from taskwire.queue.batch import Batch
from taskwire.replies.pass_on import NOT_ALLOWED, offer_to_ask
from taskwire.replies.reconcile import Reconciler, SendIntent
from taskwire.replies.wait_or_give_up import ReplyJob, ReplyOutcomes, ask

# A person who may not steer the task is told so once in 30 days.
REFUSAL_TTL_MS = 30 * DAY_MS


class NotAllowed(UserError):
    """The person may use the bot, but may not steer this task."""


class ReplySender:
    """Handles the jobs of replies."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input
        self._outcomes = ReplyOutcomes(deps, people, agent_input)
        self._reconciler = Reconciler(deps, self._outcomes)
        quotas = Quotas(deps, people)
        self._deliverer = ReplyDeliverer(deps, quotas, agent_input, self._outcomes, self._reconciler)

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_link(Reply, self.handle_reply),)

    async def handle_reply(self, context: JobContext, link: Link) -> Outcome:
        """Deliver a reply, make it wait, or give it up."""
        reply_job = ReplyJob(context, link, context.work(Reply))
        if link.end_reason is not None:
            return await self._outcomes.fail_without_task(reply_job)
        if context.is_outcome_unknown:
            return await self._reconciler.reconcile_attempt(reply_job)
        if reply_job.reply.question:
            return await self._outcomes.wait_for_decision(reply_job)
        try:
            return await self._check_and_deliver(reply_job)
        except (TokenRefused, PersonTokenRefused, AccountNeeded, TasksNotSupported):
            await self._outcomes.show_waiting_for_account(reply_job)
            raise
        except NoAgentPlace:
            await self._outcomes.show_waiting_for_agent_place(reply_job)
            raise
        except (TryLater, OutcomeUnknown) as error:
            if isinstance(error, NoPlace) or context.keeps_intent_record:
                raise
            return await self._outcomes.retry_after_error(reply_job, error)

    async def _check_and_deliver(self, reply_job: ReplyJob) -> Outcome:
        if (refusal := await self._find_refusal(reply_job)) is not None:
            return await self._refuse(reply_job, refusal)
        if not reply_job.reply.is_admitted:
            return await self._admit(reply_job)
        if self._is_thanks_for_work(reply_job):
            return done(show_receipt(reply_job.link.id, reply_job.reply.ts, "acknowledged"))
        waiting = await self._hold_or_ask(reply_job)
        return waiting or await self._deliver_text(reply_job)

    async def _admit(self, reply_job: ReplyJob) -> Outcome:
        """Queue the reply as input.

        If the reply's whole text is `pause`, also offer its author a button that stops the task.
        """
        context, link, reply = reply_job
        outcome = await self._outcomes.admit(reply_job)
        is_plain = not (reply.is_confirmed or reply.is_from_command or reply.files)
        is_paused = link.hold is not None or link.state.phase in (Phase.PAUSING, Phase.PAUSED)
        if not is_plain or is_paused or not is_pause(self._agent_input.get_plain(reply)):
            return outcome
        thread = link.record.thread_ts
        requester = Requester(person=reply.person, channel=link.record.channel, at=reply.ts, thread_ts=thread)
        return replace(outcome, private_messages=((requester, inputs.offer_to_stop(link, context.job.id)),))

    async def _find_refusal(self, reply_job: ReplyJob) -> UserError | None:
        """Return why this person may not send input; None if the person may.

        A person without a Coder account gets the same answer as a teammate who may not steer. If the task is
        the person's own and the person only has to connect an account, raise AccountNeeded or
        PersonTokenRefused instead: the reply then waits. It also waits while the person's token is renewed.
        """
        person, link = reply_job.reply.person, reply_job.link
        try:
            require_allowed(self._deps, link.record.channel, reply_job.reply)
            if await self._people.can_steer(person, link):
                return None
        except NoAccount as error:
            if await self._people.accounts.counts_as_owner(person, link):
                return error
        except (AccountNeeded, PersonTokenRefused) as error:
            lease = reply_job.context.lease
            if await waits_for_account(self._deps, self._people, error, person, link, lease):
                raise
            if await self._has_right_besides(reply_job, error):
                is_new = isinstance(error, AccountNeeded)
                why = refusals.not_connected() if is_new else refusals.connect_again()
                return UserError(*why, reason="no_account")
        except UserError as error:
            return error
        # The owner's e-mail address in Slack may have changed since the task was created.
        if link.record.is_owned_by(person):
            return await self._people.accounts.refuse_former_owner(person, link)
        if not await self._people.can_owner_act(link.record.owner_slack):
            return UserError(*missing_rights.owner_cannot_act(link, "send"), reason="not_allowed")
        return NotAllowed(*missing_rights.not_owner(link, "send"), reason="not_allowed")

    async def _has_right_besides(self, reply_job: ReplyJob, error: AccountProblem) -> bool:
        """Return whether the author may steer the task although it is not theirs, once they have connected.

        They may as an administrator, by a share or by the channel's settings. If Coder refuses the author's
        token and there is no service account, the settings do not count: Coder does not tell now what the
        author's account sees.
        """
        person, link = reply_job.reply.person, reply_job.link
        if await self._people.is_admin(person):
            return True
        if isinstance(error, PersonTokenRefused) and not self._people.accounts.has_service:
            return await self._people.is_shared_with(person, link)
        return await self._people.may_steer_besides(person, link)

    async def _refuse(self, reply_job: ReplyJob, why: UserError) -> Outcome:
        """End the reply and tell its author why, privately and once in 30 days.

        The message stays in the thread for other people. If the author may not steer the task, the answer has
        a button that asks the owner to pass the reply on.
        """
        record, reply = reply_job.link.record, reply_job.reply
        reply_job.context.audit.is_refused(why.reason)
        batch = show_receipt(record.id, reply.ts, "none")
        told = (NOT_ALLOWED, record.id, reply.person)
        if not await record_unless_told(self._deps, batch, *told, ttl_ms=REFUSAL_TTL_MS):
            return done(batch)
        requester = Requester(
            person=reply.person, channel=record.channel, at=reply.ts, thread_ts=record.thread_ts
        )
        if not isinstance(why, NotAllowed):
            return done(batch, (requester, inputs.reply_refused(why)))
        return done(batch, (requester, offer_to_ask(self._deps, reply_job.link, reply, batch)))

    def _is_thanks_for_work(self, reply_job: ReplyJob) -> bool:
        """Return whether the reply only says thanks for a task that is done.

        The result is the same if the task was paused after it was done. Such a reply is not sent, because it
        would only start the agent or the workspace again. A person can still send it with the shortcut *Send
        to its task*.
        """
        _, link, reply = reply_job
        is_sent_anyway = reply.is_confirmed or reply.is_from_command or bool(reply.files)
        is_paused = link.state.phase in (Phase.PAUSING, Phase.PAUSED)
        phase = link.state.paused_from if is_paused else link.state.phase
        return phase is Phase.DONE and not is_sent_anyway and is_thanks(self._agent_input.get_plain(reply))

    async def _hold_or_ask(self, reply_job: ReplyJob) -> Outcome | None:
        """Return the outcome of a reply that may not be sent now; None if the reply may be sent.

        Hold a reply that was written before a pause. A reply that was written after the pause ends the hold,
        so that the held replies are sent first. If backfill found the reply after an absence of the bot, and
        the reply is old, ask a person whether to send it.
        """
        context, link, reply = reply_job
        hold = link.hold
        if hold is not None and microseconds(reply.ts) <= microseconds(hold.at) and not reply.is_confirmed:
            return await self._outcomes.hold(reply_job)
        if hold is not None:
            batch = self._deps.writes.release_held(Batch(), link.id)
            return retry(0, None, questions.settle_held(self._deps, link, inputs.HELD_SENT_WITH_NEWER, batch))
        is_stale = self._deps.slack.now() - moment_of(reply.ts) > STALE_AFTER
        if reply.was_away and is_stale and not reply.is_confirmed and not link.record.has_other_clock:
            words = await self._agent_input.get_display_text(reply)
            question = inputs.ask_about_old_reply(link, context.job.id, words)
            return await ask(self._deps, reply_job, "stale", question)
        return None

    async def _deliver_text(self, reply_job: ReplyJob) -> Outcome:
        context, link, reply = reply_job
        if link.state.phase not in (Phase.PAUSING, Phase.PAUSED):
            # A reply without a place tries often, so it must not download its files and call Coder first. A
            # reply that resumes its task needs no place.
            take_agent_place()
        try:
            prepared = await self._agent_input.prepare(await self._agent_input.with_speaker(reply, link))
        except InputTooLong:
            return await self._outcomes.give_up(reply_job, task_limits.reply_too_long(LONGEST_INPUT))
        if prepared.changed_files:
            message = teammates.files_changed(reply.author_name, prepared.changed_files)
            return await self._outcomes.give_up(reply_job, message)
        left_out = reply.unreadable_files if reply.is_without_files else ()
        if prepared.text and not set(prepared.refused_files) <= set(left_out):
            words = await self._agent_input.get_display_text(reply)
            question = inputs.ask_about_refused_files(link, context.job.id, prepared.refused_files, words)
            return await ask(self._deps, reply_job, "files", question, prepared.refused_files)
        if not prepared.text:
            return await self._outcomes.give_up(reply_job, inputs.nothing_to_send(prepared.refused_files))
        return await self._deliverer.deliver(reply_job, prepared)


class ReplyDeliverer:
    """Sends the text of a reply to the agent."""

    def __init__(
        self,
        deps: Dependencies,
        quotas: Quotas,
        agent_input: AgentInput,
        outcomes: ReplyOutcomes,
        reconciler: Reconciler,
    ) -> None:
        self._deps = deps
        self._agent_input = agent_input
        self._outcomes = outcomes
        self._reconciler = reconciler
        self._quotas = quotas

    async def deliver(self, reply_job: ReplyJob, prepared: PreparedInput) -> Outcome:
        """If the task is active, send the input. If the task is paused, resume it and let the reply wait.

        In any other state of the task, let the reply wait.
        """
        if reply_job.is_suspect and (earlier := await self._outcomes.find_shown(reply_job)):
            return earlier
        task_id = reply_job.link.record.task_id
        assert task_id is not None  # noqa: S101 - the link's first jobs bind its task before any reply runs
        try:
            task = await reply_job.context.coder.get_task(task_id)
        except NotFound:
            # The poller finds out whether the task is gone. The reply waits until then.
            return await self._outcomes.wait_for_task(reply_job)
        except PersonTokenRefused as error:
            if error.person or reply_job.is_suspect:
                raise
            words = await self._agent_input.get_display_text(reply_job.reply)
            message = inputs.reply_needs_forgotten_account(reply_job.link, reply_job.context.job.id, words)
            return await self._outcomes.give_up_and_keep(reply_job, message)
        if task.status is TaskStatus.PAUSED:
            waiting = (
                await self._find_later_pause(reply_job, task, prepared) if reply_job.is_suspect else None
            )
            return waiting or await self._resume_or_hold(reply_job, task)
        if task.status is not TaskStatus.ACTIVE:
            return await self._outcomes.wait_for_task(reply_job, is_broken=task.status is TaskStatus.ERROR)
        if task.is_lost:
            # Without this check, Coder would try to reach the agent for 30 s.
            return await self._outcomes.wait_for_agent(reply_job)
        return await self._send(reply_job, task, prepared)

    async def _send(self, reply_job: ReplyJob, task: Task, prepared: PreparedInput) -> Outcome:
        try:
            logs = await reply_job.context.coder.get_logs(task.id)
            if reply_job.is_suspect and (sent := await self._find_earlier_send(reply_job, logs, prepared)):
                return sent
            is_choice = prepared.number and await offers_number(self._deps, logs, prepared.number)
            text = prepared.number if is_choice else prepared.text
            intent = await asyncio.to_thread(SendIntent.create, reply_job.context, task, logs, text)
            # The log may be long and the call may take long, so free the log's memory first.
            del logs
            unclear = await self._attempt_send(reply_job, task, intent, text)
        except (NotReady, BuildActive, TaskPaused, MustBeActive, NoLogs):
            return await self._outcomes.wait_for_task(reply_job)
        except AppUnreachable:
            return await self._outcomes.wait_for_agent(reply_job)
        except NotFound:
            return await self._handle_not_found(reply_job, task)
        except Refused as refused:
            words = await self._agent_input.get_display_text(reply_job.reply)
            message = inputs.reply_not_delivered(
                reply_job.link, reply_job.context.job.id, get_refusal_text(refused), words
            )
            return await self._outcomes.give_up_and_keep(reply_job, message)
        return unclear or await self._outcomes.complete_delivery(reply_job, intent.reported_at)

    async def _handle_not_found(self, reply_job: ReplyJob, task: Task) -> Outcome:
        """Return the outcome after Coder has answered 404.

        If Coder no longer shows the task, the reply waits until the poller reports the task as gone. If Coder
        shows the task but not its agent, our account lacks a right, and the reply is given up.
        """
        if not await is_agent_forbidden(reply_job.context.coder, task.id):
            return await self._outcomes.wait_for_task(reply_job)
        words = await self._agent_input.get_display_text(reply_job.reply)
        message = inputs.reply_access_denied(reply_job.link, reply_job.context.job.id, words)
        return await self._outcomes.give_up_and_keep(reply_job, message)

    async def _attempt_send(
        self, reply_job: ReplyJob, task: Task, intent: SendIntent, text: AgentText
    ) -> Outcome | None:
        """Send the text once. Return None if the text has arrived.

        Raises OutcomeUnknown if it cannot be known whether the text has arrived. If the agent's own server
        has refused the text, return an unknown outcome, because the text may still have arrived.
        """
        context = reply_job.context
        try:
            await context.attempt(
                intent.model_dump_json(),
                context.coder.timeouts.send,
                lambda: context.coder.send(task.id, text),
                _make_compensation(reply_job, intent),
            )
        except OutcomeUnknown as error:
            if await self._reconciler.is_in_log(context.coder, task.id, intent):
                context.record_reconciled(has_taken_effect=True)
            elif isinstance(error, RejectedByApp):
                return unknown(context.job.with_work(was_rejected=True))
            else:
                raise
        return None

    async def _find_earlier_send(
        self, reply_job: ReplyJob, logs: TaskLogs, prepared: PreparedInput
    ) -> Outcome | None:
        """Return the reply's outcome if the agent may have received the reply before data loss.

        Return None if the agent has not received the reply.
        """
        written, entries = moment_of(reply_job.reply.ts), await asyncio.to_thread(entries_of, logs)
        texts = [text for text in (prepared.text, prepared.number) if text]
        found = {
            await asyncio.to_thread(reconcile.find_input_without_mark, text, written, entries)
            for text in texts
        }
        if found == {"not_there"}:
            return None
        if "there" in found:
            return await self._outcomes.complete_delivery(reply_job, None)
        return await self._outcomes.ask_after_data_loss(reply_job)

    async def _find_later_pause(
        self, reply_job: ReplyJob, task: Task, prepared: PreparedInput
    ) -> Outcome | None:
        """Return the outcome of a reply that must not resume the paused task.

        The reply must not resume the task if the agent may have the reply already, or if the task was paused
        after the reply was written. In all other cases, return None.
        """
        with contextlib.suppress(NoLogs):
            logs = await reply_job.context.coder.get_logs(task.id)
            if sent := await self._find_earlier_send(reply_job, logs, prepared):
                return sent
        if task.workspace_id is None:
            return None
        build = (await reply_job.context.coder.get_workspace(task.workspace_id)).latest_build
        is_newer = build.created_at is not None and build.created_at > moment_of(reply_job.reply.ts)
        return await self._outcomes.ask_after_data_loss(reply_job) if is_newer else None

    async def _resume_or_hold(self, reply_job: ReplyJob, task: Task) -> Outcome:
        """Resume the task.

        If the channel's settings do not let replies resume tasks, hold the reply instead.
        """
        settings = await self._deps.channel_settings.get(reply_job.link.record.channel)
        if settings.is_resumed_by_reply or reply_job.reply.is_confirmed:
            return await self._resume_task(reply_job, task)
        return await self._outcomes.hold_until_resume(reply_job)

    async def _resume_task(self, reply_job: ReplyJob, task: Task) -> Outcome:
        try:
            await self._quotas.require_room(reply_job.link, reply_job.context.job.id)
        except TooManyRunning as refused:
            why = task_limits.reply_waits_for_room(refused.why)
            return await self._outcomes.give_up_with_later_replies(
                reply_job, lambda link, job_id, texts: inputs.delivery_given_up(link, job_id, why, texts)
            )
        intent = ResumeIntent(build=task.workspace_build_number)
        coder = reply_job.context.coder
        try:
            build = await reply_job.context.attempt(
                intent.model_dump_json(), coder.timeouts.change, lambda: coder.resume(task.id)
            )
        except (BuildActive, AlreadyRunning):
            return await self._outcomes.wait_for_task(reply_job)
        except Refused as refused:
            return await self._outcomes.give_up_with_later_replies(
                reply_job, partial(inputs.task_not_resumed, get_refusal_text(refused))
            )
        return await self._outcomes.retry_after_resume(reply_job, build.build_number)


def _make_compensation(reply_job: ReplyJob, intent: SendIntent) -> Batch:
    ts = reply_job.reply.ts
    job = Job(id=f"compensate:input:{ts}", work=ReportDuplicateInput(ts=ts, mark=intent.marked))
    return Batch().append(duplicates(reply_job.link.id), job)
