"""Follows an agent: one message in the thread shows the last lines of the agent's output, for ten minutes.

The message is posted once and then edited. Coder's log is read only while a person follows, every five
seconds for each followed task. The edits have the lowest priority in Slack's limits, so cards go first.
Following ends after ten minutes, when the agent stops working, or when a person ends it. The message then
says why it ended, and keeps the last lines.
"""

from typing import NamedTuple

from taskwire.agent.log import read_last_lines
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import NoPlace, UserError
from taskwire.domain.ids import LinkId, Ts, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.parsing.naming import digest
from taskwire.domain.queueing.display_jobs import ShowLive, StartFollowing
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.queues import live, to_thread
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import live as messages
from taskwire.messages.live import FollowingEnd
from taskwire.notices.closed_threads import OWNER_CHECK_SECONDS
from taskwire.outbox.enqueue import draw
from taskwire.outbox.posting import post_once
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata

FOLLOW_MS = 600_000
# The time between two reads of the agent's log.
TICK_SECONDS = 5.0
# The most agents that are followed at once. All cards and the messages that follow an agent share 45 edits a
# minute.
MOST_FOLLOWED = 10
# The most agents among them that one person has begun to follow, and the note that names these agents.
MOST_FOLLOWED_BY_ONE, FOLLOWED_BY = 3, "followed_by"
FOLLOWED_PHASES = (Phase.STARTING, Phase.WORKING)
# Why an agent has stopped working, by phase.
_ENDS: dict[Phase, FollowingEnd] = {
    Phase.NEEDS_YOU: "asked",
    Phase.DONE: "done",
    Phase.FAILED: "failed",
    Phase.PAUSING: "paused",
    Phase.PAUSED: "paused",
    Phase.BROKEN: "broken",
    Phase.UNCLEAR: "unclear",
    Phase.OTHER: "unclear",
    Phase.GONE: "link",
}


class _Place(NamedTuple):
    ts: Ts
    message_id: str


async def start_following(deps: Dependencies, link: Link, person: UserId, now_ms: int) -> Batch:
    """Return the batch that starts to follow the agent, because this person has asked for it.

    Raise UserError if the agent does not work now, or if too many agents are followed already.
    """
    if link.state.phase not in FOLLOWED_PHASES:
        raise UserError(*messages.not_working(link))
    if await deps.links.count_followed(now_ms) >= MOST_FOLLOWED:
        raise UserError(*messages.too_many_followed(MOST_FOLLOWED))
    begun = {LinkId(name) for name in await deps.notes.list_counted(FOLLOWED_BY, person)}
    begun_links = (await deps.links.list_links(begun)).values()
    if sum(is_followed(each, now_ms) for each in begun_links) >= MOST_FOLLOWED_BY_ONE:
        raise UserError(*messages.too_many_followed_by_you(MOST_FOLLOWED_BY_ONE))
    until_ms = now_ms + FOLLOW_MS
    batch = draw(link.id, deps.writes.follow(Batch(), link.id, until_ms))
    deps.notes.count_in(batch, link.id, now_ms, MOST_FOLLOWED, FOLLOWED_BY, person, ttl_ms=FOLLOW_MS)
    return batch.append(
        to_thread(link.id), Job(id=f"follow:{until_ms}", work=StartFollowing(until_ms=until_ms))
    )


def stop_following(deps: Dependencies, link: Link) -> Batch:
    """Return the batch that ends following. The card's menu then offers *Follow* again."""
    return draw(link.id, deps.writes.unfollow(Batch(), link.id))


def is_followed(link: Link, now_ms: int) -> bool:
    """Return whether a message in the thread shows the agent's output now."""
    return link.follow_until_ms > now_ms


class Follower:
    """Handles the jobs of the message that shows an agent's output."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_link(StartFollowing, self.post), Handler.with_link(ShowLive, self.show))

    async def post(self, context: JobContext, link: Link) -> Outcome:
        """Post the message, once. Later edits add the agent's lines."""
        until_ms, record = context.work(StartFollowing).until_ms, link.record
        is_over = _find_end(link, until_ms, context.now_ms) is not None
        if record.thread_ts is None or (is_over and not context.is_outcome_unknown):
            return done(self._end(link, until_ms))
        meta = Metadata(id=f"{link.id}:{context.job.id}", kind="live", task_id=record.task_id)
        message = messages.showing(link, "", until_ms)
        try:
            ts = await post_once(
                self._deps, context, link.id, record.channel, record.thread_ts, message, meta
            )
        except (ChannelProblem, MessageGone):
            return done(self._end(link, until_ms))
        return done(
            Batch().append(live(link.id), _tick(ShowLive(ts=ts, message_id=meta.id, until_ms=until_ms)))
        )

    async def show(self, context: JobContext, link: Link) -> Outcome:
        """Show the agent's last lines in the message, and queue the next edit.

        The last edit says why the message no longer follows the agent.
        """
        if await self._people.is_out_of_reach(link):
            return retry(OWNER_CHECK_SECONDS)
        work = context.work(ShowLive)
        place = _Place(work.ts, work.message_id)
        # If this process is frozen now, it may overwrite newer lines when it runs again. Then the newer lines
        # are shown once more.
        again = work.model_copy(update={"shown": ""})
        context.compensation = Batch().append(live(link.id), _tick(again), is_newest=True)
        end = _find_end(link, work.until_ms, context.now_ms)
        try:
            if end is not None:
                await self._edit(link, place, await self._say_end(link, end, work.lines), Priority.CARD)
                return done(self._end(link, work.until_ms))
            lines = await read_last_lines(self._deps, context.coder, link)
            shown = digest(lines)
            if not lines or shown == work.shown:
                return retry(TICK_SECONDS)
            await self._edit(link, place, messages.showing(link, lines, work.until_ms), Priority.LIVE)
        except NoPlace as busy:
            # The next run reads newer lines. The edit keeps its turn, because the rate limiter remembers
            # since when it waits.
            if end is not None:
                raise
            return retry(max(TICK_SECONDS, busy.retry_after_seconds or 0.0))
        except (ChannelProblem, MessageGone):
            return done(self._end(link, work.until_ms))
        return retry(TICK_SECONDS, context.job.with_work(shown=shown, lines=lines))

    async def _say_end(self, link: Link, end: FollowingEnd, lines: str) -> Message:
        by = await self._people.find_name(link.state.find_actor("pause")) if end == "paused" else ""
        return messages.ended(link, end, lines, by)

    async def _edit(self, link: Link, place: _Place, message: Message, priority: Priority) -> None:
        meta = Metadata(id=place.message_id, kind="live", task_id=link.record.task_id)
        await self._deps.slack.update(link.record.channel, place.ts, message, meta, priority)

    def _end(self, link: Link, until_ms: int) -> Batch:
        """Return the batch that ends following. `until_ms` is when this following was to end.

        The batch is empty if a person has started to follow again in the meantime.
        """
        is_newer = link.follow_until_ms not in (0, until_ms)
        return Batch() if is_newer else stop_following(self._deps, link)


def _tick(work: ShowLive) -> Job:
    return Job(id=f"live:{work.until_ms}", work=work)


def _find_end(link: Link, until_ms: int, now_ms: int) -> FollowingEnd | None:
    """Return why following ends now; None if it does not end yet."""
    if link.end_reason is not None:
        return "link"
    if link.follow_until_ms != until_ms:
        return "stopped"
    if now_ms >= until_ms:
        return "time"
    if link.state.phase in FOLLOWED_PHASES:
        return None
    return _ENDS[link.state.phase]
