"""Counts each person's refused acts, so that nobody pushes the acts of others out of the audit trail.

Ten refused acts of one person a minute leave an entry. Further ones are in the log alone. Each process counts
for itself and in its memory: a count in Redis could be changed there, so that acts would leave no entry.
"""

# Of the refused acts of one person, this many leave an entry in each span of time of this length.
MAX_ENTERED, ENTERED_WINDOW_MS = 10, 60_000
# How many people are remembered. If there are more, those who were refused longest ago are forgotten.
MAX_REMEMBERED_PEOPLE = 10_000


class RefusedActs:
    """The refused acts of the last minute that left an entry."""

    def __init__(self) -> None:
        # The time of each act, by its reference, by person.
        self._times: dict[str, dict[str, int]] = {}

    def may_enter(self, person: str, reference: str, now_ms: int) -> bool:
        """Count a refused act, and return whether it leaves an entry. A second try of an act counts once."""
        known = self._times.pop(person, {})
        known = {act: at for act, at in known.items() if at > now_ms - ENTERED_WINDOW_MS}
        if may_enter := reference in known or len(known) < MAX_ENTERED:
            known.setdefault(reference, now_ms)
        self._times[person] = known
        if len(self._times) > MAX_REMEMBERED_PEOPLE:
            del self._times[next(iter(self._times))]
        return may_enter
