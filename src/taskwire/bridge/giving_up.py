"""Ends: what has failed for good is written down for the operator, and told to whom it concerns."""

from functools import partial

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, Private, done
from taskwire.bridge.saying import draw, receipt, say
from taskwire.model import replies
from taskwire.model.jobs import Asker, CreateTask, PostCard, Reply
from taskwire.model.mrkdwn import escape_mrkdwn
from taskwire.store.letters import bury
from taskwire.store.queue import Unreadable
from taskwire.store.steps import Step
from taskwire.words import answers, inputs


async def gave_up(doors: Doors, hand: Hand, why: str) -> Ending:
    """Write the dead letter, and say so once where somebody waits for it."""
    job, work = hand.job, hand.job.work
    step = letter(hand, why)
    link_id = hand.link_id
    if isinstance(work, PostCard | CreateTask):
        link = await doors.links.find(link_id)
        if link is not None:
            doors.writes.field(step, link_id, "failure", escape_mrkdwn(why))
            doors.writes.ends(step, link.bond, "failed")
            draw(link_id, step)
    if isinstance(work, Reply):
        receipt(link_id, work.ts, "failed", step)
        doors.writes.keep_reply(step, link_id, job.id, work)
        link = await doors.links.find(link_id)
        if link is not None:
            # What began and was never read back may have arrived.
            text = replies.to_agent_text(work.text)
            tell = inputs.input_in_doubt if hand.is_in_doubt else partial(inputs.delivery_given_up, why=why)
            say(link_id, f"failed:{work.ts}:{hand.now_ms}", tell(link, job.id, text=text), step)
    return done(step, *_privately(work, why))


def letter(hand: Hand, why: str) -> Step:
    """Write the dead letter alone."""
    return bury(Step(), hand.turn, hand.job.model_dump_json(), why)


def unreadable(taken: Unreadable) -> Step:
    """Write the dead letter of a job that this version cannot read, with its text as it was."""
    why = f"it cannot be read: {taken.why}"[:500]
    return bury(Step(), taken, taken.body, why, is_unreadable=True)


def _privately(work: object, why: str) -> tuple[Private, ...]:
    asker = getattr(work, "asker", None)
    what = answers.PURPOSES.get(getattr(work, "kind", ""))
    return ((asker, answers.gave_up(what, why)),) if isinstance(asker, Asker) and what else ()
