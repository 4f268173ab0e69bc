"""Questions: where each stands, so that it loses its buttons and says what became of it.

A question is known by what it is about: a reply, what a pause holds, how a workspace stands. Where it stands
is kept with its link; if that is lost, a press still answers it, and what it was about is done all the same.
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
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.slack.rate_limits import Priority

# What questions are about that are about no reply.
HELD = "held"
WORKSPACE = "workspace"
EDIT, DELETE = "edit", "delete"
# How the ids of those begin that change the question that stands, if one does, and are posted otherwise.
JOINING = "joining:"


class PostedQuestion(BaseModel):
    """Where a question stands, and what it says."""

    ts: Ts
    message_id: str
    kind: str
    message: Message


async def posted(deps: Dependencies, link: Link, about: str, place: PostedQuestion, batch: Batch) -> Batch:
    """Remember where a question stands; an older one about the same gives way to it."""
    older = await deps.links.find_question(link.id, about)
    former = read_if_possible(PostedQuestion, older)
    if older is not None and former is not None and former.ts != place.ts:
        # An older notice of a pause asks nothing any more, and who reads it needs no word of the newer one.
        words = "" if about == WORKSPACE else inputs.settled("newer")
        work = SettleQuestion(about=about, words=words, place=older)
        batch.append(to_thread(link.id), Job(id=f"settled:{about}:{place.ts}", work=work))
    deps.notes.forgetting(batch, "settled", link.id, about)
    return deps.writes.question(batch, link.id, about, place.model_dump_json())


async def has_joined(deps: Dependencies, link: Link, about: str, message: Message, batch: Batch) -> bool:
    """Let the question about something ask this instead, in its place; false if none stands."""
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
    """Let the question about something, if there is one, say what became of it; the `is_last` word on it."""
    work = SettleQuestion(about=about, words=words, is_last=is_last)
    job_id = f"settled:{about}" if is_last else f"settling:{about}"
    return batch.append(to_thread(link.id), Job(id=job_id, work=work), is_newest=True)


def settle_reply(link: Link, reply: Reply, why: Settlement, batch: Batch) -> Batch:
    """Let the question about a reply, or one that its delivery would settle, say that it is over."""
    return settle(link, reply.settles or f"{REPLY}{reply.ts}", inputs.settled(why), batch)


async def settle_all(deps: Dependencies, link: Link, batch: Batch) -> Batch:
    """Let every question of a thread that loses its task say so."""
    for about in await deps.links.list_questions(link.id):
        is_kept = await deps.notes.find("reply", link.id, about) is not None
        settle(link, about, inputs.settled("ended_unsent" if is_kept else "ended"), batch)
    return batch


async def settle_empty_hold(deps: Dependencies, link: Link, without: str, batch: Batch) -> None:
    """Ask nothing any more about what a pause holds, if this job was the last of it."""
    held = await deps.links.list_held(link.id)
    if held and all(job.id == without for job in held):
        settle(link, HELD, inputs.settled("empty"), batch)


async def answered(
    deps: Dependencies,
    link: Link,
    about: str,
    words: str,
    requester: Requester,
    batch: Batch,
    *,
    is_last: bool = True,
) -> Outcome:
    """End the turn of a press: the question says what was decided, in its place."""
    _mark(deps, link, about, batch)
    if await deps.links.find_question(link.id, about) is None:
        return decided(batch, requester, shapes.statement(words))
    return done(settle(link, about, words, batch, is_last=is_last))


async def rename(deps: Dependencies, link: Link, about: str, to: str, batch: Batch) -> str:
    """Let a question be known by another name, under which it is settled; returns the one that holds."""
    place = await deps.links.find_question(link.id, about)
    if place is None:
        return about
    deps.writes.no_question(_mark(deps, link, about, batch), link.id, about)
    deps.writes.question(batch, link.id, to, place)
    return to


def held_goes(deps: Dependencies, link: Link, words: str, batch: Batch) -> Batch:
    """What a pause held goes on, by whatever way."""
    return settle(link, HELD, words, _mark(deps, link, HELD, batch))


def _mark(deps: Dependencies, link: Link, about: str, batch: Batch) -> Batch:
    """Remember for a while that a question is settled, though it may not show that yet."""
    return deps.notes.keeping(batch, "1", "settled", link.id, about)


async def is_open(deps: Dependencies, link: Link, about: str) -> bool:
    """Whether a question stands somewhere, or may: one that was settled a moment ago does not."""
    return await deps.notes.find("settled", link.id, about) is None


async def _find_place(deps: Dependencies, link: LinkId, work: SettleQuestion) -> PostedQuestion | None:
    found = work.place or await deps.links.find_question(link, work.about)
    return read_if_possible(PostedQuestion, found)


def handlers(deps: Dependencies) -> tuple[Handler, ...]:
    """List the handlers of this module."""
    return (Handler.with_link(SettleQuestion, partial(_settled, deps)),)


async def _settled(deps: Dependencies, context: JobContext, link: Link) -> Outcome:
    """Take a question's buttons away; an edit may be made twice."""
    work = context.work(SettleQuestion)
    place = await _find_place(deps, link.id, work)
    if place is None:
        return done()
    meta = Metadata(id=place.message_id, kind=place.kind, task_id=link.record.task_id)
    batch = Batch()
    if work.is_last and not work.place:
        deps.writes.no_question(batch, link.id, work.about)
        _mark(deps, link, work.about, batch)
    dead = former_page_of(link, deps.coder_url) if ending_of(link) == "gone" else ""
    message = shapes.settled(place.message, work.words, dead=dead)
    try:
        await deps.slack.update(link.record.channel, place.ts, message, meta, Priority.POST)
    except (ChannelProblem, MessageGone):
        return done(batch)
    return done(batch)
