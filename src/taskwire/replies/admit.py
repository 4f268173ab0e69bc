"""Claims the messages that people write in threads, and makes the batch that each claim writes.

The link of a thread may not be known yet. So each queue name and key in a batch contains `@`, and the claim
replaces `@` by the link's id. This module checks no rights: a worker does that later. It only marks a message
if the settings do not allow the bot in its channel, or if it is known that they do not allow its author.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, cast

from taskwire.agent.input import has_only_own_files
from taskwire.agent.picked_files import read_files_at_once
from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import Barred, is_direct_channel
from taskwire.domain.ids import LinkId, ThreadRef, Ts, UserId
from taskwire.domain.parsing import replies
from taskwire.domain.queueing.display_jobs import Receipt
from taskwire.domain.queueing.jobs import (
    CHANGE_ID_PREFIX,
    CHANGE_REFUSED,
    REPLY_ID_PREFIX,
    REPLY_REFUSED,
    VERB_REFUSED,
    Act,
    ActVerb,
    AnswerInThread,
    Job,
    Reply,
    ReplyChanged,
)
from taskwire.domain.queueing.maintenance import FindThread
from taskwire.domain.queueing.queues import (
    lost_threads,
    no_agent_score,
    receipts,
    request_score,
    thread_answers,
    to_coder,
    to_thread,
    urgent_score,
)
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Block
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import ClaimResult, Inbox
from taskwire.queue.user_limits import UserLimit, limit_of_change, limit_of_reply, limit_of_verb
from taskwire.slack.inbound import (
    MessageDeleted,
    MessageEdited,
    ThreadMessage,
    WrittenMessage,
)
from taskwire.slack.shortcuts import PickedMessage

# The claim replaces this id by the link's id.
CLAIMED_LINK = LinkId("@")
# The first receipt, the eyes, is set after this delay. A reply that is delivered sooner never gets the eyes.
RECEIPT_DELAY_MS = 2_000
# A person may reply to a card before Redis knows that the card was posted. If the thread still has no known
# link after this delay, the thread is not one of Taskwire's, or its link is lost.
SEARCH_DELAY_MS = 30_000
# In direct messages, most of the bot's messages are no cards, and the person is told so after this delay.
DIRECT_SEARCH_DELAY_MS = 2_000


@dataclass(frozen=True, kw_only=True)
class _CheckedMessage(ThreadMessage):
    """A message of a thread, and why its author may not use the bot, as far as this is known."""

    barred: Barred = ""


class ReplyReceiver:
    """Claims the messages that people write in threads."""

    def __init__(
        self,
        deps: Dependencies,
        inbox: Inbox,
        find_known_bar: Callable[[UserId], Awaitable[Barred]],
    ) -> None:
        self._inbox = inbox
        self._find_known_bar = find_known_bar
        self._allowed = deps.allowed
        self._writes = deps.writes
        self._bot = deps.bot.bot_user_id
        self._mask_own = deps.mask_own

    async def claim_message(self, message: ThreadMessage) -> ClaimResult:
        """Claim a new message of a thread."""
        message = await self._check(message)
        return await self._claim_or_reject(message, self._make_batch(message), is_ours=message.is_bot_thread)

    async def claim_missed(self, message: ThreadMessage) -> bool:
        """Claim a message that backfill found.

        Return whether the message is new and in a thread of Taskwire.
        """
        message = await self._check(message)
        batch = self._make_batch(message, was_away=True)
        return await self._claim_or_reject(message, batch, is_ours=False) == "claimed"

    async def _check(self, message: ThreadMessage) -> _CheckedMessage:
        return _CheckedMessage(**vars(message), barred=await self._find_known_bar(message.person))

    async def claim_edit(self, message: MessageEdited) -> ClaimResult:
        """Claim an edit. The edit changes the reply only if the agent has not received the reply yet."""
        marked = {"barred": await self._find_known_bar(message.person)}
        new_input, verbatim_input = (
            each.model_copy(update=marked) if each is not None else None
            for each in (self.to_input(message), self.to_verbatim_input(message))
        )
        work = ReplyChanged(
            ts=message.ts,
            change="edited",
            new_input=new_input,
            verbatim_input=verbatim_input,
            person=message.person,
        )
        return await self._claim_change(message, work, message.edited_ts)

    async def claim_deletion(self, message: MessageDeleted) -> ClaimResult:
        """Claim a deletion.

        The deletion removes the reply only if the agent has not received the reply yet.
        """
        work = ReplyChanged(ts=message.ts, change="deleted", person=message.person)
        return await self._claim_change(message, work, message.at)

    async def _claim_change(
        self, message: MessageEdited | MessageDeleted, work: ReplyChanged, at: Ts
    ) -> ClaimResult:
        """Claim an edit or a deletion. It replaces an earlier change of the same message that waits.

        The job of the change runs before the reply's job, so no attempt uses the old text.
        """
        where, limit = _get_thread(message), None
        job = Job(id=f"{CHANGE_ID_PREFIX}{message.channel}:{message.ts}", work=work)
        batch = Batch().append(
            to_coder(CLAIMED_LINK), job, score=urgent_score(at), is_newest_by_score=True, claimed_in=where
        )
        if isinstance(message, MessageEdited) and (work.new_input or work.verbatim_input):
            # The edit may make a message input that was none, or may arrive before the message itself.
            self.read_files_of_others(batch, message)
        if work.person is not None:
            requester = Requester(
                person=work.person,
                channel=message.channel,
                at=at,
                thread_ts=message.thread_ts,
                surface="reply",
            )
            tell = AnswerInThread(requester=requester, question="too_fast", text=CHANGE_REFUSED)
            told = Job(id=f"too_fast:{message.delivery}", work=tell)
            answers = thread_answers(CLAIMED_LINK, work.person)
            when_told = Batch().append(answers, told, claimed_in=where)
            limit = limit_of_change(work.person, at, when_told, job.id)
        return await self._claim(message, batch, is_ours=message.is_bot_thread, user_limit=limit)

    def to_input(self, message: ThreadMessage | MessageEdited) -> Reply | None:
        """Return a message as input for the agent; None if the message is not input.

        An edit stops nothing: if a person changes a reply to `stop`, the agent gets the word `stop`.
        """
        is_input = isinstance(self._parse(message), replies.Input | replies.Stop)
        return self._make_reply(message) if is_input else None

    def to_verbatim_input(self, message: ThreadMessage | MessageEdited) -> Reply | None:
        """Return a message that begins with `!` as input for the agent; None for any other message.

        A person may decide that a text like `!important: use main` is input and not a verb.
        """
        match self._parse(message):
            case replies.Input() | replies.Stop() | replies.Aside():
                return None
            case _:
                is_marked = replies.begins_with_shell_mark(message.text, self._bot, _parse_blocks(message))
                return self._make_reply(message) if is_marked else None

    async def _claim_or_reject(self, message: ThreadMessage, batch: Batch, *, is_ours: bool) -> ClaimResult:
        """Claim a message, and return the result of the claim.

        If too many messages wait, claim the message with another batch. This batch only answers that the
        message was rejected.
        """
        claim = await self._claim(message, batch, is_ours=is_ours, user_limit=self._find_user_limit(message))
        if claim != "rejected":
            return claim
        batch = self._writes.add_taken(Batch(), CLAIMED_LINK, message.ts)
        what = "" if isinstance(self._parse(message), replies.Input) else VERB_REFUSED
        self._append_answer(
            batch,
            message,
            AnswerInThread(requester=self._make_requester(message), question="rejection", text=what),
        )
        second_claim = await self._claim(message, batch, is_ours=is_ours)
        return "duplicate" if second_claim == "duplicate" else "rejected"

    async def _claim(
        self,
        message: ThreadMessage | MessageEdited | MessageDeleted,
        batch: Batch,
        *,
        is_ours: bool,
        user_limit: UserLimit | None = None,
    ) -> ClaimResult:
        when_parked = None
        is_unaddressed = isinstance(message, ThreadMessage) and not self._is_addressed(message)
        if isinstance(message, ThreadMessage) and (
            # In direct messages, no message is for somebody else.
            is_direct_channel(message.channel) or not isinstance(self._parse(message), replies.Aside)
        ):
            when_parked = _make_search_batch(message)
        return await self._inbox.claim_in_thread(
            message.delivery,
            _get_thread(message),
            batch,
            is_ours=is_ours,
            unaddressed_at=message.ts if is_unaddressed else None,
            when_parked=when_parked,
            user_limit=user_limit,
        )

    def _is_addressed(self, message: ThreadMessage) -> bool:
        """Return whether a message may be for the bot, even in a thread where only mentions are input.

        A bare `stop` may stop the task there. Its handler decides that by the rights of its author.
        """
        is_stop = isinstance(self._parse(message), replies.Stop)
        return is_stop or replies.is_addressed(message.text, self._bot, _parse_blocks(message))

    def _parse(self, message: ThreadMessage | MessageEdited) -> replies.Meaning:
        read = replies.classify(message.text, self._bot, message.person, _parse_blocks(message))
        # A bare `stop` with a file is input, because the file belongs to the message.
        return replies.Input(read.text) if isinstance(read, replies.Stop) and message.files else read

    def _find_user_limit(self, message: ThreadMessage) -> UserLimit | None:
        """Return the limit for a verb or a reply; None for a message that is not for the bot.

        The limit includes two batches for messages above the limit. The first such message writes the batch
        that also tells the person. Later messages write only the claim.
        """
        read = self._parse(message)
        if isinstance(read, replies.Aside):
            return None
        when_told, when_limited = (
            self._writes.add_taken(Batch(), CLAIMED_LINK, message.ts) for _ in range(2)
        )
        what = REPLY_REFUSED if isinstance(read, replies.Input) else ""
        tell = AnswerInThread(requester=self._make_requester(message), question="too_fast", text=what)
        self._append_answer(when_told, message, tell)
        match read:
            case replies.Input():
                return limit_of_reply(message.person, message.ts, when_told, when_limited)
            case replies.ThreadCommand():
                name = read.name
            case replies.Stop():
                name = "pause"
            case replies.NotAVerb():
                name = ""
        return limit_of_verb(name, message.person, message.ts, when_told, when_limited)

    def _make_batch(self, message: ThreadMessage, *, was_away: bool = False) -> Batch:
        read = self._parse(message)
        batch = self._writes.add_taken(Batch(), CLAIMED_LINK, message.ts)
        if message.own_reactions:
            # Redis has lost the jobs that set these reactions. The next receipt replaces them.
            self._writes.write_receipt(
                batch, CLAIMED_LINK, message.ts, " ".join(sorted(message.own_reactions))
            )
        match read:
            case replies.Aside():
                return batch
            case replies.Input() if read.is_to_bot and not read.text.strip() and not message.files:
                return self._append_answer(
                    batch, message, AnswerInThread(requester=self._make_requester(message), question="help")
                )
            case replies.Input():
                return self._append_input(batch, message, was_away=was_away)
            case replies.Stop():
                return self._append_stop(batch, message, was_away=was_away)
            case replies.ThreadCommand():
                return self._append_verb(batch, message, read, was_away=was_away)
            case replies.NotAVerb():
                return self._append_question(batch, message, read)

    def _make_reply(self, message: ThreadMessage | MessageEdited, *, was_away: bool = False) -> Reply:
        return Reply(
            person=message.person,
            ts=message.ts,
            text=message.text,
            blocks=self.choose_blocks(message),
            files=message.files,
            was_away=was_away,
            is_out_of_place=not self._allowed.has_channel(message.channel),
            barred=_get_bar(message),
        )

    def _make_requester(self, message: ThreadMessage | MessageEdited) -> Requester:
        return Requester(
            person=message.person,
            channel=message.channel,
            at=message.ts,
            thread_ts=message.thread_ts,
            surface="reply",
            is_out_of_place=not self._allowed.has_channel(message.channel),
            barred=_get_bar(message),
        )

    def choose_blocks(self, message: WrittenMessage | PickedMessage) -> str:
        """Return the blocks of a message as JSON, if they may be stored.

        Return an empty text if the blocks contain one of our tokens.
        """
        return "" if self._has_own_token(message) else message.blocks_json

    def _has_own_token(self, message: WrittenMessage | PickedMessage) -> bool:
        """Return whether the text of all of the message's blocks contains one of Taskwire's own tokens.

        A message with such a token is stored without its blocks. If half of the token is bold, no single
        block contains the whole token, so the token could not be masked in the blocks. The message's plain
        text has the same words, and the token can be masked there.
        """
        if not message.blocks_json:
            return False
        shown = replies.to_markdown(message.text, _parse_blocks(message))
        return self._mask_own(shown) != shown

    def _append_input(self, batch: Batch, message: ThreadMessage, *, was_away: bool) -> Batch:
        job = Job(id=f"{REPLY_ID_PREFIX}{message.ts}", work=self._make_reply(message, was_away=was_away))
        where = _get_thread(message)
        batch.append(to_coder(CLAIMED_LINK), job, score=no_agent_score(message.ts), claimed_in=where)
        self.read_files_of_others(batch, message)
        receipt = Job(id=f"receipt:{message.ts}", work=Receipt(ts=message.ts, state="taken"))
        return batch.append(
            receipts(CLAIMED_LINK), receipt, score="due", delay_ms=RECEIPT_DELAY_MS, claimed_in=where
        )

    def read_files_of_others(self, batch: Batch, message: ThreadMessage | MessageEdited) -> None:
        """Append a job that reads the message's files, if another person can change one of them.

        Files that were read before are not read again.
        """
        if not has_only_own_files(message.person, message.files):
            requester, where = self._make_requester(message), _get_thread(message)
            read_files_at_once(requester, message.ts, CLAIMED_LINK, batch, where)

    def _append_verb(
        self, batch: Batch, message: ThreadMessage, verb: replies.ThreadCommand, *, was_away: bool
    ) -> Batch:
        requester = self._make_requester(message)
        match verb.name:
            case "status" | "help" | "delete":
                return self._append_answer(
                    batch, message, AnswerInThread(requester=requester, question=verb.name)
                )
            case "edit" if not verb.argument:
                return self._append_answer(
                    batch, message, AnswerInThread(requester=requester, question="edit")
                )
            case "logs":
                what: Literal["full_logs", "logs"] = "full_logs" if verb.argument == "full" else "logs"
                return self._append_answer(batch, message, AnswerInThread(requester=requester, question=what))
            case "share" | "unshare":
                who, other_text = replies.take_people(verb.argument)
                act = Act(
                    requester=requester, verb=verb.name, who=who, text=replies.to_agent_text(other_text)
                )
                job = Job(id=f"{verb.name}:{message.ts}", work=act)
                score = request_score(act.verb, message.ts)
                return batch.append(to_coder(CLAIMED_LINK), job, score=score, claimed_in=_get_thread(message))
            case _:
                named = cast("ActVerb", verb.name)
                text = replies.to_agent_text(verb.argument)
                act = Act(requester=requester, verb=named, text=text, was_away=was_away)
                job = Job(id=f"{named}:{message.ts}", work=act)
                score = request_score(named, message.ts)
                return batch.append(to_coder(CLAIMED_LINK), job, score=score, claimed_in=_get_thread(message))

    def _append_stop(self, batch: Batch, message: ThreadMessage, *, was_away: bool) -> Batch:
        """Append the job that pauses the task.

        The job contains the word that the author wrote. If the author may not steer the task, the word
        becomes a reply.
        """
        job_id = f"{REPLY_ID_PREFIX}{message.ts}"
        reply = self._make_reply(message, was_away=was_away)
        self._writes.keep_reply(batch, CLAIMED_LINK, job_id, reply, _get_thread(message))
        pause = Act(requester=self._make_requester(message), verb="pause", reply_id=job_id, was_away=was_away)
        job = Job(id=f"pause:{message.ts}", work=pause)
        score = request_score("pause", message.ts)
        return batch.append(to_coder(CLAIMED_LINK), job, score=score, claimed_in=_get_thread(message))

    def _append_question(self, batch: Batch, message: ThreadMessage, read: replies.NotAVerb) -> Batch:
        job_id = f"{REPLY_ID_PREFIX}{message.ts}"
        where = _get_thread(message)
        # A single word after `!` is probably a mistyped verb.
        is_for_author = replies.is_single_word(read.text)
        reply = self._make_reply(message).model_copy(update={"only_author_decides": is_for_author})
        self._writes.keep_reply(batch, CLAIMED_LINK, job_id, reply, where)
        self.read_files_of_others(batch, message)
        work = AnswerInThread(
            requester=self._make_requester(message),
            question="not_a_verb",
            words=read.suggestions,
            text=read.text,
            job=job_id,
        )
        return self._append_answer(batch, message, work)

    def _append_answer(self, batch: Batch, message: ThreadMessage, work: AnswerInThread) -> Batch:
        # A rejection is shown to everybody, so it must keep its order among the other messages of the thread.
        is_for_all = work.question == "rejection"
        name = to_thread(CLAIMED_LINK) if is_for_all else thread_answers(CLAIMED_LINK, message.person)
        job = Job(id=f"{work.question}:{message.ts}", work=work)
        return batch.append(name, job, claimed_in=_get_thread(message))


def _get_bar(message: ThreadMessage | MessageEdited) -> Barred:
    return message.barred if isinstance(message, _CheckedMessage) else ""


def _get_thread(message: ThreadMessage | MessageEdited | MessageDeleted) -> ThreadRef:
    return ThreadRef(message.channel, message.thread_ts)


def _parse_blocks(message: WrittenMessage | PickedMessage) -> list[Block]:
    return cast("list[Block]", json.loads(message.blocks_json)) if message.blocks_json else []


def _make_search_batch(message: ThreadMessage) -> Batch:
    """Return the batch for a thread whose link is not known: a delayed search for the link."""
    work = FindThread(channel=message.channel, thread_ts=message.thread_ts, person=message.person)
    name = lost_threads(message.channel, message.thread_ts)
    delay_ms = DIRECT_SEARCH_DELAY_MS if is_direct_channel(message.channel) else SEARCH_DELAY_MS
    return Batch().append(name, Job(id=f"find:{message.person}", work=work), score="due", delay_ms=delay_ms)
