"""The time until which a person snoozes a reminder, in the person's time zone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.lifecycle.overdue import find_next_morning
from taskwire.domain.person_settings import make_zone

BERLIN, TOKYO = make_zone("Europe/Berlin", 3600), make_zone("Asia/Tokyo", 32_400)
ZONES = st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "UTC"])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@pytest.mark.parametrize(
    ("zone", "now", "until"),
    [
        (BERLIN, "2026-05-01 14:00", "2026-05-02 07:00"),
        (TOKYO, "2026-05-01 14:00", "2026-05-02 00:00"),
        # For a person who is awake at 02:00, "the morning" is the morning of the same day.
        (BERLIN, "2026-05-01 00:00", "2026-05-01 07:00"),
        # In the night to the last Sunday of March, summer time begins; in October it ends.
        (BERLIN, "2026-03-28 14:00", "2026-03-29 07:00"),
        (BERLIN, "2026-03-29 00:30", "2026-03-29 07:00"),
        (BERLIN, "2026-10-24 14:00", "2026-10-25 08:00"),
        (BERLIN, "2026-10-25 00:30", "2026-10-25 08:00"),
        # For an unknown time zone, the present offset is used.
        (make_zone("Nowhere/Land", -7200), "2026-05-01 14:00", "2026-05-02 11:00"),
    ],
)
def test_the_morning_is_at_nine_by_the_persons_clock(zone: object, now: str, until: str) -> None:
    """A reminder is snoozed until nine in the morning in the person's time zone, even if summer time begins
    or ends in the night before."""
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)

    found = find_next_morning(moment, zone)  # type: ignore[arg-type] # a table of zones

    assert found == datetime.fromisoformat(until).replace(tzinfo=UTC)


@settings(deadline=None)
@given(MOMENTS, ZONES)
def test_the_morning_is_the_next_one_after_some_sleep(now: datetime, name: str) -> None:
    """The morning to which a reminder is snoozed is between four and 28 hours away. If summer time begins or
    ends meanwhile, these limits are an hour wider."""
    zone = make_zone(name, 0)

    found = find_next_morning(now, zone)

    assert (found.astimezone(zone).hour, found.astimezone(zone).minute) == (9, 0)
    assert timedelta(hours=3) <= found - now <= timedelta(hours=29)
