"""The end of a job that has failed for good: a dead letter for the operator, a message for whoever waits for
it.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain import replies
from taskwire.domain.jobs import CreateTask, PostCard, Reply, Requester
from taskwire.domain.mrkdwn import escape_mrkdwn
from taskwire.job_context import JobContext, Outcome, dead_letter, given_up
from taskwire.messages import answers, inputs, waiting
from taskwire.outbox.enqueue import draw
from taskwire.outbox.undelivered import give_up_together, list_with_those_behind
from taskwire.replies import outcomes


async def gave_up(deps: Dependencies, context: JobContext, why: str) -> Outcome:
    """Write the dead letter, and say so once where somebody waits for it."""
    job, work = context.job, context.job.work
    if (
        isinstance(work, Reply)
        and context.is_outcome_unknown
        and (asked := await _asked(deps, context, work))
    ):
        return asked
    step, link = dead_letter(context, why), await deps.links.find(context.link_id)
    if isinstance(work, PostCard | CreateTask) and link is not None:
        deps.writes.field(step, link.id, "failure", escape_mrkdwn(why))
        deps.writes.ends(step, link.record, "failed")
        draw(link.id, step)
    if isinstance(work, Reply) and link is not None:
        is_shared = why in answers.SHARED_REASONS
        together = await list_with_those_behind(deps, context, link) if is_shared else [(job, work)]
        texts = [replies.to_agent_text(reply.text) for _, reply in together]
        words = inputs.delivery_given_up(link, job.id, why, texts)
        return given_up(await give_up_together(deps, context, link, together, words, why))
    told = answers.gave_up(waiting.wish(work, link), why, is_outcome_unknown=context.keeps_attempt)
    requester = getattr(work, "requester", None)
    return given_up(step, (requester, told)) if isinstance(requester, Requester) else given_up(step)


async def _asked(deps: Dependencies, context: JobContext, work: Reply) -> Outcome | None:
    """What began and was never read back may have arrived: it is not given up but asked about."""
    link = await deps.links.find(context.link_id)
    if link is None or link.ended is not None:
        return None
    question = inputs.ask_whether_it_arrived(link, context.job.id, replies.to_agent_text(work.text))
    context.settled("unclear")
    return await outcomes.asked(deps, outcomes.ReplyJob(context, link, work), "outcome_unknown", question)
