"""Appends jobs that many features need.

These jobs post a message, share a file, set a receipt, update a card, or read a thread. A receipt is the
emoji at a reply that says what became of the reply. Each function adds its job to the given batch, or to a
new batch, and returns the batch.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from taskwire.domain.ids import ChannelId, LinkId, Ts, microseconds
from taskwire.domain.lifecycle.events import Delivered
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.display_jobs import FIRST_DRAW_JOB_ID, DrawCard, Receipt, ReceiptState
from taskwire.domain.queueing.jobs import ApplyEvent, Job, PostText, Reply, ShareFile
from taskwire.domain.queueing.maintenance import ReadThread
from taskwire.domain.queueing.queues import (
    BACKFILL_THREADS,
    backfill_score,
    card,
    receipts,
    to_thread,
)
from taskwire.domain.text.message import Message
from taskwire.messages import inputs
from taskwire.queue.batch import Batch
from taskwire.state.link_writes import LinkWrites


def say(
    link: LinkId,
    name: str,
    message: Message,
    batch: Batch | None = None,
    *,
    is_call: bool = False,
    message_kind: Literal["answer", "output"] = "answer",
    question_id: str = "",
) -> Batch:
    """Append a job that posts a message in the link's thread. `name` is the job's id.

    `is_call` is true if the message asks a question, or says that a request was not carried out. Such a
    message is posted before other messages. `message_kind` is `output` for an agent's output. `question_id`
    is the question's id if the message has buttons, and otherwise empty.
    """
    work = PostText(message=message, is_call=is_call, message_kind=message_kind, question_id=question_id)
    return (batch or Batch()).append(to_thread(link), Job(id=name, work=work))


def show_receipt(link: LinkId, ts: Ts, state: ReceiptState, batch: Batch | None = None) -> Batch:
    """Append a job that sets the receipt of a reply. A job with a newer state replaces the waiting job."""
    job = Job(id=f"receipt:{ts}", work=Receipt(ts=ts, state=state))
    return (batch or Batch()).append(receipts(link), job, score="due", is_newest=True)


def record_delivery(
    writes: LinkWrites, link: Link, reply: Reply, reported_at: datetime | None, batch: Batch | None = None
) -> Batch:
    """Record that the agent has received a reply.

    `reported_at` is the time of the latest report that the agent had made before it received the reply; None
    if there was none.
    """
    ts = reply.ts
    batch = writes.mark_delivered(show_receipt(link.id, ts, "delivered", batch), link.id, ts)
    event = Delivered(last_report_at=reported_at, person=reply.person, author_name=reply.author_name)
    batch.append(to_thread(link.id), Job(id=f"delivered:{ts}", work=ApplyEvent(event=event)))
    last = link.last_input_ts
    if last is None or microseconds(ts) > microseconds(last):
        writes.set_field(batch, link.id, "last_input", ts)
    return batch


def draw_first_card(link: LinkId, batch: Batch | None = None) -> Batch:
    """Append the first update of a new card, when the task was created or could not be created.

    The job runs before all other updates of this card.
    """
    return (batch or Batch()).append(card(link), Job(id=FIRST_DRAW_JOB_ID, work=DrawCard()), score=0)


def draw(link: LinkId, batch: Batch | None = None, *, is_newest: bool = True) -> Batch:
    """Append a job that updates the card in place.

    If `is_newest`, the job replaces an update of the card that still waits. Otherwise, append nothing if an
    update of the card already waits or runs.
    """
    job = Job(id="card", work=DrawCard())
    return (batch or Batch()).append(card(link), job, score="due", is_newest=is_newest)


def reset_menu(link: LinkId, used_at: Ts, batch: Batch) -> Batch:
    """Append a job that draws the card with no choice in its menu.

    Slack reports only a changed choice. So without this job, a person could not make the same choice twice in
    a row. `used_at` is when the person used the menu.
    """
    return batch.append(card(link), _make_menu_job(used_at), score="due", is_newest=True)


def reset_menu_later(link: LinkId, used_at: Ts, delay_ms: int, batch: Batch) -> Batch:
    """Like `reset_menu`, but draw the card after `delay_ms`, and only once for all choices until then."""
    return batch.append(card(link), _make_menu_job(used_at), score="due", delay_ms=delay_ms)


def _make_menu_job(used_at: Ts) -> Job:
    return Job(id="menu", work=DrawCard(menu_used=used_at))


def request_reading(link: LinkId, news: Ts, batch: Batch | None = None) -> Batch:
    """Append a job that reads a thread for missed messages.

    `news` is the ts of the thread's latest message. Threads with later messages are read first.
    """
    job = Job(id=link, work=ReadThread(link=link))
    return (batch or Batch()).redo(BACKFILL_THREADS, job, score=backfill_score(news))


def share_log(link: Link, name: str, text: str, batch: Batch) -> Batch:
    """Append a job that shares the end of a task's log as a file in the task's thread."""
    file = (f"{link.record.name or 'task'}.log", f"Log of {link.title}", text)
    return _share_file(link, name, file, (link.record.channel, link.record.thread_ts), batch)


def share_answer(link: Link, name: str, answer: str, batch: Batch) -> Batch:
    """Append a job that shares an agent's whole answer as a file in the task's thread."""
    file = (f"{link.record.name or 'task'}.md", f"Answer: {link.title}", answer)
    return _share_file(link, name, file, (link.record.channel, link.record.thread_ts), batch)


def say_with_file(link: Link, name: str, message: Message, texts: Sequence[str], batch: Batch) -> Batch:
    """Append a job that posts a message with people's replies, whose whole texts are `texts`.

    If a text is too long for a message, also append a job that shares the texts as a file.
    """
    say(link.id, name, message, batch)
    whole = inputs.join_for_file(texts)
    file, place = (
        ("replies.txt", f"Replies to {link.title}", whole),
        (link.record.channel, link.record.thread_ts),
    )
    return _share_file(link, name, file, place, batch) if whole else batch


def _share_file(
    link: Link, name: str, file: tuple[str, str, str], place: tuple[ChannelId, Ts | None], batch: Batch
) -> Batch:
    file_name, title, text = file
    work = ShareFile(channel=place[0], thread_ts=place[1], name=file_name, title=title, text=text)
    return batch.append(to_thread(link.id), Job(id=f"file:{name}", work=work))
