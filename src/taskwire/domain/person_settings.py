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
    """The settings of one person. The hours are those of the person's own time zone.

    Without both hours, or if they are the same, there are no quiet hours. A new field needs a default that
    changes nothing for people who have saved their settings before.
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


class QuietPeriod(NamedTuple):
    """The quiet hours of one night or day."""

    began: datetime
    ends: datetime


def find_quiet_period(settings: PersonSettings, zone: tzinfo, now: datetime) -> QuietPeriod | None:
    """Return the quiet hours in which `now` is; None if it is in none."""
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
    """Return a time zone by its name; if this machine does not know it, by its present offset."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return timezone(timedelta(seconds=offset_seconds))


class HeldCall(SealedModel):
    """A notification of one person that is delayed until the person's quiet hours end.

    The two times are the beginning and the end of these quiet hours, in Unix milliseconds.
    """

    model_config = ConfigDict(frozen=True)

    person: UserId
    quiet_since_ms: int
    quiet_until_ms: int


class CallPlan(SealedModel):
    """How each person is notified of a notice: by a mention, by a direct message, or after quiet hours."""

    model_config = ConfigDict(frozen=True)

    mentioned: tuple[UserId, ...] = ()
    told_directly: tuple[UserId, ...] = ()
    held: tuple[HeldCall, ...] = ()
    # Whether at least one person has chosen another way than a mention.
    is_chosen: bool = False

    def limited_to(self, called: Collection[UserId]) -> "CallPlan":
        """Return the plan for those of its people who are still to be called."""
        return CallPlan(
            mentioned=tuple(person for person in self.mentioned if person in called),
            told_directly=tuple(person for person in self.told_directly if person in called),
            held=tuple(each for each in self.held if each.person in called),
            is_chosen=self.is_chosen,
        )
