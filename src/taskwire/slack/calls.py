"""Makes calls of the Web API: each call once, and each result sorted into one of the three outcomes.

This module returns Slack's answers unparsed. `outbound` and `models` read them.
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
from taskwire.domain.errors import name_failing_system
from taskwire.domain.ids import ChannelId, Ts, microseconds
from taskwire.slack import errors, payload_fields
from taskwire.slack.call_priorities import ALL_METHODS, Priority, RateLimits
from taskwire.slack.clock import SlackClock
from taskwire.slack.models import SlackAnswer

# Messages on a page. Slack recommends at most 200 and answers slowly for large pages.
PAGE = 200
# Most pages that are read. A thread or channel with more pages raises an error.
PAGES = 50


class Method(StrEnum):
    """The Web API methods that Taskwire calls."""

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
    CHANNELS_OF = "users.conversations"
    OPEN_DIRECT = "conversations.open"
    USER = "users.info"
    USERS = "users.list"
    USER_BY_EMAIL = "users.lookupByEmail"
    GROUP = "usergroups.users.list"
    TEAMS = "auth.teams.list"
    OPEN_VIEW = "views.open"
    UPDATE_VIEW = "views.update"
    START_UPLOAD = "files.getUploadURLExternal"
    COMPLETE_UPLOAD = "files.completeUploadExternal"
    FILE = "files.info"
    IDENTITY = "auth.test"
    OPEN_SOCKET = "apps.connections.open"


class _Answered(NamedTuple):
    status: int
    body: SlackAnswer
    headers: Mapping[str, str]


class Calls:
    """Makes calls with one client, and remembers when Slack last answered by its own clock."""

    def __init__(self, client: AsyncWebClient, rate_limits: RateLimits, clock: SlackClock) -> None:
        self.last_answer_at: datetime | None = None
        self.granted: frozenset[str] | None = None
        self._client = client
        self._rate_limits = rate_limits
        self._clock = clock

    async def ask(
        self,
        method: str,
        seconds: float,
        call: Coroutine[object, object, AsyncSlackResponse],
        where: str = "",
        *,
        priority: Priority = Priority.POST,
        is_reserved: bool = False,
        fine: str = "",
    ) -> SlackAnswer:
        """Make one call and return its successful answer. `fine` is an error that counts as success.

        The call takes a place in the rate limits, unless the caller has taken it already (`is_reserved`).
        """
        if not is_reserved:
            await self._reserve(call, method, where, priority)
        with name_failing_system("Slack"):
            return await self._answer(method, seconds, call, fine)

    async def _answer(
        self, method: str, seconds: float, call: Coroutine[object, object, AsyncSlackResponse], fine: str
    ) -> SlackAnswer:
        sent = self._clock.ours()
        status, body, headers = await transport.exchange(method, seconds, _answered(call))
        self._note_time(body, headers.get("Date", ""), sent)
        if scopes := headers.get("X-OAuth-Scopes"):
            self.granted = frozenset(scope.strip() for scope in scopes.split(","))
        if status == 200 and (body.get("ok") is True or (fine and body.get("error") == fine)):
            return body
        secret = self._client.token or ""
        broken = errors.sort(method, status, body, headers.get("Retry-After", ""), secret=secret)
        if isinstance(broken, errors.SlackRateLimited):
            await self._rate_limits.closed(
                method if body.get("ok") is False else ALL_METHODS, broken.retry_after_seconds
            )
        raise broken

    async def _reserve(
        self, call: Coroutine[object, object, object], method: str, where: str, priority: Priority
    ) -> None:
        try:
            await self._rate_limits.take(method, where, priority)
        except BaseException:
            call.close()
            raise

    async def messages(
        self,
        channel: ChannelId,
        thread_ts: Ts | None,
        since: Ts | None,
        seconds: float,
        priority: Priority = Priority.POST,
    ) -> AsyncIterator[SlackAnswer]:
        """Yield the messages of a thread, or of a channel's top level, from `since` on, page by page.

        A message at `since` is included. Without `since`, only the first page is read.
        """
        method = Method.REPLIES if thread_ts else Method.HISTORY
        cursor = ""
        for _ in range(PAGES):
            page = self._page(channel, thread_ts, since, cursor)
            answer = await self.ask(method, seconds, page, priority=priority)
            for message in payload_fields.rows(answer, "messages"):
                # Slack returns a thread's root with every page, even if it is older than `since`.
                ts = payload_fields.ts(message, "ts")
                if ts and (since is None or microseconds(ts) >= microseconds(since)):
                    yield message
            if since is None:
                return
            cursor = payload_fields.text(answer, "response_metadata", "next_cursor")
            if not cursor and not payload_fields.flag(answer, "has_more"):
                return
            if not cursor:
                raise errors.UnexpectedSlackAnswer(method, "more messages, and no way to them")
        raise errors.UnexpectedSlackAnswer(method, f"still going on after {PAGES} pages")

    async def history_page(
        self, channel: ChannelId, latest: Ts, limit: int, seconds: float, priority: Priority
    ) -> SlackAnswer:
        """Return the page of a channel's top-level messages up to `latest`, including one at `latest`."""
        page = self._client.conversations_history(channel=channel, latest=latest, inclusive=True, limit=limit)
        return await self.ask(Method.HISTORY, seconds, page, priority=priority)

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

    def _note_time(self, body: SlackAnswer, date: str, sent: float) -> None:
        """Learn Slack's time from an answer. Answers of proxies are ignored: they may have another clock."""
        if "ok" not in body:
            return
        with suppress(ValueError):
            at = parsedate_to_datetime(date)
            self.last_answer_at = at if at.tzinfo else at.replace(tzinfo=UTC)
            self._clock.answered(self.last_answer_at, sent)


async def _answered(call: Awaitable[AsyncSlackResponse]) -> _Answered:
    """Return any kind of answer. The SDK raises an answer that is no success, with the answer inside."""
    answer: object
    try:
        answer = await call
    except SlackApiError as exc:
        answer = exc.response
    if isinstance(answer, AsyncSlackResponse):
        body = answer.data if isinstance(answer.data, dict) else {}
        return _Answered(answer.status_code, body, answer.headers)
    if isinstance(answer, aiohttp.ClientResponse):
        # The SDK returns this type for an answer that claims to be JSON and is not.
        return _Answered(answer.status, {}, answer.headers)
    raise TypeError(f"the SDK answered with {type(answer).__name__}")
