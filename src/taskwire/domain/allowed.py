"""Who may use the bot, in which places, and for how many tasks.

An empty list sets no limit. A list only restricts: the bot still refuses guests and people of other
companies, even if a list names them.
"""

from dataclasses import dataclass
from typing import Literal

from taskwire.domain.errors import UserError

# Slack's ids of direct conversations with the bot begin with this letter.
_DIRECT_MESSAGE = "D"


def is_direct_channel(channel: str) -> bool:
    """Return whether a conversation is the direct messages of one person with the bot."""
    return channel.startswith(_DIRECT_MESSAGE)


class PlaceNotAllowed(UserError):
    """The settings do not allow to use the bot in this channel."""


# Why a person may not use the bot at all; empty for a person who may.
Barred = Literal["", "bot", "stranger", "guest", "group"]


@dataclass(frozen=True)
class Allowed:
    """The ids of the workspaces, channels and user groups to which the bot is restricted."""

    workspaces: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()

    @property
    def is_about_people(self) -> bool:
        """Whether the settings restrict the bot to some people: of workspaces, or of user groups."""
        return bool(self.workspaces or self.groups)

    def has_channel(self, channel: str) -> bool:
        """Whether people may use the bot in this channel. A direct message to the bot is always allowed."""
        is_private = not channel or is_direct_channel(channel)
        return is_private or not self.channels or channel in self.channels

    def keep_workspaces(self, workspaces: frozenset[str]) -> frozenset[str]:
        """Return the given workspaces that are also in the list. An empty list keeps all workspaces."""
        return workspaces & self.workspaces if self.workspaces else workspaces


@dataclass(frozen=True)
class QuotaSettings:
    """The limits of a person, and of a channel: tasks started in an hour, and tasks running at once.

    0 means no limit.
    """

    person_hourly: int = 0
    person_running: int = 0
    channel_hourly: int = 0
    channel_running: int = 0

    @property
    def is_about_channels(self) -> bool:
        """Whether channels have a limit."""
        return bool(self.channel_hourly or self.channel_running)
