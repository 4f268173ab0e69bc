"""Tidying: an input that a stopped process may have brought to the agent a second time."""

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.bridge.posting import landed_seconds
from taskwire.bridge.saying import say
from taskwire.bridge.sightings import entries_of
from taskwire.coder.errors import NoLogs, NotFound
from taskwire.model import doubt
from taskwire.model.jobs import TidyInput
from taskwire.words import inputs


async def tidy_input(doors: Doors, hand: Hand) -> Ending:
    """Say so if the agent got an input twice: nobody can take it back."""
    work = hand.work(TidyInput)
    link = await doors.links.find(hand.link_id)
    if link is None or link.bond.task_id is None or link.ended is not None:
        return done()
    try:
        task = await doors.coder.get_task(link.bond.task_id)
        logs = await doors.coder.get_logs(link.bond.task_id)
    except (NotFound, NoLogs):
        return done()
    if logs.snapshot or task.workspace_build_number != work.marked.build:
        # What another start's log holds tells nothing of this one.
        return done()
    if doubt.count(work.marked, task.workspace_build_number, entries_of(logs)) > 1:
        hand.doubles += 1
        return done(say(link.id, f"twice:{work.ts}", inputs.delivered_twice(work.marked.text)))
    if work.looks:
        return done()
    return later(landed_seconds(doors, doors.coder.timeouts.send), hand.job.knowing(looks=1))
