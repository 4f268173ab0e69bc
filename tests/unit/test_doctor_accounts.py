"""What `taskwire doctor` says about the Coder accounts that people have connected."""

import pytest

from taskwire.doctor.findings import judge_accounts
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import UserId
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
