"""Requests to URLs that Slack hands out: a response URL, an upload URL, a private file.

They do not belong to the Web API and answer in other formats, but with the same three outcomes. No request
goes to a host that is not Slack's, and the bot's token is sent only for private files.
"""

import codecs
import ipaddress
from dataclasses import dataclass
from typing import NotRequired, TypedDict, Unpack
from urllib.parse import urlsplit

import aiohttp

from taskwire import transport
from taskwire.domain.errors import OutsideError, name_failing_system
from taskwire.slack import errors
from taskwire.slack.call_priorities import RateLimits

_CHUNK = 64 * 1024
# Longest answer of a response URL or an upload. Slack's answers are shorter.
_ANSWER_BYTES = 64 * 1024

# A used or expired response URL answers with one of these statuses and a few words instead of an error code.
_OVER = (404, 410)


class _Request(TypedDict):
    json: NotRequired[dict[str, object]]
    data: NotRequired[bytes]
    headers: NotRequired[dict[str, str]]


@dataclass(frozen=True)
class _Fetched:
    status: int
    retry_after: str
    body: bytes | None


class Addresses:
    """Makes requests to such URLs over one session. Follows no redirects and repeats nothing."""

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, token: str, rate_limits: RateLimits
    ) -> None:
        self._rate_limits = rate_limits
        self._session = session
        self._base_url = base_url
        self._token = token

    async def respond(self, url: str, message: dict[str, object], seconds: float) -> None:
        """Answer a command or a click through its response URL."""
        self._need_slacks("response_url", url)
        with name_failing_system("Slack"):
            reply = await self._ask("response_url", "POST", url, seconds, _ANSWER_BYTES, json=message)
            if reply.status in _OVER:
                raise errors.SlackRefused("response_url", "used_or_expired_url")
            await self._need_success("response_url", reply)

    async def upload(self, url: str, content: bytes, seconds: float) -> None:
        """Upload a file's bytes. Repeating an upload is harmless."""
        self._need_slacks("upload", url)
        with name_failing_system("Slack"):
            reply = await self._ask("upload", "POST", url, seconds, _ANSWER_BYTES, data=content)
            await self._need_success("upload", reply)

    async def download(self, url: str, limit_bytes: int, seconds: float) -> str | None:
        """Read a file as text; None if the file is longer than the limit or is not text."""
        self._need_slacks("download", url)
        headers = {"Authorization": f"Bearer {self._token}"}
        with name_failing_system("Slack"):
            reply = await self._ask("download", "GET", url, seconds, limit_bytes, headers=headers)
            await self._need_success("download", reply)
        return None if reply.body is None else _text(reply.body)

    async def _ask(
        self, what: str, method: str, url: str, seconds: float, limit_bytes: int, **content: Unpack[_Request]
    ) -> _Fetched:
        async def call() -> _Fetched:
            request = self._session.request(method, url, allow_redirects=False, **content)
            async with request as response:
                body = await _read(response, limit_bytes)
                return _Fetched(response.status, response.headers.get("Retry-After", ""), body)

        await self._rate_limits.take(what)
        return await transport.exchange(what, seconds, call())

    def _need_slacks(self, what: str, url: str) -> None:
        if not is_slacks(url, self._base_url):
            raise errors.ForeignAddress(what, "foreign_address")

    async def _need_success(self, what: str, reply: _Fetched) -> None:
        if reply.status == 200:
            return
        broken = _sorted(what, reply)
        if isinstance(broken, errors.SlackRateLimited):
            await self._rate_limits.closed(what, broken.retry_after_seconds)
        raise broken


def is_slacks(url: str, base_url: str) -> bool:
    """Return whether a URL is Slack's: its host or a subdomain, over HTTPS unless the API itself is local."""
    try:
        found, own = urlsplit(url), urlsplit(base_url)
        ports = found.port, own.port
    except ValueError:
        return False
    host, own_host = found.hostname or "", (own.hostname or "").removeprefix("www.")
    if found.username is not None or found.password is not None:
        return False
    if found.scheme == "http" == own.scheme and _is_loopback(own_host):
        return host == own_host and ports[0] == ports[1]
    return found.scheme == "https" and ports[0] in (None, 443, ports[1]) and _is_within(host, own_host)


def _is_within(host: str, own_host: str) -> bool:
    return bool(own_host) and (host == own_host or host.endswith(f".{own_host}"))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _read(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes | None:
    """Return the body; None if it is longer than the limit."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        content += chunk
        if len(content) > limit_bytes:
            response.close()
            return None
    return bytes(content)


def _text(content: bytes) -> str | None:
    # Apart from UTF-8, only UTF-16 with a byte order mark is decoded. A guessed encoding would give wrong
    # letters.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        words = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in words else words


def _sorted(what: str, reply: _Fetched) -> OutsideError:
    """Sort an answer that is no success. Every 4xx except 429 is a refusal."""
    if reply.status == 429 or reply.status >= 500 or reply.status < 400:
        return errors.sort(what, reply.status, None, reply.retry_after)
    if reply.status in (401, 403):
        return errors.SlackTokenRefused(what, f"http_{reply.status}")
    return errors.SlackRefused(what, f"http_{reply.status}")
