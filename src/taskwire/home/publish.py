"""Publishes Home tabs. Each publication shows the present state, so it may be repeated.

A tab shows tasks only to a person who may list them at this moment (`outbox/readers.py`). Other people's tabs
say what `/task list` says to them.

The jobs of a tab are in the queue of the tab's person. A tab is published at most once in three seconds
(`queue/rate_limiter.py`). The answer to a press of a button in the tab is shown at the top of the tab for two
minutes.
"""

from dataclasses import replace

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.queueing.person_jobs import PublishHome
from taskwire.domain.text.message import Message, View
from taskwire.home.person_tasks import find_threads, read_tasks
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import home
from taskwire.messages.accounts import ShownAccount
from taskwire.messages.outages import outage_note
from taskwire.messages.task_lists import Hosts
from taskwire.outbox.coder_health import find_outage
from taskwire.outbox.home_requests import HOME_ANSWER, forget_home, keep_home, refresh_home
from taskwire.outbox.readers import Reader, find_reader
from taskwire.outbox.waiting_creates import list_waiting_creates
from taskwire.outbox.waiting_requests import is_renewed, note_refusal
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read_if_possible
from taskwire.slack.call_priorities import Priority, with_least_priority
from taskwire.slack.calls import Method
from taskwire.slack.errors import SlackRefused
from taskwire.telemetry import logger
from taskwire.waiting_replies.offered import list_asked

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
        batch = Batch()
        # Requests of people go before the look-ups for a tab that nobody may be looking at.
        with with_least_priority(Priority.MENTION if is_watched else Priority.CARD):
            view = await self._make_view(context, work, batch)
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
        if work.answer is not None:
            kept = work.answer.model_dump_json()
            self._deps.notes.keep_in(batch, kept, HOME_ANSWER, work.person, ttl_ms=HOME_ANSWER_TTL_MS)
        return done(batch)

    async def _make_view(self, context: JobContext, work: PublishHome, batch: Batch) -> View:
        """Make the Home tab. Add to the batch what was found out about the person.

        A person who may not list tasks reads why. Changes are not published to this person any more, until
        they open the tab again.
        """
        person, reader = work.person, None
        try:
            reader = await find_reader(self._people, person)
        except UserError as error:
            forget_home(self._deps, person, batch)
            return home.refused_home(str(error))
        except (AccountNeeded, PersonTokenRefused) as error:
            if await is_renewed(self._deps, error):
                raise
            known = await self._people.accounts.find(person)
            if known is not None and not known.is_refused:
                # This also publishes the tab again, which then says that Coder refuses the token.
                await note_refusal(self._deps, error, batch)
        if work.is_opened:
            # First record that the person's tab is open, and then read the tasks. In the other order, a
            # change between the two would not update the tab.
            await context.write(keep_home(self._deps, person))
        tasks = await self._read_tasks(reader, context.now_ms) if reader is not None else home.HomePage()
        outage = await find_outage(self._deps)
        page = replace(
            tasks,
            creates=await list_waiting_creates(self._deps, person),
            note=outage_note(outage.since_ms, outage.why) if outage is not None else "",
            answer=work.answer or await self._find_answer(person),
            settings=await self._deps.person_settings.get(person),
            account=await self._find_account(person),
        )
        return home.home_view(page, Hosts(self._deps.coder_url, self._deps.forges))

    async def _read_tasks(self, reader: Reader, now_ms: int) -> home.HomePage:
        """Return a page with the tasks and the waiting replies that the person may see."""
        person = reader.person
        seen = await read_tasks(self._deps, self._people, reader, now_ms)
        return home.HomePage(
            asked=await list_asked(self._deps, person, reader.owns),
            needs=await find_threads(self._deps, person, seen.needs, home.MOST_NEEDS),
            running=await find_threads(self._deps, person, seen.running, home.MOST_RUNNING),
            lately=await find_threads(self._deps, person, seen.lately, home.MOST_LATELY),
            shared=await find_threads(self._deps, person, seen.shared, home.MOST_SHARED),
        )

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
        return read_if_possible(Message, await self._deps.notes.find(HOME_ANSWER, person))
