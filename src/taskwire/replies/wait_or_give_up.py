"""Makes the outcome of a reply: delivered, waiting for the agent, held, waiting for a decision, or given up.

An outcome includes everything that is written with it: the receipt, the message in the thread, and a copy of
the reply if the reply may be sent again.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, NamedTuple

from taskwire.agent.input import AgentInput
from taskwire.agent.picked_files import PickedFiles
from taskwire.coder.models import TaskStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import microseconds
from taskwire.domain.lifecycle.events import Acted
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.queueing.jobs import ApplyEvent, Job, Reply
from taskwire.domain.queueing.queues import input_score, to_coder, to_thread
from taskwire.domain.queueing.retry_policies import ASKED_REPLY_SECONDS, REPLY_RETRIES
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, Outcome, done, retry
from taskwire.messages import inputs
from taskwire.notices.card import REACTIONS
from taskwire.outbox.coder_health import find_outage
from taskwire.outbox.enqueue import record_delivery, say, show_receipt
from taskwire.outbox.home_requests import refresh_owners_home
from taskwire.outbox.questions import (
    ATTACH,
    HELD_REPLIES,
    REPLACING_JOB_ID_PREFIX,
    find_open,
    settle_reply,
)
from taskwire.outbox.tell_once import record_unless_told
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.user_limits import STEERER, STEERER_TTL_MS
from taskwire.slack.errors import ChannelProblem, MessageGone, SlackRateLimited, SlackTrouble
from taskwire.slack.models import Traces
from taskwire.telemetry import logger
from taskwire.waiting_replies.undelivered import (
    give_up_together,
    has_earlier_waiting_reply,
    list_with_later_replies,
    settle_sent_replies,
)

# If replies have waited for longer than this, a message in the thread says why.
EXPLAIN_WAIT_AFTER_MS = 15 * 60_000

# The beginning of the id of a job that posts a question.
QUESTION_JOB_ID_PREFIX = "asked:"

_log = logger("taskwire.replies.wait_or_give_up")

# The beginning of a question about held replies. It says who has paused the task and who has resumed it.
_PAUSE_WORDS = re.compile(r"(Paused by .+)\. \d+ (?:reply waits|replies wait)\.")


class ReplyJob(NamedTuple):
    """A reply's job while a worker runs the job, and the link of the reply."""

    context: JobContext
    link: Link
    reply: Reply

    @property
    def is_suspect(self) -> bool:
        """Whether the agent may have the reply although Redis does not say so, for example after data loss.

        False as soon as a person has decided to send the reply.
        """
        return self.context.lease.is_suspect and not self.reply.is_confirmed


class ReplyOutcomes:
    """Makes the outcomes of a reply."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._agent_input = agent_input
        self._picked_files = PickedFiles(deps, people, agent_input)

    async def fail_without_task(self, reply_job: ReplyJob) -> Outcome:
        """Mark the reply as failed, because the thread has lost its task.

        A message in the thread says this, once a day.
        """
        link, ts = reply_job.link, reply_job.reply.ts
        reply_job.context.audit.is_failed("no_task")
        batch = show_receipt(link.id, ts, "failed")
        if reply_job.reply.question or reply_job.reply.question_id:
            settle_reply(link, reply_job.reply, "ended", batch)
        if reply_job.context.is_outcome_unknown or reply_job.reply.question == "outcome_unknown":
            words = await self._agent_input.get_display_text(reply_job.reply)
            return done(say(link.id, f"never-known:{ts}", inputs.unknown_replies_returned([words]), batch))
        if await record_unless_told(self._deps, batch, "link_ended", link.id, ttl_ms=DAY_MS):
            say(link.id, f"ended:{ts}", inputs.reply_without_task(link), batch, question_id=ATTACH)
        return done(batch)

    async def admit(self, reply_job: ReplyJob) -> Outcome:
        """Queue the reply in its order among the other replies, because its author may steer the task."""
        link, reply = reply_job.link, reply_job.reply
        hashed = await self._picked_files.with_hashes(reply_job.context, link, reply)
        if hashed.file_hashes:
            reply_job.context.update_work(file_hashes=hashed.file_hashes)
        shown = (await self._agent_input.with_names(reply)).shown_text
        job = reply_job.context.job.with_work(is_admitted=True, shown_text=shown)
        batch = Batch().append(to_coder(link.id), job, score=input_score(reply.ts))
        self._deps.notes.keep_in(batch, "1", STEERER, link.id, reply.person, ttl_ms=STEERER_TTL_MS)
        if await has_earlier_waiting_reply(self._deps, link, reply):
            show_receipt(link.id, reply.ts, "waiting", batch)
        return done(batch)

    async def hold(self, reply_job: ReplyJob) -> Outcome:
        """Hold the reply because of a pause, until a person decides about it."""
        score, is_paused = input_score(reply_job.reply.ts), reply_job.link.state.status == TaskStatus.PAUSED
        batch = self._deps.writes.hold_reply(Batch(), reply_job.link.id, score)
        return await self._ask_about_held(reply_job, batch, is_paused=is_paused)

    async def hold_until_resume(self, reply_job: ReplyJob) -> Outcome:
        """Hold a reply to a paused task until a person resumes the task or drops the reply."""
        score = input_score(reply_job.reply.ts)
        batch = self._deps.writes.hold_reply(Batch(), reply_job.link.id, score)
        self._deps.writes.set_field(batch, reply_job.link.id, "waits_for_resume", "1")
        return await self._ask_about_held(reply_job, batch, is_paused=True)

    async def _ask_about_held(self, reply_job: ReplyJob, batch: Batch, *, is_paused: bool) -> Outcome:
        """End the job of a held reply, and update the question that says how many replies are held.

        If there is no such question yet, the new question says whether the task is paused (`is_paused`) or is
        still being paused.
        """
        link, job, reply = reply_job.link, reply_job.context.job, reply_job.reply
        show_receipt(link.id, reply.ts, "waiting", batch)
        await refresh_owners_home(self._deps, link, batch)
        held = {other.id for other in await self._deps.links.list_held(link.id)} | {job.id}
        asked = await find_open(self._deps, link, HELD_REPLIES)
        known = _PAUSE_WORDS.fullmatch(asked.message.text) if asked is not None else None
        what = known[1] if known is not None else inputs.PAUSED if is_paused else inputs.PAUSING
        message = inputs.ask_about_held_replies(link, len(held), what)
        say(
            link.id,
            f"{REPLACING_JOB_ID_PREFIX}{job.id}",
            message,
            batch,
            is_call=True,
            question_id=HELD_REPLIES,
        )
        return retry(0, None, batch)

    async def complete_delivery(self, reply_job: ReplyJob, reported_at: datetime | None) -> Outcome:
        """Record that the agent has the reply.

        `reported_at` is when the agent had last reported before the reply was sent; None if it never had.
        """
        link, reply = reply_job.link, reply_job.reply
        reply_job.context.audit.is_done()
        batch = record_delivery(self._deps.writes, link, reply, reported_at)
        await settle_sent_replies(self._deps, link, [reply], None, batch)
        last = link.last_input_ts
        # If another person sends a reply, it is late because that person decided late. That is not reported.
        is_late = last is not None and microseconds(reply.ts) < microseconds(last)
        if is_late and not reply.author_name:
            words = await self._agent_input.get_display_text(reply)
            say(link.id, f"late:{reply.ts}", inputs.reply_delivered_late(words), batch)
        return done(batch)

    async def retry_after_resume(self, reply_job: ReplyJob, build: int) -> Outcome:
        """Record that the build `build` has resumed the task for the reply, and try the reply again later."""
        acted = Acted(verb="resume", person=reply_job.reply.person, build=build)
        job = Job(id=f"resume:{reply_job.context.job.id}:{build}", work=ApplyEvent(event=acted))
        return self._retry_later(
            reply_job, (await self._show_waiting(reply_job)).append(to_thread(reply_job.link.id), job)
        )

    async def wait_for_task(
        self, reply_job: ReplyJob, *, is_broken: bool = False, unreached_ms: int = 0
    ) -> Outcome:
        """Try again later, because the agent is busy or the workspace is not running yet.

        If that lasts too long, give up this reply and the replies behind it.

        `is_broken` means that Coder shows an error of the workspace. If the thread has a notice of that
        error, give up at once. `unreached_ms` is the time since which Coder cannot reach the agent, in ms
        since 1970; 0 if Coder can reach the agent.
        """
        context, link, _ = reply_job
        if is_broken and link.state.phase is Phase.BROKEN:
            return await self.give_up_with_later_replies(reply_job, inputs.workspace_broken)
        if REPLY_RETRIES.is_over(context.lease.since_ms, context.now_ms):
            return await self.give_up_with_later_replies(reply_job, inputs.agent_never_ready)
        return self._retry_later(reply_job, await self._show_waiting(reply_job), unreached_ms)

    async def wait_for_agent(self, reply_job: ReplyJob) -> Outcome:
        """Try again later, because Coder cannot reach the agent.

        If that lasts, say in the thread why the reply waits.
        """
        since_ms = reply_job.reply.unreachable_since_ms or reply_job.context.now_ms
        outcome = await self.wait_for_task(reply_job, unreached_ms=since_ms)
        if outcome.kind == "retry":
            await self._explain_wait(
                reply_job, since_ms, inputs.replies_wait_for_agent(reply_job.link), outcome.batch
            )
        return outcome

    async def _explain_wait(self, reply_job: ReplyJob, since_ms: int, message: Message, batch: Batch) -> None:
        """If replies have waited for long, post a message in the thread that says why, at most once a day.

        `since_ms` is when the wait began. Do not explain an outage of Coder, because the card shows the
        outage.
        """
        context, link = reply_job.context, reply_job.link
        if (
            not since_ms
            or context.now_ms - since_ms < EXPLAIN_WAIT_AFTER_MS
            or await find_outage(self._deps) is not None
        ):
            return
        if await record_unless_told(self._deps, batch, "wait_explained", link.id, ttl_ms=DAY_MS):
            say(link.id, f"held-up:{context.job.id}:{context.now_ms}", message, batch, is_call=True)

    async def give_up_with_later_replies(
        self, reply_job: ReplyJob, words: Callable[[Link, str, Sequence[str]], Message]
    ) -> Outcome:
        """Give up this reply and the replies that wait behind it.

        `words` makes the message for the thread, from the link, the id of the job and the texts of the
        replies.
        """
        context, link, _ = reply_job
        context.audit.is_failed("not_delivered")
        replies = await list_with_later_replies(self._deps, context, link)
        texts = [await self._agent_input.get_display_text(reply) for _, reply in replies]
        message = words(link, context.job.id, texts)
        return done(await give_up_together(self._deps, context, link, replies, message))

    def _retry_later(self, reply_job: ReplyJob, batch: Batch, unreached_ms: int = 0) -> Outcome:
        waits = reply_job.reply.wait_count + 1
        seconds = REPLY_RETRIES.wait_seconds(waits)
        waited = reply_job.context.job.with_work(wait_count=min(waits, 8), unreachable_since_ms=unreached_ms)
        return retry(seconds, waited, batch)

    async def retry_after_error(self, reply_job: ReplyJob, error: OutsideError) -> Outcome:
        """Try again soon, because Coder or Slack did not answer.

        After the second failure, the receipt shows that the reply waits. Most outages end before that.
        """
        job = reply_job.context.job
        _log.info("reply not delivered, will retry", job=job.id, tries=job.tries, error=str(error))
        seconds = REPLY_RETRIES.wait_seconds(job.tries + 1, error.retry_after_seconds)
        tried = reply_job.context.failed_again()
        batch = await self._show_waiting(reply_job) if job.tries == 1 else Batch()
        if not isinstance(error, SlackTrouble | SlackRateLimited):
            await self._explain_wait(
                reply_job, job.failing_since_ms, inputs.replies_wait_for_coder(reply_job.link), batch
            )
        return Outcome("retry", batch, seconds, tried, trouble="failing")

    async def show_waiting_for_account(self, reply_job: ReplyJob) -> None:
        """Let the receipts show that the replies wait, because Coder refuses the account."""
        if reply_job.context.lease.trouble != "refused":
            await self._deps.queues.write(await self._show_waiting(reply_job))

    async def show_waiting_for_agent_place(self, reply_job: ReplyJob) -> None:
        """Let the receipts show that the replies wait, because too many jobs are in calls to agents."""
        if not reply_job.reply.wait_count:
            await self._deps.queues.write(await self._show_waiting(reply_job))
            reply_job.context.update_work(wait_count=1)

    async def _show_waiting(self, reply_job: ReplyJob) -> Batch:
        """Return a batch that lets the receipts of this reply and of the later replies show the wait.

        The batch is empty if the receipts show the wait already.
        """
        return Batch() if reply_job.reply.wait_count else await _show_all_waiting(self._deps, reply_job)

    async def give_up_and_keep(self, reply_job: ReplyJob, message: Message) -> Outcome:
        """Give up the reply, say why in the thread, and store the reply for another try."""
        context, link, reply = reply_job
        outcome = await self.give_up(reply_job, message, question_id=context.job.id)
        self._deps.writes.keep_reply(outcome.batch, link.id, context.job.id, reply.without_progress())
        return outcome

    async def give_up(self, reply_job: ReplyJob, message: Message, question_id: str = "") -> Outcome:
        """Give up the reply and say so in the thread.

        `question_id` is set if the message has a button for another try.
        """
        context, link, reply = reply_job
        context.audit.is_failed("not_delivered")
        batch, name = show_receipt(link.id, reply.ts, "failed"), f"failed:{reply.ts}:{context.now_ms}"
        await settle_sent_replies(self._deps, link, [reply], "unsent", batch)
        return done(say(link.id, name, message, batch, is_call=True, question_id=question_id))

    async def ask_about_unknown_outcome(self, reply_job: ReplyJob) -> Outcome:
        """Ask a person whether the agent has the reply, because the agent's log does not show it."""
        words = await self._agent_input.get_display_text(reply_job.reply)
        question = inputs.ask_whether_it_arrived(reply_job.link, reply_job.context.job.id, words)
        return await ask(self._deps, reply_job, "outcome_unknown", question)

    async def ask_after_data_loss(self, reply_job: ReplyJob) -> Outcome:
        """Ask a person what to do with a reply whose outcome Redis has lost."""
        words = await self._agent_input.get_display_text(reply_job.reply)
        question = inputs.ask_after_data_loss(reply_job.link, reply_job.context.job.id, words)
        return await ask(self._deps, reply_job, "outcome_unknown", question)

    async def find_shown(self, reply_job: ReplyJob) -> Outcome | None:
        """Return the outcome that the thread shows for this reply; None if it shows none.

        Redis may have lost an outcome that the thread still shows.
        """
        thread = reply_job.link.record.thread
        if thread is None:
            return None
        try:
            traces = await self._deps.slack.find_traces(thread.channel, thread.ts, reply_job.reply.ts)
        except (ChannelProblem, MessageGone):
            return None
        if REACTIONS["delivered"] in traces.own_reactions:
            return await self.complete_delivery(reply_job, None)
        if reply_job.context.lease.data_loss is not None:
            return self._find_failure_or_question(reply_job, traces)
        return None

    def _find_failure_or_question(self, reply_job: ReplyJob, traces: Traces) -> Outcome | None:
        link, ts = reply_job.link, reply_job.reply.ts
        if REACTIONS["failed"] in traces.own_reactions:
            reply_job.context.audit.is_failed("not_delivered")
            return done(show_receipt(link.id, ts, "failed"))
        for said in reversed(traces.own_message_ids):
            what, _, rest = said.removeprefix(f"{link.id}:{QUESTION_JOB_ID_PREFIX}").partition(":")
            if said.startswith(f"{link.id}:{QUESTION_JOB_ID_PREFIX}") and rest.startswith(f"{ts}:"):
                return retry(ASKED_REPLY_SECONDS, reply_job.context.job.with_work(question=what))
        return None

    async def wait_for_decision(self, reply_job: ReplyJob) -> Outcome:
        """Wait for the answer to the question about the reply.

        If nobody answers in time, give up the reply.
        """
        seconds_left = (
            ASKED_REPLY_SECONDS - (reply_job.context.now_ms - reply_job.context.lease.since_ms) / 1000
        )
        if seconds_left > 0:
            return retry(seconds_left)
        words = await self._agent_input.get_display_text(reply_job.reply)
        outcome = await self.give_up(
            reply_job,
            inputs.question_expired(words, is_outcome_unknown=reply_job.reply.question == "outcome_unknown"),
        )
        return replace(outcome, batch=settle_reply(reply_job.link, reply_job.reply, "late", outcome.batch))


async def ask(
    deps: Dependencies,
    reply_job: ReplyJob,
    what: Literal["files", "stale", "outcome_unknown"],
    question: Message,
    left_out: tuple[str, ...] = (),
) -> Outcome:
    """Post a question with buttons. The reply and the replies behind it wait for the answer.

    `what` is the reason for the question. `left_out` are the names of the files that cannot be sent. Return
    the outcome of the reply's job.
    """
    context, link, reply = reply_job
    batch = await _show_all_waiting(deps, reply_job)
    if reply.question_id != context.job.id:
        await settle_sent_replies(deps, link, [reply], "newer", batch)
    name = f"{QUESTION_JOB_ID_PREFIX}{what}:{reply.ts}:{context.now_ms}"
    say(link.id, name, question, batch, is_call=True, question_id=context.job.id)
    job = context.job.with_work(question=what, question_id="", question_outcome="", unreadable_files=left_out)
    return retry(ASKED_REPLY_SECONDS, job, batch)


async def _show_all_waiting(deps: Dependencies, reply_job: ReplyJob) -> Batch:
    """Return a batch that lets the receipts of this reply and of the later replies show the wait."""
    batch = Batch()
    for job, reply in await list_with_later_replies(deps, reply_job.context, reply_job.link):
        if job.id == reply_job.context.job.id or not reply.wait_count:
            show_receipt(reply_job.link.id, reply.ts, "waiting", batch)
    return batch
