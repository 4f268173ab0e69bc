"""A model of the queues in plain Python. The state machine test compares the Lua scripts with this model."""

from dataclasses import dataclass, field

from taskwire.domain.queueing.queues import input_score

from .engine import NOON_MS, TIMES

# In a `to_coder` queue, replies that wait for their agent have this score or a higher one.
IN_TURN = input_score("0.000000")


@dataclass
class Entry:
    """A waiting job. It does not run before the time `not_before`. Each change of the job gives it a new
    `version`."""

    score: float
    not_before: int
    version: int


@dataclass
class Attempt:
    """A call of Slack or Coder that may have been made, and its job. After the time `until`, the call can no
    longer arrive."""

    job: str
    until: int


@dataclass
class Held:
    """One queue: its jobs, its attempt and its lease."""

    jobs: dict[str, Entry] = field(default_factory=dict)
    token: str | None = None
    held_until: int = 0
    takes: int = 0
    attempt: Attempt | None = None
    appended: int = 0

    @property
    def first(self) -> str | None:
        """Return the job with the lowest score. None means that the queue is empty."""
        return min(self.jobs, key=lambda job: (self.jobs[job].score, job), default=None)

    @property
    def head(self) -> str | None:
        """Return the job to run next. None means that the queue is empty.

        If an attempt has begun and its outcome is not known, return the attempt's job. Even a job that has
        gone ahead has to wait for it.
        """
        return self.attempt.job if self.attempt else self.first


@dataclass(frozen=True)
class Taken:
    """A lease of a queue, and the job that runs under it."""

    name: str
    token: str
    job: str
    version: int
    takes: int
    is_pinned: bool


class Model:
    """All queues in plain Python, and the time at which each queue is due."""

    def __init__(self) -> None:
        self.now = NOON_MS
        self.lists: dict[str, Held] = {}
        self.ready: dict[str, int] = {}
        # For each queue in `ready`, the priority that the queue had when it was last moved.
        self.ranks: dict[str, int] = {}
        self._versions = 0

    def _rank(self, name: str) -> int:
        kind = name.partition(":")[0]
        first = self.lists[name].first
        if kind == "to_coder" and first is not None and self.lists[name].jobs[first].score < IN_TURN:
            return 0
        return {"receipts": 2, "card": 3}.get(kind, 1)

    def _due_at(self, name: str, at: int) -> None:
        self.ready[name], self.ranks[name] = at, self._rank(name)

    def _next(self, *, ignores_priority: bool) -> str:
        """Return the due queue of the highest priority. If no queue is due, return the queue that is due
        first."""

        def place(name: str) -> tuple[int, int, str]:
            is_ahead = not ignores_priority and self.ready[name] <= self.now
            return (self.ranks[name] if is_ahead else 3, self.ready[name], name)

        return min(self.ready, key=place)

    def append(self, name: str, job: str, score: int | None, delay: int, *, is_newest: bool) -> None:
        """Append a job. A score of None puts the job at the end of its queue.

        If a job with this id already waits, replace it if `is_newest`; otherwise change nothing.
        """
        held = self.lists.setdefault(name, Held())
        if job in held.jobs and not is_newest:
            return
        if score is None:
            held.appended += 1
            score = held.appended
        self._versions += 1
        held.jobs[job] = Entry(score, self.now + delay, self._versions)
        self._settle(name)

    def redo(self, name: str, job: str) -> None:
        """Ask for one more run of a job. A waiting job keeps its place; a running job runs once more."""
        held = self.lists.setdefault(name, Held())
        if job not in held.jobs:
            self.append(name, job, None, 0, is_newest=False)
            return
        self._versions += 1
        held.jobs[job].version = self._versions

    def drop(self, name: str, job: str) -> None:
        """Remove a job from its queue, whether it is done or not."""
        self.lists.setdefault(name, Held()).jobs.pop(job, None)
        self._settle(name)

    def take(self, token: str, *, ignores_priority: bool = False) -> Taken | None:
        """Acquire the due queue of the highest priority and return its lease. None means that no queue is
        due.

        With `ignores_priority`, acquire the queue that has been due for longest.
        """
        while self.ready:
            name = self._next(ignores_priority=ignores_priority)
            held = self.lists[name]
            if self.ready[name] > self.now:
                return None
            entry = held.jobs.get(held.head) if held.head else None
            if held.head is None or entry is None:
                # The queue has no job, or the attempt's job was dropped.
                held.token, held.held_until, held.takes, held.attempt = None, 0, 0, None
                del self.ready[name]
                self._settle(name)
            elif entry.not_before > self.now and held.attempt is None:
                self._due_at(name, entry.not_before)
            else:
                return self._handed_out(name, held, token)
        return None

    def _handed_out(self, name: str, held: Held, token: str) -> Taken:
        assert held.head is not None
        held.takes += 1
        held.token = token
        lease = min(TIMES.lease_ms * 2 ** (held.takes - 1), TIMES.longest_lease_ms)
        if held.takes > TIMES.many_acquisitions:
            lease = TIMES.quarantine_ms
        held.held_until = self.now + lease
        self._due_at(name, held.held_until)
        entry = held.jobs[held.head]
        return Taken(name, token, held.head, entry.version, held.takes, held.attempt is not None)

    def begin(self, turn: Taken, timeout_ms: int) -> str:
        """Begin an attempt, and return `begun`. Until its outcome is known, no other job of the queue runs.

        If the lease is lost, do nothing and return `lost`. If the job was changed or another job has gone
        ahead of it, do nothing and return `passed`.
        """
        held = self.lists[turn.name]
        if held.token != turn.token:
            return "lost"
        if held.first != turn.job or held.jobs[turn.job].version != turn.version:
            return "passed"
        until = self.now + timeout_ms + TIMES.late_arrival_ms
        held.attempt = Attempt(turn.job, until)
        held.held_until = max(held.held_until, until)
        self._due_at(turn.name, held.held_until)
        return "begun"

    def end(self, turn: Taken, verdict: str, delay: int) -> str:
        """End a lease, and return `ended`. If the lease was lost, do nothing and return `lost`.

        `verdict` is `done` to remove the job, `retry` to run it again after `delay`, and `unknown` to keep
        its attempt.
        """
        held = self.lists[turn.name]
        if held.token != turn.token:
            return "lost"
        held.token, held.takes = None, 0
        if verdict == "unknown":
            landed = held.attempt.until if held.attempt else 0
            held.held_until = max(landed, self.now + delay)
            self._due_at(turn.name, held.held_until)
            return "ended"
        held.held_until, held.attempt = 0, None
        entry = held.jobs.get(turn.job)
        if entry is not None and entry.version == turn.version:
            if verdict == "done":
                del held.jobs[turn.job]
            else:
                entry.not_before = self.now + delay
                if turn.name.startswith("receipts:"):
                    entry.score = entry.not_before
        self._settle(turn.name)
        return "ended"

    def _settle(self, name: str) -> None:
        held = self.lists[name]
        if held.held_until > self.now:
            return
        if held.head is None:
            self.ready.pop(name, None)
            return
        entry = held.jobs.get(held.head)
        when = held.attempt.until if held.attempt else entry.not_before if entry else 0
        # A queue that is already due keeps its place among the due queues.
        due = when if when > self.now else min(self.now, self.ready.get(name, self.now))
        self._due_at(name, due)
