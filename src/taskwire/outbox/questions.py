"""Questions with buttons: where each is posted, so that it can lose its buttons and show its outcome.

A question is known by its subject: a reply, the held replies, or the workspace. Its place is stored with the
link. If that is lost, a press still counts.
"""

from functools import partial

from pydantic import BaseModel

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import LinkId, Ts
from taskwire.domain.jobs import REPLY, Job, Reply, Requester, SettleQuestion, to_thread
from taskwire.domain.links import Link
from taskwire.domain.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, decided, done
from taskwire.messages import inputs, shapes
from taskwire.messages.cards import ending_of, former_page_of
from taskwire.messages.inputs import Settlement
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read_if_possible
from taskwire.slack.call_priorities import Priority
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata

# The subjects of questions that are not about a reply.
HELD_REPLIES = "held"
WORKSPACE = "workspace"
EDIT, DELETE = "edit", "delete"
# The beginning of the ids of messages that replace an open question, or are posted if there is none.
JOINING_ID_PREFIX = "joining:"


class PostedQuestion(BaseModel):
    """The place of a question, and its text."""

    ts: Ts
    message_id: str
    kind: str
    message: Message


async def record_posted(
    deps: Dependencies, link: Link, about: str, place: PostedQuestion, batch: Batch
) -> Batch:
    """Store the place of a question. It replaces an older one about the same subject."""
    older = await deps.links.find_question(link.id, about)
    former = read_if_possible(PostedQuestion, older)
    if older is not None and former is not None and former.ts != place.ts:
        # An older notice of a pause only loses its buttons: it needs no text about the newer one.
        words = "" if about == WORKSPACE else inputs.settled("newer")
        work = SettleQuestion(about=about, words=words, place=older)
        batch.append(to_thread(link.id), Job(id=f"settled:{about}:{place.ts}", work=work))
    deps.notes.forgetting(batch, "settled", link.id, about)
    return deps.writes.question(batch, link.id, about, place.model_dump_json())


async def replace_text(deps: Dependencies, link: Link, about: str, message: Message, batch: Batch) -> bool:
    """Replace the text of the question about this subject; False if there is none."""
    place = read_if_possible(PostedQuestion, await deps.links.find_question(link.id, about))
    if place is None:
        return False
    meta = Metadata(id=place.message_id, kind=place.kind, task_id=link.record.task_id)
    try:
        await deps.slack.update(link.record.channel, place.ts, message, meta, Priority.POST)
    except (ChannelProblem, MessageGone):
        return False
    now = place.model_copy(update={"message": message})
    deps.writes.question(batch, link.id, about, now.model_dump_json())
    return True


def settle(link: Link, about: str, words: str, batch: Batch, *, is_last: bool = True) -> Batch:
    """Let the question about a subject, if there is one, show its outcome. `is_last`: the final outcome."""
    work = SettleQuestion(about=about, words=words, is_last=is_last)
    job_id = f"settled:{about}" if is_last else f"settling:{about}"
    return batch.append(to_thread(link.id), Job(id=job_id, work=work), is_newest=True)


def settle_reply(link: Link, reply: Reply, why: Settlement, batch: Batch) -> Batch:
    """Settle the question about a reply, or the one that the reply's delivery would settle."""
    return settle(link, reply.settles or f"{REPLY}{reply.ts}", inputs.settled(why), batch)


async def settle_all(deps: Dependencies, link: Link, batch: Batch) -> Batch:
    """Settle every question of a thread that loses its task."""
    for about in await deps.links.list_questions(link.id):
        is_kept = await deps.notes.find("reply", link.id, about) is not None
        settle(link, about, inputs.settled("ended_unsent" if is_kept else "ended"), batch)
    return batch


async def settle_empty_hold(deps: Dependencies, link: Link, without: str, batch: Batch) -> None:
    """Settle the question about held replies if this job was the last of them."""
    held = await deps.links.list_held(link.id)
    if held and all(job.id == without for job in held):
        settle(link, HELD_REPLIES, inputs.settled("empty"), batch)


async def finish_press(
    deps: Dependencies,
    link: Link,
    about: str,
    words: str,
    requester: Requester,
    batch: Batch,
    *,
    is_last: bool = True,
) -> Outcome:
    """End the job of a press: the question shows the decision."""
    _record_settled(deps, link, about, batch)
    if await deps.links.find_question(link.id, about) is None:
        return decided(batch, requester, shapes.statement(words))
    return done(settle(link, about, words, batch, is_last=is_last))


async def change_subject(deps: Dependencies, link: Link, about: str, to: str, batch: Batch) -> str:
    """Give a question another subject, under which it is settled; return the subject that is valid."""
    place = await deps.links.find_question(link.id, about)
    if place is None:
        return about
    deps.writes.no_question(_record_settled(deps, link, about, batch), link.id, about)
    deps.writes.question(batch, link.id, to, place)
    return to


def settle_held(deps: Dependencies, link: Link, words: str, batch: Batch) -> Batch:
    """Settle the question about held replies, because they go on."""
    return settle(link, HELD_REPLIES, words, _record_settled(deps, link, HELD_REPLIES, batch))


def _record_settled(deps: Dependencies, link: Link, about: str, batch: Batch) -> Batch:
    """Note that a question is settled, even if it does not show that yet."""
    return deps.notes.keeping(batch, "1", "settled", link.id, about)


async def is_open(deps: Dependencies, link: Link, about: str) -> bool:
    """Whether a question can still be open. It is not if it was settled a moment ago."""
    return await deps.notes.find("settled", link.id, about) is None


async def _find_posted(deps: Dependencies, link: LinkId, work: SettleQuestion) -> PostedQuestion | None:
    found = work.place or await deps.links.find_question(link, work.about)
    return read_if_possible(PostedQuestion, found)


def handlers(deps: Dependencies) -> tuple[Handler, ...]:
    """List the handlers of this module."""
    return (Handler.with_link(SettleQuestion, partial(_settle_question, deps)),)


async def _settle_question(deps: Dependencies, context: JobContext, link: Link) -> Outcome:
    """Remove a question's buttons. The edit may be repeated."""
    work = context.work(SettleQuestion)
    place = await _find_posted(deps, link.id, work)
    if place is None:
        return done()
    meta = Metadata(id=place.message_id, kind=place.kind, task_id=link.record.task_id)
    batch = Batch()
    if work.is_last and not work.place:
        deps.writes.no_question(batch, link.id, work.about)
        _record_settled(deps, link, work.about, batch)
    dead = former_page_of(link, deps.coder_url) if ending_of(link) == "gone" else ""
    message = shapes.settled(place.message, work.words, dead=dead)
    try:
        await deps.slack.update(link.record.channel, place.ts, message, meta, Priority.POST)
    except (ChannelProblem, MessageGone):
        return done(batch)
    return done(batch)
