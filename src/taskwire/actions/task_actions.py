"""Actions on a linked task: checks rights, and edits, deletes, detaches, mutes or shares a task.

Pause and resume are in `pause_resume.py`. Each action is one job in the link's `to_coder` queue. Pause,
delete and detach go ahead of waiting replies. The call that completes such an action also decides the fate of
these replies: they are held, or returned to the thread.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from taskwire.actions.pause_resume import (
    PauseAndResume,
    answer_elsewhere,
    attempt_change,
    forget_pending,
    get_task,
    show_pending,
    wait_for_build,
)
from taskwire.actions.stop import take_as_reply
from taskwire.agent.input import LONGEST_INPUT, AgentInput, clean_author, name_author, require_fits
from taskwire.agent.observing import LONGEST_TITLE, shorten_prompt
from taskwire.agent.thread_context import ThreadContext
from taskwire.coder.errors import (
    BuildActive,
    CoderError,
    MustBePaused,
    NotFound,
)
from taskwire.coder.rights import sees_every_task
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError, Refused, UserError
from taskwire.domain.ids import moment_of, ts_of
from taskwire.domain.lifecycle.events import Vanished
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.masking.secrets import has_mask_instead, mask_beginning
from taskwire.domain.parsing.naming import digest, make_replacement_title
from taskwire.domain.parsing.replies import STALE_AFTER
from taskwire.domain.queueing.jobs import Act, ActRequested, ActVerb, ApplyEvent, Job
from taskwire.domain.queueing.queues import LANE_WIDTH, intake, later_end_of_share_score, to_coder, to_thread
from taskwire.domain.requester import EarlierMessages
from taskwire.domain.text.agent_text import AgentText, is_shell_command, sanitize_for_agent
from taskwire.domain.text.attribution import remove_attribution
from taskwire.domain.text.thread_context import make_context
from taskwire.job_context import Handler, JobContext, JobEnded, Outcome, done
from taskwire.messages import answers, inputs, live, refusals, teammates
from taskwire.notices.follow import is_followed, start_following, stop_following
from taskwire.notices.who_is_called import find_present_quiet_period
from taskwire.outbox import questions
from taskwire.outbox.enqueue import draw, reset_menu
from taskwire.outbox.owner_messages import note_unmute, tell_owner_of_mute
from taskwire.outbox.request_retries import retry_for_person
from taskwire.outbox.share_messages import tell_of_shares
from taskwire.people.permissions import People
from taskwire.people.shares import Shares
from taskwire.queue.batch import Batch
from taskwire.waiting_replies.detach import detach, return_waiting_replies
from taskwire.waiting_replies.quoted import post_quotation, queue_reply

# A notice mentions at most this many people besides the owner.
MOST_WATCHERS = 20
# How many new prompts of a task are stored for the button *Stop and edit*.
MOST_KEPT_EDITS = 3
# For each verb: if a later build has this transition, somebody has done the opposite.
_OPPOSITE_TRANSITIONS = {"pause": "start", "resume": "stop"}
# These verbs need no call to Coder.
_WITHOUT_CODER: frozenset[ActVerb] = frozenset(
    {"detach", "mute", "unmute", "watch", "unwatch", "follow", "unfollow", "read_replies", "read_mentions"}
)


class TaskActions:
    """Handles the jobs that act on a linked task."""

    def __init__(
        self, deps: Dependencies, people: People, agent_input: AgentInput, thread_context: ThreadContext
    ) -> None:
        self._deps = deps
        self._thread_context = thread_context
        self._people = people
        self._agent_input = agent_input
        self._shares = Shares(deps, people)
        workspace = PauseAndResume(deps, people)
        self._verbs: dict[str, Callable[[JobContext, Link, Act], Awaitable[Outcome]]] = {
            "pause": workspace.pause,
            "resume": workspace.resume,
            "edit": self._edit,
            "delete": self._delete,
            "detach": self._detach,
            "mute": self._mute,
            "unmute": self._mute,
            "follow": self._follow,
            "unfollow": self._follow,
            "watch": self._watch,
            "unwatch": self._watch,
            "share": self._share,
            "unshare": self._share,
            "give_thread": self._give_thread,
            "read_replies": self._choose_replies,
            "read_mentions": self._choose_replies,
        }

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_any_link(Act, self.handle_act),)

    async def handle_act(self, context: JobContext, link: Link | None) -> Outcome:
        """Check the person's rights again, then run their action."""
        work = context.work(Act)
        run = partial(self._run_and_answer, link, work)
        outcome = await retry_for_person(self._deps, context, link, run)
        return await forget_pending(self._deps, context, outcome)

    async def _run_and_answer(self, link: Link | None, work: Act, context: JobContext) -> Outcome:
        """Run the action. If its button was in a private message, the answer replaces that message."""
        try:
            outcome = await self._run(link, work, context)
        except UserError as error:
            context.audit.is_refused(error.reason)
            outcome = replace(done(None, (work.requester, answers.refusal(error))), is_refusal=True)
            if link is not None and work.is_from_menu:
                # The card's menu still shows this choice. Slack would not report a second choice of the same
                # entry.
                reset_menu(link.id, work.requester.at, outcome.batch)
        if work.is_answered_elsewhere:
            return replace(outcome, private_messages=())
        # If the pressed button is in a private message, the answer replaces that message.
        return (
            replace(outcome, private_messages=(), replacements=outcome.private_messages)
            if work.note_key or work.is_undo or work.is_offered_stop
            else outcome
        )

    async def _run(self, link: Link | None, work: Act, context: JobContext) -> Outcome:
        if (
            link is not None
            and link.end_reason == "gone"
            and work.verb == "delete"
            and context.is_outcome_unknown
        ):
            # A poll saw the deletion before Coder's answer came, so the thread already shows the deletion.
            return done(None, *answer_elsewhere(work, link, answers.task_deleted(link)))
        if link is not None and not context.is_outcome_unknown:
            plain = await take_as_reply(self._deps, self._people, link, work)
            if plain is not None:
                context.audit.is_nothing()
                return plain
        possible = (None, "gone") if work.verb == "unshare" else (None,)  # a missing task may come back
        if link is None or link.end_reason not in possible:
            raise UserError(*refusals.link_ended(await self._people.find_visible(work.requester, link)))
        if work.was_away and self._deps.slack.now() - moment_of(work.requester.at) > STALE_AFTER:
            context.audit.is_refused("too_old")
            return done(None, (work.requester, answers.verb_too_old(work.verb)))
        if not context.is_outcome_unknown:
            await self._require_right(context, link, work)
        try:
            overtaken = await self._end_if_undone(context, link, work)
            return overtaken or await self._verbs[work.verb](context, link, work)
        except NotFound:
            raise UserError(*refusals.task_gone(link.title)) from None
        except Refused as refused:
            if context.keeps_intent_record or not isinstance(refused, CoderError):
                raise
            raise UserError(*refusals.coder_refused(work.verb, link, refused.answer.text)) from refused

    async def _require_right(self, context: JobContext, link: Link, work: Act) -> None:
        """Raise UserError unless the person may do this."""
        needs_coder = work.verb not in _WITHOUT_CODER
        try:
            await self._people.require_right_to(work.verb, work.requester, link, needs_coder=needs_coder)
        except OutsideError:
            _run_unshare_later(context, link, work, Batch())
            raise

    async def _end_if_undone(self, context: JobContext, link: Link, work: Act) -> Outcome | None:
        """End the action if somebody has done the opposite since the request. Return None if nobody has.

        The action may be old if Redis has lost data, or if the job was sent again from the dead letters. An
        old action must not undo a later one.
        """
        if (
            not context.lease.is_suspect
            or context.is_outcome_unknown
            or work.verb not in _OPPOSITE_TRANSITIONS
        ):
            return None
        task = await get_task(context, link)
        if task.workspace_id is None:
            return None
        build = (await context.coder.get_workspace(task.workspace_id)).latest_build
        is_newer = build.created_at is not None and build.created_at > moment_of(work.requester.at)
        # The first build has only created the task: nobody has resumed it.
        is_own = build.build_number in (1, work.stop_build)
        if not is_newer or is_own or build.transition != _OPPOSITE_TRANSITIONS[work.verb]:
            return None
        context.audit.is_refused("overtaken")
        return done(None, (work.requester, answers.opposite_done_meanwhile(link, work.verb)))

    async def _edit(self, context: JobContext, link: Link, work: Act) -> Outcome:
        words = await self._get_prompt(link, work)
        if is_shell_command(words):
            raise UserError(*refusals.prompt_is_command())
        text = await self._name_author(link, work, words)
        require_fits(text)
        task = await get_task(context, link)
        is_done = context.is_outcome_unknown and task.initial_prompt == text
        context.record_reconciled("there" if is_done else "not_there", has_taken_effect=is_done)
        if not is_done:
            if await has_mask_instead(self._deps.mask, task.initial_prompt[:LONGEST_INPUT], text):
                raise UserError(*refusals.prompt_is_masked(link))
            try:
                await attempt_change(
                    self._people,
                    context,
                    link,
                    "edit",
                    lambda: context.coder.edit_input(task.id, text),
                )
            except MustBePaused:
                if work.waits_for_stop:
                    return wait_for_build(context, link, work)
                kept = digest(link.id, context.job.id)
                # The press of a button can be made up, so the key of another task's prompt must find nothing.
                note, group, most = ("edit", link.id, kept), ("edits_of", link.id), MOST_KEPT_EDITS
                batch = await self._deps.notes.keep_newest_in(
                    Batch(), words, *note, group=group, at_ms=context.now_ms, most=most, ttl_ms=DAY_MS
                )
                context.audit.is_nothing()
                return done(batch, (work.requester, answers.ask_to_pause_for_edit(link, f"{link.id} {kept}")))
        if link.record.thread_ts is None:
            return done(None, (work.requester, answers.prompt_replaced(link)))
        shown = mask_beginning(self._deps.mask, words, LONGEST_TITLE)
        updates = {"prompt": shorten_prompt(text), "title": make_replacement_title(shown)}
        record = link.record.model_copy(update=updates)
        batch = draw(link.id, self._deps.writes.write_record(Batch(), record))
        questions.settle(link, questions.EDIT, inputs.PROMPT_EDITED, batch)
        return done(batch, (work.requester, answers.prompt_replaced(link)))

    async def _name_author(self, link: Link, work: Act, words: AgentText) -> AgentText:
        """Return the prompt with the name of the person who wrote it, unless that is the task's owner.

        The person may have edited a prompt that has their name already.
        """
        name = await self._agent_input.find_speaker(work.requester.person, link)
        return name_author(name, remove_attribution(clean_author(name), words)) if name else words

    async def _get_prompt(self, link: Link, work: Act) -> AgentText:
        """Return the new prompt. If it came by a button, it is in a note that is kept for a day.

        Raises UserError if that note has expired.
        """
        if not work.note_key:
            return work.text
        kept = await self._deps.notes.find("edit", link.id, work.note_key)
        if kept is None:
            raise UserError(*refusals.button_expired())
        return sanitize_for_agent(kept)

    async def _delete(self, context: JobContext, link: Link, work: Act) -> Outcome:
        await show_pending(self._deps, context, link, work)
        try:
            task = await get_task(context, link)
            context.record_reconciled()
            await attempt_change(
                self._people,
                context,
                link,
                "delete",
                lambda: context.coder.delete_task(task.id),
            )
        except NotFound:
            # Coder answers "not found" also if the account has lost its rights. So the task counts as deleted
            # only if the account still sees tasks.
            if not context.is_outcome_unknown and not await self._can_list_tasks(context, link):
                raise
            context.record_reconciled("there", has_taken_effect=True)
        except BuildActive:
            return wait_for_build(context, link, work)
        if link.record.thread_ts is None:
            return done(None, (work.requester, answers.task_deleted(link)))
        # The notice that the task is gone settles the thread's questions.
        batch, at = Batch(), work.requester.at
        await return_waiting_replies(self._deps, self._agent_input, link, at, batch)
        gone = Vanished(person=work.requester.person)
        batch.append(to_thread(link.id), Job(id=f"deleted:{context.job.id}", work=ApplyEvent(event=gone)))
        return done(batch, *answer_elsewhere(work, link, answers.task_deleted(link)))

    async def _can_list_tasks(self, context: JobContext, link: Link) -> bool:
        me = await context.coder.get_own_user()
        return me.id == link.record.owner_id or await sees_every_task(context.coder, me)

    async def _detach(self, context: JobContext, link: Link, work: Act) -> Outcome:
        batch, message = Batch(), answers.thread_detached(link)
        name = (self._deps, self._agent_input, link, context.job.id)
        await detach(*name, message, batch, question_id=questions.ATTACH)
        if work.is_move:
            again = ActRequested(requester=work.requester, verb="attach", name=str(link.record.task_id))
            return done(
                batch.append(intake(work.requester.person), Job(id=f"attach:{context.job.id}", work=again))
            )
        return done(batch, *answer_elsewhere(work, link, answers.task_detached(link)))

    async def _mute(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Stop notifying people about the task, or notify them again. The owner is told who stopped it."""
        is_muted = work.verb == "mute"
        batch = Batch()
        if is_muted:
            self._deps.writes.set_field(batch, link.id, "muted", work.requester.person)
            await tell_owner_of_mute(self._deps, self._people, work.requester, link, batch)
        else:
            self._deps.writes.remove_field(batch, link.id, "muted")
            note_unmute(self._deps, work.requester, link, batch)
        del context
        return done(draw(link.id, batch), (work.requester, answers.mute_changed(link, is_muted=is_muted)))

    async def _follow(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Post a message in the thread that shows what the agent writes, or end such a message."""
        if work.verb == "unfollow":
            # The message with the live output says itself that following has ended.
            answer = () if link.follow_until_ms else ((work.requester, live.not_following(link)),)
            return done(stop_following(self._deps, link), *answer)
        if is_followed(link, context.now_ms):
            return done(None, (work.requester, live.following(link)))
        person = work.requester.person
        return done(await start_following(self._deps, link, person, context.now_ms))

    async def _watch(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Let the task's notices call this person from now on, or no longer call this person."""
        person = work.requester.person
        others = [each for each in link.watchers if each != person]
        settings = await self._deps.person_settings.get(person)
        is_never = settings.calls == "nothing"
        if link.record.is_owned_by(person):
            answer = teammates.owner_watches(link, is_never_called=is_never)
            return done(None, (work.requester, answer))
        if work.verb == "unwatch":
            batch = self._deps.writes.set_people(Batch(), link.id, "watchers", others)
            return done(batch, (work.requester, teammates.not_watching(link)))
        if len(others) >= MOST_WATCHERS:
            context.audit.is_refused("too_many")
            return done(None, (work.requester, teammates.too_many_watch(link, MOST_WATCHERS)))
        batch = self._deps.writes.set_people(Batch(), link.id, "watchers", [*others, person])
        period = await find_present_quiet_period(self._people, person, settings, context.now_ms)
        quiet_until = period.ends if period is not None else None
        answer = teammates.watching(link, quiet_until=quiet_until, is_never_called=is_never)
        return done(batch, (work.requester, answer))

    async def _share(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Share the task with people and groups, or end their shares. If none are named, list the shares."""
        verb: Literal["share", "unshare"] = "unshare" if work.verb == "unshare" else "share"
        self._shares.require_few(verb, work.who, work.text)
        batch = Batch()
        if verb == "unshare":
            await self._shares.end_named(work.requester, link, work.text, batch)
        try:
            who = (*work.who, *await self._shares.find_people(work.requester, link, verb, work.text))
        except OutsideError:
            _run_unshare_later(context, link, work, batch)
            raise
        except UserError as error:
            context.audit.is_refused(error.reason)
            return replace(done(batch, (work.requester, answers.refusal(error))), is_refusal=True)
        if not who:
            context.audit.is_nothing()
        if verb == "share":
            shares = await self._shares.begin(work.requester, link, who, batch)
        else:
            shares = await self._shares.end(work.requester, link, who, batch)
        await tell_of_shares(self._deps, self._people, work.requester, link, shares, batch)
        return done(batch, (work.requester, await self._shares.answer(work.requester, link, shares, who)))

    async def _give_thread(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Give the agent the earlier messages of the thread, from before the card."""
        record, person = link.record, work.requester.person
        if record.root_ts is None or record.context:
            raise UserError(*refusals.no_earlier_messages())
        wanted = EarlierMessages(channel=record.channel, thread_ts=record.root_ts, before=record.made_at)
        messages = await self._thread_context.list_messages(person, wanted)
        text = make_context(messages)
        if not text:
            raise UserError(*refusals.no_earlier_messages())
        shown = answers.thread_given(await self._people.directory.get_name(person), len(messages))
        reply = await post_quotation(self._deps, self._people, context, link, work.requester, text, shown)
        given = record.model_copy(update={"context": AgentText(text[:1])})
        return done(
            draw(link.id, queue_reply(link.id, reply, self._deps.writes.write_record(Batch(), given)))
        )

    async def _choose_replies(self, context: JobContext, link: Link, work: Act) -> Outcome:
        """Choose which replies are input for the agent: all replies, or only replies that mention the bot.

        The second choice has no effect if the task's card does not offer it.
        """
        is_offered = link.record.root_ts is not None or link.is_mention_only
        is_mention_only = work.verb == "read_mentions" and is_offered
        batch = Batch()
        if is_mention_only:
            self._deps.writes.set_field(batch, link.id, "mention_only", "1")
        elif link.is_mention_only:
            self._deps.writes.read_every_reply(batch, link.id, ts_of(self._deps.slack.now()))
        del context
        answer = answers.replies_read(is_mention_only=is_mention_only)
        return done(draw(link.id, batch), (work.requester, answer))


def _run_unshare_later(context: JobContext, link: Link, work: Act, batch: Batch) -> None:
    """If the end of a share waits for Slack or Coder, end this job, and write it again with a later score.

    Until then it runs before all other jobs, so a pause would wait for it. Do nothing for any other job.
    """
    if work.verb == "unshare" and float(context.lease.score) < LANE_WIDTH:
        context.audit.is_nothing()
        score = later_end_of_share_score(work.requester.at)
        raise JobEnded(done(batch.append(to_coder(link.id), context.job, score=score)))
