"""The worker: takes lists that are due and carries out what is written there.

A bounded number of turns go on at once. What a turn raises is sorted here, and only here: not done and
unknown are tried again, later and later, up to an end; a `UserError` is a job's outcome like any other; what
nobody expected is logged under a reference that the person gets too.
"""

import asyncio
import contextlib
import math
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from redis.exceptions import RedisError, ResponseError

from taskwire.bridge import counting
from taskwire.bridge.backoff import wait_seconds
from taskwire.bridge.courtesy import Courtesy
from taskwire.bridge.doors import Doors
from taskwire.bridge.giving_up import gave_up, let_go, letter, unreadable
from taskwire.bridge.hand import Ending, Hand, Parked, done
from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.model.errors import NotDone, OutsideError, Refused, Unknown, UserError
from taskwire.model.jobs import Asker, reachable
from taskwire.model.messages import Message
from taskwire.slack.errors import NoRoom, TokenProblem
from taskwire.slack.room import claiming
from taskwire.store.queue import Nothing, Passed, Taking, Trouble, Turn, TurnLost, Unreadable, Verdict
from taskwire.store.reasons import reason
from taskwire.store.rewinds import Rewound
from taskwire.store.steps import Step
from taskwire.telemetry import Metrics, logger, reference
from taskwire.words import answers

PLACES = 32
# One of so many takings asks what has been due for longest, so that cards get on however much is said.
ALIKE_EACH = 5
LONGEST_DELAY_SECONDS = 300.0
# What has failed for a day will go on failing, and so will what has ended its process for a day. An account
# that is refused is the operator's to mend, and has a week.
GIVE_UP_MS = 24 * 3_600_000
REFUSED_MS = 7 * GIVE_UP_MS
MOST_SURPRISES = 5
# A job that cannot be read may be a newer version's, which takes it as soon as its own turn comes.
MOST_UNREADABLE_TAKES = 5
ACCOUNT_SECONDS = 10.0
LOOK_BACK_SECONDS = 2.0
HAND_ON_SECONDS = 1.0
END_AGAIN_SECONDS = 0.5

Carrier = Callable[[Hand], Awaitable[Ending]]
_log = logger("taskwire.work")


class Worker:
    """Carries out the jobs of one workspace, many lists at a time, each in its order."""

    def __init__(self, doors: Doors, carriers: Mapping[str, Carrier], metrics: Metrics) -> None:
        self._doors = doors
        self._carriers = carriers
        self._metrics = metrics
        counting.from_zero(metrics, carriers)
        self.courtesy = Courtesy()
        self._free = asyncio.Semaphore(PLACES)
        self._turns: dict[asyncio.Task[None], Turn | Unreadable] = {}
        # The one turn in hand, if any, whose job may be ending its process.
        self._risky: asyncio.Task[None] | None = None
        self._is_taking = False
        self._takes = 0
        self._looks_back_at = 0.0
        self._is_stopping = asyncio.Event()
        # Why Redis took no writes when work was last asked for; empty if it did. Such a one answers all else.
        self.store_trouble = ""
        # How Redis has gone back in time; whoever catches up with it then takes it away.
        self.rewound: Rewound | None = None

    async def run(self) -> None:
        """Take and carry out, until `stop`."""
        while not self._is_stopping.is_set():
            await self._free.acquire()
            await self.courtesy.wait()
            try:
                taken = await self._next()
            finally:
                self._is_taking = False
            if taken is None:
                self._free.release()
                continue
            if self._is_stopping.is_set():
                await self._hand_on([taken])
                return
            task = asyncio.create_task(self._carry(taken), name=f"turn {taken.name}")
            self._turns[task] = taken
            if self._is_risky(taken):
                # Or it is in the company of one that is, or somebody kills processes: no error yet.
                _log.warning("a job may be ending its process", job=taken.job_id, takes=taken.takes)
                self._risky = task
            task.add_done_callback(self._put_down)

    async def stop(self, within_seconds: float) -> None:
        """Take nothing new and let what goes on end; what does not in time is handed on."""
        self._is_stopping.set()
        if self._turns:
            await asyncio.wait(self._turns, timeout=within_seconds)
        left = dict(self._turns)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._hand_on(list(left.values()))

    async def _hand_on(self, taken: Sequence[Turn | Unreadable]) -> None:
        """Let others take at once what this process has broken off, and not only after its lease."""
        put_back = [self._doors.queue.put_back(each) for each in taken]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HAND_ON_SECONDS):
                await asyncio.gather(*put_back, return_exceptions=True)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being carried out, or taken at this moment."""
        return not self._turns and not self._is_taking

    @property
    def in_hand(self) -> int:
        """How many turns are being carried out."""
        return len(self._turns)

    def _is_risky(self, taken: Taking) -> bool:
        """Whether it was taken often and never ended: at most one such turn is in hand."""
        return isinstance(taken, Turn) and taken.takes > self._doors.queue.times.risky_takes

    def _put_down(self, task: asyncio.Task[None]) -> None:
        self._turns.pop(task, None)
        if task is self._risky:
            self._risky = None
        self._free.release()
        if not task.cancelled() and task.exception() is not None:
            _log.error("turn broke", exc_info=task.exception())

    async def _next(self) -> Turn | Unreadable | None:
        try:
            self._is_taking = True
            await self._look_back()
            self._takes += 1
            taken = await self._doors.queue.take(
                may_be_risky=self._risky is None, is_alike=self._takes % ALIKE_EACH == 0
            )
            self.store_trouble = ""
            if not isinstance(taken, Nothing):
                return taken
            self._is_taking = False
            await self._wait(taken.wait_seconds)
        except RedisError as error:
            # Who comes back may be another one, or the same with less in it.
            self._looks_back_at = 0.0
            self.store_trouble = reason(error)
            self._metrics.store_failures.inc()
            _log.warning("redis is away", error=str(error))
            await self._pause(1.0)
        except Exception:  # noqa: BLE001 - nothing that a list may hold is to end the only taker
            _log.exception("could not take")
            await self._pause(1.0)
        return None

    async def _look_back(self) -> None:
        if time.monotonic() < self._looks_back_at:
            return
        if rewound := await self._doors.queue.rewinds.look():
            silent_ms = rewound.at_ms - rewound.since_ms
            _log.warning("redis has gone back in time, or is another one", last_used_before_ms=silent_ms)
            self._metrics.store_rewinds.inc()
            self.rewound = rewound
        self._looks_back_at = time.monotonic() + LOOK_BACK_SECONDS

    async def _wait(self, seconds: float) -> None:
        word = asyncio.create_task(self._doors.queue.wait(seconds))
        stop = asyncio.create_task(self._is_stopping.wait())
        try:
            await asyncio.wait({word, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (word, stop):
                each.cancel()
            await asyncio.gather(word, stop, return_exceptions=True)
        if not word.cancelled():
            word.result()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._is_stopping.wait(), seconds)

    async def _carry(self, taken: Turn | Unreadable) -> None:
        try:
            if isinstance(taken, Turn):
                with claiming(f"{taken.name} {taken.job_id}"):
                    await self._carry_out(taken)
            else:
                await self._set_aside(taken)
        except TurnLost:
            kind = taken.job.work.kind if isinstance(taken, Turn) else "unreadable"
            self._metrics.lost_turns.labels(kind).inc()
            _log.info("turn lost", list=taken.name, job=taken.job_id)
        except RedisError as error:
            # Whether it ended is found out by the next taker.
            _log.warning("a turn's end is not known", list=taken.name, job=taken.job_id, error=str(error))

    async def _carry_out(self, turn: Turn) -> None:
        hand = Hand(turn, self._doors.queue)
        counting.taken(self._metrics, turn)
        try:
            ending = await self._ending(hand)
        except TurnLost:
            # What it has done until here may be too late, and it has no end that could say so.
            await self._doors.queue.write(hand.tidy or Step())
            raise
        finally:
            counting.carried_out(self._metrics, hand)
        await self._end(hand, ending)
        counting.ended(self._metrics, hand, ending)
        for asker, message in ending.privately:
            await self.show_privately(reachable(asker, self._doors.slack.now()), message)
        if ending.instead is not None:
            asker, message = ending.instead
            await self._show_instead(reachable(asker, self._doors.slack.now()), message)

    async def _end(self, hand: Hand, ending: Ending) -> None:
        """End the turn; while Redis is away, again, since its token lets only one of these calls do anything.

        After a lease somebody else may have the list, and finds out.
        """
        gives_up_at = time.monotonic() + self._doors.queue.times.lease_ms / 1000
        while True:
            try:
                return await self._doors.queue.end(
                    hand.turn,
                    ending.verdict,
                    ending.step,
                    delay_ms=math.ceil(ending.delay_seconds * 1000),
                    job=ending.job,
                    tidy=hand.tidy,
                    trouble=ending.trouble,
                )
            except RedisError as error:
                if time.monotonic() > gives_up_at:
                    raise
                _log.info("a turn is ended again", job=hand.job.id, error=str(error))
                await asyncio.sleep(END_AGAIN_SECONDS)

    async def _set_aside(self, taken: Unreadable) -> None:
        """Let the lease pass a few times, then keep the job's text for the operator, and go on without it."""
        _log.error("a job cannot be read", list=taken.name, job=taken.job_id, error=taken.why)
        if taken.takes < MOST_UNREADABLE_TAKES:
            return
        self._metrics.dead.labels("unreadable").inc()
        await self._doors.queue.end(taken, "done", unreadable(taken))

    async def _ending(self, hand: Hand) -> Ending:
        job, turn = hand.job, hand.turn
        is_taken_for_long = turn.now_ms - turn.first_taken_ms > GIVE_UP_MS
        if turn.takes > self._doors.queue.times.many_takes and is_taken_for_long:
            return await self._given_up(hand, answers.KILLED)
        if job.failing_since_ms and turn.now_ms - job.failing_since_ms > GIVE_UP_MS:
            return await self._given_up(hand, answers.FAILED_FOR_A_DAY)
        try:
            return self._as_it_is(hand, await self._carriers[job.work.kind](hand))
        except TurnLost:
            raise
        except Parked as parked:
            return parked.ending
        except Passed:
            return Ending("later", trouble="same")
        except RedisError as error:
            return self._without_redis(hand, error)
        except UserError as error:
            return self._refused(hand, error)
        except OutsideError as error:
            return await self._not_yet(hand, error)
        except Exception:  # noqa: BLE001 - what nobody expected must not stop the list, and is told
            return await self._surprised(hand)

    def _as_it_is(self, hand: Hand, ending: Ending) -> Ending:
        """Forget earlier failures of a job that goes on as it should; never let go of what is in doubt."""
        if ending.verdict != "later":
            return ending
        if hand.is_in_doubt:
            _log.error("left in doubt", job=hand.job.id, kind=hand.job.work.kind)
            return replace(ending, verdict="unknown")
        job = ending.job or hand.job
        if ending.trouble != "none" or not job.tries:
            return ending
        return replace(ending, job=job.model_copy(update={"tries": 0, "surprises": 0, "failing_since_ms": 0}))

    async def _not_yet(self, hand: Hand, error: OutsideError) -> Ending:
        """Sort what the doors raise: waited for, tried again, or the end."""
        if isinstance(error, NoRoom):
            counting.no_room(self._metrics, hand)
            # The limiter tells each of those who wait a time of their own.
            return _delayed(hand, error.after_seconds or 1.0, "same")
        if isinstance(error, TokenRefused | NoTasks) or _is_token_bad(error):
            # The account's trouble, not this job's: whoever runs this has a week to mend it.
            _log.warning("an account is refused", job=hand.job.id, error=str(error))
            if _was_refused_for_long(hand):
                return await self._given_up(hand, answers.REFUSED_FOR_A_WEEK)
            # Those who wait for one account should not all come at the same moment.
            return _delayed(hand, ACCOUNT_SECONDS * random.uniform(1.0, 1.25), "refused")  # noqa: S311 - jitter
        if isinstance(error, Refused):
            if not hand.keeps_attempt:
                return await self._given_up(hand, str(error))
            return self._again(hand, error, 5.0)
        return self._again(hand, error, error.after_seconds)

    def _again(self, hand: Hand, error: OutsideError, after_seconds: float | None) -> Ending:
        """Try again later and later; an attempt whose outcome is unknown stays pinned."""
        job = hand.job
        delay = wait_seconds(job.tries, LONGEST_DELAY_SECONDS, after_seconds)
        _log.info("not yet", job=job.id, kind=job.work.kind, tries=job.tries, error=str(error))
        verdict: Verdict = "unknown" if hand.keeps_attempt else "later"
        return Ending(verdict, Step(), delay, hand.failed_again(), trouble="failing")

    def _without_redis(self, hand: Hand, error: RedisError) -> Ending:
        """Go on when Redis is back: what did not begin was not attempted, and what did stays pinned."""
        if isinstance(error, ResponseError):
            return self._again(hand, Unknown(f"Redis refused: {error}"), None)
        _log.info("redis was away in a turn", job=hand.job.id, error=str(error))
        return _delayed(hand, END_AGAIN_SECONDS, "same")

    def _refused(self, hand: Hand, error: UserError) -> Ending:
        asker = getattr(hand.job.work, "asker", None)
        told = ((asker, answers.refusal(error)),) if isinstance(asker, Asker) else ()
        return done(None, *told)

    async def _surprised(self, hand: Hand) -> Ending:
        job, sign = hand.job, reference()
        _log.exception("surprised", reference=sign, job=job.id, kind=job.work.kind)
        if job.surprises >= MOST_SURPRISES:
            return await self._given_up(hand, answers.wrong_with_me(sign))
        ending = self._again(hand, Unknown(f"reference {sign}"), None)
        tried = ending.job or job
        return replace(ending, job=tried.model_copy(update={"surprises": job.surprises + 1}))

    async def _given_up(self, hand: Hand, why: str) -> Ending:
        """A dead letter, and a sentence for whoever waits for it; or a person's word is waited for."""
        try:
            ending = await gave_up(self._doors, hand, why)
        except RedisError:
            raise
        except Exception:  # noqa: BLE001 - a job that cannot even be told of must still leave its list
            _log.exception("could not tell of the end", job=hand.job.id)
            ending = let_go(letter(hand, why))
        if ending.verdict == "done":
            _log.error("gave up", job=hand.job.id, kind=hand.job.work.kind, why=why)
        return self._as_it_is(hand, ending)

    async def show_privately(self, asker: Asker, message: Message) -> None:
        """Show something to one person, at most once: by the response URL, else in the channel."""
        slack = self._doors.slack
        try:
            if asker.response_url is not None:
                try:
                    return await slack.respond(asker.response_url, message)
                except NotDone as error:
                    # Slack takes an answer there for half an hour, and a few of them.
                    _log.info("the response url is of no use", person=asker.person, error=str(error))
            await slack.post_ephemeral(asker.channel, asker.person, message, asker.thread_ts)
        except OutsideError as error:
            _log.info("could not show", person=asker.person, error=str(error))

    async def _show_instead(self, asker: Asker, message: Message) -> None:
        """Put a message in the place of the one whose button was pressed, at most once."""
        if asker.response_url is None:
            return
        try:
            await self._doors.slack.respond(asker.response_url, message, replace_original=True)
        except OutsideError as error:
            _log.info("a question keeps its buttons", person=asker.person, error=str(error))


def _was_refused_for_long(hand: Hand) -> bool:
    """Whether the account has been refused for a week in which this job stood in its list."""
    turn = hand.turn
    since_ms = max(turn.trouble_since_ms, turn.since_ms)
    return turn.trouble == "refused" and hand.now_ms - since_ms > REFUSED_MS


def _delayed(hand: Hand, seconds: float, trouble: Trouble) -> Ending:
    """Wait for a place, or for an account: that is no failure of this job."""
    return Ending("unknown" if hand.keeps_attempt else "later", Step(), seconds, trouble=trouble)


def _is_token_bad(error: OutsideError) -> bool:
    """Whether Slack refuses the token itself; a scope that it lacks only bars single methods."""
    return isinstance(error, TokenProblem) and error.code != "missing_scope"
