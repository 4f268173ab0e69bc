"""Calls of the Web API: each made once, each sorted into one of the three outcomes.

It ends at Slack's answer as it is; what it says is for `outbound` and `answers`.
"""

from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from taskwire import transport
from taskwire.model.ids import ChannelId, Ts, microseconds
from taskwire.slack import errors, reading
from taskwire.slack.answers import Answer
from taskwire.slack.clock import SlackClock

# Slack recommends no more than 200 a page, and answers large pages late.
PAGE = 200
# A thread or an hour of a channel that has not ended after this many pages is not read any further.
PAGES = 50
# How long a method rests if Slack limits it without saying for how long.
PAUSE_SECONDS = 10.0


class Method(StrEnum):
    """What `make_room` is asked for."""

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


class Limiter(Protocol):
    """The pace that all replicas keep together."""

    async def wait(self, method: str, channel: str = "") -> float:
        """Take a place and return 0, or return the seconds until there is one."""
        ...

    async def pause(self, method: str, channel: str, seconds: float) -> None:
        """Let nobody call this method before that."""
        ...


class Unlimited:
    """For calls that are made before anybody knows whose limits count."""

    async def wait(self, method: str, channel: str = "") -> float:
        """There is always room."""
        del method, channel
        return 0.0

    async def pause(self, method: str, channel: str, seconds: float) -> None:
        """Nobody is told: who called knows how long to wait."""
        del method, channel, seconds


class _Answered(NamedTuple):
    status: int
    body: Answer
    headers: Mapping[str, str]


class Calls:
    """Makes calls with one client, and remembers when Slack answered last by its own clock."""

    def __init__(self, client: AsyncWebClient, limiter: Limiter, clock: SlackClock) -> None:
        self.last_answer_at: datetime | None = None
        self.granted: frozenset[str] | None = None
        self._client = client
        self._limiter = limiter
        self._clock = clock

    async def make_room(self, method: str, channel: str = "") -> None:
        """Take a place for one call, or raise `NoRoom`, which says when there will be one."""
        seconds = await self._limiter.wait(method, channel)
        if seconds > 0:
            raise errors.NoRoom(f"{method} has to wait", seconds)

    async def ask(
        self,
        method: str,
        seconds: float,
        call: Awaitable[AsyncSlackResponse],
        channel: str = "",
        *,
        fine: str = "",
    ) -> Answer:
        """Make one call and return its documented success; `fine` is an error that is as good."""
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
            # What Slack said counts, also where the others cannot be told.
            with suppress(Exception):
                await self._limiter.pause(method, channel, broken.after_seconds or PAUSE_SECONDS)
        raise broken

    async def messages(
        self, channel: ChannelId, thread_ts: Ts | None, since: Ts | None, seconds: float
    ) -> AsyncIterator[Answer]:
        """Yield all messages of a thread or a channel's top since (and at) a moment, page by page.

        Only the pages after the first take a place of their own; without a moment there is only the first.
        """
        method = Method.REPLIES if thread_ts else Method.HISTORY
        cursor = ""
        for page in range(PAGES):
            if page:
                await self.make_room(method, channel)
            answer = await self.ask(method, seconds, self._page(channel, thread_ts, since, cursor), channel)
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
    ) -> Awaitable[AsyncSlackResponse]:
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
