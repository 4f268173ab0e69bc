"""A batch: everything that one Lua call writes. Either all of it is written or nothing.

A batch is a list of operations, carried out in order: plain Redis writes, jobs appended to queues, and the
few operations that look before they write. `queue/leases.py` and `queue/inbox.py` run batches; nothing else
writes to Redis what must not be lost.

Redis does not roll back a script that fails half-way. So every script checks its whole batch (`checked`)
before its first write.
"""

import json
from collections.abc import Callable, Mapping
from typing import Literal, Self

from taskwire.domain.jobs import FIRST_DRAWING, LANE, REPLY, Job, QueueName
from taskwire.redis import write_log

# What a plain write may be; each is in SHAPES in `lua/batch.lua` too.
Command = Literal["DEL", "HDEL", "HSET", "PEXPIRE", "SET", "ZADD", "ZREM", "ZREMRANGEBYRANK"]

# Dead letters that are kept, and for how long.
MOST_LETTERS = 1_000
LETTERS_MS = 30 * 24 * 3_600_000

# No busy agent makes a reply wait for longer; what does waits for a person's word.
BUSY_MS = 60_000

# So many jobs of what is told are looked at for one that calls somebody: it takes those before it along.
NEAR = 4

# What `lua/batch.lua` and the libraries that it requires take from here.
CONSTANTS: Mapping[str, str | int] = {
    "REMEMBERED": write_log.REMEMBERED,
    "NEAR": NEAR,
    "LANE": LANE,
    "FIRST_DRAWING": FIRST_DRAWING,
    "MOST_LETTERS": MOST_LETTERS,
    "LETTERS_MS": LETTERS_MS,
}

Word = str | int


class Batch:
    """Operations that happen together. Built by whoever decides, carried out by one Lua call."""

    def __init__(self) -> None:
        self._operations: list[list[str]] = []

    def write(self, command: Command, key: str, *words: Word) -> Self:
        """A plain Redis write."""
        self._operations.append([command, key, *map(str, words)])
        return self

    def write_expiring(self, ttl_ms: int, command: Command, key: str, *words: Word) -> Self:
        """A plain Redis write to a key that ends by itself."""
        self._operations.append(["expiring", key, str(ttl_ms), command, *map(str, words)])
        return self

    def append(
        self, name: QueueName, job: Job, *, score: Word = "next", delay_ms: int = 0, is_newest: bool = False
    ) -> Self:
        """Append a job to a list, once by its id; `is_newest` replaces what waits under that id instead.

        `score` is its place: a number, "next" for after all others, "due" for the order of due times.
        """
        mode = "newest" if is_newest else "new"
        body = job.model_dump_json()
        self._operations.append(["append", name, job.id, str(score), str(delay_ms), mode, body])
        return self

    def redo(self, name: QueueName, job: Job, *, score: Word = "next") -> Self:
        """Have a job done from now on: one that waits keeps its place, one in hand is done once more."""
        self._operations.append(["append", name, job.id, str(score), "0", "again", job.model_dump_json()])
        return self

    def add_dead_letter(self, letter_id: str, letter: str) -> Self:
        """Keep a dead letter; the oldest go where there are too many."""
        self._operations.append(["add_dead_letter", letter_id, letter])
        return self

    def drop(self, name: QueueName, job_id: str) -> Self:
        """Take a job out of its list, done or not."""
        self._operations.append(["drop", name, job_id])
        return self

    def hold(self, name: QueueName, key: str, prefix: str, lowest: Word, highest: Word) -> Self:
        """Put aside the jobs whose ids begin so and that have these scores, until `unhold`."""
        self._operations.append(["hold", name, key, prefix, str(lowest), str(highest)])
        return self

    def unhold(self, name: QueueName, key: str) -> Self:
        """Bring back what `hold` put aside, each in its old place."""
        self._operations.append(["unhold", name, key])
        return self

    def hasten_input(self, name: QueueName, longest_ms: int = BUSY_MS) -> Self:
        """Let a reply that waits no longer than this be tried now."""
        self._operations.append(["hasten", name, REPLY, str(longest_ms)])
        return self

    def keep_newest(self, key: str, most: int) -> Self:
        """Keep of a hash's fields, which are ts, at least so many and at most twice as many: the newest."""
        self._operations.append(["keep_newest", key, str(most)])
        return self

    def adopt(self, kept: str, link: str) -> Self:
        """Take over the messages that arrived before the link knew its thread."""
        self._operations.append(["adopt", kept, link])
        return self

    def as_kept(self, kept: str, link: str) -> Self:
        """Do what was kept for a link before it knew its thread; ValueError if that is no step at all."""
        for operation, first, *words in json.loads(kept):
            self._operations.append([operation, first.replace("@", link, 1), *words])
        return self

    def encoded(self, mask_stored: Callable[[str], str] = str) -> str:
        """The step as a script reads it; our own tokens stay outside.

        Keys pass too: the settings refuse a prefix that holds a token.

        `mask_stored` takes a JSON text and returns one that differs in its strings alone.
        """
        return mask_stored(json.dumps(self._operations))
