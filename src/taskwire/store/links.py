"""Links in Redis: what each is, what is known and told of it, and when to look at it again.

What was last seen of its task is written by `sweeps` alone; all else by the steps that end jobs.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from typing import Any, cast

from taskwire.model.changes import Story, TimeCame
from taskwire.model.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts
from taskwire.model.jobs import LANE, REPLY, Happened, Job, ListName, Reply, in_turn, soon, steer
from taskwire.model.links import Bond, Hold, Link, LinkEnd
from taskwire.model.phases import Observation
from taskwire.store import letters
from taskwire.store.claims import CLAIM_MS
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.scripts import Clock, Script
from taskwire.store.steps import Step

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

_COME = """
local times, count = prefix .. 'times', 0
for _, link in ipairs(redis.call('ZRANGEBYSCORE', times, '-inf', whole(now), 'LIMIT', 0, 200)) do
  redis.call('ZREM', times, link)
  put('tell:' .. link, 'time:' .. whole(now), 'next', '0', 'new', (ARGV[3]:gsub('@TIME@', whole(now))))
  count = count + 1
end
return count
"""


class Links:
    """The links of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._come = Script(connections.commands, keys, clock, _COME)

    async def find(self, link_id: LinkId) -> Link | None:
        """The link of this id, ended or not."""
        fields = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.link(link_id)))
        return _link(fields) if "bond" in fields else None

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
        """Many links at once."""
        read = self._of_each(link_ids, "HGETALL")
        return {link: _link(fields) async for link, fields in read if "bond" in fields}

    async def list_channels(self, link_ids: Iterable[LinkId]) -> dict[LinkId, ChannelId]:
        """In which channel the thread of each of these links is, or will be."""
        read = self._of_each(link_ids, "HGET", "bond")
        return {link: Bond.model_validate_json(bond).channel async for link, bond in read if bond}

    async def sort_by_news(self, link_ids: Iterable[LinkId]) -> list[LinkId]:
        """These links, those first whose agent has said something last, or was told something."""
        read = self._of_each(link_ids, "HMGET", "seen_ms", "last_input")
        last = {link: max(float(seen or 0), float(told or 0) * 1000) async for link, (seen, told) in read}
        return sorted(last, key=last.__getitem__, reverse=True)

    async def _of_each(self, link_ids: Iterable[LinkId], command: str, *fields: str) -> AsyncIterator[Any]:
        """Ask for something of each; a few at a time, so that others get their turn in between."""
        for piece in _pieces(link_ids):
            async with self._redis.pipeline(transaction=False) as pipe:
                for link_id in piece:
                    pipe.execute_command(command, self._keys.link(link_id), *fields)
                answers = await pipe.execute()
            for read in zip(piece, answers, strict=True):
                yield read

    async def come(self) -> int:
        """Append the times that have come to their links; returns how many."""
        job = Job(id="time", work=Happened(event=TimeCame()))
        return cast(
            "int", await self._come(job.model_dump_json().replace('"id":"time"', '"id":"time:@TIME@"'))
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

    async def list_held(self, link_id: LinkId) -> list[Job]:
        """The jobs that a pause holds, in their order."""
        found = self._redis.hgetall(self._keys.named("held", link_id))
        held = await cast("Awaitable[dict[str, str]]", found)
        scored = sorted((entry.partition(" ") for entry in held.values()), key=lambda part: float(part[0]))
        return [Job.model_validate_json(body) for _, _, body in scored]

    async def find_attempted(self, link_id: LinkId) -> tuple[Job, str] | None:
        """The job of a link's steer list of whose attempt nobody knows yet how it ended, with its note."""
        base = self._keys.named("list", steer(link_id))
        read = self._redis.hmget(f"{base}:state", ["attempt_job", "attempt"])
        job_id, note = await cast("Awaitable[list[str | None]]", read)
        if not job_id:
            return None
        body = await cast("Awaitable[str | None]", self._redis.hget(f"{base}:jobs", f"b|{job_id}"))
        return (Job.model_validate_json(body), note or "") if body else None

    async def list_waiting(self, link_id: LinkId) -> list[Job]:
        """The jobs in a link's steer list, in their order."""
        return await self.list_jobs(steer(link_id))

    async def list_jobs(self, name: ListName) -> list[Job]:
        """The jobs in a list, in their order."""
        base = self._keys.named("list", name)
        order = cast("list[str]", await self._redis.zrange(f"{base}:order", 0, -1))
        if not order:
            return []
        names = [f"b|{job}" for job in order]
        bodies = await cast("Awaitable[list[str | None]]", self._redis.hmget(f"{base}:jobs", names))
        return [Job.model_validate_json(body) for body in bodies if body]


def _pieces(link_ids: Iterable[LinkId]) -> Iterator[list[LinkId]]:
    wanted = list(link_ids)
    for start in range(0, len(wanted), PIECE):
        yield wanted[start : start + PIECE]


def _link(fields: dict[str, str]) -> Link:
    return Link(
        bond=Bond.model_validate_json(fields["bond"]),
        story=Story.model_validate_json(fields["story"]) if "story" in fields else Story(),
        seen=Observation.model_validate_json(fields["seen"]) if "seen" in fields else None,
        hold=Hold.model_validate_json(fields["hold"]) if "hold" in fields else None,
        ended=cast("LinkEnd | None", fields.get("ended")),
        failure=fields.get("failure", ""),
        is_muted="muted" in fields,
        has_moved="moved" in fields,
        maybe_moved_since=Ts(fields["maybe_moved"]) if "maybe_moved" in fields else None,
        closed=fields.get("closed", ""),
        cursor=fields.get("cursor", ""),
        drawn=fields.get("drawn", ""),
        last_input_ts=Ts(fields["last_input"]) if "last_input" in fields else None,
    )


class LinkSteps:
    """What a step may write about links; adds to a step, carries nothing out."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def bond(self, step: Step, bond: Bond) -> Step:
        """Write what a link is."""
        return step.write("HSET", self._keys.link(bond.id), "bond", bond.model_dump_json())

    def bare(self, step: Step, bond: Bond) -> Step:
        """Write what a task without a thread is, for as long as something asked of it takes."""
        return step.write_expiring(BARE_MS, "HSET", self._keys.link(bond.id), "bond", bond.model_dump_json())

    def thread(self, step: Step, bond: Bond) -> Step:
        """Let the link's thread be known, and take over what was said in it before."""
        where = f"{bond.channel}:{bond.thread_ts}"
        step.write("SET", self._keys.named("thread", where), bond.id)
        return step.adopt(self._keys.named("kept", where), bond.id)

    def take_over(self, step: Step, thread: ThreadRef, link: LinkId) -> Step:
        """Let a link take over what was said in its thread while that was not known."""
        return step.adopt(self._keys.named("kept", f"{thread.channel}:{thread.ts}"), link)

    def moved(self, step: Step, bond: Bond, ts: Ts) -> Step:
        """Give the link a new thread; the old one leads to it for as long as an ended one would."""
        self.field(step, bond.id, "moved", f"{bond.thread_ts}")
        step.write("PEXPIRE", self._keys.named("thread", f"{bond.channel}:{bond.thread_ts}"), ENDED_MS)
        moved = bond.model_copy(update={"thread_ts": ts})
        return self.thread(self.bond(step, moved), moved)

    def closed(self, step: Step, bond: Bond, code: str) -> Step:
        """Note that nothing can be posted in the link's thread, for when its channel is open again."""
        self.field(step, bond.id, "closed", code)
        return step.write_expiring(CLOSED_MS, "HSET", self._keys.named("closed", bond.channel), bond.id, code)

    def reopened(self, step: Step, bond: Bond) -> Step:
        """Note that the link's thread takes messages again."""
        self.no_field(step, bond.id, "closed")
        return step.write("HDEL", self._keys.named("closed", bond.channel), bond.id)

    def task(self, step: Step, bond: Bond) -> Step:
        """Let the link's task be known to the sweep."""
        return step.write("HSET", self._keys.named("links"), str(bond.task_id), bond.id)

    def field(self, step: Step, link: LinkId, name: str, value: str) -> Step:
        """Write one of a link's fields."""
        return step.write("HSET", self._keys.link(link), name, value)

    def no_field(self, step: Step, link: LinkId, name: str) -> Step:
        """Remove one of a link's fields."""
        return step.write("HDEL", self._keys.link(link), name)

    def story(self, step: Step, link: LinkId, story: Story, look_at_ms: int | None) -> Step:
        """Write what is known and told of a link, and when to look again."""
        self.field(step, link, "story", story.model_dump_json())
        if look_at_ms is None:
            return step.write("ZREM", self._keys.named("times"), link)
        return step.write("ZADD", self._keys.named("times"), look_at_ms, link)

    def taken(self, step: Step, link: LinkId, ts: Ts) -> Step:
        """Remember that a message was taken."""
        key = self._keys.link(link, "taken")
        step.write_expiring(TAKEN_MS, "ZADD", key, ts, ts)
        return step.write("ZREMRANGEBYRANK", key, 0, -TAKEN - 1)

    def claimed(self, step: Step, delivery: str) -> Step:
        """Take a message that has not arrived yet for taken: what follows from it is known already."""
        return step.write_expiring(CLAIM_MS, "SET", self._keys.named("claim", "message", delivery), "1")

    def receipt(self, step: Step, link: LinkId, ts: Ts, reaction: str) -> Step:
        """Remember the reaction that a reply has."""
        key = self._keys.link(link, "receipts")
        return step.write_expiring(RECEIPTS_MS, "HSET", key, ts, reaction).keep_newest(key, MARKED)

    def hold(self, step: Step, link: LinkId, hold: Hold) -> Step:
        """Put the replies written before the hold aside until a person says what to do with them."""
        self.field(step, link, "hold", hold.model_dump_json())
        held = self._keys.named("held", link)
        step.hold(steer(link), held, REPLY, LANE, soon(hold.at))
        return step.hold(steer(link), held, REPLY, 2 * LANE, in_turn(hold.at))

    def set_aside(self, step: Step, link: LinkId, score: int) -> Step:
        """Put one late-coming reply with those that the hold already keeps."""
        return step.hold(steer(link), self._keys.named("held", link), REPLY, score, score)

    def keep_reply(self, step: Step, link: LinkId, job_id: str, work: Reply) -> Step:
        """Keep a reply that was not delivered, so that its button can send it again."""
        key = self._keys.reply(link, job_id)
        return step.write_expiring(KEPT_REPLY_MS, "SET", key, work.model_dump_json())

    def forget_reply(self, step: Step, link: LinkId, job_id: str) -> Step:
        """Forget a kept reply: it has been decided on, and no dead letter of it is to be sent again."""
        step.write("DEL", self._keys.reply(link, job_id))
        return letters.unbury(step, self._keys, letters.id_of(steer(link), job_id))

    def unhold(self, step: Step, link: LinkId) -> Step:
        """Bring the held replies back, each in its old place."""
        self.no_field(step, link, "hold")
        return step.unhold(steer(link), self._keys.named("held", link))

    def rehold(self, step: Step, link: LinkId, job: Job, score: int) -> Step:
        """Replace a reply among those that a pause holds."""
        return step.write("HSET", self._keys.named("held", link), job.id, f"{score} {job.model_dump_json()}")

    def drop_held(self, step: Step, link: LinkId, *job_ids: str) -> Step:
        """Forget the held replies, all or these; the pause that holds them goes on."""
        held = self._keys.named("held", link)
        return step.write("HDEL", held, *job_ids) if job_ids else step.write("DEL", held)

    def delivered(self, step: Step, link: LinkId, ts: Ts, told: str = "") -> Step:
        """Remember that the agent has a reply, and what the thread was told of its later changes."""
        key = self._keys.link(link, "delivered")
        return step.write_expiring(RECEIPTS_MS, "HSET", key, ts, told).keep_newest(key, MARKED)

    def ends(self, step: Step, bond: Bond, why: str) -> Step:
        """End a link: it is remembered for 30 days and watched no more."""
        self.field(step, bond.id, "ended", why)
        step.write("PEXPIRE", self._keys.link(bond.id), ENDED_MS)
        step.write("ZREM", self._keys.named("times"), bond.id)
        step.write("DEL", self._keys.named("held", bond.id))
        if bond.task_id is not None:
            step.write("HDEL", self._keys.named("links"), bond.task_id)
        if bond.thread_ts is not None:
            step.write("PEXPIRE", self._keys.named("thread", f"{bond.channel}:{bond.thread_ts}"), ENDED_MS)
        return step

    def gone(self, step: Step, bond: Bond, now_ms: int) -> Step:
        """End a link whose task is gone; for 30 days it comes back with its task."""
        self.ends(step, bond, "gone")
        if bond.task_id is None or bond.thread_ts is None:
            return step
        gone = self._keys.named("gone", bond.task_id)
        return step.write_expiring(ENDED_MS, "SET", gone, f"{bond.id} {now_ms}")
