"""What becomes of a reply: the agent has it, it waits, a person is asked about it, or it is not delivered.

Each is an ending with all that is written by it: the receipt, what the thread hears, what is kept.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, NamedTuple

from taskwire.bridge.backoff import wait_seconds
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.bridge.input_text import InputText
from taskwire.bridge.questions import settle
from taskwire.bridge.reach import find_away
from taskwire.bridge.saying import receipt, say, took_input
from taskwire.bridge.show import REACTIONS
from taskwire.bridge.undelivered import let_go_together, list_with_those_behind
from taskwire.model.changes import Acted
from taskwire.model.errors import OutsideError
from taskwire.model.ids import microseconds
from taskwire.model.jobs import Happened, Job, Reply, in_turn, steer, tell
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import Phase
from taskwire.slack.errors import RateLimited, SlackTrouble
from taskwire.slack.outbound import Traces
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import inputs

# "Not stable", "pending", "initializing", or no answer: tried again sooner or later within this.
LONGEST_WAIT_SECONDS = 30.0
# A question that nobody answers ends with the reply not delivered.
ASKED_SECONDS = 7 * 24 * 3600.0
# A reply for which the agent is not ready in a day is given back; what concerns a person is told once a day.
DAY_MS = 24 * 3_600_000
# What keeps a running agent's replies from it for so long is told.
HELD_UP_MS = 15 * 60_000

# How the ids of questions begin.
ASKED = "asked:"

_log = logger("taskwire.fates")


class Case(NamedTuple):
    """A reply in hand, and the link to which it belongs."""

    hand: Hand
    link: Link
    reply: Reply

    @property
    def is_suspect(self) -> bool:
        """Whether the agent may have it without Redis knowing, and nobody has said what to do."""
        return self.hand.turn.is_suspect and not self.reply.is_confirmed


class Fates:
    """Knows how the turn of a reply ends."""

    def __init__(self, doors: Doors, texts: InputText) -> None:
        self._doors = doors
        self._texts = texts

    async def ended(self, case: Case) -> Ending:
        """Say once a day that nobody gets what is written here; the mark says it of each reply."""
        link, ts = case.link, case.reply.ts
        step = receipt(link.id, ts, "failed")
        if case.hand.is_in_doubt or case.reply.asked == "in_doubt":
            words = await self._texts.words(case.reply)
            settle(link, case.reply, "ended", step)
            return done(say(link.id, f"never-known:{ts}", inputs.never_known([words]), step))
        if await self._doors.memory.find("told-ended", link.id) is None:
            self._doors.memory.keeping(step, "1", "told-ended", link.id, ttl_ms=DAY_MS)
            say(link.id, f"ended:{ts}", inputs.link_ended(link), step)
        return done(step)

    def admitted(self, case: Case) -> Ending:
        """Its author may steer: it takes its place among the replies."""
        job = case.hand.job.knowing(is_admitted=True)
        return done(Step().append(steer(case.link.id), job, score=in_turn(case.reply.ts)))

    def held(self, case: Case) -> Ending:
        """A pause holds it until a person says what to do."""
        step = receipt(case.link.id, case.reply.ts, "waiting")
        return later(0, None, self._doors.writes.set_aside(step, case.link.id, in_turn(case.reply.ts)))

    async def delivered(self, case: Case, reported_at: datetime | None) -> Ending:
        """The agent has it, which had last reported at `reported_at`."""
        link, reply = case.link, case.reply
        step = took_input(self._doors.writes, link, reply.ts, reported_at)
        last = link.last_input_ts
        if last is not None and microseconds(reply.ts) < microseconds(last):
            words = await self._texts.words(reply)
            say(link.id, f"late:{reply.ts}", inputs.delivered_late(words), step)
        return done(step)

    def resumed(self, case: Case, build: int) -> Ending:
        """The task starts again for its sake; then it is tried."""
        acted = Acted(verb="resume", by=case.reply.person, build=build)
        job = Job(id=f"resume:{case.hand.job.id}:{build}", work=Happened(event=acted))
        return self._later(case, _waiting(case).append(tell(case.link.id), job))

    async def waits(self, case: Case, *, is_broken: bool = False, unreached_ms: int = 0) -> Ending:
        """The agent is not ready: later, with the hourglass; a broken workspace needs a person first."""
        hand, link, _ = case
        if is_broken and link.story.phase is Phase.BROKEN:
            return await self.together(case, inputs.broken_first)
        if hand.now_ms - hand.turn.since_ms > DAY_MS:
            return await self.together(case, inputs.waited_too_long)
        return self._later(case, _waiting(case), unreached_ms)

    async def out_of_reach(self, case: Case) -> Ending:
        """Coder cannot ask the agent whether it takes anything: later, and if that lasts it is told."""
        since_ms = case.reply.unreached_ms or case.hand.now_ms
        ending = await self.waits(case, unreached_ms=since_ms)
        if ending.verdict == "later":
            await self._explain(case, since_ms, inputs.held_up_by_agent(case.link), ending.step)
        return ending

    async def _explain(self, case: Case, since_ms: int, message: Message, step: Step) -> None:
        """Say once a day why replies wait, where that has lasted and no card shows it."""
        hand, link, memory = case.hand, case.link, self._doors.memory
        if not since_ms or hand.now_ms - since_ms < HELD_UP_MS or await find_away(self._doors) is not None:
            return
        if await memory.find("told-held-up", link.id) is None:
            memory.keeping(step, "1", "told-held-up", link.id, ttl_ms=DAY_MS)
            say(link.id, f"held-up:{hand.job.id}:{hand.now_ms}", message, step, is_call=True)

    async def together(self, case: Case, words: Callable[[Link, str, Sequence[str]], Message]) -> Ending:
        """Not delivered, and neither is what waits behind it."""
        hand, link, _ = case
        replies = await list_with_those_behind(self._doors, hand, link)
        texts = [await self._texts.words(reply) for _, reply in replies]
        message = words(link, hand.job.id, texts)
        return done(let_go_together(self._doors, hand, link, replies, message))

    def _later(self, case: Case, step: Step, unreached_ms: int = 0) -> Ending:
        waits = case.reply.waits + 1
        seconds = wait_seconds(waits, LONGEST_WAIT_SECONDS)
        waited = case.hand.job.knowing(waits=min(waits, 8), unreached_ms=unreached_ms)
        return later(seconds, waited, step)

    async def unanswered(self, case: Case, error: OutsideError) -> Ending:
        """Nobody answers: for as long as that lasts it is tried at least as often as with a busy agent.

        A hiccup is over before anybody has seen the mark.
        """
        job = case.hand.job
        _log.info("not yet", job=job.id, tries=job.tries, error=str(error))
        seconds = wait_seconds(job.tries + 1, LONGEST_WAIT_SECONDS, error.after_seconds)
        tried = case.hand.failed_again()
        step = _waiting(case) if job.tries == 1 else Step()
        if not isinstance(error, SlackTrouble | RateLimited):
            await self._explain(case, job.failing_since_ms, inputs.held_up_by_coder(case.link), step)
        return Ending("later", step, seconds, tried, trouble="failing")

    async def account_refused(self, case: Case) -> None:
        """Coder refuses the account, which is nobody's fault here: the mark says that the reply waits."""
        if case.hand.turn.trouble != "refused":
            await self._doors.queue.write(_waiting(case))

    def failed(self, case: Case, message: Message) -> Ending:
        """Not delivered: the reason goes into the thread, and the reply is kept for another try."""
        hand, link, reply = case
        ending = self.over(case, message, about=hand.job.id)
        self._doors.writes.keep_reply(ending.step, link.id, hand.job.id, reply.anew())
        return ending

    def over(self, case: Case, message: Message, about: str = "") -> Ending:
        """Not delivered, and there is no point in another try, unless the message is `about` one."""
        hand, link, reply = case
        step, name = receipt(link.id, reply.ts, "failed"), f"failed:{reply.ts}:{hand.now_ms}"
        return done(say(link.id, name, message, step, is_call=True, about=about))

    async def in_doubt(self, case: Case) -> Ending:
        """Whether the agent has it cannot be known: a person is asked."""
        words = await self._texts.words(case.reply)
        return asked(case, "in_doubt", inputs.input_in_doubt(case.link, case.hand.job.id, words))

    async def forgotten(self, case: Case) -> Ending:
        """Redis has lost what became of it, and nothing shows it: a person is asked."""
        words = await self._texts.words(case.reply)
        return asked(case, "in_doubt", inputs.input_forgotten(case.link, case.hand.job.id, words))

    def told_before(self, case: Case, traces: Traces) -> Ending | None:
        """What the thread was told of it and Redis has forgotten: that it failed, or a question."""
        link, ts = case.link, case.reply.ts
        if REACTIONS["failed"] in traces.marks:
            return done(receipt(link.id, ts, "failed"))
        for said in reversed(traces.ours):
            what, _, about = said.removeprefix(f"{link.id}:{ASKED}").partition(":")
            if said.startswith(f"{link.id}:{ASKED}") and about.startswith(f"{ts}:"):
                return later(ASKED_SECONDS, case.hand.job.knowing(asked=what))
        return None

    async def still_asked(self, case: Case) -> Ending:
        """Wait on where the list has moved; a question that nobody answers ends."""
        left = ASKED_SECONDS - (case.hand.now_ms - case.hand.turn.since_ms) / 1000
        if left > 0:
            return later(left)
        words = await self._texts.words(case.reply)
        ending = self.over(case, inputs.nobody_said(words, is_in_doubt=case.reply.asked == "in_doubt"))
        return replace(ending, step=settle(case.link, case.reply, "late", ending.step))


def asked(case: Case, what: Literal["files", "stale", "in_doubt"], question: Message) -> Ending:
    """Put a question with buttons; the reply, and what stands behind it, waits for the answer."""
    hand, link, reply = case
    step = receipt(link.id, reply.ts, "waiting")
    name = f"{ASKED}{what}:{reply.ts}:{hand.now_ms}"
    say(link.id, name, question, step, is_call=True, about=hand.job.id)
    return later(ASKED_SECONDS, hand.job.knowing(asked=what), step)


def _waiting(case: Case) -> Step:
    return Step() if case.reply.waits else receipt(case.link.id, case.reply.ts, "waiting")
