"""Questions with buttons: stores where each question was posted, and replaces its buttons by the outcome.

To settle a question is to replace its buttons by the outcome. Held replies are replies that wait because a
person has paused the task. The id of a question is the id of a reply's job, or a word such as `held` for the
held replies. The place of a question is stored with the link. If the place is lost, the buttons of the
question still work.
"""

from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import LinkId, Ts, find_ts, microseconds, ts_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.naming import digest
from taskwire.domain.queueing.decisions import Choose
from taskwire.domain.queueing.jobs import REPLY_ID_PREFIX, Job, PostNotice, PostText, Reply, SettleQuestion
from taskwire.domain.queueing.queues import to_thread
from taskwire.domain.requester import Requester
from taskwire.domain.sealed_model import Readable, SealedModel
from taskwire.domain.text.agent_questions import Choice, read_answer
from taskwire.domain.text.message import Message
from taskwire.job_context import Handler, JobContext, Outcome, done, name_owner, replace_question
from taskwire.messages import inputs, shapes
from taskwire.messages.cards import find_ending, get_former_page_url
from taskwire.messages.inputs import ClosingReason
from taskwire.outbox.home_requests import refresh_owners_home
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read_if_possible
from taskwire.slack.call_priorities import Priority
from taskwire.slack.edit_shares import MAX_LINE_EDITS
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata

# The ids of questions that are not about a reply.
HELD_REPLIES = "held"
CHOICES = "choices"
WORKSPACE = "workspace"
EDIT, DELETE, ATTACH = "edit", "delete", "attach"
STUCK, REMINDER = "stuck", "reminder"
# Questions that are asked again and again, each time with a new message.
_REPEATED = (STUCK, REMINDER)
# The beginning of the id of a job that asks about the replies that a new pause holds.
HELD_BY_PAUSE_PREFIX = "held:"
# The text that is stored in place of a message's ts, if a question is settled and its message is not known.
SETTLED = "settled"
# If a job's id begins with this, its message takes the place of the open question. If no question is open,
# the job posts a new message.
REPLACING_JOB_ID_PREFIX = "replacing:"


class PostedQuestion(SealedModel):
    """Where a question was posted, the question's text, and the choices that an agent offers in it."""

    ts: Ts
    message_id: Readable
    kind: Readable
    message: Message
    choices: tuple[Choice, ...] = ()


async def record_posted(
    deps: Dependencies, link: Link, question_id: str, place: PostedQuestion, batch: Batch
) -> Batch:
    """Store where a question was posted. Return the batch.

    If an older question with the same id is open, it loses its buttons.
    """
    older = await deps.links.find_question(link.id, question_id)
    former = read_if_possible(PostedQuestion, older, link.id)
    if older is not None and former is not None and former.ts != place.ts:
        # An older notice of a pause only loses its buttons. It gets no text that points to the newer notice.
        known = {WORKSPACE: "", ATTACH: inputs.DETACHED_ABOVE}
        words = known.get(question_id, inputs.question_closed("newer"))
        work = SettleQuestion(question_id=question_id, words=words, place=older)
        batch.append(to_thread(link.id), Job(id=f"settled:{question_id}:{place.ts}", work=work))
    settled = await deps.notes.find("settled_question", link.id, question_id)
    if settled is not None and find_ts(settled) is None:
        deps.notes.forget_in(batch, "settled_question", link.id, question_id)
    return deps.writes.add_question(batch, link.id, question_id, place.model_dump_json(context=link.id))


async def find_open(deps: Dependencies, link: Link, question_id: str) -> PostedQuestion | None:
    """Find where a question was posted; None if the question is settled or its place is not stored."""
    if not await is_open(deps, link, question_id):
        return None
    return await _find_place(deps, link, question_id)


def choose_line_priority(deps: Dependencies, context: JobContext, link: Link) -> Priority:
    """Return the priority of an edit of a line about a pause. It is low after many such edits."""
    edit = f"{link.id} {context.job.id} {context.lease.since_ms}"
    is_late = deps.edit_shares.is_late(name_owner(context, link), edit, MAX_LINE_EDITS, context.now_ms)
    return Priority.LATER_CARD if is_late else Priority.POST


async def replace_text(
    deps: Dependencies,
    link: Link,
    question_id: str,
    message: Message,
    batch: Batch,
    meta: Metadata | None = None,
    priority: Priority = Priority.POST,
) -> bool:
    """Replace the text of an open question. Return False if it is not open, or if Slack refuses the edit.

    `meta` is the new metadata of the question's message. Without `meta`, the message keeps its id and kind.
    """
    place = await _find_place(deps, link, question_id)
    if place is None:
        return False
    meta = meta or Metadata(id=place.message_id, kind=place.kind, task_id=link.record.task_id)
    try:
        await deps.slack.update(link.record.channel, place.ts, message, meta, priority)
    except (ChannelProblem, MessageGone):
        return False
    now = place.model_copy(update={"message": message, "message_id": meta.id, "kind": meta.kind})
    deps.writes.add_question(batch, link.id, question_id, now.model_dump_json(context=link.id))
    return True


async def replace_open(
    deps: Dependencies, context: JobContext, link: Link, work: PostText, batch: Batch
) -> bool:
    """Replace the text of an open question with the job's message. Return whether this was done.

    Return False if the job does not have this purpose: its id then does not begin with
    `REPLACING_JOB_ID_PREFIX`. Return False also if the question is not open.
    """
    is_for_that = context.job.id.startswith(REPLACING_JOB_ID_PREFIX) and not context.is_outcome_unknown
    return is_for_that and await replace_text(deps, link, work.question_id, work.message, batch)


def settle(link: Link, question_id: str, words: str, batch: Batch, *, is_last: bool = True) -> Batch:
    """Show `words`, the outcome as mrkdwn, in place of the buttons of an open question.

    `is_last` is False if a further outcome follows, for example first "Sending" and then "Sent".
    """
    work = SettleQuestion(question_id=question_id, words=words, is_last=is_last)
    job_id = f"settled:{question_id}" if is_last else f"settling:{question_id}"
    return batch.append(to_thread(link.id), Job(id=job_id, work=work), is_newest=True)


def show_instead(link: Link, place: PostedQuestion, batch: Batch) -> Batch:
    """Show `place.message` in the message that was posted at this place, which is no open question."""
    stored = place.model_dump_json(context=link.id)
    work = SettleQuestion(question_id=SETTLED, words=place.message.text, place=stored)
    return batch.append(to_thread(link.id), Job(id=f"settled:{place.ts}", work=work))


def settle_reply(link: Link, reply: Reply, why: ClosingReason, batch: Batch) -> Batch:
    """Settle the question about a reply, and show `why`.

    If a person sent the reply with a button of another question, settle that other question instead.
    """
    return settle(
        link, reply.question_id or f"{REPLY_ID_PREFIX}{reply.ts}", inputs.question_closed(why), batch
    )


async def settle_all(deps: Dependencies, link: Link, batch: Batch) -> Batch:
    """Settle every open question of a thread, because the thread is losing its task."""
    for question_id in await deps.links.list_questions(link.id):
        is_kept = await deps.notes.find_signed("reply", link.id, question_id) is not None
        settle(link, question_id, inputs.question_closed("ended_unsent" if is_kept else "ended"), batch)
    return batch


async def settle_empty_hold(deps: Dependencies, link: Link, without: str, batch: Batch) -> None:
    """Settle the question about held replies if no reply is held any more. Update the owner's Home tab.

    The reply of the job `without` does not count, because it is about to leave the held replies.
    """
    await refresh_owners_home(deps, link, batch)
    held = await deps.links.list_held(link.id)
    if held and all(job.id == without for job in held):
        settle(link, HELD_REPLIES, inputs.question_closed("empty"), batch)


async def finish_press(
    deps: Dependencies,
    link: Link,
    question_id: str,
    words: str,
    requester: Requester,
    batch: Batch,
    *,
    is_last: bool = True,
) -> Outcome:
    """End the job of a pressed button, and show the person's decision in the question.

    If Redis does not know where the question was posted, send the decision to the person as an answer.
    """
    place = await deps.links.find_question(link.id, question_id)
    _record_settled(deps, link, question_id, batch, _ts_of(read_if_possible(PostedQuestion, place, link.id)))
    if place is None:
        return replace_question(batch, requester, shapes.statement(words))
    return done(settle(link, question_id, words, batch, is_last=is_last))


def get_message_id(link: Link, job_id: str) -> str:
    """Return the id of the message that a job posts.

    The id is equal in every try, and different in each link.
    """
    return f"{link.id}:{job_id}"


def get_key(message_id: str) -> str:
    """Return the key for the values of a notice's buttons.

    The key tells which message contains a pressed button.
    """
    return digest(message_id)


async def find_choice(deps: Dependencies, link: Link, work: Choose) -> Choice | None:
    """Find the choice that a person has made with a button.

    Return None if the question is settled or has no such choice.

    A person may press a button before Redis knows where the notice was posted, for example because Slack's
    answer is late. Then the choices are read from the job that posts the notice.
    """
    place = await _find_place(deps, link, CHOICES)
    if not await is_open(deps, link, CHOICES, work.message_ts):
        return None
    if place is not None and get_key(place.message_id) == work.key:
        choices = place.choices
    else:
        choices = await _list_unrecorded_choices(deps, link, work.key)
    return choices[work.number] if 0 <= work.number < len(choices) else None


async def _list_unrecorded_choices(deps: Dependencies, link: Link, key: str) -> tuple[Choice, ...]:
    for job in await deps.links.list_jobs(to_thread(link.id)):
        written = job.work.agent_output if isinstance(job.work, PostNotice) else None
        if written is not None and get_key(get_message_id(link, job.id)) == key:
            return read_answer(written.answer, written.full_text).choices
    return ()


async def settle_finally(
    deps: Dependencies,
    link: Link,
    question_id: str,
    words: str,
    batch: Batch,
    pressed_ts: Ts | None = None,
) -> Batch:
    """Settle a question, and record that it is settled, so that a later press has no effect.

    `settle` only replaces the buttons, and only if Redis knows where the question was posted. `words` replace
    the buttons, as mrkdwn. If a button was pressed, `pressed_ts` is the ts of the message with that button.
    """
    place = await _find_place(deps, link, question_id)
    known = [ts for ts in (pressed_ts, _ts_of(place)) if ts is not None]
    newest = max(known, key=microseconds, default=None)
    if newest is None and question_id in _REPEATED:
        # No message is known. A message that is posted from now on asks again.
        newest = ts_of(deps.slack.now())
    return settle(link, question_id, words, _record_settled(deps, link, question_id, batch, newest))


async def close_choices(deps: Dependencies, link: Link, words: str, batch: Batch) -> None:
    """Settle the question with an agent's choices, if it is open, because an input has answered it."""
    if await deps.links.find_question(link.id, CHOICES) is not None:
        await settle_finally(deps, link, CHOICES, words, batch)


async def change_id(deps: Dependencies, link: Link, question_id: str, new_id: str, batch: Batch) -> str:
    """Give an open question the id `new_id`. Return its id: the new one, or the old one if it is not open."""
    place = await deps.links.find_question(link.id, question_id)
    if place is None:
        return question_id
    _record_settled(deps, link, question_id, batch, _ts_of(read_if_possible(PostedQuestion, place, link.id)))
    deps.writes.remove_question(batch, link.id, question_id)
    deps.writes.add_question(batch, link.id, new_id, place)
    return new_id


def settle_held(deps: Dependencies, link: Link, words: str, batch: Batch) -> Batch:
    """Settle the question about held replies, because these replies are sent now."""
    return settle(link, HELD_REPLIES, words, _record_settled(deps, link, HELD_REPLIES, batch))


def _record_settled(
    deps: Dependencies, link: Link, question_id: str, batch: Batch, ts: Ts | None = None
) -> Batch:
    """Record that a question is settled, even if its message still shows buttons.

    `ts` names the question's message. A question with this id in a newer message is open. Without `ts`, the
    question is settled until `record_posted` records a newer message.
    """
    return deps.notes.keep_in(batch, ts or SETTLED, "settled_question", link.id, question_id)


async def is_open(deps: Dependencies, link: Link, question_id: str, pressed_ts: Ts | None = None) -> bool:
    """Return whether a question may still be open, even if its message shows buttons.

    `pressed_ts` is the ts of the message that contains the pressed button; None without a press. Return True
    if the question was not settled, or if this message is newer than the settled one.
    """
    settled = await deps.notes.find("settled_question", link.id, question_id)
    last = find_ts(settled) if settled is not None else None
    if last is None:
        return settled is None
    ts = pressed_ts or _ts_of(await _find_place(deps, link, question_id))
    return ts is not None and microseconds(ts) > microseconds(last)


async def _find_place(deps: Dependencies, link: Link, question_id: str) -> PostedQuestion | None:
    return read_if_possible(PostedQuestion, await deps.links.find_question(link.id, question_id), link.id)


def _ts_of(place: PostedQuestion | None) -> Ts | None:
    return place.ts if place is not None else None


async def _find_posted(deps: Dependencies, link: LinkId, work: SettleQuestion) -> PostedQuestion | None:
    found = work.place or await deps.links.find_question(link, work.question_id)
    return read_if_possible(PostedQuestion, found, link)


def handlers(deps: Dependencies) -> tuple[Handler, ...]:
    """Return the handlers: which function runs each kind of job."""
    return (Handler.with_link(SettleQuestion, partial(_settle_question, deps)),)


async def _settle_question(deps: Dependencies, context: JobContext, link: Link) -> Outcome:
    """Replace a question's buttons by the outcome of the question. This edit may be repeated."""
    work = context.work(SettleQuestion)
    place = await _find_posted(deps, link.id, work)
    if place is None:
        return done()
    meta = Metadata(id=place.message_id, kind=place.kind, task_id=link.record.task_id)
    batch = Batch()
    if work.is_last and not work.place:
        deps.writes.remove_question(batch, link.id, work.question_id)
        _record_settled(deps, link, work.question_id, batch, place.ts)
    dead = get_former_page_url(link, deps.coder_url) if find_ending(link) == "gone" else ""
    message = shapes.close_question(place.message, work.words, dead=dead)
    try:
        is_line = place.kind in ("paused", "resumed")
        priority = choose_line_priority(deps, context, link) if is_line else Priority.POST
        await deps.slack.update(link.record.channel, place.ts, message, meta, priority)
    except (ChannelProblem, MessageGone):
        return done(batch)
    return done(batch)
