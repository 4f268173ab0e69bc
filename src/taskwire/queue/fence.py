"""The fence: keeps processes from using a store that is being moved or was moved.

The fence also keeps old versions of Taskwire from a store that only newer versions may use.

Every script and every write of a note checks the fence first (`lua/fence.lua`). So a process that was
suspended during a move writes nothing to the old store. Two kinds of writes skip the check, because no
process reads them after a move: `DataLossDetector.record_clean_stop`, and the commands that the self-test
tries.

`migration` sets and removes the fence. `formats` records which versions use a store.
"""

from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, cast

from taskwire.domain.errors import UserError
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# The format of this version. Raise it with each change that an older version cannot read: a new kind of job,
# a new field, a new value.
FORMAT = 7
# When this version has used a store, processes with an older format than this end and do not start again.
# Raise it only if such processes would do damage, for example if they use a key in another way.
OLDEST_COMPATIBLE_FORMAT = 3

# The constants of `lua/fence.lua`.
CONSTANTS = {"FORMAT": FORMAT}

FenceState = Literal["leaving", "left", "arriving"]


class Fence(NamedTuple):
    """The fields of a fence.

    `move` is the id of the move. `other` is the address of the other store. `app` is the bot user of the
    Slack app whose data moves. `at_ms` is when the store got its present `state`.
    """

    state: FenceState
    move: str
    other: str
    app: str
    at_ms: int

    @property
    def time_text(self) -> str:
        """Return `at_ms` as a text for people to read."""
        if not self.at_ms:
            return "an unknown day"
        return f"{datetime.fromtimestamp(self.at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def key(keys: Keys) -> str:
    """Return the Redis key of the fence."""
    return keys.named("fence")


async def find(connections: Connections, keys: Keys) -> Fence | None:
    """Find the fence of a store; None if the store has none. Missing fields get defaults."""
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
    """Return the error for an operator who starts a process on a fenced store.

    `where` is the store's address.
    """
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
