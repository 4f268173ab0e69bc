"""Handles the buttons of the choices that an agent offers at the end of its answer.

The first press counts. The notice loses its buttons and says who chose what. Then the choice is posted in the
thread as that person's words, and goes to the agent as their reply.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.decisions import Choose
from taskwire.domain.errors import UserError
from taskwire.domain.links import Link
from taskwire.job_context import Handler, JobContext, Outcome, done, retry
from taskwire.messages import inputs, refusals
from taskwire.outbox import questions
from taskwire.outbox.quoted_replies import post_quotation, queue_reply
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch


class ChoiceSender:
    """Handles the jobs of pressed choices."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """List the handlers of this class."""
        return (Handler.with_any_link(Choose, self.choose),)

    async def choose(self, context: JobContext, link: Link | None) -> Outcome:
        """Settle the question under one lease, then send the choice under the next."""
        work = context.work(Choose)
        if link is None or link.end_reason is not None:
            raise UserError(*refusals.link_ended(await self._people.find_visible(work.requester, link)))
        if work.text:
            reply = await post_quotation(
                self._deps, self._people, context, link, work.requester.person, work.text
            )
            return done(queue_reply(link.id, reply))
        await self._people.require_steering_rights(work.requester, link)
        choice = await questions.find_choice(self._deps, link, work.key, work.number)
        if choice is None:
            return done(None, (work.requester, inputs.choice_too_late()))
        name = await self._people.get_name(work.requester.person)
        batch = questions.settle_choices(self._deps, link, inputs.choice_made(name, choice.label), Batch())
        return retry(0, context.job.with_work(text=choice.reply), batch)
