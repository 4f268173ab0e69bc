"""Handles *Snooze* on a reminder: the reminder is repeated in an hour, or tomorrow morning."""

from datetime import datetime, timedelta
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId, from_ms, to_ms
from taskwire.domain.lifecycle.events import Snoozed
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.overdue import find_next_morning, is_question_open
from taskwire.domain.person_settings import make_zone
from taskwire.domain.queueing.decisions import SnoozeReminder
from taskwire.domain.queueing.jobs import ApplyEvent, Job
from taskwire.domain.queueing.queues import to_thread
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import inputs, refusals
from taskwire.outbox import questions
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch


class ReminderSnoozer:
    """Handles presses of the buttons that snooze a reminder."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_any_link(SnoozeReminder, self.handle_snooze),)

    async def handle_snooze(self, context: JobContext, link: Link | None) -> Outcome:
        """Repeat the reminder later, if the question is still open."""
        work = context.work(SnoozeReminder)
        return await retry_for_person(self._deps, context, link, partial(self._snooze, work, link))

    async def _snooze(self, work: SnoozeReminder, link: Link | None, context: JobContext) -> Outcome:
        if link is None or link.end_reason is not None:
            raise UserError(*refusals.link_ended(await self._people.find_visible(work.requester, link)))
        if not await self._is_fallback(work.requester.person, link):
            await self._people.require_right_to("snooze", work.requester, link, needs_coder=False)
        is_open = await questions.is_open(self._deps, link, questions.REMINDER, work.message_ts)
        if not is_open or not is_question_open(link.state):
            context.audit.is_nothing()
            return done(None, (work.requester, inputs.choice_too_late()))
        until = await self._find_time(work, from_ms(context.now_ms))
        event = Snoozed(until_ms=to_ms(until))
        batch = Batch().append(
            to_thread(link.id), Job(id=f"snoozed:{context.job.id}", work=ApplyEvent(event=event))
        )
        words = inputs.reminder_snoozed(await self._people.find_name(work.requester.person), until)
        return done(
            await questions.settle_finally(
                self._deps, link, questions.REMINDER, words, batch, work.message_ts
            )
        )

    async def _is_fallback(self, person: UserId, link: Link) -> bool:
        """Return whether the person is the channel's fallback, or belongs to the group that is the fallback.

        A reminder calls the fallback if the owner does not answer.
        """
        await self._people.get_profile(person)
        fallback = (await self._deps.channel_settings.get(link.record.channel)).fallback
        if fallback.startswith("S"):
            return person in await self._people.directory.list_group(fallback)
        return person == fallback

    async def _find_time(self, work: SnoozeReminder, now: datetime) -> datetime:
        if work.until == "hour":
            return now + timedelta(hours=1)
        profile = await self._people.get_profile(work.requester.person)
        return find_next_morning(now, make_zone(profile.time_zone, profile.utc_offset_seconds))
