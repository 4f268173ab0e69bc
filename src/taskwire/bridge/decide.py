"""A person's word on replies that wait for it: held by a pause, or in doubt."""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.people import People
from taskwire.bridge.saying import receipt, say
from taskwire.model.changes import Delivered
from taskwire.model.errors import UserError
from taskwire.model.jobs import Act, Decided, Happened, HeldInput, Job, Reply, in_turn, link_of, steer, tell
from taskwire.model.links import Link
from taskwire.store.steps import Step
from taskwire.words import answers, refusals


class Decider:
    """Carries out what people decide about input."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def held(self, hand: Hand) -> Ending:
        """Send what a pause holds, by resuming the task, or drop it."""
        work = hand.job.work
        assert isinstance(work, HeldInput)  # noqa: S101 - the worker hands each job to its kind's carrier
        link = await self._link(hand)
        await self._people.require_steer(work.asker.person, link)
        held = await self._doors.links.list_held(link.id)
        if not held:
            return done(None, (work.asker, answers.nothing_held(link)))
        if not work.is_dropped:
            resume = Act(asker=work.asker, verb="resume")
            job = Job(id=f"resume:{hand.job.id}", work=resume)
            return done(Step().append(steer(link.id), job, score=in_turn(work.asker.at)))
        step = self._doors.writes.drop_held(Step(), link.id)
        replies = [job.work for job in held if isinstance(job.work, Reply)]
        for reply in replies:
            receipt(link.id, reply.ts, "none", step)
        return done(say(link.id, f"dropped:{hand.job.id}", answers.dropped([r.text for r in replies]), step))

    async def decided(self, hand: Hand) -> Ending:
        """Let a reply that waits for a person's word go on, or end it."""
        work = hand.job.work
        assert isinstance(work, Decided)  # noqa: S101 - the worker hands each job to its kind's carrier
        link = await self._link(hand)
        await self._people.require_steer(work.asker.person, link)
        job = await self._find(link, work.job)
        if job is None or not isinstance(job.work, Reply):
            return done(None, (work.asker, answers.already_decided()))
        reply = job.work
        if work.verdict == "send":
            again = Reply(
                person=reply.person,
                ts=reply.ts,
                text=reply.text,
                blocks=reply.blocks,
                files=reply.files,
                is_confirmed=True,
            )
            confirmed = Job(id=job.id, work=again)
            step = receipt(link.id, reply.ts, "waiting")
            self._doors.writes.forget_reply(step, link.id, job.id)
            return done(step.append(steer(link.id), confirmed, score=in_turn(reply.ts), is_newest=True))
        step = Step().drop(steer(link.id), job.id)
        self._doors.writes.forget_reply(step, link.id, job.id)
        if work.verdict == "drop":
            return done(receipt(link.id, reply.ts, "none", step))
        receipt(link.id, reply.ts, "delivered", step)
        event = Delivered(last_report_at=None)
        step.append(tell(link.id), Job(id=f"delivered:{reply.ts}", work=Happened(event=event)))
        return done(step)

    async def _find(self, link: Link, job_id: str) -> Job | None:
        """The reply: still at its place, or kept since it could not be delivered."""
        waiting = await self._doors.links.list_waiting(link.id)
        found = next((job for job in waiting if job.id == job_id), None)
        if found is not None:
            return found
        kept = await self._doors.memory.find("reply", link.id, job_id)
        return None if kept is None else Job(id=job_id, work=Reply.model_validate_json(kept))

    async def _link(self, hand: Hand) -> Link:
        link = await self._doors.links.find(link_of(hand.turn.name))
        if link is None or link.ended is not None:
            raise UserError(*refusals.already_ended(link))
        return link
