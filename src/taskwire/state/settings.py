"""The settings of channels and of people in Redis.

Only a channel or a person with changed settings has a key.
"""

from functools import partial
from typing import Generic, TypeVar, cast

from pydantic import BaseModel

from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import CannotRead, is_forged, read
from taskwire.redis.keys import Keys
from taskwire.telemetry import logger

K = TypeVar("K", bound=str)
S = TypeVar("S", bound=BaseModel)
_log = logger("taskwire.state.settings")


class SettingsStore(Generic[K, S]):
    """The settings of all channels, or of all people, of one workspace.

    `defaults` apply to a channel or a person without a key.
    """

    def __init__(self, connections: Connections, keys: Keys, name: str, defaults: S) -> None:
        self._redis = connections.commands
        self._keys = keys
        self._name = name
        self._defaults = defaults

    async def get(self, whose: K) -> S:
        """Return the settings of a channel or person.

        Raise CannotRead if a newer version of Taskwire has written them.

        If the stored settings were not written by this deployment, return the defaults.
        """
        key = self._keys.named(self._name, whose)
        found = cast("str | None", await self._redis.get(key))
        place = f"{self._name}:{whose}"
        parse = partial(type(self._defaults).model_validate_json, context=place)
        try:
            return read(parse, found) if found else self._defaults
        except CannotRead as error:
            if not is_forged(error):
                raise
            _log.warning("settings not written by this deployment, defaults used", key=key, why=error.why)
            return self._defaults

    def write(self, batch: Batch, whose: K, settings: S) -> Batch:
        """Write the settings of a channel or person. If they equal the defaults, delete the key."""
        key = self._keys.named(self._name, whose)
        if settings == self._defaults:
            return batch.write("DEL", key)
        return batch.write("SET", key, settings.model_dump_json(context=f"{self._name}:{whose}"))
