"""What this process knows of the newest seal of the audit trail, apart from Redis.

A person who can write to Redis can put an older trail back, with the seal that it had. That seal is valid, so
Redis alone cannot show that it is old. But each process remembers the newest seal that it has written or
read, and logs it. So a trail that goes back is noticed at once as long as one process runs; afterwards, an
operator compares the log with the trail (`taskwire audit --expect`).
"""

from collections.abc import Callable
from typing import Literal

from taskwire.domain.durations import HOUR_MS
from taskwire.queue.data_loss_detector import DataLoss
from taskwire.state.audit_chain import AuditRow, AuditSeal, BrokenChain, LostEntries
from taskwire.telemetry import logger

# How long a process waits to learn whether Redis itself has gone back, before it calls a trail changed.
JUDGE_AFTER_MS = 9_000
# The clocks of Redis and of a process differ by less than this.
CLOCK_TOLERANCE_MS = 60_000
# The newest losses that a seal names.
MAX_LOSSES = 20
REMOVED = "it and what follows was removed, with its seal"
REPLACED = "it is not the one that was sealed"
# Whether the trail has an entry that an operator expects.
Comparison = Literal["there", "trimmed", "missing"]
_log = logger("taskwire.state.audit")


class SealMemory:
    """The newest seal that this process has written or read."""

    def __init__(self, find_data_loss: Callable[[], DataLoss | None]) -> None:
        self._find_data_loss = find_data_loss
        self.seal = AuditSeal()
        # When this process has last read or written a seal that follows its earlier ones; 0 if it never has.
        self.seen_ms = 0
        self._older_since_ms = 0
        self._logged_ms = 0

    def note(self, seal: AuditSeal, now_ms: int) -> bool:
        """Remember a seal. Log it if it is new, and every hour. Return whether it was logged."""
        is_new = not self.seen_ms or (seal.number, seal.hash) != (self.seal.number, self.seal.hash)
        self.seal, self.seen_ms, self._older_since_ms = seal, now_ms, 0
        if is_logged := is_new or now_ms - self._logged_ms > HOUR_MS:
            _log.info("audit trail sealed", number=seal.number, hash=seal.hash, trimmed=seal.trimmed)
            self._logged_ms = now_ms
        return is_logged

    def is_followed_by(self, seal: AuditSeal | None, row: AuditRow | None) -> bool:
        """Return whether a trail still has what this process knows to be sealed.

        `seal` is the seal of that trail, and None if it has none. `row` is its row with the id of the last
        entry that this process knows to be sealed, and None if there is no such row.
        """
        if seal is None:
            return not self.seen_ms
        if self.seal.number <= seal.trimmed:
            return True
        return self.seal.number <= seal.number and row is not None and row.hash == self.seal.hash

    def judge(self, seal: AuditSeal, now_ms: int) -> AuditSeal | None:
        """Return the seal to go on with, after a trail with the present `seal` does not follow what is known.

        If Redis has lost writes, the new seal says so. Otherwise, the trail was changed, and the new seal
        says that. Return None as long as this process may still learn of a data loss.
        """
        known, earliest_ms = self.seal, self.seen_ms - CLOCK_TOLERANCE_MS
        if seal.broken is not None or (seal.lost and seal.lost[-1].at_ms >= earliest_ms):
            # Another process has judged already.
            return seal
        loss = self._find_data_loss()
        if loss is not None and loss.at_ms >= earliest_ms:
            _log.warning(
                "newest entries of the audit trail lost, the others checked and sealed again",
                to=seal.number,
                was=known.number,
                was_hash=known.hash,
            )
            lost = (*seal.lost, LostEntries(loss.at_ms, known.number, known.hash))
            return seal.model_copy(update={"lost": lost[-MAX_LOSSES:]})
        self._older_since_ms = self._older_since_ms or now_ms
        if now_ms - self._older_since_ms < JUDGE_AFTER_MS:
            return None
        is_shorter = seal.number < known.number
        broken = BrokenChain(seal.number + 1, REMOVED) if is_shorter else BrokenChain(known.number, REPLACED)
        return seal.model_copy(update={"broken": broken})


def compare(number: int, chain_hash: str, seal: AuditSeal, row: AuditRow | None) -> Comparison:
    """Return whether a trail has an entry that an operator expects, or has trimmed it since.

    `row` is the trail's entry with this number.
    """
    if row is not None:
        return "there" if row.hash == chain_hash else "missing"
    if number == seal.trimmed:
        return "there" if seal.trimmed_hash == chain_hash else "missing"
    return "trimmed" if number < seal.trimmed else "missing"
