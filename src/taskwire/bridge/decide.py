"""A person's word on replies that wait for it: held by a pause, in doubt, or not delivered."""

from typing import NamedTuple

from taskwire.bridge import questions
from taskwire.bridge.doors import Doors
from taskwire.bridge.giving_back import list_held
from taskwire.bridge.hand import Ending, Hand, decided, done
from taskwire.bridge.input_text import InputText
from taskwire.bridge.people import People
from taskwire.bridge.questions import settle
from taskwire.bridge.saying import receipt, say_with, took_input
from taskwire.bridge.undelivered import find_reply, list_together
from taskwire.model.errors import UserError
from taskwire.model.jobs import Act, Decided, HeldInput, Job, Reply, Verdict, in_turn, soon, steer
from taskwire.model.links import Link
from taskwire.store.steps import Step
from taskwire.words import inputs, refusals


class Found(NamedTuple):
    """A reply that waits for a word, and the step that takes it from where it was found."""

    reply: Reply
    taking: Step


class Decider:
    """Carries out what people decide about input."""

    def __init__(self, doors: Doors, people: People, texts: InputText) -> None:
        self._doors = doors
        self._people = people
        self._texts = texts

    async def held(self, hand: Hand) -> Ending:
        """Send what a pause holds, by resuming the task, or drop it."""
        work = hand.work(HeldInput)
        link = await self._link(hand)
        await self._people.require_steer(work.asker.person, link)
        replies = await list_held(self._doors, link)
        if not replies:
            return done(None, (work.asker, inputs.nothing_held(link)))
        if not work.is_dropped:
            resume = Act(asker=work.asker, verb="resume")
            job = Job(id=f"resume:{hand.job.id}", work=resume)
            step = Step().append(steer(link.id), job, score=soon(work.asker.at))
            return decided(step, work.asker, inputs.held_decided(is_dropped=False))
        step = self._doors.writes.drop_held(Step(), link.id)
        for reply in replies:
            receipt(link.id, reply.ts, "none", step)
            if reply.asked:
                settle(link, reply, "dropped", step)
        texts = [await self._texts.words(reply) for reply in replies]
        say_with(link, f"dropped:{hand.job.id}", inputs.dropped(texts), texts, step)
        return decided(step, work.asker, inputs.held_decided(is_dropped=True))

    async def decided(self, hand: Hand) -> Ending:
        """Let a reply that waits for a person's word go on, or end it."""
        work = hand.work(Decided)
        link = await self._doors.links.find(hand.link_id)
        if link is None:
            raise UserError(*refusals.already_ended(link))
        await self._people.require_steer(work.asker.person, link)
        if link.ended is not None:
            return decided(Step(), work.asker, inputs.decided_too_late(link))
        found = await self._find(link, work.job)
        if found is None and work.verdict == "send":
            return await self._without_the_first(link, work)
        if found is None or not _is_open(found.reply, work.verdict):
            return done(None, (work.asker, inputs.already_decided()))
        reply, step = found
        questions.forget(self._doors, link, work.job, step)
        if work.verdict == "send":
            step.append(steer(link.id), _confirmed(work.job, reply), score=in_turn(reply.ts))
            await self._send_others(link, work.job, step)
        elif work.verdict == "drop":
            receipt(link.id, reply.ts, "none", step)
        else:
            took_input(self._doors.writes, link, reply.ts, None, step)
        return decided(step, work.asker, inputs.decision(work.verdict, reply))

    async def _without_the_first(self, link: Link, work: Decided) -> Ending:
        """Send those that were let go together with a reply that has been deleted since."""
        step = questions.forget(self._doors, link, work.job, Step())
        if not await self._send_others(link, work.job, step):
            return done(None, (work.asker, inputs.already_decided()))
        return decided(step, work.asker, inputs.sent_without_deleted())

    async def _send_others(self, link: Link, job_id: str, step: Step) -> int:
        """Send those too that were let go together with a reply, unless somebody has decided on them."""
        sent = 0
        for other in await list_together(self._doors, link, job_id):
            kept = await self._doors.memory.find("reply", link.id, other)
            if kept is None:
                continue
            reply = Reply.model_validate_json(kept)
            self._doors.writes.forget_reply(step, link.id, other)
            step.append(steer(link.id), _confirmed(other, reply), score=in_turn(reply.ts))
            sent += 1
        self._doors.memory.forgetting(step, "together", link.id, job_id)
        return sent

    async def _find(self, link: Link, job_id: str) -> Found | None:
        """The reply: still at its place, held by a pause, or kept since it could not be delivered."""
        links, writes = self._doors.links, self._doors.writes
        if waiting := find_reply(await links.list_waiting(link.id), job_id):
            return Found(waiting, Step().drop(steer(link.id), job_id))
        if held := find_reply(await links.list_held(link.id), job_id):
            return Found(held, writes.drop_held(Step(), link.id, job_id))
        kept = await self._doors.memory.find("reply", link.id, job_id)
        if kept is None:
            return None
        return Found(Reply.model_validate_json(kept), writes.forget_reply(Step(), link.id, job_id))

    async def _link(self, hand: Hand) -> Link:
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.ended is not None:
            raise UserError(*refusals.already_ended(link))
        return link


def _is_open(reply: Reply, verdict: Verdict) -> bool:
    """Whether this may still be said of the reply: its question may have been overtaken by another."""
    match verdict:
        case "arrived":
            return reply.asked == "in_doubt"
        case "drop":
            return reply.asked in ("files", "stale")
        case "send":
            return bool(reply.asked) or not reply.is_confirmed


def _confirmed(job_id: str, reply: Reply) -> Job:
    """The reply on a person's word: as if nothing had been tried."""
    known = {
        "is_admitted": True,
        "is_confirmed": True,
        "is_without_files": reply.is_without_files or reply.asked == "files",
        "was_away": False,
    }
    return Job(id=job_id, work=reply.anew().model_copy(update=known))
