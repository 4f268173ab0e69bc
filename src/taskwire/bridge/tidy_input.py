"""Tidying: an input that a stopped process may have brought to the agent a second time."""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.bridge.posting import landed_seconds
from taskwire.bridge.saying import say
from taskwire.bridge.sightings import entries_of
from taskwire.coder.errors import NoLogs, NotFound
from taskwire.model import doubt
from taskwire.model.doubt import Mark
from taskwire.model.ids import TaskId
from taskwire.model.jobs import TidyInput
from taskwire.words import inputs


async def tidy_input(doors: Doors, hand: Hand) -> Ending:
    """Say so if the agent got an input twice, or may have: nobody can take it back."""
    work = hand.work(TidyInput)
    link = await doors.links.find(hand.link_id)
    if link is None or link.bond.task_id is None or link.ended is not None:
        return done()
    try:
        copies = await _count(doors, link.bond.task_id, work.marked)
    except NotFound:
        return done()
    if copies is not None and copies > 1:
        hand.doubles += 1
        return done(say(link.id, f"twice:{work.ts}", inputs.delivered_twice(work.marked.text)))
    if not work.looks:
        return later(landed_seconds(doors, doors.coder.timeouts.send), hand.job.knowing(looks=1))
    if copies is None:
        return done(say(link.id, f"twice:{work.ts}", inputs.maybe_delivered_twice(work.marked.text)))
    return done()


async def _count(doors: Doors, task_id: TaskId, marked: Mark) -> int | None:
    """How often the agent got it; None if that cannot be read: another start's log tells nothing of it."""
    try:
        task = await doors.coder.get_task(task_id)
        logs = await doors.coder.get_logs(task_id)
    except NoLogs:
        return None
    return None if logs.snapshot else doubt.count(marked, task.workspace_build_number, entries_of(logs))
