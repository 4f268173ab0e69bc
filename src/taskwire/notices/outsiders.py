"""Channels to which another company has come since the thread of a task began there.

Nothing new begins in such a channel, but what has begun goes on: ending it would lose what people wait for.
What its people write reaches no agent, as anywhere. That they read along is told to whoever the task belongs
to, and to the administrators, once a day for as long as something is said there.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.ids import ThreadRef
from taskwire.messages import answers, troubles
from taskwire.outbox.direct_messages import DAY_MS, AdminAlerts, tell_person
from taskwire.outbox.told import claim_telling, note_told, was_told
from taskwire.queue.batch import Batch


class Outsiders:
    """Tells who should know that people of another company read a thread."""

    def __init__(self, deps: Dependencies, alerts: AdminAlerts, allowed: tuple[str, ...]) -> None:
        self._deps = deps
        self._alerts = alerts
        self._allowed = allowed

    async def read_along(self, thread: ThreadRef) -> None:
        """Tell of it, if the thread is a task's and its channel is none that the settings allow."""
        if thread.channel in self._allowed:
            return
        links = self._deps.links
        link_id = await links.find_by_thread(thread)
        if link_id is None or await was_told(self._deps, "outsiders", link_id):
            return
        link = await links.find(link_id)
        if link is None or link.ended is not None or link.closed:
            return
        if not await claim_telling(self._deps, "outsiders", link_id):
            # Another event has brought it here; should that process die, the next one tells.
            return
        # First: whoever dies behind the other call, which notes that all is told, would leave them out.
        await self._alerts.warn(f"outsiders {thread.channel}", troubles.outsiders_read(thread.channel))
        person = link.record.owner_slack or link.record.requested_by
        batch = tell_person(person, f"outsiders:{link_id}", answers.outsiders_read(link), Batch())
        await self._deps.queue.write(note_told(self._deps, batch, "outsiders", link_id, ttl_ms=DAY_MS))
