"""Links in Redis: what each is, what is known and told of it, and when to look at it again.

What was last seen of its task is written by `polls` alone; all else by the steps that end jobs.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from taskwire.domain.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts
from taskwire.domain.jobs import (
    LANE,
    REPLY,
    ApplyEvent,
    Job,
    QueueName,
    Reply,
    in_turn,
    link_of,
    soon,
    to_coder,
)
from taskwire.domain.links import Hold, Link, LinkEnd, LinkRecord
from taskwire.domain.phases import Observation
from taskwire.domain.transitions import LinkState, TimerFired
from taskwire.queue import dead_letters
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import CLAIM_MS
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, read_if_possible, read_roughly
from taskwire.redis.keys import Keys

# A link that has ended is remembered this long, so that a reply in its thread gets an answer.
ENDED_MS = 30 * 24 * 3_600_000
# Messages that a link took, by ts, so that a later read of the thread knows them.
TAKEN = 200
# Far longer than a thread sleeps: what is forgotten would be found by the next reading, and asked about.
TAKEN_MS = 400 * 24 * 3_600_000
# So long a channel may stay closed and still bring its threads back when it opens.
CLOSED_MS = 400 * 24 * 3_600_000
BARE_MS = 24 * 3_600_000
KEPT_REPLY_MS = 7 * 24 * 3_600_000
# Links that are read in one go: two or three milliseconds.
PIECE = 50
# Replies of which a link remembers their mark, and that the agent has them.
MARKED = 500
RECEIPTS_MS = 7 * 24 * 3_600_000

_FIRE_TIMERS = load_script("state/links.fire_timers")


class Rooted(NamedTuple):
    """The thread of a link, when there was news of it (seconds since 1970), and whether replies are held."""

    link: LinkId
    thread: ThreadRef
    news: float
    is_held: bool


class Links:
    """The links of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._fire_timers = Script(connections.commands, keys, clock, _FIRE_TIMERS, connections.written)

    async def find(self, link_id: LinkId) -> Link | None:
        """The link of this id, ended or not; raises CannotRead if a newer version has written it."""
        fields = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.link(link_id)))
        return _link(fields) if "record" in fields else None

    async def find_by_task(self, task_id: TaskId) -> Link | None:
        """The open link of this task."""
        link_id = await cast("Awaitable[str | None]", self._redis.hget(self._keys.named("links"), task_id))
        return await self.find(LinkId(link_id)) if link_id else None

    async def find_by_thread(self, thread: ThreadRef) -> LinkId | None:
        """The id of the link of this thread, ended or not."""
        found = await self._redis.get(self._keys.named("thread", f"{thread.channel}:{thread.ts}"))
        return LinkId(str(found)) if found else None

    async def list_open(self) -> dict[TaskId, LinkId]:
        """All tasks that have an open link, with that link."""
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.named("links")))
        return {TaskId(task): LinkId(link) for task, link in found.items()}

    async def list_links(self, link_ids: Iterable[LinkId]) -> dict[LinkId, Link]:
        """Many links at once, without those that only a newer version can read."""
        read = self._of_each(link_ids, "HGETALL")
        found = {link: _if_readable(fields) async for link, fields in read if "record" in fields}
        return {link: each for link, each in found.items() if each is not None}

    async def list_channels(self, link_ids: Iterable[LinkId]) -> dict[LinkId, ChannelId]:
        """In which channel the thread of each of these links is, or will be."""
        read = self._of_each(link_ids, "HGET", "record")
        bonds = {link: read_if_possible(LinkRecord, record) async for link, record in read}
        return {link: record.channel for link, record in bonds.items() if record is not None}

    async def list_threads(self, link_ids: Iterable[LinkId]) -> list[Rooted]:
        """The threads of these links, those first whose agent has last said something, or was told it."""
        found, read = [], self._of_each(link_ids, "HMGET", "record", "seen_ms", "last_input", "hold")
        async for link, (record, seen_ms, told, hold) in read:
            known = read_if_possible(LinkRecord, record)
            thread = known.thread if known is not None else None
            if thread is not None:
                news = max(float(seen_ms or 0) / 1000, float(told or 0), float(thread.ts))
                found.append(Rooted(link, thread, news, hold is not None))
        return sorted(found, key=lambda each: each.news, reverse=True)

    async def list_with_steering(self) -> set[LinkId]:
        """The links in whose steer lists something waits."""
        formats = await cast("Awaitable[list[str]]", self._redis.hkeys(self._keys.named("formats")))
        found: set[LinkId] = set()
        for place in (self._keys.named("ready"), *(self._keys.named("newer", each) for each in formats)):
            names = cast("list[str]", await self._redis.zrange(place, 0, -1))
            found |= {link_of(name) for name in names if name == to_coder(link_of(name))}
        return found

    async def _of_each(self, link_ids: Iterable[LinkId], command: str, *fields: str) -> AsyncIterator[Any]:
        """Ask for something of each; a few at a time, so that others get their turn in between."""
        for piece in _pieces(link_ids):
            async with self._redis.pipeline(transaction=False) as pipe:
                for link_id in piece:
                    pipe.execute_command(command, self._keys.link(link_id), *fields)
                answers = await pipe.execute()
            for read in zip(piece, answers, strict=True):
                yield read

    async def fire_timers(self) -> int:
        """Append the times that have come to their links; returns how many."""
        job = Job(id="time", work=ApplyEvent(event=TimerFired()))
        return cast(
            "int", await self._fire_timers(job.model_dump_json().replace('"id":"time"', '"id":"time:@TIME@"'))
        )

    async def list_taken(self, link_id: LinkId) -> list[Ts]:
        """The ts of the messages that this link took, oldest first."""
        taken = self._redis.zrange(self._keys.link(link_id, "taken"), 0, -1)
        return [Ts(ts) for ts in cast("list[str]", await taken)]

    async def find_receipt(self, link_id: LinkId, ts: Ts) -> str:
        """The reaction that a reply was last given, or all that it may have if one is being changed."""
        found = self._redis.hget(self._keys.link(link_id, "receipts"), ts)
        return await cast("Awaitable[str | None]", found) or ""

    async def find_delivered(self, link_id: LinkId, ts: Ts) -> str | None:
        """What was told of a delivered reply's later changes; None if it was not delivered."""
        found = self._redis.hget(self._keys.link(link_id, "delivered"), ts)
        return await cast("Awaitable[str | None]", found)

    async def list_closed(self, channel: ChannelId) -> list[LinkId]:
        """The links whose threads are closed to us, of those in this channel."""
        found = self._redis.hkeys(self._keys.named("closed", channel))
        return [LinkId(link) for link in await cast("Awaitable[list[str]]", found)]

    async def find_question(self, link_id: LinkId, about: str) -> str | None:
        """Where the question about something stands, if it is open."""
        found = self._redis.hget(self._keys.link(link_id, "questions"), about)
        return await cast("Awaitable[str | None]", found)

    async def list_questions(self, link_id: LinkId) -> list[str]:
        """What the open questions of a link are about."""
        found = self._redis.hkeys(self._keys.link(link_id, "questions"))
        return await cast("Awaitable[list[str]]", found)

    async def list_held(self, link_id: LinkId) -> list[Job]:
        """The jobs that a pause holds, in their order; those of a newer version as `list_jobs` does."""
        found = self._redis.hgetall(self._keys.named("held", link_id))
        held = await cast("Awaitable[dict[str, str]]", found)
        scored = sorted((entry.partition(" ") for entry in held.values()), key=lambda part: float(part[0]))
        return _jobs(body for _, _, body in scored)

    async def find_attempted(self, link_id: LinkId) -> tuple[Job, str] | None:
        """The job of a link's steer list of whose attempt nobody knows yet how it ended, with its note."""
        base = self._keys.named("queue", to_coder(link_id))
        read = self._redis.hmget(f"{base}:state", ["attempt_job", "attempt"])
        job_id, note = await cast("Awaitable[list[str | None]]", read)
        if not job_id:
            return None
        body = await cast("Awaitable[str | None]", self._redis.hget(f"{base}:jobs", f"body|{job_id}"))
        job = read_if_possible(Job, body)
        return (job, note or "") if job is not None else None

    async def list_waiting(self, link_id: LinkId) -> list[Job]:
        """The jobs in a link's steer list, in their order."""
        return await self.list_jobs(to_coder(link_id))

    async def list_jobs(self, name: QueueName) -> list[Job]:
        """The jobs in a list, in their order; of what only a newer version can read the replies, roughly."""
        base = self._keys.named("queue", name)
        order = cast("list[str]", await self._redis.zrange(f"{base}:order", 0, -1))
        if not order:
            return []
        names = [f"body|{job}" for job in order]
        bodies = await cast("Awaitable[list[str | None]]", self._redis.hmget(f"{base}:jobs", names))
        return _jobs(body for body in bodies if body)

    async def is_empty(self, name: QueueName) -> bool:
        """Whether there is no job in a list, readable or not."""
        return not await self._redis.zcard(self._keys.named("queue", name, "order"))


def _jobs(bodies: Iterable[str]) -> list[Job]:
    found = (read_roughly(body) for body in bodies)
    return [job for job in found if job is not None]


def _pieces(link_ids: Iterable[LinkId]) -> Iterator[list[LinkId]]:
    wanted = list(link_ids)
    for start in range(0, len(wanted), PIECE):
        yield wanted[start : start + PIECE]


def _link(fields: dict[str, str]) -> Link:
    try:
        return _read_link(fields)
    except ValidationError as error:
        raise CannotRead(error) from error


def _read_link(fields: dict[str, str]) -> Link:
    return Link(
        record=LinkRecord.model_validate_json(fields["record"]),
        state=LinkState.model_validate_json(fields["state"]) if "state" in fields else LinkState(),
        seen=Observation.model_validate_json(fields["seen"]) if "seen" in fields else None,
        hold=Hold.model_validate_json(fields["hold"]) if "hold" in fields else None,
        ended=cast("LinkEnd | None", fields.get("ended")),
        failure=fields.get("failure", ""),
        moved_to=fields.get("moved_to", ""),
        broken=fields.get("broken", ""),
        is_muted="muted" in fields,
        has_moved="moved" in fields,
        maybe_moved_since=Ts(fields["maybe_moved"]) if "maybe_moved" in fields else None,
        closed=fields.get("closed", ""),
        cursor=fields.get("cursor", ""),
        drawn=fields.get("drawn", ""),
        last_input_ts=Ts(fields["last_input"]) if "last_input" in fields else None,
    )


def _if_readable(fields: dict[str, str]) -> Link | None:
    try:
        return _link(fields)
    except CannotRead:
        return None


class LinkWrites:
    """What a step may write about links; adds to a step, carries nothing out."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def record(self, batch: Batch, record: LinkRecord) -> Batch:
        """Write what a link is."""
        return batch.write("HSET", self._keys.link(record.id), "record", record.model_dump_json())

    def bare(self, batch: Batch, record: LinkRecord) -> Batch:
        """Write what a task without a thread is, for as long as something asked of it takes."""
        return batch.write_expiring(
            BARE_MS, "HSET", self._keys.link(record.id), "record", record.model_dump_json()
        )

    def thread(self, batch: Batch, record: LinkRecord) -> Batch:
        """Let the link's thread be known, and take over what was said in it before."""
        where = f"{record.channel}:{record.thread_ts}"
        batch.write("SET", self._keys.named("thread", where), record.id)
        return batch.adopt(self._keys.named("parked", where), record.id)

    def take_over(self, batch: Batch, thread: ThreadRef, link: LinkId) -> Batch:
        """Let a link take over what was said in its thread while that was not known."""
        return batch.adopt(self._keys.named("parked", f"{thread.channel}:{thread.ts}"), link)

    def moved(self, batch: Batch, record: LinkRecord, ts: Ts) -> Batch:
        """Give the link a new thread; the old one leads to it for as long as an ended one would."""
        self.field(batch, record.id, "moved", f"{record.thread_ts}")
        batch.write("PEXPIRE", self._keys.named("thread", f"{record.channel}:{record.thread_ts}"), ENDED_MS)
        moved = record.model_copy(update={"thread_ts": ts})
        return self.thread(self.record(batch, moved), moved)

    def moved_to(self, batch: Batch, link: LinkId, where: str) -> Batch:
        """Let a link that has ended know where its task has its thread now."""
        return batch.write_expiring(ENDED_MS, "HSET", self._keys.link(link), "moved_to", where)

    def closed(self, batch: Batch, record: LinkRecord, code: str) -> Batch:
        """Note that nothing can be posted in the link's thread, for when its channel is open again."""
        self.field(batch, record.id, "closed", code)
        return batch.write_expiring(
            CLOSED_MS, "HSET", self._keys.named("closed", record.channel), record.id, code
        )

    def reopened(self, batch: Batch, record: LinkRecord) -> Batch:
        """Note that the link's thread takes messages again."""
        self.no_field(batch, record.id, "closed")
        return batch.write("HDEL", self._keys.named("closed", record.channel), record.id)

    def task(self, batch: Batch, record: LinkRecord) -> Batch:
        """Let the link's task be known to the poll."""
        return batch.write("HSET", self._keys.named("links"), str(record.task_id), record.id)

    def field(self, batch: Batch, link: LinkId, name: str, value: str) -> Batch:
        """Write one of a link's fields."""
        return batch.write("HSET", self._keys.link(link), name, value)

    def no_field(self, batch: Batch, link: LinkId, name: str) -> Batch:
        """Remove one of a link's fields."""
        return batch.write("HDEL", self._keys.link(link), name)

    def state(self, batch: Batch, link: LinkId, state: LinkState, look_at_ms: int | None) -> Batch:
        """Write what is known and told of a link, and when to look again."""
        self.field(batch, link, "state", state.model_dump_json())
        if look_at_ms is None:
            return batch.write("ZREM", self._keys.named("timers"), link)
        return batch.write("ZADD", self._keys.named("timers"), look_at_ms, link)

    def taken(self, batch: Batch, link: LinkId, ts: Ts) -> Batch:
        """Remember that a message was taken."""
        key = self._keys.link(link, "taken")
        batch.write_expiring(TAKEN_MS, "ZADD", key, ts, ts)
        return batch.write("ZREMRANGEBYRANK", key, 0, -TAKEN - 1)

    def claimed(self, batch: Batch, delivery: str) -> Batch:
        """Take a message that has not arrived yet for taken: what follows from it is known already."""
        return batch.write_expiring(CLAIM_MS, "SET", self._keys.named("claim", "message", delivery), "1")

    def receipt(self, batch: Batch, link: LinkId, ts: Ts, reaction: str) -> Batch:
        """Remember the reaction that a reply has."""
        key = self._keys.link(link, "receipts")
        return batch.write_expiring(RECEIPTS_MS, "HSET", key, ts, reaction).keep_newest(key, MARKED)

    def hold(self, batch: Batch, link: LinkId, hold: Hold) -> Batch:
        """Put the replies written before the hold aside until a person says what to do with them."""
        self.field(batch, link, "hold", hold.model_dump_json())
        held = self._keys.named("held", link)
        batch.hold(to_coder(link), held, REPLY, LANE, soon(hold.at))
        return batch.hold(to_coder(link), held, REPLY, 2 * LANE, in_turn(hold.at))

    def set_aside(self, batch: Batch, link: LinkId, score: int) -> Batch:
        """Put one late-coming reply with those that the hold already keeps."""
        return batch.hold(to_coder(link), self._keys.named("held", link), REPLY, score, score)

    def keep_reply(self, batch: Batch, link: LinkId, job_id: str, work: Reply) -> Batch:
        """Keep a reply that was not delivered, so that its button can send it again."""
        key = self._keys.reply(link, job_id)
        return batch.write_expiring(KEPT_REPLY_MS, "SET", key, work.model_dump_json())

    def forget_reply(self, batch: Batch, link: LinkId, job_id: str) -> Batch:
        """Forget a kept reply: it has been decided on, and no dead letter of it is to be sent again."""
        batch.write("DEL", self._keys.reply(link, job_id))
        return dead_letters.remove_dead_letter(batch, self._keys, dead_letters.id_of(to_coder(link), job_id))

    def question(self, batch: Batch, link: LinkId, about: str, place: str) -> Batch:
        """Remember where a question stands."""
        return batch.write_expiring(ENDED_MS, "HSET", self._keys.link(link, "questions"), about, place)

    def no_question(self, batch: Batch, link: LinkId, about: str) -> Batch:
        """Forget a question that is settled."""
        return batch.write("HDEL", self._keys.link(link, "questions"), about)

    def unhold(self, batch: Batch, link: LinkId) -> Batch:
        """Bring the held replies back, each in its old place."""
        self.no_field(batch, link, "hold")
        return batch.unhold(to_coder(link), self._keys.named("held", link))

    def rehold(self, batch: Batch, link: LinkId, job: Job, score: int) -> Batch:
        """Replace a reply among those that a pause holds."""
        return batch.write("HSET", self._keys.named("held", link), job.id, f"{score} {job.model_dump_json()}")

    def drop_held(self, batch: Batch, link: LinkId, *job_ids: str) -> Batch:
        """Forget the held replies, all or these; the pause that holds them goes on."""
        held = self._keys.named("held", link)
        return batch.write("HDEL", held, *job_ids) if job_ids else batch.write("DEL", held)

    def delivered(self, batch: Batch, link: LinkId, ts: Ts, told: str = "") -> Batch:
        """Remember that the agent has a reply, and what the thread was told of its later changes."""
        key = self._keys.link(link, "delivered")
        return batch.write_expiring(RECEIPTS_MS, "HSET", key, ts, told).keep_newest(key, MARKED)

    def ends(self, batch: Batch, record: LinkRecord, why: str) -> Batch:
        """End a link: it is remembered for 30 days and watched no more."""
        self.field(batch, record.id, "ended", why)
        batch.write("PEXPIRE", self._keys.link(record.id), ENDED_MS)
        batch.write("ZREM", self._keys.named("timers"), record.id)
        batch.write("DEL", self._keys.named("held", record.id))
        if record.task_id is not None:
            batch.write("HDEL", self._keys.named("links"), record.task_id)
        if record.thread_ts is not None:
            batch.write(
                "PEXPIRE", self._keys.named("thread", f"{record.channel}:{record.thread_ts}"), ENDED_MS
            )
        return batch

    def gone(self, batch: Batch, record: LinkRecord, now_ms: int) -> Batch:
        """End a link whose task is gone; for 30 days it comes back with its task."""
        self.ends(batch, record, "gone")
        if record.task_id is None or record.thread_ts is None:
            return batch
        gone = self._keys.named("gone", record.task_id)
        return batch.write_expiring(ENDED_MS, "SET", gone, f"{record.id} {now_ms}")
