"""Shows answers to one person, in the place where that person asked.

An answer is shown once or, after a crash, not at all.

If a person presses a button in the Home tab, the answer appears in that tab.
"""

import asyncio
import contextlib
import secrets
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from redis.exceptions import RedisError

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import NotDone, OutsideError
from taskwire.domain.ids import from_ms, moment_of
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import AnswerPrivately
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.outbox.home_requests import answer_in_home
from taskwire.outbox.readers import may_be_answered
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Queues
from taskwire.redis.error_reasons import reason
from taskwire.slack.call_priorities import Priority, retry_while_rate_limited, wait_for_capacity
from taskwire.slack.errors import SlackRateLimited
from taskwire.slack.outbound import Outbound
from taskwire.telemetry import logger

# The most private answers that are shown at once. They use half of the connections to Slack. The other half
# is for messages to everybody.
MOST_CONCURRENT = 32
# If more answers than this wait for one person, the later ones wait behind those for other people. And the
# most that wait for one person.
MOST_BEFORE_OTHERS, MOST_PENDING = 5, 50
HAND_OVER_TIMEOUT_SECONDS = 0.5
# Slack accepts answers by a response URL for 30 minutes.
RESPONSE_URL_LIFETIME = timedelta(minutes=25)
_log = logger("taskwire.outbox.private_answers")


def without_expired_url(requester: Requester, now: datetime) -> Requester:
    """Return the requester, without the response URL if it is too old for Slack."""
    is_fresh = now - moment_of(requester.at) < RESPONSE_URL_LIFETIME
    return requester if is_fresh else requester.model_copy(update={"response_url": None})


def handed_over_answers(person: str) -> QueueName:
    """Return the queue of one person's answers that a stopped process has handed over.

    These answers have a queue of their own. If a version of Taskwire cannot read an answer, no other job
    waits behind that answer.
    """
    return QueueName(f"handed_over_answers:{person}")


async def show_privately(
    slack: Outbound, requester: Requester, message: Message, priority: Priority = Priority.POST
) -> None:
    """Show an answer that only the requester can see. Raises the errors of Slack's client.

    There are two calls for this. An ephemeral message appears in the thread. An answer by a response URL
    appears in the channel, but reaches some people whom an ephemeral message does not reach. For a request
    from a thread, the ephemeral message is tried first. If one call fails, the other call is made.
    """

    async def post_ephemeral() -> None:
        await slack.post_ephemeral(
            requester.channel, requester.person, message, requester.thread_ts, priority
        )

    async def respond() -> None:
        assert requester.response_url is not None  # noqa: S101 - `respond` is used only with a response URL
        await slack.respond(requester.response_url, message)

    if requester.response_url is None:
        return await retry_while_rate_limited(post_ephemeral)
    first, second = (post_ephemeral, respond) if requester.thread_ts else (respond, post_ephemeral)
    try:
        await retry_while_rate_limited(first)
    except SlackRateLimited:
        raise
    except NotDone as error:
        # For example, a response URL accepts only five answers within 30 minutes.
        _log.info(
            "private answer not shown, trying another call",
            person=requester.person,
            failed=first.__name__,
            next=second.__name__,
            error=str(error),
        )
        await retry_while_rate_limited(second)


async def show_instead(slack: Outbound, requester: Requester, message: Message) -> None:
    """Replace the message that contains the pressed button. Raises the errors of Slack's client.

    If this message cannot be replaced, show the answer as a new message to the person.
    """
    url = requester.response_url
    if url is None:
        return await show_privately(slack, requester, message)
    try:
        await retry_while_rate_limited(lambda: slack.respond(url, message, replace_original=True))
    except SlackRateLimited:
        raise
    except NotDone:
        # The message with the button does not exist any more, so the answer is shown as a new message.
        await show_privately(slack, requester, message)


class PrivateAnswer(NamedTuple):
    """An answer for one person.

    If `is_instead`, the answer replaces the message that contains the button that the person pressed.
    """

    requester: Requester
    message: Message
    priority: Priority = Priority.POST
    is_instead: bool = False


class PrivateAnswers:
    """Shows answers in the background, at most 32 (`MOST_CONCURRENT`) at once.

    An answer that waits for Slack's rate limits does not count. When a process stops, it turns the answers
    that it has not begun to show into jobs for another process. If a process dies, its answers are lost.
    """

    def __init__(self, slack: Outbound, queues: Queues) -> None:
        self._slack = slack
        self._queues = queues
        self._places = asyncio.Semaphore(MOST_CONCURRENT)
        # The running asyncio tasks, each with the answers that it has not shown yet.
        self._tasks: dict[asyncio.Task[None], deque[PrivateAnswer]] = {}
        # The asyncio tasks whose present answer may be on its way to Slack.
        self._under_way: set[asyncio.Task[None]] = set()
        self._has_ended = False
        self._hand_overs: set[asyncio.Task[None]] = set()

    def show(self, *answers: PrivateAnswer) -> None:
        """Show these answers in the background, one after the other. An answer without text is not shown.

        After `end` was called, write the answers as jobs for another process instead.
        """
        answers = tuple(each for each in answers if each.message.text)
        if self._has_ended:
            hand_over = asyncio.ensure_future(self._hand_over(answers))
            self._hand_overs.add(hand_over)
            hand_over.add_done_callback(self._hand_overs.discard)
            return
        pending = deque(self._with_priorities(answers))
        if not pending:
            return
        task = asyncio.ensure_future(self._show_all(pending))
        self._tasks[task] = pending
        task.add_done_callback(self._tasks.pop)

    def _with_priorities(self, answers: Sequence[PrivateAnswer]) -> Iterator[PrivateAnswer]:
        """Let answers of a person who waits for many others wait behind those of other people, and drop those
        above `MOST_PENDING`. Slack's limits hold for the answers to all people together."""
        pending = Counter(each.requester.person for waiting in self._tasks.values() for each in waiting)
        for answer in answers:
            person = answer.requester.person
            pending[person] += 1
            if pending[person] > MOST_PENDING:
                _log.info("private answer not shown, dropped: too many of this person wait", person=person)
            elif pending[person] > MOST_BEFORE_OTHERS:
                yield answer._replace(priority=Priority.BACKFILL)
            else:
                yield answer

    @property
    def is_idle(self) -> bool:
        """Whether no answer is left to show."""
        return not self._tasks

    @property
    def count(self) -> int:
        """How many calls of `show` have answers that are not shown yet."""
        return len(self._tasks)

    async def end(self, within_seconds: float) -> None:
        """Wait for answers that are being shown, then write the remaining answers as jobs.

        An answer that is still being shown after `within_seconds` is interrupted and not shown again.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_seconds)
        # From now on, `show` writes answers as jobs, so no further task is added.
        self._has_ended = True
        pending = [
            answer for task, answers in self._tasks.items() for answer in self._list_unbegun(task, answers)
        ]
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if pending:
            await self._hand_over(pending)

    async def wait_for_hand_over(self) -> None:
        """Wait, for 0.5 s at most, until answers that came after `end` are written as jobs."""
        await asyncio.gather(*self._hand_overs, return_exceptions=True)

    def _list_unbegun(self, task: asyncio.Task[None], answers: deque[PrivateAnswer]) -> list[PrivateAnswer]:
        return list(answers)[1 if task in self._under_way else 0 :]

    async def _hand_over(self, answers: Sequence[PrivateAnswer]) -> None:
        """Write answers as jobs, for another process."""
        batch = Batch()
        for requester, message, _, is_instead in answers:
            work = AnswerPrivately(requester=requester, message=message, is_replacement=is_instead)
            batch.append(
                handed_over_answers(requester.person), Job(id=f"told:{secrets.token_hex(8)}", work=work)
            )
        try:
            async with asyncio.timeout(HAND_OVER_TIMEOUT_SECONDS):
                await self._queues.write(batch)
        except (RedisError, TimeoutError) as error:
            _log.warning(
                "process stops, private answers may be lost: writing them as jobs failed",
                count=len(answers),
                error=reason(error),
            )

    async def _show_all(self, pending: deque[PrivateAnswer]) -> None:
        with wait_for_capacity(self._release_place):
            async with self._places:
                with self._mark_under_way():
                    while pending:
                        await self._show(pending[0])
                        pending.popleft()

    @contextlib.contextmanager
    def _mark_under_way(self) -> Iterator[None]:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - an asyncio task runs this code
        self._under_way.add(task)
        try:
            yield
        finally:
            self._under_way.discard(task)

    @contextlib.asynccontextmanager
    async def _release_place(self) -> AsyncIterator[None]:
        """Give this answer's place to other answers while this answer waits for Slack's rate limits."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - an asyncio task runs this code
        self._under_way.discard(task)
        self._places.release()
        try:
            yield
        finally:
            await self._places.acquire()
            self._under_way.add(task)

    async def _show(self, answer: PrivateAnswer) -> None:
        requester = without_expired_url(answer.requester, self._slack.now())
        try:
            if not requester.channel:
                # The person pressed a button in the Home tab. The Home tab is not in a channel.
                await self._queues.write(answer_in_home(requester.person, answer.message))
            elif answer.is_instead:
                await show_instead(self._slack, requester, answer.message)
            else:
                await show_privately(self._slack, requester, answer.message, answer.priority)
        except (OutsideError, RedisError) as error:
            _log.info("private answer not shown, dropped", person=requester.person, error=str(error))
        except Exception:  # noqa: BLE001 - nobody awaits this task, so its error must be logged here
            _log.exception("unexpected exception while showing a private answer, dropped")


def handlers(deps: Dependencies, people: People) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (Handler.without_link(AnswerPrivately, partial(_answer_privately, deps, people)),)


async def _answer_privately(deps: Dependencies, people: People, context: JobContext) -> Outcome:
    """Show an answer that a stopped process has handed over.

    Drop an answer that is older than 25 minutes: it would no longer be true. Also drop it if its person may
    not read it any more.
    """
    work = context.work(AnswerPrivately)
    if from_ms(context.now_ms) - moment_of(work.requester.at) >= RESPONSE_URL_LIFETIME:
        return done()
    if not await may_be_answered(deps, people, work.requester):
        _log.info(
            "person may not read a handed over private answer any more, dropped",
            person=work.requester.person,
            channel=work.requester.channel,
        )
        return done()
    handed_over_answers = (work.requester, work.message)
    return (
        Outcome("done", replacements=(handed_over_answers,))
        if work.is_replacement
        else done(None, handed_over_answers)
    )
