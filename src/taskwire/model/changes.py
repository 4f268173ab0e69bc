"""What has happened to a link, and what follows.

`after` is the one place that decides it: a pure function from a link's story, one event and the time to the
next story, the notices to post and the time at which to look again. Events of one link are folded one at a
time. Times that decide are `now_ms`, Redis's clock; the agent's own times only order its reports.

Ends where words begin: a notice says what is told and to whom it matters, not how it is put.
"""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from taskwire.model.ids import UserId, to_ms
from taskwire.model.phases import Observation, Phase, Report

# An agent that is active and has never reported is waiting, after this long.
SILENT_START_MS = 30_000
# The agent's app is unhealthy before it is up: an error this soon after a start may be a flicker.
START_GRACE_MS = 300_000

NoticeKind = Literal["needs_input", "completed", "failed", "error", "paused", "resumed", "gone"]


class Value(BaseModel):
    """A frozen value that Redis can hold."""

    model_config = ConfigDict(frozen=True)


class Notice(Value):
    """A change that somebody may have to know. `id` is the same however often it is tried."""

    kind: NoticeKind
    id: str
    is_call: bool = False
    report: Report | None = None
    build: int = 0
    by: UserId | None = None


class Observed(Value):
    """Coder's list showed the task. `reports` is the agent's history, oldest first, where it was read."""

    event: Literal["observed"] = "observed"
    seen: Observation
    reports: tuple[Report, ...] = ()
    is_baseline: bool = False


class Delivered(Value):
    """The agent has an input. Reports after `last_report_at` belong to the turn that this begins."""

    event: Literal["delivered"] = "delivered"
    last_report_at: datetime | None = None


class Acted(Value):
    """A person paused, resumed or retried the task here; `build` is the one that this made.

    What has to be stopped before it can be tried again is no pause: `retry` names that build.
    """

    event: Literal["acted"] = "acted"
    verb: Literal["pause", "resume", "retry"]
    by: UserId
    build: int


class TimeCame(Value):
    """A time at which to look again has come."""

    event: Literal["time_came"] = "time_came"


class Vanished(Value):
    """The task is no longer in Coder; `by` is who deleted it from Slack, if somebody did."""

    event: Literal["vanished"] = "vanished"
    by: UserId | None = None


Event = Annotated[Observed | Delivered | Acted | TimeCame | Vanished, Field(discriminator="event")]


def may_call(event: Event) -> bool:
    """Whether somebody may be called by what follows from this event, as far as it shows by itself."""
    match event:
        case TimeCame():
            return True
        case Observed(seen=seen):
            return seen.status == "error" or (seen.report is not None and seen.report.is_finish)
        case _:
            return False


class Rules(NamedTuple):
    """The settings that decide when something is told."""

    settle_ms: int


class Story(Value):
    """What is known of a link's task, and what has been told of it."""

    phase: Phase = Phase.STARTING
    word: str = ""
    since_ms: int = 0
    status: str = ""
    build: int = 0
    started_ms: int = 0
    active_ms: int | None = None
    last_report: Report | None = None
    report_build: int = 0
    finished: Report | None = None
    # The last of what was reported before the present turn; Coder repeats its words while the agent works.
    before_turn: Report | None = None
    idle_ms: int | None = None
    error_ms: int | None = None
    unreachable_ms: int | None = None
    is_need_told: bool = False
    need_told_of: str = ""
    error_told_build: int = 0
    # An error that came back after the agent had been well for a while is told again, under an id of its own.
    is_error_again: bool = False
    pause_told_build: int = 0
    acted: Acted | None = None
    # Where the agent's history can be read, also after the workspace has stopped.
    agent_id: str | None = None
    app_id: str | None = None

    @property
    def has_reported(self) -> bool:
        """Whether the agent has said something of itself since the workspace's last build."""
        return self.last_report is not None and self.report_build == self.build

    @property
    def present_report(self) -> Report | None:
        """The last report, unless the agent works on something that came after it."""
        last, old = self.last_report, self.before_turn
        is_old = last is not None and old is not None and last.says_the_same_as(old)
        return None if is_old and self.phase is Phase.WORKING else last

    @property
    def grace_ends_ms(self) -> int:
        """Until when an error is start-up's flicker; 0 for one that came later."""
        is_early = self.error_ms is not None and self.error_ms - self.started_ms < START_GRACE_MS
        return self.started_ms + START_GRACE_MS if is_early else 0


class Next(NamedTuple):
    """What follows an event."""

    story: Story
    notices: tuple[Notice, ...] = ()
    look_at_ms: int | None = None


def after(story: Story, event: Event, rules: Rules, now_ms: int) -> Next:
    """Decide what follows an event."""
    match event:
        case Observed():
            told, notices = _observed(story, event, now_ms)
        case Delivered():
            told, notices = _delivered(story, event, now_ms), []
        case Acted():
            told, notices = story.model_copy(update={"acted": event}), []
        case TimeCame():
            told, notices = story, []
        case Vanished():
            return _vanished(story, event, now_ms)
    if story.phase is Phase.GONE and not isinstance(event, Observed):
        return Next(story)
    is_quiet = isinstance(event, Observed) and event.is_baseline
    return _judged(story, told, [] if is_quiet else notices, rules, now_ms)


def at_first_sight(event: Observed, rules: Rules, now_ms: int) -> Story:
    """Tell how a task that no link watches stands: as if it had been seen when it last reported."""
    reported = [event.seen.created_at] + [report.at for report in event.reports]
    seen_ms = min(now_ms, max(event.seen.report_ms, *(to_ms(moment) for moment in reported)))
    first = after(Story(), event.model_copy(update={"is_baseline": True}), rules, seen_ms)
    return after(first.story, TimeCame(), rules, now_ms).story


def known_at(story: Story, seen: Observation, history: tuple[Report, ...]) -> tuple[Report, ...]:
    """Tell what of an agent's history had been reported when the list showed this.

    While nothing is reported since a start, that is all that its own agent has not said; an agent that was
    not seen yet, where the start's own is not known, may be either, and is left to when that is known.
    """
    if seen.report is not None:
        return tuple(report for report in history if report.at <= seen.report.at)
    if seen.agent_id is not None:
        return tuple(report for report in history if report.agent_id != seen.agent_id)
    known = ("", story.agent_id)
    return tuple(report for report in history if story.agent_id is None or report.agent_id in known)


def person_behind(story: Story, notice: Notice) -> UserId | None:
    """Tell who asked for it here, also where their act was written down after the change was seen."""
    verb = {"paused": "pause", "resumed": "resume"}.get(notice.kind)
    acted = story.acted
    is_theirs = acted is not None and (acted.verb, acted.build) == (verb, notice.build)
    return acted.by if acted is not None and is_theirs else notice.by


def _vanished(story: Story, event: Vanished, now_ms: int) -> Next:
    if story.phase is Phase.GONE:
        return Next(story)
    gone = story.model_copy(
        update={"phase": Phase.GONE, "since_ms": now_ms, "idle_ms": None, "error_ms": None}
    )
    return Next(gone, (Notice(kind="gone", id=f"gone:{story.build}", build=story.build, by=event.by),))


def _delivered(story: Story, event: Delivered, now_ms: int) -> Story:
    """Begin a turn; what the agent reported since the input was sent already belongs to it."""
    report, since = story.last_report, event.last_report_at
    is_answered = report is not None and (since is None or report.at > since)
    keeps_finish = story.finished is not None and (since is None or story.finished.at > since)
    earlier = (None if keeps_finish else story.finished) if is_answered else report
    is_idle = is_answered and report is not None and report.state == "idle"
    return story.model_copy(
        update={
            "finished": story.finished if keeps_finish else None,
            "before_turn": earlier,
            "idle_ms": now_ms if is_idle else None,
            # An agent that never reports has its time anew.
            "active_ms": story.active_ms if story.active_ms is None or story.has_reported else now_ms,
            "is_need_told": False,
            "phase": Phase.WORKING if story.status == "active" and not keeps_finish else story.phase,
        }
    )


def _observed(story: Story, event: Observed, now_ms: int) -> tuple[Story, list[Notice]]:
    seen = event.seen
    notices: list[Notice] = []
    if story.phase is Phase.GONE:
        story = story.model_copy(update={"phase": Phase.STARTING})
    if seen.report is None and event.reports:
        # Coder shows no report that is older than the start: all of these belong to what was before it.
        story, notices = _folded(story, event, now_ms)
    story = _with_build(story, seen, now_ms)
    if seen.is_active and story.active_ms is None:
        story, came = _came_up(story, now_ms)
        notices += came
    if seen.report is not None and (seen.is_active or event.reports):
        story, reported = _folded(story, event, now_ms)
        notices += reported
    if not seen.is_active:
        story = _stopped_being_active(story, seen, now_ms)
    story = _with_status(story, seen, now_ms)
    if seen.status == "paused" and story.pause_told_build != seen.build and not _is_retry(story):
        notices.append(_paused(story))
        story = story.model_copy(update={"pause_told_build": seen.build})
    return (_known(story, seen) if event.is_baseline else story), notices


def _stopped_being_active(story: Story, seen: Observation, now_ms: int) -> Story:
    update: dict[str, object] = {"active_ms": None, "idle_ms": None}
    was_well = story.active_ms is not None and now_ms - story.active_ms >= START_GRACE_MS
    if was_well and seen.status == "error" and story.error_told_build == seen.build:
        update |= {"error_told_build": 0, "is_error_again": True}
    return story.model_copy(update=update)


def _came_up(story: Story, now_ms: int) -> tuple[Story, list[Notice]]:
    """Become active; an agent that was idle before a short error says so no second time."""
    last = story.last_report
    is_waiting = last is not None and story.has_reported and story.finished is None and last.state == "idle"
    update = {"active_ms": now_ms, "idle_ms": now_ms if is_waiting else None}
    if story.pause_told_build in (0, story.build):
        return story.model_copy(update=update), []
    return story.model_copy(update=update | {"pause_told_build": 0}), [_resumed(story)]


def _known(story: Story, seen: Observation) -> Story:
    """Take what stands at first sight as told: an agent at rest, a broken workspace. What follows is news."""
    last = story.last_report
    is_busy = last is not None and story.has_reported and last.state not in ("idle", "complete", "failed")
    update: dict[str, object] = {"is_need_told": seen.is_active and not is_busy}
    if seen.status == "error":
        update["error_told_build"] = seen.build
    return story.model_copy(update=update)


def _with_build(story: Story, seen: Observation, now_ms: int) -> Story:
    """A new build releases what stuck; a start begins a turn."""
    if seen.build == story.build:
        return story
    is_up = seen.is_active or seen.is_coming_up or seen.workspace_status in ("starting", "running")
    is_start = is_up or story.build == 0
    update: dict[str, object] = {
        "build": seen.build,
        "finished": None,
        "idle_ms": None,
        "is_error_again": False,
    }
    if is_start:
        update |= {"started_ms": now_ms, "is_need_told": False, "active_ms": None, "phase": Phase.STARTING}
    return story.model_copy(update=update)


def _with_status(story: Story, seen: Observation, now_ms: int) -> Story:
    is_error = seen.status == "error"
    is_lost = seen.is_active and seen.is_healthy is False
    return story.model_copy(
        update={
            "status": seen.status,
            "agent_id": seen.agent_id or story.agent_id,
            "app_id": seen.app_id or story.app_id,
            "word": seen.status if seen.status not in _KNOWN else "",
            "phase": _phase_of(story, seen),
            "error_ms": (story.error_ms or now_ms) if is_error else None,
            "unreachable_ms": (story.unreachable_ms or now_ms) if is_lost else None,
        }
    )


_KNOWN = ("pending", "initializing", "active", "paused", "error", "unknown")


def _phase_of(story: Story, seen: Observation) -> Phase:
    """The phase that the status alone gives; time has its say in `_judged`."""
    match seen.status:
        case "pending" | "initializing":
            return Phase.STARTING
        case "active":
            return _active_phase(story)
        case "unknown":
            # Only a stop or a deletion is unknown while its job waits for a provisioner.
            return Phase.PAUSING if seen.workspace_status in ("pending", "stopping") else Phase.UNCLEAR
        case "paused":
            return Phase.PAUSED
        case "error":
            return story.phase
        case _:
            return Phase.OTHER


def _active_phase(story: Story) -> Phase:
    if story.finished is not None:
        return Phase.DONE if story.finished.state == "complete" else Phase.FAILED
    if story.has_reported and story.last_report is not None and story.last_report.state != "idle":
        return Phase.WORKING
    if story.phase in _BEFORE_IDLE:
        return story.phase
    if not story.has_reported:
        return Phase.STARTING
    # It was idle before Coder lost sight of it for a moment.
    return Phase.NEEDS_YOU if story.is_need_told else Phase.WORKING


_BEFORE_IDLE = frozenset({Phase.STARTING, Phase.WORKING, Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED})


def _folded(story: Story, event: Observed, now_ms: int) -> tuple[Story, list[Notice]]:
    """Fold in every report that is newer than the last one folded, in order."""
    notices: list[Notice] = []
    for report in event.reports or _as_history(event.seen):
        if story.last_report is not None and report.at <= story.last_report.at:
            continue
        story = _reported(story, report, now_ms)
        if report.is_finish and not event.is_baseline:
            kind: NoticeKind = "completed" if report.state == "complete" else "failed"
            notices.append(
                Notice(kind=kind, id=f"{kind}:{report.id}", is_call=True, report=report, build=story.build)
            )
    return _with_present(story, event.seen, now_ms), notices


def _with_present(story: Story, seen: Observation, now_ms: int) -> Story:
    """Let the newest report count for this start if the list says so, though it was read before."""
    last = story.last_report
    if last is None or seen.report is None or not seen.is_active or story.report_build == story.build:
        return story
    return _reported(story, last, now_ms) if seen.report.at >= last.at else story


def _as_history(seen: Observation) -> tuple[Report, ...]:
    return () if seen.report is None or not seen.is_active else (seen.report,)


def _reported(story: Story, report: Report, now_ms: int) -> Story:
    update: dict[str, object] = {"last_report": report, "report_build": story.build}
    is_still = story.finished is not None and report.says_the_same_as(story.finished)
    if report.is_finish:
        update |= {"finished": report, "idle_ms": None}
    elif report.state == "idle" and not is_still:
        update |= {"finished": None, "idle_ms": story.idle_ms if story.idle_ms is not None else now_ms}
    elif not is_still:
        update |= {"finished": None, "idle_ms": None, "phase": Phase.WORKING}
    return story.model_copy(update=update)


def _resumed(story: Story) -> Notice:
    return Notice(kind="resumed", id=f"resumed:{story.build}", build=story.build, by=_who(story, "resume"))


def _paused(story: Story) -> Notice:
    return Notice(kind="paused", id=f"paused:{story.build}", build=story.build, by=_who(story, "pause"))


def _is_retry(story: Story) -> bool:
    return story.acted is not None and (story.acted.verb, story.acted.build) == ("retry", story.build)


def _who(story: Story, verb: str) -> UserId | None:
    acted = story.acted
    return acted.by if acted is not None and (acted.verb, acted.build) == (verb, story.build) else None


def _judged(before: Story, story: Story, notices: list[Notice], rules: Rules, now_ms: int) -> Next:
    """Let time have its say: what has settled is told, what has not is looked at again."""
    deadlines = []
    idle_from = _idle_from(story)
    if idle_from is not None and story.status == "active" and story.finished is None:
        due = idle_from + rules.settle_ms
        if now_ms >= due:
            story, needed = _needs_you(story)
            notices += needed
        else:
            deadlines.append(due)
    if story.error_ms is not None:
        due = max(story.error_ms + rules.settle_ms, story.grace_ends_ms)
        if now_ms >= due:
            story, broken = _broken(story)
            notices += broken
        else:
            deadlines.append(due)
    if story.phase is not before.phase or not story.since_ms:
        story = story.model_copy(update={"since_ms": now_ms})
    return Next(story, tuple(notices), min(deadlines, default=None))


def _idle_from(story: Story) -> int | None:
    """Since when the agent waits: since it said so, or 30 s after a start in which it never spoke."""
    if story.idle_ms is not None:
        return story.idle_ms
    if story.has_reported or story.active_ms is None:
        return None
    return story.active_ms + SILENT_START_MS


def _needs_you(story: Story) -> tuple[Story, list[Notice]]:
    """Need somebody. A report that was not told may still be: it can turn out to answer an input."""
    report = story.last_report
    about = report.id if report is not None and story.has_reported else f"build-{story.build}"
    needing = story.model_copy(update={"phase": Phase.NEEDS_YOU})
    if story.is_need_told or story.need_told_of == about:
        return needing.model_copy(update={"is_need_told": True}), []
    notice = Notice(
        kind="needs_input", id=f"needs_input:{about}", is_call=True, report=report, build=story.build
    )
    return needing.model_copy(update={"is_need_told": True, "need_told_of": about}), [notice]


def _broken(story: Story) -> tuple[Story, list[Notice]]:
    told = story.model_copy(update={"phase": Phase.BROKEN, "error_told_build": story.build})
    if story.error_told_build == story.build:
        return told, []
    again = f":{story.error_ms}" if story.is_error_again else ""
    notice = Notice(kind="error", id=f"error:{story.build}{again}", is_call=True, build=story.build)
    return told, [notice]
