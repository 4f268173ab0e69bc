"""Counts acts that need no right, so that nobody pushes the acts of others out of the audit trail.

Ten refused acts of one person a minute leave an entry, and ten of the acts that everybody may do. Further
ones are in the log alone. Each process counts for itself and in its memory: a count in Redis could be changed
there, so that acts would leave no entry.
"""

from taskwire.domain.audit import AuditEntry

# Of the refused acts of one person, this many leave an entry in each span of time of this length. As many of
# the person's other acts that need no right leave an entry.
MAX_ENTERED, ENTERED_WINDOW_MS = 10, 60_000
# How many people are remembered. If there are more, those who acted longest ago are forgotten.
MAX_REMEMBERED_PEOPLE = 10_000
# What everybody who can see a task may do, in each thread, and what they may do for themselves. All other
# acts need a right, or have a limit for all threads together.
_VERBS_OF_EVERYBODY = frozenset({"watch", "unwatch", "show", "ask_owner", "own_settings"})


class EnteredActs:
    """The acts of the last minute that needed no right and left an entry."""

    def __init__(self) -> None:
        self._refused = _ActsOfPeople()
        self._done = _ActsOfPeople()

    def may_enter(self, entry: AuditEntry, now_ms: int) -> bool:
        """Count an act, and return whether it leaves an entry. A second try of an act counts once."""
        if entry.outcome == "refused":
            return self._refused.may_enter(entry.person, entry.reference, now_ms)
        if entry.verb in _VERBS_OF_EVERYBODY:
            return self._done.may_enter(entry.person, entry.reference, now_ms)
        return True


class _ActsOfPeople:
    """Acts of one kind."""

    def __init__(self) -> None:
        # The time of each act, by its reference, by person.
        self._times: dict[str, dict[str, int]] = {}

    def may_enter(self, person: str, reference: str, now_ms: int) -> bool:
        known = self._times.pop(person, {})
        known = {act: at for act, at in known.items() if at > now_ms - ENTERED_WINDOW_MS}
        if may_enter := reference in known or len(known) < MAX_ENTERED:
            known.setdefault(reference, now_ms)
        self._times[person] = known
        if len(self._times) > MAX_REMEMBERED_PEOPLE:
            del self._times[next(iter(self._times))]
        return may_enter
