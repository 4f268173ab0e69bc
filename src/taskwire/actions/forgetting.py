"""Removes a person from the links that name them, after the operator has told Taskwire to forget the person.

`state/person_data.py` finds these links, and `app/forgetting.py` appends one job to each. The job runs in the
link's `to_coder` queue, so no other action on the task runs at the same time.
"""

from taskwire.agent.input import AgentInput
from taskwire.dependencies import Dependencies
from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.links import Link, LinkRecord
from taskwire.domain.queueing.jobs import Reply
from taskwire.domain.queueing.person_jobs import ForgetInLink
from taskwire.domain.queueing.queues import to_coder
from taskwire.domain.text.agent_text import AgentText
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import answers
from taskwire.outbox import questions
from taskwire.outbox.enqueue import draw, say, show_receipt
from taskwire.people.accounts import find_actor
from taskwire.queue.batch import Batch
from taskwire.state.person_data import FORGOTTEN, FORGOTTEN_MS, MOST_LINKS
from taskwire.waiting_replies.undelivered import list_undelivered, return_replies

# The fields that are removed from an ended link: texts of people and of the agent, and the names of people
# who acted.
_ENDED_FIELDS = ("hold", "pause_line", "seen", "failure", "build_failure", "cursor", "pending", "muted")


class PersonForgetter:
    """Handles the jobs that remove a person from a link."""

    def __init__(self, deps: Dependencies, agent_input: AgentInput) -> None:
        self._deps = deps
        self._agent_input = agent_input

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (Handler.with_any_link(ForgetInLink, self.forget),)

    async def forget(self, context: JobContext, link: Link | None) -> Outcome:
        """Remove the person from the link. If the person owns the task, end the link."""
        work, batch = context.work(ForgetInLink), Batch()
        await self._drop_jobs(context, work.person, batch)
        if link is not None:
            if link.record.is_owned_by(work.person):
                await self._end(context, link, batch)
            else:
                self._remove_from(link, work.person, batch)
        done_links = (FORGOTTEN, work.request_id)
        self._deps.notes.count_in(
            batch, context.link_id, context.now_ms, MOST_LINKS, *done_links, ttl_ms=FORGOTTEN_MS
        )
        return done(batch)

    async def _drop_jobs(self, context: JobContext, person: UserId, batch: Batch) -> None:
        """Remove the person's replies and requests that wait in the link's queue or are held by a pause."""
        link, links = context.link_id, self._deps.links
        waiting = await links.list_waiting(link)
        for job in waiting:
            if find_actor(job.work) == person and job.id != context.job.id:
                batch.drop(to_coder(link), job.id)
        held = [job for job in await links.list_held(link) if find_actor(job.work) == person]
        if held:
            self._deps.writes.drop_held(batch, link, *(job.id for job in held))
        for job in (*waiting, *held):
            if isinstance(job.work, Reply) and job.work.person == person:
                show_receipt(link, job.work.ts, "none", batch)

    def _remove_from(self, link: Link, person: UserId, batch: Batch) -> None:
        """Remove the person from another person's task: they neither watch nor steer it any more.

        An administrator may have attached it. It does not count as attached by its owner then: the owner has
        not agreed that everybody in the channel steers it.
        """
        writes, record = self._deps.writes, link.record
        if person == record.requested_by:
            record = record.model_copy(update={"requested_by": UserId("")})
            (writes.write_record if link.end_reason is None else writes.write_ended_record)(batch, record)
        if person in link.watchers:
            writes.set_people(batch, link.id, "watchers", [each for each in link.watchers if each != person])
        if person in link.shares:
            writes.set_shares(batch, link.id, [each for each in link.shares if each != person])
        if link.is_muted:
            # The field names who muted the task. Nobody reads the name.
            writes.set_field(batch, link.id, "muted", "1")
        draw(link.id, batch)

    async def _end(self, context: JobContext, link: Link, batch: Batch) -> None:
        """End the link of the person's own task. Keep only the data that an ended thread needs."""
        writes, record = self._deps.writes, _without_person(link.record)
        nameless = link.model_copy(update={"record": record, "moved_to": ""})
        if link.end_reason is None:
            await questions.settle_all(self._deps, link, batch)
            await self._return_others(link, context.work(ForgetInLink).person, batch)
            if not link.closed_error and record.thread_ts is not None:
                message = answers.thread_detached(nameless)
                say(link.id, f"detached:{context.job.id}", message, batch, question_id=questions.ATTACH)
            writes.end(batch, link.record, "detached")
        writes.write_ended_record(batch, record)
        for name in _ENDED_FIELDS:
            writes.remove_field(batch, link.id, name)
        for name in ("watchers", "shares"):
            writes.set_people(batch, link.id, name, ())
        unnamed = dict.fromkeys(("last_report", "final_report", "previous_report", "last_action"))
        state = link.state.model_copy(update={**unnamed, "waiting_results": ()})
        writes.write_state(batch, link.id, state, None)
        draw(link.id, batch)

    async def _return_others(self, link: Link, person: UserId, batch: Batch) -> None:
        """Post the texts of other people's waiting replies in the thread, because the link ends."""
        waiting = await list_undelivered(self._deps.links, link.id)
        others = [(job, reply) for job, reply in waiting if reply.person != person]
        for job, _ in others:
            batch.drop(to_coder(link.id), job.id)
        await return_replies(self._agent_input, link, "forgotten", [reply for _, reply in others], batch)


def _without_person(record: LinkRecord) -> LinkRecord:
    """Return a copy of the record that names only the thread and the task.

    A task's name has words of its prompt, so the task's id takes its place.
    """
    return record.model_copy(
        update={
            "requested_by": UserId(""),
            "owner_slack": None,
            "owner_slack_name": "",
            "owner_id": "",
            "owner_name": "",
            "prompt": AgentText(""),
            "context": AgentText(""),
            "title": "",
            "name": str(record.task_id or "task"),
        }
    )
