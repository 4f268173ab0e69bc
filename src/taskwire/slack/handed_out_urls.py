"""Requests to the URLs that Slack gives us: response URLs, upload URLs, and private files.

These requests are not part of the Web API, and their answers have other formats. They raise the errors of the
Web API. No request goes to a host that is not Slack's. The bot's token is sent only for private files.
"""

import codecs
import io
import ipaddress
from dataclasses import dataclass
from typing import NotRequired, TypedDict, Unpack
from urllib.parse import urlsplit

import aiohttp

from taskwire import transport
from taskwire.domain.errors import OutsideError, name_failing_system
from taskwire.slack import errors
from taskwire.slack.call_priorities import RateLimits

_CHUNK_BYTES = 64 * 1024
# The longest answer that is accepted from a response URL or an upload URL. Slack's answers are shorter.
_LONGEST_ANSWER_BYTES = 64 * 1024

# Slack answers a used or expired response URL with one of these statuses, without an error code.
_USED_UP_STATUSES = (404, 410)


class _Request(TypedDict):
    json: NotRequired[dict[str, object]]
    data: NotRequired[io.BytesIO]
    headers: NotRequired[dict[str, str]]


@dataclass(frozen=True)
class _Response:
    status: int
    retry_after: str
    body: bytes | None


class HandedOutUrls:
    """Sends requests to URLs that Slack has given us, with one HTTP session.

    Follows no redirects and repeats no request.
    """

    def __init__(
        self, session: aiohttp.ClientSession, base_url: str, token: str, rate_limits: RateLimits
    ) -> None:
        self._rate_limits = rate_limits
        self._session = session
        self._base_url = base_url
        self._token = token

    def use_token(self, token: str) -> None:
        """Use another token from the next request on."""
        self._token = token

    async def respond(self, url: str, message: dict[str, object], seconds: float) -> None:
        """Answer a command or a click by its response URL. Raises `SlackRefused` if the URL has expired."""
        self._require_slack_url("response_url", url)
        with name_failing_system("Slack"):
            reply = await self._request(
                "response_url", "POST", url, seconds, _LONGEST_ANSWER_BYTES, json=message
            )
            if reply.status in _USED_UP_STATUSES:
                raise errors.SlackRefused("response_url", "used_or_expired_url")
            await self._require_success("response_url", reply)

    async def upload(self, url: str, content: bytes, seconds: float) -> None:
        """Send a file's content to its upload URL. A second upload does no harm."""
        self._require_slack_url("upload", url)
        # A stream is sent piece by piece. A bytes object would be sent at once, which blocks the event loop.
        body = io.BytesIO(content)
        with name_failing_system("Slack"):
            reply = await self._request("upload", "POST", url, seconds, _LONGEST_ANSWER_BYTES, data=body)
            await self._require_success("upload", reply)

    async def download(self, url: str, limit_bytes: int, seconds: float) -> str | None:
        """Read a file as text; None if the file is longer than the limit or is not text."""
        self._require_slack_url("download", url)
        headers = {"Authorization": f"Bearer {self._token}"}
        with name_failing_system("Slack"):
            reply = await self._request("download", "GET", url, seconds, limit_bytes, headers=headers)
            await self._require_success("download", reply)
        return None if reply.body is None else _decode(reply.body)

    async def _request(
        self, what: str, method: str, url: str, seconds: float, limit_bytes: int, **content: Unpack[_Request]
    ) -> _Response:
        async def call() -> _Response:
            request = self._session.request(method, url, allow_redirects=False, **content)
            async with request as response:
                body = await _read(response, limit_bytes)
                return _Response(response.status, response.headers.get("Retry-After", ""), body)

        await self._rate_limits.take(what)
        return await transport.exchange(what, seconds, call())

    def _require_slack_url(self, what: str, url: str) -> None:
        if not is_slack_url(url, self._base_url):
            raise errors.ForeignUrl(what, "foreign_address")

    async def _require_success(self, what: str, reply: _Response) -> None:
        if reply.status == 200:
            return
        error = _classify(what, reply)
        if isinstance(error, errors.SlackRateLimited):
            await self._rate_limits.record_rate_limited(what, error.retry_after_seconds)
        raise error


def is_slack_url(url: str, base_url: str) -> bool:
    """Return whether a URL belongs to Slack. `base_url` is the address of Slack's Web API.

    The URL's host must be the host of the Web API or a subdomain of it, over HTTPS. If the Web API is on this
    machine, as in tests, HTTP to the Web API's host and port is allowed too.
    """
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
    """Return the body of an answer; None if the body is longer than the limit."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        content += chunk
        if len(content) > limit_bytes:
            response.close()
            return None
    return bytes(content)


def _decode(content: bytes) -> str | None:
    # Only UTF-8, and UTF-16 with a byte order mark, are decoded. A guessed encoding would give wrong letters.
    is_wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        words = content.decode("utf-16" if is_wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in words else words


def _classify(what: str, reply: _Response) -> OutsideError:
    """Return the error for an answer that is not a success. Every 4xx except 429 is a refusal."""
    if reply.status == 429 or reply.status >= 500 or reply.status < 400:
        return errors.classify(what, reply.status, None, reply.retry_after)
    if reply.status in (401, 403):
        return errors.SlackTokenRefused(what, f"http_{reply.status}")
    return errors.SlackRefused(what, f"http_{reply.status}")
