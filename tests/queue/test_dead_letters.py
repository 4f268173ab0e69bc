"""The operator sees each job that was given up (a dead letter), and can send it again, with all its
contents."""

import pytest

from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.lifecycle.phases import Observation
from taskwire.domain.queueing.display_jobs import Receipt
from taskwire.domain.queueing.jobs import Act, ApplyEvent, Job, Reply
from taskwire.domain.queueing.queues import (
    QueueName,
    input_score,
    receipts,
    to_coder,
    to_thread,
)
from taskwire.domain.requester import Requester
from taskwire.queue.batch import DEAD_LETTER_TTL_MS, MAX_DEAD_LETTERS, Batch
from taskwire.queue.dead_letters import (
    MAX_JOB_CHARS,
    DeadLetters,
    ResendResult,
    add_dead_letter,
    dead_letter_id,
)
from taskwire.queue.leases import Lease, UnreadableJob
from taskwire.redis.connection import Connections
from taskwire.state.link_writes import LinkWrites

from .engine import LIST, Engine, job

LINK = LinkId("L1")
ASKER = Requester(person=UserId("U1"), channel=ChannelId("C1"), at=Ts("1764071000.000100"))
BOND = LinkRecord(
    id=LINK, channel=ASKER.channel, made_at=ASKER.at, requested_by=ASKER.person, name="fix-the-login"
)
REPLY = Job(id="reply:1764071000.000200", work=Reply(person=ASKER.person, ts=ASKER.at, text="use main"))


@pytest.fixture
def engine(real: Connections) -> Engine:
    """The queues of one workspace, on the real store only."""
    return Engine(real)


@pytest.fixture
def letters(engine: Engine) -> DeadLetters:
    """The dead letters of the engine's workspace."""
    return DeadLetters(engine.connections, engine.keys, engine.clock)


async def linked(engine: Engine) -> None:
    """Store an open link."""
    await engine.queues.write(LinkWrites(engine.keys).write_record(Batch(), BOND))


async def gives_up(engine: Engine, name: QueueName = LIST, given: Job | None = None) -> str:
    """Append the job `given` to a queue, and give it up. Return the id of its dead letter. Without `given`,
    use a simple post."""
    given = given or job("a")
    await engine.queues.write(Batch().append(name, given, score=input_score(ASKER.at)))
    lease = await engine.takes()
    engine.passes(3600)
    failed = lease.job.model_copy(update={"tries": 9, "failing_since_ms": 1, "unexpected_errors": 2})
    await engine.ends(
        lease, add_dead_letter(Batch(), lease, failed.model_dump_json(context=name), "no answer")
    )
    return dead_letter_id(name, given.id)


async def test_a_dead_letter_shows_its_job_and_its_task(engine: Engine, letters: DeadLetters) -> None:
    """A dead letter shows the kind of its job, the name of the task and the reason."""
    await linked(engine)
    await gives_up(engine)

    newest = await letters.find_newest()

    assert newest is not None
    assert newest[2:] == ("post_text", "fix-the-login", "no answer")
    assert newest.id == dead_letter_id(LIST, "a")
    assert await letters.count() == 1


async def test_a_dead_letter_of_an_act_names_its_verb(engine: Engine, letters: DeadLetters) -> None:
    """The dead letter of a person's act says which act it is. The operator can thus tell a pause from a
    deletion before sending the act again."""
    await linked(engine)
    await gives_up(engine, to_coder(LINK), Job(id="pause:1", work=Act(requester=ASKER, verb="pause")))

    newest = await letters.find_newest()

    assert newest is not None
    assert newest[2:] == ("pause", "fix-the-login", "no answer")


async def test_a_job_that_is_sent_again_is_as_new_but_looks_for_its_effect(
    engine: Engine, letters: DeadLetters
) -> None:
    """If a dead letter is sent again, its job starts with no tries and with an age of zero. The worker first
    checks whether an earlier try had an effect."""
    await linked(engine)
    began_ms = engine.clock.now_ms
    letter = await gives_up(engine)

    answer = await letters.send_again(letter)
    lease = await engine.takes()

    assert answer == "sent"
    assert (lease.name, lease.job_id, lease.is_suspect) == (LIST, "a", True)
    assert (lease.job.tries, lease.job.failing_since_ms, lease.job.unexpected_errors) == (0, 0, 0)
    assert (lease.since_ms - began_ms, lease.job.first_written_ms) == (3_600_000, began_ms)
    assert await letters.count() == 0


async def test_a_job_that_is_given_up_twice_is_one_dead_letter(engine: Engine, letters: DeadLetters) -> None:
    """If a job is given up, sent again and given up once more, it has one dead letter. The dead letter has
    the time when the job was first written."""
    await linked(engine)
    began_ms = engine.clock.now_ms
    letter = await gives_up(engine)
    await letters.send_again(letter)
    lease = await engine.takes()
    engine.passes(60)

    await engine.ends(
        lease,
        add_dead_letter(Batch(), lease, lease.job.model_dump_json(context=lease.name), "still no answer"),
    )
    await letters.send_again(letter)

    assert (await engine.takes()).job.first_written_ms == began_ms
    assert await letters.count() == 0


async def test_a_job_that_is_sent_again_twice_waits_once(engine: Engine, letters: DeadLetters) -> None:
    """If an operator sends a dead letter again twice, its job waits only once. The first call removes the
    dead letter."""
    await linked(engine)
    letter = await gives_up(engine)

    answers = [await letters.send_again(letter), await letters.send_again(letter)]
    await engine.ends(await engine.takes())

    assert answers == ["sent", "already_handled"]
    assert await engine.takes_nothing() == 1.0


async def test_a_waiting_job_is_not_replaced_by_an_older_one(engine: Engine, letters: DeadLetters) -> None:
    """If a newer job with the same id waits, a dead letter that is sent again does not replace it."""
    await linked(engine)
    letter = await gives_up(engine)
    await engine.queues.write(Batch().append(LIST, job("a", "newer words")))

    answer = await letters.send_again(letter)

    assert answer == "sent"
    assert (await engine.takes()).job == job("a", "newer words")
    assert await letters.count() == 0


async def test_a_reply_is_sent_again_in_its_old_place(engine: Engine, letters: DeadLetters) -> None:
    """If a reply is sent again from its dead letter, it is placed before later replies. The record of its
    earlier tries is removed."""
    await linked(engine)
    keeping = LinkWrites(engine.keys)
    asked = REPLY.with_work(wait_count=7, question="outcome_unknown", is_admitted=True)
    letter = await gives_up(engine, to_coder(LINK), asked)
    await engine.queues.write(keeping.keep_reply(Batch(), LINK, REPLY.id, Reply.model_validate(asked.work)))
    await engine.append("later", name=to_coder(LINK), score=input_score("1764071009.000000"))

    answer = await letters.send_again(letter)
    lease = await engine.takes()

    assert answer == "sent"
    assert lease.job.id == REPLY.id
    assert lease.job.work == REPLY.with_work(is_admitted=True).work
    assert await engine.connections.commands.exists(engine.keys.reply(LINK, REPLY.id)) == 0


async def test_a_reply_that_its_author_has_sent_again_is_not_sent_by_the_operator(
    engine: Engine, letters: DeadLetters
) -> None:
    """If a reply's author presses *Send again*, the dead letter of the reply is removed. So the operator
    cannot send the reply a second time."""
    await linked(engine)
    letter = await gives_up(engine, to_coder(LINK), REPLY)

    await engine.queues.write(LinkWrites(engine.keys).forget_reply(Batch(), LINK, REPLY.id))

    assert await letters.send_again(letter) == "already_handled"


async def test_a_reply_whose_button_has_expired_is_not_sent_by_the_operator(
    engine: Engine, letters: DeadLetters
) -> None:
    """If the *Send again* button of a reply has expired, the operator cannot send the reply from its dead
    letter. The author may have written the reply again."""
    await linked(engine)
    letter = await gives_up(engine, to_coder(LINK), REPLY)

    assert await letters.send_again(letter) == "decided"
    assert await letters.count() == 1


@pytest.mark.parametrize("ended", [True, False])
async def test_a_job_without_an_open_link_stays_a_dead_letter(
    engine: Engine, letters: DeadLetters, ended: bool
) -> None:
    """If the link of a dead letter's job has ended, the job is not sent again, and the dead letter stays."""
    act = Job(id="pause:1", work=Act(requester=ASKER, verb="pause"))
    letter = await gives_up(engine, to_coder(LINK), act)
    if ended:
        await linked(engine)
        await engine.queues.write(LinkWrites(engine.keys).set_field(Batch(), LINK, "ended", "gone"))

    assert await letters.send_again(letter) == "no_link"
    assert await letters.count() == 1
    assert await engine.takes_nothing() == 1.0


async def test_an_unreadable_job_is_a_dead_letter_too(engine: Engine, letters: DeadLetters) -> None:
    """If an older version gives up a job of a newer version, the job becomes a dead letter. The older version
    cannot send it again."""
    await engine.run("put(ARGV[3], 'alien', '0', '0', 'new', ARGV[4]) return 1", LIST, "no json")
    taken = await engine.takes_unreadable()
    await engine.queues.complete(
        taken, "done", add_dead_letter(Batch(), taken, taken.body, "?", is_offered_to_author=False)
    )

    newest = await letters.find_newest()

    assert newest is not None
    assert (newest.kind, newest.reason) == ("a job", "?")
    assert await letters.send_again(newest.id) == "unreadable"


async def test_a_newer_version_can_send_an_unreadable_job_again(engine: Engine, letters: DeadLetters) -> None:
    """If the newer version of Taskwire is back, it can send again a job that the older version could not
    read."""
    await linked(engine)
    await engine.queues.write(Batch().append(to_coder(LINK), REPLY))
    lease = await engine.takes()
    unread = UnreadableJob(
        **{
            name: getattr(lease, name)
            for name in Lease.__dataclass_fields__
            if name not in ("job", "intent", "data_loss")
        },
        body=REPLY.model_dump_json(context=to_coder(LINK)),
        why="?",
    )
    await engine.ends(lease, add_dead_letter(Batch(), unread, unread.body, "?", is_offered_to_author=False))

    assert await letters.send_again(dead_letter_id(to_coder(LINK), REPLY.id)) == "sent"
    assert (await engine.takes()).job.work == REPLY.work


async def test_an_observation_that_is_sent_again_shows_the_present_task(
    engine: Engine, letters: DeadLetters
) -> None:
    """A job may contain what was last seen of a task (an observation). If its dead letter is sent again, the
    job gets the present state of the task."""
    await linked(engine)
    old, new = _seen(build=1), _seen(build=2)
    observed = Job(id="observed:1", work=ApplyEvent(event=Observed(observation=old)))
    letter = await gives_up(engine, to_thread(LINK), observed)
    await engine.queues.write(LinkWrites(engine.keys).set_field(Batch(), LINK, "seen", new.model_dump_json()))

    await letters.send_again(letter)

    assert (await engine.takes()).job.work == ApplyEvent(event=Observed(observation=new))


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (Job(id="receipt:1", work=Receipt(ts=ASKER.at, state="taken")), "overtaken"),
        (job("a", "x" * MAX_JOB_CHARS), "too_long"),
    ],
)
async def test_a_job_of_no_use_stays_a_dead_letter(
    engine: Engine, letters: DeadLetters, given: Job, answer: ResendResult
) -> None:
    """If a dead letter cannot be sent again, because it is out of date or too long, the answer says so. The
    dead letter stays until the operator deletes it."""
    await linked(engine)
    letter = await gives_up(engine, receipts(LINK), given)

    assert await letters.send_again(letter) == answer
    assert await letters.forget(letter) == 1
    assert await letters.count() == 0


async def test_a_thousand_dead_letters_are_kept_for_a_month(engine: Engine, letters: DeadLetters) -> None:
    """A thousand dead letters are kept for a month. If there are more, the oldest are removed first."""
    for number in range(3):
        await engine.queues.write(Batch().add_dead_letter(f"old-{number}", "{}"))
    engine.passes(5)
    batch = Batch()
    for number in range(MAX_DEAD_LETTERS - 1):
        batch.add_dead_letter(f"new-{number}", "{}")
    await engine.queues.write(batch)

    ids = await letters.list_ids()
    ends_ms = await engine.connections.commands.pttl(engine.keys.named("dead_letters"))
    engine.passes(DEAD_LETTER_TTL_MS / 1000)
    await engine.queues.write(Batch().add_dead_letter("next", "{}"))

    assert (len(ids), ids[0]) == (MAX_DEAD_LETTERS, "old-2")
    assert 0 < ends_ms <= DEAD_LETTER_TTL_MS
    assert await letters.list_ids() == ["next"]
    assert await letters.forget() == 1


def _seen(build: int) -> Observation:
    return Observation(
        task_id=TaskId("t1"),
        name="fix-the-login",
        title="Fix the login",
        owner_id="u1",
        owner_name="alice",
        template="docker",
        status="active",
        build=build,
        created_at="2026-01-01T00:00:00Z",  # type: ignore[arg-type] # pydantic reads it
    )
