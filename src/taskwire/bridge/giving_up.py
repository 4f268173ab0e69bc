"""Ends: what has failed for good is written down for the operator, and told to whom it concerns."""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, Private, done
from taskwire.bridge.saying import draw, receipt, say
from taskwire.model.jobs import Asker, CreateTask, PostCard, Reply, link_of
from taskwire.store.steps import Step
from taskwire.words import answers

# What each kind of job was to do, as a person would say it.
_WHAT = {
    "create_asked": "start this task",
    "act_asked": "do that",
    "post_card": "post the card",
    "create_task": "create the task",
    "reply": "deliver this reply",
    "act": "do that",
    "held_input": "deal with the replies that wait",
    "decided": "do that",
}


async def gave_up(doors: Doors, hand: Hand, why: str) -> Ending:
    """Write the dead letter, and say so once where somebody waits for it."""
    job, work = hand.job, hand.job.work
    step = doors.writes.dead(Step(), hand.turn.name, job, why, hand.now_ms)
    link_id = link_of(hand.turn.name)
    if isinstance(work, PostCard | CreateTask):
        link = await doors.links.find(link_id)
        if link is not None:
            doors.writes.field(step, link_id, "failure", why)
            doors.writes.ends(step, link.bond, "failed")
            draw(link_id, step)
    if isinstance(work, Reply):
        receipt(link_id, work.ts, "failed", step)
        doors.writes.keep_reply(step, link_id, job.id, work)
        link = await doors.links.find(link_id)
        if link is not None:
            say(link_id, f"failed:{work.ts}:{hand.now_ms}", answers.not_delivered(link, job.id, why), step)
    return done(step, *_privately(work, why))


def _privately(work: object, why: str) -> tuple[Private, ...]:
    asker = getattr(work, "asker", None)
    what = _WHAT.get(getattr(work, "kind", ""))
    return ((asker, answers.gave_up(what, why)),) if isinstance(asker, Asker) and what else ()
