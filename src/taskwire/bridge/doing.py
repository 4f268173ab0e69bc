"""Whose doing a change is that Coder shows before the call that made it has ended.

The list may be quicker than the answer, and a call whose answer was lost is read back much later. Until then
its attempt stands in the link's steer list, and tells who asked for what.
"""

from typing import Literal

from pydantic import ValidationError

from taskwire.bridge.doors import Doors
from taskwire.bridge.read_back import ResumeNote
from taskwire.model.changes import Acted, Event, Observed, Vanished
from taskwire.model.jobs import Act, Reply
from taskwire.model.links import Link
from taskwire.model.phases import Observation


async def acts_before(doors: Doors, link: Link, event: Event) -> tuple[Event, ...]:
    """The event, behind what a person is about to have done to bring it about."""
    is_new_build = isinstance(event, Observed) and event.seen.build > link.story.build > 0
    if not is_new_build and not (isinstance(event, Vanished) and event.by is None):
        return (event,)
    attempted = await doors.links.find_attempted(link.id)
    if attempted is None:
        return (event,)
    job, note = attempted
    match job.work, event:
        case Act(verb="delete") as act, Vanished():
            return (Vanished(by=act.asker.person),)
        case Act(verb="pause" | "resume") as act, Observed(seen=seen) if note.isdecimal():
            acted = _acted(act, int(note), seen)
            return (acted, event) if acted is not None else (event,)
        case Reply(person=person), Observed(seen=seen) if _resumes(note, seen):
            return (Acted(verb="resume", by=person, build=seen.build), event)
    return (event,)


def _acted(act: Act, build: int, seen: Observation) -> Acted | None:
    """What has been done if this is the build that the act makes; a retry has to stop the workspace first."""
    is_down = _is_down(seen)
    if seen.build != build + 1 or (act.verb == "pause" and not is_down):
        return None
    if act.verb == "pause":
        return Acted(verb="pause", by=act.asker.person, build=seen.build)
    verb: Literal["retry", "resume"] = "retry" if is_down else "resume"
    return Acted(verb=verb, by=act.asker.person, build=seen.build)


def _resumes(note: str, seen: Observation) -> bool:
    try:
        resumed = ResumeNote.model_validate_json(note)
    except ValidationError:
        return False
    return seen.build == resumed.build + 1 and not _is_down(seen)


def _is_down(seen: Observation) -> bool:
    return seen.workspace_status in ("stopping", "stopped")
