"""Telling: from what has happened to what the thread hears of it.

Events of one link are folded one at a time; what follows is stored by the call that ends the job. A notice
is posted once, with the excerpt that belongs to it, and calls only whom it concerns.
"""

from typing import NamedTuple

from pydantic import ValidationError

from taskwire.bridge import questions
from taskwire.bridge.closing import WHY, closed, opens
from taskwire.bridge.doing import acts_before
from taskwire.bridge.doors import Doors
from taskwire.bridge.excerpting import read_news, read_told
from taskwire.bridge.fates import ASKED_SECONDS
from taskwire.bridge.giving_back import give_back, list_held
from taskwire.bridge.giving_up import let_go, letter
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.bridge.input_text import InputText
from taskwire.bridge.moving import follow
from taskwire.bridge.people import People
from taskwire.bridge.posting import post_once
from taskwire.bridge.saying import draw, share
from taskwire.bridge.sightings import report_of
from taskwire.coder.errors import Nonsense, NoTasks, TokenRefused
from taskwire.model import changes
from taskwire.model.changes import Event, Notice, Observed, Story, TimeCame
from taskwire.model.errors import OutsideError, Refused
from taskwire.model.ids import Ts
from taskwire.model.jobs import Happened, Job, Say, Tell, Written, steer, tell
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import Observation, Report
from taskwire.model.urgency import Urgency
from taskwire.slack.errors import ChannelProblem, MessageGone, NoRoom
from taskwire.slack.outbound import Metadata
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import notices

BUILD_LOG_LINES = 15
# Coder's word for the job of a build that went well.
WELL_BUILT = "succeeded"
# What the agent's history says is waited for so often; then what the list shows has to be enough.
HISTORY_TRIES = 4
# These come when the agent stops working, and bring what it wrote.
WITH_EXCERPT = ("needs_input", "completed", "failed")

_log = logger("taskwire.tell")


class _Built(NamedTuple):
    """What a workspace's latest build says of an error or a pause."""

    log: str = ""
    reason: str = ""
    is_well: bool = False


class Teller:
    """Carries out the jobs of the tell lists."""

    def __init__(self, doors: Doors, people: People, texts: InputText) -> None:
        self._doors = doors
        self._people = people
        self._texts = texts

    async def happened(self, hand: Hand) -> Ending:
        """Decide what follows an event, and write it down."""
        work = hand.work(Happened)
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.ended is not None:
            return done()
        event = await self._with_history(hand, link, work.event)
        *before, event = await acts_before(self._doors, link, event)
        for act in before:
            told = self._follows(link, act, hand.now_ms)
            link = link.model_copy(update={"story": told.story})
        follows = self._follows(link, event, hand.now_ms)
        step = self._doors.writes.story(Step(), link.id, follows.story, follows.look_at_ms)
        for notice in follows.notices:
            step.append(tell(link.id), Job(id=notice.id, work=Tell(notice=notice)))
        if isinstance(event, Observed):
            # Input that waits for the agent is tried again now, whatever its delay.
            step.hasten_input(steer(link.id))
            if event.is_baseline:
                # What a task has written before it got its thread is not news in it.
                self._doors.writes.field(step, link.id, "cursor", await read_told(self._doors, link))
        return done(draw(link.id, step))

    def _follows(self, link: Link, event: Event, now_ms: int) -> changes.Next:
        """What follows; a task that lived before it got its thread is shown as it stands, and not told."""
        rules = self._doors.rules
        if isinstance(event, Observed) and event.is_baseline:
            return changes.after(changes.at_first_sight(event, rules, now_ms), TimeCame(), rules, now_ms)
        return changes.after(link.story, event, rules, now_ms)

    async def _with_history(self, hand: Hand, link: Link, event: Event) -> Event:
        """The list says that something changed; the agent's history says what.

        After a new build, and when its agent is there, too: what ended before a resume that nobody saw is in
        no list any more. What the agent has said since the list was asked for is left to later ones: thread
        and card would have it before what came in between.
        """
        if not isinstance(event, Observed):
            return event
        seen, story = event.seen, link.story
        is_other_agent = None not in (story.agent_id, seen.agent_id) and seen.agent_id != story.agent_id
        is_new_start = story.build not in (0, seen.build) or is_other_agent
        if not event.is_baseline and not _has_reported(story, seen) and not is_new_start:
            return event
        history = await self._reports(hand, link, seen)
        return event.model_copy(update={"reports": changes.known_at(story, seen, history)})

    async def _reports(self, hand: Hand, link: Link, seen: Observation) -> tuple[Report, ...]:
        try:
            agent, app = await self._reporter(link, seen)
            if agent is None or app is None:
                return ()
            return tuple(report_of(report) for report in await self._doors.coder.list_reports(agent, app))
        except (TokenRefused, NoTasks):
            raise
        except Refused:
            return ()
        except OutsideError as error:
            is_nowhere = isinstance(error, Nonsense) and error.status == 404
            if hand.job.tries < HISTORY_TRIES and not is_nowhere:
                raise
            _log.warning("history not readable", link=link.id, error=str(error))
            return ()

    async def _reporter(self, link: Link, seen: Observation) -> tuple[str | None, str | None]:
        """The agent and the app that have the history of what the list shows.

        A workspace that is not up has none in the list; it may have been up when nobody looked.
        """
        story = link.story
        if seen.agent_id is None and seen.workspace_id is not None and _has_reported(story, seen):
            last = (await self._doors.coder.get_workspace(seen.workspace_id)).latest_app_status
            if last is not None:
                return last.agent_id, last.app_id
        return seen.agent_id or story.agent_id, seen.app_id or story.app_id

    async def tell(self, hand: Hand) -> Ending:
        """Post a notice; what the agent wrote is read a turn before, so that every try brings the same."""
        work = hand.work(Tell)
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.bond.thread_ts is None or link.ended is not None:
            return done()
        notice, written = work.notice, work.written
        if written is None and notice.kind in WITH_EXCERPT and not hand.is_in_doubt:
            written = await read_news(self._doors, link)
            if written.cursor:
                return later(0, hand.job.knowing(written=written))
        message = await self._message(link, notice, written or Written())
        posted = await self._post(hand, link, message, notice.kind, is_call=_calls(link, hand.job))
        if isinstance(posted, Ending):
            ending = posted
        else:
            ending = done(opens(link, self._with_file(Step(), link, hand.job.id, written or Written())))
        if notice.kind == "gone" and ending.verdict == "done":
            draw(link.id, self._doors.writes.gone(ending.step, link.bond, hand.now_ms))
            await give_back(self._texts, link, "gone", await list_held(self._doors, link), ending.step)
            # What waits there, for a person's word perhaps, waits for nothing now.
            ending.step.hasten_input(steer(link.id), int(ASKED_SECONDS * 1000))
        return ending

    async def _message(self, link: Link, notice: Notice, written: Written) -> Message:
        built = await self._of_build(link, notice.kind)
        calls = (link.bond.owner_slack,) if _is_called(link, notice) else ()
        by = changes.person_behind(link.story, notice)
        return notices.notice(
            link,
            notice.model_copy(update={"by": by}),
            excerpt=written.text,
            is_cut=bool(written.whole),
            build_log=built.log,
            pause_reason=built.reason,
            is_build_well=built.is_well,
            by_name=await self._people.find_name(by),
            calls=tuple(call for call in calls if call is not None),
            coder_url=self._doors.coder_url,
        )

    async def say(self, hand: Hand) -> Ending:
        """Post a sentence whose words are settled."""
        work = hand.work(Say)
        link = await self._doors.links.find(hand.link_id)
        if link is None or link.bond.thread_ts is None:
            return done()
        posted = await self._post(hand, link, work.message, "answer", is_call=work.is_call)
        if isinstance(posted, Ending):
            return posted
        step = opens(link, Step())
        if work.about:
            message_id = _message_id(link, hand.job.id)
            await questions.posted(self._doors, link, work.about, posted, message_id, step)
        return done(step)

    async def _post(
        self, hand: Hand, link: Link, message: Message, kind: str, *, is_call: bool
    ) -> Ending | Ts:
        """Post a message; where it was not posted, how the turn ends comes back."""
        meta = Metadata(id=_message_id(link, hand.job.id), kind=kind, task_id=link.bond.task_id)
        where = (link.id, link.bond.channel, link.bond.thread_ts)
        try:
            try:
                urgency = Urgency.CALL if is_call else Urgency.POST
                return await post_once(self._doors, hand, *where, message, meta, urgency)
            except NoRoom:
                # In doubt it was room for looking that was missing, and nothing is posted before that.
                if is_call or hand.keeps_attempt or not await self._is_call_behind(link):
                    raise
                # What stands before a call to somebody must not hold it up.
                return await post_once(self._doors, hand, *where, message, meta, Urgency.CALL)
        except MessageGone as problem:
            return await self._moved(hand, link, problem.code)
        except ChannelProblem as problem:
            return self._closed(hand, link, problem.code)

    async def _is_call_behind(self, link: Link) -> bool:
        try:
            jobs = await self._doors.links.list_jobs(tell(link.id))
        except ValidationError:
            # A newer version's, which this one cannot read: it has its own turn to say so.
            return False
        return any(_calls(link, job) for job in jobs)

    async def _moved(self, hand: Hand, link: Link, code: str) -> Ending:
        return await follow(self._doors, hand, link) or self._closed(hand, link, code)

    def _closed(self, hand: Hand, link: Link, code: str) -> Ending:
        """Nothing can be posted there any more: the operator finds what was not, and nobody tries again."""
        maybe = ", and whether this was posted before could not be read" if hand.is_in_doubt else ""
        return let_go(closed(self._doors, hand, link, code, letter(hand, f"{WHY}{code}{maybe}")))

    def _with_file(self, step: Step, link: Link, name: str, written: Written) -> Step:
        """Keep where the excerpt ended, and attach the whole where it is long."""
        if written.cursor:
            self._doors.writes.field(step, link.id, "cursor", written.cursor)
        if written.whole:
            share(link, name, written.whole, step)
        return step

    async def _of_build(self, link: Link, kind: str) -> _Built:
        """The end of a failed build's log, or why the build was made; nothing if that cannot be read now."""
        workspace_id = link.seen.workspace_id if link.seen else None
        if workspace_id is None or kind not in ("error", "paused"):
            return _Built()
        try:
            build = (await self._doors.coder.get_workspace(workspace_id)).latest_build
            if kind == "paused":
                return _Built(reason=build.reason)
            if build.job.status == WELL_BUILT:
                return _Built(is_well=True)
            lines = await self._doors.coder.list_build_logs(build.id)
        except OutsideError as error:
            _log.info("build not readable", link=link.id, error=str(error))
            return _Built()
        tail = [line.output for line in lines if line.output.strip()][-BUILD_LOG_LINES:]
        return _Built("\n".join([*tail, *([build.job.error] if build.job.error else [])]))


def _has_reported(story: Story, seen: Observation) -> bool:
    """Whether the list shows a report that is newer than the last one known."""
    last = story.last_report
    return seen.report is not None and (last is None or seen.report.at > last.at)


def _calls(link: Link, job: Job) -> bool:
    """Whether somebody is called by what this job says, or asked, or may be by what follows from it."""
    match job.work:
        case Tell(notice=notice):
            return _is_called(link, notice)
        case Say(is_call=is_call):
            return is_call
        case Happened(event=event):
            return changes.may_call(event) and not link.is_muted
        case _:
            return False


def _is_called(link: Link, notice: Notice) -> bool:
    return notice.is_call and not link.is_muted


def _message_id(link: Link, job_id: str) -> str:
    """The id of a logical message: the same however often it is tried, and in no other link."""
    return f"{link.id}:{job_id}"
