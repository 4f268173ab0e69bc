"""Observations: what each poll of Coder writes to Redis about tasks that are listed, missing or found again.

Each poll of an account has a number. The writes of a poll are refused after the account's next poll has
begun. This module stores observations and appends jobs. The handlers of these jobs decide what to do.
"""

import json
import secrets
from collections.abc import Awaitable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from taskwire.domain.ids import LinkId, TaskId
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.phases import Observation
from taskwire.domain.queueing.jobs import ApplyEvent, Job
from taskwire.domain.queueing.person_jobs import CheckOwner
from taskwire.domain.queueing.queues import to_coder, to_thread
from taskwire.queue.scripts import Clock, Script, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys
from taskwire.sealing import key_ring

# How many observations of a task may wait while its notices cannot be posted. When so many wait, a new
# observation replaces the newest. A report is then lost only if the workspace stops before the agent's
# history is read.
MAX_WAITING_OBSERVATIONS = 200

_CLAIM = load_script("state/polls.claim")
_RENEW = load_script("state/polls.renew")
_OBSERVE = load_script("state/polls.observe", MAX_WAITING_OBSERVATIONS=MAX_WAITING_OBSERVATIONS)
_COUNT_MISSING = load_script("state/polls.count_missing")
_REVIVE = load_script("state/polls.revive")


class Poll(NamedTuple):
    """One poll of all tasks of an account: the poll's number, and Redis's time when the poll began."""

    number: int
    began_ms: int


class PolledElsewhere(NamedTuple):
    """Another process polls this account. Try again after `wait_ms`."""

    wait_ms: int


class StoredObservation(NamedTuple):
    """An observation of a link's task, its sealed JSON text, and a digest that is equal for equal
    observations."""

    link: LinkId
    seen: Observation
    text: str
    digest: str

    @classmethod
    def of(cls, link: LinkId, seen: Observation) -> "StoredObservation":
        """Serialise an observation for storage. `link` is the link of the task."""
        plain = json.dumps(seen.model_dump(), default=datetime.isoformat)
        return cls(link, seen, seen.model_dump_json(), key_ring().digest(plain))

    def words(self) -> tuple[str, ...]:
        """Return this observation's eight arguments for the script `state/lua/polls.observe.lua`.

        One argument is the job about the observation. The id of this job contains `@N@`. The script replaces
        `@N@` by the number of the observation.
        """
        seen = self.seen
        job = Job(id="observed:@N@", work=ApplyEvent(event=Observed(observation=seen))).model_dump_json()
        # Nobody can read the reports of an agent whose workspace has stopped meanwhile. So an observation of
        # a final report is not replaced.
        final = seen.report.id if seen.report is not None and seen.report.is_final else ""
        condition = f"{seen.build} {seen.status} {seen.workspace_status} {seen.is_healthy} {final}"
        named = (seen.task_id, self.link, str(seen.build), str(seen.report_ms))
        return (*named, self.text, self.digest, job, condition)


class Observations:
    """Stores the observations that the polls of one workspace make."""

    def __init__(self, connections: Connections, keys: Keys, clock: Clock) -> None:
        self._holder = secrets.token_hex(8)
        self._redis = connections.commands
        self._keys = keys
        self._claim = Script(connections.commands, keys, clock, _CLAIM, connections.write_log)
        self._renew = Script(connections.commands, keys, clock, _RENEW)
        self._observe = Script(connections.commands, keys, clock, _OBSERVE, connections.write_log)
        self._count_missing = Script(connections.commands, keys, clock, _COUNT_MISSING, connections.write_log)
        self._revive = Script(connections.commands, keys, clock, _REVIVE, connections.write_log)

    async def claim(self, account: str, lease_ms: int, *, takes_over: bool = False) -> Poll | PolledElsewhere:
        """Begin a poll with the account's next number, unless another process has the right to poll.

        With `takes_over`, begin the poll even if another process has that right. The right lasts for
        `lease_ms`.
        """
        words = (account, self._holder, lease_ms, int(takes_over))
        answer = cast("list[str]", await self._claim(*words))
        return PolledElsewhere(int(answer[0])) if len(answer) == 1 else Poll(int(answer[0]), int(answer[1]))

    async def renew(self, account: str, lease_ms: int) -> None:
        """Renew the right of this process to poll the account, for `lease_ms`."""
        await self._renew(account, self._holder, lease_ms)

    async def release(self, account: str) -> None:
        """Give up this process's right to poll, so that another process can poll at once."""
        await self._renew(account, self._holder, 0)

    async def observe(self, account: str, poll: Poll, observations: Sequence[StoredObservation]) -> bool:
        """Store observations, and append a job for each new one. Return False if a newer poll has begun."""
        words = [word for observation in observations for word in observation.words()]
        return cast("int", await self._observe(account, poll.number, *words)) >= 0

    async def count_missing(
        self, account: str, poll: Poll, tasks: Iterable[tuple[TaskId, LinkId]]
    ) -> list[LinkId] | None:
        """Record that a poll did not list these tasks, which have these links.

        Return the links of the tasks that two polls in a row did not list. Return None if a newer poll has
        begun.
        """
        words = [word for pair in tasks for word in pair]
        found = cast("list[str] | int", await self._count_missing(account, poll.number, *words))
        return None if isinstance(found, int) else [LinkId(link) for link in found]

    async def is_missing(self, link: LinkId) -> bool:
        """Return whether the last poll did not list the task of this link."""
        found = self._redis.hget(self._keys.link(link), "missed")
        return await cast("Awaitable[str | None]", found) is not None

    async def revive(self, account: str, poll: Poll, task: TaskId, link: LinkId, job: Job) -> bool:
        """Reopen the link of a task that exists again, and append `job` to the link's `to_thread` queue.

        Who owns the task is checked too, because nobody has noticed a change while the link had ended.
        Return False if a newer poll has begun, or if the link cannot be reopened.
        """
        check = Job(id=f"owner:back:{poll.number}", work=CheckOwner()).model_dump_json(context=to_coder(link))
        body = job.model_dump_json(context=to_thread(link))
        answer = await self._revive(account, poll.number, task, link, body, check)
        return cast("int", answer) == 1
