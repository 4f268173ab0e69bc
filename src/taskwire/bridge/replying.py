"""Answers in the thread: what `!status`, `!logs`, `!help` and the verbs that need a button bring."""

import contextlib

from taskwire.bridge.doors import Doors
from taskwire.bridge.excerpting import read_last
from taskwire.bridge.excuses import excuse
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.moving import follow
from taskwire.bridge.people import People
from taskwire.bridge.posting import post_once
from taskwire.bridge.saying import receipt, share
from taskwire.bridge.sightings import as_it_stands, observation_of
from taskwire.coder.errors import CoderError, NotFound
from taskwire.coder.models import TaskStatus
from taskwire.model.changes import Observed
from taskwire.model.errors import TryLater, Unknown, UserError
from taskwire.model.jobs import ASKED, AnswerInThread
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.store.claims import MOST_REPLIES
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import answers, cards, inputs, listing

# Questions about input, and the ways to what only those who may steer can do.
FOR_STEERERS = ("not_a_verb", "edit", "delete")
HOUR_MS = 3_600_000

_log = logger("taskwire.replying")


class Replier:
    """Carries out the jobs that answer in a thread."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def answer(self, hand: Hand) -> Ending:
        """Post what was asked for; what cannot be read now is said at once: notices stand behind this."""
        work = hand.work(AnswerInThread)
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.bond.thread_ts is None:
            return done()
        if not hand.is_in_doubt:
            await self._people.get_profile(work.asker.person)
            if link.ended is None and work.what in FOR_STEERERS:
                await self._people.require_steer(work.asker.person, link)
        step = Step()
        if work.what == "too_many" and not await self._is_to_hear_of_many(link, work, step):
            return done(step)
        message = await self._message(link, work, hand, step)
        kind = "output" if work.what in ("logs", "full_logs") else "answer"
        meta = Metadata(id=f"{link.id}:{hand.job.id}", kind=kind, task_id=link.bond.task_id)
        bond = link.bond
        try:
            await post_once(self._doors, hand, link.id, bond.channel, bond.thread_ts, message, meta)
        except MessageGone as problem:
            followed = await follow(self._doors, hand, link) if link.ended is None else None
            return followed or _unheard(link, problem.code)
        except ChannelProblem as problem:
            return _unheard(link, problem.code)
        return done(step)

    async def _is_to_hear_of_many(self, link: Link, work: AnswerInThread, step: Step) -> bool:
        """Whether it is said that too many wait: once an hour; the mark says it of each."""
        if link.ended is not None or not await self._people.may_steer(work.asker.person, link):
            return False
        receipt(link.id, work.asker.at, "failed", step)
        return await self._doors.memory.find("told-many", link.id) is None

    async def _message(self, link: Link, work: AnswerInThread, hand: Hand, step: Step) -> Message:
        if link.ended is not None:
            return inputs.link_ended(link)
        try:
            if work.what in ("logs", "full_logs"):
                return await self._logs(link, hand.job.id, step, is_full=work.what == "full_logs")
            return await self._short(link, work, hand, step)
        except UserError as error:
            return answers.refusal(error)
        except (CoderError, TryLater, Unknown) as error:
            _log.warning("a question could not be answered", link=link.id, error=str(error))
            return excuse(error)

    async def _short(self, link: Link, work: AnswerInThread, hand: Hand, step: Step) -> Message:
        match work.what:
            case "status":
                return await self._status(link, hand.now_ms)
            case "help":
                return listing.thread_manual()
            case "edit":
                is_running = link.story.status == TaskStatus.ACTIVE
                return inputs.edit_while_running(link) if is_running else answers.edit_button(link)
            case "delete":
                return answers.delete_button(link)
            case "too_many":
                self._doors.memory.keeping(step, "1", "told-many", link.id, ttl_ms=HOUR_MS)
                return inputs.too_much_asked() if work.text == ASKED else inputs.too_many(MOST_REPLIES)
            case "not_a_verb":
                return inputs.not_a_verb(work.words, f"{link.id} {work.job}", work.text)
            case _:
                return answers.not_available(work.text)

    async def _status(self, link: Link, now_ms: int) -> Message:
        if link.bond.task_id is not None:
            with contextlib.suppress(NotFound):
                task = await self._doors.coder.get_task(link.bond.task_id)
                link = as_it_stands(link, Observed(seen=observation_of(task)), self._doors.rules, now_ms)
        return cards.status(link, coder_url=self._doors.coder_url)

    async def _logs(self, link: Link, name: str, step: Step, *, is_full: bool) -> Message:
        if link.bond.task_id is None:
            return answers.logs(link.title, "", is_cut=False)
        told = await read_last(self._doors, link.bond.task_id, link.title)
        if is_full and told.whole:
            share(link, name, told.whole, step)
            return answers.log_follows(link)
        return answers.logs(link.title, told.text, is_cut=told.is_cut)


def _unheard(link: Link, code: str) -> Ending:
    """Whoever asked cannot be answered where they asked."""
    _log.warning("a thread is closed to us", link=link.id, channel=link.bond.channel, code=code)
    return done()
