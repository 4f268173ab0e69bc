"""A batch: the writes of one Lua call. Redis applies all of them or none.

A batch is a list of operations that run in order: plain Redis writes, jobs appended to queues, and a few
operations that look before they write. `queue/leases.py` and `queue/inbox.py` run batches. Data that must not
be lost is written only through them.

Redis does not roll back a script that fails halfway. So every script checks its whole batch (`checked`)
before its first write.
"""

import json
from collections.abc import Callable, Mapping
from typing import Literal, Self

from taskwire.domain.durations import DAY_MS
from taskwire.domain.jobs import FIRST_DRAW_JOB_ID, REPLY_ID_PREFIX, Job
from taskwire.domain.queues import LANE_WIDTH, QueueName
from taskwire.redis import write_log

# The commands of a plain write; each is in SHAPES in `lua/batch.lua` too.
Command = Literal["DEL", "HDEL", "HSET", "PEXPIRE", "SET", "ZADD", "ZREM", "ZREMRANGEBYRANK"]

# How many dead letters are kept, and for how long.
MAX_DEAD_LETTERS = 1_000
DEAD_LETTER_TTL_MS = 30 * DAY_MS

# The longest delay of a reply that waits for a busy agent. A reply with a longer delay waits for a
# person's decision.
MAX_BUSY_DELAY_MS = 60_000

# How many jobs at the front of a queue of notices are searched for one that mentions somebody. That job
# gives its priority to the jobs before it.
MENTION_LOOKAHEAD = 4

# The constants of `lua/batch.lua` and of the libraries that it requires.
CONSTANTS: Mapping[str, str | int] = {
    "MAX_REMEMBERED_CALLS": write_log.MAX_REMEMBERED_CALLS,
    "DAY_MS": DAY_MS,
    "MENTION_LOOKAHEAD": MENTION_LOOKAHEAD,
    "LANE": LANE_WIDTH,
    "FIRST_DRAWING": FIRST_DRAW_JOB_ID,
    "MAX_DEAD_LETTERS": MAX_DEAD_LETTERS,
    "DEAD_LETTER_TTL_MS": DEAD_LETTER_TTL_MS,
}

Word = str | int


class Batch:
    """A list of operations. Each method adds one and returns the batch."""

    def __init__(self) -> None:
        self._operations: list[list[str]] = []

    def write(self, command: Command, key: str, *words: Word) -> Self:
        """Add a plain Redis write."""
        self._operations.append([command, key, *map(str, words)])
        return self

    def write_expiring(self, ttl_ms: int, command: Command, key: str, *words: Word) -> Self:
        """Add a plain Redis write, and let its key expire `ttl_ms` later."""
        self._operations.append(["expiring", key, str(ttl_ms), command, *map(str, words)])
        return self

    def append(
        self, name: QueueName, job: Job, *, score: Word = "next", delay_ms: int = 0, is_newest: bool = False
    ) -> Self:
        """Append a job to a queue unless a job with its id waits there. `is_newest` replaces that job.

        Jobs run in the order of their scores. "next" puts the job after all others. "due" makes the time at
        which the job is due its score.
        """
        mode = "newest" if is_newest else "new"
        body = job.model_dump_json()
        self._operations.append(["append", name, job.id, str(score), str(delay_ms), mode, body])
        return self

    def redo(self, name: QueueName, job: Job, *, score: Word = "next") -> Self:
        """Append a job. If it waits already, it keeps its place; if it runs, it runs once more afterwards."""
        self._operations.append(["append", name, job.id, str(score), "0", "again", job.model_dump_json()])
        return self

    def add_dead_letter(self, letter_id: str, letter: str) -> Self:
        """Store a dead letter. The oldest ones above `MAX_DEAD_LETTERS` are removed."""
        self._operations.append(["add_dead_letter", letter_id, letter])
        return self

    def drop(self, name: QueueName, job_id: str) -> Self:
        """Remove a job from its queue, whether it has run or not."""
        self._operations.append(["drop", name, job_id])
        return self

    def hold(self, name: QueueName, key: str, prefix: str, lowest: Word, highest: Word) -> Self:
        """Move the jobs with this id prefix and with scores in this range to the hash at `key`."""
        self._operations.append(["hold", name, key, prefix, str(lowest), str(highest)])
        return self

    def unhold(self, name: QueueName, key: str) -> Self:
        """Move the jobs that `hold` moved back into the queue, each with its old score."""
        self._operations.append(["unhold", name, key])
        return self

    def hasten_input(self, name: QueueName, longest_ms: int = MAX_BUSY_DELAY_MS) -> Self:
        """Make the reply at the head of the queue due now, if its delay ends within `longest_ms`."""
        return self.hasten(name, REPLY_ID_PREFIX, longest_ms)

    def hasten(self, name: QueueName, prefix: str, longest_ms: int) -> Self:
        """Make the job at the head of the queue due now, if its id begins so and its delay ends in time."""
        self._operations.append(["hasten", name, prefix, str(longest_ms)])
        return self

    def keep_newest(self, key: str, most: int) -> Self:
        """Remove the oldest fields of a hash whose fields are ts. At least `most` fields stay."""
        self._operations.append(["keep_newest", key, str(most)])
        return self

    def adopt(self, parked_key: str, link: str) -> Self:
        """Run the batches that were parked before the thread of the link was known."""
        self._operations.append(["adopt", parked_key, link])
        return self

    def add_parked(self, parked_batch: str, link: str) -> Self:
        """Add the operations of a parked batch, for this link. Raises ValueError if it is not a batch."""
        for operation, first, *words in json.loads(parked_batch):
            self._operations.append([operation, first.replace("@", link, 1), *words])
        return self

    def encoded(self, mask_stored: Callable[[str], str] = str) -> str:
        """Return the batch as JSON for a script, with our own tokens masked.

        `mask_stored` gets the JSON text and may change only the strings in it. The strings include the names
        of keys. They never contain a token, because the settings refuse a key prefix with a token.
        """
        return mask_stored(json.dumps(self._operations))
