"""Ten refused acts of one person a minute leave an entry of the audit trail."""

from taskwire.state.refused_acts import ENTERED_WINDOW_MS, MAX_ENTERED, MAX_REMEMBERED_PEOPLE, RefusedActs


def test_a_person_leaves_so_many_entries_a_minute() -> None:
    """Acts are counted for each person, and a second try of an act counts once."""
    acts = RefusedActs()
    for number in range(MAX_ENTERED):
        assert acts.may_enter("bob", f"r{number}", number)
        assert acts.may_enter("bob", f"r{number}", number)

    assert not acts.may_enter("bob", "one more", MAX_ENTERED)
    assert acts.may_enter("alice", "one more", MAX_ENTERED)
    assert acts.may_enter("bob", "one more", ENTERED_WINDOW_MS)
    assert not acts.may_enter("bob", "two more", ENTERED_WINDOW_MS)


def test_not_everybody_is_remembered() -> None:
    """The count of the person who was refused longest ago is given up."""
    acts = RefusedActs()
    for number in range(MAX_ENTERED):
        acts.may_enter("bob", f"r{number}", 0)
    for number in range(MAX_REMEMBERED_PEOPLE):
        acts.may_enter(f"person {number}", "r", 0)

    assert acts.may_enter("bob", "one more", 0)
