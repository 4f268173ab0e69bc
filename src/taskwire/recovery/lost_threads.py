"""Lost threads: a person writes below one of the bot's cards, but Redis does not know the card's thread.

The card's metadata names its link and its task. If Redis lost data at the time of the card, the link is
restored from the card. Otherwise a message in the thread says why nobody gets the replies. If the card was
posted a moment ago, Redis usually knows its thread before this job runs.

In direct messages, people also write below other messages of the bot, such as a call. No agent gets what they
write there, and the bot says so.
"""

from datetime import timedelta

from taskwire.agent.observing import observation_of
from taskwire.coder.errors import NotFound
from taskwire.coder.models import Task
from taskwire.dependencies import Dependencies
from taskwire.domain.allowed import is_direct_channel
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import LinkId, TaskId, ThreadRef, moment_of, to_ms, ts_of
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.links import LinkRecord
from taskwire.domain.queueing.jobs import ApplyEvent, Job
from taskwire.domain.queueing.maintenance import FindThread
from taskwire.domain.queueing.queues import to_thread
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import inputs, personal_notices
from taskwire.outbox.enqueue import draw, request_reading, say
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.posting import CLOCK_TOLERANCE, post_once
from taskwire.outbox.private_answers import show_privately
from taskwire.outbox.readers import may_answer, may_be_answered, may_read
from taskwire.outbox.tell_once import record_unless_told
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.rate_limiter import CLAIM_GRACE_MS
from taskwire.slack.call_priorities import Priority, as_claimant, with_least_priority
from taskwire.slack.errors import ChannelProblem, MessageGone, NoCapacity, SlackRefused
from taskwire.slack.metadata import Metadata
from taskwire.tasks.lookup import bare_record
from taskwire.telemetry import logger

# The second part of a card's message id. If the card was posted again, the id has a third part.
CARD_KIND = "card"
# The note that the bot's message at the beginning of a thread is no card. While it is there, the people who
# write in a thread of direct messages are not told again that no agent gets it.
_NO_CARD, NO_CARD_TTL_MS = "no_card", 600_000
# The note that names the job that waits for the next place for the searches of one person.
_NEXT_SEARCH = "next_search"
# The note that lists the threads for which searches of one person wait, and the most of them. A further
# search ends at once. Several that begin at the same moment may exceed the limit by a few.
_SEARCHES, MOST_SEARCHES, SEARCHES_TTL_MS = "searches", 100, 3_600_000
# Another search of this person that finds no place in Slack's limits runs again after this time. Many
# searches may wait.
WITHOUT_PLACE_SECONDS = 30.0
# Redis may not know yet the thread of a card in direct messages that is younger than this. The search runs
# again after so many seconds.
_NEW_CARD_AGE, _NEW_CARD_SECONDS = timedelta(seconds=60), 30.0

_log = logger("taskwire.recovery.lost_threads")


class LostThreads:
    """Finds the tasks of threads that Redis has lost."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """List the handler that looks for the task of an unknown thread."""
        return (Handler.without_link(FindThread, self.find),)

    async def find(self, context: JobContext) -> Outcome:
        """Look at the card of an unknown thread, unless too many searches of the same person wait.

        Restore the thread's link, or say in the thread why that is not possible.
        """
        work = context.work(FindThread)
        place, counted = f"{work.channel}:{work.thread_ts}", (_SEARCHES, work.person)
        if place not in await self._deps.notes.list_counted(*counted):
            # A search that was given up stays counted for this time.
            waiting = await self._deps.notes.list_since(context.now_ms - SEARCHES_TTL_MS, *counted)
            if len(waiting) >= MOST_SEARCHES:
                _log.warning("too many searches of one person wait, thread stays unknown", person=work.person)
                return done()
            batch = self._deps.notes.count_in(
                Batch(), place, context.now_ms, MOST_SEARCHES, *counted, ttl_ms=SEARCHES_TTL_MS
            )
            await context.write(batch)
        outcome = await self._find(context, work)
        self._deps.notes.uncount_in(outcome.batch, place, *counted)
        return outcome

    async def _find(self, context: JobContext, work: FindThread) -> Outcome:
        thread = ThreadRef(work.channel, work.thread_ts)
        known = await self._deps.links.find_by_thread(thread)
        if known is not None:
            return done(self._deps.writes.adopt_parked(Batch(), thread, known))
        place = f"{thread.channel}:{thread.ts}"
        if await self._deps.notes.find(_NO_CARD, place) is not None:
            return done()
        try:
            card = await self._find_card(context, work)
            if card is None or card.kind != CARD_KIND:
                if card is not None and is_direct_channel(work.channel):
                    await self._answer_directly(context, work, card)
                await self._deps.notes.keep("1", _NO_CARD, place, ttl_ms=NO_CARD_TTL_MS)
                return done()
            if is_direct_channel(work.channel) and self._is_new(work):
                return retry(_NEW_CARD_SECONDS)
            return await self._restore_or_explain(context, work, card)
        except (ChannelProblem, MessageGone) as problem:
            _log.info(
                "card of unknown thread not readable, thread stays unknown",
                channel=work.channel,
                error=str(problem),
            )
            return done()

    async def _find_card(self, context: JobContext, work: FindThread) -> Metadata | None:
        # Anybody may write below any message of the bot, so these reads wait behind all others. All searches
        # of one person are one claimant, so only one of them waits for a place.
        with as_claimant(f"search:{work.person}"), with_least_priority(Priority.SEARCH):
            try:
                card = await self._deps.slack.find_metadata(work.channel, work.thread_ts)
            except NoCapacity as busy:
                seconds = busy.retry_after_seconds or 1.0
                if not await self._is_next_search(context, work, seconds):
                    seconds = max(seconds, WITHOUT_PLACE_SECONDS)
                raise NoCapacity(str(busy), seconds) from busy
        await self._deps.notes.forget(_NEXT_SEARCH, work.person)
        return card

    def _is_new(self, work: FindThread) -> bool:
        return self._deps.slack.now() - moment_of(work.thread_ts) < _NEW_CARD_AGE

    async def _answer_directly(self, context: JobContext, work: FindThread, root: Metadata) -> None:
        """Say in a thread of direct messages that no agent gets what the person writes there.

        If the thread begins with a message about a task that the person may read, lead to the task's thread.
        """
        requester = Requester(person=work.person, channel=work.channel, at=work.thread_ts)
        if not await may_be_answered(self._deps, self._people, requester):
            return
        where, steered = "", None
        link = await self._deps.links.find_by_task(TaskId(root.task_id)) if root.task_id else None
        if link is not None and await may_read(self._deps, self._people, work.person, link):
            where = await find_permalink(self._deps, link.record)
            steered = link if await may_answer(self._people, work.person, link) else None
        message = personal_notices.no_agent_reads_here(where, steered)
        meta = Metadata(
            id=f"not_read:{work.channel}:{work.thread_ts}:{context.lease.since_ms}", kind="answer"
        )
        await post_once(self._deps, context, context.link_id, work.channel, work.thread_ts, message, meta)

    async def _is_next_search(self, context: JobContext, work: FindThread, seconds: float) -> bool:
        """Return whether this job waits for the next place for the searches of its person.

        Such a job asks again after `seconds`, as the limiter said. Otherwise the claim of the person would
        expire, also a claim that has starved and got a place before others.
        """
        notes, job_id = self._deps.notes, context.job.id
        ttl_ms = int(seconds * 1000) + CLAIM_GRACE_MS
        if await notes.keep_if_new(_NEXT_SEARCH, work.person, value=job_id, ttl_ms=ttl_ms):
            return True
        if await notes.find(_NEXT_SEARCH, work.person) != job_id:
            return False
        await notes.keep(job_id, _NEXT_SEARCH, work.person, ttl_ms=ttl_ms)
        return True

    async def _restore_or_explain(self, context: JobContext, work: FindThread, card: Metadata) -> Outcome:
        if card.task_id is None or not self._is_link_lost(work):
            return await self._answer(context, work, inputs.thread_unknown())
        other = await self._deps.links.find_by_task(TaskId(card.task_id))
        if other is not None:
            where = await find_permalink(self._deps, other.record)
            return await self._answer(context, work, inputs.task_has_other_thread(where))
        try:
            task = await context.coder.get_task(card.task_id)
        except NotFound:
            return await self._answer(context, work, inputs.thread_task_gone())
        _log.warning(
            "thread that Redis had lost is linked to its task again", channel=work.channel, task=task.id
        )
        record = await self._make_record(work, card, task)
        settings = await self._deps.channel_settings.get(record.channel)
        return done(self._restore_link(record, task, is_mention_only=settings.replies == "mentions"))

    def _is_link_lost(self, work: FindThread) -> bool:
        """Return whether Redis lost the link in a data loss. If not, the link ended long ago."""
        data_loss = self._deps.queues.data_loss_detector.last
        return (
            data_loss is not None and to_ms(moment_of(work.thread_ts) + CLOCK_TOLERANCE) >= data_loss.since_ms
        )

    async def _make_record(self, work: FindThread, card: Metadata, task: Task) -> LinkRecord:
        owner = await self._people.accounts.find_in_slack(task.owner_id)
        requester = Requester(person=owner or work.person, channel=work.channel, at=work.thread_ts)
        link = LinkId(card.id.split(":")[1])
        updates = {
            "id": link,
            "thread_ts": work.thread_ts,
            "owner_slack": owner,
            "owner_slack_name": await self._people.find_name(owner),
        }
        return bare_record(task, requester, self._deps.mask).model_copy(update=updates)

    def _restore_link(self, record: LinkRecord, task: Task, *, is_mention_only: bool) -> Batch:
        """Write the link as if its task had just been attached, so that no notice reports an old change."""
        writes = self._deps.writes
        batch = writes.write_task(writes.write_thread(writes.write_record(Batch(), record), record), record)
        if is_mention_only:
            writes.set_field(batch, record.id, "mention_only", "1")
        event = Observed(observation=observation_of(task, self._deps.mask), is_baseline=True)
        batch.append(to_thread(record.id), Job(id=f"bound:{record.id}", work=ApplyEvent(event=event)))
        say(record.id, "found-again", inputs.thread_found_again(is_mention_only=is_mention_only), batch)
        # A person has just written in this thread, so this thread is read before other threads.
        request_reading(record.id, ts_of(self._deps.slack.now()), batch)
        return draw(record.id, batch)

    async def _answer(self, context: JobContext, work: FindThread, message: Message) -> Outcome:
        """Post the answer in the thread, once a day.

        If more people write in the thread on the same day, answer them privately.
        """
        place = f"{work.channel}:{work.thread_ts}"
        batch = Batch()
        is_first = await record_unless_told(self._deps, batch, "lost_thread", place, ttl_ms=DAY_MS)
        if not is_first and not context.is_outcome_unknown:
            requester = Requester(
                person=work.person, channel=work.channel, at=work.thread_ts, thread_ts=work.thread_ts
            )
            try:
                await show_privately(self._deps.slack, requester, message)
            except SlackRefused as refused:
                _log.info("private answer refused by Slack, not shown", person=work.person, code=refused.code)
            return done()
        meta = Metadata(id=f"lost:{place}:{context.lease.since_ms}", kind="answer")
        await post_once(self._deps, context, context.link_id, work.channel, work.thread_ts, message, meta)
        return done(batch)
