"""Carries out requests that have waited until a person connected their Coder account.

`outbox/waiting_requests.py` makes the requests wait. A request goes back to the queue from which it came, and
is then checked like a new request. This module itself answers the questions that have waited.
"""

from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.parsing import commands
from taskwire.domain.queueing.jobs import Act, CreateRequested, Job, MessageToBot
from taskwire.domain.queueing.person_jobs import AnswerQuestion, MakeTaskOfMessage, WaitForAccount
from taskwire.domain.queueing.queues import QueueName, get_link_id, no_agent_score, request_score, to_coder
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import refusals
from taskwire.outbox.home_requests import refresh_home_if_kept
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read
from taskwire.tasks.queries import Queries, Question


class WaitingRequests:
    """Handles the jobs of requests that wait for an account."""

    def __init__(self, deps: Dependencies, people: People, queries: Queries) -> None:
        self._deps = deps
        self._people = people
        self._queries = queries

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.without_link(WaitForAccount, self.put_back),
            Handler.without_link(AnswerQuestion, self.answer),
        )

    async def put_back(self, context: JobContext) -> Outcome:
        """Put a waiting request back into its queue, because the person now has a usable account.

        Raise AccountNeeded if the person has no usable account.
        """
        work = context.work(WaitForAccount)
        await self._people.get_account(work.person)
        account = await self._people.accounts.find(work.person)
        if account is not None and account.is_refused:
            raise AccountNeeded(work.person)
        job = read(Job.model_validate_json, work.waiting_job)
        batch = Batch().append(QueueName(work.queue), job, score=_score_of(work, job))
        if isinstance(job.work, CreateRequested | MakeTaskOfMessage | MessageToBot):
            await refresh_home_if_kept(self._deps, work.requester.person, batch)
        return done(batch)

    async def answer(self, context: JobContext) -> Outcome:
        """Answer the question of the person, privately."""
        work = context.work(AnswerQuestion)
        return await retry_for_person(self._deps, context, None, partial(self._answer, work))

    async def _answer(self, work: AnswerQuestion, context: JobContext) -> Outcome:
        del context
        question = commands.parse(work.line)
        if not isinstance(question, Question):
            raise UserError(*refusals.button_expired())
        return done(None, (work.requester, await self._queries.answer(work.requester, question)))


def _score_of(work: WaitForAccount, job: Job) -> int | str:
    """Return the score that gives a request its place in the queue to which it returns.

    In a `to_coder` queue, it gets the place of a new request. In other queues, it is the last job.
    """
    if work.queue != to_coder(get_link_id(work.queue)):
        return "next"
    at = work.requester.at
    return request_score(job.work.verb, at) if isinstance(job.work, Act) else no_agent_score(at)
