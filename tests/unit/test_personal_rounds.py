"""How the polls of many accounts are spread over one interval."""

import pytest

from taskwire.domain.ids import UserId
from taskwire.polling.personal_poller import split_round


@pytest.mark.parametrize(
    ("people", "interval", "parts", "largest"),
    [(0, 5.0, 0, 0), (1, 5.0, 1, 1), (10, 5.0, 10, 1), (1_000, 5.0, 25, 40), (1_000, 0.2, 1, 1_000)],
)
def test_a_round_is_split_into_parts_of_equal_size(
    people: int, interval: float, parts: int, largest: int
) -> None:
    """The accounts are split into as many parts as the interval has room for. Each account is in exactly one
    part."""
    names = [UserId(f"U{number}") for number in range(people)]

    split = split_round(names, interval)

    assert len(split) == parts
    assert max(map(len, split), default=0) == largest
    assert [name for part in split for name in part] == names
