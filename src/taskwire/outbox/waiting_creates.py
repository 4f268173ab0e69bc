"""Lists the tasks that a person has asked for and that wait for Coder, or for the person's account.

Such a task is in no list of Coder, and has no link yet. It is only a request in a queue of the person. This
module changes nothing; `request_retries.py` and `waiting_requests.py` let the requests wait.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import UserId
from taskwire.domain.queueing.jobs import CreateRequested, Job
from taskwire.domain.queueing.person_jobs import WaitForAccount
from taskwire.domain.queueing.queues import intake, waiting_requests
from taskwire.messages import waiting
from taskwire.messages.task_lists import WaitingCreates
from taskwire.outbox.coder_health import find_outage
from taskwire.redis.decoding import read_if_possible


async def list_waiting_creates(deps: Dependencies, person: UserId) -> WaitingCreates:
    """Return a line for each task that waits: first for the person's account, then for Coder."""
    held = await deps.links.list_jobs(waiting_requests(person))
    own = [
        read_if_possible(Job, job.work.waiting_job)
        for job in held
        if isinstance(job.work, WaitForAccount) and job.work.requester.person == person
    ]
    queued = await deps.links.list_jobs(intake(person))
    if not any(job.tries for job in queued):
        # The requests run at this moment.
        queued = []
    is_away = bool(queued) and await find_outage(deps) is not None
    return WaitingCreates(
        needing=[
            waiting.create_waits_for_account(job.work)
            for job in own
            if job is not None and isinstance(job.work, CreateRequested)
        ],
        running=[
            waiting.create_waits(job.work, is_coder_away=is_away)
            for job in queued
            if isinstance(job.work, CreateRequested)
        ],
    )
