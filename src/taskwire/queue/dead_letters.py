"""Dead letters: jobs that were given up. The operator can read them, send them again, or delete them.

A dead letter contains the stored text of its job. To send it again, its job is appended as a new job; the
handler then first checks whether the effect exists already. This module does not run jobs.
"""

import hashlib
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict

from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.lifecycle.phases import Observation
from taskwire.domain.queueing.display_jobs import Receipt
from taskwire.domain.queueing.jobs import (
    Act,
    ActRequested,
    ApplyEvent,
    Job,
    PostText,
    Reply,
    ReplyChanged,
    ShareFile,
)
from taskwire.domain.queueing.queues import get_kind, get_link_id
from taskwire.queue.batch import Batch
from taskwire.queue.leases import Acquired
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import read_if_possible
from taskwire.redis.keys import Keys

# A job whose body has more characters than this is not stored. A thousand dead letters must be only a small
# part of the store.
MAX_JOB_CHARS = 100_000

_UNKNOWN = "a newer version has written it, and this one cannot read it"

_SEND_AGAIN = load_script("queue/dead_letters.send_again")
_FORGET = load_script("queue/dead_letters.forget")

ResendResult = Literal["sent", "already_handled", "no_link", "decided", "unreadable", "too_long", "overtaken"]


class _StoredLetter(BaseModel):
    model_config = ConfigDict(extra="ignore")

    queue: str
    job_id: str
    reason: str
    at_ms: int
    body: str = ""
    since_ms: int = 0
    score: str = "next"
    # Whether the author of a reply got a button to send it again. The author and the operator can both send
    # the reply, but only once.
    is_offered_to_author: bool = True


class DeadLetter(NamedTuple):
    """One job that was given up, described for the operator."""

    id: str
    at: datetime
    kind: str
    name: str
    reason: str


class DeadLetters:
    """The dead letters of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._key = keys.named("dead_letters")
        self._order = keys.named("dead_letters", "order")
        self._forget = Script(connections.commands, keys, clock, _FORGET)
        self._send_again = Script(connections.commands, keys, clock, _SEND_AGAIN, connections.write_log)

    async def count(self) -> int:
        """Return the number of dead letters."""
        return await self._redis.zcard(self._order)

    async def list_ids(self) -> list[str]:
        """List the ids of all dead letters, the oldest first."""
        return cast("list[str]", await self._redis.zrange(self._order, 0, -1))

    async def find(self, letter_id: str) -> DeadLetter | None:
        """Find a dead letter by its id; None if there is no such letter."""
        found = await self._read(letter_id)
        if found is None:
            return None
        written = read_if_possible(_StoredLetter, found)
        if written is None:
            at_ms = await self._redis.zscore(self._order, letter_id) or 0
            return DeadLetter(letter_id, datetime.fromtimestamp(at_ms / 1000, UTC), "a job", "", _UNKNOWN)
        job = _read_job(written)
        kind = _kind(job) if job is not None else "a job"
        at = datetime.fromtimestamp(written.at_ms / 1000, UTC)
        return DeadLetter(letter_id, at, kind, await self._owner_name(written.queue), written.reason)

    async def list_ids_in(self, name: str, reason: str) -> list[str]:
        """List the ids of a queue's dead letters whose reason begins with `reason`."""
        found = []
        for letter_id in await self.list_ids():
            text = await self._read(letter_id)
            written = read_if_possible(_StoredLetter, text)
            if written is not None and written.queue == name and written.reason.startswith(reason):
                found.append(letter_id)
        return found

    async def find_newest(self) -> DeadLetter | None:
        """Find the dead letter of the job that was given up most recently; None if there is none."""
        newest = cast("list[str]", await self._redis.zrange(self._order, -1, -1))
        return await self.find(newest[0]) if newest else None

    async def send_again(self, letter_id: str) -> ResendResult:
        """Append the job of a dead letter to its queue again, and remove the dead letter.

        One Lua call does both. The result "sent" means that the job is in its queue now. Every other result
        says why nothing was sent; then the dead letter stays.
        """
        found = await self._read(letter_id)
        if found is None:
            return "already_handled"
        written = read_if_possible(_StoredLetter, found)
        if written is None:
            return "unreadable"
        if not written.body:
            return "too_long"
        job = _read_job(written)
        if job is None:
            return "unreadable"
        if isinstance(job.work, Receipt):
            return "overtaken"
        job = await self._with_latest_observation(written, job.without_tries(written.since_ms))
        body = job.model_dump_json(context=written.queue)
        words = (written.queue, job.id, _score(written, job), body)
        is_offered_to_author = isinstance(job.work, Reply) and written.is_offered_to_author
        reply = self._keys.reply(get_link_id(written.queue), job.id) if is_offered_to_author else ""
        link = get_link_id(written.queue) if _needs_link(written.queue, job) else ""
        return cast("ResendResult", await self._send_again(letter_id, found, *words, link, reply))

    async def forget(self, letter_id: str | None = None) -> int:
        """Remove one dead letter, or all if `letter_id` is None. Return how many were removed."""
        return cast("int", await self._forget(*([letter_id] if letter_id is not None else [])))

    async def _read(self, letter_id: str) -> str | None:
        return await cast("Awaitable[str | None]", self._redis.hget(self._key, letter_id))

    async def _owner_name(self, queue: str) -> str:
        """Return the name of the task or the id of the person that owns the queue."""
        kind, _, whose = queue.partition(":")
        if kind in ("intake", "handed_over_answers", "direct_messages", "channel_messages"):
            return whose
        kept = await cast("Awaitable[str | None]", self._redis.hget(self._keys.link(whose), "record"))
        record = read_if_possible(LinkRecord, kept)
        return record.name if record is not None else ""

    async def _with_latest_observation(self, written: _StoredLetter, job: Job) -> Job:
        """Return the job with the task's latest observation in place of an earlier observation."""
        if not isinstance(job.work, ApplyEvent) or not isinstance(job.work.event, Observed):
            return job
        key = self._keys.link(get_link_id(written.queue))
        kept = await cast("Awaitable[str | None]", self._redis.hget(key, "seen"))
        seen = read_if_possible(Observation, kept)
        if seen is None:
            return job
        event = job.work.event.model_copy(update={"observation": seen, "reports": ()})
        return job.model_copy(update={"work": ApplyEvent(event=event)})


def dead_letter_id(name: str, job_id: str) -> str:
    """Return the id of a job's dead letter. A job has one dead letter even if it is given up twice."""
    return hashlib.sha256(f"{name} {job_id}".encode()).hexdigest()[:10]


def add_dead_letter(
    batch: Batch, acquired: Acquired, body: str, reason: str, *, is_offered_to_author: bool = True
) -> Batch:
    """Add a dead letter to a batch. `body` is the stored text of the job.

    `is_offered_to_author` means that the author of a reply gets a button that sends the reply again. The
    author and the operator can each send the reply, but it is sent only once.
    """
    stored = _StoredLetter(
        queue=acquired.name,
        job_id=acquired.job_id,
        reason=reason,
        at_ms=acquired.now_ms,
        body=body if len(body) <= MAX_JOB_CHARS else "",
        since_ms=acquired.since_ms,
        score=acquired.score,
        is_offered_to_author=is_offered_to_author,
    )
    return batch.add_dead_letter(dead_letter_id(acquired.name, acquired.job_id), stored.model_dump_json())


def remove_dead_letter(batch: Batch, keys: Keys, letter_id: str) -> Batch:
    """Add to a batch the removal of a dead letter, because the letter's job is no longer needed."""
    batch.write("HDEL", keys.named("dead_letters"), letter_id)
    return batch.write("ZREM", keys.named("dead_letters", "order"), letter_id)


def _read_job(written: _StoredLetter) -> Job | None:
    return read_if_possible(Job, written.body, written.queue)


def _kind(job: Job) -> str:
    """Return a job's kind as a word for the operator.

    For a request about a task, return the verb, such as `pause`.
    """
    return job.work.verb if isinstance(job.work, Act | ActRequested) else job.work.kind


def _needs_link(queue: str, job: Job) -> bool:
    """Return whether a job has an effect only if its link is still open."""
    is_about_link = get_kind(queue) in (
        "to_coder",
        "to_thread",
        "thread_answers",
        "receipts",
        "card",
    )
    return is_about_link and not isinstance(job.work, PostText | ShareFile)


def _score(written: _StoredLetter, job: Job) -> str:
    """Return the score for a job that is sent again.

    A person's reply or request keeps its old place. Every other job goes to the end of its queue.
    """
    if isinstance(job.work, Reply | ReplyChanged | Act):
        return written.score
    return "due" if written.queue.startswith("receipts:") else "next"
