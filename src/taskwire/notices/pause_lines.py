"""The line in the thread about a pause that a person asked for. A resume edits this line.

If replies wait when the task is paused, there is no separate line: the message that asks what to do with
these replies is the line. It first says that the task is pausing, then who has paused the task, and finally
who has resumed it. Other pauses, such as an idle time-out, have a notice with a button
(`messages/notices.py`).

A line must not say how to resume a task that is not paused any more. So the line is settled when a person
asks for the resume, when a later pause has a line of its own, and when the task is gone.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.events import Acted, Event, Notice
from taskwire.domain.lifecycle.links import Link, PauseLine
from taskwire.domain.text.message import Message
from taskwire.job_context import JobContext
from taskwire.messages import inputs, notices
from taskwire.notices.attribution import find_person_behind
from taskwire.outbox import questions
from taskwire.outbox.questions import PostedQuestion
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata


def is_line(link: Link, notice: Notice) -> bool:
    """Return whether the notice is shown as only one line: a pause or a resume that a person asked for."""
    return notice.kind in ("paused", "resumed") and find_person_behind(link.state, notice) is not None


async def make_line(deps: Dependencies, link: Link, notice: Notice, name: str) -> Message:
    """Make the line about a pause or a resume. `name` is the person who asked for it.

    The line about a pause says how to resume the task, unless the task is being resumed already, or runs
    again.
    """
    settings = await deps.channel_settings.get(link.record.channel)
    return notices.person_line(
        link,
        notice,
        name,
        is_resumed_by_reply=settings.is_resumed_by_reply,
        is_resuming=_is_resuming(link, notice),
    )


def _is_resuming(link: Link, pause: Notice) -> bool:
    """Return whether somebody has asked for the resume before the notice of the pause was posted."""
    acted = link.state.last_action
    is_asked_for = acted is not None and acted.verb == "resume" and acted.build > pause.build
    return is_asked_for or link.state.build > pause.build or link.pending_act in ("resume", "retry")


async def record_pause(
    deps: Dependencies, people: People, link: Link, notice: Notice, place: PostedQuestion, batch: Batch
) -> None:
    """Store where the line about this pause was posted. Settle the line of an earlier pause.

    If no person in Slack asked for the pause, it has no line.
    """
    by = find_person_behind(link.state, notice)
    await settle_line(deps, people, link, batch, is_resumed=True)
    deps.writes.remove_field(batch, link.id, "pause_line")
    if by is not None:
        _store(deps, link, place, by, notice.build, batch, says_how=not _is_resuming(link, notice))


async def record_held_question(
    deps: Dependencies, people: People, link: Link, job_id: str, place: PostedQuestion, batch: Batch
) -> None:
    """Store that a question about the held replies is the line about the present pause.

    The job `job_id` has just posted this question at `place`. Store nothing if the pause already has a line
    and the question is only about a reply that came after the pause.
    """
    acted, line = link.state.last_action, link.pause_line
    if acted is None or acted.verb != "pause":
        return
    is_first = line is None or line.build != acted.build
    if is_first or job_id.startswith(questions.HELD_BY_PAUSE_PREFIX):
        await settle_line(deps, people, link, batch, is_resumed=is_first)
        _store(deps, link, place, acted.person, acted.build, batch)


async def record_resume(deps: Dependencies, people: People, link: Link, event: Event, batch: Batch) -> None:
    """If this event is a person's resume, let the line about the pause say who has resumed the task.

    The workspace takes some time to start. In this time, the line must not say how to resume the task.
    """
    line = link.pause_line
    if line is not None and isinstance(event, Acted) and event.verb == "resume" and event.build > line.build:
        await settle_line(deps, people, link, batch, is_resumed=True, person=event.person)


async def settle_line(
    deps: Dependencies,
    people: People,
    link: Link,
    batch: Batch,
    *,
    is_resumed: bool,
    person: UserId | None = None,
) -> None:
    """If the line about the latest pause says how to resume the task, let it no longer say so.

    If `is_resumed` is true, the line then says that the task was resumed, and by which `person`, if that is
    known.
    """
    line = link.pause_line
    if line is None or not line.says_how:
        return
    paused_by = await people.find_name(line.person)
    ended = notices.pause_ended(paused_by, await people.find_name(person))
    message = ended if is_resumed else notices.pause_told(paused_by)
    place = PostedQuestion(ts=line.ts, message_id=line.message_id, kind="paused", message=message)
    questions.show_instead(link, place, batch)
    told = line.model_copy(update={"says_how": False})
    deps.writes.set_field(batch, link.id, "pause_line", told.model_dump_json(context=link.id))


async def ask_in_line(
    deps: Dependencies, people: People, context: JobContext, link: Link, batch: Batch
) -> bool:
    """Edit the line about this pause so that it asks what to do with the held replies. Return True.

    Return False if the thread has no such line; then the question must be posted as a new message. The thread
    has the line already if a poll saw the pause before Coder answered the call.
    """
    acted, line = link.state.last_action, link.pause_line
    is_about_pause = context.job.id.startswith(questions.HELD_BY_PAUSE_PREFIX)
    if not is_about_pause or context.is_outcome_unknown or line is None or acted is None:
        return False
    held = await deps.links.list_held(link.id)
    if (acted.verb, acted.build) != ("pause", line.build) or not held:
        return False
    if await questions.find_open(deps, link, questions.HELD_REPLIES) is not None:
        # A second pause asks the question again in a new message.
        return False
    words = notices.get_pause_words(await people.find_name(line.person))
    asked = inputs.ask_about_held_replies(link, len(held), words)
    meta = Metadata(id=line.message_id, kind="paused", task_id=link.record.task_id)
    try:
        priority = questions.choose_line_priority(deps, context, link)
        await deps.slack.update(link.record.channel, line.ts, asked, meta, priority)
    except (ChannelProblem, MessageGone):
        return False
    place = PostedQuestion(ts=line.ts, message_id=meta.id, kind=meta.kind, message=asked)
    asking = line.model_copy(update={"says_how": False})
    deps.writes.set_field(batch, link.id, "pause_line", asking.model_dump_json(context=link.id))
    await questions.record_posted(deps, link, questions.HELD_REPLIES, place, batch)
    return True


def _store(
    deps: Dependencies,
    link: Link,
    place: PostedQuestion,
    person: UserId,
    build: int,
    batch: Batch,
    *,
    says_how: bool = False,
) -> None:
    line = PauseLine(ts=place.ts, message_id=place.message_id, person=person, build=build, says_how=says_how)
    deps.writes.set_field(batch, link.id, "pause_line", line.model_dump_json(context=link.id))


async def edit_line(
    deps: Dependencies, people: People, context: JobContext, link: Link, notice: Notice
) -> Batch | None:
    """Edit the line about the pause that this notice announces or ends. Return the batch of the edit.

    Return None if the thread has no such line, or if Slack refuses the edit. The edit may be repeated. The
    line's metadata gets the kind of the notice and, for a pause, its id. So the notice is found again after
    a data loss.
    """
    line = link.pause_line
    # After a post of unknown outcome, edit nothing: that job had no line to edit, and posted a message.
    if line is None or context.is_outcome_unknown:
        return None
    paused_by = await people.find_name(line.person)
    if notice.kind == "paused" and line.build == notice.build:
        message = await make_line(deps, link, notice, paused_by)
        says_how = not _is_resuming(link, notice) and not await _is_question(deps, link, line)
        message_id = questions.get_message_id(link, context.job.id)
        line = line.model_copy(update={"message_id": message_id, "says_how": says_how})
        batch = await _edit(deps, context, link, line, notice, message, notices.get_pause_words(paused_by))
        stored = line.model_dump_json(context=link.id)
        return batch and deps.writes.set_field(batch, link.id, "pause_line", stored)
    if notice.kind == "resumed":
        resumed_by = await people.find_name(find_person_behind(link.state, notice))
        message = notices.pause_ended(paused_by, resumed_by)
        what = notices.get_pause_end_words(paused_by, resumed_by)
        batch = await _edit(deps, context, link, line, notice, message, what)
        return batch and deps.writes.remove_field(batch, link.id, "pause_line")
    return None


async def _edit(
    deps: Dependencies,
    context: JobContext,
    link: Link,
    line: PauseLine,
    notice: Notice,
    message: Message,
    what: str,
) -> Batch | None:
    """Show `message` in the line. If the line is an open question, only change its beginning to `what`.

    Return the batch of the edit; None if Slack refuses the edit.
    """
    meta = Metadata(id=line.message_id, kind=notice.kind, task_id=link.record.task_id)
    batch, priority = Batch(), questions.choose_line_priority(deps, context, link)
    if await _is_question(deps, link, line):
        held = await deps.links.list_held(link.id)
        asked = inputs.ask_about_held_replies(link, len(held), what)
        is_edited = await questions.replace_text(
            deps, link, questions.HELD_REPLIES, asked, batch, meta, priority
        )
        return batch if is_edited else None
    try:
        await deps.slack.update(link.record.channel, line.ts, message, meta, priority)
    except (ChannelProblem, MessageGone):
        return None
    return batch


async def _is_question(deps: Dependencies, link: Link, line: PauseLine) -> bool:
    """Return whether the line is also the open question about the held replies."""
    place = await questions.find_open(deps, link, questions.HELD_REPLIES)
    return place is not None and place.ts == line.ts
