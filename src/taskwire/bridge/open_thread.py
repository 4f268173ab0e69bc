"""The thread of a new link: its card is posted, and what was already said beneath it is taken over."""

from functools import partial

from taskwire.bridge.bonds import end_unbound, get_link
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.patience import has_waited_long, patiently
from taskwire.bridge.posting import post_once
from taskwire.bridge.sightings import observation_of
from taskwire.coder.errors import NotFound
from taskwire.model.changes import Observed, at_first_sight
from taskwire.model.jobs import READING, Asker, CreateTask, Job, PostCard, ReadThread, steer
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.slack.errors import ChannelProblem
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.words import answers, cards, refusals


class ThreadOpener:
    """Carries out the jobs that post a first card."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def open(self, hand: Hand) -> Ending:
        """Post the card: its ts is the thread from now on, and what was already said there is taken over."""
        work, link = hand.work(PostCard), await get_link(self._doors, hand)
        if not hand.is_in_doubt and has_waited_long(hand):
            told = answers.never_posted(is_attached=link.bond.task_id is not None)
            return done(end_unbound(self._doors, link), (work.asker, told))
        return await patiently(
            self._doors, hand, link, partial(self._post_card, link, work.asker), gives_up=False
        )

    async def _post_card(self, link: Link, asker: Asker, hand: Hand) -> Ending:
        bond = link.bond
        meta = Metadata(id=hand.job.id, kind="card", task_id=bond.task_id)
        try:
            card = await self._card(link, hand.now_ms)
            ts = await post_once(self._doors, hand, bond.id, bond.channel, None, card, meta)
        except ChannelProblem as problem:
            is_attached = bond.task_id is not None
            say = answers.may_be_posted if hand.is_in_doubt else answers.cannot_post
            told = say(problem.code, bond.channel, is_attached=is_attached)
            return done(end_unbound(self._doors, link), (asker, told))
        except NotFound:
            return done(end_unbound(self._doors, link), (asker, answers.not_attached(refusals.GONE)))
        posted = bond.model_copy(update={"thread_ts": ts})
        step = self._doors.writes.bond(Step(), posted)
        self._doors.writes.thread(step, posted)
        if hand.note:
            # It may have stood there for long, and Slack brings what was said for minutes only.
            step.append(READING, Job(id=bond.id, work=ReadThread(link=bond.id)), score=0)
        job = Job(id=f"create:{bond.id}", work=CreateTask(asker=asker))
        return done(step.append(steer(bond.id), job, score=1))

    async def _card(self, link: Link, now_ms: int) -> Message:
        """The first card; of a task that exists, how it stands."""
        if link.bond.task_id is not None:
            seen = observation_of(await self._doors.coder.get_task(link.bond.task_id))
            story = at_first_sight(Observed(seen=seen), self._doors.rules, now_ms)
            link = link.model_copy(update={"seen": seen, "story": story})
        return cards.card(link, coder_url=self._doors.coder_url)
