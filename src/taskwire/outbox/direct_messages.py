"""What administrators hear of without having asked: the account has a trouble, or its token ends soon.

Each trouble is told to each of them once a day at most, in their direct messages with the bot.
"""

import hashlib
from datetime import UTC, datetime
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import ChannelId, LinkId, UserId
from taskwire.domain.jobs import Alert, Job, MessagePerson, QueueName
from taskwire.domain.message import Message
from taskwire.domain.priority import Priority
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import notices
from taskwire.outbox.posting import post_once
from taskwire.queue.batch import Batch
from taskwire.slack.errors import SlackRefused
from taskwire.slack.outbound import Metadata
from taskwire.telemetry import logger

DAY_MS = 24 * 3_600_000
# It takes no longer to learn who is to be told.
WARNING_MS = 60_000
_log = logger("taskwire.outbox.direct_messages")


class AdminAlerts:
    """Tells the administrators."""

    def __init__(self, deps: Dependencies, admins: tuple[str, ...]) -> None:
        self._deps = deps
        self._admins = admins

    async def warn(self, name: str, sentence: str) -> None:
        """Tell of a trouble; `name` is what makes it the same one within a day."""
        name = hashlib.sha256(name.encode()).hexdigest()[:12]
        notes = self._deps.notes
        if await notes.find("warned", name) is not None:
            return
        if not await notes.is_first("warning", name, ttl_ms=WARNING_MS):
            # Another replica is at it; should it die, the next look tells.
            return
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        batch = Batch()
        for person in await self._people():
            job = Job(id=f"alert:{name}:{day}", work=Alert(person=person, sentence=sentence))
            batch.append(direct_messages(person), job)
        await self._deps.queue.write(notes.keeping(batch, "1", "warned", name, ttl_ms=DAY_MS))

    def handlers(self) -> tuple[Handler, ...]:
        """List the handlers of this module."""
        return (
            Handler.without_link(Alert, self.post),
            Handler.without_link(MessagePerson, partial(_message_person, self._deps)),
        )

    async def post(self, context: JobContext) -> Outcome:
        """Write to one administrator."""
        work = context.work(Alert)
        return await post_direct(self._deps, context, work.person, notices.alert(work.sentence))

    async def _people(self) -> list[UserId]:
        found: dict[UserId, None] = {}
        for name in self._admins:
            if not name.startswith("S"):
                found[UserId(name)] = None
                continue
            try:
                found |= dict.fromkeys(sorted(await self._deps.slack.list_group(name)))
            except OutsideError as error:
                _log.warning("user group cannot be read", group=name, error=str(error))
        return list(found)


def direct_messages(person: str) -> QueueName:
    """The list of what one person hears in direct messages without having asked.

    It is not `intake`: what they have asked may wait for another version, and this says so.
    """
    return QueueName(f"direct_messages:{person}")


async def _message_person(deps: Dependencies, context: JobContext) -> Outcome:
    """Write to one person in their direct messages."""
    work = context.work(MessagePerson)
    return await post_direct(deps, context, work.person, work.message)


async def post_direct(deps: Dependencies, context: JobContext, person: UserId, message: Message) -> Outcome:
    """Post a message in a person's direct messages; of somebody who has left nobody waits for it."""
    meta = Metadata(id=f"{person}:{context.job.id}", kind="answer")
    try:
        channel = ChannelId(await deps.slack.open_direct(person))
        link = LinkId(f"direct_messages:{person}")
        await post_once(deps, context, link, channel, None, message, meta, Priority.CALL)
    except SlackRefused as refused:
        _log.warning("direct message refused", person=person, code=refused.code)
    return done()
