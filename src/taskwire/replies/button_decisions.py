"""Handles the buttons of questions about replies, and of the choices that an agent offers.

A question is about a reply that a pause holds, that was not delivered, or whose outcome is unknown.
`messages/inputs.py` has the texts of the questions. If people press several of an agent's choices, only the
first press counts. The notice then loses its buttons and says who has answered. The choice is posted in
the thread as that person's words, and goes to the agent as that person's reply.
"""

from typing import NamedTuple, cast

from taskwire.agent.input import AgentInput, is_asked_as_verb, is_meant_as_verb
from taskwire.agent.picked_files import PickedFiles
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import Ts
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.decisions import Choose, DecideHeld, DecideReply, ReplyDecision
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Act, ActVerb, AnswerInThread, Job, Reply
from taskwire.domain.queueing.queues import (
    input_score,
    no_agent_score,
    request_score,
    thread_answers,
    to_coder,
)
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import answers, inputs, missing_rights, refusals
from taskwire.messages.unknown_verbs import DIALOG_BUTTONS, VERB_BUTTONS, edited_since, taken_as_verb
from taskwire.outbox import questions
from taskwire.outbox.enqueue import record_delivery, say_with_file, show_receipt
from taskwire.outbox.home_requests import refresh_owners_home
from taskwire.outbox.questions import settle_reply
from taskwire.people.account_errors import AccountNeeded, NoAccount
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.replies.pass_on import offer_to_ask_for_choice
from taskwire.waiting_replies.kept import find_kept_reply
from taskwire.waiting_replies.places import require_place_for_reply
from taskwire.waiting_replies.quoted import post_quotation, queue_reply
from taskwire.waiting_replies.undelivered import (
    find_reply,
    list_given_up_together,
    list_held,
    settle_sent_replies,
)


class PendingReply(NamedTuple):
    """A reply that waits for a decision, and the batch that removes the reply from where it waits."""

    reply: Reply
    removal: Batch


class ReplyDecisions:
    """Handles people's decisions about replies, and the choices that people make."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input
        self._picked_files = PickedFiles(deps, people, agent_input)

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.with_any_link(DecideHeld, self.decide_held),
            Handler.with_any_link(DecideReply, self.decide_reply),
            Handler.with_any_link(Choose, self.choose),
        )

    async def decide_held(self, context: JobContext, link: Link | None) -> Outcome:
        """Carry out a person's decision about the held replies: send them or drop them.

        To send them, resume the task.
        """
        work = context.work(DecideHeld)
        if link is None or link.end_reason is not None:
            raise UserError(*refusals.link_ended(await self._people.find_visible(work.requester, link)))
        await self._people.require_right_to("decide", work.requester, link)
        replies = await list_held(self._deps, link)
        if not replies:
            return await self._answer_nothing_held(context, link, work)
        if not work.is_dropped:
            # Coder may refuse to resume the task. So the question is settled only after the task was resumed.
            resume = Act(requester=work.requester, verb="resume", is_public_press=True)
            job = Job(id=f"resume:{context.job.id}", work=resume)
            return done(Batch().append(to_coder(link.id), job, score=no_agent_score(work.requester.at)))
        batch = self._deps.writes.drop_held(Batch(), link.id)
        await refresh_owners_home(self._deps, link, batch)
        for reply in replies:
            show_receipt(link.id, reply.ts, "none", batch)
            if reply.question:
                settle_reply(link, reply, "dropped", batch)
        await settle_sent_replies(self._deps, link, replies, "dropped", batch)
        texts = [await self._agent_input.get_display_text(reply) for reply in replies]
        outcome = await self._show_decision(link, work, inputs.HELD_DROPPED, batch)
        say_with_file(link, f"dropped:{context.job.id}", inputs.held_replies_dropped(texts), texts, batch)
        return outcome

    async def _answer_nothing_held(self, context: JobContext, link: Link, work: DecideHeld) -> Outcome:
        if await questions.is_open(self._deps, link, questions.HELD_REPLIES):
            return await self._show_decision(link, work, inputs.NOTHING_HELD, Batch())
        context.audit.is_nothing()
        return done(None, (work.requester, inputs.nothing_held(link)))

    async def _show_decision(
        self, link: Link, work: DecideHeld | DecideReply, words: str, batch: Batch, *, is_last: bool = True
    ) -> Outcome:
        """Show the decision in place of the question that contains the pressed button.

        `is_last` is False if another outcome follows, for example first "Sending" and then "Sent".
        """
        question_id = work.job if isinstance(work, DecideReply) else questions.HELD_REPLIES
        return await questions.finish_press(
            self._deps, link, question_id, words, work.requester, batch, is_last=is_last
        )

    async def decide_reply(self, context: JobContext, link: Link | None) -> Outcome:
        """Carry out a person's decision: send a reply, drop it, or record it as delivered."""
        work = context.work(DecideReply)
        if link is None:
            raise UserError(*refusals.link_ended(None))
        await self._people.require_right_to("decide", work.requester, link)
        if link.end_reason is not None:
            return await self._show_decision(link, work, inputs.decision_too_late(link), Batch())
        await self._require_author(link, work)
        if work.decision == "verb":
            return await self._take_as_verb(context, link, work)
        found = await self._find_pending(link, work.job)
        if work.decision == "send" and (found is None or _is_awaiting(found.reply, "send")):
            return await self._send(context, link, work, found)
        if found is None or not _is_awaiting(found.reply, work.decision):
            return await self._answer_too_late(context, link, work)
        reply, batch = found
        if work.decision == "drop":
            show_receipt(link.id, reply.ts, "none", batch)
        else:
            record_delivery(self._deps.writes, link, reply, None, batch)
        await questions.settle_empty_hold(self._deps, link, work.job, batch)
        words = inputs.DECIDED_UNSENT if work.decision == "drop" else inputs.DECIDED_ARRIVED
        return await self._show_decision(link, work, words, batch)

    async def _require_author(self, link: Link, work: DecideReply) -> None:
        """Raise UserError if only the reply's author is asked about it. A press of another is made up."""
        kept = await find_kept_reply(self._deps, link, work.job)
        if kept is None or kept.is_confirmed or not kept.only_author_decides:
            return
        if kept.person != work.requester.person:
            raise UserError(*refusals.button_expired())

    async def _take_as_verb(self, context: JobContext, link: Link, work: DecideReply) -> Outcome:
        """Carry out the command that a reply with `!` was meant as. The reply does not go to the agent.

        The question is only asked about such a reply, which is stored and waits in no queue. A press that
        names any other reply is made up, and must not take that reply away.
        """
        reply = await self._find_kept(link, work.job)
        if reply is None or not is_asked_as_verb(self._deps, reply):
            return await self._answer_too_late(context, link, work)
        if not is_meant_as_verb(self._deps, reply):
            context.audit.is_nothing()
            return done(None, (work.requester, edited_since()))
        batch = self._deps.writes.forget_reply(Batch(), link.id, work.job)
        if work.verb in VERB_BUTTONS:
            _append_verb(batch, link, work, f"{work.verb}:{context.job.id}")
        elif work.verb not in DIALOG_BUTTONS:
            raise UserError(*refusals.button_expired())
        await questions.settle_empty_hold(self._deps, link, work.job, batch)
        return await self._show_decision(link, work, taken_as_verb(work.verb), batch)

    async def _answer_too_late(self, context: JobContext, link: Link, work: DecideReply) -> Outcome:
        """Answer a person whose decision is too late.

        Either another decision was made before, or the reply no longer exists.
        """
        if work.decision == "send" and await questions.is_open(self._deps, link, work.job):
            is_sent = await self._is_delivered(link, work.job)
            words = inputs.question_closed("decided") if is_sent else inputs.INPUT_TOO_OLD
            return await self._show_decision(link, work, words, Batch())
        context.audit.is_nothing()
        return done(None, (work.requester, inputs.already_decided()))

    async def _send(
        self, context: JobContext, link: Link, work: DecideReply, found: PendingReply | None
    ) -> Outcome:
        """Queue a reply again, and also the replies that were given up with it.

        `found` is None if the reply was deleted. Then only the other replies are queued.
        """
        batch = found.removal if found is not None else Batch()
        to_send = [(work.job, found.reply)] if found is not None else []
        to_send += await self._collect_others(link, work.job, batch)
        if not to_send:
            return await self._answer_too_late(context, link, work)
        first = to_send[0][1]
        sending = inputs.describe_sending(first, len(to_send), is_without_first=found is None)
        question_id = work.job
        if len(to_send) > 1:
            # While the other replies are being sent, a new question may be asked about one of them.
            question_id = await questions.change_id(
                self._deps, link, question_id, f"together:{context.job.id}", batch
            )
        for job_id, reply in to_send:
            updates = {"question_id": question_id, "question_outcome": sending.then}
            fixed = await self._picked_files.with_hashes(context, link, reply)
            fixed = await self._agent_input.with_names(fixed)
            job = _make_confirmed_job(job_id, fixed.model_copy(update=updates))
            batch.append(to_coder(link.id), job, score=input_score(reply.ts))
        await questions.settle_empty_hold(self._deps, link, work.job, batch)
        if question_id != work.job:
            return done(questions.settle(link, question_id, sending.now, batch, is_last=False))
        if await self._is_asked_with_held(link, work.job):
            # The question about held replies is settled when the task has been resumed for this reply.
            return done(batch)
        return await self._show_decision(link, work, sending.now, batch, is_last=False)

    async def _is_asked_with_held(self, link: Link, job_id: str) -> bool:
        """Return whether this reply made the hold and the question about the held replies is still open.

        A reply makes the hold if it is only `stop` or a similar word, or if it is only `pause` and its author
        then pressed *Stop the task*. The question about the held replies then covers this reply too.
        """
        is_theirs = link.hold is not None and link.hold.reply_id == job_id
        return is_theirs and await questions.find_open(self._deps, link, questions.HELD_REPLIES) is not None

    async def _collect_others(self, link: Link, job_id: str, batch: Batch) -> list[tuple[str, Reply]]:
        """List the undecided replies that were given up together with the reply of `job_id`.

        `batch` removes the stored copies of these replies.
        """
        others = []
        for other in await list_given_up_together(self._deps, link, job_id):
            kept = await self._find_kept(link, other)
            if kept is None:
                continue
            self._deps.writes.forget_reply(batch, link.id, other)
            others.append((other, kept))
        self._deps.notes.forget_in(batch, "given_up_together", link.id, job_id)
        return others

    async def _find_pending(self, link: Link, job_id: str) -> PendingReply | None:
        """Find a reply that waits for a decision; None if it no longer exists.

        The reply may be in its queue, held by a pause, or stored after it was given up.
        """
        links, writes = self._deps.links, self._deps.writes
        if waiting := find_reply(await links.list_waiting(link.id), job_id):
            return PendingReply(waiting, Batch().drop(to_coder(link.id), job_id))
        if held := find_reply(await links.list_held(link.id), job_id):
            return PendingReply(held, writes.drop_held(Batch(), link.id, job_id))
        kept = await self._find_kept(link, job_id)
        if kept is None:
            return None
        return PendingReply(kept, writes.forget_reply(Batch(), link.id, job_id))

    async def _find_kept(self, link: Link, job_id: str) -> Reply | None:
        """Find a stored reply; None if the agent got its message in another way, which decided about it."""
        if await self._is_delivered(link, job_id):
            return None
        return await find_kept_reply(self._deps, link, job_id)

    async def _is_delivered(self, link: Link, job_id: str) -> bool:
        ts = Ts(job_id.removeprefix(REPLY_ID_PREFIX))
        return await self._deps.links.find_delivered(link.id, ts) is not None

    async def choose(self, context: JobContext, link: Link | None) -> Outcome:
        """Settle the question in the first run of the job. In the next run, send the choice to the agent."""
        work = context.work(Choose)
        if link is None or link.end_reason is not None:
            raise UserError(*refusals.link_ended(await self._people.find_visible(work.requester, link)))
        await self._people.require_in_reach(link)
        if work.text:
            return await self._send_choice(context, link, work)
        may_choose = await self._may_choose(link, work)
        choice = await questions.find_choice(self._deps, link, work)
        if choice is None:
            context.audit.is_nothing()
            return done(None, (work.requester, inputs.choice_too_late(work.remark)))
        if not may_choose:
            context.audit.is_refused("not_allowed")
            batch = Batch()
            offer = await offer_to_ask_for_choice(self._deps, link, work, choice, batch)
            return done(batch, (work.requester, offer))
        # After this job's first run, the question has no buttons. So the choice may not be refused then.
        await require_place_for_reply(self._deps, link, work.requester.person)
        name = await self._people.directory.get_name(work.requester.person)
        words = inputs.question_answered(name)
        if work.author is not None:
            words = inputs.question_answered(await self._get_author_name(work), name)
        batch = await questions.settle_finally(
            self._deps, link, questions.CHOICES, words, Batch(), work.message_ts
        )
        text = choice.with_remark(work.remark)
        # A menu accepts no words, so its dialog has no field for them. Words in a made-up dialog get a name.
        is_menu = choice.is_menu and not work.remark
        return retry(0, context.job.with_work(text=text, is_menu=is_menu), batch)

    async def _may_choose(self, link: Link, work: Choose) -> bool:
        """Return whether the person may answer the agent; False if the person may only ask the task's owner.

        A person without a Coder account may ask the owner. Raise AccountNeeded if the person would have the
        right to steer, and only has to connect an account. Raise UserError if the person may not even ask the
        owner.
        """
        person = work.requester.person
        try:
            if await self._people.can_steer(person, link):
                return True
        except NoAccount:
            if await self._people.accounts.counts_as_owner(person, link):
                raise
        except AccountNeeded:
            is_admin = await self._people.is_admin(person)
            if is_admin or await self._people.may_steer_besides(person, link):
                raise
            if await self._people.accounts.counts_as_owner(person, link):
                raise
        if link.record.is_owned_by(person) or work.author is not None:
            await self._people.require_right_to("send", work.requester, link)
        await self._people.require_visible(work.requester, link)
        if not await self._people.can_owner_act(link.record.owner_slack):
            raise UserError(*missing_rights.owner_cannot_act(link, "send"), reason="not_allowed")
        return False

    async def _send_choice(self, context: JobContext, link: Link, work: Choose) -> Outcome:
        """Post the choice in the thread as the words of the person who chose. Queue the choice as a reply."""
        updates = dict[str, str]()
        if work.author is not None:
            name = await self._get_author_name(work)
            updates = {} if work.is_menu else {"author_name": name}
        else:
            name = await self._people.directory.get_name(work.requester.person)
        shown = answers.quoted_input(name, work.text, "chose")
        reply = await post_quotation(
            self._deps, self._people, context, link, work.requester, work.text, shown, needs_place=False
        )
        batch = queue_reply(link.id, reply.model_copy(update=updates))
        if work.author is not None or work.requester.channel == link.record.channel:
            return done(batch)
        # The person chose in the Home tab and does not see the thread.
        return done(batch, (work.requester, answers.input_shown_in_thread(link)))

    async def _get_author_name(self, work: Choose) -> str:
        """Return the name that the owner has read. The author may have another name in Slack by now."""
        # A job of an older version has no name.
        return work.author_name or await self._people.find_name(work.author) or "Somebody"


def _is_awaiting(reply: Reply, decision: ReplyDecision) -> bool:
    """Return whether the reply still waits for this decision.

    A newer question about the reply may have replaced the question with the pressed button.
    """
    match decision:
        case "arrived":
            return reply.question == "outcome_unknown"
        case "drop":
            return reply.question in ("files", "stale")
        case _:
            return bool(reply.question) or not reply.is_confirmed


def _append_verb(batch: Batch, link: Link, work: DecideReply, name: str) -> Batch:
    """Append the job of a verb that a person has chosen with a button. `name` is the job's id."""
    requester = work.requester
    match work.verb:
        case "status" | "logs" | "help" as question:
            answer = AnswerInThread(requester=requester, question=question)
            return batch.append(thread_answers(link.id, requester.person), Job(id=name, work=answer))
        case _:
            act = Act(requester=requester, verb=cast("ActVerb", work.verb))
            score = request_score(act.verb, requester.at)
            return batch.append(to_coder(link.id), Job(id=name, work=act), score=score)


def _make_confirmed_job(job_id: str, reply: Reply) -> Job:
    """Return a new job for a reply that a person wants to send.

    The job contains no records of earlier attempts.
    """
    updates: dict[str, bool | str] = {
        "is_admitted": True,
        "is_confirmed": True,
        "is_without_files": reply.is_without_files or reply.question == "files",
        "was_away": False,
    }
    updates |= {"question_id": reply.question_id, "question_outcome": reply.question_outcome}
    return Job(id=job_id, work=reply.without_progress().model_copy(update=updates))
