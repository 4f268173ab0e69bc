"""Appends jobs that many features need: a message, a file, a receipt, a card, a thread to read."""

from collections.abc import Sequence
from datetime import datetime

from taskwire.domain.ids import ChannelId, LinkId, Ts, microseconds
from taskwire.domain.jobs import (
    BACKFILL_THREADS,
    FIRST_DRAWING,
    ApplyEvent,
    DrawCard,
    Job,
    PostText,
    ReadThread,
    Receipt,
    ReceiptState,
    ShareFile,
    card,
    newest_first,
    receipts,
    to_thread,
)
from taskwire.domain.links import Link
from taskwire.domain.message import Message
from taskwire.domain.transitions import Delivered
from taskwire.messages import inputs
from taskwire.queue.batch import Batch
from taskwire.state.links import LinkWrites


def say(
    link: LinkId,
    name: str,
    message: Message,
    batch: Batch | None = None,
    *,
    is_call: bool = False,
    about: str = "",
) -> Batch:
    """Say something in the link's thread, once for each `name`.

    `is_call`: the message asks something, or says that a request was not carried out. `about` is the job of
    the reply that its buttons are about.
    """
    work = PostText(message=message, is_call=is_call, about=about)
    return (batch or Batch()).append(to_thread(link), Job(id=name, work=work))


def show_receipt(link: LinkId, ts: Ts, state: ReceiptState, batch: Batch | None = None) -> Batch:
    """Let a reply's reaction show this state. Only the newest state counts."""
    job = Job(id=f"receipt:{ts}", work=Receipt(ts=ts, state=state))
    return (batch or Batch()).append(receipts(link), job, score="due", is_newest=True)


def record_delivery(
    writes: LinkWrites, link: Link, ts: Ts, reported_at: datetime | None, batch: Batch | None = None
) -> Batch:
    """Note that the agent has a reply. The agent had last reported at `reported_at`."""
    batch = writes.delivered(show_receipt(link.id, ts, "delivered", batch), link.id, ts)
    event = Delivered(last_report_at=reported_at)
    batch.append(to_thread(link.id), Job(id=f"delivered:{ts}", work=ApplyEvent(event=event)))
    last = link.last_input_ts
    if last is None or microseconds(ts) > microseconds(last):
        writes.field(batch, link.id, "last_input", ts)
    return batch


def draw_first_card(link: LinkId, batch: Batch | None = None) -> Batch:
    """Draw a new card with its task, or with its end. This goes ahead of other cards."""
    return (batch or Batch()).append(card(link), Job(id=FIRST_DRAWING, work=DrawCard()), score=0)


def draw(link: LinkId, batch: Batch | None = None, *, is_newest: bool = True) -> Batch:
    """Draw the card. Without news, a drawing that is under way or waits is not replaced."""
    job = Job(id="card", work=DrawCard())
    return (batch or Batch()).append(card(link), job, score="due", is_newest=is_newest)


def request_reading(link: LinkId, news: Ts, batch: Batch | None = None) -> Batch:
    """Have a thread read for missed messages. Threads with the latest news go first."""
    job = Job(id=link, work=ReadThread(link=link))
    return (batch or Batch()).redo(BACKFILL_THREADS, job, score=newest_first(news))


def share_log(link: Link, name: str, text: str, batch: Batch, direct: ChannelId | None = None) -> Batch:
    """Put a task's whole log into its thread, or into a person's `direct` messages, as a file."""
    file = (f"{link.record.name or 'task'}.log", f"Log of {link.title}", text)
    place = (direct, None) if direct else (link.record.channel, link.record.thread_ts)
    return _share_file(link, name, file, place, batch)


def say_with_file(link: Link, name: str, message: Message, texts: Sequence[str], batch: Batch) -> Batch:
    """Say something that shows people's texts, with a file of them if a message cannot hold them."""
    say(link.id, name, message, batch)
    whole = inputs.whole(texts)
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
