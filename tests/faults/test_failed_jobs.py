"""A worker tries failed jobs again, finds out what became of their attempts, or gives them up."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from taskwire.coder.errors import CoderAnswer, TokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutcomeUnknown, Refused, TryLater, UserError
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.queueing.jobs import Job, PostText
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext, Outcome, done
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Lease, NothingDue
from taskwire.queue.scripts import Script
from taskwire.redis import connection, embedded
from taskwire.redis.decoding import read
from taskwire.slack.errors import NoCapacity
from taskwire.worker import Worker
from taskwire_sandbox.slack import SlackSandbox
from tests.crash import cancel_jobs
from tests.lua import with_libraries
from tests.queue.engine import NOON_MS, TestClock
from tests.sealed import open_all

from .dependencies import KEYS, TIMES, new_worker, open_dependencies

QUEUE = QueueName("to_thread:L1")
DAY_MS = 24 * 3_600_000
REFUSED = TokenRefused(CoderAnswer(401, "You are signed out."))
Carry = Callable[[JobContext], Awaitable[Outcome]]


class Bench:
    """A worker that runs a test's handler, with real dependencies and a store."""

    def __init__(self, deps: Dependencies, connections: connection.Connections, clock: TestClock) -> None:
        self.deps = deps
        self.clock = clock
        self._connections = connections

    async def works(self, carry: Carry) -> None:
        """Run a worker with the handler `carry` until no job is due. The clock stands still."""
        worker = new_worker(self.deps, carry)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(20):
            while await self._has_work(worker):  # noqa: ASYNC110 - the store has no event to wait on
                await asyncio.sleep(0.01)
        await worker.stop(5)
        await running

    async def _has_work(self, worker: Worker) -> bool:
        return not worker.is_idle or await self._is_due() or not worker.is_idle  # a job may end meanwhile

    async def is_stopped_after(self, began: asyncio.Event, carry: Carry) -> None:
        """Let a process begin a job. When `began` is set, stop the process while the job runs."""
        worker = new_worker(self.deps, carry)
        running = asyncio.create_task(worker.run())
        await began.wait()
        await worker.stop(0.1)
        await running

    async def takes(self, times: int) -> None:
        """Acquire a lease `times` times, and let each expire, as processes do that are killed."""
        for _ in range(times):
            assert not isinstance(await self.deps.queues.acquire(), NothingDue)
            self.clock.now_ms += TIMES.quarantine_ms

    async def is_killed_again_and_again(self, kills: str) -> None:
        """Let a process run until it acquires the job with the id `kills` and dies, or until no other job is
        due. Then let its leases expire."""
        killed = asyncio.Event()

        async def carry(context: JobContext) -> Outcome:
            if context.job.id == kills:
                killed.set()
            # If the process is killed while a job runs, the job must not have ended.
            await asyncio.sleep(0.01)
            if killed.is_set():
                await asyncio.Event().wait()
            return done()

        worker = new_worker(self.deps, carry)
        running = asyncio.create_task(worker.run())
        async with asyncio.timeout(20):
            while not killed.is_set() and await self._has_work(worker):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert await cancel_jobs() or not killed.is_set()
        await worker.stop(0)
        await running
        self.clock.now_ms += TIMES.longest_lease_ms

    async def waiting(self) -> list[str]:
        """Return the queues that have jobs."""
        return cast("list[str]", await self._connections.commands.zrange(KEYS.named("ready"), 0, -1))

    async def append(self, *ids: str, name: QueueName = QUEUE, **fields: int) -> None:
        """Append a job for each of these ids. `fields` change fields of the jobs."""
        for job_id in ids:
            job = Job(id=job_id, work=PostText(message=Message(text=job_id))).model_copy(update=fields)
            await self.deps.queues.write(Batch().append(name, job))

    async def job(self, job_id: str) -> Job:
        """Return the waiting job with this id."""
        return Job.model_validate_json((await self._fields("jobs"))[f"body|{job_id}"], context=QUEUE)

    async def state(self) -> dict[str, str]:
        """Return the stored state of the queue."""
        return await self._fields("state")

    async def is_empty(self) -> bool:
        """Return whether no queue has jobs."""
        return not await self._connections.commands.zcard(KEYS.named("ready"))

    async def _is_due(self) -> bool:
        ready = KEYS.named("ready")
        return bool(await self._connections.commands.zcount(ready, "-inf", self.clock.now_ms))

    async def letters(self) -> list[tuple[str, str]]:
        """Return the id of the job and the reason of each dead letter."""
        found = self._connections.commands.hvals(KEYS.named("dead_letters"))
        letters = [json.loads(each) for each in await cast("Awaitable[list[str]]", found)]
        return [(letter["job_id"], letter["reason"]) for letter in letters]

    async def write_raw(self, body: str) -> None:
        """Append a job that this version of Taskwire cannot read."""
        script = "put(ARGV[3], 'alien', '0', '0', 'new', ARGV[4]) return 1"
        await Script(self._connections.commands, KEYS, self.clock, with_libraries(script))(QUEUE, body)

    async def _fields(self, part: str) -> dict[str, str]:
        found = self._connections.commands.hgetall(KEYS.named("queue", QUEUE, part))
        return await cast("Awaitable[dict[str, str]]", found)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Return a bench with an empty store."""
    async with (
        SlackSandbox() as slack,
        embedded.store(tmp_path / "store") as running,
        connection.open(running.url) as connections,
    ):
        clock = TestClock()
        async with open_dependencies(slack, connections, clock) as deps:
            yield Bench(deps, connections, clock)


async def _nothing() -> None:
    return None


def raising(error: Exception) -> Carry:
    """Make a handler that raises this error."""

    async def carry(context: JobContext) -> Outcome:
        del context
        raise error

    return carry


def failing_after_attempt(error: Exception) -> Carry:
    """Make a handler that makes an attempt and then raises this error."""

    async def carry(context: JobContext) -> Outcome:
        if not context.is_outcome_unknown:
            await context.attempt("note", 0.1, _nothing)
        raise error

    return carry


async def test_what_fails_is_tried_again_and_remembers_since_when(bench: Bench) -> None:
    """A failed job stays in its queue and keeps the time of its first failure. The queue tries the job again
    later."""
    await bench.append("a")

    await bench.works(raising(OutcomeUnknown("cut")))

    job = await bench.job("a")
    assert job.tries >= 1
    assert job.failing_since_ms > 0
    assert "attempt_job" not in await bench.state()


@pytest.mark.parametrize(
    "error", [OutcomeUnknown("cut"), TryLater("not now"), Refused("no"), ValueError("a bug")]
)
async def test_what_fails_after_its_effect_is_read_back_before_anything_else(
    bench: Bench, error: Exception
) -> None:
    """If a job fails after the call of its attempt, the intent record stays, whatever the error. The next try
    finds out what became of the call, so the effect is not doubled."""
    await bench.append("a")

    await bench.works(failing_after_attempt(error))

    assert (await bench.state())["attempt_job"] == "a"


async def test_a_refused_call_leaves_nothing_to_read_back(bench: Bench) -> None:
    """If the call of an attempt was certainly refused, the record of the attempt is removed."""

    async def carry(context: JobContext) -> Outcome:
        async def refuse() -> None:
            raise TryLater("not now", 30)

        await context.attempt("note", 0.1, refuse)
        return done()

    await bench.append("a")
    await bench.works(carry)

    assert "attempt_job" not in await bench.state()


async def test_an_attempt_of_unknown_outcome_is_never_dropped_by_mistake(bench: Bench) -> None:
    """If the outcome of an attempt is unknown, its intent record stays. The record stays even if the handler
    asks for a retry without having found out the outcome."""

    async def carry(context: JobContext) -> Outcome:
        if not context.is_outcome_unknown:
            await context.attempt("note", 0.1, _cut)
        return Outcome("retry", delay_seconds=30)

    async def _cut() -> None:
        raise OutcomeUnknown("cut")

    await bench.append("a")
    await bench.works(carry)

    assert (await bench.state())["attempt_job"] == "a"


async def test_two_attempts_without_a_read_back_between_are_refused(bench: Bench) -> None:
    """If a handler makes a second attempt before the first attempt was read back, the queue refuses it. Such
    a mistake in a handler can therefore not double an effect."""
    made = []

    async def carry(context: JobContext) -> Outcome:
        async def cut() -> None:
            made.append(context.lease.token)
            raise OutcomeUnknown("cut")

        try:
            await context.attempt("note", 0.1, cut)
        except OutcomeUnknown:
            await context.attempt("note", 0.1, cut)
        return done()

    await bench.append("a")
    await bench.works(carry)

    assert len(made) == 1


async def test_waiting_for_a_place_is_no_failure(bench: Bench) -> None:
    """If a job has to wait for the rate limit, it has not failed, and its next delay is not longer."""
    await bench.append("a")

    await bench.works(raising(NoCapacity("full", 30)))

    job = await bench.job("a")
    assert (job.tries, job.failing_since_ms) == (0, 0)


async def test_a_refusal_ends_the_job_with_a_dead_letter(bench: Bench) -> None:
    """If the outside system refuses a job for good, the job becomes a dead letter, and the next job of the
    queue runs."""
    went = []

    async def carry(context: JobContext) -> Outcome:
        went.append(context.job.id)
        if context.job.id == "a":
            raise Refused("msg_too_long")
        return done()

    await bench.append("a", "b")
    await bench.works(carry)

    assert went == ["a", "b"]
    assert await bench.letters() == [("a", "msg_too_long")]


async def test_what_a_person_can_mend_leaves_no_dead_letter(bench: Bench) -> None:
    """If a handler raises `UserError`, the person is told the error's sentence. The job ends normally, and
    there is no dead letter."""
    await bench.append("a")

    await bench.works(raising(UserError("No.", "Do this.")))

    assert await bench.letters() == []


async def test_what_has_failed_for_a_day_is_given_up(bench: Bench) -> None:
    """If a job fails for a day, it is given up. Its dead letter has a reason that people can read."""
    await bench.append("a", failing_since_ms=1)

    await bench.works(raising(AssertionError("not to be carried out")))

    assert await bench.letters() == [("a", "every try failed for a day")]


async def test_a_bug_is_given_up_after_a_few_tries(bench: Bench) -> None:
    """If a job fails by a bug, it is given up after a few tries. Its dead letter and the log entry have the
    same reference."""
    await bench.append("a", unexpected_errors=5)

    await bench.works(raising(ZeroDivisionError()))

    ((job, why),) = await bench.letters()
    assert job == "a"
    assert why.startswith("something went wrong on my side (reference ")


async def test_a_job_that_goes_on_forgets_its_failures(bench: Bench) -> None:
    """If a job has failed and its next try only asks to wait, its failures are forgotten. Such a job may wait
    for an agent for days."""
    await bench.append("a", tries=7, failing_since_ms=NOON_MS)

    async def wait(context: JobContext) -> Outcome:
        del context
        return Outcome("retry", delay_seconds=60)

    await bench.works(wait)

    job = await bench.job("a")
    assert (job.tries, job.failing_since_ms) == (0, 0)


async def test_a_job_that_nobody_can_read_leaves_its_list_after_a_week(bench: Bench) -> None:
    """If no running version of Taskwire can read a job for a week, the job leaves its queue. The dead letter
    has the job's text."""
    await bench.write_raw('{"id": "alien", "work": {"kind": "from the future"}}')
    await bench.append("b")
    found = []
    for _ in range(8):
        await bench.works(lambda _: _ended())
        found.append(len(await bench.letters()))
        bench.clock.now_ms += DAY_MS

    await bench.works(lambda _: _ended())

    assert found == [0] * 8
    ((job, why),) = await bench.letters()
    assert job == "alien"
    assert why.startswith("it cannot be read: ")
    assert await bench.is_empty()


async def test_what_cannot_be_read_after_an_attempt_keeps_it_pinned(bench: Bench) -> None:
    """If a job with an attempt cannot be read, it stays in its queue for good. Only a newer version of
    Taskwire can read back the attempt."""
    await bench.append("a")

    async def carry(context: JobContext) -> Outcome:
        await context.attempt("note", 60, _nothing)
        read(LinkRecord.model_validate_json, "{}")
        return done()

    await bench.works(carry)

    state = await bench.state()
    assert (state["attempt_job"], open_all(state["attempt"])) == ("a", '"note"')
    assert await bench.letters() == []


async def _ended() -> Outcome:
    return done()


async def test_a_storm_of_restarts_gives_up_nothing(bench: Bench) -> None:
    """If the process is killed a dozen times within hours while a job runs, the job is not given up. The
    kills may have other causes."""
    await bench.append("a")
    await bench.takes(12)

    await bench.works(lambda _: _ended())

    assert await bench.letters() == []
    assert await bench.is_empty()


async def test_a_job_that_ends_its_process_for_a_day_is_given_up(bench: Bench) -> None:
    """If a job was acquired many times and has not ended after a day, it is given up. The job may kill its
    process."""
    await bench.append("a")
    await bench.takes(12)
    bench.clock.now_ms += DAY_MS

    await bench.works(raising(AssertionError("not to be carried out")))

    assert await bench.letters() == [("a", "I was stopped in the middle of it again and again")]


async def test_a_crash_loop_ends_no_innocent_job(bench: Bench) -> None:
    """A job runs beside another job that kills the process again and again. A later process completes the
    first job. It is not given up."""
    lists = [QueueName(f"to_thread:{number}") for number in range(40)]
    for name in lists:
        await bench.append("innocent", name=name)
    await bench.append("culprit", name=QueueName("to_thread:culprit"))

    async with asyncio.timeout(60):
        while await bench.waiting() != ["to_thread:culprit"]:
            await bench.is_killed_again_and_again(kills="culprit")

    assert await bench.letters() == []


async def test_two_jobs_that_end_their_process_are_not_in_hand_together(bench: Bench) -> None:
    """If two jobs were running when their process died, they do not run at the same time again. One of them
    may have killed the process."""
    await bench.append("a", name=QueueName("to_thread:a"))
    await bench.append("b", name=QueueName("to_thread:b"))
    await bench.takes(2 * TIMES.risky_acquisitions)
    in_hand: list[str] = []
    most = 0

    async def carry(context: JobContext) -> Outcome:
        nonlocal most
        in_hand.append(context.job.id)
        most = max(most, len(in_hand))
        await asyncio.sleep(0)
        in_hand.remove(context.job.id)
        return done()

    await bench.works(carry)
    bench.clock.now_ms += 1_000
    await bench.works(carry)

    assert most == 1
    assert await bench.is_empty()


async def test_what_stands_behind_a_failing_job_has_no_day_of_its_own(bench: Bench) -> None:
    """If a job fails for a day, it is given up. So are the jobs behind it in the queue that were written
    before the failures began."""
    await bench.append("a", "b", "c")
    await bench.works(raising(TryLater("away")))
    bench.clock.now_ms += DAY_MS + 1
    tried: list[str] = []

    async def fail(context: JobContext) -> Outcome:
        tried.append(context.job.id)
        raise TryLater("away")

    for _ in range(3):
        await bench.works(fail)
        bench.clock.now_ms += 2_000

    assert [job for job, _ in await bench.letters()] == ["a", "b", "c"]
    assert tried == ["b", "c"]


async def test_a_job_written_while_its_list_fails_has_its_day(bench: Bench) -> None:
    """If a job is written while its queue is failing, it is given up a day after it was written."""
    await bench.append("a")
    await bench.works(raising(TryLater("away")))
    bench.clock.now_ms += DAY_MS // 2
    await bench.append("b")
    bench.clock.now_ms += DAY_MS // 2 + 1

    for _ in range(3):
        await bench.works(raising(TryLater("away")))
        bench.clock.now_ms += 2_000

    assert [job for job, _ in await bench.letters()] == ["a"]
    assert (await bench.job("b")).failing_since_ms == NOON_MS + DAY_MS // 2


async def test_an_account_that_is_refused_holds_nothing_for_more_than_a_week(bench: Bench) -> None:
    """If Coder refuses our account for a week, a job is given up, and a person can send it again. Only an
    operator can repair the account."""
    await bench.append("a")
    await bench.works(raising(REFUSED))
    bench.clock.now_ms += 7 * DAY_MS - 1
    await bench.works(raising(REFUSED))
    before = await bench.letters()
    bench.clock.now_ms += 20_000

    await bench.works(raising(REFUSED))

    assert before == []
    assert await bench.letters() == [("a", "Slack or Coder refused my account for a week")]


async def test_an_account_that_is_good_again_leaves_a_whole_day(bench: Bench) -> None:
    """If Coder refused our account and accepts it again, a job gets a whole day to succeed. The days of the
    refusal do not count as failures of the job."""
    await bench.append("a")
    await bench.works(raising(REFUSED))
    bench.clock.now_ms += 3 * DAY_MS

    await bench.works(raising(TryLater("away")))
    bench.clock.now_ms += DAY_MS - 1
    await bench.works(raising(TryLater("away")))

    assert await bench.letters() == []


async def test_a_turn_that_is_cancelled_leaves_its_attempt(bench: Bench) -> None:
    """If a process stops during the call of an attempt, the attempt's intent record stays."""
    began = asyncio.Event()

    async def carry(context: JobContext) -> Outcome:
        async def hang() -> None:
            began.set()
            await asyncio.Event().wait()

        await context.attempt("note", 60, hang)
        return done()

    await bench.append("a")

    await bench.is_stopped_after(began, carry)

    state = await bench.state()
    assert (state["attempt_job"], open_all(state["attempt"])) == ("a", '"note"')


async def test_what_a_stopped_process_breaks_off_is_handed_on(bench: Bench) -> None:
    """If a stopping process breaks off a job, the next process can acquire the job immediately. The restart
    does not count as a failure of the job."""
    began = asyncio.Event()

    async def carry(context: JobContext) -> Outcome:
        del context
        began.set()
        await asyncio.Event().wait()
        return done()

    await bench.append("a")

    await bench.is_stopped_after(began, carry)
    bench.clock.now_ms += 1_000
    taken = await bench.deps.queues.acquire()

    assert isinstance(taken, Lease)
    assert (taken.job_id, taken.acquisitions) == ("a", 1)
