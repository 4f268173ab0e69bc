"""Ten refused acts of one person a minute leave an entry, and ten acts that everybody may do."""

from collections.abc import Callable

import pytest

from taskwire.domain.audit import AuditEntry
from taskwire.state.entered_acts import ENTERED_WINDOW_MS, MAX_ENTERED, MAX_REMEMBERED_PEOPLE, EnteredActs

MakeEntry = Callable[[str, str], AuditEntry]


def refused(person: str, reference: str) -> AuditEntry:
    """Return the entry of a refused act."""
    return AuditEntry(person=person, verb="stop", outcome="refused", reference=reference)


def watched(person: str, reference: str) -> AuditEntry:
    """Return the entry of a person who watches a task."""
    return AuditEntry(person=person, verb="watch", outcome="done", reference=reference)


@pytest.mark.parametrize(("act", "other"), [(refused, watched), (watched, refused)])
def test_a_person_leaves_so_many_entries_a_minute(act: MakeEntry, other: MakeEntry) -> None:
    """Acts are counted for each person, and a second try of an act counts once. Refused acts and others are
    counted separately. An act that needs a right is always entered."""
    acts = EnteredActs()
    for number in range(MAX_ENTERED):
        assert acts.may_enter(act("bob", f"r{number}"), number)
        assert acts.may_enter(act("bob", f"r{number}"), number)

    assert not acts.may_enter(act("bob", "one more"), MAX_ENTERED)
    assert acts.may_enter(other("bob", "one more"), MAX_ENTERED)
    assert acts.may_enter(act("alice", "one more"), MAX_ENTERED)
    stop = AuditEntry(person="bob", verb="stop", outcome="done", reference="a stop")
    assert acts.may_enter(stop, MAX_ENTERED)
    assert acts.may_enter(act("bob", "one more"), ENTERED_WINDOW_MS)
    assert not acts.may_enter(act("bob", "two more"), ENTERED_WINDOW_MS)


def test_not_everybody_is_remembered() -> None:
    """The count of the person who acted longest ago is given up."""
    acts = EnteredActs()
    for number in range(MAX_ENTERED):
        acts.may_enter(refused("bob", f"r{number}"), 0)
    for number in range(MAX_REMEMBERED_PEOPLE):
        acts.may_enter(refused(f"person {number}", "r"), 0)

    assert acts.may_enter(refused("bob", "one more"), 0)
