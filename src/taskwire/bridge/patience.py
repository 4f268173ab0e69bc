"""Patience: what a person asked for while Coder is away waits for an hour, and they are told so once.

It tries again at a pace that somebody who waits can bear, faster than the worker does for what nobody looks
at. What it does not end, the worker ends.
"""

from collections.abc import Awaitable, Callable

from taskwire.bridge.backoff import wait_seconds
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.coder.errors import NoTasks, TokenRefused
from taskwire.model.errors import OutsideError, TryLater, Unknown
from taskwire.model.jobs import Asker
from taskwire.model.messages import Message
from taskwire.slack.errors import NoRoom
from taskwire.telemetry import logger
from taskwire.words import answers

LONGEST_MS = 3_600_000
LONGEST_DELAY_SECONDS = 15.0

_log = logger("taskwire.patience")


async def patiently(hand: Hand, asker: Asker, carry: Callable[[Hand], Awaitable[Ending]]) -> Ending:
    """Carry a job out; where an answer is missing, try again soon, and end after an hour."""
    try:
        return await carry(hand)
    except NoRoom:
        raise
    except (TryLater, Unknown, TokenRefused, NoTasks) as error:
        if not hand.keeps_attempt and has_waited_long(hand):
            return done(None, (asker, answers.never_answered()))
        return _again(hand, asker, error)


def has_waited_long(hand: Hand) -> bool:
    """Whether it has failed for an hour; what lay still while the bot was away has not."""
    since_ms = hand.job.failing_since_ms
    return since_ms > 0 and hand.now_ms - since_ms > LONGEST_MS


def _again(hand: Hand, asker: Asker, error: OutsideError) -> Ending:
    tries = hand.job.tries
    _log.info("not yet", job=hand.job.id, kind=hand.job.work.kind, tries=tries, error=str(error))
    # A hiccup is over before anybody has read of it.
    told = ((asker, _waits(error)),) if tries == (0 if hand.keeps_attempt else 1) else ()
    return Ending(
        "unknown" if hand.keeps_attempt else "later",
        delay_seconds=wait_seconds(tries, LONGEST_DELAY_SECONDS, error.after_seconds),
        job=hand.failed_again(),
        privately=told,
        trouble="failing",
    )


def _waits(error: OutsideError) -> Message:
    match error:
        case TokenRefused():
            return answers.waits_for_token()
        case NoTasks():
            return answers.no_tasks()
        case _:
            return answers.waits_for_coder()
