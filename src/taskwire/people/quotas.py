"""Limits how many tasks one person, or the people of one channel, may start and have running.

There is a limit for the tasks that start within an hour, and a limit for the tasks that run at once. Each
limit is a setting, and 0 means no limit. Administrators have no personal limit, and their tasks do not count
for a channel's limit. A task that could not be created does not count. Such tasks have a limit of their own,
also for administrators, because each of them posts and edits a card. A task counts as running until it is
paused, broken or gone, because until then it uses a workspace. A resumed task counts like a new task. A task
that gets a thread by `attach` counts for the limit of running tasks in that channel.
"""

from collections.abc import Iterable

from taskwire.coder.models import Task, TaskStatus
from taskwire.dependencies import Dependencies
from taskwire.domain.durations import HOUR_MS
from taskwire.domain.errors import UserError
from taskwire.domain.ids import LinkId, UserId
from taskwire.domain.lifecycle.links import Link, LinkRecord
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.requester import Requester
from taskwire.job_context import JobEnded, retry
from taskwire.messages import task_limits
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch

# Requests for one channel are counted one after the other, and so are one person's resumes. Each request
# holds the channel or the person until it is counted. If the process dies before that, the request holds them
# for this time.
QUOTA_CLAIM_MS = 10_000
QUOTA_RETRY_SECONDS = 0.5
# A resumed task counts as running for this long, until Coder's state of it is known.
RESUMED_MS = 30_000
# If so many tasks of a person could not be created within a minute, the person must wait before the next one.
MOST_FAILED_CREATES = 5
_MINUTE_MS = 60_000
_COUNT, _ATTACHED, _FAILED = "create_count", "attach_count", "failed_create_count"
_CLAIM, _RESUMED = "quota_claim", "quota_resumed"
# If the settings do not limit the new tasks in an hour, this many new tasks of a channel are remembered.
_MOST_COUNTED = 1_000
_NOT_RUNNING = (Phase.PAUSED, Phase.PAUSING, Phase.BROKEN)
_NOT_RUNNING_IN_CODER = (TaskStatus.PAUSED, TaskStatus.ERROR)


class TooManyRunning(UserError):
    """The task cannot be resumed, because too many tasks run.

    `why` says whose tasks, as a part of a sentence.
    """

    def __init__(self, link: Link, why: str) -> None:
        super().__init__(*task_limits.not_resumed(link, why), reason="quota")
        self.why = why


class Quotas:
    """Counts new tasks, and refuses a task above a limit."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people
        self._settings = deps.quotas

    async def count_task(self, person: UserId, record: LinkRecord, job_id: str, now_ms: int) -> Batch:
        """Return the batch that counts this new task.

        Raise UserError if a limit is reached. Its text says when the person can start the next task. If
        another request in the channel is being counted now, raise JobEnded, so that the job runs again soon.
        """
        batch = Batch()
        await self._require_few_failures(person, now_ms)
        if await self._people.is_admin(person):
            return batch
        await self._count_person(person, record, now_ms, batch)
        if self._settings.is_about_channels and not record.channel.startswith("D"):
            await self._claim(record.channel, job_id)
            try:
                await self._count_channel(record, now_ms, batch)
            except UserError:
                await self._deps.notes.forget(_CLAIM, record.channel)
                raise
            self._deps.notes.forget_in(batch, _CLAIM, record.channel)
        return batch

    async def count_attached(
        self, requester: Requester, task: Task, link_id: LinkId, job_id: str, now_ms: int
    ) -> Batch:
        """Return the batch that counts a task that is attached to the requester's channel.

        Raise UserError if as many tasks as the limit allows run in the channel. `link_id` is the id of the
        task's link. Raise JobEnded like `count_task`.
        """
        batch, channel, at_once = Batch(), requester.channel, self._settings.channel_running
        if not at_once or channel.startswith("D") or task.status in _NOT_RUNNING_IN_CODER:
            return batch
        if await self._people.is_admin(requester.person):
            return batch
        await self._claim(channel, job_id)
        if await self._count_running_in(channel, link_id) >= at_once:
            await self._deps.notes.forget(_CLAIM, channel)
            raise UserError(*task_limits.channel_has_no_room(channel, at_once), reason="quota")
        self._deps.notes.forget_in(batch, _CLAIM, channel)
        where = (_ATTACHED, channel)
        return self._deps.notes.count_in(batch, link_id, now_ms, _MOST_COUNTED, *where, ttl_ms=HOUR_MS)

    async def require_room(self, link: Link, job_id: str) -> None:
        """Raise TooManyRunning if a limit forbids resuming this task. Otherwise, the task counts as running
        from now on.

        If another task of the owner or the channel is being counted now, raise JobEnded, so that the job runs
        again soon.
        """
        settings, record = self._settings, link.record
        owner = record.contact or UserId("")
        if not (settings.person_running or settings.channel_running) or await self._people.is_admin(owner):
            return
        has_channel_limit = settings.channel_running and not record.channel.startswith("D")
        claimed: list[str] = []
        try:
            for whose in [owner, *([record.channel] if has_channel_limit else [])]:
                await self._claim(whose, job_id)
                claimed.append(whose)
            most = settings.person_running
            if most:
                others = [each for each in await self._deps.links.list_of(owner) if each.id != link.id]
                if await self._count_running(others) >= most:
                    raise TooManyRunning(link, task_limits.owner_runs_too_many(most))
            most = settings.channel_running
            if has_channel_limit and await self._count_running_in(record.channel, record.id) >= most:
                raise TooManyRunning(link, task_limits.channel_runs_too_many(most))
            await self._deps.notes.keep("1", _RESUMED, link.id, ttl_ms=RESUMED_MS)
        finally:
            for whose in claimed:
                await self._deps.notes.forget(_CLAIM, whose)

    async def _require_few_failures(self, person: UserId, now_ms: int) -> None:
        failed = await self._deps.notes.list_since(now_ms - _MINUTE_MS, _FAILED, person)
        if len(failed) >= MOST_FAILED_CREATES:
            seconds = -(-(failed[-MOST_FAILED_CREATES] + _MINUTE_MS - now_ms) // 1_000)
            raise UserError(*task_limits.too_many_failed(MOST_FAILED_CREATES, seconds), reason="quota")

    async def _count_person(self, person: UserId, record: LinkRecord, now_ms: int, batch: Batch) -> None:
        hourly, at_once = self._settings.person_hourly, self._settings.person_running
        if hourly:
            minutes = await self._find_wait(hourly, person, now_ms)
            if minutes:
                raise UserError(*task_limits.too_many_tasks(hourly, minutes), reason="quota")
            self._count_in(batch, record, person, now_ms, hourly)
        if at_once and await self._count_running(await self._deps.links.list_of(person)) >= at_once:
            raise UserError(*task_limits.too_many_running(at_once), reason="quota")

    async def _count_channel(self, record: LinkRecord, now_ms: int, batch: Batch) -> None:
        channel, hourly, at_once = (
            record.channel,
            self._settings.channel_hourly,
            self._settings.channel_running,
        )
        minutes = await self._find_wait(hourly, channel, now_ms) if hourly else 0
        if minutes:
            raise UserError(*task_limits.channel_too_many_tasks(channel, hourly, minutes), reason="quota")
        if at_once and await self._count_running_in(channel, record.id) >= at_once:
            raise UserError(*task_limits.channel_too_many_running(channel, at_once), reason="quota")
        self._count_in(batch, record, channel, now_ms, max(hourly, _MOST_COUNTED))

    async def _claim(self, whose: str, job_id: str) -> None:
        notes = self._deps.notes
        is_first = await notes.keep_if_new(_CLAIM, whose, value=job_id, ttl_ms=QUOTA_CLAIM_MS)
        if not is_first and await notes.find(_CLAIM, whose) != job_id:
            raise JobEnded(retry(QUOTA_RETRY_SECONDS))

    async def _count_running_in(self, channel: str, without: LinkId) -> int:
        """Count the running tasks of the channel, also those that are being created or attached now.

        The link `without` does not count.
        """
        opened = await self._deps.links.list_open()
        places = await self._deps.links.list_channels(opened.values())
        here = {link for link, place in places.items() if place == channel}
        for what in (_COUNT, _ATTACHED):
            here |= {LinkId(link) for link in await self._deps.notes.list_counted(what, channel)}
        return await self._count_running((await self._deps.links.list_links(here - {without})).values())

    async def _count_running(self, links: Iterable[Link]) -> int:
        count = 0
        for link in links:
            if link.end_reason is None and (
                _is_running(link) or await self._deps.notes.find(_RESUMED, link.id) is not None
            ):
                count += 1
        return count

    async def _find_wait(self, most: int, whose: str, now_ms: int) -> int:
        """Return after how many minutes the next task may start; 0 if it may start now.

        `most` is the limit for an hour. `whose` is the person or the channel that has this limit.
        """
        latest = await self._deps.notes.list_since(now_ms - HOUR_MS, _COUNT, whose)
        return -(-(latest[-most] + HOUR_MS - now_ms) // 60_000) if len(latest) >= most else 0

    def _count_in(self, batch: Batch, record: LinkRecord, whose: str, now_ms: int, most: int) -> None:
        self._deps.notes.count_in(batch, record.id, now_ms, most, _COUNT, whose, ttl_ms=HOUR_MS)


def uncount_task(deps: Dependencies, record: LinkRecord, now_ms: int, batch: Batch) -> Batch:
    """Add to a batch that a task no longer counts, because it was never created. It counts as failed."""
    for whose in (record.requested_by, record.channel):
        deps.notes.uncount_in(batch, record.id, _COUNT, whose)
    where = (_FAILED, record.requested_by)
    return deps.notes.count_in(batch, record.id, now_ms, MOST_FAILED_CREATES, *where, ttl_ms=_MINUTE_MS)


def _is_running(link: Link) -> bool:
    return link.state.phase not in _NOT_RUNNING or link.shown_pending in ("resume", "retry")
