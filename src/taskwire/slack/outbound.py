"""The client for Slack's Web API. No other part of Taskwire calls the Web API.

Before a message is sent, its secrets are masked and it is checked against Slack's limits. Every failure is
raised as one of the errors in `errors`, and no call is repeated here. Posted messages carry metadata. If the
outcome of a post is unknown, the message is searched for by this metadata. Each call takes a place in Slack's
rate limits. Before a post or a shared file, the caller itself takes the place with `reserve`, and then writes
the intent record. So there is no wait between the record and the call. This module returns typed values. The
bot's token is sent only in the Authorization header.
"""

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from pydantic import JsonValue
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from taskwire.domain.ids import ChannelId, Ts, UserId, microseconds
from taskwire.domain.text.message import Message
from taskwire.slack import drafts, inbound, models
from taskwire.slack.call_priorities import Limiter, Priority, RateLimits
from taskwire.slack.calls import MOST_PAGES, PAGE_SIZE, Calls, Method, SlackTimeouts
from taskwire.slack.client import make_client
from taskwire.slack.clock import SlackClock
from taskwire.slack.drafts import Drafts
from taskwire.slack.errors import MessageGone, SlackRefused
from taskwire.slack.files import Files
from taskwire.slack.handed_out_urls import HandedOutUrls
from taskwire.slack.metadata import Metadata, is_copy, make_metadata, read_metadata
from taskwire.slack.models import Channel, Identity, Profile, RootsPage, ThreadReading, Traces, UserGroup
from taskwire.slack.payload_fields import (
    read_channel,
    read_objects,
    read_reactions,
    read_strings,
    read_text,
    read_ts,
    read_user,
)
from taskwire.slack.payload_sources import is_of_stranger
from taskwire.slack.sessions import AgentSessions
from taskwire.slack.shortcuts import PickedMessage, parse_picked
from taskwire.slack.views import Views

# How many messages a page of `list_roots` has; Slack allows 999. 500 messages of the bot are 2 MB, and
# parsing them takes 15 ms.
ROOTS_PAGE_SIZE = 500
# How many conversations a page of `list_channels_of` has. This is Slack's maximum, so that one call is nearly
# always enough.
LONGEST_PAGE_SIZE = 999
_ALL_CONVERSATION_TYPES = "public_channel,private_channel,mpim,im"


# How many users a page of `list_profiles` has. Slack recommends at most 200.
PROFILES_PAGE_SIZE = 200


class Outbound:
    """Everything that the bot does in Slack. `client` must come from `client.make_client`.

    `mask` masks all secrets in a text; `mask_own` masks only Taskwire's own tokens. `clock` returns this
    machine's time in seconds since 1970. A call raises the errors in `errors`.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        limiter: Limiter,
        mask: Callable[[str], str],
        *,
        timeouts: SlackTimeouts | None = None,
        mask_own: Callable[[str], str] = str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if client.session is None or client.retry_handlers:
            raise ValueError("the client must share a session and repeat nothing: make it with make_client")
        self.timeouts = timeouts or SlackTimeouts()
        self._client = client
        self._rate_limits = RateLimits(limiter)
        self._clock = SlackClock(clock)
        self._calls = Calls(client, self._rate_limits, self._clock)
        self._drafts = Drafts(mask, mask_own)
        self.views = Views(client, self._calls, self._drafts, self.timeouts.change)
        self.sessions = AgentSessions(client, self._calls, self._drafts, self.timeouts.change)
        self._handed_out_urls = HandedOutUrls(
            client.session, client.base_url, client.token or "", self._rate_limits
        )
        self.files = Files(
            client, self._calls, self._drafts, self._handed_out_urls, self.timeouts, self._get_own
        )
        self._identity: Identity | None = None

    @property
    def last_answer_at(self) -> datetime | None:
        """When Slack last answered, by Slack's own clock; None before the first answer."""
        return self._calls.last_answer_at

    def now(self) -> datetime:
        """Return the present time by Slack's clock. Messages and clicks are ordered by this clock."""
        return self._clock.now()

    def record_payload(self, ts: Ts) -> None:
        """Record that a payload with this ts has just arrived from Slack."""
        self._clock.record_payload(ts)

    @property
    def granted_scopes(self) -> frozenset[str] | None:
        """The scopes of the bot's token; None if Slack has not named them."""
        return self._calls.granted_scopes

    async def reserve(self, method: str, channel: str = "", priority: Priority = Priority.POST) -> None:
        """Take a place in the rate limits for a later call. Raise `NoCapacity` if no place is free."""
        await self._rate_limits.take(method, channel, priority)

    async def get_identity(self) -> Identity:
        """Ask Slack for the workspace and the user of the bot."""
        answer = await self._calls.make(Method.IDENTITY, self.timeouts.read, self._client.auth_test())
        self._identity = models.parse_identity(answer)
        return self._identity

    async def get_identity_of(self, token: str) -> Identity:
        """Ask Slack for the workspace and the user of this bot token.

        Raises `TokenProblem` if Slack refuses the token.
        """
        other = make_client(token, self._client.base_url, session=self._client.session)
        call = other.auth_test()
        return models.parse_identity(await self._calls.make(Method.IDENTITY, self.timeouts.read, call))

    def use_token(self, token: str) -> None:
        """Use another token of this bot from the next call on."""
        self._client.token = token
        self._handed_out_urls.use_token(token)

    async def _get_own(self) -> Identity:
        return self._identity or await self.get_identity()

    async def open_socket(self, app_token: str) -> str:
        """Return a URL for Socket Mode, which works once. Raises `TokenProblem` if the app token is wrong."""
        call = self._client.apps_connections_open(app_token=app_token)
        answer = await self._calls.make(Method.OPEN_SOCKET, self.timeouts.read, call)
        return models.require_text(Method.OPEN_SOCKET, answer, "url")

    async def post(
        self, channel: ChannelId, message: Message, meta: Metadata, *, thread_ts: Ts | None = None
    ) -> Ts:
        """Post a message and return its ts.

        The caller must first take a place in Slack's rate limits with `reserve`. If the call is inside a
        `transport.deadline`, that deadline applies.
        """
        ready = self._drafts.prepare_message(message)
        call = self._client.chat_postMessage(
            channel=channel,
            text=ready.text,
            blocks=_blocks(ready) or None,
            thread_ts=thread_ts,
            metadata=make_metadata(meta),
            unfurl_links=False,
            unfurl_media=False,
        )
        sent_at = self._clock.local_time()
        answer = await self._calls.make(Method.POST, self.timeouts.post, call, is_reserved=True)
        ts = models.require_ts(Method.POST, answer, "ts")
        self._clock.record_post(ts, sent_at)
        return ts

    async def find_copies(
        self, channel: ChannelId, thread_ts: Ts | None, since: Ts | None, message_id: str
    ) -> list[Ts]:
        """Return the ts of the bot's messages with this metadata id, the oldest first.

        Search in a thread, or in a channel's top level if `thread_ts` is None. Search from `since` on. If
        `since` is None, search only one page; in a channel, this is the page with the newest messages.
        """
        own = await self._get_own()
        found = {
            ts
            async for message in self._calls.iter_messages(channel, thread_ts, since, self.timeouts.read)
            if is_copy(message, own, message_id) and (ts := read_ts(message, "ts"))
        }
        return sorted(found, key=microseconds)

    async def list_replies(
        self, channel: ChannelId, thread_ts: Ts, since: Ts, priority: Priority = Priority.POST
    ) -> ThreadReading:
        """Return the messages of a thread from `since` on. The message at `since` is included."""
        own = await self._get_own()
        found: dict[Ts, inbound.ThreadMessage] = {}
        own_ids: set[str] = set()
        async for message in self._calls.iter_messages(
            channel, thread_ts, since, self.timeouts.read, priority
        ):
            read = inbound.parse_thread_message(message, channel, own.bot_user_id)
            if is_of_stranger(message, own.team_id, own.enterprise_id):
                continue
            if isinstance(read, inbound.ThreadMessage):
                found[read.ts] = read
            elif (meta := read_metadata(message, own)) is not None:
                own_ids.add(meta.id)
        return ThreadReading(
            sorted(found.values(), key=lambda read: microseconds(read.ts)), frozenset(own_ids)
        )

    async def list_earlier(
        self, channel: ChannelId, thread_ts: Ts, before: Ts | None = None
    ) -> list[inbound.WrittenMessage]:
        """Return the messages that people wrote in a thread, including the first message of the thread.

        If `before` is given, return only the messages that are older than this ts.
        """
        own = await self._get_own()
        found = []
        async for message in self._calls.iter_messages(channel, thread_ts, thread_ts, self.timeouts.read):
            read = inbound.parse_earlier_message(message, channel, own.bot_user_id)
            if read is not None and (before is None or microseconds(read.ts) < microseconds(before)):
                found.append(read)
        return found

    async def list_roots(self, channel: ChannelId, latest: Ts) -> RootsPage:
        """Return one page of a channel's messages up to `latest`.

        Each message has the time of its last reply.
        """
        answer = await self._calls.history_page(
            channel, latest, ROOTS_PAGE_SIZE, self.timeouts.read, Priority.BACKFILL
        )
        return models.parse_roots_page(answer, latest)

    async def find_metadata(self, channel: ChannelId, ts: Ts) -> Metadata | None:
        """Return the metadata of a message; None if the bot did not post the message.

        The message may be in a thread or in the channel itself.
        """
        own = await self._get_own()
        async for message in self._calls.iter_messages(channel, ts, ts, self.timeouts.read):
            return read_metadata(message, own) if read_ts(message, "ts") == ts else None
        return None

    async def find_picked(self, channel: ChannelId, ts: Ts) -> PickedMessage:
        """Return a message that a person has picked. It may be in a thread or in the channel itself.

        Raises `MessageGone` if the message does not exist.
        """
        own = await self._get_own()
        async for message in self._calls.iter_messages(channel, ts, ts, self.timeouts.read):
            found = parse_picked(message)
            if found is not None and found.ts == ts:
                authors = {read_text(message, "user"), read_text(message, "bot_id")} - {""}
                return replace(found, is_own=not authors.isdisjoint((own.bot_user_id, own.bot_id)))
        raise MessageGone(Method.REPLIES, "message_not_found")

    async def find_traces(self, channel: ChannelId, thread_ts: Ts, ts: Ts) -> Traces:
        """Return the bot's reactions on the message at `ts`, and the bot's later messages in the thread."""
        own = await self._get_own()
        own_reactions, own_ids = frozenset[str](), []
        async for message in self._calls.iter_messages(channel, thread_ts, ts, self.timeouts.read):
            if read_ts(message, "ts") == ts:
                own_reactions = read_reactions(message, own.bot_user_id)
            elif (meta := read_metadata(message, own)) is not None:
                own_ids.append(meta.id)
        return Traces(own_reactions, own_ids)

    async def update(
        self,
        channel: ChannelId,
        ts: Ts,
        message: Message,
        meta: Metadata,
        priority: Priority = Priority.CARD,
        *,
        is_reserved: bool = False,
    ) -> None:
        """Replace the text, blocks and metadata of a message of the bot.

        The call takes a place in the rate limits. With `is_reserved`, `reserve_update` has taken the place
        already.
        """
        ready = self._drafts.prepare_message(message, drafts.EDITED_TEXT_LENGTH)
        call = self._client.chat_update(
            channel=channel,
            ts=ts,
            text=ready.text,
            # Without blocks in the update, the message would keep its old blocks.
            blocks=_blocks(ready),
            metadata=make_metadata(meta),
        )
        await self._calls.make(
            Method.UPDATE,
            self.timeouts.change,
            call,
            _edit_limit_key(channel, ts),
            priority=priority,
            is_reserved=is_reserved,
        )

    async def unfurl(self, channel: ChannelId, ts: Ts, previews: Mapping[str, Message]) -> None:
        """Show a preview below each link in a person's message. `previews` maps each link to its preview."""
        ready = {url: self._drafts.prepare_message(each) for url, each in previews.items()}
        unfurls = {url: {"fallback": each.text, "blocks": _blocks(each)} for url, each in ready.items()}
        call = self._client.chat_unfurl(channel=channel, ts=ts, unfurls=unfurls)
        await self._calls.make(Method.UNFURL, self.timeouts.change, call, priority=Priority.CARD)

    async def reserve_update(self, channel: ChannelId, ts: Ts, priority: Priority = Priority.CARD) -> None:
        """Take a place in the rate limits for one edit of a message.

        Raise `NoCapacity` if no place is free.
        """
        await self._rate_limits.take(Method.UPDATE, _edit_limit_key(channel, ts), priority)

    async def delete(self, channel: ChannelId, ts: Ts) -> None:
        """Delete a message of the bot. Raises `MessageGone` if the message does not exist."""
        call = self._client.chat_delete(channel=channel, ts=ts)
        await self._calls.make(Method.DELETE, self.timeouts.change, call)

    async def add_reaction(self, channel: ChannelId, ts: Ts, name: str) -> None:
        """Add the bot's reaction to a message. If the reaction is there already, that counts as success."""
        call = self._client.reactions_add(channel=channel, timestamp=ts, name=name)
        await self._change_reaction(Method.REACT, call, "already_reacted")

    async def remove_reaction(self, channel: ChannelId, ts: Ts, name: str) -> None:
        """Remove the bot's reaction from a message. If there is no such reaction, that counts as success."""
        call = self._client.reactions_remove(channel=channel, timestamp=ts, name=name)
        await self._change_reaction(Method.UNREACT, call, "no_reaction")

    async def _change_reaction(
        self, method: Method, call: Coroutine[object, object, AsyncSlackResponse], ok_error: str
    ) -> None:
        await self._calls.make(
            method, self.timeouts.change, call, priority=Priority.RECEIPT, ok_error=ok_error
        )

    async def respond(self, response_url: str, message: Message, *, replace_original: bool = False) -> None:
        """Answer a command or a click by its response URL. Only the person who acted sees the answer.

        With `replace_original`, the answer replaces the message that contains the clicked button. Slack does
        not guarantee that the answer is shown.
        """
        ready = self._drafts.prepare_message(message)
        payload: dict[str, object] = {"text": ready.text, "blocks": _blocks(ready)}
        payload |= {"response_type": "ephemeral", "replace_original": replace_original}
        await self._handed_out_urls.respond(response_url, payload, self.timeouts.change)

    async def post_ephemeral(
        self,
        channel: ChannelId,
        user: UserId,
        message: Message,
        thread_ts: Ts | None = None,
        priority: Priority = Priority.POST,
    ) -> None:
        """Show a message to only one member of a channel.

        Slack does not guarantee that the message is shown.
        """
        ready = self._drafts.prepare_message(message)
        call = self._client.chat_postEphemeral(
            channel=channel, user=user, text=ready.text, blocks=_blocks(ready) or None, thread_ts=thread_ts
        )
        await self._calls.make(Method.POST_EPHEMERAL, self.timeouts.change, call, priority=priority)

    async def get_profile(self, user: UserId) -> Profile:
        """Return a user's profile."""
        call = self._client.users_info(user=user)
        return models.parse_profile(await self._calls.make(Method.USER, self.timeouts.read, call))

    async def list_profiles(self, cursor: str = "", team: str = "") -> tuple[tuple[Profile, ...], str]:
        """Return a page of a workspace's profiles, and the cursor of the next page.

        The cursor is empty after the last page. `team` is from `list_teams_to_ask`.
        """
        call = self._client.users_list(limit=PROFILES_PAGE_SIZE, cursor=cursor or None, team_id=team or None)
        answer = await self._calls.make(Method.USERS, self.timeouts.read, call)
        return models.parse_profiles(answer), read_text(answer, "response_metadata", "next_cursor")

    async def find_user_by_email(self, email: str) -> UserId | None:
        """Return the member of this workspace with this e-mail address; None if there is no such member."""
        call = self._client.users_lookupByEmail(email=email)
        answer = await self._calls.make(
            Method.USER_BY_EMAIL, self.timeouts.read, call, ok_error="users_not_found"
        )
        return read_user(answer, "user", "id")

    async def get_channel(self, channel: ChannelId) -> Channel:
        """Return a conversation. Raises `ChannelProblem` if the bot cannot see the conversation."""
        call = self._client.conversations_info(channel=channel)
        return models.parse_channel(await self._calls.make(Method.CHANNEL, self.timeouts.read, call))

    async def list_channels_of(self, user: UserId) -> frozenset[ChannelId]:
        """Return the conversations of a user. Conversations that the bot cannot see are left out."""
        found: set[ChannelId] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            call = self._client.users_conversations(
                user=user, types=_ALL_CONVERSATION_TYPES, cursor=cursor or None, limit=LONGEST_PAGE_SIZE
            )
            answer = await self._calls.make(Method.CHANNELS_OF, self.timeouts.read, call)
            found |= {each for row in read_objects(answer, "channels") if (each := read_channel(row, "id"))}
            cursor = read_text(answer, "response_metadata", "next_cursor")
            if not cursor:
                break
        return frozenset(found)

    async def list_group(self, group_id: str, teams: Sequence[str] = ("",)) -> frozenset[UserId]:
        """Return the members of a user group, which is in one of these `teams` (from `list_teams_to_ask`)."""
        for team in teams:
            call = self._client.usergroups_users_list(usergroup=group_id, team_id=team or None)
            try:
                answer = await self._calls.make(Method.GROUP, self.timeouts.read, call)
            except SlackRefused as refused:
                if refused.code != "no_such_subteam" or team == teams[-1]:
                    raise
            else:
                return frozenset(UserId(user) for user in read_strings(answer, "users"))
        return frozenset()

    async def list_groups(self, team: str = "", *, with_members: bool = False) -> dict[str, UserGroup]:
        """Return a workspace's user groups by id. `team` is from `list_teams_to_ask`."""
        call = self._client.usergroups_list(team_id=team or None, include_users=with_members)
        rows = read_objects(await self._calls.make(Method.GROUPS, self.timeouts.read, call), "usergroups")
        return {group: UserGroup.parse(row) for row in rows if (group := read_text(row, "id"))}

    async def list_teams(self) -> frozenset[str]:
        """Return the workspaces in which the app is installed."""
        found: set[str] = set()
        cursor = ""
        for _ in range(MOST_PAGES):
            call = self._client.auth_teams_list(cursor=cursor or None, limit=PAGE_SIZE)
            answer = await self._calls.make(Method.TEAMS, self.timeouts.read, call)
            found |= {team for row in read_objects(answer, "teams") if (team := read_text(row, "id"))}
            cursor = read_text(answer, "response_metadata", "next_cursor")
            if not cursor:
                break
        return frozenset(found)

    async def list_teams_to_ask(self) -> tuple[str, ...]:
        """Return the workspaces that Taskwire has to ask about people or groups, each with a call of its own.

        If the app is installed for an organization, each call must name a workspace. Otherwise return one
        empty string: the call then means the token's own workspace.
        """
        is_org_wide = (await self._get_own()).is_org_wide
        return tuple(sorted(await self.list_teams())) if is_org_wide else ("",)

    async def get_permalink(self, channel: ChannelId, ts: Ts) -> str:
        """Return the URL of a message."""
        call = self._client.chat_getPermalink(channel=channel, message_ts=ts)
        answer = await self._calls.make(Method.PERMALINK, self.timeouts.read, call)
        return models.require_text(Method.PERMALINK, answer, "permalink")

    async def open_direct(self, user: UserId) -> ChannelId:
        """Open the direct conversation with a person. Return the conversation's id."""
        call = self._client.conversations_open(users=user)
        answer = await self._calls.make(Method.OPEN_DIRECT, self.timeouts.change, call)
        return ChannelId(models.require_text(Method.OPEN_DIRECT, answer, "channel", "id"))


def _blocks(message: Message) -> list[dict[str, JsonValue]]:
    return list(message.blocks)


def _edit_limit_key(channel: ChannelId, ts: Ts) -> str:
    """Return the key of the rate limit for edits of one message."""
    return f"{channel}:{ts}"
