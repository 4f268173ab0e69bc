"""Telling: from what has happened to what the thread hears of it.

Events of one link are folded one at a time; what follows is stored by the call that ends the job. A notice
is posted once, with the excerpt that belongs to it, and calls only whom it concerns.
"""

from typing import NamedTuple

from taskwire.bridge.doors import Doors
from taskwire.bridge.excerpting import Told, read_news
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.posting import post_once
from taskwire.bridge.saying import draw
from taskwire.bridge.sightings import report_of
from taskwire.coder.errors import NotFound
from taskwire.model import changes
from taskwire.model.changes import Event, Observed
from taskwire.model.errors import OutsideError
from taskwire.model.jobs import Happened, Job, LateChange, Say, ShareFile, Tell, link_of, steer, tell
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import Observation, Report
from taskwire.slack.errors import ChannelProblem
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import answers, notices

BUILD_LOG_LINES = 15
_log = logger("taskwire.tell")


class Teller:
    """Carries out the jobs of the tell lists."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def happened(self, hand: Hand) -> Ending:
        """Decide what follows an event, and write it down."""
        work = hand.job.work
        assert isinstance(work, Happened)  # noqa: S101 - the worker hands each job to its kind's carrier
        link = await self._doors.links.find(link_of(hand.turn.name))
        if link is None or link.ended is not None:
            return done()
        event = await self._with_history(link, work.event)
        follows = changes.after(link.story, event, self._doors.rules, hand.now_ms)
        step = self._doors.writes.story(Step(), link.id, follows.story, follows.look_at_ms)
        for notice in follows.notices:
            step.append(tell(link.id), Job(id=notice.id, work=Tell(notice=notice)))
        if isinstance(event, Observed):
            # Input that waits for the agent is tried again now, whatever its delay.
            step.hasten_input(steer(link.id))
        return done(draw(link.id, step))

    async def _with_history(self, link: Link, event: Event) -> Event:
        """The list says that something changed; the agent's history says what."""
        if not isinstance(event, Observed) or event.seen.report is None:
            return event
        last = link.story.last_report
        if last is not None and event.seen.report.at <= last.at:
            return event
        return event.model_copy(update={"reports": await self._reports(link, event.seen)})

    async def _reports(self, link: Link, seen: Observation) -> tuple[Report, ...]:
        agent, app = seen.agent_id or link.story.agent_id, seen.app_id or link.story.app_id
        if agent is None or app is None:
            return ()
        try:
            return tuple(report_of(report) for report in await self._doors.coder.list_reports(agent, app))
        except NotFound:
            return ()

    async def tell(self, hand: Hand) -> Ending:
        """Post a notice."""
        work = hand.job.work
        assert isinstance(work, Tell)  # noqa: S101 - the worker hands each job to its kind's carrier
        link = await self._doors.links.find(link_of(hand.turn.name))
        if link is None or link.bond.thread_ts is None:
            return done()
        notice = work.notice
        extras = await self._extras(hand, link, notice)
        calls = (link.bond.owner_slack,) if notice.is_call and not link.is_muted else ()
        message = notices.notice(
            link,
            notice,
            excerpt=extras.told.text,
            is_cut=extras.told.is_cut,
            build_log=extras.build_log,
            pause_reason=extras.pause_reason,
            calls=tuple(call for call in calls if call is not None),
            coder_url=self._doors.coder_url,
        )
        meta = Metadata(id=_message_id(link, hand.job.id), kind=notice.kind, task_id=link.bond.task_id)
        await self._post(hand, link, message, meta)
        step = self._with_file(Step(), link, hand.job.id, extras.told)
        if notice.kind == "gone":
            self._doors.writes.ends(step, link.bond, "gone")
            draw(link.id, step)
        return done(step)

    async def say(self, hand: Hand) -> Ending:
        """Post a sentence whose words are settled."""
        work = hand.job.work
        assert isinstance(work, Say)  # noqa: S101 - the worker hands each job to its kind's carrier
        link = await self._doors.links.find(link_of(hand.turn.name))
        if link is None or link.bond.thread_ts is None:
            return done()
        meta = Metadata(id=_message_id(link, hand.job.id), kind=work.message_kind, task_id=link.bond.task_id)
        await self._post(hand, link, work.message, meta)
        return done()

    async def late_change(self, hand: Hand) -> Ending:
        """Say that an edit or a deletion came too late; only of what the agent has got."""
        work = hand.job.work
        assert isinstance(work, LateChange)  # noqa: S101 - the worker hands each job to its kind's carrier
        link = await self._doors.links.find(link_of(hand.turn.name))
        if link is None or link.bond.thread_ts is None:
            return done()
        if await self._doors.links.find_receipt(link.id, work.ts) != "white_check_mark":
            return done()
        message = answers.edited_late() if work.what == "edited" else answers.deleted_late()
        meta = Metadata(id=_message_id(link, hand.job.id), kind="answer", task_id=link.bond.task_id)
        await self._post(hand, link, message, meta)
        return done()

    async def _post(self, hand: Hand, link: Link, message: Message, meta: Metadata) -> None:
        bond = link.bond
        try:
            await post_once(self._doors, hand, link.id, bond.channel, bond.thread_ts, message, meta)
        except ChannelProblem as problem:
            # The thread cannot be written to any more; whoever it concerns hears it by the card or in Coder.
            _log.warning("a thread is closed to us", link=link.id, channel=bond.channel, code=problem.code)

    def _with_file(self, step: Step, link: Link, name: str, told: Told) -> Step:
        """Keep where the excerpt ended, and attach the whole where it is long."""
        if told.cursor:
            self._doors.writes.field(step, link.id, "cursor", told.cursor)
        if told.whole:
            work = ShareFile(
                channel=link.bond.channel,
                thread_ts=link.bond.thread_ts,
                name=f"{link.bond.name}.log",
                title=f"Log of {link.title}",
                text=told.whole,
            )
            step.append(tell(link.id), Job(id=f"file:{name}", work=work))
        return step

    async def _extras(self, hand: Hand, link: Link, notice: changes.Notice) -> "Extras":
        """What a notice carries besides its own words; what cannot be read is left out."""
        if notice.kind in ("needs_input", "completed", "failed") and not hand.is_in_doubt:
            return Extras(told=await read_news(self._doors, link))
        if notice.kind in ("error", "paused"):
            return await self._of_build(link, notice.kind)
        return Extras()

    async def _of_build(self, link: Link, kind: str) -> "Extras":
        workspace_id = link.seen.workspace_id if link.seen else None
        if workspace_id is None:
            return Extras()
        try:
            build = (await self._doors.coder.get_workspace(workspace_id)).latest_build
            if kind == "paused":
                return Extras(pause_reason=build.reason)
            lines = await self._doors.coder.list_build_logs(build.id)
        except OutsideError as error:
            _log.info("build not readable", link=link.id, error=str(error))
            return Extras()
        tail = [line.output for line in lines if line.output.strip()][-BUILD_LOG_LINES:]
        return Extras(build_log="\n".join([*tail, *([build.job.error] if build.job.error else [])]))


class Extras(NamedTuple):
    """What a notice carries besides its own words."""

    told: Told = Told()
    build_log: str = ""
    pause_reason: str = ""


def _message_id(link: Link, job_id: str) -> str:
    """The id of a logical message: the same however often it is tried, and in no other link."""
    return f"{link.id}:{job_id}"
