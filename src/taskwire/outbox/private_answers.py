"""Answers for one person alone, where they asked: shown at most once, and promised to nobody."""

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from redis.exceptions import RedisError

from taskwire.domain.errors import NotDone, OutsideError
from taskwire.domain.ids import from_ms, moment_of
from taskwire.domain.jobs import AnswerPrivately, Job, QueueName, Requester
from taskwire.domain.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queue
from taskwire.slack.errors import SlackRateLimited
from taskwire.slack.outbound import Outbound
from taskwire.slack.rate_limits import Priority, until_taken, waiting
from taskwire.telemetry import logger

# Half of the connections to Slack: the other half is for what everybody sees.
AT_ONCE = 32
HAND_OVER_SECONDS = 0.5
# Slack takes answers by a response URL for 30 minutes.
RESPONSE_URL = timedelta(minutes=25)
_log = logger("taskwire.outbox.private_answers")


def reachable(requester: Requester, now: datetime) -> Requester:
    """The asker as they can still be answered at a time of Slack's clock: by no URL that it takes no more."""
    is_fresh = now - moment_of(requester.at) < RESPONSE_URL
    return requester if is_fresh else requester.model_copy(update={"response_url": None})


def handed_over_answers(person: str) -> QueueName:
    """The list of answers for one person that were handed over.

    They are promised to nobody. So nothing may stand behind them that is, where a version cannot read them.
    """
    return QueueName(f"handed_over_answers:{person}")


async def show_privately(
    slack: Outbound, requester: Requester, message: Message, priority: Priority = Priority.POST
) -> None:
    """Show it in the thread in which they acted, else by their response URL; raises the errors of the door.

    What comes by a response URL stands in the channel, whatever it answers: Slack puts into a thread only
    what everybody sees. But it reaches people whom an ephemeral message does not, so each stands in for the
    other.
    """

    async def in_place() -> None:
        await slack.post_ephemeral(
            requester.channel, requester.person, message, requester.thread_ts, priority
        )

    async def by_url() -> None:
        assert requester.response_url is not None  # noqa: S101 - looked at below
        await slack.respond(requester.response_url, message)

    if requester.response_url is None:
        return await until_taken(in_place)
    first, second = (in_place, by_url) if requester.thread_ts else (by_url, in_place)
    try:
        await until_taken(first)
    except SlackRateLimited:
        raise
    except NotDone as error:
        # Of a response URL: Slack takes an answer there for half an hour, and a few of them.
        _log.info("private answer sent in another way", person=requester.person, error=str(error))
        await until_taken(second)


async def show_instead(slack: Outbound, requester: Requester, message: Message) -> None:
    """Let it take the place of the message whose button they pressed; raises the errors of the door."""
    url = requester.response_url
    if url is None:
        return await show_privately(slack, requester, message)
    try:
        await until_taken(lambda: slack.respond(url, message, replace_original=True))
    except SlackRateLimited:
        raise
    except NotDone:
        # That message has gone, or nobody posted it; what was decided is said all the same.
        await show_privately(slack, requester, message)


class PrivateAnswer(NamedTuple):
    """What one person is told. `is_instead`: in the place of the message whose button they pressed."""

    requester: Requester
    message: Message
    priority: Priority = Priority.POST
    is_instead: bool = False


class PrivateAnswers:
    """Shows answers behind what made them, so many at a time that slow ones hold up nothing.

    What waits for a place in Slack's limits is not counted. A process that stops hands over what it has not
    begun to show, and what is made after that: it is a job then, for the next process. A process that dies
    takes its answers with it.
    """

    def __init__(self, slack: Outbound, queue: Queue) -> None:
        self._slack = slack
        self._queue = queue
        self._places = asyncio.Semaphore(AT_ONCE)
        # Each with what it has not begun to show.
        self._tasks: dict[asyncio.Task[None], deque[PrivateAnswer]] = {}
        # Those whose answer may be on its way to Slack.
        self._under_way: set[asyncio.Task[None]] = set()
        self._has_ended = False
        self._handing_over: set[asyncio.Task[None]] = set()

    def show(self, *answers: PrivateAnswer) -> None:
        """Show these, one after the other, without being waited for; after the end, hand them over."""
        if self._has_ended:
            handing = asyncio.ensure_future(self._hand_over(answers))
            self._handing_over.add(handing)
            handing.add_done_callback(self._handing_over.discard)
            return
        left = deque(answers)
        task = asyncio.ensure_future(self._show_all(left))
        self._tasks[task] = left
        task.add_done_callback(self._tasks.pop)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to show."""
        return not self._tasks

    @property
    def count(self) -> int:
        """How many turns and listeners have answers that are not shown yet."""
        return len(self._tasks)

    async def end(self, within_seconds: float) -> None:
        """Let what goes on end, and hand over what has not begun; what is under way is not shown again."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_seconds)
        # What is made from here on none of the tasks below shows.
        self._has_ended = True
        left = [answer for task, answers in self._tasks.items() for answer in self._unbegun(task, answers)]
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if left:
            await self._hand_over(left)

    async def handed_over(self) -> None:
        """Wait until what was made after the end is written down, for half a second at most."""
        await asyncio.gather(*self._handing_over, return_exceptions=True)

    def _unbegun(self, task: asyncio.Task[None], answers: deque[PrivateAnswer]) -> list[PrivateAnswer]:
        return list(answers)[1 if task in self._under_way else 0 :]

    async def _hand_over(self, answers: Sequence[PrivateAnswer]) -> None:
        """Write down what is not shown, for the next process."""
        batch = Batch()
        for requester, message, _, is_instead in answers:
            work = AnswerPrivately(requester=requester, message=message, is_instead=is_instead)
            batch.append(
                handed_over_answers(requester.person), Job(id=f"told:{secrets.token_hex(8)}", work=work)
            )
        try:
            async with asyncio.timeout(HAND_OVER_SECONDS):
                await self._queue.write(batch)
        except (RedisError, TimeoutError):
            _log.warning("private answers not shown before the stop", count=len(answers))

    async def _show_all(self, left: deque[PrivateAnswer]) -> None:
        with waiting(self._aside):
            async with self._places:
                with self._going():
                    while left:
                        await self._show(left[0])
                        left.popleft()

    @contextlib.contextmanager
    def _going(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - each is one
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)

    @contextlib.asynccontextmanager
    async def _aside(self) -> AsyncIterator[None]:
        """Leave one's place to others while nothing is done but wait for Slack's limits."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - each is one
        self._under_way.discard(task)
        self._places.release()
        try:
            yield
        finally:
            await self._places.acquire()
            self._under_way.add(task)

    async def _show(self, answer: PrivateAnswer) -> None:
        requester = reachable(answer.requester, self._slack.now())
        try:
            if answer.is_instead:
                await show_instead(self._slack, requester, answer.message)
            else:
                await show_privately(self._slack, requester, answer.message, answer.priority)
        except OutsideError as error:
            _log.info("private answer not shown", person=requester.person, error=str(error))
        except Exception:  # noqa: BLE001 - it must not end unseen, and nobody awaits it
            _log.exception("unexpected exception while showing a private answer")


def handlers() -> tuple[Handler, ...]:
    """List the handlers of this module."""
    return (Handler.without_link(AnswerPrivately, _answer_privately),)


async def _answer_privately(context: JobContext) -> Outcome:
    """Show, behind this turn, what an earlier process was told to stop before it could.

    What was asked too long ago is not shown: it would tell of the past as if it were the present.
    """
    work = context.work(AnswerPrivately)
    if from_ms(context.now_ms) - moment_of(work.requester.at) >= RESPONSE_URL:
        return done()
    handed_over_answers = (work.requester, work.message)
    return (
        Outcome("done", instead=(handed_over_answers,))
        if work.is_instead
        else done(None, handed_over_answers)
    )
