"""Dead letters: what was given up, for the operator to look at, to send again and to forget.

A letter holds its job as it was written. Sent again the job is as new, but looks first whether it was done
after all. Ends where a job is in its list again: who carries it out need not know.
"""

import hashlib
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from taskwire.model.changes import Observed
from taskwire.model.jobs import (
    Act,
    ActAsked,
    Happened,
    Job,
    Receipt,
    Reply,
    Rewritten,
    Say,
    ShareFile,
    link_of,
)
from taskwire.model.links import Bond
from taskwire.model.phases import Observation
from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.queue import Taking
from taskwire.store.scripts import Clock, Script
from taskwire.store.steps import Step

# A longer job is not kept: a thousand letters are to stay a small part of any store.
LARGEST_JOB = 100_000

# The letter goes in the call that brings its job back, and only if it still says what was read.
_SEND_AGAIN = """
local id, letter, name, job, score, body, link, reply = unpack(ARGV, 3, 10)
if redis.call('HGET', letters, id) ~= letter then return 'dealt_with' end
if link ~= '' then
  local key = prefix .. 'link:' .. link
  if redis.call('HEXISTS', key, 'bond') == 0 then return 'no_link' end
  if redis.call('HEXISTS', key, 'ended') == 1 then return 'no_link' end
end
local _, jobs = list(name)
if redis.call('HEXISTS', jobs, 'b|' .. job) == 0 then
  if reply ~= '' and redis.call('DEL', reply) == 0 then return 'decided' end
  put(name, job, score, '0', 'new', body)
end
forget_letters({id})
return 'sent'
"""

Answer = Literal["sent", "dealt_with", "no_link", "decided", "unreadable", "too_long", "overtaken"]


class _Written(BaseModel):
    model_config = ConfigDict(extra="ignore")

    list: str
    job: str
    why: str
    at_ms: int
    body: str = ""
    since_ms: int = 0
    score: str = "next"
    # Nobody could tell then what it was; a reply among them was never offered to its author again.
    was_unreadable: bool = False


class Letter(NamedTuple):
    """One job that was given up: when, which it was, whose, and why."""

    id: str
    at: datetime
    kind: str
    name: str
    why: str


class Letters:
    """The dead letters of one workspace."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._key = keys.named("letters")
        self._order = keys.named("letters", "order")
        self._send_again = Script(connections.commands, keys, clock, _SEND_AGAIN)

    async def count(self) -> int:
        """How many there are."""
        return await self._redis.zcard(self._order)

    async def list_ids(self) -> list[str]:
        """Their ids, the oldest first."""
        return cast("list[str]", await self._redis.zrange(self._order, 0, -1))

    async def find(self, letter_id: str) -> Letter | None:
        """One of them, as it is shown."""
        found = await self._read(letter_id)
        if found is None:
            return None
        written = _Written.model_validate_json(found)
        job = _job(written)
        kind = _kind(job) if job is not None else "a job"
        at = datetime.fromtimestamp(written.at_ms / 1000, UTC)
        return Letter(letter_id, at, kind, await self._name(written.list), written.why)

    async def list_of(self, name: str, why: str) -> list[str]:
        """The ids of those whose jobs stood in this list and were given up for a reason that begins so."""
        found = []
        for letter_id in await self.list_ids():
            text = await self._read(letter_id)
            written = _Written.model_validate_json(text) if text else None
            if written is not None and written.list == name and written.why.startswith(why):
                found.append(letter_id)
        return found

    async def find_newest(self) -> Letter | None:
        """The last job that was given up."""
        newest = cast("list[str]", await self._redis.zrange(self._order, -1, -1))
        return await self.find(newest[0]) if newest else None

    async def send_again(self, letter_id: str) -> Answer:
        """Put a job back into its list, as new; the letter goes only if it is there."""
        found = await self._read(letter_id)
        if found is None:
            return "dealt_with"
        written = _Written.model_validate_json(found)
        if not written.body:
            return "too_long"
        job = _job(written)
        if job is None:
            return "unreadable"
        if isinstance(job.work, Receipt):
            return "overtaken"
        job = await self._at_present(written, job.afresh(written.since_ms))
        words = (written.list, job.id, _score(written, job), job.model_dump_json())
        is_offered = isinstance(job.work, Reply) and not written.was_unreadable
        reply = self._keys.reply(link_of(written.list), job.id) if is_offered else ""
        link = link_of(written.list) if _needs_link(written.list, job) else ""
        return cast("Answer", await self._send_again(letter_id, found, *words, link, reply))

    async def forget(self, letter_id: str | None = None) -> int:
        """Drop one of them, or all; returns how many there were."""
        if letter_id is not None:
            await self._redis.zrem(self._order, letter_id)
            return await self._redis.hdel(self._key, letter_id)
        count = await self.count()
        await self._redis.delete(self._key, self._order)
        return count

    async def _read(self, letter_id: str) -> str | None:
        return await cast("Awaitable[str | None]", self._redis.hget(self._key, letter_id))

    async def _name(self, list_name: str) -> str:
        """Whose it was: a task's name, or a person."""
        kind, _, whose = list_name.partition(":")
        if kind == "intake":
            return whose
        bond = await cast("Awaitable[str | None]", self._redis.hget(self._keys.link(whose), "bond"))
        return Bond.model_validate_json(bond).name if bond else ""

    async def _at_present(self, written: _Written, job: Job) -> Job:
        """A look at the task that was never made anything of is made of how the task stands by now."""
        if not isinstance(job.work, Happened) or not isinstance(job.work.event, Observed):
            return job
        key = self._keys.link(link_of(written.list))
        seen = await cast("Awaitable[str | None]", self._redis.hget(key, "seen"))
        if seen is None:
            return job
        event = job.work.event.model_copy(
            update={"seen": Observation.model_validate_json(seen), "reports": ()}
        )
        return job.model_copy(update={"work": Happened(event=event)})


def id_of(name: str, job_id: str) -> str:
    """The id of the letter that a job becomes, however often it does."""
    return hashlib.sha256(f"{name} {job_id}".encode()).hexdigest()[:10]


def bury(step: Step, taking: Taking, body: str, why: str, *, is_unreadable: bool = False) -> Step:
    """Keep what was given up; `body` is its job as it was written."""
    letter = _Written(
        list=taking.name,
        job=taking.job_id,
        why=why,
        at_ms=taking.now_ms,
        body=body if len(body) <= LARGEST_JOB else "",
        since_ms=taking.since_ms,
        score=taking.score,
        was_unreadable=is_unreadable,
    )
    return step.bury(id_of(taking.name, taking.job_id), letter.model_dump_json())


def unbury(step: Step, keys: Keys, letter_id: str) -> Step:
    """Drop a letter whose job has been dealt with in another way."""
    step.write("HDEL", keys.named("letters"), letter_id)
    return step.write("ZREM", keys.named("letters", "order"), letter_id)


def _job(written: _Written) -> Job | None:
    try:
        return Job.model_validate_json(written.body)
    except ValidationError:
        return None


def _kind(job: Job) -> str:
    """What it was to do: what was asked of a task is known by its verb."""
    return job.work.verb if isinstance(job.work, Act | ActAsked) else job.work.kind


def _needs_link(list_name: str, job: Job) -> bool:
    """Whether it is of no use without an open link: then it would be let go in silence."""
    is_about_link = list_name.partition(":")[0] in ("steer", "tell", "show", "card")
    return is_about_link and not isinstance(job.work, Say | ShareFile)


def _score(written: _Written, job: Job) -> str:
    """Its old place among what people wrote and asked for; else behind what waits now."""
    if isinstance(job.work, Reply | Rewritten | Act):
        return written.score
    return "due" if written.list.startswith("show:") else "next"
