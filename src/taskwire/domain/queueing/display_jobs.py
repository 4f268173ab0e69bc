"""The work of jobs that show how a task stands: its card, receipts, and what its agent writes live.

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

    `shown` is a digest of what the message shows, and `lines` are the agent's lines in it.
    """

    kind: Literal["show_live"] = "show_live"
    ts: Ts
    message_id: Readable
    until_ms: int
    shown: str = ""
    lines: str = ""


class ShowSession(Work):
    """Let Slack's agent surface show whether the agent works (queue `session`).

    Slack forgets a status after an hour. `repeats` is the link's `session` that is to be shown again; empty
    if the status may have changed.
    """

    kind: Literal["show_session"] = "show_session"
    repeats: str = ""


class DrawCard(Work):
    """Edit the card so that it shows the present state (queue `card`).

    `menu_used` is when a person chose an entry of its menu, if one did.
    """

    kind: Literal["draw_card"] = "draw_card"
    menu_used: Ts | None = None


class Receipt(Work):
    """Show the state of a reply as a reaction (queue `receipts`).

    `stray_reaction` is set if a stopped process may have added that reaction late. Then the job removes it
    and keeps the stored reaction. `state` has no meaning in such a job.
    """

    kind: Literal["receipt"] = "receipt"
    ts: Ts
    state: ReceiptState
    stray_reaction: Readable | None = None
