"""What many parts of the story write down: a sentence for the thread, a receipt, a fresh card."""

from taskwire.model.ids import LinkId, Ts
from taskwire.model.jobs import DrawCard, Job, Receipt, ReceiptState, Say, show, tell
from taskwire.model.messages import Message
from taskwire.store.steps import Step


def say(link: LinkId, name: str, message: Message, step: Step | None = None) -> Step:
    """Say something in the link's thread; `name` is what makes it one message however often it is tried."""
    return (step or Step()).append(tell(link), Job(id=name, work=Say(message=message)))


def receipt(link: LinkId, ts: Ts, state: ReceiptState, step: Step | None = None) -> Step:
    """Let a reply's reaction show this state; only the newest counts."""
    job = Job(id=f"receipt:{ts}", work=Receipt(ts=ts, state=state))
    return (step or Step()).append(show(link), job, score="due", is_newest=True)


def draw(link: LinkId, step: Step | None = None) -> Step:
    """Bring the card up to date."""
    job = Job(id="card", work=DrawCard())
    return (step or Step()).append(show(link), job, score="due", is_newest=True)
