"""The poller without a service account: polls each connected account once in each poll interval.

Only the accounts of people who own linked tasks are polled. A round polls each of these accounts once. The
requests of a round are spread over the interval: `poll` makes a few requests, and returns the seconds until
its next call. So a thousand accounts cause no burst. Only one replica at a time makes a round.

If the account of a task's owner is not connected or is refused, the task is not polled. The owner is told. If
the account was suspended, Coder is asked every few minutes whether it is active again. A hint is a message of
Coder that a task has changed. It starts a poll early.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from math import ceil

from redis.exceptions import RedisError

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import LinkId, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.outbox.coder_health import CoderHealth
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.outbox.owner_absence import end_absence
from taskwire.outbox.waiting_requests import note_refusal, renew_if_possible, tell_of_account
from taskwire.people.accounts import Accounts
from taskwire.polling.poller import MAX_LEASE_MARGIN_MS, POLL_FRESH_MS, Poller
from taskwire.polling.task_list import POLL_LEASE_MS, Linked, ReadList, TaskListReader, report_gone
from taskwire.queue.batch import Batch
from taskwire.state.accounts import ConnectedAccount
from taskwire.state.links import LinkOwner
from taskwire.state.observations import Poll, PolledElsewhere
from taskwire.telemetry import Metrics, logger

# The name under which the rounds are numbered.
ROUNDS = "people"
# The shortest time between two parts of a round, and how many requests of one part run at once.
SHORTEST_PAUSE_SECONDS = 0.2
MOST_CONCURRENT_POLLS = 8
# Whether the suspension of an owner is over is asked once in this time.
SUSPENSION_ASKED_MS = 5 * 60_000

_log = logger("taskwire.polling.personal_poller")


class PersonalPoller:
    """Polls the linked tasks of all people, each task with the account of its owner."""

    def __init__(
        self,
        deps: Dependencies,
        accounts: Accounts,
        metrics: Metrics,
        alerts: AdminAlerts,
        poll_seconds: float,
    ) -> None:
        self._deps = deps
        self._accounts = accounts
        self._metrics = metrics
        self._poll_seconds = poll_seconds
        self._fresh_ms = max(POLL_FRESH_MS, int(poll_seconds * 3000))
        self._coder_health = CoderHealth(deps, alerts)
        self._readers: dict[UserId, TaskListReader] = {}
        self._owners: dict[LinkId, LinkOwner] = {}
        # The present round: its number, the tasks of each person, and the people who are still to be polled.
        self._round: Poll | None = None
        self._tasks: dict[UserId, Linked] = {}
        self._parts: list[list[UserId]] = []
        self._pause_seconds = poll_seconds
        # People who have not connected the account of a task. It may have another owner by now.
        self._doubtful: set[UserId | None] = set()
        # People whose tasks have probably changed.
        self._hinted: set[UserId] = set()
        self._lock = asyncio.Lock()

    @property
    def trouble(self) -> str:
        """A sentence that says what is wrong with polling; empty if nothing is wrong."""
        return self._coder_health.trouble

    @property
    def is_amid_round(self) -> bool:
        """Whether some accounts of the present round are still to be polled."""
        return bool(self._parts)

    async def get_client(self, link: Link) -> CoderClient:
        """Return the client of the account that sees this link's task. That is the owner's account."""
        return await self._accounts.get_owners_client(link)

    def expect_change(self, link: Link) -> None:
        """Record that the task of this link has probably changed.

        The next poll after a hint then polls the account of the link's owner.
        """
        if link.record.owner_slack is not None:
            self._hinted.add(link.record.owner_slack)

    async def poll(self, *, is_hinted: bool = False) -> float:
        """Poll the next few accounts of the round, and return the seconds until the next call.

        With a hint from Coder (`is_hinted`), poll only the accounts for which a change is expected. Errors of
        Coder are recorded, and reported if they last. They are never raised.
        """
        async with self._lock:
            if is_hinted and not self._hinted:
                return self._pause_seconds
            if not self._parts or (is_hinted and self._round is None):
                claimed = await self._deps.observations.claim(ROUNDS, POLL_LEASE_MS, takes_over=is_hinted)
                if isinstance(claimed, PolledElsewhere):
                    return claimed.wait_ms / 1000
                await self._begin_round(claimed)
            await self._deps.observations.renew(ROUNDS, POLL_LEASE_MS)
            hinted, self._hinted = self._hinted & self._tasks.keys(), set()
            part = sorted(hinted) if is_hinted else (self._parts.pop(0) if self._parts else [])
            await self._poll_people(part)
            margin_ms = min(self._pause_seconds * 700, MAX_LEASE_MARGIN_MS)
            await self._deps.observations.renew(ROUNDS, int(self._pause_seconds * 1000 + margin_ms))
            return self._pause_seconds

    async def fire_timers(self) -> None:
        """Fire the due timers of all links, as `Poller.fire_timers` does, but only after a recent poll.

        Without a recent poll, an old observation could cause a wrong notice.
        """
        if await self._deps.notes.find("polled", ROUNDS) is not None:
            await self._deps.links.fire_timers()

    def forget(self) -> None:
        """Forget which observations this process has stored, so that the next polls store them again.

        Call this if Redis may have lost them.
        """
        for reader in self._readers.values():
            reader.forget()

    async def release(self) -> None:
        """Stop polling, so that another replica can start at once."""
        with contextlib.suppress(RedisError):
            await self._deps.observations.release(ROUNDS)

    async def _begin_round(self, poll: Poll) -> None:
        linked = await self._deps.links.list_open()
        certain = {link: each for link, each in self._owners.items() if each.person not in self._doubtful}
        known = {link: certain[link] for link in linked.values() if link in certain}
        self._doubtful.clear()
        unknown = [link for link in linked.values() if link not in known]
        self._owners = known | await self._deps.links.list_owners(unknown)
        self._tasks = {}
        for task, link in linked.items():
            owner = self._owners.get(link)
            if owner is not None and owner.person is not None:
                self._tasks.setdefault(owner.person, {})[task] = link
        people = sorted(self._tasks)
        self._readers = {
            person: self._readers.get(person) or TaskListReader(self._deps, self._metrics, ROUNDS)
            for person in people
        }
        self._metrics.links.set(len(linked))
        self._parts = split_round(people, self._poll_seconds)
        self._pause_seconds = self._poll_seconds / max(1, len(self._parts))
        self._round = poll

    async def _poll_people(self, people: Sequence[UserId]) -> None:
        poll, places = self._round, asyncio.Semaphore(MOST_CONCURRENT_POLLS)
        assert poll is not None  # noqa: S101 - the caller has begun the round

        async def poll_one(person: UserId) -> OutsideError | bool:
            async with places:
                return await self._poll_person(poll, person)

        outcomes = await asyncio.gather(*map(poll_one, people))
        errors = [outcome for outcome in outcomes if isinstance(outcome, OutsideError)]
        if True in outcomes:
            await self._coder_health.record_success()
            await self._deps.notes.keep("1", "polled", ROUNDS, ttl_ms=self._fresh_ms)
            self._metrics.last_poll_timestamp_seconds.set_to_current_time()
        elif errors:
            await self._coder_health.record_failure(errors[0], poll.began_ms)

    async def _poll_person(self, poll: Poll, person: UserId) -> OutsideError | bool:
        """Poll a person's tasks.

        Return True if Coder has listed the tasks. Return Coder's error if it did not. Return False if the
        person's account is not connected or is refused, or if another process has made a later poll.
        """
        account, tasks = await self._accounts.find(person), self._tasks[person]
        linked = self._list_own(account, tasks) if account is not None else {}
        if len(linked) < len(tasks):
            self._doubtful.add(person)
        if account is None or (account.is_refused and not await self._is_asked_again(person)):
            return False
        started = time.monotonic()
        try:
            if account.is_refused and not await self._accounts.is_accepted_again(account):
                return False
            client = await self._accounts.get_client(person)
            seen = await self._readers[person].read_owner(poll, client, "me", linked)
            if isinstance(seen, ReadList):
                suspects = await self._readers[person].count_missing(poll, seen.missing)
                seen = "overtaken" if suspects is None else "done"
                await report_gone(self._deps, client, poll, suspects or [])
        except PersonTokenRefused as error:
            self._metrics.polls.labels("failed").inc()
            _log.info(
                "Coder refused a poll with a person's token, renewed it or asked for a new one",
                person=person,
                error=str(error),
            )
            batch = Batch()
            if not await renew_if_possible(self._deps, error, batch):
                await note_refusal(self._deps, error, batch)
                await tell_of_account(self._deps, error, batch)
            await self._deps.queues.write(batch)
            return False
        except OutsideError as error:
            self._metrics.polls.labels("failed").inc()
            return error
        self._metrics.polls.labels(seen).inc()
        self._metrics.poll_seconds.observe(time.monotonic() - started)
        await self._end_absence(person)
        return seen != "overtaken"

    async def _is_asked_again(self, person: UserId) -> bool:
        """Return whether Coder is asked about a refused account again now.

        It is, every few minutes, if Coder has refused the account as suspended: the suspension may be over.
        """
        if not await self._deps.accounts.list_suspended(person):
            return False
        return await self._deps.notes.keep_if_new("suspension_asked", person, ttl_ms=SUSPENSION_ASKED_MS)

    async def _end_absence(self, person: UserId) -> None:
        """Let everything go on that has waited for an account which Coder accepts again."""
        if await self._deps.accounts.find_away_since(person):
            batch = Batch()
            await end_absence(self._deps, person, batch)
            await self._deps.queues.write(batch)

    def _list_own(self, account: ConnectedAccount, linked: Linked) -> Linked:
        """Return those of the person's linked tasks that belong to the connected account.

        The other tasks belong to an account that the person had connected earlier.
        """
        return {task: link for task, link in linked.items() if self._owners[link].user_id == account.user_id}


AnyPoller = Poller | PersonalPoller


def make_poller(
    deps: Dependencies, accounts: Accounts, metrics: Metrics, alerts: AdminAlerts, poll_seconds: float
) -> AnyPoller:
    """Return a `Poller` if there is a service account, and a `PersonalPoller` otherwise."""
    if deps.has_service_account:
        return Poller(deps, metrics, alerts, poll_seconds)
    return PersonalPoller(deps, accounts, metrics, alerts, poll_seconds)


def split_round(people: Sequence[UserId], interval_seconds: float) -> list[list[UserId]]:
    """Split the people of a round into parts of almost equal size, as many as fit into the interval."""
    parts = min(len(people), max(1, int(interval_seconds / SHORTEST_PAUSE_SECONDS)))
    if not parts:
        return []
    size = ceil(len(people) / parts)
    return [list(people[start : start + size]) for start in range(0, len(people), size)]
