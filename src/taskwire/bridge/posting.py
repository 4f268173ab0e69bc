"""Posting a message exactly once, and tidying after a process that was stopped at the wrong moment."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done, later
from taskwire.model.errors import Unknown
from taskwire.model.ids import ChannelId, LinkId, Ts, from_ms, ts_of
from taskwire.model.jobs import Job, TidyMessage, link_of, tidy
from taskwire.model.messages import Message
from taskwire.slack.outbound import Metadata
from taskwire.store.queue import LANDING_MARGIN_MS, LONGEST_LEASE_MS
from taskwire.store.steps import Step
from taskwire.telemetry import logger

POST_SECONDS = 15.0
# Slack's clock and ours may differ, and a read-back must not miss the message by that.
BEFORE = timedelta(seconds=60)
# A message that Slack has just stored may be missing from the first page that is read.
SECOND_LOOK_SECONDS = 2.0
# By then a request that a stopped process wrote late has landed or failed.
LANDED_SECONDS = 2 * (POST_SECONDS + LANDING_MARGIN_MS / 1000) + LONGEST_LEASE_MS / 1000

_log = logger("taskwire.posting")


class PostNote(BaseModel):
    """What reading a post back needs."""

    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: str


async def post_once(
    doors: Doors,
    hand: Hand,
    link: LinkId,
    channel: ChannelId,
    thread_ts: Ts | None,
    message: Message,
    meta: Metadata,
) -> Ts:
    """Post the message of this job; what an earlier attempt has already posted is found instead.

    Raises the errors of the door; after Unknown the attempt stays pinned.
    """
    if hand.is_in_doubt:
        found = await _read_back(doors, hand, PostNote.model_validate_json(hand.note))
        hand.settled()
        if found is not None:
            return found
    await doors.slack.make_room("chat.postMessage", channel)
    note = PostNote(
        channel=channel, thread_ts=thread_ts, since=_since(doors, hand, thread_ts), message_id=meta.id
    )
    try:
        return await hand.attempt(
            note.model_dump_json(),
            POST_SECONDS,
            lambda: doors.slack.post(channel, message, meta, thread_ts=thread_ts),
            _tidy_step(link, note),
        )
    except Unknown:
        # A look now can only find: the request may still be on its way.
        copies = await doors.slack.find_copies(channel, thread_ts, note.since, meta.id)
        if not copies:
            raise
        hand.settled()
        return copies[0]


def _since(doors: Doors, hand: Hand, thread_ts: Ts | None) -> Ts:
    """From where a read-back has to look: by Slack's own clock where it is known."""
    last = doors.slack.last_answer_at or from_ms(hand.now_ms)
    since = ts_of(last - BEFORE)
    return max(since, thread_ts, key=float) if thread_ts is not None else since


async def _read_back(doors: Doors, hand: Hand, note: PostNote) -> Ts | None:
    copies = await doors.slack.find_copies(note.channel, note.thread_ts, note.since, note.message_id)
    if not copies:
        await asyncio.sleep(SECOND_LOOK_SECONDS)
        copies = await doors.slack.find_copies(note.channel, note.thread_ts, note.since, note.message_id)
    _log.info("read back", job=hand.job.id, message=note.message_id, copies=len(copies))
    return copies[0] if copies else None


def _tidy_step(link: LinkId, note: PostNote) -> Step:
    work = TidyMessage(
        channel=note.channel, thread_ts=note.thread_ts, since=note.since, message_id=note.message_id
    )
    return Step().append(tidy(link), Job(id=f"tidy:{note.message_id}", work=work))


async def tidy_message(doors: Doors, hand: Hand) -> Ending:
    """Keep one copy of a message that may have been posted twice: the recorded one, else the earliest.

    Looks at once, and again when nothing of a stopped process can land any more.
    """
    work = hand.job.work
    assert isinstance(work, TidyMessage)  # noqa: S101 - the worker hands each job to its kind's carrier
    link = await doors.links.find(link_of(hand.turn.name))
    # Only a card's ts is recorded: a thread hangs from it.
    kept = link.bond.thread_ts if link is not None and work.thread_ts is None else None
    copies = await doors.slack.find_copies(work.channel, work.thread_ts, work.since, work.message_id)
    keep = kept if kept in copies else (copies[0] if copies else None)
    for copy in copies:
        if copy != keep:
            _log.warning("removing a second copy", message=work.message_id, ts=copy)
            await doors.slack.delete(work.channel, copy)
    if work.looks >= 1:
        return done()
    looked = work.model_copy(update={"looks": work.looks + 1})
    return later(LANDED_SECONDS, hand.job.model_copy(update={"work": looked}))
