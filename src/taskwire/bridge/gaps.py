"""Gaps: what was written in the threads while nobody listened.

Slack stops retrying after six minutes. After a start, or a minute without socket or store, every open link's
thread is read from its last taken message on; what is found goes in as an event would, under the same claim.
"""

import asyncio

from taskwire.bridge.doors import Doors
from taskwire.bridge.receive import Receiver
from taskwire.model.errors import OutsideError, TryLater
from taskwire.model.ids import Ts
from taskwire.model.links import Link
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.telemetry import logger

# Half of what conversations.replies allows (tier 3: 50 a minute), so that read-backs keep the other half.
SECONDS_A_THREAD = 2.4

_log = logger("taskwire.gaps")


class GapReader:
    """Reads the threads of all open links after a gap."""

    def __init__(self, doors: Doors, receiver: Receiver) -> None:
        self._doors = doors
        self._receiver = receiver

    async def read(self) -> int:
        """Take what was missed; returns how many messages were found."""
        found = 0
        links = await self._doors.links.list_bonds((await self._doors.links.list_open()).values())
        for link in links.values():
            found += await self._read_patiently(link)
            await asyncio.sleep(SECONDS_A_THREAD)
        _log.info("read after a gap", threads=len(links), found=found)
        return found

    async def _read_patiently(self, link: Link) -> int:
        while True:
            try:
                return await self._read(link)
            except TryLater as error:
                await asyncio.sleep(error.after_seconds or 5.0)
            except (ChannelProblem, MessageGone):
                return 0
            except OutsideError as error:
                _log.warning("a thread could not be read", link=link.id, error=str(error))
                return 0

    async def _read(self, link: Link) -> int:
        """Messages after the last taken one, and those between that were never taken."""
        thread = link.bond.thread
        if thread is None:
            return 0
        taken = await self._doors.links.list_taken(link.id)
        since = Ts(taken[-1]) if taken else thread.ts
        await self._doors.slack.make_room("conversations.replies", thread.channel)
        found = 0
        for message in await self._doors.slack.list_replies(thread.channel, thread.ts, since):
            if message.ts not in taken:
                found += await self._receiver.missed(message)
        return found
