"""Decides in which channels a person may ask for something, and see what is there."""

from datetime import timedelta
from typing import Literal

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, moment_of
from taskwire.domain.requester import Requester
from taskwire.messages import refusals
from taskwire.people.allowed import require_allowed
from taskwire.people.directory import Directory

# Slack has shown that the person was in a conversation when they acted there. After this time, the person may
# have left the conversation.
PRESENCE_WINDOW = timedelta(seconds=10)


class Places:
    """The channels of one workspace. `shared_channels` are those that another company may read."""

    def __init__(self, deps: Dependencies, directory: Directory, shared_channels: tuple[str, ...]) -> None:
        self._deps = deps
        self._directory = directory
        self._shared_channels = shared_channels

    async def find_conversation(self, requester: Requester) -> ChannelId:
        """Return the channel in which the person made the request, or which the person named in the request.

        Return an empty id if the person cannot read the named channel.
        """
        is_there = await self.can_see(requester, requester.channel)
        return requester.channel if is_there else ChannelId("")

    async def can_see(self, requester: Requester, channel: ChannelId) -> bool:
        """Return whether the person can read the channel. If the request was just made there, return True."""
        if requester.channel == channel and self._was_just_there(requester):
            return True
        return bool(channel) and await self._directory.can_see(requester.person, channel)

    def _was_just_there(self, requester: Requester) -> bool:
        age = self._deps.slack.now() - moment_of(requester.at)
        return age < PRESENCE_WINDOW and not requester.is_elsewhere

    async def require_place(self, requester: Requester, what: Literal["created", "attached"]) -> None:
        """Raise UserError unless a card may be posted in the requester's channel.

        The requester must be in the channel or must have just acted there. No other company may read the
        channel, unless the settings allow that. `what` is a word for the error's text: the task was not
        `created` or not `attached`.
        """
        channel = requester.channel
        require_allowed(self._deps, channel)
        if not self._was_just_there(requester) and not await self._directory.is_member(
            requester.person, channel
        ):
            raise UserError(*refusals.not_in_channel(channel, what), reason="place")
        if channel in self._shared_channels:
            return
        place = await self._directory.find_channel(channel)
        if place is not None and place.is_shared:
            raise UserError(*refusals.shared_channel(channel, what), reason="place")
