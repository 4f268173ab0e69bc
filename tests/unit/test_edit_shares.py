"""Of one owner's cards, some edits a minute come in their usual order, and the others after other cards."""

from taskwire.slack.edit_shares import EDIT_WINDOW_MS, EditShares


def test_the_edits_beyond_the_limit_are_late_until_a_minute_has_passed() -> None:
    shares = EditShares()

    first = [shares.is_late("alice", f"edit {number}", 3, 1_000 * number) for number in range(5)]
    later = shares.is_late("alice", "another", 3, EDIT_WINDOW_MS)

    assert first == [False, False, False, True, True]
    assert not later


def test_an_edit_that_asks_again_is_counted_once() -> None:
    shares = EditShares()

    asked = [shares.is_late("alice", edit, 2, 0) for edit in ("a", "a", "a", "b", "c", "c", "a")]

    assert asked == [False, False, False, False, True, True, False]


def test_an_edit_that_has_waited_for_a_minute_counts_anew() -> None:
    shares = EditShares()
    for edit in ("a", "b"):
        shares.is_late("alice", edit, 1, 0)

    assert shares.is_late("alice", "b", 1, EDIT_WINDOW_MS - 1)
    assert not shares.is_late("alice", "b", 1, EDIT_WINDOW_MS)


def test_owners_and_limits_are_counted_apart() -> None:
    shares = EditShares()

    asked = [
        shares.is_late(owner, f"{owner} {most}", most, 0) for owner in ("alice", "bob") for most in (1, 2)
    ]

    assert asked == [False] * 4
