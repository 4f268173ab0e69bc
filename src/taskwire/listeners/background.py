"""What goes on behind an acknowledgement without being a job: answers that are made, and forms that fill.

A bounded number at a time, so that fifty questions at once do not slow each other's acknowledgement; what
waits for a place in Slack's limits is not counted. An answer that is made is shown by
`outbox/private_answers`, in places of its own. None of it is promised: a process that dies takes an
unanswered question with it.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.message import Message
from taskwire.messages import answers
from taskwire.outbox.error_messages import excuse
from taskwire.redis.decoding import CannotRead
from taskwire.slack.rate_limits import until_taken, waiting
from taskwire.telemetry import logger, reference

AT_ONCE = 16
T = TypeVar("T")
_log = logger("taskwire.listeners.background")


class Background:
    """Runs what follows an acknowledgement."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Awaitable[None], *, is_urgent: bool = False) -> None:
        """Let this go on by itself; what is urgent waits for no place: a trigger lives three seconds."""
        task = asyncio.ensure_future(self._urgently(work) if is_urgent else self._run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self, within_seconds: float) -> None:
        """Wait for what goes on, then stop it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=within_seconds)
        if self._tasks:
            _log.info("questions not answered before the stop", count=len(self._tasks))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Whether nothing goes on."""
        return not self._tasks

    async def _run(self, work: Awaitable[None]) -> None:
        async with self._room:
            with waiting(self._aside):
                await self._guarded(work)

    async def _urgently(self, work: Awaitable[None]) -> None:
        with waiting(contextlib.nullcontext):
            await self._guarded(work)

    @contextlib.asynccontextmanager
    async def _aside(self) -> AsyncIterator[None]:
        """Leave one's place to others for as long as the block lasts."""
        self._room.release()
        try:
            yield
        finally:
            await self._room.acquire()

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except RedisError as error:
            # The worker says so, once.
            _log.debug("private answer not shown", error=str(error))
        except OutsideError as error:
            _log.info("private answer not shown", error=str(error))
        except Exception:  # noqa: BLE001 - it must not end unseen, and nobody awaits it
            _log.exception("unexpected exception in background answer")


async def in_words(answer: Callable[[], Awaitable[T]], instead: Callable[[Message], T]) -> T:
    """The answer, or what `instead` makes of the sentence that stands for what went wrong with it."""
    try:
        return await until_taken(answer)
    except UserError as error:
        return instead(answers.refusal(error))
    except RedisError as error:
        # The worker says so, once.
        _log.debug("question not answered", error=str(error))
        return instead(excuse(error))
    except (OutsideError, CannotRead) as error:
        _log.warning("question not answered", error=str(error))
        return instead(excuse(error))
    except Exception:  # noqa: BLE001 - the person gets a reference, the log the rest
        sign = reference()
        _log.exception("unexpected exception in background answer", reference=sign)
        return instead(answers.trouble(sign))
