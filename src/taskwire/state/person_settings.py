"""The settings of people in Redis: one key for each person who has changed something."""

from typing import cast

from taskwire.domain.ids import UserId
from taskwire.domain.person_settings import PersonSettings
from taskwire.queue.batch import Batch
from taskwire.redis.connection import Connections
from taskwire.redis.decoding import read
from taskwire.redis.keys import Keys


class PersonSettingsStore:
    """The settings of the people of one workspace."""

    def __init__(self, connections: Connections, keys: Keys) -> None:
        self._redis = connections.commands
        self._keys = keys

    async def get(self, person: UserId) -> PersonSettings:
        """Return the settings of a person. Raise CannotRead if a newer version has written them."""
        found = cast("str | None", await self._redis.get(self._key(person)))
        return read(PersonSettings.model_validate_json, found) if found else PersonSettings()

    def write(self, batch: Batch, person: UserId, settings: PersonSettings) -> Batch:
        """Write the settings of a person. If nothing is changed, the person has no key."""
        if settings == PersonSettings():
            return batch.write("DEL", self._key(person))
        return batch.write("SET", self._key(person), settings.model_dump_json())

    def _key(self, person: UserId) -> str:
        return self._keys.named("person_settings", person)
