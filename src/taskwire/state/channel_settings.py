"""The settings of channels in Redis: one key for each channel in which somebody has changed something."""

from typing import cast

from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.ids import ChannelId
from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import read
from taskwire.redis.keys import Keys


class ChannelSettingsStore:
    """The settings of the channels of one workspace."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys

    async def get(self, channel: ChannelId) -> ChannelSettings:
        """Return the settings of a channel. Raise CannotRead if a newer version has written them."""
        found = cast("str | None", await self._redis.get(self._key(channel)))
        return read(ChannelSettings.model_validate_json, found) if found else ChannelSettings()

    def write(self, batch: Batch, channel: ChannelId, settings: ChannelSettings) -> Batch:
        """Write the settings of a channel. If nothing is set, the channel has no key."""
        if settings == ChannelSettings():
            return batch.write("DEL", self._key(channel))
        return batch.write("SET", self._key(channel), settings.model_dump_json())

    def _key(self, channel: ChannelId) -> str:
        return self._keys.named("channel_settings", channel)
