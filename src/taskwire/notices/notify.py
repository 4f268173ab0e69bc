"""Turns events into notices: reduces the events of a link, and posts messages in its thread.

To reduce an event is to compute, from it and the link's state, the new state and the notices. A link's events
are reduced one at a time. The call that completes the job also stores the new state. A notice is posted once.
It may contain an excerpt of the agent's log. It mentions only the task's owner and people who watch the task.
"""

from datetime import datetime
from functools import partial

from taskwire.agent.input import AgentInput
from taskwire.agent.log import keep_steps, read_end_cursor, read_new_output
from taskwire.agent.observing import (
    ReportSource,
    find_report_source,
    list_reports,
    list_reports_known_at,
)
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, OutsideError, Refused
from taskwire.domain.ids import Ts
from taskwire.domain.lifecycle import transitions
from taskwire.domain.lifecycle.events import Acted, Delivered, Event, Notice, Observed, TimerFired
from taskwire.domain.lifecycle.link_state import LinkState, ReducerSettings
from taskwire.domain.lifecycle.links import Link, is_act_overtaken
from taskwire.domain.lifecycle.phases import Observation, Phase, Report
from taskwire.domain.person_settings import CallPlan
from taskwire.domain.queueing.jobs import ApplyEvent, Job, PostNotice, PostText
from taskwire.domain.queueing.queues import to_coder, to_thread
from taskwire.domain.queueing.retry_policies import AGENT_HISTORY, ASKED_REPLY_SECONDS
from taskwire.domain.text.agent_questions import read_answer
from taskwire.domain.text.message import AgentOutput, Message
from taskwire.job_context import (
    Handler,
    JobContext,
    Outcome,
    dead_letter_batch,
    done,
    end_as_dead_letter,
    retry,
)
from taskwire.messages import inputs, notices
from taskwire.notices.attribution import describe_answer, find_person_behind, prepend_act
from taskwire.notices.build_summaries import BuildSummary, read_build
from taskwire.notices.closed_threads import (
    CLOSED_REASON,
    record_closed,
    reopen_if_closed,
    run_in_reach,
    wait_for_new_card,
)
from taskwire.notices.coming_turns import has_next_turn, with_unseen_inputs
from taskwire.notices.overdue_notices import (
    is_overtaken,
    restart_if_unseen,
    settle_overdue,
    with_question,
)
from taskwire.notices.pause_lines import (
    ask_in_line,
    edit_line,
    is_line,
    make_line,
    record_held_question,
    record_pause,
    record_resume,
    settle_line,
)
from taskwire.notices.who_is_called import decide_calls, may_mention, queue_calls
from taskwire.outbox import questions
from taskwire.outbox.enqueue import draw, share_answer, share_log
from taskwire.outbox.posting import post_once
from taskwire.outbox.questions import PostedQuestion
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import ChannelProblem, MessageGone, NoCapacity
from taskwire.slack.metadata import Metadata
from taskwire.telemetry import logger
from taskwire.waiting_replies.undelivered import list_held, return_replies, with_waiting_reply

# These notices have a button that starts the workspace. The button is removed when the workspace starts.
WITH_START_BUTTON = ("paused", "error")
ENDED_TURN_PHASES = (Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED)
STOPPED_PHASES = (Phase.PAUSING, Phase.PAUSED, Phase.BROKEN)

_log = logger("taskwire.notices.notify")


class Notifier:
    """Handles the jobs of events, notices and other messages of a thread."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.with_open_link(ApplyEvent, partial(run_in_reach, self._people, self.apply_event)),
            Handler.with_open_link(PostNotice, partial(run_in_reach, self._people, self.post_notice)),
            Handler.with_link(PostText, self.post_text),
        )

    async def apply_event(self, context: JobContext, link: Link) -> Outcome:
        """Reduce an event, store the new state, and queue the notices."""
        work = context.work(ApplyEvent)
        event = await self._add_reports(context, link, work.event)
        link = await with_unseen_inputs(self._deps, link, event)
        settings = await self._deps.channel_settings.get(link.record.channel)
        rules = settings.with_rules(self._deps.rules, link.record.owner_slack)
        *before, event = await prepend_act(self._deps, link, event)
        for act in before:
            earlier = self._reduce(link, act, rules, context.now_ms)
            link = link.model_copy(update={"state": earlier.state})
        transition = self._reduce(link, event, rules, context.now_ms)
        if any(notice.kind == "stuck" for notice in transition.notices):
            link = await restart_if_unseen(self._deps, link, context.now_ms)
            transition = self._reduce(link, event, rules, context.now_ms)
        batch = self._deps.writes.write_state(Batch(), link.id, transition.state, transition.look_at_ms)
        pending = link.pending_act
        if pending is not None and is_act_overtaken(pending, link.state, transition.state):
            self._deps.writes.remove_field(batch, link.id, "pending")
        await self._append_notices(link, transition, context.job.id, batch)
        await self._settle_start_button(link, event, transition.state, batch)
        await record_resume(self._deps, self._people, link, event, batch)
        answered = await describe_answer(self._deps, self._people, link, event)
        is_working_again = link.state.phase in ENDED_TURN_PHASES and transition.state.phase is Phase.WORKING
        if isinstance(event, Delivered) or is_working_again:
            await questions.close_choices(self._deps, link, answered, batch)
        await settle_overdue(self._deps, link, answered, transition.state, batch)
        if isinstance(event, Observed):
            self._release_waiting_for_resume(link, event, batch)
            # The agent may be ready now, so waiting replies are tried again at once.
            batch.hasten_input(to_coder(link.id))
            if event.is_baseline:
                # Reports from before the thread was opened are not posted in the thread.
                self._deps.writes.set_field(
                    batch, link.id, "cursor", await read_end_cursor(self._deps, context.coder, link)
                )
        return done(draw(link.id, batch))

    async def _append_notices(
        self, link: Link, transition: transitions.Transition, running_job: str, batch: Batch
    ) -> None:
        """Queue the notices. If a reply waits or was just sent, the end of a turn notifies nobody.

        In this case, also leave out reminders, because the agent works again soon.
        """
        for notice in transition.notices:
            is_reminder = notice.kind == "reminder"
            has_next = (notice.kind in notices.OF_TURNS or is_reminder) and await has_next_turn(
                self._deps, link, transition.state, notice, running_job
            )
            notice = await with_waiting_reply(self._deps, link, notice)
            if has_next and is_reminder:
                continue
            notice = notice.model_copy(update={"is_call": False}) if has_next else notice
            batch.append(to_thread(link.id), Job(id=notice.id, work=PostNotice(notice=notice)))

    def _release_waiting_for_resume(self, link: Link, event: Observed, batch: Batch) -> None:
        """If Coder shows that the task is active again, send the replies that waited for a resume."""
        if link.waits_for_resume and link.hold is None and event.observation.is_active:
            self._deps.writes.release_held(batch, link.id)
            questions.settle_held(self._deps, link, inputs.HELD_SENT, batch)

    async def _settle_start_button(self, link: Link, event: Event, state: LinkState, batch: Batch) -> None:
        """If the workspace has started, show who started it in place of the notice's start button."""
        is_act = isinstance(event, Acted) and event.verb == "resume"
        is_up_again = link.state.phase in STOPPED_PHASES and state.phase not in (*STOPPED_PHASES, Phase.GONE)
        if is_act or is_up_again:
            acted = state.last_action
            is_theirs = (
                acted is not None and acted.verb == "resume" and (is_act or acted.build == state.build)
            )
            by = acted.person if acted is not None and is_theirs else None
            words = inputs.workspace_restarted(await self._people.find_name(by))
            questions.settle(link, questions.WORKSPACE, words, batch)

    def _reduce(
        self, link: Link, event: Event, rules: ReducerSettings, now_ms: int
    ) -> transitions.Transition:
        """Reduce one event. The first event of a task that is older than its thread causes no notices."""
        if isinstance(event, Observed) and event.is_baseline:
            return transitions.reduce(
                transitions.initial_state(event, rules, now_ms), TimerFired(), rules, now_ms
            )
        return transitions.reduce(link.state, event, rules, now_ms)

    async def _add_reports(self, context: JobContext, link: Link, event: Event) -> Event:
        """Return the event. If it is an observation with news, add the agent's earlier reports to it.

        Coder's list shows only the latest report. An observation has news if it shows a new report, a new
        build, or another agent. Reports that are newer than the observation are left for later events.
        """
        if not isinstance(event, Observed):
            return event
        seen, state = event.observation, link.state
        is_other_agent = None not in (state.agent_id, seen.agent_id) and seen.agent_id != state.agent_id
        is_new_start = state.build not in (0, seen.build) or is_other_agent
        if not event.is_baseline and not _has_new_report(state, seen) and not is_new_start:
            return event
        try:
            history, stopped_at = await self._list_past_reports(context.coder, link, seen)
        except AccountRefused:
            raise
        except OutsideError as error:
            is_nowhere = isinstance(error, UnexpectedCoderAnswer) and error.status == 404
            if context.job.tries < AGENT_HISTORY.max_tries and not is_nowhere:
                raise
            _log.warning(
                "agent's reports not readable, latest report in the task list used instead",
                link=link.id,
                error=str(error),
            )
            return event
        reports = list_reports_known_at(state, seen, history)
        return event.model_copy(update={"reports": reports, "stopped_at": stopped_at})

    async def _list_past_reports(
        self, coder: CoderClient, link: Link, seen: Observation
    ) -> tuple[tuple[Report, ...], datetime | None]:
        """Return the agent's reports, and the time at which the workspace was told to stop.

        The time is None if it was not told to stop. If Coder refuses to show the agent, there are no reports.
        """
        reporter = ReportSource(link.state.agent_id, link.state.app_id)
        try:
            reporter = await find_report_source(coder, seen, reporter)
            return await list_reports(self._deps, coder, reporter), reporter.stopped_at
        except Refused:
            return (), reporter.stopped_at

    async def post_notice(self, context: JobContext, link: Link) -> Outcome:
        """Post a notice.

        If the notice shows the agent's output, the first run of the job only reads this output, stores it in
        the job, and ends with a retry. So every later try posts the same text, and calls the same people.
        """
        work = context.work(PostNotice)
        is_late = not context.is_outcome_unknown and is_overtaken(link, work.notice)
        if link.record.thread_ts is None or is_late:
            return done()
        notice, written = await with_question(self._deps, context.coder, link, work.notice), work.agent_output
        edited = await edit_line(self._deps, self._people, context, link, notice)
        if edited is not None:
            return done(edited)
        plan = await decide_calls(self._deps, self._people, context, link)
        if written is None and notice.kind in notices.OF_TURNS and not context.is_outcome_unknown:
            written = await read_new_output(self._deps, context.coder, link)
        is_new_output = written is not None and written.cursor and work.agent_output is None
        if is_new_output or (plan.is_chosen and work.calls is None):
            frozen = {"agent_output": written, "calls": plan if plan.is_chosen else None}
            return retry(0, context.job.with_work(**frozen))
        build_summary = await read_build(self._deps, context.coder, link, notice.kind)
        key = questions.get_key(questions.get_message_id(link, context.job.id))
        message = await self._make_message(link, notice, written or AgentOutput(), build_summary, key, plan)
        posted = await self._post(context, link, message, notice.kind, is_call=may_mention(link, context.job))
        if isinstance(posted, Outcome):
            outcome = posted
        else:
            batch = await self._record_output(Batch(), link, context, written or AgentOutput())
            if build_summary.why:
                self._deps.writes.set_field(
                    batch, link.id, "build_failure", f"{notice.build} {build_summary.why}"
                )
                draw(link.id, batch)
            place = _make_posted_question(link, context, posted, notice.kind, message)
            await self._record_posted(link, notice, written or AgentOutput(), place, batch)
            queue_calls(
                self._deps, plan, link, notice, written or AgentOutput(), posted, context.now_ms, batch
            )
            outcome = done(reopen_if_closed(link, batch))
        if notice.kind == "gone" and outcome.kind == "done":
            await questions.settle_all(self._deps, link, outcome.batch)
            await settle_line(self._deps, self._people, link, outcome.batch, is_resumed=False)
            draw(link.id, self._deps.writes.end_as_gone(outcome.batch, link, context.now_ms))
            await return_replies(
                self._agent_input, link, "gone", await list_held(self._deps, link), outcome.batch
            )
            # The jobs of waiting replies run now, even if they wait for a person's decision, and the replies
            # are given up.
            outcome.batch.hasten_input(to_coder(link.id), int(ASKED_REPLY_SECONDS * 1000))
        return outcome

    async def _record_posted(
        self, link: Link, notice: Notice, written: AgentOutput, place: PostedQuestion, batch: Batch
    ) -> None:
        """Store where a notice was posted, if notices of its kind are edited later."""
        if notice.kind == "paused":
            await record_pause(self._deps, self._people, link, notice, place, batch)
        if notice.kind in (questions.STUCK, questions.REMINDER):
            await questions.record_posted(self._deps, link, notice.kind, place, batch)
        if notice.kind in WITH_START_BUTTON and not is_line(link, notice):
            await questions.record_posted(self._deps, link, questions.WORKSPACE, place, batch)
        if notice.kind in notices.OF_TURNS:
            await self._record_choices(link, written, place, batch)

    async def _record_choices(
        self, link: Link, written: AgentOutput, place: PostedQuestion, batch: Batch
    ) -> None:
        """Store where the agent's choices were posted. A notice without choices closes an older question."""
        choices = read_answer(written.answer, written.full_text).choices
        if choices:
            place = place.model_copy(update={"choices": choices})
            await questions.record_posted(self._deps, link, questions.CHOICES, place, batch)
        else:
            await questions.close_choices(self._deps, link, inputs.CHOICE_PASSED, batch)

    async def _make_message(
        self,
        link: Link,
        notice: Notice,
        written: AgentOutput,
        build_summary: BuildSummary,
        key: str,
        plan: CallPlan,
    ) -> Message:
        by = find_person_behind(link.state, notice)
        if is_line(link, notice):
            return await make_line(self._deps, link, notice, await self._people.find_name(by))
        settings = await self._deps.channel_settings.get(link.record.channel)
        return notices.notice(
            link,
            notice.model_copy(update={"person": by}),
            written=written,
            key=key,
            build_log=build_summary.log,
            pause_reason=build_summary.reason,
            is_build_well=build_summary.is_well,
            is_stop=build_summary.is_stop,
            is_resumed_by_reply=settings.is_resumed_by_reply,
            by_name=await self._people.find_name(by),
            calls=plan.mentioned,
            coder_url=self._deps.coder_url,
            forges=self._deps.forges,
        )

    async def post_text(self, context: JobContext, link: Link) -> Outcome:
        """Post the job's message. If a message in the thread asks the same question, edit it instead."""
        work = context.work(PostText)
        if link.record.thread_ts is None:
            return done()
        replaced = Batch()
        if await questions.replace_open(self._deps, context, link, work, replaced):
            return done(replaced)
        if await ask_in_line(self._deps, self._people, context, link, replaced):
            return done(replaced)
        posted = await self._post(context, link, work.message, work.message_kind, is_call=work.is_call)
        if isinstance(posted, Outcome):
            return posted
        batch = reopen_if_closed(link, Batch())
        if work.question_id:
            place = _make_posted_question(link, context, posted, work.message_kind, work.message)
            await questions.record_posted(self._deps, link, work.question_id, place, batch)
            if work.question_id == questions.HELD_REPLIES:
                await record_held_question(self._deps, self._people, link, context.job.id, place, batch)
        return done(batch)

    async def _post(
        self, context: JobContext, link: Link, message: Message, kind: str, *, is_call: bool
    ) -> Outcome | Ts:
        """Post a message and return its ts, or the outcome of the job if it could not be posted."""
        meta = Metadata(
            id=questions.get_message_id(link, context.job.id), kind=kind, task_id=link.record.task_id
        )
        where = (link.id, link.record.channel, link.record.thread_ts)
        try:
            try:
                priority = Priority.MENTION if is_call else Priority.POST
                return await post_once(self._deps, context, *where, message, meta, priority)
            except NoCapacity:
                # With an intent record, the job must first search for the message of its earlier attempt.
                # Slack's limits left no room for this search, so nothing may be posted yet.
                if is_call or context.keeps_intent_record or not await self._is_call_behind(link):
                    raise
                # This message must not delay a later message in the queue that mentions people.
                return await post_once(self._deps, context, *where, message, meta, Priority.MENTION)
        except MessageGone as problem:
            return await self._handle_message_gone(context, link, problem.code)
        except ChannelProblem as problem:
            return self._give_up_closed(context, link, problem.code)

    async def _is_call_behind(self, link: Link) -> bool:
        jobs = await self._deps.links.list_jobs(to_thread(link.id))
        return any(may_mention(link, job) for job in jobs)

    async def _handle_message_gone(self, context: JobContext, link: Link, code: str) -> Outcome:
        return await wait_for_new_card(self._deps, context, link) or self._give_up_closed(context, link, code)

    def _give_up_closed(self, context: JobContext, link: Link, code: str) -> Outcome:
        """Give the message up for now, because the thread is closed. Return the outcome of the job.

        The job becomes a dead letter. It is sent again when the thread reopens.
        """
        maybe = ", and whether this was posted before could not be read" if context.is_outcome_unknown else ""
        return end_as_dead_letter(
            record_closed(
                self._deps, context, link, code, dead_letter_batch(context, f"{CLOSED_REASON}{code}{maybe}")
            )
        )

    async def _record_output(
        self, batch: Batch, link: Link, context: JobContext, written: AgentOutput
    ) -> Batch:
        """Record how much of the agent's log was shown, and its steps. Return the batch.

        If the message shows only a part of the agent's text, share the whole text as a file.
        """
        if written.cursor:
            self._deps.writes.set_field(batch, link.id, "cursor", written.cursor)
        if written.steps_text:
            key = questions.get_key(questions.get_message_id(link, context.job.id))
            await keep_steps(self._deps, batch, link, key, written.steps_text, context.now_ms)
        if written.full_text:
            share = share_answer if written.answer else share_log
            share(link, context.job.id, written.full_text, batch)
        return batch


def _has_new_report(state: LinkState, seen: Observation) -> bool:
    """Return whether the observation has a report that is newer than the last known report."""
    last = state.last_report
    return seen.report is not None and (last is None or seen.report.at > last.at)


def _make_posted_question(
    link: Link, context: JobContext, ts: Ts, kind: str, message: Message
) -> PostedQuestion:
    return PostedQuestion(
        ts=ts, message_id=questions.get_message_id(link, context.job.id), kind=kind, message=message
    )
