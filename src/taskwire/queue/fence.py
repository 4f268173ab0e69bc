"""The fence: keeps all processes out of a store that is being moved or was left, and old versions out of
a store that only newer ones may use.

Every script and every note checks it first (`lua/fence.lua`). So a process that slept through a move
writes nothing to the store that was left. Two writes pass without a check, because nobody reads what they
write: `DataLossDetector.record_clean_stop` when a process stops, and commands of the self-test on keys of
its own.
`migration` puts the fence up and takes it down. `formats` knows which versions there are.
"""

from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, cast

from taskwire.domain.errors import UserError
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# The format of this version. Raise it with a change that an older version cannot read: a new kind of job,
# a new field, a new value.
FORMAT = 1
# The oldest format whose processes may run beside this version. Raise it only if they would do damage,
# such as using a key in another way. Processes of older formats then end, and do not start again.
OLDEST_COMPATIBLE_FORMAT = 1

# The constants of `lua/fence.lua`.
CONSTANTS = {"FORMAT": FORMAT}

FenceState = Literal["leaving", "left", "arriving"]


class Fence(NamedTuple):
    """What a fence says.

    `state` is how far the move is, `move` its id, `other` the place of the other store, `at_ms` when it
    began.
    """

    state: FenceState
    move: str
    other: str
    app: str
    at_ms: int

    @property
    def time_text(self) -> str:
        """Return the time of the fence, for people."""
        if not self.at_ms:
            return "an unknown day"
        return f"{datetime.fromtimestamp(self.at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def key(keys: Keys) -> str:
    """Return the key of the fence."""
    return keys.named("fence")


async def find(connections: Connections, keys: Keys) -> Fence | None:
    """Find the fence around a store. Fields that are missing in it get defaults."""
    read = connections.commands.hgetall(key(keys))
    told = cast("Mapping[str, str]", await cast("Awaitable[dict[str, str]]", read))
    if not told:
        return None
    state = cast("FenceState", told.get("state", "leaving"))
    return Fence(
        state, told.get("move", ""), told.get("other", "?"), told.get("app", ""), int(told.get("at", 0))
    )


async def require_open(connections: Connections, keys: Keys) -> None:
    """Raise a UserError if the store is fenced."""
    fence = await find(connections, keys)
    if fence is not None:
        raise refusal(fence, connections.where)


def refusal(fence: Fence, where: str) -> UserError:
    """Return what is said to a person who would use a fenced store."""
    match fence.state:
        case "left":
            return UserError(
                f"What was in the store at {where} was moved to {fence.other} on {fence.time_text}.",
                "Set REDIS_URL, TASKWIRE_KEY_PREFIX or TASKWIRE_DATA_DIR to that. To go on with the old "
                "state, which is still here, run `taskwire store reopen`.",
            )
        case "arriving":
            return UserError(
                f"The store at {where} is not whole: a move from {fence.other} to it began on "
                f"{fence.time_text} and has not ended.",
                "Run `taskwire store move` again: it goes on where it was.",
            )
        case _:
            return UserError(
                f"A move of the store at {where} to {fence.other} began on {fence.time_text} and has not "
                "ended.",
                "Run `taskwire store move` again: it goes on where it was. To stay here, run "
                "`taskwire store reopen`.",
            )
