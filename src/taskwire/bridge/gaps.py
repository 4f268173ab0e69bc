"""Gaps: what was written in the threads while nobody listened.

Slack stops retrying after six minutes. After a start, or a minute without socket or store, every open link's
thread is read again: one job each, of one list, so that replicas share the work and none is lost with the
process that noticed. What is found goes in as an event would, under the same claim. Replies that still wait
take the words that they have now, or leave if they are not there any more; of what the agent has already, an
edit made meanwhile is not told, since whether it was told before cannot be known.
"""

import asyncio

from redis.exceptions import RedisError

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.receive import Receiver
from taskwire.bridge.show import REACTIONS
from taskwire.bridge.steer import DETACHED
from taskwire.bridge.undelivered import list_undelivered
from taskwire.model.errors import OutsideError, TryLater, Unknown
from taskwire.model.ids import LinkId, Ts, microseconds
from taskwire.model.jobs import READING, Job, ReadThread, Reply, Rewritten, steer, urgent
from taskwire.model.links import Link
from taskwire.model.urgency import Urgency
from taskwire.slack.errors import ChannelProblem, MessageGone, NoRoom
from taskwire.slack.inbound import ThreadMessage
from taskwire.store.steps import Step
from taskwire.telemetry import Metrics, logger

AGAIN_SECONDS = 5.0
# Threads that one call to Redis asks to be read.
PIECE = 200
# Messages that were taken last and are read again: one of them may have come while another was lost.
OVERLAP = 50

_log = logger("taskwire.gaps")


class GapReader:
    """Has the threads of all open links read after a gap."""

    def __init__(self, doors: Doors, receiver: Receiver, metrics: Metrics) -> None:
        self._doors = doors
        self._receiver = receiver
        self._metrics = metrics

    async def note(self) -> int:
        """Write down that all threads are to be read, however long Redis takes; returns how many they are."""
        while True:
            try:
                return await self._note()
            except RedisError as error:
                _log.warning("redis is away", error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _note(self) -> int:
        open_links = (await self._doors.links.list_open()).values()
        # With many it takes hours until the last one is read.
        links = await self._doors.links.sort_by_news(open_links)
        for start in range(0, len(links), PIECE):
            step = Step()
            for link in links[start : start + PIECE]:
                step.redo(READING, Job(id=link, work=ReadThread(link=link)))
            await self._doors.queue.write(step)
        _log.info("threads are to be read", threads=len(links))
        return len(links)

    async def thread(self, hand: Hand) -> Ending:
        """Read one thread; one that cannot be read now stands behind the others."""
        link = await self._doors.links.find(hand.work(ReadThread).link)
        if link is None or link.ended is not None:
            return done()
        try:
            found = await self._read(link)
        except NoRoom:
            raise
        except (ChannelProblem, MessageGone) as problem:
            _log.info("a thread cannot be read", link=link.id, error=str(problem))
        except (TryLater, Unknown) as error:
            return self._after_others(hand, error)
        else:
            self._metrics.missed.inc(found)
            _log.info("read after a gap", link=link.id, found=found)
        return done()

    def _after_others(self, hand: Hand, error: OutsideError) -> Ending:
        _log.warning("a thread is read later", job=hand.job.id, error=str(error))
        delay_ms = int((error.after_seconds or AGAIN_SECONDS) * 1000)
        return done(Step().append(READING, hand.failed_again(), delay_ms=delay_ms))

    async def _read(self, link: Link) -> int:
        thread = link.bond.thread
        if thread is None:
            return 0
        taken = await self._doors.links.list_taken(link.id)
        replies = await self._replies(link.id)
        first = taken[-OVERLAP] if len(taken) >= OVERLAP else thread.ts
        since = min([first, *replies], key=microseconds)
        said = await self._doors.slack.list_replies(thread.channel, thread.ts, since, Urgency.CATCHING_UP)
        if any(ours.startswith(f"{link.id}:{DETACHED}") for ours in said.ours):
            # That is said when it is done: the store has forgotten it.
            await self._doors.queue.write(self._doors.writes.ends(Step(), link.bond, "detached"))
            return 0
        await self._bring_up_to_date(link, replies, said.replies)
        known = {*taken, *replies}
        new = [each for each in said.replies if each.thread_ts == thread.ts and each.ts not in known]
        return sum([await self._take(link.id, message) for message in new])

    async def _take(self, link: LinkId, message: ThreadMessage) -> bool:
        """Take a message; one that bears our last mark was dealt with, whatever the store has forgotten."""
        over = message.marks & {REACTIONS["delivered"], REACTIONS["failed"]}
        if not over:
            return await self._receiver.missed(message)
        writes = self._doors.writes
        step = writes.receipt(writes.taken(Step(), link, message.ts), link, message.ts, " ".join(over))
        if REACTIONS["delivered"] in over:
            writes.delivered(step, link, message.ts)
        await self._doors.queue.write(step)
        return False

    async def _replies(self, link: LinkId) -> dict[Ts, Reply]:
        """The replies that still wait, without those that came by a command: we wrote those ourselves."""
        waiting = await list_undelivered(self._doors.links, link)
        return {reply.ts: reply for _, reply in waiting if not reply.is_from_command}

    async def _bring_up_to_date(
        self, link: Link, replies: dict[Ts, Reply], messages: list[ThreadMessage]
    ) -> None:
        """Let replies that wait say what they say now, and let go of those that are not there any more."""
        there = {message.ts: message for message in messages}
        step, changed = Step(), 0
        for ts, reply in replies.items():
            message = there.get(ts)
            if message is None and link.has_moved:
                # It may have been written in the thread that the task had before.
                continue
            if message is not None and _words(message) == _words(reply):
                # Whatever it is by itself: one that begins like a verb has been sent as it is.
                continue
            work = Rewritten(ts=ts, what="deleted", was_away=True, instead_of=reply.text)
            if message is not None:
                now, as_it_is = self._receiver.as_reply(message), self._receiver.as_it_is(message)
                work = work.model_copy(update={"what": "edited", "now": now, "as_it_is": as_it_is})
            step.append(steer(link.id), Job(id=f"rewritten:away:{ts}", work=work), score=urgent(ts))
            changed += 1
        if changed:
            await self._doors.queue.write(step)


def _words(said: Reply | ThreadMessage) -> tuple[str, tuple[str, ...]]:
    return said.text, tuple(file.id for file in said.files)
