"""The work of jobs that show the state of a task: its card, its receipts, and the agent's live output.

`jobs.py` has the work that changes something.
"""

from typing import Literal

from taskwire.domain.ids import Ts
from taskwire.domain.queueing.work import Work
from taskwire.domain.sealed_model import Readable

# The id of the job that first edits a new card.
FIRST_DRAW_JOB_ID = "card:first"
ReceiptState = Literal["taken", "waiting", "delivered", "failed", "acknowledged", "none"]


class StartFollowing(Work):
    """Post the message that shows what the agent writes, until `until_ms` (queue `to_thread`)."""

    kind: Literal["start_following"] = "start_following"
    until_ms: int


class ShowLive(Work):
    """Edit the message at `ts` so that it shows what the agent writes now (queue `live`).

    `shown` is a digest of the message's present text, and `lines` are the agent's lines in that text.
    """

    kind: Literal["show_live"] = "show_live"
    ts: Ts
    message_id: Readable
    until_ms: int
    shown: str = ""
    lines: str = ""


class ShowSession(Work):
    """Let Slack's agent surface show whether the agent works (queue `session`).

    Slack forgets a status after an hour, so some jobs show the same status again. `repeats` is the status
    that such a job repeats, in the form in which the link stores it in `session`. It is empty for all other
    jobs.
    """

    kind: Literal["show_session"] = "show_session"
    repeats: str = ""


class DrawCard(Work):
    """Edit the card so that it shows the present state (queue `card`).

    `menu_used` is when a person chose an entry of the card's menu; None if nobody did.
    """

    kind: Literal["draw_card"] = "draw_card"
    menu_used: Ts | None = None


class Receipt(Work):
    """Show the state of a reply as a reaction (queue `receipts`).

    `stray_reaction` is a reaction that a frozen process may have added late, after a newer state was shown.
    If it is set, the job removes that reaction and shows the stored reaction again. It then ignores `state`.
    """

    kind: Literal["receipt"] = "receipt"
    ts: Ts
    state: ReceiptState
    stray_reaction: Readable | None = None
