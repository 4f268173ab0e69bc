"""A batch: the writes of one Lua call. Redis applies either all of them or none.

A batch is a list of operations that run in order: plain Redis writes, jobs appended to queues, and a few
operations that read before they write. `queue/leases.py` and `queue/inbox.py` run batches. Data that must not
be lost is written only through these two modules.

Redis does not roll back a script that fails halfway. So every script checks its whole batch (`checked`)
before its first write.
"""

import json
from collections.abc import Callable, Mapping
from typing import Literal, Self

from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import ThreadRef
from taskwire.domain.queueing.display_jobs import FIRST_DRAW_JOB_ID
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job
from taskwire.domain.queueing.queues import LANE_WIDTH, QueueName
from taskwire.redis import write_log

# The Redis commands that `write` accepts. Each of them also needs a line in `SHAPES` in `lua/batch.lua`.
Command = Literal["DEL", "HDEL", "HSET", "PEXPIRE", "SET", "ZADD", "ZREM", "ZREMRANGEBYRANK"]

# How many dead letters are kept, and for how long.
MAX_DEAD_LETTERS = 1_000
DEAD_LETTER_TTL_MS = 30 * DAY_MS

# The longest delay of a reply that waits for a busy agent. If a reply has a longer delay, it waits for a
# person's decision.
MAX_BUSY_DELAY_MS = 60_000

# If one of this many jobs at the front of a queue of notices mentions a person, the queue gets a higher
# priority. The jobs before the mention must be posted first.
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
    """A list of operations. Each method adds one operation and returns the batch itself."""

    def __init__(self) -> None:
        self._operations: list[list[str]] = []

    def write(self, command: Command, key: str, *words: Word) -> Self:
        """Add a plain Redis write to the batch."""
        self._operations.append([command, key, *map(str, words)])
        return self

    def write_expiring(self, ttl_ms: int, command: Command, key: str, *words: Word) -> Self:
        """Add a plain Redis write to the batch. The key expires `ttl_ms` after the write."""
        self._operations.append(["expiring", key, str(ttl_ms), command, *map(str, words)])
        return self

    def append(
        self,
        name: QueueName,
        job: Job,
        *,
        score: Word = "next",
        delay_ms: int = 0,
        is_newest: bool = False,
        is_newest_by_score: bool = False,
        claimed_in: ThreadRef | None = None,
    ) -> Self:
        """Append a job to a queue, unless a job with this id already waits in the queue.

        If `@` stands for the link in the queue's name, `claimed_in` is the thread of this link.

        If `is_newest`, the job replaces the waiting job. If `is_newest_by_score`, it does so unless the
        waiting job has a higher score. Jobs run in the order of their scores, the lowest
        first. The score "next" is higher than every other score. The score "due" is the time at which the job
        is due.
        """
        mode = "latest" if is_newest_by_score else "newest" if is_newest else "new"
        if claimed_in is not None:
            job = job.with_work(claimed_in=f"{claimed_in.channel}:{claimed_in.ts}")
        elif "@" in name:
            raise ValueError(f"a job for {name} needs the thread of its link")
        body = job.model_dump_json(context=name)
        self._operations.append(["append", name, job.id, str(score), str(delay_ms), mode, body])
        return self

    def redo(self, name: QueueName, job: Job, *, score: Word = "next") -> Self:
        """Append a job that may already be in the queue.

        If the job waits already, it keeps its place. If it runs already, it runs once more.
        """
        body = job.model_dump_json(context=name)
        self._operations.append(["append", name, job.id, str(score), "0", "again", body])
        return self

    def add_dead_letter(self, letter_id: str, letter: str) -> Self:
        """Store a dead letter. If there are more than `MAX_DEAD_LETTERS`, remove the oldest."""
        self._operations.append(["add_dead_letter", letter_id, letter])
        return self

    def add_audit_entry(self, key: str, entry: str, most: int, longest_ms: int) -> Self:
        """Add an entry to the audit trail at `key`.

        Then remove the oldest entries, so that at most `most` entries remain. Also remove entries that are
        older than `longest_ms`.
        """
        self._operations.append(["add_audit_entry", key, entry, str(most), str(longest_ms)])
        return self

    def drop(self, name: QueueName, job_id: str) -> Self:
        """Remove a job from its queue, whether the job has run or not."""
        self._operations.append(["drop", name, job_id])
        return self

    def hold(self, name: QueueName, key: str, prefix: str, lowest: Word, highest: Word) -> Self:
        """Move jobs from a queue to the hash at `key`.

        Move each job whose id begins with `prefix` and whose score is from `lowest` to `highest`.
        """
        self._operations.append(["hold", name, key, prefix, str(lowest), str(highest)])
        return self

    def unhold(self, name: QueueName, key: str) -> Self:
        """Move the jobs in the hash at `key` back into the queue. Each job keeps its old score."""
        self._operations.append(["unhold", name, key])
        return self

    def hasten_input(self, name: QueueName, longest_ms: int = MAX_BUSY_DELAY_MS) -> Self:
        """Make the reply at the head of the queue due now, unless it is delayed by more than `longest_ms`."""
        return self.hasten(name, REPLY_ID_PREFIX, longest_ms)

    def hasten(self, name: QueueName, prefix: str, longest_ms: int) -> Self:
        """Make the job at the head of the queue due now, if its id begins with `prefix`.

        Leave the job as it is if it is delayed by more than `longest_ms`.
        """
        self._operations.append(["hasten", name, prefix, str(longest_ms)])
        return self

    def keep_newest(self, key: str, most: int) -> Self:
        """When a hash has twice `most` fields, remove its oldest fields, so that `most` fields remain.

        Each field is named by the `ts` of a Slack message. So the fields with the lowest names are the
        oldest.
        """
        self._operations.append(["keep_newest", key, str(most)])
        return self

    def adopt(self, parked_key: str, link: str) -> Self:
        """Write the batches that were parked for a thread, because the thread now has a link.

        `parked_key` is the key of these batches. In the batches, the id `link` replaces `@`.
        """
        self._operations.append(["adopt", parked_key, link])
        return self

    def add_parked(self, parked_batch: str, link: str) -> Self:
        """Add the operations of one parked batch, for this link.

        Raises ValueError if `parked_batch` is not a batch.
        """
        for operation, first, *words in json.loads(parked_batch):
            self._operations.append([operation, first.replace("@", link, 1), *words])
        return self

    def encoded(self, mask_stored: Callable[[str], str] = str) -> str:
        """Return the batch as JSON for a script, with Taskwire's own tokens masked.

        `mask_stored` gets the whole JSON text, and may change only the strings in it. Some of these strings
        are names of keys, which must stay the same. They do: no key name contains a token, because the
        settings refuse a key prefix that contains a token.
        """
        return mask_stored(json.dumps(self._operations))
