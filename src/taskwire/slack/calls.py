"""Calls of the Web API: each made once, each sorted into one of the three outcomes.

It ends at Slack's answer as it is; what it says is for `outbound` and `answers`.
"""

from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from taskwire import transport
from taskwire.model.ids import ChannelId, Ts, microseconds
from taskwire.model.urgency import Urgency
from taskwire.slack import errors, reading
from taskwire.slack.answers import Answer
from taskwire.slack.clock import SlackClock
from taskwire.slack.room import EVERYTHING, Room

# Slack recommends no more than 200 a page, and answers large pages late.
PAGE = 200
# A thread or an hour of a channel that has not ended after this many pages is not read any further.
PAGES = 50


class Method(StrEnum):
    """The methods that are called."""

    POST = "chat.postMessage"
    POST_EPHEMERAL = "chat.postEphemeral"
    UPDATE = "chat.update"
    DELETE = "chat.delete"
    PERMALINK = "chat.getPermalink"
    REACT = "reactions.add"
    UNREACT = "reactions.remove"
    REPLIES = "conversations.replies"
    HISTORY = "conversations.history"
    CHANNEL = "conversations.info"
    OPEN_DIRECT = "conversations.open"
    USER = "users.info"
    USER_BY_EMAIL = "users.lookupByEmail"
    GROUP = "usergroups.users.list"
    OPEN_VIEW = "views.open"
    UPDATE_VIEW = "views.update"
    START_UPLOAD = "files.getUploadURLExternal"
    COMPLETE_UPLOAD = "files.completeUploadExternal"
    FILE = "files.info"
    IDENTITY = "auth.test"
    OPEN_SOCKET = "apps.connections.open"


class _Answered(NamedTuple):
    status: int
    body: Answer
    headers: Mapping[str, str]


class Calls:
    """Makes calls with one client, and remembers when Slack answered last by its own clock."""

    def __init__(self, client: AsyncWebClient, room: Room, clock: SlackClock) -> None:
        self.last_answer_at: datetime | None = None
        self.granted: frozenset[str] | None = None
        self._client = client
        self._room = room
        self._clock = clock

    async def ask(
        self,
        method: str,
        seconds: float,
        call: Coroutine[object, object, AsyncSlackResponse],
        where: str = "",
        *,
        urgency: Urgency = Urgency.POST,
        has_room: bool = False,
        fine: str = "",
    ) -> Answer:
        """Make one call and return its documented success; `fine` is an error that is as good.

        It takes its own place, unless its caller has done so before an attempt (`has_room`).
        """
        if not has_room:
            await self._make_room(call, method, where, urgency)
        sent = self._clock.ours()
        status, body, headers = await transport.exchange(method, seconds, _answered(call))
        self._note_time(body, headers.get("Date", ""), sent)
        if scopes := headers.get("X-OAuth-Scopes"):
            self.granted = frozenset(scope.strip() for scope in scopes.split(","))
        if status == 200 and (body.get("ok") is True or (fine and body.get("error") == fine)):
            return body
        secret = self._client.token or ""
        broken = errors.sort(method, status, body, headers.get("Retry-After", ""), secret=secret)
        if isinstance(broken, errors.RateLimited):
            await self._room.closed(method if body.get("ok") is False else EVERYTHING, broken.after_seconds)
        raise broken

    async def _make_room(
        self, call: Coroutine[object, object, object], method: str, where: str, urgency: Urgency
    ) -> None:
        try:
            await self._room.take(method, where, urgency)
        except BaseException:
            call.close()
            raise

    async def messages(
        self,
        channel: ChannelId,
        thread_ts: Ts | None,
        since: Ts | None,
        seconds: float,
        urgency: Urgency = Urgency.POST,
    ) -> AsyncIterator[Answer]:
        """Yield all messages of a thread or a channel's top since (and at) a moment, page by page.

        Without a moment there is only the first page.
        """
        method = Method.REPLIES if thread_ts else Method.HISTORY
        cursor = ""
        for _ in range(PAGES):
            page = self._page(channel, thread_ts, since, cursor)
            answer = await self.ask(method, seconds, page, urgency=urgency)
            for message in reading.rows(answer, "messages"):
                # A thread's root comes with every page, whatever was asked for.
                ts = reading.ts(message, "ts")
                if ts and (since is None or microseconds(ts) >= microseconds(since)):
                    yield message
            if since is None:
                return
            cursor = reading.text(answer, "response_metadata", "next_cursor")
            if not cursor and not reading.flag(answer, "has_more"):
                return
            if not cursor:
                raise errors.Nonsense(method, "more messages, and no way to them")
        raise errors.Nonsense(method, f"still going on after {PAGES} pages")

    def _page(
        self, channel: ChannelId, thread_ts: Ts | None, since: Ts | None, cursor: str
    ) -> Coroutine[object, object, AsyncSlackResponse]:
        if thread_ts is None:
            return self._client.conversations_history(
                channel=channel,
                oldest=since,
                inclusive=True,
                include_all_metadata=True,
                limit=PAGE,
                cursor=cursor or None,
            )
        return self._client.conversations_replies(
            channel=channel,
            ts=thread_ts,
            oldest=since,
            inclusive=True,
            include_all_metadata=True,
            limit=PAGE,
            cursor=cursor or None,
        )

    def _note_time(self, body: Answer, date: str, sent: float) -> None:
        """Remember Slack's own clock; what stands before Slack may have another."""
        if "ok" not in body:
            return
        with suppress(ValueError):
            at = parsedate_to_datetime(date)
            self.last_answer_at = at if at.tzinfo else at.replace(tzinfo=UTC)
            self._clock.answered(self.last_answer_at, sent)


async def _answered(call: Awaitable[AsyncSlackResponse]) -> _Answered:
    """Await an answer of any kind: the SDK raises those that are no success, with the request inside."""
    answer: object
    try:
        answer = await call
    except SlackApiError as exc:
        answer = exc.response
    if isinstance(answer, AsyncSlackResponse):
        body = answer.data if isinstance(answer.data, dict) else {}
        return _Answered(answer.status_code, body, answer.headers)
    if isinstance(answer, aiohttp.ClientResponse):
        # So come those that claim to be JSON and are not.
        return _Answered(answer.status, {}, answer.headers)
    raise TypeError(f"the SDK answered with {type(answer).__name__}")
