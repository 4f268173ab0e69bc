"""Ends: what has failed for good is written down for the operator, and told to whom it concerns."""

from taskwire.bridge import fates
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, Private
from taskwire.bridge.saying import draw
from taskwire.bridge.undelivered import let_go_together, list_with_those_behind
from taskwire.model import replies
from taskwire.model.jobs import Asker, CreateTask, PostCard, Reply
from taskwire.model.mrkdwn import escape_mrkdwn
from taskwire.store.letters import bury
from taskwire.store.queue import Unreadable
from taskwire.store.steps import Step
from taskwire.words import answers, inputs, waiting


async def gave_up(doors: Doors, hand: Hand, why: str) -> Ending:
    """Write the dead letter, and say so once where somebody waits for it."""
    job, work = hand.job, hand.job.work
    if isinstance(work, Reply) and hand.is_in_doubt and (asked := await _asked(doors, hand, work)):
        return asked
    step, link = letter(hand, why), await doors.links.find(hand.link_id)
    if isinstance(work, PostCard | CreateTask) and link is not None:
        doors.writes.field(step, link.id, "failure", escape_mrkdwn(why))
        doors.writes.ends(step, link.bond, "failed")
        draw(link.id, step)
    if isinstance(work, Reply) and link is not None:
        is_shared = why in answers.SHARED_REASONS
        together = await list_with_those_behind(doors, hand, link) if is_shared else [(job, work)]
        texts = [replies.to_agent_text(reply.text) for _, reply in together]
        words = inputs.delivery_given_up(link, job.id, why, texts)
        return let_go(let_go_together(doors, hand, link, together, words, why))
    told = answers.gave_up(waiting.wish(work, link), why, is_in_doubt=hand.keeps_attempt)
    asker = getattr(work, "asker", None)
    return let_go(step, (asker, told)) if isinstance(asker, Asker) else let_go(step)


def let_go(step: Step, *privately: Private) -> Ending:
    """The job leaves its list undone, with the step that holds its letter; what is behind fares no better."""
    return Ending("done", step, privately=privately, trouble="same", has_letter=True)


async def _asked(doors: Doors, hand: Hand, work: Reply) -> Ending | None:
    """What began and was never read back may have arrived: it is not given up but asked about."""
    link = await doors.links.find(hand.link_id)
    if link is None or link.ended is not None:
        return None
    question = inputs.input_in_doubt(link, hand.job.id, replies.to_agent_text(work.text))
    hand.settled("unclear")
    return fates.asked(fates.Case(hand, link, work), "in_doubt", question)


def letter(hand: Hand, why: str) -> Step:
    """Write the dead letter alone."""
    return bury(Step(), hand.turn, hand.job.model_dump_json(), why)


def unreadable(taken: Unreadable) -> Step:
    """Write the dead letter of a job that this version cannot read, with its text as it was."""
    why = f"it cannot be read: {taken.why}"[:500]
    return bury(Step(), taken, taken.body, why, is_unreadable=True)
