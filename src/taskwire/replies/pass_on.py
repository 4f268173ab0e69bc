"""Passes a teammate's reply on to the agent, if the task's owner agrees.

A reply of a person who may not steer the task is no input. The reply's author can privately ask the owner to
pass the reply on. The owner decides about the text that the reply has when the owner is asked. Between these
steps the reply is stored in a note. If the owner passes the reply on, it becomes the owner's own reply and
names its author. The reply keeps its place among the other replies. A reply that is only `stop` stops the
task if it is passed on, and the agent does not get it.
"""

import contextlib
from dataclasses import replace

from taskwire.agent.input import AgentInput
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import Ts, UserId, moment_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.decisions import Choose, PassOn
from taskwire.domain.queueing.jobs import Act, Job, Reply
from taskwire.domain.queueing.queues import no_agent_score, request_score, to_coder
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_questions import Choice
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done, replace_question
from taskwire.messages import inputs, refusals, teammates
from taskwire.messages.missing_rights import RefusedAct
from taskwire.messages.personal_notices import add_thread_button
from taskwire.notices.who_is_called import find_present_quiet_period
from taskwire.outbox.direct_messages import tell_person
from taskwire.outbox.home_requests import refresh_owners_home
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.share_messages import tell_of_shares
from taskwire.people.account_errors import AccountNeeded, NoAccount
from taskwire.people.permissions import People
from taskwire.people.shares import Shares
from taskwire.queue.batch import Batch
from taskwire.replies.admit import ReplyReceiver
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.waiting_replies.offered import (
    MOST_ASKED_BY_ONE,
    DecidedReply,
    OfferedReply,
    choose_shown_files,
    count_asked_by,
    describe_asked,
    find_decided,
    find_offered,
    forget_offered,
    keep_decided,
    keep_offered,
)
from taskwire.waiting_replies.places import require_place_for_reply
from taskwire.waiting_replies.quoted import queue_reply

# The name of the record that a person was told that they may not steer the task.
NOT_ALLOWED = "not_allowed"


def offer_to_ask(deps: Dependencies, link: Link, reply: Reply, batch: Batch) -> Message:
    """Return the message to a reply's author, with a button that asks the owner to pass the reply on.

    The batch stores the reply. The button is left out if there is no owner to ask, or if the author did not
    write the message in the thread.
    """
    thread = link.record.thread
    is_possible = not reply.is_from_command and not reply.author_name
    if link.record.owner_slack is None or thread is None or not is_possible:
        return teammates.only_owner(link)
    offered = OfferedReply(reply=reply, channel=thread.channel, thread_ts=thread.ts)
    keep_offered(deps, link, offered, batch)
    return teammates.only_owner(link, f"{link.id} {offered.job_id}")


async def offer_to_ask_for_choice(
    deps: Dependencies, link: Link, work: Choose, choice: Choice, batch: Batch
) -> Message:
    """Return the message to a person who may not choose, with a button that asks the owner.

    The owner can then pass the choice on. The batch stores the choice. If the person has already asked for
    this choice, return a message that says so.
    """
    thread, person = link.record.thread, work.requester.person
    if link.record.owner_slack is None or thread is None:
        return teammates.only_owner(link)
    # Plain text, as a command's: if it were read as Slack's markup, the owner would read other words than the
    # agent gets.
    shown = choice.with_remark(work.remark) if work.remark else choice.label
    reply = Reply(person=person, ts=work.requester.at, text=shown, is_from_command=True, surface="button")
    offered = OfferedReply(reply=reply, channel=thread.channel, thread_ts=thread.ts, choice=work)
    kept = await find_offered(deps, link.id, offered.job_id)
    if kept is not None and kept.is_asked:
        return teammates.was_asked(link)
    keep_offered(deps, link, offered, batch)
    return teammates.only_owner(link, f"{link.id} {offered.job_id}", choice.label)


class ReplyPasser:
    """Handles the buttons with which a teammate's reply is passed on to the agent."""

    def __init__(
        self, deps: Dependencies, people: People, agent_input: AgentInput, receiver: ReplyReceiver
    ) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input
        self._shares = Shares(deps, people)
        self._receiver = receiver

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_any_link(PassOn, self.pass_on),)

    async def pass_on(self, context: JobContext, link: Link | None) -> Outcome:
        """Ask the owner, pass the reply on, or drop the reply.

        The answer replaces the question that contains the pressed button.
        """
        work = context.work(PassOn)
        if link is None or link.end_reason is not None:
            raise UserError(*refusals.link_ended(await self._people.find_visible(work.requester, link)))
        if work.step == "ask":
            await self._people.require_visible(work.requester, link)
        else:
            verb: RefusedAct = "share" if work.step == "always" else "pass_on"
            await self._people.require_right_to(verb, work.requester, link)
        offered = await find_offered(self._deps, link.id, work.job)
        if offered is None:
            context.audit.is_nothing()
            return await self._answer_decided(link, work)
        if await offered.is_settled(self._deps, link):
            context.audit.is_nothing()
            late = inputs.choice_too_late()
            return _tell_author(_answer(work, late, await self._forget(link, work)), offered, late)
        if work.step == "ask":
            return await self._ask(link, work, offered, context.now_ms)
        if work.step == "not_now":
            batch = self._keep_decision(link, work, await self._forget(link, work))
            told = teammates.was_decided(
                await self._people.find_name(work.requester.person), was_passed=False
            )
            return _tell_author(_answer(work, teammates.not_passed_on(), batch), offered, told)
        return await self._decide(link, work, offered, context.now_ms)

    async def _answer_decided(self, link: Link, work: PassOn) -> Outcome:
        """Answer a press on a question that was decided before.

        The answer says who has decided, when, and whether the reply was passed on.
        """
        decided = await find_decided(self._deps, link.id, work.job)
        if decided is None:
            return _answer(work, teammates.settled_already())
        is_theirs = decided.person == work.requester.person
        name = "You" if is_theirs else await self._people.find_name(decided.person)
        at = moment_of(decided.at)
        return _answer(work, teammates.decided_before(name, at, was_passed=decided.was_passed))

    def _keep_decision(self, link: Link, work: PassOn, batch: Batch) -> Batch:
        requester = work.requester
        was_passed = work.step != "not_now"
        decided = DecidedReply(person=requester.person, at=requester.at, was_passed=was_passed)
        keep_decided(self._deps, link.id, work.job, decided, batch)
        return batch

    async def _forget(self, link: Link, work: PassOn, batch: Batch | None = None) -> Batch:
        """Return a batch that removes the reply from the owner's list of replies."""
        batch = forget_offered(self._deps, link, work.job, batch or Batch())
        return await self._refresh_home(link, batch)

    async def _refresh_home(self, link: Link, batch: Batch) -> Batch:
        await refresh_owners_home(self._deps, link, batch)
        return batch

    async def _ask(self, link: Link, work: PassOn, offered: OfferedReply, now_ms: int) -> Outcome:
        """Ask the owner, with a private message in the thread."""
        author, owner = offered.reply.person, link.record.owner_slack
        if work.requester.person != author or owner is None:
            raise UserError(*refusals.button_expired())
        if offered.is_asked:
            return _answer(work, teammates.was_asked(link))
        if await self._may_steer(author, link):
            words = await self._agent_input.get_display_text(offered.reply)
            is_stop = offered.model_copy(update={"words": words}).is_stop
            if not is_stop:
                await require_place_for_reply(self._deps, link, author)
            batch = await self._forget(link, work)
            if offered.choice is not None:
                _append_choice(link, offered.choice, work, batch)
            elif is_stop:
                _append_stop(link, work, batch)
            else:
                queue_reply(link.id, offered.reply, batch)
            return _answer(work, teammates.may_steer_now(is_stop=is_stop), batch)
        if await count_asked_by(self._deps, owner, author) >= MOST_ASKED_BY_ONE:
            raise UserError(*teammates.too_many_asked(link, MOST_ASKED_BY_ONE))
        present = await self._read_present(offered)
        if present is None:
            return _answer(work, teammates.nothing_to_pass_on(), await self._forget(link, work))
        asked = await self._as_asked(link, offered, present)
        if not_shown := describe_asked(self._deps, link, asked).list_editable():
            # The owner would read the file as it is in Slack then, which may not be what the agent gets.
            raise UserError(*teammates.files_not_shown(not_shown))
        asked = asked.model_copy(update={"asker": work.requester})
        batch = await self._refresh_home(link, keep_offered(self._deps, link, asked, Batch(), now_ms))
        await self._tell_directly(link, owner, asked, now_ms, batch)
        # The author wants to talk to the agent. So if the author's next reply is refused, the author is told
        # again.
        self._deps.notes.forget_in(batch, "told", NOT_ALLOWED, link.id, author)
        to_owner = Requester(
            person=owner, channel=offered.channel, at=work.requester.at, thread_ts=offered.thread_ts
        )
        outcome = _answer(work, teammates.was_asked(link), batch)
        return Outcome(
            "done",
            outcome.batch,
            private_messages=((to_owner, self._make_question(link, asked)),),
            replacements=outcome.replacements,
        )

    async def _tell_directly(
        self, link: Link, owner: UserId, asked: OfferedReply, now_ms: int, batch: Batch
    ) -> None:
        """Queue a direct message to the owner, if the owner wants to be called by direct messages now.

        Slack shows the private question in the thread only to people who look there.
        """
        settings = await self._deps.person_settings.get(owner)
        if link.is_muted or settings.calls not in ("direct", "both"):
            return
        if await find_present_quiet_period(self._people, owner, settings, now_ms) is None:
            where = await find_permalink(self._deps, link.record)
            message = add_thread_button(teammates.owner_was_asked(link, asked.author_name), where)
            tell_person(owner, f"asked:{link.id}:{asked.job_id}", message, batch, about=link.id)

    async def _get_author_name(self, reply: Reply) -> str:
        """Return the name of the reply's author, for the owner's question and for the agent.

        Return an empty text if Slack does not show the author to the bot.
        """
        try:
            return await self._people.directory.get_name(reply.person)
        except UserError:
            return ""

    async def _may_steer(self, person: UserId, link: Link) -> bool:
        try:
            return await self._people.can_steer(person, link)
        except (NoAccount, AccountNeeded):
            return False

    async def _as_asked(self, link: Link, offered: OfferedReply, present: Reply) -> OfferedReply:
        """Return the reply in the form in which the owner is asked about it.

        `present` is the reply as it is in Slack now. If a part of its text is masked, the result also has the
        address of its message, where the owner can read that part.
        """
        files, owner = await self._agent_input.read_files(present.files), link.record.owner_slack
        frozen = {
            "file_hashes": tuple(file.hash for file in files),
            "shown_text": await self._agent_input.get_text(present),
        }
        reply = present.model_copy(update=frozen)
        words = await self._agent_input.get_display_text(reply)
        shown = {
            "author_name": await self._get_author_name(present),
            "words": words,
            "file_texts": choose_shown_files(words, [file.text for file in files]),
            "can_open_files": bool(files and owner)
            and await self._people.directory.can_see(UserId(owner or ""), offered.channel),
        }
        asked = offered.model_copy(update={"reply": reply, "is_asked": True, "message_url": "", **shown})
        if offered.choice is None and describe_asked(self._deps, link, asked).is_hidden:
            with contextlib.suppress(ChannelProblem, MessageGone):
                url = await self._deps.slack.get_permalink(offered.channel, present.ts)
                edited_at = await self._find_edit(offered)
                return asked.model_copy(update={"message_url": url, "edited_at": edited_at})
        return asked

    def _make_question(self, link: Link, asked: OfferedReply, *, is_changed: bool = False) -> Message:
        return teammates.ask_owner(describe_asked(self._deps, link, asked), is_changed=is_changed)

    async def _decide(self, link: Link, work: PassOn, offered: OfferedReply, now_ms: int) -> Outcome:
        """If the reply is still as the pressed question showed it, pass the reply on. Otherwise ask again.

        A question that was not replaced can show an older version of the reply.
        """
        name = await self._get_author_name(offered.reply)
        present = await self._read_present(offered)
        if present is None:
            outcome = _answer(work, teammates.taken_back(name), await self._forget(link, work))
            return _tell_author(outcome, offered, teammates.nothing_to_pass_on())
        is_newest_shown = offered.is_asked and work.shown_hash == offered.shown_hash
        if not is_newest_shown or not await self._is_as_shown(offered, present):
            changed = await self._as_asked(link, offered, present)
            batch = await self._refresh_home(link, keep_offered(self._deps, link, changed, Batch(), now_ms))
            return _answer(work, self._make_question(link, changed, is_changed=True), batch)
        if not offered.is_stop:
            # Nothing is written before this, so the person can press the same button again later.
            await require_place_for_reply(self._deps, link, work.requester.person)
        batch = self._keep_decision(link, work, await self._forget(link, work))
        if work.step == "always":
            shares = await self._shares.begin(work.requester, link, (present.person,), batch)
            await tell_of_shares(
                self._deps, self._people, work.requester, link, shares, batch, is_answered=True
            )
        is_always, choice = work.step == "always", offered.choice
        is_choice, by_name = choice is not None, await self._people.find_name(work.requester.person)
        is_in_thread = work.requester.is_in(link.record.thread)
        passed_on = teammates.passed_on(
            link,
            name,
            is_always=is_always,
            is_in_thread=is_in_thread,
            is_choice=is_choice,
            is_stop=offered.is_stop,
        )
        outcome = _answer(work, passed_on, batch)
        told = teammates.was_decided(by_name, was_passed=True, is_choice=is_choice or offered.is_stop)
        outcome = _tell_author(outcome, offered, told)
        if offered.is_stop:
            _append_stop(link, work, batch)
            return outcome
        if choice is not None:
            passed = {"author": present.person, "author_name": offered.author_name or "Somebody"}
            _append_choice(link, choice.model_copy(update=passed), work, batch)
            return outcome
        updates = {
            "person": work.requester.person,
            "author_name": offered.author_name or "Somebody",
            "is_confirmed": True,
            "file_hashes": offered.reply.file_hashes,
            "shown_text": offered.reply.shown_text,
        }
        queue_reply(link.id, present.model_copy(update=updates), batch)
        return outcome

    async def _is_as_shown(self, offered: OfferedReply, present: Reply) -> bool:
        """Return whether a reply and its files are as they were shown to the owner.

        The agent gets the blocks of a message, which can change although its text stays. A text file can be
        edited and keep its id and its size. If the owner had to read the message in Slack, an edit since then
        counts although the text is the same again: the owner may have read another one.
        """
        read, shown = self._agent_input.get_plain, offered.reply
        if offered.message_url and await self._find_edit(offered) != offered.edited_at:
            return False
        if (read(present), present.files) != (read(shown), shown.files):
            return False
        return await self._agent_input.hash_files(present.files) == shown.file_hashes

    async def _find_edit(self, offered: OfferedReply) -> Ts | None:
        """Return when the message of a reply was last edited; None if it was never edited."""
        try:
            return (await self._deps.slack.find_picked(offered.channel, offered.reply.ts)).edited_at
        except (ChannelProblem, MessageGone):
            return None

    async def _read_present(self, offered: OfferedReply) -> Reply | None:
        """Return the reply as it is in Slack now. Return None if the reply was deleted or is no longer input.

        An agent's choice cannot be changed in Slack, so a choice is returned as it is.
        """
        if offered.choice is not None:
            return offered.reply
        ts = offered.reply.ts
        try:
            found = await self._deps.slack.list_replies(offered.channel, offered.thread_ts, ts)
        except (ChannelProblem, MessageGone):
            return None
        message = next((each for each in found.replies if each.ts == ts), None)
        return self._receiver.to_input(message) if message is not None else None


def _append_choice(link: Link, choice: Choose, work: PassOn, batch: Batch) -> None:
    """Append the job that makes the choice. It uses the rights of the owner, who passes the choice on."""
    now = choice.model_copy(update={"requester": work.requester})
    job = Job(id=f"chosen:{work.job}", work=now)
    batch.append(to_coder(link.id), job, score=no_agent_score(work.requester.at))


def _append_stop(link: Link, work: PassOn, batch: Batch) -> None:
    """Append the job that stops the task, as the person who pressed the button."""
    act = Act(requester=work.requester, verb="pause")
    job = Job(id=f"pause:{work.job}", work=act)
    batch.append(to_coder(link.id), job, score=request_score("pause", work.requester.at))


def _tell_author(outcome: Outcome, offered: OfferedReply, message: Message) -> Outcome:
    """Return the outcome, which now also shows `message` to the person who asked the owner.

    `message` replaces the text *Alice was asked to pass it on*.
    """
    if offered.asker is None:
        return outcome
    return replace(outcome, replacements=(*outcome.replacements, (offered.asker, message)))


def _answer(work: PassOn, message: Message, batch: Batch | None = None) -> Outcome:
    """Show the answer in place of the question.

    If the question is a list of tasks, leave the list and answer separately.
    """
    if work.requester.channel and work.requester.thread_ts is None:
        return done(batch, (work.requester, message))
    return replace_question(batch or Batch(), work.requester, message)
