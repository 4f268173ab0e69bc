"""Decides which edits wait behind other people's, because one owner's cards and threads have had many.

Slack lets the bot edit 45 messages a minute, for all people together. A person who types verbs in the threads
of many tasks, or whose agents change without end, would use them all up. So of the cards of one owner, and of
the lines about pauses in their threads, only so many edits a minute come in their usual order. The next edits
are made when no other card waits. No verb is refused or delayed by this.

Each process counts for itself.
"""

from dataclasses import dataclass, field

# Each limit applies to every span of time of this length.
EDIT_WINDOW_MS = 60_000
# How many edits of one owner's cards a minute come in their usual order: of edits that show that a person's
# act was received, and of edits that show a new state; and how many edits of lines about pauses.
MAX_ACT_EDITS, MAX_STATE_EDITS, MAX_LINE_EDITS = 5, 10, 6


@dataclass
class _Share:
    # When each edit was first asked for. An edit that waits asks again and again.
    in_order: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)

    def forget(self, now_ms: int) -> None:
        for edits in (self.in_order, self.late):
            for edit in [each for each, at in edits.items() if now_ms - at >= EDIT_WINDOW_MS]:
                del edits[edit]


class EditShares:
    """The edits of cards in the last minute, by owner."""

    def __init__(self) -> None:
        self._shares: dict[tuple[str, int], _Share] = {}

    def is_late(self, owner: str, edit: str, most: int, now_ms: int) -> bool:
        """Return whether an edit of an owner's card has to wait behind other cards.

        `edit` names the edit, also when it asks again. After a minute of waiting, it counts as a new edit.
        """
        self._forget(now_ms)
        share = self._shares.setdefault((owner, most), _Share())
        if edit not in share.in_order and edit not in share.late:
            (share.late if len(share.in_order) >= most else share.in_order)[edit] = now_ms
        return edit in share.late

    def _forget(self, now_ms: int) -> None:
        for share in self._shares.values():
            share.forget(now_ms)
        self._shares = {key: share for key, share in self._shares.items() if share.in_order or share.late}
