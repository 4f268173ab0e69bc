"""The line in the thread about a pause that a person asked for. A resume edits this line and adds none.

Other pauses, such as an idle time-out, have a notice with a button (`messages/notices.py`).
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.events import Notice
from taskwire.domain.links import Link, PauseLine
from taskwire.job_context import JobContext
from taskwire.messages import notices
from taskwire.notices.attribution import find_person_behind
from taskwire.outbox.questions import PostedQuestion
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata


def record_pause(deps: Dependencies, link: Link, notice: Notice, place: PostedQuestion, batch: Batch) -> None:
    """Store where the line about this pause was posted.

    If it was not posted, forget an earlier pause's line.
    """
    by = find_person_behind(link.state, notice)
    if by is None:
        deps.writes.remove_field(batch, link.id, "pause_line")
        return
    line = PauseLine(ts=place.ts, message_id=place.message_id, person=by)
    deps.writes.set_field(batch, link.id, "pause_line", line.model_dump_json())


async def show_resumed(
    deps: Dependencies, people: People, context: JobContext, link: Link, notice: Notice
) -> Batch | None:
    """Edit the line of the pause that has ended. Return None if the thread has no such line any more.

    The edit may be repeated. The message keeps its id, and its kind becomes `resumed`.
    """
    line = link.pause_line
    # If the outcome of a post is unknown, a message was posted: there was no line to edit.
    if notice.kind != "resumed" or line is None or context.is_outcome_unknown:
        return None
    resumed_by = find_person_behind(link.state, notice)
    message = notices.pause_ended(await people.find_name(line.person), await people.find_name(resumed_by))
    meta = Metadata(id=line.message_id, kind="resumed", task_id=link.record.task_id)
    try:
        await deps.slack.update(link.record.channel, line.ts, message, meta, Priority.POST)
    except (ChannelProblem, MessageGone):
        return None
    return deps.writes.remove_field(Batch(), link.id, "pause_line")
