"""What a person wrote in a thread, written down: the step that its claim carries.

The link may not be known yet, so every list and key here is named by `@`, which the claiming call replaces.
Who wrote it, whether they may steer, and what an edit still changes is decided by the worker.
"""

import json
from typing import Literal, cast

from taskwire.model import replies
from taskwire.model.ids import LinkId, ThreadRef, Ts, UserId
from taskwire.model.jobs import (
    ASKED,
    REPLY,
    Act,
    ActVerb,
    AnswerInThread,
    Asker,
    FindThread,
    Job,
    Receipt,
    Reply,
    Rewritten,
    lost,
    score_of,
    show,
    soon,
    steer,
    tell,
    urgent,
)
from taskwire.model.messages import Block
from taskwire.slack.inbound import Deleted, Edited, ThreadMessage
from taskwire.store.claims import Claims, Taken
from taskwire.store.links import LinkSteps
from taskwire.store.steps import Step

HERE = LinkId("@")
# The eyes are skipped if the agent has the reply before that.
TAKEN_DELAY_MS = 2_000
# A card can be answered before Slack's answer to its post is here; after this it must be another's.
UNKNOWN_DELAY_MS = 30_000


class Receiver:
    """Takes what is written in threads."""

    def __init__(self, claims: Claims, writes: LinkSteps, bot: UserId) -> None:
        self._claims = claims
        self._writes = writes
        self._bot = bot

    async def reply(self, message: ThreadMessage) -> Taken:
        """Take a message of a thread that is ours, or may be."""
        return await self._take(message, self._step(message), is_ours=message.parent_is_bots)

    async def missed(self, message: ThreadMessage) -> bool:
        """Take a message that was found in a thread's history; false if it is known or none of ours."""
        return await self._take(message, self._step(message, was_away=True), is_ours=False) == "taken"

    async def edited(self, message: Edited) -> Taken:
        """Let an edit change the reply if it still waits; afterwards the agent has the earlier words."""
        now, as_it_is = self.as_reply(message), self.as_it_is(message)
        work = Rewritten(ts=message.ts, what="edited", now=now, as_it_is=as_it_is, person=message.person)
        step = _rewritten(message, work, message.edited_ts)
        return await self._accept(message, step, is_ours=message.parent_is_bots)

    async def deleted(self, message: Deleted) -> Taken:
        """Let a reply that still waits leave its list; afterwards the agent has it."""
        work = Rewritten(ts=message.ts, what="deleted", person=message.person)
        step = _rewritten(message, work, message.at)
        return await self._accept(message, step, is_ours=message.parent_is_bots)

    def as_reply(self, message: ThreadMessage | Edited) -> Reply | None:
        """What a message is as input for the agent, if it is that."""
        return self._reply(message) if isinstance(self._read(message), replies.Input) else None

    def as_it_is(self, message: ThreadMessage | Edited) -> Reply | None:
        """What a message that begins with `!` is as input, where somebody has said that it is that."""
        match self._read(message):
            case replies.Input() | replies.Aside():
                return None
            case _:
                is_marked = replies.begins_with_mark(message.text, self._bot, _blocks(message))
                return self._reply(message) if is_marked else None

    async def _take(self, message: ThreadMessage, step: Step, *, is_ours: bool) -> Taken:
        """Take a message; where too many wait already, that is said, as long as that can be, and no more."""
        taken = await self._accept(message, step, is_ours=is_ours)
        if taken != "full":
            return taken
        step = self._writes.taken(Step(), HERE, message.ts)
        what = "" if isinstance(self._read(message), replies.Input) else ASKED
        self._answer(step, message, AnswerInThread(asker=_asker(message), what="too_many", text=what))
        refused = await self._accept(message, step, is_ours=is_ours)
        return "seen" if refused == "seen" else "full"

    async def _accept(self, message: ThreadMessage | Edited | Deleted, step: Step, *, is_ours: bool) -> Taken:
        thread = ThreadRef(message.channel, message.thread_ts)
        unknown = _to_be_found(message) if isinstance(message, ThreadMessage) else None
        return await self._claims.accept_in_thread(
            message.delivery, thread, step, is_ours=is_ours, unknown=unknown
        )

    def _read(self, message: ThreadMessage | Edited) -> replies.Meaning:
        return replies.read(message.text, self._bot, message.person, _blocks(message))

    def _step(self, message: ThreadMessage, *, was_away: bool = False) -> Step:
        read = self._read(message)
        step = self._writes.taken(Step(), HERE, message.ts)
        if message.marks:
            # Of an earlier time that the store has forgotten; the next mark takes their place.
            self._writes.receipt(step, HERE, message.ts, " ".join(sorted(message.marks)))
        match read:
            case replies.Aside():
                return step
            case replies.Input() if read.is_to_bot and not read.text.strip() and not message.files:
                return self._answer(step, message, AnswerInThread(asker=_asker(message), what="help"))
            case replies.Input():
                return self._with_input(step, message, was_away=was_away)
            case replies.Order():
                return self._with_verb(step, message, read, was_away=was_away)
            case replies.NotAVerb():
                return self._with_question(step, message, read)

    def _reply(self, message: ThreadMessage | Edited, *, was_away: bool = False) -> Reply:
        return Reply(
            person=message.person,
            ts=message.ts,
            text=message.text,
            blocks=message.blocks_json,
            files=message.files,
            was_away=was_away,
        )

    def _with_input(self, step: Step, message: ThreadMessage, *, was_away: bool) -> Step:
        job = Job(id=f"{REPLY}{message.ts}", work=self._reply(message, was_away=was_away))
        step.append(steer(HERE), job, score=soon(message.ts))
        receipt = Job(id=f"receipt:{message.ts}", work=Receipt(ts=message.ts, state="taken"))
        return step.append(show(HERE), receipt, score="due", delay_ms=TAKEN_DELAY_MS)

    def _with_verb(self, step: Step, message: ThreadMessage, verb: replies.Order, *, was_away: bool) -> Step:
        asker = _asker(message)
        if verb.not_yet:
            return self._answer(step, message, AnswerInThread(asker=asker, what="words", text=verb.not_yet))
        match verb.name:
            case "status" | "help" | "delete":
                return self._answer(step, message, AnswerInThread(asker=asker, what=verb.name))
            case "edit" if not verb.argument:
                return self._answer(step, message, AnswerInThread(asker=asker, what="edit"))
            case "logs":
                what: Literal["full_logs", "logs"] = "full_logs" if verb.argument == "full" else "logs"
                return self._answer(step, message, AnswerInThread(asker=asker, what=what))
            case _:
                named = cast("ActVerb", verb.name)
                text = replies.to_agent_text(verb.argument)
                act = Act(asker=asker, verb=named, text=text, was_away=was_away)
                job = Job(id=f"{named}:{message.ts}", work=act)
                return step.append(steer(HERE), job, score=score_of(named, message.ts))

    def _with_question(self, step: Step, message: ThreadMessage, read: replies.NotAVerb) -> Step:
        job_id = f"{REPLY}{message.ts}"
        self._writes.keep_reply(step, HERE, job_id, self._reply(message))
        work = AnswerInThread(
            asker=_asker(message), what="not_a_verb", words=read.nearest, text=read.text, job=job_id
        )
        return self._answer(step, message, work)

    def _answer(self, step: Step, message: ThreadMessage, work: AnswerInThread) -> Step:
        return step.append(tell(HERE), Job(id=f"{work.what}:{message.ts}", work=work))


def _rewritten(message: Edited | Deleted, work: Rewritten, at: Ts) -> Step:
    """Stand ahead of the reply itself, so that no attempt begins in words of the past."""
    job = Job(id=f"rewritten:{message.delivery}", work=work)
    return Step().append(steer(HERE), job, score=urgent(at))


def _blocks(message: ThreadMessage | Edited) -> list[Block]:
    return cast("list[Block]", json.loads(message.blocks_json)) if message.blocks_json else []


def _asker(message: ThreadMessage) -> Asker:
    return Asker(person=message.person, channel=message.channel, at=message.ts, thread_ts=message.thread_ts)


def _to_be_found(message: ThreadMessage) -> Step:
    """What is written where a thread's link is not known: later somebody has to look for it."""
    work = FindThread(channel=message.channel, thread_ts=message.thread_ts, person=message.person)
    name = lost(message.channel, message.thread_ts)
    return Step().append(name, Job(id="find", work=work), score="due", delay_ms=UNKNOWN_DELAY_MS)
