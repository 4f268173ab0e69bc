"""Stores the commands that are offered to a person as buttons, until the person presses a button.

A button does not carry its command. A prompt can be longer than a button's value, and Slack's copy of a
button is masked.
"""

from pydantic import BaseModel

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

    Of the older offers to this person, the batch forgets all but the newest. Raises RedisError.
    """
    return await notes.keep_newest_in(
        Batch(),
        _dump(near_miss, requester, thread_ts),
        "offered_commands",
        key,
        group=("offered_commands_of", requester.person),
        at_ms=to_ms(moment_of(requester.at)),
        most=MOST_KEPT_OFFERS,
        ttl_ms=COMMANDS_TTL_MS,
    )


def keep_offers_only(notes: Notes, near_miss: NearMiss, key: str, requester: Requester) -> Batch:
    """Like `keep_offers`, but read nothing first, and forget no older offers."""
    value = _dump(near_miss, requester, None)
    return notes.keep_in(Batch(), value, "offered_commands", key, ttl_ms=COMMANDS_TTL_MS)


def _dump(near_miss: NearMiss, requester: Requester, thread_ts: Ts | None) -> str:
    return OfferedCommands(
        person=requester.person,
        lines=tuple(offer.line for offer in near_miss.offers),
        channel=requester.channel,
        thread_ts=thread_ts,
    ).model_dump_json()


async def find_offered(
    deps: Dependencies, key: str, number: int, person: UserId
) -> tuple[str, OfferedCommands]:
    """Return the command of a button. Raise UserError if the offer has expired, or was for another person."""
    kept = await deps.notes.find("offered_commands", key)
    offered = read(OfferedCommands.model_validate_json, kept) if kept is not None else None
    if offered is None or offered.person != person or not 0 <= number < len(offered.lines):
        raise UserError(*refusals.button_expired())
    return offered.lines[number], offered
