"""Posting a message exactly once, and tidying after a process that was stopped at the wrong moment."""

import contextlib
from datetime import timedelta

from pydantic import BaseModel

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, Parked, done, in_doubt, later
from taskwire.model.errors import Unknown
from taskwire.model.ids import ChannelId, LinkId, Ts, from_ms, ts_of
from taskwire.model.jobs import Job, TidyMessage, tidy
from taskwire.model.messages import Message
from taskwire.model.urgency import Urgency
from taskwire.slack.calls import Method
from taskwire.slack.errors import MessageGone
from taskwire.slack.outbound import Metadata
from taskwire.store.rewinds import REMEMBERED_MS
from taskwire.store.steps import Step
from taskwire.telemetry import logger

# Slack's clock and ours may differ, and a read-back must not miss the message by that.
BEFORE = timedelta(seconds=60)

_log = logger("taskwire.posting")


class PostNote(BaseModel):
    """What reading a post back needs."""

    channel: ChannelId
    thread_ts: Ts | None
    since: Ts
    message_id: str
    # The token of the turn that made the attempt.
    attempt: str = ""


async def post_once(
    doors: Doors,
    hand: Hand,
    link: LinkId,
    channel: ChannelId,
    thread_ts: Ts | None,
    message: Message,
    meta: Metadata,
    urgency: Urgency = Urgency.POST,
) -> Ts:
    """Post the message of this job; what an earlier attempt has already posted is found instead.

    Raises the errors of the door; after Unknown the attempt stays pinned.
    """
    if hand.is_in_doubt:
        found = await _read_back(doors, hand, PostNote.model_validate_json(hand.note))
        hand.settled(has_landed=found is not None)
        if found is not None:
            return found
    elif hand.turn.is_suspect and (found := await _made_before(doors, hand, channel, thread_ts, meta)):
        return found
    await doors.slack.make_room(Method.POST, channel, urgency)
    note = PostNote(
        channel=channel,
        thread_ts=thread_ts,
        since=_since(doors, hand, thread_ts),
        message_id=meta.id,
        attempt=hand.turn.token,
    )
    try:
        return await hand.attempt(
            note.model_dump_json(),
            doors.slack.timeouts.post,
            lambda: doors.slack.post(channel, message, meta, thread_ts=thread_ts),
            _tidy_step(link, hand, note),
        )
    except Unknown:
        # A look now can only find: the request may still be on its way.
        copies = await _copies(doors, note)
        if not copies:
            raise
        _log.info("read back at once", job=hand.job.id, message=note.message_id, copies=len(copies))
        hand.settled(has_landed=True)
        return copies[0]


async def _made_before(
    doors: Doors, hand: Hand, channel: ChannelId, thread_ts: Ts | None, meta: Metadata
) -> Ts | None:
    """What was posted before Redis went back in time, or the job was given up.

    That is long enough ago to be in the first page that is read, unless it has only just been noticed.
    """
    since = thread_ts or since_when(doors, hand)
    note = PostNote(channel=channel, thread_ts=thread_ts, since=since, message_id=meta.id)
    rewound = hand.turn.rewound
    if rewound is not None and hand.now_ms - rewound.at_ms < doors.queue.times.second_look_ms:
        raise Parked(later(doors.queue.times.second_look_ms / 1000))
    copies = await _copies(doors, note)
    _log.info("looked first", job=hand.job.id, message=note.message_id, copies=len(copies))
    return copies[0] if copies else None


def since_when(doors: Doors, hand: Hand) -> Ts:
    """From when on, by Slack's clock, something may have been shown of which Redis knows nothing."""
    ago = timedelta(milliseconds=min(hand.now_ms - hand.doubted_since_ms, REMEMBERED_MS))
    return ts_of(doors.slack.now() - ago - BEFORE)


def _since(doors: Doors, hand: Hand, thread_ts: Ts | None) -> Ts:
    """From where a read-back has to look: by Slack's own clock where it is known."""
    last = doors.slack.last_answer_at or from_ms(hand.now_ms)
    since = ts_of(last - BEFORE)
    return max(since, thread_ts, key=float) if thread_ts is not None else since


async def _read_back(doors: Doors, hand: Hand, note: PostNote) -> Ts | None:
    """Look once a turn, in all these ways, until it is found; raises Parked until it surely is not there.

    Each look takes a place of the few for reading. Among many who took theirs for all looks in one turn, each
    would get the first one again and again, and nobody the last.
    """
    ways = (note.thread_ts, note.thread_ts) if note.thread_ts else (note.since, note.since, None)
    looks = hand.job.looks(note.attempt)
    copies = await _found(doors, note, ways[min(looks, len(ways) - 1)])
    _log.info("read back", job=hand.job.id, message=note.message_id, copies=len(copies))
    if copies or looks >= len(ways) - 1:
        return copies[0] if copies else None
    # What has just been stored may be missing in what is read; and headers may differ in clock from messages.
    seconds = 0.0 if looks else doors.queue.times.second_look_ms / 1000
    raise Parked(in_doubt(hand.job.looked_for(note.attempt), seconds))


async def _copies(doors: Doors, note: PostNote | TidyMessage) -> list[Ts]:
    return await _found(doors, note, note.since)


async def _found(doors: Doors, note: PostNote | TidyMessage, since: Ts | None) -> list[Ts]:
    return await doors.slack.find_copies(note.channel, note.thread_ts, since, note.message_id)


def _tidy_step(link: LinkId, hand: Hand, note: PostNote) -> Step:
    work = TidyMessage(
        channel=note.channel, thread_ts=note.thread_ts, since=note.since, message_id=note.message_id
    )
    # One for each turn that was lost: an earlier one may have looked already, and be about to end.
    return Step().append(tidy(link), Job(id=f"tidy:{note.message_id}:{hand.turn.token}", work=work))


def landed_seconds(doors: Doors, timeout_seconds: float) -> float:
    """After how long nothing that a stopped process wrote too late can still arrive."""
    times = doors.queue.times
    return 2 * (timeout_seconds + times.landing_margin_ms / 1000) + times.longest_lease_ms / 1000


async def tidy_message(doors: Doors, hand: Hand) -> Ending:
    """Keep one copy of a message that may have been posted twice: the recorded one, else the earliest.

    Looks at once, and again when nothing of a stopped process can land any more.
    """
    work = hand.work(TidyMessage)
    link = await doors.links.find(hand.link_id)
    # Only a card's ts is recorded: a thread hangs from it.
    recorded = link.bond.thread_ts if link is not None and work.thread_ts is None else None
    copies = await _copies(doors, work)
    # A card that has just been posted may be recorded in a moment; until then either copy may be the one.
    is_too_early = work.thread_ts is None and recorded is None and not work.looks
    if len(copies) > 1 and not is_too_early:
        await _keep_one(doors, hand, work, copies, recorded)
    if work.looks:
        return done()
    looked = hand.job.knowing(looks=work.looks + 1)
    return later(landed_seconds(doors, doors.slack.timeouts.post), looked)


async def _keep_one(
    doors: Doors, hand: Hand, work: TidyMessage, copies: list[Ts], recorded: Ts | None
) -> None:
    keep = recorded if recorded in copies else copies[0]
    for copy in copies:
        if copy != keep:
            _log.warning("removing a second copy", message=work.message_id, ts=copy)
            with contextlib.suppress(MessageGone):
                await doors.slack.delete(work.channel, copy)
            hand.doubles += 1
