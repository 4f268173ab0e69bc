"""Writes down what a person wrote in a thread: the batch of its inbox claim.

The link may not be known yet, so every queue and key here contains `@`, which the claim replaces by the
link's id. The worker decides who wrote it, whether they may steer the task, and what an edit still changes.
"""

import json
from collections.abc import Callable
from typing import Literal, cast

from taskwire.domain import replies
from taskwire.domain.ids import LinkId, ThreadRef, Ts, UserId
from taskwire.domain.jobs import (
    ASKED,
    REPLY,
    Act,
    ActVerb,
    AnswerInThread,
    FindThread,
    Job,
    Receipt,
    Reply,
    ReplyChanged,
    Requester,
    lost_threads,
    receipts,
    score_of,
    soon,
    thread_answers,
    to_coder,
    to_thread,
    urgent,
)
from taskwire.domain.message import Block
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import Claim, Inbox
from taskwire.queue.user_limits import UserLimit, limit_of_verb
from taskwire.slack.inbound import Deleted, Edited, ThreadMessage
from taskwire.state.links import LinkWrites

HERE = LinkId("@")
# A reply that the agent has before this delay never shows the eyes.
TAKEN_DELAY_MS = 2_000
# A person may reply to a card before Slack has answered its post. After this delay, the thread is not ours or
# its link is lost.
UNKNOWN_DELAY_MS = 30_000


class ReplyReceiver:
    """Claims what people write in threads."""

    def __init__(self, inbox: Inbox, writes: LinkWrites, bot: UserId, mask_own: Callable[[str], str]) -> None:
        self._inbox = inbox
        self._writes = writes
        self._bot = bot
        self._mask_own = mask_own

    async def reply(self, message: ThreadMessage) -> Claim:
        """Claim a message of a thread that is ours, or may be."""
        return await self._take(message, self._batch(message), is_ours=message.parent_is_bots)

    async def missed(self, message: ThreadMessage) -> bool:
        """Claim a message that backfill found; False if it is known or not ours."""
        batch = self._batch(message, was_away=True)
        return await self._take(message, batch, is_ours=False) == "claimed"

    async def edited(self, message: Edited) -> Claim:
        """Claim an edit. It changes a reply that still waits; otherwise the agent has the earlier text."""
        now, as_it_is = self.as_reply(message), self.as_it_is(message)
        work = ReplyChanged(ts=message.ts, what="edited", now=now, as_it_is=as_it_is, person=message.person)
        batch = _rewritten(message, work, message.edited_ts)
        return await self._accept(message, batch, is_ours=message.parent_is_bots)

    async def deleted(self, message: Deleted) -> Claim:
        """Claim a deletion. It removes the reply if that still waits; otherwise the agent has it."""
        work = ReplyChanged(ts=message.ts, what="deleted", person=message.person)
        batch = _rewritten(message, work, message.at)
        return await self._accept(message, batch, is_ours=message.parent_is_bots)

    def as_reply(self, message: ThreadMessage | Edited) -> Reply | None:
        """Return a message as input for the agent, or None if it is no input."""
        return self._reply(message) if isinstance(self._read(message), replies.Input) else None

    def as_it_is(self, message: ThreadMessage | Edited) -> Reply | None:
        """Return a message that begins with `!` as input, for a person who said that it is input."""
        match self._read(message):
            case replies.Input() | replies.Aside():
                return None
            case _:
                is_marked = replies.begins_with_mark(message.text, self._bot, _blocks(message))
                return self._reply(message) if is_marked else None

    async def _take(self, message: ThreadMessage, batch: Batch, *, is_ours: bool) -> Claim:
        """Claim a message. If too many wait already, claim an answer that says so instead."""
        claim = await self._accept(message, batch, is_ours=is_ours, user_limit=self._user_limit(message))
        if claim != "rejected":
            return claim
        batch = self._writes.taken(Batch(), HERE, message.ts)
        what = "" if isinstance(self._read(message), replies.Input) else ASKED
        self._answer(
            batch, message, AnswerInThread(requester=_requester(message), what="too_many", text=what)
        )
        retold = await self._accept(message, batch, is_ours=is_ours)
        return "duplicate" if retold == "duplicate" else "rejected"

    async def _accept(
        self,
        message: ThreadMessage | Edited | Deleted,
        batch: Batch,
        *,
        is_ours: bool,
        user_limit: UserLimit | None = None,
    ) -> Claim:
        thread = ThreadRef(message.channel, message.thread_ts)
        unknown = None
        if isinstance(message, ThreadMessage) and not isinstance(self._read(message), replies.Aside):
            unknown = _to_be_found(message)
        return await self._inbox.accept_in_thread(
            message.delivery, thread, batch, is_ours=is_ours, unknown=unknown, user_limit=user_limit
        )

    def _read(self, message: ThreadMessage | Edited) -> replies.Meaning:
        return replies.read(message.text, self._bot, message.person, _blocks(message))

    def _user_limit(self, message: ThreadMessage) -> UserLimit | None:
        """Return what is written beyond the user limit: an answer that says so, or only the claim."""
        read = self._read(message)
        if isinstance(read, replies.Input | replies.Aside):
            return None
        if_told, if_limited = (self._writes.taken(Batch(), HERE, message.ts) for _ in range(2))
        self._answer(if_told, message, AnswerInThread(requester=_requester(message), what="too_fast"))
        name = read.name if isinstance(read, replies.Order) else ""
        return limit_of_verb(name, message.person, message.ts, if_told, if_limited)

    def _batch(self, message: ThreadMessage, *, was_away: bool = False) -> Batch:
        read = self._read(message)
        batch = self._writes.taken(Batch(), HERE, message.ts)
        if message.marks:
            # These reactions are from a time that Redis has lost. The next receipt replaces them.
            self._writes.receipt(batch, HERE, message.ts, " ".join(sorted(message.marks)))
        match read:
            case replies.Aside():
                return batch
            case replies.Input() if read.is_to_bot and not read.text.strip() and not message.files:
                return self._answer(
                    batch, message, AnswerInThread(requester=_requester(message), what="help")
                )
            case replies.Input():
                return self._with_input(batch, message, was_away=was_away)
            case replies.Order():
                return self._with_verb(batch, message, read, was_away=was_away)
            case replies.NotAVerb():
                return self._with_question(batch, message, read)

    def _reply(self, message: ThreadMessage | Edited, *, was_away: bool = False) -> Reply:
        return Reply(
            person=message.person,
            ts=message.ts,
            text=message.text,
            blocks="" if self._shows_token(message) else message.blocks_json,
            files=message.files,
            was_away=was_away,
        )

    def _shows_token(self, message: ThreadMessage | Edited) -> bool:
        """Whether the blocks, taken together, show one of our own tokens.

        If a part of the token is bold, it is spread over several blocks, and no block contains it. Then only
        the message's plain text is kept. It says the same and can be masked.
        """
        if not message.blocks_json:
            return False
        shown = replies.normalised(message.text, _blocks(message))
        return self._mask_own(shown) != shown

    def _with_input(self, batch: Batch, message: ThreadMessage, *, was_away: bool) -> Batch:
        job = Job(id=f"{REPLY}{message.ts}", work=self._reply(message, was_away=was_away))
        batch.append(to_coder(HERE), job, score=soon(message.ts))
        receipt = Job(id=f"receipt:{message.ts}", work=Receipt(ts=message.ts, state="taken"))
        return batch.append(receipts(HERE), receipt, score="due", delay_ms=TAKEN_DELAY_MS)

    def _with_verb(
        self, batch: Batch, message: ThreadMessage, verb: replies.Order, *, was_away: bool
    ) -> Batch:
        requester = _requester(message)
        if verb.not_yet:
            return self._answer(
                batch, message, AnswerInThread(requester=requester, what="words", text=verb.not_yet)
            )
        match verb.name:
            case "status" | "help" | "delete":
                return self._answer(batch, message, AnswerInThread(requester=requester, what=verb.name))
            case "edit" if not verb.argument:
                return self._answer(batch, message, AnswerInThread(requester=requester, what="edit"))
            case "logs":
                what: Literal["full_logs", "logs"] = "full_logs" if verb.argument == "full" else "logs"
                return self._answer(batch, message, AnswerInThread(requester=requester, what=what))
            case _:
                named = cast("ActVerb", verb.name)
                text = replies.to_agent_text(verb.argument)
                act = Act(requester=requester, verb=named, text=text, was_away=was_away)
                job = Job(id=f"{named}:{message.ts}", work=act)
                return batch.append(to_coder(HERE), job, score=score_of(named, message.ts))

    def _with_question(self, batch: Batch, message: ThreadMessage, read: replies.NotAVerb) -> Batch:
        job_id = f"{REPLY}{message.ts}"
        self._writes.keep_reply(batch, HERE, job_id, self._reply(message))
        work = AnswerInThread(
            requester=_requester(message), what="not_a_verb", words=read.nearest, text=read.text, job=job_id
        )
        return self._answer(batch, message, work)

    def _answer(self, batch: Batch, message: ThreadMessage, work: AnswerInThread) -> Batch:
        # This answer is for everybody, so it keeps its order among the thread's other messages.
        name = to_thread(HERE) if work.what == "too_many" else thread_answers(HERE)
        return batch.append(name, Job(id=f"{work.what}:{message.ts}", work=work))


def _rewritten(message: Edited | Deleted, work: ReplyChanged, at: Ts) -> Batch:
    """Return the batch for a change. It goes ahead of the reply, so no attempt uses the old text."""
    job = Job(id=f"reply_changed:{message.delivery}", work=work)
    return Batch().append(to_coder(HERE), job, score=urgent(at))


def _blocks(message: ThreadMessage | Edited) -> list[Block]:
    return cast("list[Block]", json.loads(message.blocks_json)) if message.blocks_json else []


def _requester(message: ThreadMessage) -> Requester:
    return Requester(
        person=message.person, channel=message.channel, at=message.ts, thread_ts=message.thread_ts
    )


def _to_be_found(message: ThreadMessage) -> Batch:
    """Return the batch for a thread without a known link: a delayed search for the link."""
    work = FindThread(channel=message.channel, thread_ts=message.thread_ts, person=message.person)
    name = lost_threads(message.channel, message.thread_ts)
    return Batch().append(
        name, Job(id=f"find:{message.person}", work=work), score="due", delay_ms=UNKNOWN_DELAY_MS
    )
