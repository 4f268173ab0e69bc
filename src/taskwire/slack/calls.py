"""Makes calls of Slack's Web API, each call once. An error says whether Slack has carried out the call.

This module returns Slack's answers unparsed. `outbound` and `models` parse the answers.
"""

from collections.abc import AsyncIterator, Awaitable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from taskwire import transport
from taskwire.domain.errors import name_failing_system
from taskwire.domain.ids import ChannelId, Ts, microseconds
from taskwire.slack import errors
from taskwire.slack.call_priorities import ALL_METHODS, Priority, RateLimits
from taskwire.slack.clock import SlackClock
from taskwire.slack.models import SlackAnswer
from taskwire.slack.payload_fields import read_flag, read_objects, read_text, read_ts

# How many messages a page has. Slack recommends at most 200 and answers slowly for large pages.
PAGE_SIZE = 200
# The most pages that are read. A thread or channel with more pages raises an error.
MOST_PAGES = 50


class Method(StrEnum):
    """The Web API methods that Taskwire calls."""

    POST = "chat.postMessage"
    POST_EPHEMERAL = "chat.postEphemeral"
    UPDATE = "chat.update"
    DELETE = "chat.delete"
    UNFURL = "chat.unfurl"
    SET_SESSION = "agents.sessions.setStatus"
    PERMALINK = "chat.getPermalink"
    REACT = "reactions.add"
    UNREACT = "reactions.remove"
    REPLIES = "conversations.replies"
    HISTORY = "conversations.history"
    CHANNEL = "conversations.info"
    CHANNELS_OF = "users.conversations"
    OPEN_DIRECT = "conversations.open"
    USER = "users.info"
    USERS = "users.list"
    USER_BY_EMAIL = "users.lookupByEmail"
    GROUP = "usergroups.users.list"
    GROUPS = "usergroups.list"
    TEAMS = "auth.teams.list"
    OPEN_VIEW = "views.open"
    UPDATE_VIEW = "views.update"
    PUBLISH_VIEW = "views.publish"
    START_UPLOAD = "files.getUploadURLExternal"
    COMPLETE_UPLOAD = "files.completeUploadExternal"
    FILE = "files.info"
    IDENTITY = "auth.test"
    OPEN_SOCKET = "apps.connections.open"


@dataclass(frozen=True)
class SlackTimeouts:
    """The longest duration of each kind of call, in seconds.

    No post takes longer than `post`. Reconciliation relies on this.
    """

    post: float = 15.0
    change: float = 15.0
    read: float = 15.0
    file: float = 60.0


class _Response(NamedTuple):
    status: int
    body: SlackAnswer
    headers: Mapping[str, str]


class Calls:
    """Makes calls with one SDK client. Records when Slack last answered, and which scopes the token has."""

    def __init__(self, client: AsyncWebClient, rate_limits: RateLimits, clock: SlackClock) -> None:
        self.last_answer_at: datetime | None = None
        self.granted_scopes: frozenset[str] | None = None
        self._client = client
        self._rate_limits = rate_limits
        self._clock = clock

    async def make(
        self,
        method: str,
        seconds: float,
        call: Coroutine[object, object, AsyncSlackResponse],
        where: str = "",
        *,
        priority: Priority = Priority.POST,
        is_reserved: bool = False,
        ok_error: str = "",
    ) -> SlackAnswer:
        """Make one call within `seconds` and return its successful answer.

        `where` is a channel or a message that has a rate limit of its own. `ok_error` is an error code that
        counts as success. The call takes a place in the rate limits, unless the caller has taken the place
        already (`is_reserved`). Raises the errors of `slack/errors.py`.
        """
        if not is_reserved:
            await self._reserve(call, method, where, priority)
        with name_failing_system("Slack"):
            return await self._send(method, seconds, call, ok_error)

    async def _send(
        self, method: str, seconds: float, call: Coroutine[object, object, AsyncSlackResponse], ok_error: str
    ) -> SlackAnswer:
        sent_at = self._clock.local_time()
        status, body, headers = await transport.exchange(method, seconds, _read_response(call))
        self._note_time(body, headers.get("Date", ""), sent_at)
        # Only this method is called with the app's token and not with the bot's token.
        if method != Method.OPEN_SOCKET and (scopes := headers.get("X-OAuth-Scopes")):
            self.granted_scopes = frozenset(scope.strip() for scope in scopes.split(","))
        if status == 200 and (body.get("ok") is True or (ok_error and body.get("error") == ok_error)):
            return body
        secret = self._client.token or ""
        error = errors.classify(method, status, body, headers.get("Retry-After", ""), secret=secret)
        if isinstance(error, errors.SlackRateLimited):
            await self._rate_limits.record_rate_limited(
                method if body.get("ok") is False else ALL_METHODS, error.retry_after_seconds
            )
        raise error

    async def _reserve(
        self, call: Coroutine[object, object, object], method: str, where: str, priority: Priority
    ) -> None:
        try:
            await self._rate_limits.take(method, where, priority)
        except BaseException:
            call.close()
            raise

    async def iter_messages(
        self,
        channel: ChannelId,
        thread_ts: Ts | None,
        since: Ts | None,
        seconds: float,
        priority: Priority = Priority.POST,
    ) -> AsyncIterator[SlackAnswer]:
        """Yield the messages of a thread, or of a channel's top level, from `since` on.

        The message at `since` is included. Without `since`, only the first page is read. Each page is one
        call of at most `seconds`.
        """
        method = Method.REPLIES if thread_ts else Method.HISTORY
        cursor = ""
        for _ in range(MOST_PAGES):
            page = self._page(channel, thread_ts, since, cursor)
            answer = await self.make(method, seconds, page, priority=priority)
            for message in read_objects(answer, "messages"):
                # Slack returns a thread's root with every page, even if it is older than `since`.
                ts = read_ts(message, "ts")
                if ts and (since is None or microseconds(ts) >= microseconds(since)):
                    yield message
            if since is None:
                return
            cursor = read_text(answer, "response_metadata", "next_cursor")
            if not cursor and not read_flag(answer, "has_more"):
                return
            if not cursor:
                raise errors.UnexpectedSlackAnswer(method, "more messages, and no way to them")
        raise errors.UnexpectedSlackAnswer(method, f"still going on after {MOST_PAGES} pages")

    async def history_page(
        self, channel: ChannelId, latest: Ts, limit: int, seconds: float, priority: Priority
    ) -> SlackAnswer:
        """Return one page of a channel's top-level messages up to `latest`.

        The message at `latest` is included.
        """
        page = self._client.conversations_history(channel=channel, latest=latest, inclusive=True, limit=limit)
        return await self.make(Method.HISTORY, seconds, page, priority=priority)

    def _page(
        self, channel: ChannelId, thread_ts: Ts | None, since: Ts | None, cursor: str
    ) -> Coroutine[object, object, AsyncSlackResponse]:
        if thread_ts is None:
            return self._client.conversations_history(
                channel=channel,
                oldest=since,
                inclusive=True,
                include_all_metadata=True,
                limit=PAGE_SIZE,
                cursor=cursor or None,
            )
        return self._client.conversations_replies(
            channel=channel,
            ts=thread_ts,
            oldest=since,
            inclusive=True,
            include_all_metadata=True,
            limit=PAGE_SIZE,
            cursor=cursor or None,
        )

    def _note_time(self, body: SlackAnswer, date: str, sent_at: float) -> None:
        """Learn Slack's time from an answer.

        Ignore the answer of a proxy, whose clock may differ from Slack's.
        """
        if "ok" not in body:
            return
        with suppress(ValueError):
            at = parsedate_to_datetime(date)
            self.last_answer_at = at if at.tzinfo else at.replace(tzinfo=UTC)
            self._clock.record_answer(self.last_answer_at, sent_at)


async def _read_response(call: Awaitable[AsyncSlackResponse]) -> _Response:
    """Return the response, whatever its status is.

    For a failure, take the response from the SDK's exception.
    """
    answer: object
    try:
        answer = await call
    except SlackApiError as exc:
        answer = exc.response
    if isinstance(answer, AsyncSlackResponse):
        body = answer.data if isinstance(answer.data, dict) else {}
        return _Response(answer.status_code, body, answer.headers)
    if isinstance(answer, aiohttp.ClientResponse):
        # The SDK returns this type for an answer that is not JSON although its header says so.
        return _Response(answer.status, {}, answer.headers)
    raise TypeError(f"the SDK answered with {type(answer).__name__}")
