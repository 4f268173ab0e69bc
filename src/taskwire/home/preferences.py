"""Handles a person's own settings: stores them, and sends the summary after quiet hours.

If notices were held back in quiet hours, the bot sends one summary when these quiet hours end. If the person
changes the quiet hours before that, the bot sends the summary when the new quiet hours end. If nothing is
left to tell, there is no summary.
"""

from collections.abc import Sequence

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import LinkId, UserId, to_ms
from taskwire.domain.lifecycle.link_state import NEEDS_PERSON_PHASES
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.queueing.person_jobs import SavePersonSettings, SummarizeQuietHours
from taskwire.domain.queueing.queues import quiet_hours
from taskwire.home.person_tasks import PersonTasks, find_threads, sort_links
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import answers, personal_notices
from taskwire.messages.task_lists import Hosts
from taskwire.notices.who_is_called import HELD_CALLS, SUMMARY_JOB_ID, find_present_quiet_period
from taskwire.outbox.direct_delivery import post_directly
from taskwire.outbox.home_requests import refresh_home
from taskwire.outbox.readers import may_read
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.metadata import Metadata


class Preferences:
    """Stores people's own settings, and sends their summaries."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.without_link(SavePersonSettings, self.save),
            Handler.without_link(SummarizeQuietHours, self.summarize),
        )

    async def save(self, context: JobContext) -> Outcome:
        """Store the settings, and show them in the Home tab."""
        work = context.work(SavePersonSettings)
        await self._people.get_profile(work.person)
        before = await self._deps.person_settings.get(work.person)
        batch = self._deps.person_settings.write(Batch(), work.person, work.settings)
        # A waiting summary is run now, to check whether there are still quiet hours.
        batch.hasten(quiet_hours(work.person), SUMMARY_JOB_ID, DAY_MS)
        refresh_home(work.person, batch)
        if work.requester is None:
            return done(batch)
        is_same = before == work.settings
        said = answers.settings_unchanged() if is_same else answers.own_settings_saved(work.settings)
        return done(batch, (work.requester, said))

    async def summarize(self, context: JobContext) -> Outcome:
        """Send the summary. If the person has quiet hours now, wait until they end.

        Send nothing if there is nothing to tell that the person may read, or if they want no notices. Each
        try of the job makes the summary anew, so that it has only what the person may read then.
        """
        work = context.work(SummarizeQuietHours)
        settings = await self._deps.person_settings.get(work.person)
        if settings.calls == "nothing":
            return done()
        period = await find_present_quiet_period(self._people, work.person, settings, context.now_ms)
        if period is not None:
            return retry((to_ms(period.ends) - context.now_ms) / 1000)
        held = [LinkId(link) for link in await self._deps.notes.list_counted(HELD_CALLS, work.person)]
        seen = await self._read_tasks(work.person, held, context.now_ms)
        needs = [
            link for link in seen.needs if link.state.open_phase in NEEDS_PERSON_PHASES and not link.is_muted
        ]
        finished = [
            link
            for link in (*seen.needs, *seen.lately)
            if link.id in held and link.state.phase is Phase.DONE and link.state.since_ms >= work.since_ms
        ]
        if not needs and not finished:
            return done()
        most = personal_notices.MOST_SUMMARIZED
        message = personal_notices.summary(
            await find_threads(self._deps, work.person, needs, most),
            await find_threads(self._deps, work.person, finished, most),
            Hosts(self._deps.coder_url, self._deps.forges),
        )
        meta = Metadata(id=f"{work.person}:summary:{work.since_ms}", kind="summary")
        await post_directly(self._deps, context, work.person, message, meta)
        return done(self._deps.notes.forget_in(Batch(), HELD_CALLS, work.person))

    async def _read_tasks(self, person: UserId, held: Sequence[LinkId], now_ms: int) -> PersonTasks:
        """Return the person's tasks, and the tasks of other people about which a notice was held back.

        `held` are all tasks about which a notice was held back. Leave out the tasks that the person may not
        read now.
        """
        links = await self._deps.links.list_links(held)
        links |= {link.id: link for link in await self._deps.links.list_of(person)}
        known = [link for link in links.values() if link.end_reason is None]
        return sort_links(
            [link for link in known if await may_read(self._deps, self._people, person, link)], now_ms
        )
