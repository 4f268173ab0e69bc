"""Links in Redis: the record of each link, the state of its task, and its timers.

`observations` writes what was last seen of a task. Batches write everything else.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, cast

from taskwire.domain.durations import DAY_MS
from taskwire.domain.events import TimerFired
from taskwire.domain.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts, UserId, microseconds
from taskwire.domain.jobs import (
    REPLY_ID_PREFIX,
    ApplyEvent,
    Job,
    Reply,
)
from taskwire.domain.link_state import LinkState
from taskwire.domain.links import Hold, Link, LinkRecord
from taskwire.domain.queues import (
    LANE_WIDTH,
    QueueName,
    get_link_id,
    input_score,
    no_agent_score,
    to_coder,
)
from taskwire.queue import dead_letters
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import DELIVERY_CLAIM_TTL_MS
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import read_if_possible, read_partially
from taskwire.redis.keys import Keys
from taskwire.state.link_fields import read_link, read_link_if_possible

# How long an ended link is remembered, so that a reply in its thread gets an answer.
ENDED_LINK_TTL_MS = 30 * DAY_MS
# How many ts of received messages a link stores, so that backfill skips them.
MAX_TAKEN_MESSAGES = 200
# How long these ts are stored: far longer than a thread is silent. After that, backfill would ask again.
TAKEN_MESSAGE_TTL_MS = 400 * DAY_MS
# How long it is stored that a channel is closed. If it opens within this time, its threads get messages
# again.
CLOSED_CHANNEL_TTL_MS = 400 * DAY_MS
# How long the record of a task without a thread is kept. No request takes longer.
THREADLESS_LINK_TTL_MS = DAY_MS
# How long an undelivered reply is kept, so that its button can send it again.
KEPT_REPLY_TTL_MS = 7 * DAY_MS
# How many links one exchange with Redis reads. It takes two or three milliseconds.
LINKS_PER_EXCHANGE = 50
# How many links of one person are read.
MOST_LINKS_OF_PERSON = 200
# For how many replies a link stores the reaction, and that the agent has them.
MAX_MARKED_REPLIES = 500
# How long the reactions of replies, and that they were delivered, are remembered.
RECEIPT_TTL_MS = 7 * DAY_MS

_FIRE_TIMERS = load_script("state/links.fire_timers")


class LinkThread(NamedTuple):
    """A link's thread. `news` is the time of its last news in seconds since 1970."""

    link: LinkId
    thread: ThreadRef
    news: float
    is_held: bool


class Links:
    """The links of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._fire_timers = Script(connections.commands, keys, clock, _FIRE_TIMERS, connections.write_log)

    async def find(self, link_id: LinkId) -> Link | None:
        """Find a link, open or ended. Raises CannotRead if a newer version has written it."""
        fields = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.link(link_id)))
        return read_link(fields) if "record" in fields else None

    async def find_by_task(self, task_id: TaskId) -> Link | None:
        """Find the open link of a task."""
        link_id = await cast("Awaitable[str | None]", self._redis.hget(self._keys.named("links"), task_id))
        return await self.find(LinkId(link_id)) if link_id else None

    async def find_by_thread(self, thread: ThreadRef) -> LinkId | None:
        """Find the id of a thread's link, open or ended."""
        found = await self._redis.get(self._keys.named("thread", f"{thread.channel}:{thread.ts}"))
        return LinkId(str(found)) if found else None

    async def list_open(self) -> dict[TaskId, LinkId]:
        """Return the open link of each task that has one."""
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.named("links")))
        return {TaskId(task): LinkId(link) for task, link in found.items()}

    async def list_of(self, owner: UserId) -> list[Link]:
        """List the open links of a person's tasks, the newest first, at most `MOST_LINKS_OF_PERSON`."""
        key = self._keys.named("links_of", owner)
        newest = cast("list[str]", await self._redis.zrange(key, 0, MOST_LINKS_OF_PERSON - 1, desc=True))
        found = (await self.list_links(LinkId(link) for link in newest)).values()
        return [link for link in found if link.end_reason is None and link.record.owner_slack == owner]

    async def list_links(self, link_ids: Iterable[LinkId]) -> dict[LinkId, Link]:
        """Read many links. Links that do not exist or that only a newer version can read are left out."""
        read = self._of_each(link_ids, "HGETALL")
        found = {link: read_link_if_possible(fields) async for link, fields in read if "record" in fields}
        return {link: each for link, each in found.items() if each is not None}

    async def list_shares(self) -> dict[LinkId, tuple[str, ...]]:
        """Return for each open link that is shared whom its owner has let in."""
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.named("shared")))
        return {LinkId(link): tuple(shares.split()) for link, shares in found.items()}

    async def list_channels(self, link_ids: Iterable[LinkId]) -> dict[LinkId, ChannelId]:
        """Return the channel of each link's thread, also if the thread does not exist yet."""
        read = self._of_each(link_ids, "HGET", "record")
        records = {link: read_if_possible(LinkRecord, record) async for link, record in read}
        return {link: record.channel for link, record in records.items() if record is not None}

    async def list_threads(self, link_ids: Iterable[LinkId]) -> list[LinkThread]:
        """List the threads of these links, with the latest news first.

        News is the last report of the agent, the last input for it, or the start of the thread.
        """
        found, read = [], self._of_each(link_ids, "HMGET", "record", "seen_ms", "last_input", "hold")
        async for link, (record, seen_ms, told, hold) in read:
            known = read_if_possible(LinkRecord, record)
            thread = known.thread if known is not None else None
            if thread is not None:
                news = max(float(seen_ms or 0) / 1000, float(told or 0), float(thread.ts))
                found.append(LinkThread(link, thread, news, hold is not None))
        return sorted(found, key=lambda each: each.news, reverse=True)

    async def list_with_waiting_input(self) -> set[LinkId]:
        """List the links whose `to_coder` queue has waiting jobs."""
        formats = await cast("Awaitable[list[str]]", self._redis.hkeys(self._keys.named("formats")))
        found: set[LinkId] = set()
        for place in (self._keys.named("ready"), *(self._keys.named("newer", each) for each in formats)):
            names = cast("list[str]", await self._redis.zrange(place, 0, -1))
            found |= {get_link_id(name) for name in names if name == to_coder(get_link_id(name))}
        return found

    async def _of_each(self, link_ids: Iterable[LinkId], command: str, *fields: str) -> AsyncIterator[Any]:
        """Run a command for each link, a few links at a time, so that other calls run in between."""
        for piece in _pieces(link_ids):
            async with self._redis.pipeline(transaction=False) as pipe:
                for link_id in piece:
                    pipe.execute_command(command, self._keys.link(link_id), *fields)
                answers = await pipe.execute()
            for read in zip(piece, answers, strict=True):
                yield read

    async def fire_timers(self) -> int:
        """Append a job for each link whose timer is due. Returns the number of links."""
        job = Job(id="time", work=ApplyEvent(event=TimerFired()))
        return cast(
            "int", await self._fire_timers(job.model_dump_json().replace('"id":"time"', '"id":"time:@TIME@"'))
        )

    async def list_taken(self, link_id: LinkId) -> list[Ts]:
        """List the ts of the messages that this link has received, the oldest first."""
        taken = self._redis.zrange(self._keys.link(link_id, "taken"), 0, -1)
        return [Ts(ts) for ts in cast("list[str]", await taken)]

    async def find_receipt(self, link_id: LinkId, ts: Ts) -> str:
        """Return the reaction of a reply, or all that it may have while it is being changed; may be empty."""
        found = self._redis.hget(self._keys.link(link_id, "receipts"), ts)
        return await cast("Awaitable[str | None]", found) or ""

    async def find_delivered(self, link_id: LinkId, ts: Ts) -> str | None:
        """Return what the thread was told about changes of a delivered reply; None if not delivered."""
        found = self._redis.hget(self._keys.link(link_id, "delivered"), ts)
        return await cast("Awaitable[str | None]", found)

    async def list_closed(self, channel: ChannelId) -> list[LinkId]:
        """List the links of this channel in whose threads the bot cannot post."""
        found = self._redis.hkeys(self._keys.named("closed", channel))
        return [LinkId(link) for link in await cast("Awaitable[list[str]]", found)]

    async def find_question(self, link_id: LinkId, question_id: str) -> str | None:
        """Find where this question was posted, as JSON; None if it is settled."""
        found = self._redis.hget(self._keys.link(link_id, "questions"), question_id)
        return await cast("Awaitable[str | None]", found)

    async def list_questions(self, link_id: LinkId) -> list[str]:
        """List the ids of the open questions of a link."""
        found = self._redis.hkeys(self._keys.link(link_id, "questions"))
        return await cast("Awaitable[list[str]]", found)

    async def list_held(self, link_id: LinkId) -> list[Job]:
        """List the jobs that a pause holds, in order. A job of a newer version is read as in `list_jobs`."""
        found = self._redis.hgetall(self._keys.named("held", link_id))
        held = await cast("Awaitable[dict[str, str]]", found)
        scored = sorted((entry.partition(" ") for entry in held.values()), key=lambda part: float(part[0]))
        return _jobs(body for _, _, body in scored)

    async def find_attempted(self, link_id: LinkId) -> tuple[Job, str] | None:
        """Find the job in a `to_coder` queue whose attempt has no known outcome, with its intent record."""
        base = self._keys.named("queue", to_coder(link_id))
        read = self._redis.hmget(f"{base}:state", ["attempt_job", "attempt"])
        job_id, note = await cast("Awaitable[list[str | None]]", read)
        if not job_id:
            return None
        body = await cast("Awaitable[str | None]", self._redis.hget(f"{base}:jobs", f"body|{job_id}"))
        job = read_if_possible(Job, body)
        return (job, note or "") if job is not None else None

    async def list_waiting(self, link_id: LinkId) -> list[Job]:
        """List the jobs in a link's `to_coder` queue, in order."""
        return await self.list_jobs(to_coder(link_id))

    async def list_jobs(self, name: QueueName) -> list[Job]:
        """List the jobs of a queue, in order.

        If only a newer version can read a job, the job is left out. A reply is listed even then, with the
        fields that this version knows.
        """
        base = self._keys.named("queue", name)
        order = cast("list[str]", await self._redis.zrange(f"{base}:order", 0, -1))
        if not order:
            return []
        names = [f"body|{job}" for job in order]
        bodies = await cast("Awaitable[list[str | None]]", self._redis.hmget(f"{base}:jobs", names))
        return _jobs(body for body in bodies if body)

    async def is_empty(self, name: QueueName) -> bool:
        """Whether a queue has no jobs at all, readable or not."""
        return not await self._redis.zcard(self._keys.named("queue", name, "order"))


def _jobs(bodies: Iterable[str]) -> list[Job]:
    found = (read_partially(body) for body in bodies)
    return [job for job in found if job is not None]


def _pieces(link_ids: Iterable[LinkId]) -> Iterator[list[LinkId]]:
    wanted = list(link_ids)
    for start in range(0, len(wanted), LINKS_PER_EXCHANGE):
        yield wanted[start : start + LINKS_PER_EXCHANGE]


class LinkWrites:
    """Adds what is to be written about links to a batch. It writes nothing itself."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def write_record(self, batch: Batch, record: LinkRecord) -> Batch:
        """Write the record of a link, and let it be found by its owner."""
        batch.write("HSET", self._keys.link(record.id), "record", record.model_dump_json())
        if record.owner_slack is not None:
            made_ms = microseconds(record.made_at) // 1000
            batch.write("ZADD", self._keys.named("links_of", record.owner_slack), made_ms, record.id)
        return batch

    def write_threadless_record(self, batch: Batch, record: LinkRecord) -> Batch:
        """Write the record of a task without a thread. It expires after a day; no request takes longer."""
        return batch.write_expiring(
            THREADLESS_LINK_TTL_MS, "HSET", self._keys.link(record.id), "record", record.model_dump_json()
        )

    def write_thread(self, batch: Batch, record: LinkRecord) -> Batch:
        """Make the link's thread known, and append the messages that were parked for that thread."""
        where = f"{record.channel}:{record.thread_ts or record.root_ts}"
        batch.write("SET", self._keys.named("thread", where), record.id)
        return batch.adopt(self._keys.named("parked", where), record.id)

    def adopt_parked(self, batch: Batch, thread: ThreadRef, link: LinkId) -> Batch:
        """Append to a link's queues the messages that were parked before its thread was known."""
        return batch.adopt(self._keys.named("parked", f"{thread.channel}:{thread.ts}"), link)

    def move_thread(self, batch: Batch, record: LinkRecord, ts: Ts) -> Batch:
        """Give the link a new thread. The old one leads to it as long as that of an ended link would."""
        self.set_field(batch, record.id, "moved", f"{record.thread_ts}")
        batch.write(
            "PEXPIRE", self._keys.named("thread", f"{record.channel}:{record.thread_ts}"), ENDED_LINK_TTL_MS
        )
        moved = record.model_copy(update={"thread_ts": ts})
        return self.write_thread(self.write_record(batch, moved), moved)

    def move_card(self, batch: Batch, record: LinkRecord, ts: Ts) -> Batch:
        """Note that the card was posted again in its thread, whose root is another message."""
        self.set_field(batch, record.id, "moved", f"{record.thread_ts}")
        return self.write_record(batch, record.model_copy(update={"card_ts": ts}))

    def write_moved_to(self, batch: Batch, link: LinkId, where: str) -> Batch:
        """Note for an ended link where its task has its thread now."""
        return batch.write_expiring(ENDED_LINK_TTL_MS, "HSET", self._keys.link(link), "moved_to", where)

    def mark_closed(self, batch: Batch, record: LinkRecord, code: str) -> Batch:
        """Note that nothing can be posted in the link's thread. Its channel may open again later."""
        self.set_field(batch, record.id, "closed_error", code)
        return batch.write_expiring(
            CLOSED_CHANNEL_TTL_MS, "HSET", self._keys.named("closed", record.channel), record.id, code
        )

    def mark_reopened(self, batch: Batch, record: LinkRecord) -> Batch:
        """Note that the link's thread takes messages again."""
        self.remove_field(batch, record.id, "closed_error")
        return batch.write("HDEL", self._keys.named("closed", record.channel), record.id)

    def write_task(self, batch: Batch, record: LinkRecord) -> Batch:
        """Let the poller find the link by its task."""
        return batch.write("HSET", self._keys.named("links"), str(record.task_id), record.id)

    def set_field(self, batch: Batch, link: LinkId, name: str, value: str) -> Batch:
        """Write one of a link's fields."""
        return batch.write("HSET", self._keys.link(link), name, value)

    def set_people(self, batch: Batch, link: LinkId, name: str, people: Sequence[str]) -> Batch:
        """Write a link's list of people, or remove it if it is empty."""
        if not people:
            return self.remove_field(batch, link, name)
        return self.set_field(batch, link, name, " ".join(people))

    def set_shares(self, batch: Batch, link: LinkId, shares: Sequence[str]) -> Batch:
        """Write whom the owner of a link's task lets steer it."""
        index = self._keys.named("shared")
        batch.write("HSET", index, link, " ".join(shares)) if shares else batch.write("HDEL", index, link)
        return self.set_people(batch, link, "shares", shares)

    def remove_field(self, batch: Batch, link: LinkId, name: str) -> Batch:
        """Remove one of a link's fields."""
        return batch.write("HDEL", self._keys.link(link), name)

    def write_state(self, batch: Batch, link: LinkId, state: LinkState, look_at_ms: int | None) -> Batch:
        """Write the task state of a link, and when to look at it again."""
        self.set_field(batch, link, "state", state.model_dump_json())
        if look_at_ms is None:
            return batch.write("ZREM", self._keys.named("timers"), link)
        return batch.write("ZADD", self._keys.named("timers"), look_at_ms, link)

    def look_again(self, batch: Batch, links: Sequence[LinkId], at_ms: int) -> Batch:
        """Look at these links again at this time."""
        for some in _pieces(links):
            batch.write(
                "ZADD", self._keys.named("timers"), *(word for link in some for word in (at_ms, link))
            )
        return batch

    def add_taken(self, batch: Batch, link: LinkId, ts: Ts) -> Batch:
        """Record that the link has received a message."""
        key = self._keys.link(link, "taken")
        batch.write_expiring(TAKEN_MESSAGE_TTL_MS, "ZADD", key, ts, ts)
        return batch.write("ZREMRANGEBYRANK", key, 0, -MAX_TAKEN_MESSAGES - 1)

    def mark_claimed(self, batch: Batch, delivery: str) -> Batch:
        """Mark a message as claimed before it arrives, so that it is not claimed again when it does."""
        return batch.write_expiring(
            DELIVERY_CLAIM_TTL_MS, "SET", self._keys.named("claim", "message", delivery), "1"
        )

    def write_receipt(self, batch: Batch, link: LinkId, ts: Ts, reaction: str) -> Batch:
        """Remember the reaction that a reply has."""
        key = self._keys.link(link, "receipts")
        return batch.write_expiring(RECEIPT_TTL_MS, "HSET", key, ts, reaction).keep_newest(
            key, MAX_MARKED_REPLIES
        )

    def hold_replies(self, batch: Batch, link: LinkId, hold: Hold) -> Batch:
        """Set aside the replies written before the hold, until a person decides on them."""
        self.set_field(batch, link, "hold", hold.model_dump_json())
        held = self._keys.named("held", link)
        batch.hold(to_coder(link), held, REPLY_ID_PREFIX, LANE_WIDTH, no_agent_score(hold.at))
        return batch.hold(to_coder(link), held, REPLY_ID_PREFIX, 2 * LANE_WIDTH, input_score(hold.at))

    def hold_reply(self, batch: Batch, link: LinkId, score: int) -> Batch:
        """Set aside one reply that came late, with those that the hold already keeps."""
        return batch.hold(to_coder(link), self._keys.named("held", link), REPLY_ID_PREFIX, score, score)

    def keep_reply(self, batch: Batch, link: LinkId, job_id: str, work: Reply) -> Batch:
        """Keep a reply that was not delivered, so that its button can send it again."""
        key = self._keys.reply(link, job_id)
        return batch.write_expiring(KEPT_REPLY_TTL_MS, "SET", key, work.model_dump_json())

    def forget_reply(self, batch: Batch, link: LinkId, job_id: str) -> Batch:
        """Forget a kept reply on which a person has decided.

        Its dead letter goes too, so that it is not sent again.
        """
        batch.write("DEL", self._keys.reply(link, job_id))
        return dead_letters.remove_dead_letter(
            batch, self._keys, dead_letters.dead_letter_id(to_coder(link), job_id)
        )

    def add_question(self, batch: Batch, link: LinkId, question_id: str, place: str) -> Batch:
        """Remember where a question was posted."""
        return batch.write_expiring(
            ENDED_LINK_TTL_MS, "HSET", self._keys.link(link, "questions"), question_id, place
        )

    def remove_question(self, batch: Batch, link: LinkId, question_id: str) -> Batch:
        """Forget a question that is settled."""
        return batch.write("HDEL", self._keys.link(link, "questions"), question_id)

    def release_held(self, batch: Batch, link: LinkId) -> Batch:
        """Bring the held replies back, each in its old place."""
        self.remove_field(batch, link, "hold")
        self.remove_field(batch, link, "waits_for_resume")
        return batch.unhold(to_coder(link), self._keys.named("held", link))

    def replace_held(self, batch: Batch, link: LinkId, job: Job, score: int) -> Batch:
        """Replace a reply among those that a pause holds."""
        return batch.write("HSET", self._keys.named("held", link), job.id, f"{score} {job.model_dump_json()}")

    def drop_held(self, batch: Batch, link: LinkId, *job_ids: str) -> Batch:
        """Forget all held replies, or these. The pause that holds them goes on."""
        held = self._keys.named("held", link)
        return batch.write("HDEL", held, *job_ids) if job_ids else batch.write("DEL", held)

    def mark_delivered(self, batch: Batch, link: LinkId, ts: Ts, told: str = "") -> Batch:
        """Remember that the agent has a reply, and what the thread was told of its later changes."""
        key = self._keys.link(link, "delivered")
        return batch.write_expiring(RECEIPT_TTL_MS, "HSET", key, ts, told).keep_newest(
            key, MAX_MARKED_REPLIES
        )

    def end(self, batch: Batch, record: LinkRecord, why: str) -> Batch:
        """End a link. It is remembered for 30 days, and its task is not polled any more."""
        self.set_field(batch, record.id, "ended", why)
        batch.write("PEXPIRE", self._keys.link(record.id), ENDED_LINK_TTL_MS)
        batch.write("ZREM", self._keys.named("timers"), record.id)
        batch.write("DEL", self._keys.named("held", record.id))
        batch.write("HDEL", self._keys.named("shared"), record.id)
        if record.owner_slack is not None:
            batch.write("ZREM", self._keys.named("links_of", record.owner_slack), record.id)
        if record.task_id is not None:
            batch.write("HDEL", self._keys.named("links"), record.task_id)
        root = record.thread_ts or record.root_ts
        if root is not None:
            thread = self._keys.named("thread", f"{record.channel}:{root}")
            if why == "failed" and record.root_ts is not None:
                # Another mention in this discussion may ask for a task again.
                batch.write("DEL", thread)
            else:
                batch.write("PEXPIRE", thread, ENDED_LINK_TTL_MS)
        return batch

    def end_as_gone(self, batch: Batch, record: LinkRecord, now_ms: int) -> Batch:
        """End a link whose task is gone. For 30 days the link comes back if its task does."""
        self.end(batch, record, "gone")
        if record.task_id is None or record.thread_ts is None:
            return batch
        gone = self._keys.named("gone_task", record.task_id)
        return batch.write_expiring(ENDED_LINK_TTL_MS, "SET", gone, f"{record.id} {now_ms}")
