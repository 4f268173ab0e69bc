"""Queues direct messages that answer no request: alerts for administrators, and messages for single people.

An administrator gets each alert once a day at most. `direct_delivery.py` posts the messages. Answers to
requests are in `private_answers.py`.
"""

import hashlib
from datetime import UTC, datetime

from taskwire.dependencies import Dependencies
from taskwire.domain.durations import DAY_MS
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import LinkId, UserId
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import MessagePerson
from taskwire.domain.queueing.queues import QueueName
from taskwire.domain.text.message import Message
from taskwire.messages import notices
from taskwire.outbox.tell_once import claim_telling, has_told, record_told
from taskwire.queue.batch import Batch
from taskwire.telemetry import logger

_log = logger("taskwire.outbox.direct_messages")


class AdminAlerts:
    """Tells the administrators of problems."""

    def __init__(self, deps: Dependencies, admins: tuple[str, ...]) -> None:
        self._deps = deps
        self._admins = admins

    async def warn(self, name: str, sentence: str) -> None:
        """Alert the administrators. An alert with the same `name` is sent at most once a day."""
        name = hashlib.sha256(name.encode()).hexdigest()[:12]
        if await has_told(self._deps, "alert", name):
            return
        if not await claim_telling(self._deps, "alert", name):
            # Another replica is about to alert the administrators. If that replica dies, the next call alerts
            # them.
            return
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        batch = Batch()
        for person in await self._list_admins():
            tell_person(person, f"alert:{name}:{day}", notices.alert(sentence), batch)
        await self._deps.queues.write(record_told(self._deps, batch, "alert", name, ttl_ms=DAY_MS))

    async def _list_admins(self) -> list[UserId]:
        found: dict[UserId, None] = {}
        for name in self._admins:
            if not name.startswith("S"):
                found[UserId(name)] = None
                continue
            try:
                teams = await self._deps.slack.list_teams_to_ask()
                found |= dict.fromkeys(sorted(await self._deps.slack.list_group(name, teams)))
            except OutsideError as error:
                _log.warning(
                    "user group not readable, its members are not alerted", group=name, error=str(error)
                )
        return list(found)


def direct_messages(person: str) -> QueueName:
    """Return the queue of a person's direct messages that answer no request.

    This queue is separate from the person's queue `intake`. A job in `intake` may wait for a newer version of
    Taskwire. The direct message about this must not wait behind the job.
    """
    return QueueName(f"direct_messages:{person}")


def tell_person(
    person: UserId, name: str, message: Message, batch: Batch, *, about: LinkId | None = None
) -> Batch:
    """Queue a direct message to a person.

    `name` is the job's id. A message is not queued again while a message with this `name` waits. With
    `about`, the message is sent only if the person may then read the task of this link.
    """
    work = MessagePerson(person=person, message=message, about=about)
    return batch.append(direct_messages(person), Job(id=name, work=work))
