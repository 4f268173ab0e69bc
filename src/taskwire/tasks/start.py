"""Opens the thread of a new link, creates or finds its task, and binds the task to the link.

The card is posted first, because its ts names the thread. The link takes over replies that people have
already written below the card. Each task gets a name that no other task has. So a second attempt finds the
task of the first attempt by this name.
"""

import contextlib
from functools import partial

from taskwire.agent.observing import LONGEST_TITLE, observation_of, observe_first, shorten_prompt
from taskwire.coder.errors import NameTaken, NotFound, ServerTrouble
from taskwire.coder.models import Task
from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import PlaceNotAllowed
from taskwire.domain.errors import OutcomeUnknown, OutsideError, Refused, TryLater, UserError
from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.links import Link, LinkRecord
from taskwire.domain.lifecycle.transitions import initial_state
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.domain.parsing.naming import begins_with_file, has_own_title
from taskwire.domain.queueing.jobs import ApplyEvent, CreateTask, Job, PostCard
from taskwire.domain.queueing.person_jobs import CheckOwner
from taskwire.domain.queueing.queues import to_coder, to_thread
from taskwire.domain.queueing.retry_policies import CREATE_WITH_ERRORS
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_text import AgentText
from taskwire.domain.text.message import Message
from taskwire.domain.text.thread_context import remove_context
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import answers, cards, inputs, refusals
from taskwire.messages.blocks import begin_sentence
from taskwire.outbox import questions
from taskwire.outbox.enqueue import draw, draw_first_card, request_reading
from taskwire.outbox.error_messages import get_refusal_text
from taskwire.outbox.owner_messages import tell_owner_of_attach
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.posting import post_once
from taskwire.outbox.request_retries import has_failed_too_long, retry_for_person
from taskwire.people.permissions import People
from taskwire.people.quotas import uncount_task
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata
from taskwire.state.retention import DETACHED_LINK
from taskwire.tasks.choices import make_name_taken_refusal


class ThreadOpener:
    """Handles the jobs that post a link's first card and so open its thread."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_any_link(PostCard, self.open),)

    async def open(self, context: JobContext, link: Link | None) -> Outcome:
        """Post the card, and take over the replies that people have already written below the card."""
        work, link = context.work(PostCard), _require_link(link)
        if not context.is_outcome_unknown and has_failed_too_long(context):
            context.audit.is_failed("no_answer")
            answer = answers.card_never_posted(is_attached=link.record.task_id is not None)
            return done(_end_unbound(self._deps, link, context.now_ms), (work.requester, answer))
        return await retry_for_person(
            self._deps, context, link, partial(self._check_and_post, link, work.requester), gives_up=False
        )

    async def _check_and_post(self, link: Link, requester: Requester, context: JobContext) -> Outcome:
        """Post the card, unless it may no longer be posted in this channel.

        If an earlier call may have posted it, the job that creates the task checks that, and edits the card.
        """
        try:
            if not context.is_outcome_unknown:
                await _require_allowed(self._people, requester, link)
        except UserError as error:
            context.audit.is_refused(error.reason)
            answer = _explain_refusal(error, link)
            return done(_end_unbound(self._deps, link, context.now_ms), (requester, answer))
        return await self._post_card(link, requester, context)

    async def _post_card(self, link: Link, requester: Requester, context: JobContext) -> Outcome:
        record = link.record
        meta = Metadata(id=context.job.id, kind="card", task_id=record.task_id)
        try:
            link = await self._with_present_state(link, context)
            settings = await self._deps.channel_settings.get(record.channel)
            card = cards.card(
                link,
                coder_url=self._deps.coder_url,
                forges=self._deps.forges,
                is_open=settings.lets_everybody_steer(record),
            )
            ts = await post_once(self._deps, context, record.id, record.channel, record.root_ts, card, meta)
        except (ChannelProblem, MessageGone) as problem:
            context.audit.is_failed("cannot_post")
            is_attached = record.task_id is not None
            if context.is_outcome_unknown:
                answer = answers.card_may_be_posted(record.channel, is_attached=is_attached)
            else:
                answer = answers.cannot_post_card(problem.code, record.channel, is_attached=is_attached)
            return done(_end_unbound(self._deps, link, context.now_ms), (requester, answer))
        except NotFound:
            context.audit.is_failed("task_gone")
            return done(
                _end_unbound(self._deps, link, context.now_ms),
                (requester, answers.task_not_attached(refusals.TASK_GONE)),
            )
        place = {"thread_ts": ts} if record.root_ts is None else {"thread_ts": record.root_ts, "card_ts": ts}
        posted = record.model_copy(update=place)
        batch = self._deps.writes.write_record(Batch(), posted)
        self._deps.writes.write_thread(batch, posted)
        if posted.task_id is not None:
            # Until the next poll, the card shows the state in which the task was found.
            self._deps.writes.write_state(batch, posted.id, link.state, None)
        if context.intent:
            # The card may be old, and Slack repeats events only for some minutes. So the thread is read.
            request_reading(record.id, ts, batch)
        job = Job(id=f"create:{record.id}", work=CreateTask(requester=requester))
        return done(batch.append(to_coder(record.id), job, score=1))

    async def _with_present_state(self, link: Link, context: JobContext) -> Link:
        """Return the link with its task's present state, for the first card."""
        if link.record.task_id is None:
            return link
        task = await context.coder.get_task(link.record.task_id)
        seen = await observe_first(self._deps, context.coder, task)
        state = initial_state(seen, self._deps.rules, context.now_ms)
        return link.model_copy(update={"observation": seen.observation, "state": state})


class TaskBinder:
    """Handles the jobs that give a link its task."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_any_link(CreateTask, self.bind),)

    async def bind(self, context: JobContext, link: Link | None) -> Outcome:
        """Create the task, or find the task that an earlier try created. Bind the task to the link."""
        work, link = context.work(CreateTask), _require_link(link)
        if has_failed_too_long(context) and not context.is_outcome_unknown and not work.was_tried:
            context.audit.is_failed("no_answer")
            return self._fail(context, link, work.requester, refusals.CODER_NEVER_ANSWERED)
        handle = self._handle_create if link.record.task_id is None else self._handle_attach
        return await retry_for_person(
            self._deps, context, link, partial(handle, link, work.requester), gives_up=False
        )

    async def _handle_create(self, link: Link, requester: Requester, context: JobContext) -> Outcome:
        is_owner_certain = not (self._was_tried(context) or self._people.accounts.can_connect)
        try:
            task = await self._create_task(context, link.record)
        except UserError as error:
            context.audit.is_refused(error.reason)
            return self._fail(context, link, requester, str(error), _explain_refusal(error, link))
        except Refused as refused:
            context.audit.is_failed("coder_refused")
            return self._fail(context, link, requester, refusals.coder_said(get_refusal_text(refused)))
        context.audit.is_done(task.id, task.name)
        batch = self._bind_task(link, task, is_baseline=False)
        return done(batch if is_owner_certain else _check_owner(link, batch))

    async def _handle_attach(self, link: Link, requester: Requester, context: JobContext) -> Outcome:
        task_id = TaskId(str(link.record.task_id))
        other = await self._deps.links.find_by_task(task_id)
        if other is not None and other.id != link.id:
            context.audit.is_refused("has_thread")
            where = await find_permalink(self._deps, other.record)
            return self._fail(context, link, requester, refusals.task_has_thread(where))
        try:
            await _require_allowed(self._people, requester, link)
            task = await context.coder.get_task(task_id)
        except UserError as error:
            context.audit.is_refused(error.reason)
            return self._fail(context, link, requester, str(error), _explain_refusal(error, link))
        except NotFound:
            context.audit.is_failed("task_gone")
            return self._fail(context, link, requester, refusals.TASK_GONE)
        former = await self._find_former(link)
        batch = self._bind_task(link, task, is_baseline=True, title=_get_former_title(former, task))
        if former is not None and former.is_muted and former.record.owner_slack == link.record.owner_slack:
            self._deps.writes.set_field(batch, link.id, "muted", "1")
        await tell_owner_of_attach(self._people, requester, link, batch, is_another=former is not None)
        return done(await self._link_former_card(link, former, _check_owner(link, batch)))

    async def _create_task(self, context: JobContext, record: LinkRecord) -> Task:
        work = context.work(CreateTask)
        was_outcome_unknown = self._was_tried(context)
        if was_outcome_unknown:
            found = await self._find_created(context, record)
            context.record_reconciled("there" if found is not None else "not_there")
            if found is not None:
                return found
            self._require_chance(context, work)
        await self._require_same_rights(context, work, record)
        try:
            return await context.attempt(
                record.name,
                context.coder.timeouts.create,
                lambda: context.coder.create_task(
                    record.owner_id,
                    record.template_version_id,
                    record.task_input,
                    record.name,
                    preset_id=record.preset_id,
                ),
            )
        except OutcomeUnknown as error:
            # A search now can prove that the task exists. It cannot prove that the task is missing, because
            # the request may still arrive. If it arrives later, Coder refuses the second request, because the
            # name is taken.
            task = await self._look_for_created(context, record)
            context.record_reconciled(has_taken_effect=task is not None)
            if task is None:
                context.update_work(
                    was_tried=True, error_count=work.error_count + isinstance(error, ServerTrouble)
                )
                raise
            return task
        except NameTaken:
            # At the first attempt, a taken name is a conflict. At a later attempt, the name may be taken by
            # the task that the first attempt created.
            found = await self._find_created(context, record) if was_outcome_unknown else None
            if found is not None:
                return found
            if was_outcome_unknown and not self._has_taken_effect(context):
                context.update_work(was_tried=True)
                raise TryLater("the name is taken, and its task cannot be seen yet") from None
            raise UserError(
                *await make_name_taken_refusal(context.coder, record.owner_name, record.name)
            ) from None

    def _was_tried(self, context: JobContext) -> bool:
        """Return whether an earlier try may have created the task."""
        was_tried = context.work(CreateTask).was_tried
        return context.is_outcome_unknown or context.lease.is_suspect or was_tried

    async def _require_same_rights(self, context: JobContext, work: CreateTask, record: LinkRecord) -> None:
        """Raise UserError if the person may no longer create the task here, or has another Coder account.

        While an earlier call may still create the task, raise TryLater instead.
        """
        try:
            if (await self._people.get_account(work.requester.person)).id != record.owner_id:
                raise UserError(*refusals.account_changed())
            await _require_place(self._people, work.requester, record)
        except UserError:
            if work.was_tried and not self._has_taken_effect(context):
                raise TryLater("what was tried while they might may still come about") from None
            raise

    def _require_chance(self, context: JobContext, work: CreateTask) -> None:
        """Raise UserError if creating the task has failed for too long, or too often."""
        is_over = CREATE_WITH_ERRORS.is_over(context.job.failing_since_ms, context.now_ms)
        if work.error_count >= CREATE_WITH_ERRORS.max_tries and is_over:
            raise UserError(refusals.CREATE_FAILED)
        if has_failed_too_long(context):
            raise UserError(refusals.CODER_NEVER_ANSWERED)

    def _has_taken_effect(self, context: JobContext) -> bool:
        """Return whether the first failed call can no longer arrive at Coder.

        If so, a search for the task shows whether that call created it.
        """
        lasts_ms = context.coder.timeouts.create * 1000 + self._deps.queues.times.late_arrival_ms
        since_ms = context.job.failing_since_ms
        return since_ms > 0 and context.now_ms - since_ms > lasts_ms

    async def _find_created(self, context: JobContext, record: LinkRecord) -> Task | None:
        """Find the task that an earlier try created; None if there is none. It has this name and this prompt,
        and no link.

        Raises UserError if the owner has a different task of this name.
        """
        try:
            task = await context.coder.get_task(f"{record.owner_name}/{record.name}")
        except NotFound:
            return None
        is_ours = task.initial_prompt == record.task_input
        if not is_ours or await self._deps.links.find_by_task(TaskId(task.id)) is not None:
            raise UserError(*await make_name_taken_refusal(context.coder, record.owner_name, record.name))
        return task

    async def _look_for_created(self, context: JobContext, record: LinkRecord) -> Task | None:
        try:
            return await self._find_created(context, record)
        except (UserError, OutsideError):
            return None

    async def _find_former(self, link: Link) -> Link | None:
        """Find the link of the task's earlier thread; None if there is none."""
        former = await self._deps.notes.find(DETACHED_LINK, str(link.record.task_id))
        return await self._deps.links.find(LinkId(former)) if former is not None else None

    async def _link_former_card(self, link: Link, former: Link | None, batch: Batch) -> Batch:
        """Update the card of the earlier thread, so that this card links to the new thread."""
        if former is None:
            return batch
        with contextlib.suppress(OutsideError):
            if where := await find_permalink(self._deps, link.record):
                self._deps.writes.write_moved_to(batch, former.id, where)
                questions.settle(former, questions.ATTACH, inputs.attached_again(where), batch)
                return draw(former.id, batch)
        return batch

    def _bind_task(self, link: Link, task: Task, *, is_baseline: bool, title: str = "") -> Batch:
        record = link.record
        has_context = bool(record.context) or remove_context(task.initial_prompt) != task.initial_prompt
        record = record.model_copy(
            update={
                "task_id": TaskId(task.id),
                "name": task.name,
                "title": title
                # Coder's own title is also made from the context, from files, and from the address of a
                # message that became the prompt. So for such a task, Coder's title is not used.
                or (record.title if has_context or begins_with_file(record.prompt) else "")
                or (begin_sentence(record.title) if has_own_title(record.prompt) else "")
                or mask_beginning(self._deps.mask, task.display_name, LONGEST_TITLE)
                or link.record.title
                or task.name,
                "created_at": task.created_at,
                # Of the context, only whether there is one is used from now on.
                "prompt": shorten_prompt(record.prompt),
                "context": AgentText(record.context[:1]),
            }
        )
        batch = self._deps.writes.write_record(Batch(), record)
        self._deps.writes.write_task(batch, record)
        event = Observed(observation=observation_of(task, self._deps.mask), is_baseline=is_baseline)
        batch.append(to_thread(record.id), Job(id=f"bound:{record.id}", work=ApplyEvent(event=event)))
        return draw_first_card(record.id, batch)

    def _fail(
        self, context: JobContext, link: Link, requester: Requester, why: str, answer: Message | None = None
    ) -> Outcome:
        """End the link without a task. The link's card says why, and so does the answer to the person."""
        batch = self._deps.writes.set_field(
            _end_unbound(self._deps, link, context.now_ms), link.id, "failure", why
        )
        return done(draw_first_card(link.id, batch), (requester, answer or _explain(why, link)))


async def _require_allowed(people: People, requester: Requester, link: Link) -> None:
    """Raise UserError if the person may no longer attach the link's task, or post a card in its channel."""
    if link.record.task_id is not None:
        await people.require_right_to("attach", requester, link)
    await _require_place(people, requester, link.record)


async def _require_place(people: People, requester: Requester, record: LinkRecord) -> None:
    """Raise UserError if a card may no longer be posted in the link's channel.

    The request may have waited for hours since this was checked. In the seconds after the check, Slack is not
    asked again.
    """
    is_elsewhere = requester.is_elsewhere or requester.channel != record.channel
    place = requester.model_copy(update={"channel": record.channel, "is_elsewhere": is_elsewhere})
    await people.places.require_place(place, "created" if record.task_id is None else "attached")


def _check_owner(link: Link, batch: Batch) -> Batch:
    """Queue a check of the owner of the link's task, who may have changed while the request waited."""
    return batch.append(to_coder(link.id), Job(id=f"owner:bound:{link.id}", work=CheckOwner()), score=0)


def _explain_refusal(error: UserError, link: Link) -> Message:
    """Return the answer to a person whose request was refused when it was carried out."""
    says_all = error.reason == "place" and not isinstance(error, PlaceNotAllowed)
    return answers.refusal(error) if says_all else _explain(str(error), link)


def _explain(why: str, link: Link) -> Message:
    is_attached = link.record.task_id is not None
    return answers.task_not_attached(why) if is_attached else answers.task_not_created(why)


def _require_link(link: Link | None) -> Link:
    """Return the link of a job that needs a link. Raise Refused if the link is no longer stored."""
    if link is None:
        raise Refused("the link is not there any more")
    return link


def _get_former_title(former: Link | None, task: Task) -> str:
    """Return the title from the task's earlier thread.

    Return an empty text if the prompt has changed since, because the title was made from the prompt.
    """
    return (
        former.record.title
        if former is not None and former.record.prompt == shorten_prompt(remove_context(task.initial_prompt))
        else ""
    )


def _end_unbound(deps: Dependencies, link: Link, now_ms: int) -> Batch:
    """End a link that was bound to no task. If its task exists in Coder nevertheless, another link may be
    made for it."""
    record = link.record.model_copy(update={"task_id": None})
    batch = deps.writes.end(Batch(), record, "failed")
    if link.record.task_id is not None:
        deps.notes.forget_in(batch, "attach_claim", link.record.task_id)
    else:
        uncount_task(deps, link.record, now_ms, batch)
    return batch
