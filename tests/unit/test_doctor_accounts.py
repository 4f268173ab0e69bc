"""What `taskwire doctor` says about the Coder accounts that people have connected, and when they end."""

import pytest

from taskwire.doctor.findings import judge_accounts
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import UserId, from_ms
from taskwire.state.accounts import ConnectedAccount

NOW_MS = 1_000 * DAY_MS


def account(*, is_refused: bool = False, days_left: int = 0) -> ConnectedAccount:
    """Return a connected account whose token expires after `days_left` days, or never if `days_left` is 0.
    With `is_refused`, Coder has refused the token."""
    return ConnectedAccount(
        person=UserId("U1"),
        user_id="u1",
        username="alice",
        token="id-secret",
        job="j1",
        expires_at_ms=NOW_MS + days_left * DAY_MS if days_left else 0,
        is_refused=is_refused,
    )


@pytest.mark.parametrize(
    ("accounts", "state", "says"),
    [
        ([], "note", "Nobody has connected a Coder account yet."),
        ([account()], "ok", "1 person has connected a Coder account."),
        (
            [account(days_left=1), account(days_left=5), account(is_refused=True, days_left=1)],
            "note",
            "3 people have connected Coder accounts. Coder refuses 1 of their tokens; they were "
            "asked to connect again. 1 of their tokens end within two days; they are renewed where Coder "
            "allows it.",
        ),
    ],
)
def test_the_doctor_counts_accounts(accounts: list[ConnectedAccount], state: str, says: str) -> None:
    """Doctor counts the accounts and names no person."""
    found = judge_accounts(accounts, NOW_MS, are_needed=True)

    assert (found.state, found.says) == (state, says)


@pytest.mark.parametrize(("days_left", "is_told"), [(0, False), (30, True), (36_500, False)])
def test_a_person_hears_only_of_an_end_within_a_year(days_left: int, is_told: bool) -> None:
    """Coder may let a token live for a hundred years. Nobody has to know such a date."""
    ends = account(days_left=days_left).find_near_end(from_ms(NOW_MS))

    assert (ends is not None) == is_told
