"""Events: what people write in threads, edit and delete.

Bolt acknowledges an event before its listener runs, so the writing happens in a middleware of the listener:
if it fails, the event stays unacknowledged and Slack brings it again.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp

from taskwire.bridge.receive import Receiver
from taskwire.listeners.behind import Behind
from taskwire.listeners.entry import Entry
from taskwire.model.errors import OutsideError
from taskwire.model.ids import UserId
from taskwire.model.jobs import ChannelOpened, Job, intake
from taskwire.model.messages import Message
from taskwire.slack import inbound
from taskwire.slack.inbound import Deleted, DirectMessage, Edited, Mention, Opened, ThreadMessage
from taskwire.slack.outbound import Outbound
from taskwire.store.claims import Claims, Taken
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import answers

# A channel that was closed to us may be open again.
OPENED = ("member_joined_channel", "channel_unarchive", "group_unarchive")
HEARD = ("message", "app_mention", *OPENED)
OTHERS = re.compile(f"(?!(?:{'|'.join(HEARD)})$).*")

_log = logger("taskwire.messages")
Body = Mapping[str, object]


class Messages:
    """Takes events about messages."""

    def __init__(
        self,
        bot: UserId,
        entry: Entry,
        claims: Claims,
        receiver: Receiver,
        slack: Outbound,
        behind: Behind,
    ) -> None:
        self._bot = bot
        self._entry = entry
        self._claims = claims
        self._receiver = receiver
        self._slack = slack
        self._behind = behind

    def listen(self, app: AsyncApp) -> None:
        """Take messages and mentions; other events mean nothing yet, and Slack must not bring them again."""
        takes = {"message": self._message, "app_mention": self._mention}
        for name in HEARD:
            app.event(name, middleware=[self._first(takes.get(name, self._opened))])(_nothing_more)
        app.event(OTHERS)(_nothing_more)

    def _first(
        self, take: Callable[[Body], Awaitable[Taken | None]]
    ) -> Callable[..., Awaitable[BoltResponse]]:
        async def before_the_ack(body: dict[str, object]) -> BoltResponse:
            self._entry.note_time(body)
            if not self._entry.is_let_in(body):
                return BoltResponse(status=200)
            try:
                await take(body)
            except OutsideError as error:
                _log.warning("an event was not taken; Slack brings it again", error=str(error))
                return BoltResponse(status=503)
            return BoltResponse(status=200)

        return before_the_ack

    async def _message(self, body: Body) -> Taken | None:
        match inbound.message_event(body, self._bot):
            case ThreadMessage() as message:
                return await self._entry.taken("message", self._receiver.reply(message), message.ts)
            case Edited() as message:
                return await self._entry.taken("edit", self._receiver.edited(message), message.edited_ts)
            case Deleted() as message:
                return await self._entry.taken("deletion", self._receiver.deleted(message), message.at)
            case DirectMessage() as message:
                return await self._once(message, "direct", answers.direct_not_yet())
            case _:
                return None

    async def _mention(self, body: Body) -> Taken | None:
        """A mention in one of our threads is its message; elsewhere it is answered with what to do."""
        mention = inbound.mention(body, self._bot)
        if not isinstance(mention, Mention):
            return None
        if mention.thread_ts is not None:
            message = mention.in_thread()
            taken = await self._entry.taken("mention", self._receiver.reply(message), message.ts)
            if taken != "foreign":
                return taken
        return await self._once(mention, "mention", answers.mention_not_yet())

    async def _opened(self, body: Body) -> Taken | None:
        opened = inbound.opened(body, self._bot)
        if not isinstance(opened, Opened):
            return None
        job = Job(id=f"opened:{opened.delivery}", work=ChannelOpened(channel=opened.channel))
        step = Step().append(intake(opened.channel), job)
        return await self._entry.taken("channel", self._claims.accept("event", opened.delivery, step))

    async def _once(self, message: Mention | DirectMessage, kind: str, answer: Message) -> Taken:
        taken = await self._entry.taken(kind, self._claims.accept("message", message.delivery, Step()))
        if taken == "taken":
            self._behind.start(self._answer(message, answer))
        return taken

    async def _answer(self, message: Mention | DirectMessage, answer: Message) -> None:
        thread_ts = message.thread_ts
        await self._slack.post_ephemeral(message.channel, message.person, answer, thread_ts)


async def _nothing_more() -> None:
    """The middleware has done it all, and answered."""
