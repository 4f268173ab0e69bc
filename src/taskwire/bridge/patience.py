"""Patience: what a person asked for while Coder is away waits for an hour, and they are told so once.

It tries again at a pace that somebody who waits can bear, faster than the worker does for what nobody looks
at. What it does not end, the worker ends. Whoever waits for something behind it is told as well.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

from pydantic import ValidationError

from taskwire.bridge.backoff import wait_seconds
from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, Private
from taskwire.coder.errors import CoderError, NoTasks, TokenRefused
from taskwire.model.errors import OutsideError, TryLater, Unknown
from taskwire.model.jobs import Act, ActAsked, CreateAsked, CreateTask, Job, PostCard
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.slack.errors import NoRoom, RateLimited, SlackTrouble
from taskwire.telemetry import logger
from taskwire.words import answers, waiting
from taskwire.words.waiting import Side

LONGEST_MS = 3_600_000
LONGEST_DELAY_SECONDS = 15.0
Asked = CreateAsked | ActAsked | PostCard | CreateTask | Act

_log = logger("taskwire.patience")


async def patiently(
    doors: Doors,
    hand: Hand,
    link: Link | None,
    carry: Callable[[Hand], Awaitable[Ending]],
    *,
    gives_up: bool = True,
) -> Ending:
    """Carry a job out; where an answer is missing, try again soon, and end after an hour.

    Who has more to end than this job does that itself, and `gives_up` nothing here.
    """
    try:
        return await carry(hand)
    except NoRoom:
        raise
    except (TryLater, Unknown, TokenRefused, NoTasks) as error:
        work = hand.job.work
        assert isinstance(work, Asked)  # noqa: S101 - nobody waits for anything else so
        if gives_up and not hand.keeps_attempt and has_waited_long(hand):
            # What stands behind it has waited with it.
            return Ending("done", privately=((work.asker, _gives_up(work, link, error)),), trouble="same")
        return await _again(doors, hand, link, error)


def has_waited_long(hand: Hand) -> bool:
    """Whether it has failed for an hour; what lay still while the bot was away has not."""
    since_ms = hand.job.failing_since_ms
    return since_ms > 0 and hand.now_ms - since_ms > LONGEST_MS


async def _again(doors: Doors, hand: Hand, link: Link | None, error: OutsideError) -> Ending:
    tries = hand.job.tries
    _log.info("not yet", job=hand.job.id, kind=hand.job.work.kind, tries=tries, error=str(error))
    # A hiccup is over before anybody has read of it.
    is_told = tries >= (0 if hand.keeps_attempt else 1)
    told = [each async for each in _told(doors, hand, link, error)] if is_told else []
    return Ending(
        "unknown" if hand.keeps_attempt else "later",
        delay_seconds=wait_seconds(tries, LONGEST_DELAY_SECONDS, error.after_seconds),
        job=hand.failed_again(),
        privately=tuple(told),
        trouble="failing",
    )


async def _told(doors: Doors, hand: Hand, link: Link | None, error: OutsideError) -> AsyncIterator[Private]:
    """Tell whoever waits for this, or for what stands behind it, and has not been told so."""
    for job in await _list_waiting(doors, hand):
        work = job.work
        if isinstance(work, Asked) and await doors.memory.is_first(
            "told-waits", job.id, ttl_ms=2 * LONGEST_MS
        ):
            yield work.asker, _waits(work, link, error)


async def _list_waiting(doors: Doors, hand: Hand) -> list[Job]:
    try:
        return await doors.links.list_jobs(hand.turn.name)
    except ValidationError:
        # A newer version's stands among them, which this one cannot read.
        return [hand.job]


def _side(work: Asked, error: OutsideError) -> Side:
    """Who did not answer; of a broken connection that is known by what was to be done."""
    if isinstance(error, SlackTrouble | RateLimited):
        return "Slack"
    return "Slack" if isinstance(work, PostCard) and not isinstance(error, CoderError) else "Coder"


def _gives_up(work: Asked, link: Link | None, error: OutsideError) -> Message:
    wished = waiting.wish(work, link)
    match error:
        case TokenRefused():
            return waiting.refused_for_an_hour(wished)
        case NoTasks():
            return waiting.never_had_tasks(wished)
        case _:
            return waiting.never_answered(_side(work, error), wished)


def _waits(work: Asked, link: Link | None, error: OutsideError) -> Message:
    wished = waiting.wish(work, link)
    match error:
        case TokenRefused():
            return waiting.waits_for_token(wished)
        case NoTasks():
            return answers.no_tasks()
        case _:
            return waiting.waits(_side(work, error), wished)
