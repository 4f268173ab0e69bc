"""Stores the commands that are offered to a person as buttons, until the person presses a button.

A button does not carry its command. A prompt can be longer than a button's value, and Slack's copy of a
button is masked.
"""

import asyncio

from pydantic import BaseModel
from redis.exceptions import RedisError

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, Ts, UserId, moment_of, to_ms
from taskwire.domain.parsing.near_misses import NearMiss
from taskwire.domain.requester import Requester
from taskwire.messages import refusals
from taskwire.queue.batch import Batch
from taskwire.redis.decoding import read
from taskwire.state.notes import Notes

# Slack accepts answers to the press of a button for 30 minutes.
COMMANDS_TTL_MS = 1_800_000
# Of how many questions of one person the commands are stored. The buttons of older questions no longer work.
MOST_KEPT_OFFERS = 10
# How long to look for a person's older offers, in seconds.
LOOK_SECONDS = 0.5


class OfferedCommands(BaseModel):
    """Commands that were offered to a person, as typed after `/task`.

    The card of a new task goes to `channel`. `thread_ts` is the discussion for the card; None if the card
    begins its own thread.
    """

    person: UserId
    lines: tuple[str, ...]
    channel: ChannelId
    thread_ts: Ts | None = None


async def keep_offers(
    notes: Notes, near_miss: NearMiss, key: str, requester: Requester, thread_ts: Ts | None = None
) -> Batch:
    """Return a batch that stores the commands that are offered for a near miss. The buttons carry `key`.

    Only what was offered to a person last is stored. Slack waits for the answer to a command, so nothing is
    forgotten if Redis does not answer soon. The caller learns that when it writes the batch.
    """
    kept = OfferedCommands(
        person=requester.person,
        lines=tuple(offer.line for offer in near_miss.offers),
        channel=requester.channel,
        thread_ts=thread_ts,
    )
    value, ttl_ms = kept.model_dump_json(), COMMANDS_TTL_MS
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await notes.keep_newest_in(
                Batch(),
                value,
                "offered_commands",
                key,
                group=("offered_commands_of", requester.person),
                at_ms=to_ms(moment_of(requester.at)),
                most=MOST_KEPT_OFFERS,
                ttl_ms=ttl_ms,
            )
    except (RedisError, TimeoutError):
        return notes.keep_in(Batch(), value, "offered_commands", key, ttl_ms=ttl_ms)


async def find_offered(
    deps: Dependencies, key: str, number: int, person: UserId
) -> tuple[str, OfferedCommands]:
    """Return the command of a button. Raise UserError if the offer has expired, or was for another person."""
    kept = await deps.notes.find("offered_commands", key)
    offered = read(OfferedCommands.model_validate_json, kept) if kept is not None else None
    if offered is None or offered.person != person or not 0 <= number < len(offered.lines):
        raise UserError(*refusals.button_expired())
    return offered.lines[number], offered
