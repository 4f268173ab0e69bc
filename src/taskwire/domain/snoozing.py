"""Finds the morning until which something is snoozed, in a person's time zone."""

from datetime import datetime, timedelta

MORNING_HOUR = 9
# A person who is awake before this hour means the morning of the same day.
NIGHT_ENDS_HOUR = 5


def find_next_morning(now: datetime, utc_offset: timedelta) -> datetime:
    """Return the next morning by the clock of a person whose time is ahead of UTC by `utc_offset`."""
    local = now + utc_offset
    morning = local.replace(hour=MORNING_HOUR, minute=0, second=0, microsecond=0)
    if local.hour >= NIGHT_ENDS_HOUR:
        morning += timedelta(days=1)
    return morning - utc_offset
