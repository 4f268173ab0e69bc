"""Channels that were shared with another company after a task's thread began there.

No new thread is made in such a channel. Existing threads go on, because people wait for their tasks. No reply
of an outsider reaches an agent. If a person writes in such a thread, the bot tells the task's owner and the
administrators, once a day, that outsiders can read the thread.
"""

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import ThreadRef
from taskwire.messages import answers, troubles
from taskwire.outbox.direct_messages import AdminAlerts, tell_person
from taskwire.outbox.tell_once import claim_telling, has_told, record_told
from taskwire.queue.batch import Batch


class Outsiders:
    """Tells people that outsiders can read a thread."""

    def __init__(self, deps: Dependencies, alerts: AdminAlerts, allowed: tuple[str, ...]) -> None:
        self._deps = deps
        self._alerts = alerts
        self._allowed = allowed

    async def tell_about_outsiders(self, thread: ThreadRef) -> None:
        """Tell the owner and the administrators, once a day, that outsiders can read a task's thread.

        Tell nobody if the settings allow the channel, or if no task goes on in this thread.
        """
        if thread.channel in self._allowed:
            return
        links = self._deps.links
        link_id = await links.find_by_thread(thread)
        if link_id is None or await has_told(self._deps, "outsiders", link_id):
            return
        link = await links.find(link_id)
        if link is None or link.end_reason is not None or link.closed_error:
            return
        if not await claim_telling(self._deps, "outsiders", link_id):
            # Another process is about to tell the owner and the administrators. If that process dies, a
            # process tells them at the next event.
            return
        # The administrators come first, because the last call records that everybody was told.
        await self._alerts.warn(
            f"outsiders {thread.channel}", troubles.channel_read_by_outsiders(thread.channel)
        )
        person, batch = link.record.contact, Batch()
        if person is not None:
            message = answers.thread_read_by_outsiders(link)
            tell_person(person, f"outsiders:{link_id}", message, batch, about=link_id)
        await self._deps.queues.write(record_told(self._deps, batch, "outsiders", link_id, ttl_ms=DAY_MS))
