"""Listener for events: messages and their changes, reactions, and changes of channels and people.

Bolt would acknowledge an event before its listener runs. So a middleware of the listener makes the claim. If
the claim fails, the event is not acknowledged, and Slack delivers the event again.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, cast

from redis.exceptions import RedisError
from slack_bolt import BoltResponse
from slack_bolt.async_app import AsyncApp

from taskwire.agent.input import has_only_own_files
from taskwire.agent.picked_files import read_files_at_once
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import UserId
from taskwire.domain.parsing.bare_words import STOP_SIGN
from taskwire.domain.parsing.bot_messages import ends_share
from taskwire.domain.parsing.replies import remove_bot_mention
from taskwire.domain.queueing.jobs import Job, MessageToBot
from taskwire.domain.queueing.maintenance import ChannelOpened
from taskwire.domain.queueing.person_jobs import MakeTaskOfMessage, StopByReaction
from taskwire.domain.queueing.queues import FIRST_IN_INTAKE, intake
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Block, Message
from taskwire.listeners.background import Background
from taskwire.listeners.ingress import Ingress
from taskwire.messages import answers
from taskwire.notices.outsiders import Outsiders
from taskwire.outbox.home_requests import show_opened_home
from taskwire.outbox.private_answers import show_privately
from taskwire.people.directory import Directory
from taskwire.queue.batch import Batch
from taskwire.queue.inbox import ClaimResult, Inbox
from taskwire.queue.user_limits import limit_of_previews, limit_of_verb
from taskwire.replies.admit import ReplyReceiver
from taskwire.slack import inbound
from taskwire.slack.inbound import (
    ConversationOpened,
    DirectMessage,
    HomeOpened,
    Mention,
    MessageDeleted,
    MessageEdited,
    RightsChanged,
    ThreadMessage,
)
from taskwire.slack.outbound import Outbound
from taskwire.slack.reactions import ReactionAdded, parse_reaction
from taskwire.slack.sessions import SessionStopped, parse_session_stopped
from taskwire.slack.shared_links import SharedLinks, parse_shared_links
from taskwire.tasks.link_previews import LinkPreviews
from taskwire.telemetry import logger

# After these events, the bot may be allowed to post in a channel again.
CHANNEL_OPENED_EVENTS = ("member_joined_channel", "channel_unarchive", "group_unarchive")
# After these events, a person may have other rights.
PERSON_CHANGED_EVENTS = ("user_change", "subteam_updated", "subteam_members_changed")
HOME_EVENT = "app_home_opened"
# The event that says that a person pressed Slack's own button that stops an agent.
SESSION_STOPPED_EVENT = "agent_session_stopped"
HANDLED_EVENTS = (
    "message",
    "app_mention",
    "reaction_added",
    HOME_EVENT,
    "link_shared",
    SESSION_STOPPED_EVENT,
    *CHANNEL_OPENED_EVENTS,
    *PERSON_CHANGED_EVENTS,
)
OTHER_EVENTS = re.compile(f"(?!(?:{'|'.join(HANDLED_EVENTS)})$).*")

_log = logger("taskwire.listeners.events")
Body = Mapping[str, object]


class Events:
    """Handles events. `emoji` is the reaction that makes a message into a task; empty if no reaction does."""

    def __init__(
        self,
        bot: UserId,
        ingress: Ingress,
        inbox: Inbox,
        receiver: ReplyReceiver,
        directory: Directory,
        outsiders: Outsiders,
        slack: Outbound,
        background: Background,
        emoji: str,
        link_previews: LinkPreviews,
    ) -> None:
        self._bot = bot
        self._emoji = emoji
        self._link_previews = link_previews
        self._ingress = ingress
        self._inbox = inbox
        self._receiver = receiver
        self._directory = directory
        self._outsiders = outsiders
        self._slack = slack
        self._background = background

    def listen(self, app: AsyncApp) -> None:
        """Handle the events that Taskwire uses.

        Other events are only acknowledged, so that Slack does not deliver them again.
        """
        handlers = {
            "message": self._message,
            "app_mention": self._mention,
            "reaction_added": self._reaction_added,
            "link_shared": self._link_shared,
            SESSION_STOPPED_EVENT: self._session_stopped,
            HOME_EVENT: self._home_opened,
        }
        handlers |= dict.fromkeys(PERSON_CHANGED_EVENTS, self._person_changed)
        for name in HANDLED_EVENTS:
            app.event(name, middleware=[self._claim_before_ack(handlers.get(name, self._channel_opened))])(
                _do_nothing
            )
        app.event(OTHER_EVENTS)(_do_nothing)

    def _claim_before_ack(
        self, handle: Callable[[Body], Awaitable[ClaimResult | None]]
    ) -> Callable[..., Awaitable[BoltResponse]]:
        async def claim_before_ack(body: dict[str, object]) -> BoltResponse:
            self._ingress.learn_time(body)
            shared = inbound.find_shared_thread(body, self._bot)
            if shared is not None:
                # Each message shows that outsiders can read the thread, even a message of a stranger or of
                # the bot.
                self._background.start(self._outsiders.tell_about_outsiders(shared), shared.channel)
            if not self._ingress.is_accepted(body):
                return BoltResponse(status=200)
            try:
                await handle(body)
            except (OutsideError, RedisError) as error:
                # The claim failed, or its outcome is unknown. The usual cause is an outage of Redis, and the
                # worker logs that once.
                _log.debug("event not claimed, Slack will redeliver it", error=str(error))
                return BoltResponse(status=503)
            return BoltResponse(status=200)

        return claim_before_ack

    async def _message(self, body: Body) -> ClaimResult | None:
        match inbound.parse_message_event(body, self._bot):
            case ThreadMessage() as message:
                return await self._ingress.count_claim(
                    "message", self._receiver.claim_message(message), message.ts
                )
            case MessageEdited() as message:
                return await self._ingress.count_claim(
                    "edit", self._receiver.claim_edit(message), message.edited_ts
                )
            case MessageDeleted() as message:
                return await self._ingress.count_claim(
                    "deletion", self._receiver.claim_deletion(message), message.at
                )
            case DirectMessage() as message:
                return await self._claim_for_bot(message, "direct")
            case _:
                return None

    async def _mention(self, body: Body) -> ClaimResult | None:
        """Claim a mention in a thread of a task as a reply, and any other mention as a request.

        Return None if the payload is not a mention of the bot.
        """
        mention = inbound.parse_mention(body, self._bot)
        if not isinstance(mention, Mention):
            return None
        if mention.thread_ts is not None:
            message = mention.in_thread()
            claim = await self._ingress.count_claim(
                "mention", self._receiver.claim_message(message), message.ts
            )
            if claim != "not_ours":
                return claim
        return await self._claim_for_bot(mention, "mention")

    async def _reaction_added(self, body: Body) -> ClaimResult | None:
        """Claim a reaction that stops a task or that makes a message into a task. Ignore other reactions.

        A reaction does not name the thread of its message. So the job finds the task or the message.
        """
        reaction = parse_reaction(body, self._bot)
        if not isinstance(reaction, ReactionAdded):
            return None
        requester = Requester(
            person=reaction.person, channel=reaction.channel, at=reaction.at, surface="emoji"
        )
        work: StopByReaction | MakeTaskOfMessage
        if reaction.name == STOP_SIGN and reaction.is_on_own:
            verb, work = "pause", StopByReaction(requester=requester, message_ts=reaction.ts)
        elif reaction.name == self._emoji and reaction.author != self._bot:
            verb, work = "", MakeTaskOfMessage(requester=requester, message_ts=reaction.ts)
        else:
            return None
        return await self._claim_request("reaction", reaction.delivery, work, verb)

    async def _session_stopped(self, body: Body) -> ClaimResult | None:
        """Claim the event that a person has stopped the agent session of a thread in Slack.

        The job finds the thread's task and stops it.
        """
        stopped = parse_session_stopped(body)
        if not isinstance(stopped, SessionStopped):
            return None
        requester = Requester(person=stopped.person, channel=stopped.channel, at=stopped.at)
        work = StopByReaction(requester=requester, message_ts=stopped.thread_ts)
        return await self._claim_request("session", stopped.delivery, work, "pause")

    async def _claim_request(
        self,
        kind: Literal["reaction", "session"],
        delivery: str,
        work: StopByReaction | MakeTaskOfMessage,
        verb: str,
    ) -> ClaimResult:
        """Claim an event by which a person asks for `work` without writing a text, such as a reaction."""
        requester = work.requester
        refused = await self._ingress.refuse_event(kind, "event", delivery, requester)
        if refused is not None:
            return self._tell_refused(refused, requester)
        batch = Batch().append(intake(requester.person), Job(id=f"{work.kind}:{delivery}", work=work))
        if isinstance(work, MakeTaskOfMessage):
            read_files_at_once(requester, work.message_ts, requester.channel, batch)
        user_limit = limit_of_verb(verb, requester.person, requester.at, Batch(), Batch())
        claim = await self._ingress.count_claim(
            kind, self._inbox.claim("event", delivery, batch, user_limit), requester.at
        )
        self._tell_if_refused(claim, requester)
        return claim

    async def _link_shared(self, body: Body) -> ClaimResult | None:
        """Show previews of the tasks whose links were posted, of so many messages of one person a minute."""
        shared = parse_shared_links(body, self._bot)
        if not isinstance(shared, SharedLinks) or not self._ingress.is_allowed_place(shared.channel):
            return None
        if not self._link_previews.has_task(shared):
            return None
        claiming = self._inbox.claim(
            "event", shared.delivery, Batch(), limit_of_previews(shared.person, shared.at)
        )
        claim = await self._ingress.count_claim("link", claiming)
        if claim == "claimed":
            self._background.start(self._link_previews.show(shared), shared.person)
        return claim

    async def _channel_opened(self, body: Body) -> ClaimResult | None:
        opened = inbound.parse_conversation_opened(body, self._bot)
        if not isinstance(opened, ConversationOpened):
            return None
        job = Job(id=f"opened:{opened.delivery}", work=ChannelOpened(channel=opened.channel))
        batch = Batch().append(intake(opened.channel), job)
        return await self._ingress.count_claim("channel", self._inbox.claim("event", opened.delivery, batch))

    async def _home_opened(self, body: Body) -> ClaimResult | None:
        opened = inbound.parse_home_opened(body)
        if not isinstance(opened, HomeOpened):
            return None
        batch = show_opened_home(opened.person)
        return await self._ingress.count_claim("home", self._inbox.claim("event", opened.delivery, batch))

    async def _person_changed(self, body: Body) -> ClaimResult | None:
        """Delete what is stored about a person or a user group, because Slack reports a change.

        Slack sends such an event for every change of every profile. The event is not claimed, because a
        second deletion does no harm.
        """
        changed = inbound.parse_rights_changed(body)
        if isinstance(changed, RightsChanged):
            await self._directory.forget(changed.id, is_group=changed.is_group)
        return None

    async def _claim_for_bot(
        self, message: Mention | DirectMessage, kind: Literal["mention", "direct"]
    ) -> ClaimResult:
        """Claim a message to the bot that is not in a task's thread, as a request of the message's author."""
        requester = Requester(
            person=message.person,
            channel=message.channel,
            at=message.ts,
            thread_ts=message.thread_ts,
            surface="direct_message" if isinstance(message, DirectMessage) else "mention",
        )
        refused = await self._ingress.refuse_event(kind, "message", message.delivery, requester)
        if refused is not None:
            return self._tell_refused(refused, requester)
        work = MessageToBot(
            requester=requester,
            text=message.text,
            blocks=self._receiver.choose_blocks(message),
            files=message.files,
            is_direct=isinstance(message, DirectMessage),
        )
        blocks = cast("list[Block]", json.loads(work.blocks)) if work.blocks else []
        is_first = ends_share(remove_bot_mention(work.text, self._bot, blocks))
        score: int | Literal["next"] = FIRST_IN_INTAKE if is_first else "next"
        job = Job(id=f"message:{message.delivery}", work=work)
        batch = Batch().append(intake(message.person), job, score=score)
        if not has_only_own_files(message.person, message.files):
            read_files_at_once(requester, message.ts, message.channel, batch)
        user_limit = limit_of_verb("", message.person, message.ts, Batch(), Batch())
        claim = await self._ingress.count_claim(
            kind, self._inbox.claim("message", message.delivery, batch, user_limit), message.ts
        )
        self._tell_if_refused(claim, requester)
        return claim

    def _tell_refused(self, refused: tuple[ClaimResult, Message | None], requester: Requester) -> ClaimResult:
        """Return the result of the claim in `refused`. If `refused` has a message, show it to the person."""
        claim, told = refused
        if told is not None:
            self._background.start(show_privately(self._slack, requester, told), requester.person)
        return claim

    def _tell_if_refused(self, claim: ClaimResult, requester: Requester) -> None:
        """If a claim was refused because of too many requests or waiting jobs, tell the person."""
        if claim in ("rejected", "limit_told"):
            told = (
                answers.too_many_requests()
                if claim == "limit_told"
                else Message(text=answers.too_many_jobs_waiting())
            )
            self._background.start(show_privately(self._slack, requester, told), requester.person)


async def _do_nothing() -> None:
    """Do nothing: the middleware has handled the event."""
