"""Threads that are closed to us: their channel was archived or deleted, or we were removed from it.

Whoever the task belongs to hears of it once. What could not be said is kept; it is said when the channel is
open again, and what was written there meanwhile is read. The task goes on all the while.
"""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.posting import post_once
from taskwire.bridge.saying import draw
from taskwire.model.ids import ChannelId, LinkId, UserId
from taskwire.model.jobs import READING, ChannelOpened, Job, ReadThread, Reopened, TellPerson, intake, tell
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.urgency import Urgency
from taskwire.slack.errors import SlackRefused, TokenProblem
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import answers

# How the letters begin that are sent again by themselves.
WHY = "the channel takes no message: "
# Nobody may tell us that a channel is open again; what is closed is tried that often, if there is news.
TRY_EVERY_MS = 3_600_000

_log = logger("taskwire.closing")


def closed(doors: Doors, hand: Hand, link: Link, code: str, step: Step | None = None) -> Step:
    """Note that a thread is closed, and let whoever the task belongs to know of it once."""
    step = step or Step()
    if link.closed or link.ended is not None:
        return step
    _log.warning("a thread is closed to us", link=link.id, channel=link.bond.channel, code=code)
    doors.writes.closed(step, link.bond, code)
    person = link.bond.owner_slack or link.bond.asked_by
    work = TellPerson(person=person, message=answers.thread_closed(link, code))
    return step.append(intake(person), Job(id=f"closed:{link.id}:{hand.now_ms}", work=work))


def opens(link: Link, step: Step) -> Step:
    """Bring a thread back that was closed: something could be posted in it."""
    return step.append(tell(link.id), Job(id="reopened", work=Reopened())) if link.closed else step


async def is_worth_a_try(doors: Doors, link: Link) -> bool:
    """Whether something that nobody misses should be tried in a thread now."""
    return not link.closed or await doors.memory.is_first("closed-tried", link.id, ttl_ms=TRY_EVERY_MS)


async def channel_opened(doors: Doors, hand: Hand) -> Ending:
    """Bring all threads of a channel back."""
    step = Step()
    for link_id in await doors.links.list_closed(hand.work(ChannelOpened).channel):
        step.append(tell(link_id), Job(id="reopened", work=Reopened()))
    return done(step)


async def reopened(doors: Doors, hand: Hand) -> Ending:
    """Say what could not be said, show the present, and read what was written meanwhile."""
    link = await doors.links.find(hand.link_id)
    if link is None or not link.closed:
        return done()
    for letter in await doors.letters.list_of(hand.turn.name, WHY):
        await doors.letters.send_again(letter)
    step = doors.writes.reopened(Step(), link.bond)
    doors.writes.no_field(step, link.id, "drawn")
    step.redo(READING, Job(id=link.id, work=ReadThread(link=link.id)))
    return done(draw(link.id, step))


async def tell_person(doors: Doors, hand: Hand) -> Ending:
    """Write to one person in their direct messages."""
    work = hand.work(TellPerson)
    return await post_direct(doors, hand, work.person, work.message)


async def post_direct(doors: Doors, hand: Hand, person: UserId, message: Message) -> Ending:
    """Post a message in a person's direct messages; of somebody who has left nobody waits for it."""
    meta = Metadata(id=f"{person}:{hand.job.id}", kind="answer")
    try:
        channel = ChannelId(await doors.slack.open_direct(person))
        link = LinkId(f"direct:{person}")
        await post_once(doors, hand, link, channel, None, message, meta, Urgency.CALL)
    except TokenProblem:
        raise
    except SlackRefused as refused:
        _log.warning("a person cannot be written to", person=person, code=refused.code)
    return done()
