"""Questions about replies: where they stand, so that they lose their buttons when they are settled otherwise.

What is pressed too late is answered all the same; where a question stands may be forgotten without harm.
"""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.model.ids import Ts
from taskwire.model.jobs import REPLY, Job, Reply, Settled, tell
from taskwire.model.links import Link
from taskwire.model.urgency import Urgency
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.store.links import KEPT_REPLY_MS
from taskwire.store.steps import Step
from taskwire.words import inputs
from taskwire.words.inputs import Settlement


async def posted(doors: Doors, link: Link, about: str, ts: Ts, message_id: str, step: Step) -> Step:
    """Remember where a question stands; an older one about the same reply gives way to it."""
    note = ("question", link.id, about)
    older = await doors.memory.find(*note)
    if older is not None and older != f"{ts} {message_id}":
        old_ts, _, old_id = older.partition(" ")
        work = Settled(about=about, message=inputs.settled("newer"), ts=Ts(old_ts), message_id=old_id)
        step.append(tell(link.id), Job(id=f"settled:{old_id}", work=work))
    return doors.memory.keeping(step, f"{ts} {message_id}", *note, ttl_ms=KEPT_REPLY_MS)


def settle(link: Link, reply: Reply, why: Settlement, step: Step) -> Step:
    """Let the question about a reply, if there is one, say that it is settled."""
    about = f"{REPLY}{reply.ts}"
    work = Settled(about=about, message=inputs.settled(why))
    return step.append(tell(link.id), Job(id=f"settled:{about}", work=work))


async def settled(doors: Doors, hand: Hand) -> Ending:
    """Take a question's buttons away; an edit may be made twice."""
    work = hand.work(Settled)
    link = await doors.links.find(hand.link_id)
    ts, message_id = work.ts, work.message_id
    if ts is None and (found := await doors.memory.find("question", hand.link_id, work.about)):
        at, _, message_id = found.partition(" ")
        ts = Ts(at)
    if link is None or ts is None:
        return done()
    meta = Metadata(id=message_id, kind="answer", task_id=link.bond.task_id)
    try:
        await doors.slack.update(link.bond.channel, ts, work.message, meta, Urgency.CARD)
    except (ChannelProblem, MessageGone):
        return done()
    return done(forget(doors, link, work.about, Step()) if work.ts is None else None)


def forget(doors: Doors, link: Link, about: str, step: Step) -> Step:
    """Forget where the question about a reply stands: somebody has answered it there."""
    return doors.memory.forgetting(step, "question", link.id, about)
