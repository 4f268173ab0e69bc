"""How the bot notices, from a link's stored times, that Slack's clock and ours differ."""

import pytest

from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId
from taskwire.domain.lifecycle.links import LinkRecord


@pytest.mark.parametrize(
    ("card", "is_other"),
    [(None, False), ("1790000001.000100", False), ("1789999990.000100", False), ("1700000000.000100", True)],
)
def test_a_card_older_than_its_asking_was_posted_by_another_clock(card: str | None, is_other: bool) -> None:
    """If Slack's time of the card is long before the time at which the link was made, our clock and Slack's
    differ. A difference of some seconds does not count. A link without a card (None) shows no difference."""
    record = LinkRecord(
        id=LinkId("one"),
        channel=ChannelId("C1"),
        made_at=Ts("1790000000.000000"),
        requested_by=UserId("U1"),
        thread_ts=Ts(card) if card else None,
    )

    assert record.has_other_clock is is_other
