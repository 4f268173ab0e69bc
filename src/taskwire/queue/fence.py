"""The fence: keeps every process out of a store that is being moved or was left, and old versions out of a
store that a newer one has to itself.

Every script and every note checks it first (`lua/fence.lua`). So a process that slept through a move writes
nothing to the store that was left. Two things may pass, because nobody reads them: what a process removes
when it stops (`data_loss.note_clean_stop`), and what a trial tries on keys of its own. `migration` puts the
fence up and takes it down. `formats` knows which versions there are.
"""

from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Literal, NamedTuple, cast

from taskwire.domain.errors import UserError
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# Raise it with a change that an older version cannot read: a new kind of job, a new field of one, a new word.
FORMAT = 1
# The oldest format whose processes may go on beside this one. Raise it only where they would do damage: a key
# that is used in another way. They end then, and do not start again.
GOES_WITH = 1

# What `lua/fence.lua` takes from here.
CONSTANTS = {"FORMAT": FORMAT}

FenceState = Literal["leaving", "left", "arriving"]


class Fence(NamedTuple):
    """What a fence says: how far its move is, which one it is, the other store's place, and since when."""

    state: FenceState
    move: str
    other: str
    app: str
    at_ms: int

    @property
    def day(self) -> str:
        """When that was, for people."""
        if not self.at_ms:
            return "an unknown day"
        return f"{datetime.fromtimestamp(self.at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def key(keys: Keys) -> str:
    """Where it stands."""
    return keys.named("fence")


async def find(connections: Connections, keys: Keys) -> Fence | None:
    """The fence around a store, if there is one; of one that is not whole, what it says."""
    read = connections.commands.hgetall(key(keys))
    told = cast("Mapping[str, str]", await cast("Awaitable[dict[str, str]]", read))
    if not told:
        return None
    state = cast("FenceState", told.get("state", "leaving"))
    return Fence(
        state, told.get("move", ""), told.get("other", "?"), told.get("app", ""), int(told.get("at", 0))
    )


async def refuse(connections: Connections, keys: Keys) -> None:
    """Raise a UserError where a store is fenced."""
    fence = await find(connections, keys)
    if fence is not None:
        raise refusal(fence, connections.where)


def refusal(fence: Fence, where: str) -> UserError:
    """What is said to somebody who would work on a fenced store."""
    match fence.state:
        case "left":
            return UserError(
                f"What was in the store at {where} was moved to {fence.other} on {fence.day}.",
                "Set REDIS_URL, TASKWIRE_KEY_PREFIX or TASKWIRE_DATA_DIR to that. To go on with the old "
                "state, which is still here, run `taskwire store reopen`.",
            )
        case "arriving":
            return UserError(
                f"The store at {where} is not whole: a move from {fence.other} to it began on {fence.day} "
                "and has not ended.",
                "Run `taskwire store move` again: it goes on where it was.",
            )
        case _:
            return UserError(
                f"A move of the store at {where} to {fence.other} began on {fence.day} and has not ended.",
                "Run `taskwire store move` again: it goes on where it was. To stay here, run "
                "`taskwire store reopen`.",
            )
