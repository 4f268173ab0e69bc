"""How a person wants to be called about notices: when, and by a mention or by a direct message."""

from collections.abc import Collection
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import ConfigDict

from taskwire.domain.ids import UserId
from taskwire.domain.sealed_model import SealedModel

# Where a person is called: by a mention in the thread, by a direct message, by both, or not at all.
CallPlace = Literal["thread", "direct", "both", "nothing"]


class PersonSettings(SealedModel):
    """The settings of one person. The hours are hours of the person's own time zone.

    If an hour is missing, or both are the same, there are no quiet hours. Settings that are stored already
    have no value for a new field. So the field's default must change nothing.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    calls: CallPlace = "thread"
    quiet_from_hour: int | None = None
    quiet_until_hour: int | None = None

    @property
    def has_quiet_hours(self) -> bool:
        """Whether there are hours in which the person is not notified."""
        return None not in (self.quiet_from_hour, self.quiet_until_hour) and (
            self.quiet_from_hour != self.quiet_until_hour
        )

    @property
    def is_only_mentioned(self) -> bool:
        """Whether the person is notified only by mentions in a task's thread, and at any hour."""
        return self.calls == "thread" and not self.has_quiet_hours


class QuietPeriod(NamedTuple):
    """The beginning and the end of a person's quiet hours on one day."""

    began: datetime
    ends: datetime


def find_quiet_period(settings: PersonSettings, zone: tzinfo, now: datetime) -> QuietPeriod | None:
    """Return the quiet hours that contain `now`; None if `now` is outside quiet hours."""
    begins, ends = settings.quiet_from_hour, settings.quiet_until_hour
    if begins is None or ends is None or begins == ends:
        return None
    local = now.astimezone(zone)
    for day in (local.date() - timedelta(days=1), local.date()):
        began = datetime.combine(day, time(begins), zone)
        last_day = day if begins < ends else day + timedelta(days=1)
        ended = datetime.combine(last_day, time(ends), zone)
        if began <= local < ended:
            return QuietPeriod(began, ended)
    return None


def make_zone(name: str, offset_seconds: int) -> tzinfo:
    """Return the time zone of this name. If this machine does not know the name, use the present offset."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return timezone(timedelta(seconds=offset_seconds))


class HeldCall(SealedModel):
    """A notification of one person that waits for the end of the person's quiet hours.

    The two times are the beginning and the end of these quiet hours, in Unix milliseconds.
    """

    model_config = ConfigDict(frozen=True)

    person: UserId
    quiet_since_ms: int
    quiet_until_ms: int


class CallPlan(SealedModel):
    """How each person hears of a notice: by a mention, by a direct message, or after quiet hours."""

    model_config = ConfigDict(frozen=True)

    mentioned: tuple[UserId, ...] = ()
    told_directly: tuple[UserId, ...] = ()
    held: tuple[HeldCall, ...] = ()
    # Whether at least one person has chosen another way than a mention.
    is_chosen: bool = False

    def limited_to(self, called: Collection[UserId]) -> "CallPlan":
        """Return the plan without the people who are not in `called`."""
        return CallPlan(
            mentioned=tuple(person for person in self.mentioned if person in called),
            told_directly=tuple(person for person in self.told_directly if person in called),
            held=tuple(each for each in self.held if each.person in called),
            is_chosen=self.is_chosen,
        )
