"""What many parts of the story write down: a sentence for the thread, a file, a receipt, a card."""

from collections.abc import Sequence
from datetime import datetime

from taskwire.model.changes import Delivered
from taskwire.model.ids import LinkId, Ts, microseconds
from taskwire.model.jobs import (
    DrawCard,
    Happened,
    Job,
    Receipt,
    ReceiptState,
    Say,
    ShareFile,
    card,
    show,
    tell,
)
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.store.links import LinkSteps
from taskwire.store.steps import Step
from taskwire.words import inputs


def say(
    link: LinkId,
    name: str,
    message: Message,
    step: Step | None = None,
    *,
    is_call: bool = False,
    about: str = "",
) -> Step:
    """Say something in the link's thread; `name` is what makes it one message however often it is tried.

    `is_call`: it is a question, or tells somebody that what they wanted did not happen; `about` is the job of
    the reply that its buttons are about.
    """
    work = Say(message=message, is_call=is_call, about=about)
    return (step or Step()).append(tell(link), Job(id=name, work=work))


def receipt(link: LinkId, ts: Ts, state: ReceiptState, step: Step | None = None) -> Step:
    """Let a reply's reaction show this state; only the newest counts."""
    job = Job(id=f"receipt:{ts}", work=Receipt(ts=ts, state=state))
    return (step or Step()).append(show(link), job, score="due", is_newest=True)


def took_input(
    writes: LinkSteps, link: Link, ts: Ts, reported_at: datetime | None, step: Step | None = None
) -> Step:
    """Note that the agent has a reply, with which a turn begins; it last reported at `reported_at`."""
    step = writes.delivered(receipt(link.id, ts, "delivered", step), link.id, ts)
    event = Delivered(last_report_at=reported_at)
    step.append(tell(link.id), Job(id=f"delivered:{ts}", work=Happened(event=event)))
    last = link.last_input_ts
    if last is None or microseconds(ts) > microseconds(last):
        writes.field(step, link.id, "last_input", ts)
    return step


def draw(link: LinkId, step: Step | None = None, *, is_news: bool = True) -> Step:
    """Bring the card up to date; without news a drawing that is under way or waits is left as it is."""
    job = Job(id="card", work=DrawCard())
    return (step or Step()).append(card(link), job, score="due", is_newest=is_news)


def share(link: Link, name: str, text: str, step: Step) -> Step:
    """Put a task's whole log into its thread, as a file."""
    return _file(link, name, (f"{link.bond.name or 'task'}.log", f"Log of {link.title}", text), step)


def say_with(link: Link, name: str, message: Message, texts: Sequence[str], step: Step) -> Step:
    """Say something that shows these texts of people's, with a file of them if a message cannot hold them."""
    say(link.id, name, message, step)
    whole = inputs.whole(texts)
    return _file(link, name, ("replies.txt", f"Replies to {link.title}", whole), step) if whole else step


def _file(link: Link, name: str, file: tuple[str, str, str], step: Step) -> Step:
    file_name, title, text = file
    place = (link.bond.channel, link.bond.thread_ts)
    work = ShareFile(channel=place[0], thread_ts=place[1], name=file_name, title=title, text=text)
    return step.append(tell(link.id), Job(id=f"file:{name}", work=work))
