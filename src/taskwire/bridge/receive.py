"""What a person wrote in a thread, written down: the step that its claim carries.

The link may not be known yet, so every list and key here is named by `@`, which the claiming call replaces.
Who wrote it and whether they may steer is decided by the worker.
"""

import json
from typing import Literal, cast

from taskwire.model import replies
from taskwire.model.ids import LinkId, ThreadRef, Ts, UserId
from taskwire.model.jobs import (
    REPLY,
    Act,
    AnswerInThread,
    Asker,
    Job,
    LateChange,
    Receipt,
    Reply,
    Verb,
    in_turn,
    show,
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
AHEAD = ("pause", "delete", "detach")


class Receiver:
    """Takes what is written in threads."""

    def __init__(self, claims: Claims, writes: LinkSteps, bot: UserId) -> None:
        self._claims = claims
        self._writes = writes
        self._bot = bot

    async def reply(self, message: ThreadMessage) -> Taken:
        """Take a message of a thread that is ours, or may be."""
        step = self._step(message, was_away=False)
        if step is None:
            return "foreign"
        thread = ThreadRef(message.channel, message.thread_ts)
        return await self._claims.accept_in_thread(
            message.delivery, thread, step, is_ours=message.parent_is_bots
        )

    async def missed(self, message: ThreadMessage) -> bool:
        """Take a message that was found in a thread's history; false if it is known or none of ours."""
        step = self._step(message, was_away=True)
        if step is None:
            return False
        thread = ThreadRef(message.channel, message.thread_ts)
        taken = await self._claims.accept_in_thread(message.delivery, thread, step, is_ours=False)
        return taken == "taken"

    async def edited(self, message: Edited) -> Taken:
        """Change a reply that still waits; afterwards say that the agent has the earlier words."""
        read = self._read(message)
        body = ""
        if isinstance(read, replies.Input):
            body = self._reply_job(message, was_away=False).model_dump_json()
        thread = ThreadRef(message.channel, message.thread_ts)
        late = _late(f"edited:{message.delivery}", message.ts, "edited")
        return await self._claims.change(message.delivery, thread, f"{REPLY}{message.ts}", body, late)

    async def deleted(self, message: Deleted) -> Taken:
        """Take a reply that still waits out of its list; afterwards say that the agent has it."""
        thread = ThreadRef(message.channel, message.thread_ts)
        late = _late(f"deleted:{message.delivery}", message.ts, "deleted")
        return await self._claims.change(message.delivery, thread, f"{REPLY}{message.ts}", "", late)

    def _read(self, message: ThreadMessage | Edited) -> replies.Reply:
        blocks = cast("list[Block]", json.loads(message.blocks_json)) if message.blocks_json else []
        return replies.read(message.text, self._bot, message.person, blocks)

    def _step(self, message: ThreadMessage, *, was_away: bool) -> Step | None:
        read = self._read(message)
        step = self._writes.taken(Step(), HERE, message.ts)
        match read:
            case replies.Aside():
                return None
            case replies.Input():
                return self._with_input(step, message, was_away=was_away)
            case replies.Verb():
                return self._with_verb(step, message, read)
            case replies.NotAVerb():
                return self._with_question(step, message, read)

    def _reply_job(self, message: ThreadMessage | Edited, *, was_away: bool) -> Job:
        work = Reply(
            person=message.person,
            ts=message.ts,
            text=message.text,
            blocks=message.blocks_json,
            files=message.files,
            was_away=was_away,
        )
        return Job(id=f"{REPLY}{message.ts}", work=work)

    def _with_input(self, step: Step, message: ThreadMessage, *, was_away: bool) -> Step:
        step.append(steer(HERE), self._reply_job(message, was_away=was_away), score=in_turn(message.ts))
        receipt = Job(id=f"receipt:{message.ts}", work=Receipt(ts=message.ts, state="taken"))
        return step.append(show(HERE), receipt, score="due", delay_ms=TAKEN_DELAY_MS)

    def _with_verb(self, step: Step, message: ThreadMessage, verb: replies.Verb) -> Step:
        asker = _asker(message)
        if verb.not_yet:
            return self._answer(step, message, AnswerInThread(asker=asker, what="words", text=verb.not_yet))
        if verb.name == "edit" and verb.argument:
            text = replies.to_agent_text(verb.argument)
            act = Act(asker=asker, verb="edit", text=text)
            return step.append(steer(HERE), Job(id=f"edit:{message.ts}", work=act), score=in_turn(message.ts))
        match verb.name:
            case "status" | "help" | "edit" | "delete":
                return self._answer(step, message, AnswerInThread(asker=asker, what=verb.name))
            case "logs":
                is_full = verb.argument == "full"
                what = "full_logs" if is_full else "logs"
                return self._answer(step, message, AnswerInThread(asker=asker, what=what))  # type: ignore[arg-type] # one of two literals
            case _:
                act = Act(asker=asker, verb=cast("Verb", verb.name))
                score = urgent(message.ts) if verb.name in AHEAD else in_turn(message.ts)
                return step.append(steer(HERE), Job(id=f"{verb.name}:{message.ts}", work=act), score=score)

    def _with_question(self, step: Step, message: ThreadMessage, read: replies.NotAVerb) -> Step:
        job = self._reply_job(message, was_away=False)
        self._writes.keep_reply(step, HERE, job.id, cast("Reply", job.work))
        work = AnswerInThread(
            asker=_asker(message), what="not_a_verb", words=read.nearest, text=read.text, job=job.id
        )
        return self._answer(step, message, work)

    def _answer(self, step: Step, message: ThreadMessage, work: AnswerInThread) -> Step:
        return step.append(tell(HERE), Job(id=f"{work.what}:{message.ts}", work=work))


def _asker(message: ThreadMessage) -> Asker:
    return Asker(person=message.person, channel=message.channel, at=message.ts, thread_ts=message.thread_ts)


def _late(name: str, ts: Ts, what: Literal["edited", "deleted"]) -> Step:
    return Step().append(tell(HERE), Job(id=name, work=LateChange(ts=ts, what=what)))
