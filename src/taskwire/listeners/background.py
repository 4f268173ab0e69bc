"""Runs work after an acknowledgement that is not a job: private answers, and filling dialogs.

At most 16 tasks (`MAX_CONCURRENT_TASKS`) run at a time, so that fifty questions at once do not delay
acknowledgements. People have turns (`turns.py`), and at most four tasks of one person run at a time, so that
nobody's questions delay those of others. A task that waits for Slack's rate limits does not count.
`outbox/private_answers` shows finished answers and has a limit of its own. This work is not durable: if the
process dies, an unanswered question is lost.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TypeVar

from redis.exceptions import RedisError

from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.text.message import Message
from taskwire.listeners.turns import Turns
from taskwire.messages import answers
from taskwire.outbox.error_messages import make_error_answer
from taskwire.redis.decoding import CannotRead
from taskwire.slack.call_priorities import retry_while_rate_limited, wait_for_capacity
from taskwire.telemetry import logger, reference

MAX_CONCURRENT_TASKS, MAX_TASKS_OF_ONE = 16, 4
T = TypeVar("T")
_log = logger("taskwire.listeners.background")


class Background:
    """Runs work after a payload was acknowledged, without a job."""

    def __init__(self) -> None:
        self._turns = Turns(MAX_CONCURRENT_TASKS, MAX_TASKS_OF_ONE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Awaitable[None], person: str, *, is_urgent: bool = False) -> None:
        """Start `work` for this person in its own task. If nobody asked for it, `person` is another id.

        Urgent work skips the limit, because a trigger expires after 3 s.
        """
        task = asyncio.ensure_future(self._run_urgent(work) if is_urgent else self._run(work, person))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self, within_seconds: float) -> None:
        """Wait at most `within_seconds` for running work to end, then cancel the unfinished work."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_seconds)
        if self._tasks:
            _log.info("process stops, unfinished private answers are cancelled", count=len(self._tasks))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Return whether no work is running."""
        return not self._tasks

    async def _run(self, work: Awaitable[None], person: str) -> None:
        await self._turns.take(person)
        try:
            with wait_for_capacity(partial(self._outside_turn, person)):
                await self._run_logged(work)
        finally:
            self._turns.leave(person)

    async def _run_urgent(self, work: Awaitable[None]) -> None:
        with wait_for_capacity(contextlib.nullcontext):
            await self._run_logged(work)

    @contextlib.asynccontextmanager
    async def _outside_turn(self, person: str) -> AsyncIterator[None]:
        """While the block runs, this task does not count toward the limits of running tasks."""
        self._turns.leave(person)
        try:
            yield
        finally:
            await self._turns.take(person)

    async def _run_logged(self, work: Awaitable[None]) -> None:
        name = getattr(work, "__qualname__", "")
        try:
            await work
        except RedisError as error:
            # The worker logs an outage of Redis, once.
            _log.debug("background work failed, person not told", work=name, error=str(error))
        except OutsideError as error:
            _log.info("background work failed, person not told", work=name, error=str(error))
        except Exception:  # noqa: BLE001 - nobody awaits this, so it must be logged here
            _log.exception("unexpected exception in background work, person not told", work=name)


async def answer_or_explain(answer: Callable[[], Awaitable[T]], explain: Callable[[Message], T]) -> T:
    """Return the result of `answer`. Call `answer` again while Slack's rate limit is exceeded.

    If `answer` fails, pass a message about the error to `explain`, and return the result of `explain`. Raise
    nothing.
    """
    try:
        return await retry_while_rate_limited(answer)
    except UserError as error:
        return explain(answers.refusal(error))
    except RedisError as error:
        # The worker logs an outage of Redis, once.
        _log.debug("question could not be answered, person was told", error=str(error))
        return explain(make_error_answer(error))
    except (OutsideError, CannotRead) as error:
        _log.warning("question could not be answered, person was told", error=str(error))
        return explain(make_error_answer(error))
    except Exception:  # noqa: BLE001 - the person gets a reference, the log the exception
        error_reference = reference()
        _log.exception("unexpected exception in an answer, person got a reference", reference=error_reference)
        return explain(answers.unexpected_error(error_reference))
