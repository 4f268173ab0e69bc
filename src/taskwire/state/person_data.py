"""Finds what the store contains about one person.

Ids of people are never encrypted. So a search through the names of keys and their stored texts finds these
ids. Notes are decrypted, because a note may contain a whole answer. The audit trail is not searched: its
entries stay until they expire.
"""

import json
import re
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Final, cast

from taskwire import sealing
from taskwire.domain.durations import HOUR_MS
from taskwire.domain.ids import LinkId, UserId
from taskwire.domain.queueing.queues import QueueName
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# The note that counts the links from which a person has been removed, and how long the note is stored.
FORGOTTEN: Final = "forgotten"
FORGOTTEN_MS = HOUR_MS
MOST_LINKS = 100_000
KEYS_PER_SCAN = 500
# The names of hashes whose fields may contain people's requests, or the fields of a link.
_LINK_PARTS = re.compile(r"(link|held):([^:]+)|queue:to_coder:([^:]+):jobs")
_PERSONS_QUEUE = re.compile(
    r"queue:([a-z_]+:[^:]+|(?:thread_answers|picked_files)\.[^:]+:[^:]+):(?:order|jobs|state)"
)
# The queues of requests that wait for a person's account. Other people may have made these requests.
_WAITING_JOBS = re.compile(r"queue:(waiting_requests:[^:]+):jobs")
# The beginning of the names of those fields in a queue's hash that contain jobs.
_BODY = "body|"
# The fields of a link that are searched. Other fields name only the person who acted last.
_LINK_FIELDS = ("record", "watchers", "shares", "muted")


@dataclass
class FoundData:
    """What the store contains about a person. Each field needs another way of removal."""

    account: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    queues: set[QueueName] = field(default_factory=set)
    # The person's own requests that wait for another person's account: the queue, and the id of the job.
    requests: list[tuple[QueueName, str]] = field(default_factory=list)
    links: set[LinkId] = field(default_factory=set)
    dead_letters: list[str] = field(default_factory=list)
    # The channels in whose settings the person is the fallback.
    channels: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether the store contains nothing that can be removed."""
        found = (self.account, self.settings, self.notes, self.queues, self.requests, self.links)
        return not any((*found, self.dead_letters))


class PersonData:
    """Searches one workspace's store for a person."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys

    async def find(self, person: UserId) -> FoundData:
        """Find all values that name the person. This reads the whole store."""
        found, is_named = FoundData(), re.compile(rf"(?<![A-Za-z0-9]){re.escape(person)}(?![A-Za-z0-9])")
        others: list[QueueName] = []
        cursor = -1
        while cursor != 0:
            scanned = await self._redis.scan(
                max(cursor, 0), match=f"{self._keys.prefix}*", count=KEYS_PER_SCAN
            )
            cursor, keys = cast("tuple[int, list[str]]", scanned)
            for key, text in await self._read_all(keys):
                name = key.removeprefix(self._keys.prefix)
                if is_named.search(name):
                    _sort_by_name(found, key, name, person)
                elif is_named.search(text):
                    _sort_by_text(found, key, name)
                elif waiting := _WAITING_JOBS.fullmatch(name):
                    others.append(QueueName(waiting[1]))
        for queue in others:
            jobs = await self._list_fields(self._keys.named("queue", queue, "jobs"))
            found.requests += [
                (queue, name.removeprefix(_BODY))
                for name, text in jobs
                if name.startswith(_BODY) and is_named.search(text)
            ]
        for letter, text in await self._list_fields(self._keys.named("dead_letters")):
            if is_named.search(text):
                found.dead_letters.append(letter)
        return found

    async def list_waiting(self, queues: Iterable[QueueName]) -> list[tuple[QueueName, str]]:
        """List the jobs in these queues that can be dropped.

        A job with a call under way cannot be dropped.
        """
        found: list[tuple[QueueName, str]] = []
        for name in queues:
            base = self._keys.named("queue", name)
            order = cast("list[str]", await self._redis.zrange(f"{base}:order", 0, -1))
            attempted = self._redis.hget(f"{base}:state", "attempt_job")
            running = await cast("Awaitable[str | None]", attempted)
            found += [(name, job_id) for job_id in order if job_id != running]
        return found

    async def count_done(self, request: str) -> int:
        """Return from how many links the request with this id has removed the person."""
        return await self._redis.zcard(self._keys.named("notes", FORGOTTEN, request))

    async def _read_all(self, keys: list[str]) -> list[tuple[str, str]]:
        """Return each of these keys with its text.

        Leave out the parts of the text that cannot name a person.
        """
        kinds = await self._ask_all([("TYPE", key) for key in keys])
        calls = [_read_call(self._keys, key, kind) for key, kind in zip(keys, kinds, strict=True)]
        answers = iter(await self._ask_all([call for call in calls if call]))
        return [
            (key, _join(key, next(answers)) if call else "") for key, call in zip(keys, calls, strict=True)
        ]

    async def _ask_all(self, calls: list[tuple[str, ...]]) -> list[object]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for call in calls:
                pipe.execute_command(*call)
            return cast("list[object]", await pipe.execute())

    async def _list_fields(self, key: str) -> list[tuple[str, str]]:
        found = await cast("Awaitable[dict[str, str]]", self._redis.hgetall(key))
        return list(found.items())


def _sort_by_name(found: FoundData, key: str, name: str, person: UserId) -> None:
    queue = _PERSONS_QUEUE.fullmatch(name)
    if queue is not None:
        found.queues.add(QueueName(queue[1]))
    elif name.startswith("account"):
        found.account.append(key)
    elif name.startswith("person_settings:"):
        found.settings.append(key)
    elif name != f"links_of:{person}":
        # The list of the person's links need not be removed: links leave it when they end.
        found.notes.append(key)


def _sort_by_text(found: FoundData, key: str, name: str) -> None:
    part = _LINK_PARTS.fullmatch(name)
    if part is not None:
        found.links.add(LinkId(part[2] or part[3]))
    elif name.startswith("account"):
        found.account.append(key)
    elif name.startswith("channel_settings:"):
        found.channels.append(name.removeprefix("channel_settings:"))
    else:
        found.notes.append(key)


def _read_call(keys: Keys, key: str, kind: object) -> tuple[str, ...] | None:
    """Return the Redis call that reads those parts of a key that may name a person.

    Return None if no part of the key may name a person.
    """
    part = _LINK_PARTS.fullmatch(key.removeprefix(keys.prefix))
    if kind == "string":
        return ("GET", key)
    if kind != "hash" or part is None:
        return None
    return ("HMGET", key, *_LINK_FIELDS) if part[1] == "link" else ("HVALS", key)


def _join(key: str, answer: object) -> str:
    """Return the texts of an answer as one text. Decrypt the texts that are sealed for the key."""
    if isinstance(answer, list):
        link = key.rpartition(":")[2]
        return " ".join(_open(each or "", f"{link} shares") for each in answer)
    return _open(str(answer or ""), key)


def _open(text: str, purpose: str) -> str:
    """Return a text. Decrypt the text if it is sealed for this purpose."""
    if not sealing.is_sealed(text):
        return text
    try:
        opened = sealing.key_ring().open(text, purpose)
        return str(json.loads(opened)) if opened.startswith('"') else opened
    except sealing.CannotOpen:
        return ""
