"""Lost threads: somebody writes under a card of ours of which the store knows nothing any more.

The card itself says which link it was and which task it shows. If the store has gone back to a time before
it, the link is made anew from that; otherwise the thread hears why nobody gets its replies. A thread whose
card has only just been posted is known by the time this is looked at.
"""

from taskwire.bridge.bonds import bare_bond, find_permalink
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.people import People
from taskwire.bridge.posting import BEFORE, post_once
from taskwire.bridge.saying import draw, say
from taskwire.bridge.sightings import observation_of
from taskwire.coder.errors import NotFound
from taskwire.coder.models import Task
from taskwire.model.changes import Observed
from taskwire.model.ids import LinkId, TaskId, ThreadRef, moment_of, to_ms
from taskwire.model.jobs import READING, Asker, FindThread, Happened, Job, ReadThread, tell
from taskwire.model.links import Bond
from taskwire.model.messages import Message
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import inputs

# The second word of a card's id; one that was posted anew has a third.
CARD = "card"
DAY_MS = 24 * 3_600_000

_log = logger("taskwire.find_thread")


class ThreadFinder:
    """Finds the tasks of threads that the store has lost."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def find(self, hand: Hand) -> Ending:
        """Look at the card above a message that nobody knows, and make its link anew or say why not."""
        work = hand.work(FindThread)
        thread = ThreadRef(work.channel, work.thread_ts)
        known = await self._doors.links.find_by_thread(thread)
        if known is not None:
            return done(self._doors.writes.take_over(Step(), thread, known))
        try:
            card = await self._doors.slack.find_metadata(thread.channel, thread.ts)
            if card is None or card.kind != CARD:
                return done()
            return await self._found(hand, work, card)
        except (ChannelProblem, MessageGone) as problem:
            _log.info("a lost thread is closed", channel=work.channel, error=str(problem))
            return done()

    async def _found(self, hand: Hand, work: FindThread, card: Metadata) -> Ending:
        if card.task_id is None or not self._was_lost(work):
            return await self._says(hand, work, inputs.thread_unknown())
        other = await self._doors.links.find_by_task(TaskId(card.task_id))
        if other is not None:
            where = await find_permalink(self._doors, other.bond)
            return await self._says(hand, work, inputs.thread_elsewhere(where))
        try:
            task = await self._doors.coder.get_task(card.task_id)
        except NotFound:
            return await self._says(hand, work, inputs.thread_without_task())
        _log.warning("a lost thread is found", channel=work.channel, task=task.id)
        return done(self._made_anew(await self._bond(work, card, task), task))

    def _was_lost(self, work: FindThread) -> bool:
        """Whether the card is younger than what the store has; else its link has ended long ago."""
        rewound = self._doors.queue.rewinds.last
        return rewound is not None and to_ms(moment_of(work.thread_ts) + BEFORE) >= rewound.since_ms

    async def _bond(self, work: FindThread, card: Metadata, task: Task) -> Bond:
        owner = await self._people.find_in_slack(task.owner_id)
        asker = Asker(person=owner or work.person, channel=work.channel, at=work.thread_ts)
        link = LinkId(card.id.split(":")[1])
        told = {"id": link, "thread_ts": work.thread_ts, "owner_slack": owner}
        return bare_bond(task, asker).model_copy(update=told)

    def _made_anew(self, bond: Bond, task: Task) -> Step:
        """Write the link as if its task had just been attached: what it told before is no news."""
        writes = self._doors.writes
        step = writes.task(writes.thread(writes.bond(Step(), bond), bond), bond)
        event = Observed(seen=observation_of(task), is_baseline=True)
        step.append(tell(bond.id), Job(id=f"bound:{bond.id}", work=Happened(event=event)))
        say(bond.id, "found-again", inputs.thread_found_again(), step)
        step.redo(READING, Job(id=bond.id, work=ReadThread(link=bond.id)))
        return draw(bond.id, step)

    async def _says(self, hand: Hand, work: FindThread, message: Message) -> Ending:
        """Tell the thread, once a day."""
        place = f"{work.channel}:{work.thread_ts}"
        memory = self._doors.memory
        if await memory.find("told-lost", place) is not None and not hand.is_in_doubt:
            return done()
        meta = Metadata(id=f"lost:{place}:{hand.turn.since_ms}", kind="answer")
        await post_once(self._doors, hand, hand.link_id, work.channel, work.thread_ts, message, meta)
        return done(memory.keeping(Step(), "1", "told-lost", place, ttl_ms=DAY_MS))
