"""A reply in its turn: whether it may go to the agent now, and in which words.

Who may not steer is told so, a pause holds what was written before it, and what a person has to decide is
asked; everything behind it waits for their word. How the words reach the agent is told in `deliver`.
"""

from datetime import timedelta

from taskwire.bridge.deliver import Deliverer
from taskwire.bridge.doors import Doors
from taskwire.bridge.fates import Case, Fates, asked
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.bridge.input_text import InputText
from taskwire.bridge.people import People
from taskwire.bridge.read_back import InputReader
from taskwire.bridge.saying import receipt
from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.model.errors import TryLater, Unknown, UserError
from taskwire.model.ids import microseconds, moment_of
from taskwire.model.jobs import Asker, Reply
from taskwire.model.messages import Message
from taskwire.slack.errors import NoRoom
from taskwire.store.steps import Step
from taskwire.words import inputs

# Found in the thread after the bot was away: older than this, a person is asked before it is sent.
STALE = timedelta(hours=1)
# Who may not steer is told so once in a month.
TOLD_MS = 30 * 24 * 3_600_000


class Sender:
    """Carries out the jobs that bring input to the agent."""

    def __init__(self, doors: Doors, people: People, texts: InputText) -> None:
        self._doors = doors
        self._people = people
        self._texts = texts
        self._fates = Fates(doors, texts)
        self._reader = InputReader(doors, self._fates)
        self._deliverer = Deliverer(doors, texts, self._fates, self._reader)

    async def reply(self, hand: Hand) -> Ending:
        """Deliver a reply, or say what it waits for."""
        link = await self._doors.links.find(hand.link_id)
        if link is None:
            return done()
        case = Case(hand, link, hand.work(Reply))
        if link.ended is not None:
            return await self._fates.ended(case)
        if hand.is_in_doubt:
            return await self._reader.read_back(case)
        if case.reply.asked:
            return await self._fates.still_asked(case)
        try:
            return await self._towards_the_agent(case)
        except (TokenRefused, NoTasks):
            await self._fates.account_refused(case)
            raise
        except (TryLater, Unknown) as error:
            if isinstance(error, NoRoom) or hand.keeps_attempt:
                raise
            return await self._fates.unanswered(case, error)

    async def _towards_the_agent(self, case: Case) -> Ending:
        refusal = await self._refusal(case)
        if refusal is not None:
            return await self._not_theirs(case, refusal)
        if not case.reply.is_admitted:
            return self._fates.admitted(case)
        kept_back = await self._kept_back(case)
        return kept_back or await self._with_text(case)

    async def _refusal(self, case: Case) -> Message | None:
        """Why this person's replies are no input, if they are none."""
        try:
            if await self._people.may_steer(case.reply.person, case.link):
                return None
        except UserError as error:
            return inputs.reply_refused(error)
        return inputs.reply_not_theirs(case.link)

    async def _not_theirs(self, case: Case, refusal: Message) -> Ending:
        """Told once, privately; the reply stays what it is, a message to other people."""
        bond, reply = case.link.bond, case.reply
        step = receipt(bond.id, reply.ts, "none")
        note, memory = ("told-not-theirs", bond.id, reply.person), self._doors.memory
        if await memory.find(*note) is not None:
            return done(step)
        memory.keeping(step, "1", *note, ttl_ms=TOLD_MS)
        asker = Asker(person=reply.person, channel=bond.channel, at=reply.ts, thread_ts=bond.thread_ts)
        return done(step, (asker, refusal))

    async def _kept_back(self, case: Case) -> Ending | None:
        """Let a pause hold what was written before it, and end with what is written after it."""
        hand, link, reply = case
        hold = link.hold
        if hold is not None and microseconds(reply.ts) <= microseconds(hold.at) and not reply.is_confirmed:
            return self._fates.held(case)
        if hold is not None:
            return later(0, None, self._doors.writes.unhold(Step(), link.id))
        is_stale = self._doors.slack.now() - moment_of(reply.ts) > STALE
        if reply.was_away and is_stale and not reply.is_confirmed and not link.bond.has_other_clock:
            question = inputs.still_send(link, hand.job.id, await self._texts.words(reply))
            return asked(case, "stale", question)
        return None

    async def _with_text(self, case: Case) -> Ending:
        hand, link, reply = case
        given = await self._texts.of(reply)
        if given.refused and given.text and not reply.is_without_files:
            words = await self._texts.words(reply)
            question = inputs.refused_files(link, hand.job.id, given.refused, words)
            return asked(case, "files", question)
        if not given.text:
            return self._fates.over(case, inputs.nothing_to_send(given.refused))
        return await self._deliverer.deliver(case, given.text)
