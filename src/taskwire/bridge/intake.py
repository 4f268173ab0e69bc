"""What a person asked of a task by its name: found, checked, and handed on to the task's own list."""

from functools import partial

from taskwire.bridge.bonds import bare_bond, find_permalink
from taskwire.bridge.create import Creator
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.lookup import Lookup, Seen
from taskwire.bridge.patience import patiently
from taskwire.bridge.people import People
from taskwire.bridge.posting import post_once
from taskwire.bridge.saying import receipt
from taskwire.model.commands import TaskName
from taskwire.model.errors import UserError
from taskwire.model.jobs import REPLY, Act, ActAsked, Job, Reply, score_of, soon, steer
from taskwire.model.links import Link
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.words import answers, refusals


class Intake:
    """Carries out the jobs of the intake lists that name a task."""

    def __init__(self, doors: Doors, people: People, lookup: Lookup, creator: Creator) -> None:
        self._doors = doors
        self._people = people
        self._lookup = lookup
        self._creator = creator

    async def asked(self, hand: Hand) -> Ending:
        """Hand an act on to the list of the task that it names."""
        work = hand.work(ActAsked)
        return await patiently(self._doors, hand, None, partial(self._asked, work))

    async def _asked(self, work: ActAsked, hand: Hand) -> Ending:
        seen = await self._lookup.get(work.asker.person, work.asker.channel, TaskName.parse(work.name))
        if work.verb == "attach":
            return await self._attach(hand, work, seen)
        if seen.link is None:
            return self._unlinked(hand, work, seen)
        await self._people.require_steer(work.asker.person, seen.link)
        if work.verb == "send":
            return await self._send(hand, work, seen.link)
        act = Act(asker=work.asker, verb=work.verb, text=work.text)
        job = Job(id=f"{work.verb}:{hand.job.id}", work=act)
        score = score_of(work.verb, work.asker.at)
        return done(Step().append(steer(seen.link.id), job, score=score))

    async def _attach(self, hand: Hand, work: ActAsked, seen: Seen) -> Ending:
        """Give the task a thread here; only whoever may steer it may put it somewhere."""
        if seen.link is not None:
            where = "" if seen.link.closed else await find_permalink(self._doors, seen.link.bond)
            return done(None, (work.asker, answers.already_attached(seen.link, where)))
        account = await self._people.get_account(work.asker.person)
        is_own = seen.task.owner_id == account.id
        if not is_own and not await self._people.is_admin(work.asker.person):
            raise UserError(*refusals.not_yours_to_attach(seen.task.name))
        owner = work.asker.person if is_own else await self._people.find_in_slack(seen.task.owner_id)
        return done(await self._creator.attach(Step(), work.asker, seen.task, owner, hand.job.id))

    def _unlinked(self, hand: Hand, work: ActAsked, seen: Seen) -> Ending:
        """Act on a task without a thread, in a list of its own that is forgotten within a day."""
        if work.verb in ("send", "detach"):
            raise UserError(*refusals.needs_a_thread(work.verb, seen.task.name))
        bond = bare_bond(seen.task, work.asker)
        step = self._doors.writes.bare(Step(), bond)
        act = Act(asker=work.asker, verb=work.verb, text=work.text)
        job = Job(id=f"{work.verb}:{hand.job.id}", work=act)
        return done(step.append(steer(bond.id), job, score=score_of(work.verb, work.asker.at)))

    async def _send(self, hand: Hand, work: ActAsked, link: Link) -> Ending:
        """Post the words in the thread first, quoted and with their author; the receipt goes on that."""
        if link.bond.thread_ts is None:
            raise UserError(*refusals.no_task_yet(link))
        name = await self._people.get_name(work.asker.person)
        meta = Metadata(id=f"{link.id}:words:{hand.job.id}", kind="answer", task_id=link.bond.task_id)
        message = answers.quoted_input(name, work.text)
        place = (link.bond.channel, link.bond.thread_ts)
        try:
            ts = await post_once(self._doors, hand, link.id, *place, message, meta)
        except (ChannelProblem, MessageGone):
            raise UserError(*refusals.thread_is_closed(link)) from None
        reply = Reply(person=work.asker.person, ts=ts, text=work.text, is_from_command=True)
        step = Step().append(steer(link.id), Job(id=f"{REPLY}{ts}", work=reply), score=soon(ts))
        receipt(link.id, ts, "taken", step)
        return done(step, (work.asker, answers.sent_to_thread(link)))
