"""Work about the settings of channels, and about the reminders that they cause.

`jobs.py` has the work that belongs to tasks.
"""

from typing import Literal

from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.requester import Requester
from taskwire.domain.work import Work


class SaveChannelSettings(Work):
    """Check that a person may change the settings of their channel, and store them (queue `intake`)."""

    kind: Literal["save_channel_settings"] = "save_channel_settings"
    requester: Requester
    settings: ChannelSettings


class SnoozeReminder(Work):
    """Repeat a reminder of a question later, in an hour or tomorrow (queue `to_coder`)."""

    kind: Literal["snooze_reminder"] = "snooze_reminder"
    requester: Requester
    until: Literal["hour", "tomorrow"]
