"""Shows in Slack's own agent surface whether an agent works, in workspaces with that surface.

The agent surface is the part of Slack that shows in a thread the status of an AI agent, its *session*.

While an agent works, Slack shows its own button *Stop*. `listeners/events.py` handles a press of this
button. No other feature depends on the agent surface: the card shows the same state, and more. If Slack
refuses the status, Taskwire does not try again for a day.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import LinkId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.queueing.display_jobs import ShowSession
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.queues import session
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone, SlackRefused, SlackTrouble, TokenProblem
from taskwire.slack.sessions import SessionStatus
from taskwire.telemetry import logger

# A status is set again after this time, because Slack forgets it after an hour.
SHOW_AGAIN_MS = 45 * 60 * 1000
# Slack's codes for temporary failures. Any other undocumented code counts as a refusal.
_PASSING_CODES = frozenset({"", "fatal_error", "internal_error", "request_timeout", "service_unavailable"})
_REFUSED = ("agent_surface", "refused")

_log = logger("taskwire.notices.agent_sessions")


def find_status(link: Link) -> SessionStatus:
    """Return the status that Slack's agent surface should show for a link's thread now."""
    if link.end_reason is not None:
        return "closed"
    if link.state.phase is Phase.NEEDS_YOU:
        return "suspended"
    is_working = link.state.phase in (Phase.STARTING, Phase.WORKING)
    return "processing" if is_working and link.shown_pending is None else "active"


def is_session_outdated(deps: Dependencies, link: Link) -> bool:
    """Return whether Slack shows another status in the thread than the link's present status.

    If Slack shows no status in the thread yet, return True only while the agent works. Return False in a
    workspace without the agent surface.
    """
    if not deps.slack.sessions.is_enabled or link.record.thread_ts is None:
        return False
    status = find_status(link)
    if not link.session:
        return status == "processing"
    return _name_shown(link) != f"{status} {link.record.thread_ts}"


def show_session(link: LinkId) -> Batch:
    """Return a batch with a job that shows the link's present status in Slack's agent surface.

    The job replaces an earlier job of this link that still waits.
    """
    job = Job(id="session", work=ShowSession())
    return Batch().append(session(link), job, score="due", is_newest=True)


class SessionStatuses:
    """Handles the jobs that show an agent's status."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_link(ShowSession, self.show),)

    async def show(self, context: JobContext, link: Link) -> Outcome:
        """Show the status. While the agent works, run the job again before Slack forgets the status."""
        repeats, thread_ts = context.work(ShowSession).repeats, link.record.thread_ts
        if thread_ts is None or (repeats and repeats != link.session):
            return done()
        if await self._deps.notes.find(*_REFUSED) is not None:
            return done()
        status = find_status(link)
        if not repeats and _name_shown(link) == f"{status} {thread_ts}":
            return done()
        # If this process is frozen now, it may overwrite a newer status when it runs again. Then the newer
        # status is shown once more.
        context.compensation = self._deps.writes.remove_field(show_session(link.id), link.id, "session")
        try:
            await self._deps.slack.sessions.set_status(link.record.channel, thread_ts, status, link.title)
        except (ChannelProblem, MessageGone):
            return done()
        except (SlackRefused, TokenProblem, SlackTrouble) as error:
            if isinstance(error, SlackTrouble) and error.code in _PASSING_CODES:
                raise
            _log.info("Slack's agent surface not available, not tried again for a day", code=error.code)
            return done(self._deps.notes.keep_in(Batch(), error.code, *_REFUSED, ttl_ms=DAY_MS))
        shown = f"{status} {thread_ts} {context.now_ms}"
        batch = self._deps.writes.set_field(Batch(), link.id, "session", shown)
        if link.session and not repeats:
            batch.drop(session(link.id), _name_repetition(link.session))
        if status == "processing":
            again = Job(id=_name_repetition(shown), work=ShowSession(repeats=shown))
            batch.append(session(link.id), again, score="due", delay_ms=SHOW_AGAIN_MS)
        return done(batch)


def _name_shown(link: Link) -> str:
    """Return the status that Slack shows and the ts of the thread, as one text; empty if Slack shows none."""
    return link.session.rpartition(" ")[0]


def _name_repetition(shown: str) -> str:
    return f"again:{shown.rpartition(' ')[2]}"
