"""Limits how many jobs of a process may be in calls to agents at the same time.

Coder may need a minute to answer a call to an agent that does not answer (`CoderTimeouts`). Such calls must
not take all places for jobs, because everybody's stops, commands and private answers need these places. So
jobs with calls to agents have only a part of the places, and jobs for the agents of one owner only a part of
that part. The last of these places are for owners who hold none, so that a few owners together cannot fill
them. A job takes its place at its first call to an agent, and keeps it until the job ends. A job that
finds no place raises `NoAgentPlace` and runs again soon, so meanwhile it holds no place at all.

Private answers have places of their own (`tasks/queries.py`). Other calls outside of jobs need no place.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from taskwire.domain.errors import NoPlace

# How many jobs of a process may be in calls to agents, and how many of them for the agents of one owner. A
# process has 32 places for jobs (`worker.MAX_CONCURRENT_JOBS`).
MAX_AGENT_JOBS, MAX_AGENT_JOBS_OF_OWNER = 16, 8
# How many of the places are only for owners whose agents no other job of the process calls.
AGENT_JOBS_OF_NEW_OWNERS = 4
# A job without a place runs again after a time between these, in seconds. The times differ, so that no job
# always comes too late.
SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 4.0


class NoAgentPlace(NoPlace):
    """Too many jobs of this process are in calls to agents. Nothing was sent."""


class AgentPlaces:
    """The places of one process for jobs that call agents."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()

    @contextlib.contextmanager
    def of_job(self, owner: str) -> Iterator[None]:
        """Inside the block, the first call to an agent takes a place. The end of the block frees the place.

        `owner` names the person whose agent the job may call, or the others who ask about this person's
        agents.
        """
        job = _Job(self, owner)
        before = _job.set(job)
        try:
            yield
        finally:
            _job.reset(before)
            job.end()

    def of_private_answer(self, owner: str) -> contextlib.AbstractContextManager[None]:
        """Return a block like `of_job` for an answer that no job makes. In a job, the job's place counts."""
        return self.of_job(owner) if _job.get() is None else contextlib.nullcontext()

    def take(self, owner: str) -> None:
        """Take a place. Raise `NoAgentPlace` if none is free for this owner."""
        own = self._held[owner]
        most = MAX_AGENT_JOBS - AGENT_JOBS_OF_NEW_OWNERS if own else MAX_AGENT_JOBS
        if self._held.total() >= most or own >= MAX_AGENT_JOBS_OF_OWNER:
            seconds = random.uniform(SHORTEST_WAIT_SECONDS, LONGEST_WAIT_SECONDS)  # noqa: S311 - jitter
            raise NoAgentPlace("too many jobs are in calls to agents", seconds)
        self._held[owner] += 1

    def free(self, owner: str) -> None:
        """Give a place back."""
        self._held[owner] -= 1
        if not self._held[owner]:
            del self._held[owner]


@dataclass
class _Job:
    places: AgentPlaces
    owner: str
    has_place: bool = False
    # Work that the job has started in the background may go on after the job.
    is_over: bool = False

    def take(self) -> None:
        if not self.has_place and not self.is_over:
            self.places.take(self.owner)
            self.has_place = True

    def end(self) -> None:
        self.is_over = True
        if self.has_place:
            self.places.free(self.owner)


_job: ContextVar[_Job | None] = ContextVar("taskwire_agent_job", default=None)


def take_agent_place() -> None:
    """Take a place for the running job's calls to its agent, unless the job has one.

    Raise `NoAgentPlace` if none is free. Do nothing outside of jobs.
    """
    if (job := _job.get()) is not None:
        job.take()
