"""Gaps: what was written in the threads while nobody listened.

Slack stops retrying after six minutes. After a start, or a minute without socket or store, every open link's
thread is read again; what is found goes in as an event would, under the same claim. Replies that still wait
take the words that they have now, or leave if they are not there any more; of what the agent has already, an
edit made meanwhile is not told, since whether it was told before cannot be known.
"""

import asyncio
from collections import deque
from typing import Literal

from redis.exceptions import RedisError

from taskwire.bridge.doors import Doors
from taskwire.bridge.hand import Ending, Hand, done
from taskwire.bridge.receive import Receiver
from taskwire.model.errors import OutsideError, Refused
from taskwire.model.ids import LinkId, ThreadRef, Ts, microseconds
from taskwire.model.jobs import Job, Reply, Rewritten, steer, urgent
from taskwire.model.links import Link
from taskwire.model.urgency import Urgency
from taskwire.slack.errors import ChannelProblem, MessageGone, NoRoom
from taskwire.slack.inbound import ThreadMessage
from taskwire.store.steps import Step
from taskwire.telemetry import logger

AGAIN_SECONDS = 5.0
# Messages that were taken last and are read again: one of them may have come while another was lost.
OVERLAP = 50

_log = logger("taskwire.gaps")


class GapReader:
    """Reads the threads of all open links after a gap."""

    def __init__(self, doors: Doors, receiver: Receiver) -> None:
        self._doors = doors
        self._receiver = receiver

    async def read(self) -> int:
        """Take what was missed, however long Slack and Redis take; returns how many messages were found."""
        waiting = deque(await self._links())
        threads, found = len(waiting), 0
        while waiting:
            link = waiting.popleft()
            try:
                found += await self._read_open(link)
            except Refused as error:
                # The channel is closed to us, or the thread is gone.
                _log.info("a thread cannot be read", link=link, error=str(error))
            except NoRoom as error:
                waiting.appendleft(link)
                await asyncio.sleep(error.after_seconds or AGAIN_SECONDS)
            except (OutsideError, RedisError) as error:
                _log.warning("a thread is read later", link=link, error=str(error))
                waiting.append(link)
                asked = error.after_seconds if isinstance(error, OutsideError) else None
                await asyncio.sleep(asked or AGAIN_SECONDS)
        _log.info("read after a gap", threads=threads, found=found)
        return found

    async def thread(self, hand: Hand) -> Ending:
        """Read one thread, whose card was found after its answer had been lost: nobody listened for it."""
        try:
            await self._read_open(hand.link_id)
        except (ChannelProblem, MessageGone) as problem:
            _log.info("a thread cannot be read", link=hand.link_id, error=str(problem))
        return done()

    async def _links(self) -> list[LinkId]:
        while True:
            try:
                return list((await self._doors.links.list_open()).values())
            except RedisError as error:
                _log.warning("redis is away", error=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _read_open(self, link_id: LinkId) -> int:
        """Read a link's thread, unless the link has ended meanwhile."""
        link = await self._doors.links.find(link_id)
        return 0 if link is None or link.ended is not None else await self._read(link)

    async def _read(self, link: Link) -> int:
        thread = link.bond.thread
        if thread is None:
            return 0
        taken = await self._doors.links.list_taken(link.id)
        replies = await self._replies(link.id)
        first = taken[-OVERLAP] if len(taken) >= OVERLAP else thread.ts
        since = min([first, *replies], key=microseconds)
        messages = await self._doors.slack.list_replies(thread.channel, thread.ts, since, Urgency.CATCHING_UP)
        await self._bring_up_to_date(link.id, replies, messages)
        return await self._take(thread, messages, {*taken, *replies})

    async def _take(self, thread: ThreadRef, messages: list[ThreadMessage], known: set[Ts]) -> int:
        found = 0
        for message in messages:
            if message.thread_ts == thread.ts and message.ts not in known:
                found += await self._receiver.missed(message)
        return found

    async def _replies(self, link: LinkId) -> dict[Ts, Reply]:
        """The replies that still wait, without those that came by a command: we wrote those ourselves."""
        links = self._doors.links
        jobs = await links.list_waiting(link) + await links.list_held(link)
        replies = [job.work for job in jobs if isinstance(job.work, Reply)]
        return {reply.ts: reply for reply in replies if not reply.is_from_command}

    async def _bring_up_to_date(
        self, link: LinkId, replies: dict[Ts, Reply], messages: list[ThreadMessage]
    ) -> None:
        """Let replies that wait say what they say now, and let go of those that are not there any more."""
        there = {message.ts: message for message in messages}
        step, changed = Step(), 0
        for ts, reply in replies.items():
            message = there.get(ts)
            now = self._receiver.as_reply(message) if message is not None else None
            if now is not None and _words(now) == _words(reply):
                continue
            what: Literal["edited", "deleted"] = "edited" if message is not None else "deleted"
            work = Rewritten(ts=ts, what=what, now=now, was_away=True, instead_of=reply.text)
            step.append(steer(link), Job(id=f"rewritten:away:{ts}", work=work), score=urgent(ts))
            changed += 1
        if changed:
            await self._doors.queue.write(step)


def _words(reply: Reply) -> tuple[str, str, tuple[str, ...]]:
    return reply.text, reply.blocks, tuple(file.id for file in reply.files)
