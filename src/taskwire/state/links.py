"""Reads links from Redis: the record of each link, the state of its task, and its timers.

`link_writes.py` writes links. `observations.py` writes what was last seen of a task.
"""

from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, cast

from pydantic import BaseModel, ValidationError

from taskwire.domain.ids import ChannelId, LinkId, TaskId, ThreadRef, Ts, UserId
from taskwire.domain.lifecycle.events import TimerFired
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Hold, Link, LinkEnd, LinkRecord, PauseLine
from taskwire.domain.lifecycle.phases import Observation
from taskwire.domain.queueing.jobs import ApplyEvent, Job
from taskwire.domain.queueing.queues import (
    QueueName,
    get_link_id,
    to_coder,
)
from taskwire.queue.leases import intent_place
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, find_missing_key, read, read_if_possible, read_partially
from taskwire.redis.keys import Keys
from taskwire.sealing import CannotOpen, KeyMissing, open_text
from taskwire.telemetry import logger

# How many links one exchange with Redis reads or writes. The exchange takes two or three milliseconds.
LINKS_PER_EXCHANGE = 50
# How many links of one person are read.
MOST_LINKS_OF_PERSON = 200
# The fields of a link that are texts or give rights. They are sealed for the link. The values of the other
# fields contain their own seals, which are bound to the link too, or give no rights.
_TEXTS = frozenset({"failure", "build_failure", "cursor", "moved_to"})
SEALED_FIELDS = _TEXTS | {"shares"}

M = TypeVar("M", bound=BaseModel)

_log = logger("taskwire.state.links")
_FIRE_TIMERS = load_script("state/links.fire_timers")


class LinkThread(NamedTuple):
    """A link's thread.

    `news` is a time in seconds since 1970. It is the latest of three times: when the thread began, when the
    agent last reported, and when the agent last got input.
    """

    link: LinkId
    thread: ThreadRef
    news: float
    is_held: bool


class GoneTask(NamedTuple):
    """A link that ended because its task was gone. `at_ms` is when the link ended."""

    link: LinkId
    at_ms: int


class LinkOwner(NamedTuple):
    """The owner of a link's task: the person in Slack, if known, and the Coder user."""

    person: UserId | None
    user_id: str


def get_owner(record: LinkRecord) -> LinkOwner:
    """Return the owner of a link's task, as its record names them."""
    return LinkOwner(record.owner_slack, record.owner_id)


class Links:
    """The links of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        # Tasks with their open links, as the records of the links confirm them. A link never changes its
        # task.
        self._confirmed: dict[TaskId, LinkId] = {}
        # Wrong entries of the maps that are in the log already.
        self._reported: set[tuple[str, LinkId]] = set()
        self._fire_timers = Script(connections.commands, keys, clock, _FIRE_TIMERS, connections.write_log)

    async def find(self, link_id: LinkId) -> Link | None:
        """Find a link, open or ended.

        Raises CannotRead if a newer version of Taskwire has written the link.
        """
        fields = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.link(link_id)))
        return _read_link(link_id, fields) if "record" in fields else None

    async def find_by_task(self, task_id: TaskId) -> Link | None:
        """Find the open link of a task; None if the task has no open link.

        Raises CannotRead if a newer version of Taskwire has written the link.
        """
        link_id = await cast("Awaitable[str | None]", self._redis.hget(self._keys.named("links"), task_id))
        link = await self.find(LinkId(link_id)) if link_id else None
        return link if link is None or self._is_about(link.record, task_id) else None

    async def find_by_thread(self, thread: ThreadRef) -> LinkId | None:
        """Find the id of a thread's link, open or ended; None if the thread has no link.

        Raises CannotRead if a newer version of Taskwire has written the link.
        """
        where = f"{thread.channel}:{thread.ts}"
        found = await self._redis.get(self._keys.named("thread", where))
        link = LinkId(str(found)) if found else None
        stored = await self._find_record_text(link) if link is not None else None
        record = read(LinkRecord.model_validate_json, stored) if stored else None
        if record is None or link is None:
            return None
        return link if self._is_right(where, link, record.id == link and record.had_thread(where)) else None

    async def list_open(self, *, includes_unreadable: bool = False) -> dict[TaskId, LinkId]:
        """Return the open link of each task that has one.

        Links that this version cannot read are only returned with `includes_unreadable`. It is not certain
        that such a link belongs to the task.
        """
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.named("links")))
        stored = {TaskId(task): LinkId(link) for task, link in found.items()}
        confirmed = {task: link for task, link in stored.items() if self._confirmed.get(task) == link}
        new, unreadable = [task for task in stored if task not in confirmed], dict[TaskId, LinkId]()
        read_next = iter(new)
        async for link, text in self._of_each((stored[task] for task in new), "HGET", "record"):
            task, record = next(read_next), _find_record(link, text)
            if record is None:
                unreadable[task] = link
            elif self._is_about(record, task):
                confirmed[task] = link
        self._confirmed = confirmed
        self._reported &= stored.items()
        return confirmed | unreadable if includes_unreadable else dict(confirmed)

    async def list_gone(self, tasks: Iterable[TaskId]) -> Mapping[TaskId, GoneTask]:
        """Return, for each of these tasks, the link that ended because the task was gone.

        Ended links are stored for a limited time only. A task without such a link is left out.
        """
        wanted = list(tasks)
        if not wanted:
            return {}
        found = await self._redis.mget([self._keys.named("gone_task", task) for task in wanted])
        texts = zip(wanted, cast("list[str | None]", found), strict=True)
        rows = {task: text.split() for task, text in texts if text}
        gone = {task: GoneTask(LinkId(link), int(at)) for task, (link, at) in rows.items()}
        links = await self.list_links(each.link for each in gone.values())
        return {
            task: each
            for task, each in gone.items()
            if each.link in links and self._is_about(links[each.link].record, task)
        }

    async def list_gone_shared(self) -> list[Link]:
        """List the links that ended because their task was gone, and whose task is still shared.

        If the task is there again, its shares are in force again.
        """
        stored = cast("list[str]", await self._redis.zrange(self._keys.named("gone_shared"), 0, -1))
        found = (await self.list_links(LinkId(link) for link in stored)).values()
        return [link for link in found if link.end_reason == "gone" and link.shares]

    async def list_of(self, owner: UserId) -> list[Link]:
        """List the open links of a person's tasks, the newest first. List at most `MOST_LINKS_OF_PERSON`."""
        key = self._keys.named("links_of", owner)
        newest = cast("list[str]", await self._redis.zrange(key, 0, MOST_LINKS_OF_PERSON - 1, desc=True))
        found = (await self.list_links(LinkId(link) for link in newest)).values()
        return [link for link in found if link.end_reason is None and link.record.owner_slack == owner]

    async def list_links(self, link_ids: Iterable[LinkId]) -> dict[LinkId, Link]:
        """Read many links, with the number of their held replies.

        Links that do not exist or that only a newer version can read are left out.
        """
        read = self._of_each(link_ids, "HGETALL")
        found = {
            link: _read_link_if_possible(link, fields) async for link, fields in read if "record" in fields
        }
        links = {link: each for link, each in found.items() if each is not None}
        for link, count in (await self._count_held(links)).items():
            links[link] = links[link].model_copy(update={"held_count": count})
        return links

    async def _count_held(self, links: Mapping[LinkId, Link]) -> dict[LinkId, int]:
        """Return how many replies wait for a person's decision, for each link where some may wait."""
        holding = [link for link, each in links.items() if each.hold is not None or each.waits_for_resume]
        if not holding:
            return {}
        async with self._redis.pipeline(transaction=False) as pipe:
            for link in holding:
                pipe.hlen(self._keys.named("held", link))
            return dict(zip(holding, cast("list[int]", await pipe.execute()), strict=True))

    async def list_shares(self) -> dict[LinkId, tuple[str, ...]]:
        """Map each open link whose task is shared to the people and groups with whom the task is shared."""
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(self._keys.named("shared")))
        opened = {LinkId(link): _open_shares(link, shares) for link, shares in found.items()}
        return {link: shares for link, shares in opened.items() if shares}

    async def list_channels(self, link_ids: Iterable[LinkId]) -> dict[LinkId, ChannelId]:
        """Return the channel of each link's thread, even if the thread does not exist yet."""
        return {link: record.channel for link, record in (await self.list_records(link_ids)).items()}

    async def list_owners(self, link_ids: Iterable[LinkId]) -> dict[LinkId, LinkOwner]:
        """Return the owner of each link's task."""
        return {link: get_owner(record) for link, record in (await self.list_records(link_ids)).items()}

    async def list_records(self, link_ids: Iterable[LinkId]) -> dict[LinkId, LinkRecord]:
        """Return the record of each link."""
        read = self._of_each(link_ids, "HGET", "record")
        records = {link: _find_record(link, record) async for link, record in read}
        return {link: record for link, record in records.items() if record is not None}

    async def list_threads(self, link_ids: Iterable[LinkId]) -> list[LinkThread]:
        """List the threads of these links. The threads with the latest news come first.

        News is a report of the agent, an input for the agent, or the start of the thread.
        """
        found, read = [], self._of_each(link_ids, "HMGET", "record", "seen_ms", "last_input", "hold")
        async for link, (record, seen_ms, told, hold) in read:
            known = _find_record(link, record)
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

    def _is_about(self, record: LinkRecord, task_id: TaskId) -> bool:
        """Return whether this is the record of the task's link.

        The maps from tasks and threads to links are not signed, so somebody may have written another link
        into them. The records of the links are signed.
        """
        return self._is_right(task_id, record.id, record.task_id == task_id)

    def _is_right(self, name: str, link: LinkId, is_right: bool) -> bool:
        """Return `is_right`. Log the first sight of a task or thread that leads to a link of another one."""
        if not is_right and (name, link) not in self._reported:
            self._reported.add((name, link))
            _log.error(
                "a task's or thread's stored entry names the link of another, ignored", entry=name, link=link
            )
        return is_right

    async def _find_record_text(self, link_id: LinkId) -> str | None:
        return await cast("Awaitable[str | None]", self._redis.hget(self._keys.link(link_id), "record"))

    async def _of_each(self, link_ids: Iterable[LinkId], command: str, *fields: str) -> AsyncIterator[Any]:
        """Run a Redis command for each link, and yield each link's id with the answer.

        Run the command for a few links at a time, so that other calls run in between.
        """
        for piece in split_links(link_ids):
            async with self._redis.pipeline(transaction=False) as pipe:
                for link_id in piece:
                    pipe.execute_command(command, self._keys.link(link_id), *fields)
                answers = await pipe.execute()
            for answered in zip(piece, answers, strict=True):
                yield answered

    async def count_followed(self, now_ms: int) -> int:
        """Return how many links have a message that shows the agent's output now."""
        return len(await self._redis.zrangebyscore(self._keys.named("followed"), now_ms, "+inf"))

    async def fire_timers(self) -> int:
        """Append a job for each link whose timer is due. Return the number of these links."""
        job = Job(id="time", work=ApplyEvent(event=TimerFired()))
        return cast(
            "int", await self._fire_timers(job.model_dump_json().replace('"id":"time"', '"id":"time:@TIME@"'))
        )

    async def list_taken(self, link_id: LinkId) -> list[Ts]:
        """List the ts of the messages that this link has received, the oldest first."""
        taken = self._redis.zrange(self._keys.link(link_id, "taken"), 0, -1)
        return [Ts(ts) for ts in cast("list[str]", await taken)]

    async def find_receipt(self, link_id: LinkId, ts: Ts) -> str:
        """Return the reaction of a reply; empty if the reply has none.

        While the reaction is being changed, return all reactions that the reply may have.
        """
        found = self._redis.hget(self._keys.link(link_id, "receipts"), ts)
        return await cast("Awaitable[str | None]", found) or ""

    async def find_delivered(self, link_id: LinkId, ts: Ts) -> str | None:
        """Return what the thread was told about later changes of a delivered reply.

        The text is empty if the thread was told nothing. The result None means that the reply was not
        delivered, or that its delivery is no longer stored.
        """
        found = self._redis.hget(self._keys.link(link_id, "delivered"), ts)
        return await cast("Awaitable[str | None]", found)

    async def list_closed(self, channel: ChannelId) -> list[LinkId]:
        """List the links of this channel in whose threads the bot cannot post."""
        found = self._redis.hkeys(self._keys.named("closed", channel))
        return [LinkId(link) for link in await cast("Awaitable[list[str]]", found)]

    async def find_question(self, link_id: LinkId, question_id: str) -> str | None:
        """Find where this question was posted, as JSON; None if the question is settled."""
        found = self._redis.hget(self._keys.link(link_id, "questions"), question_id)
        return await cast("Awaitable[str | None]", found)

    async def list_questions(self, link_id: LinkId) -> list[str]:
        """List the ids of the open questions of a link."""
        found = self._redis.hkeys(self._keys.link(link_id, "questions"))
        return await cast("Awaitable[list[str]]", found)

    async def list_held(self, link_id: LinkId) -> list[Job]:
        """List the jobs that a pause holds, in order.

        If only a newer version can read a job, the job is left out. A reply is listed even then, with the
        fields that this version knows.
        """
        found = self._redis.hgetall(self._keys.named("held", link_id))
        held = await cast("Awaitable[dict[str, str]]", found)
        scored = sorted((entry.partition(" ") for entry in held.values()), key=lambda part: float(part[0]))
        return _jobs(to_coder(link_id), (body for _, _, body in scored))

    async def find_held(self, link_id: LinkId, job_id: str) -> list[Job]:
        """Find a job that a pause holds by its id. The list is empty if there is no such job."""
        held = self._redis.hget(self._keys.named("held", link_id), job_id)
        entry = await cast("Awaitable[str | None]", held)
        return _jobs(to_coder(link_id), [entry.partition(" ")[2]] if entry else [])

    async def find_attempted(self, link_id: LinkId) -> tuple[Job, str] | None:
        """Find the job in a link's `to_coder` queue whose attempt has an unknown outcome.

        Return the job and its intent record. Return None if there is no such job, or if only a newer version
        can read the job. Raises CannotRead if the intent record cannot be opened.
        """
        base = self._keys.named("queue", to_coder(link_id))
        read = self._redis.hmget(f"{base}:state", ["attempt_job", "attempt"])
        job_id, note = await cast("Awaitable[list[str | None]]", read)
        if not job_id:
            return None
        body = await cast("Awaitable[str | None]", self._redis.hget(f"{base}:jobs", f"body|{job_id}"))
        job = read_if_possible(Job, body, to_coder(link_id))
        if job is None:
            return None
        try:
            return job, open_text(note or "", intent_place(to_coder(link_id), job_id))
        except CannotOpen as error:
            raise CannotRead(error) from error

    async def list_waiting(self, link_id: LinkId) -> list[Job]:
        """List the jobs in a link's `to_coder` queue, in order."""
        return await self.list_jobs(to_coder(link_id))

    async def find_waiting(self, link_id: LinkId, job_id: str) -> list[Job]:
        """Find a job in a link's `to_coder` queue by its id. The list is empty if there is no such job."""
        name = to_coder(link_id)
        jobs = self._keys.named("queue", name, "jobs")
        body = await cast("Awaitable[str | None]", self._redis.hget(jobs, f"body|{job_id}"))
        return _jobs(name, [body] if body else [])

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
        return _jobs(name, (body for body in bodies if body))

    async def find_missing_key(self, name: QueueName, job_id: str) -> str:
        """Return the id of the encryption key that a job needs and that is missing.

        Return an empty text if no key is missing.
        """
        jobs = self._keys.named("queue", name, "jobs")
        body = await cast("Awaitable[str | None]", self._redis.hget(jobs, f"body|{job_id}"))
        return find_missing_key(body) if body else ""

    async def count_jobs(self, name: QueueName) -> int:
        """Return how many jobs a queue has. Unreadable jobs count too."""
        return int(await self._redis.zcard(self._keys.named("queue", name, "order")))

    async def is_empty(self, name: QueueName) -> bool:
        """Return whether a queue has no jobs at all, not even unreadable ones."""
        return not await self.count_jobs(name)


def _open_shares(link: str, stored: str) -> tuple[str, ...]:
    """Return with whom a task is shared. Return nobody if this deployment did not write the shares."""
    try:
        return tuple(open_text(stored, f"{link} shares").split())
    except KeyMissing:
        raise
    except CannotOpen as error:
        _log.warning("shares cannot be decrypted, task treated as not shared", link=link, why=str(error))
        return ()


def _jobs(queue: QueueName, bodies: Iterable[str]) -> list[Job]:
    found = (read_partially(body, queue) for body in bodies)
    return [job for job in found if job is not None]


def split_links(link_ids: Iterable[LinkId]) -> Iterator[list[LinkId]]:
    """Split many links into groups that are small enough for one exchange with Redis."""
    wanted = list(link_ids)
    for start in range(0, len(wanted), LINKS_PER_EXCHANGE):
        yield wanted[start : start + LINKS_PER_EXCHANGE]


def _find_record(link: LinkId, stored: str | None) -> LinkRecord | None:
    """Return the record of a link; None if it is missing, unreadable, or the record of another link."""
    record = read_if_possible(LinkRecord, stored)
    return record if record is not None and record.id == link else None


def _read_link(link: LinkId, fields: dict[str, str]) -> Link:
    """Read a link.

    Raise CannotRead if a newer version of Taskwire has written the link, or if a part of it was written for
    another link.
    """
    try:
        record = LinkRecord.model_validate_json(fields["record"])
        seen = Observation.model_validate_json(fields["seen"]) if "seen" in fields else None
        if record.id != link or (seen is not None and seen.task_id != record.task_id):
            raise CannotOpen("it was encrypted for another link")
        texts = {name: open_text(fields.get(name, ""), f"{record.id} {name}") for name in _TEXTS}
        return Link(
            record=record,
            state=_read_field(LinkState, link, fields, "state") or LinkState(),
            observation=seen,
            hold=_read_field(Hold, link, fields, "hold"),
            pause_line=_read_field(PauseLine, link, fields, "pause_line"),
            end_reason=cast("LinkEnd | None", fields.get("ended")),
            failure=texts["failure"],
            moved_to=texts["moved_to"],
            build_failure=texts["build_failure"],
            is_muted="muted" in fields,
            watchers=tuple(UserId(person) for person in fields.get("watchers", "").split()),
            shares=_open_shares(record.id, fields.get("shares", "")),
            is_mention_only="mention_only" in fields,
            every_reply_since=Ts(fields["every_reply_since"]) if "every_reply_since" in fields else None,
            waits_for_resume="waits_for_resume" in fields,
            has_moved="moved" in fields,
            maybe_moved_since=Ts(fields["maybe_moved"]) if "maybe_moved" in fields else None,
            closed_error=fields.get("closed_error", ""),
            cursor=texts["cursor"],
            drawn_card=fields.get("drawn_card", ""),
            told_home=fields.get("told_home", ""),
            last_input_ts=Ts(fields["last_input"]) if "last_input" in fields else None,
            follow_until_ms=int(fields.get("follow", 0)),
            session=fields.get("session", ""),
            menu_used=Ts(fields["menu_used"]) if "menu_used" in fields else None,
            opened_ms=int(fields.get("opened", 0)),
            pending=fields.get("pending", ""),
        )
    except (ValidationError, CannotOpen) as error:
        raise CannotRead(error) from error


def _read_field(kind: type[M], link: LinkId, fields: dict[str, str], name: str) -> M | None:
    return kind.model_validate_json(fields[name], context=link) if name in fields else None


def _read_link_if_possible(link: LinkId, fields: dict[str, str]) -> Link | None:
    """Read a link. Return None if only a newer version of Taskwire can read the link."""
    try:
        return _read_link(link, fields)
    except CannotRead:
        return None
