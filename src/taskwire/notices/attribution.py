"""Finds the person who caused a change of a task, for example the person who paused it.

The bot makes the person's call to Coder. A poll may show the change before this call has returned. While the
call is under way or its outcome is unknown, its intent record in the link's `to_coder` queue says who asked
for what. When the call has succeeded, an event `Acted` with the person waits in the `to_thread` queue, after
the event of the change.

The module also names the author of the input that has answered an agent's question.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import ValidationError

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.events import Acted, Delivered, Event, Notice, Observed, Vanished
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Observation
from taskwire.domain.lifecycle.reconcile import ResumeIntent
from taskwire.domain.queueing.jobs import Act, ApplyEvent, Job, Reply
from taskwire.domain.queueing.queues import to_thread
from taskwire.messages import inputs
from taskwire.outbox import questions
from taskwire.people.permissions import People


async def prepend_act(deps: Dependencies, link: Link, event: Event) -> tuple[Event, ...]:
    """Return the event. If a person in Slack has caused it, put the event of the person's act before it.

    If the task has vanished because a person deleted it, return only the event with this person.
    """
    is_new_build = isinstance(event, Observed) and event.observation.build > link.state.build > 0
    if not is_new_build and not (isinstance(event, Vanished) and event.person is None):
        return (event,)
    attempted = await deps.links.find_attempted(link.id)
    # Read the attempt before the queue: when an attempt ends, its act moves to the queue.
    act = _find_attempted_act(*attempted, event) if attempted else None
    act = act or _find_queued_act(await deps.links.list_jobs(to_thread(link.id)), event)
    if act is None:
        return (event,)
    return (act,) if isinstance(act, Vanished) else (act, event)


async def describe_answer(deps: Dependencies, people: People, link: Link, event: Event) -> str:
    """Return the text that replaces an agent's question after this event: whose answer the agent got."""
    if not isinstance(event, Delivered):
        return inputs.CHOICE_PASSED
    is_asked = link.state.reminder_count or await deps.links.find_question(link.id, questions.CHOICES)
    name = await people.find_name(event.person) if is_asked and not event.author_name else ""
    return inputs.question_answered(event.author_name or name)


def find_person_behind(state: LinkState, notice: Notice) -> UserId | None:
    """Return the person who asked for the change that a notice announces; None if nobody in Slack did.

    The event of the person's act may have been applied only after the notice was queued. So the link's state
    is searched too.
    """
    verb = {"paused": "pause", "resumed": "resume"}.get(notice.kind)
    acted = state.last_action
    is_theirs = acted is not None and (acted.verb, acted.build) == (verb, notice.build)
    return acted.person if acted is not None and is_theirs else notice.person


def _find_attempted_act(job: Job, intent: str, event: Event) -> Acted | Vanished | None:
    """Return the act of this job if the event shows that the job's call to Coder succeeded; None otherwise.

    `intent` is the intent record that was written before the call.
    """
    match job.work, event:
        case Act(verb="delete") as act, Vanished():
            return Vanished(person=act.requester.person)
        case Act(verb="pause" | "resume") as act, Observed(observation=seen) if intent.isdecimal():
            return _act_of_build(act, int(intent), seen)
        case Reply(person=person), Observed(observation=seen) if _is_resumed_by(intent, seen):
            return Acted(verb="resume", person=person, build=seen.build)
    return None


def _find_queued_act(jobs: Iterable[Job], event: Event) -> Acted | Vanished | None:
    """Find among these waiting jobs the act that has caused the event; None if there is none."""
    for job in jobs:
        match job.work, event:
            case ApplyEvent(event=Vanished(person=str()) as vanished), Vanished():
                return vanished
            case ApplyEvent(event=Acted() as acted), Observed(observation=seen) if acted.build == seen.build:
                return acted
    return None


def _act_of_build(act: Act, build: int, seen: Observation) -> Acted | None:
    """Return the act if it has caused the build in `seen`; None otherwise.

    `build` is the number of the latest build before the act. If the act is a resume and the build in `seen`
    stops the workspace, the act is a retry, because a retry first stops the workspace and then starts it.
    """
    is_down = _is_down(seen)
    if seen.build != build + 1 or (act.verb == "pause" and not is_down):
        return None
    if act.verb == "pause":
        return Acted(verb="pause", person=act.requester.person, build=seen.build)
    verb: Literal["retry", "resume"] = "retry" if is_down else "resume"
    return Acted(verb=verb, person=act.requester.person, build=seen.build)


def _is_resumed_by(intent: str, seen: Observation) -> bool:
    try:
        resumed = ResumeIntent.model_validate_json(intent)
    except ValidationError:
        return False
    return seen.build == resumed.build + 1 and not _is_down(seen)


def _is_down(seen: Observation) -> bool:
    return seen.workspace_status in ("stopping", "stopped")
