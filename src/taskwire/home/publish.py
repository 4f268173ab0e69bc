"""Publishes Home tabs. Each publication shows the present state, so it may be repeated.

The jobs of a tab are in the queue of the tab's person. A tab is published at most once in three seconds
(`queue/rate_limiter.py`). The answer to a press of a button in the tab is shown at the top of the tab for two
minutes.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.queueing.person_jobs import PublishHome
from taskwire.domain.text.message import Message, View
from taskwire.home.person_tasks import find_threads, read_tasks
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import home
from taskwire.messages.accounts import ShownAccount
from taskwire.messages.cards import outage_note
from taskwire.messages.task_lists import Hosts
from taskwire.outbox.coder_health import find_outage
from taskwire.outbox.home_requests import keep_home, refresh_home
from taskwire.outbox.offered_replies import list_asked
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read_if_possible
from taskwire.slack.call_priorities import Priority
from taskwire.slack.calls import Method
from taskwire.slack.errors import SlackRefused
from taskwire.telemetry import logger

HOME_ANSWER_TTL_MS = 120_000

_log = logger("taskwire.home.publish")


class HomePublisher:
    """Publishes people's Home tabs."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.without_link(PublishHome, self.publish),)

    async def publish(self, context: JobContext) -> Outcome:
        """Publish the Home tab of a person."""
        work = context.work(PublishHome)
        is_watched = work.is_opened or work.answer is not None
        priority = Priority.MENTION if is_watched else Priority.CARD
        await self._deps.slack.reserve(Method.PUBLISH_VIEW, work.person, priority)
        view = await self._make_view(context, work)
        # If this process is frozen now, it may overwrite a newer tab when it runs again. Then the tab is
        # published once more.
        context.compensation = refresh_home(work.person)
        try:
            await self._deps.slack.views.publish(work.person, view)
        except SlackRefused as refused:
            # Slack may refuse the tab, for example if the app's manifest is old and has no Home tab.
            _log.info(
                "Home tab refused by Slack, published again after the next change",
                person=work.person,
                code=refused.code,
            )
        batch = Batch()
        if work.answer is not None:
            kept = work.answer.model_dump_json()
            self._deps.notes.keep_in(batch, kept, "home_answer", work.person, ttl_ms=HOME_ANSWER_TTL_MS)
        return done(batch)

    async def _make_view(self, context: JobContext, work: PublishHome) -> View:
        """Make the Home tab.

        When the person opens the tab, the bot asks Slack whether this person may use it. A later update of
        the tab does not ask again: it shows only the person's own tasks and tasks that are shared with the
        person.
        """
        person = work.person
        if work.is_opened:
            try:
                await self._people.get_profile(person)
            except UserError as error:
                return home.refused_home(str(error))
            # First record that the person's tab is open, and then read the tasks. In the other order, a
            # change between the two would not update the tab.
            await context.write(keep_home(self._deps, person))
        seen = await read_tasks(self._deps, self._people, person, context.now_ms)
        outage = await find_outage(self._deps)
        page = home.HomePage(
            asked=await list_asked(self._deps, person),
            needs=await find_threads(self._deps, person, seen.needs, home.MOST_NEEDS),
            running=await find_threads(self._deps, person, seen.running, home.MOST_RUNNING),
            lately=await find_threads(self._deps, person, seen.lately, home.MOST_LATELY),
            shared=await find_threads(self._deps, person, seen.shared, home.MOST_SHARED),
            note=outage_note(outage.since_ms, outage.why) if outage is not None else "",
            answer=work.answer or await self._find_answer(person),
            settings=await self._deps.person_settings.get(person),
            account=await self._find_account(person),
        )
        return home.home_view(page, Hosts(self._deps.coder_url, self._deps.forges))

    async def _find_account(self, person: UserId) -> ShownAccount | None:
        """Return the person's own account; None if this deployment lets nobody connect accounts."""
        own = self._people.accounts
        if not own.can_connect:
            return None
        known, has_page = await own.find(person), self._deps.connect_ways.has_page
        if known is None:
            return ShownAccount(is_optional=own.has_service, has_page=has_page)
        return ShownAccount(
            known.username, known.find_near_end(self._deps.slack.now()), known.is_refused, has_page=has_page
        )

    async def _find_answer(self, person: UserId) -> Message | None:
        return read_if_possible(Message, await self._deps.notes.find("home_answer", person))
