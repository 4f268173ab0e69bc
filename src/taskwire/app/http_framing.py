"""HTTP/1.1 requests as bytes: finds where a request ends, and rejects requests that are not expected.

A site (`web.py`) is one served address with its routes. A site says which requests it expects. A request is
passed on only when it is complete and its site expects it. So the HTTP server behind this module gets no
partial requests and no chunks. While a request arrives, only one copy of it is in memory. Heads are parsed
with aiohttp's own parser, so that this module and the server read the same request. This module sends no
answers and manages no connections.
"""

import asyncio
import re
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import HttpVersion10, HttpVersion11
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage

# The most bytes in a request line and all headers together. Slack's have about 1 KB, and proxies add some.
LARGEST_HEAD = 16 * 1024
MOST_HEADERS = 100
_HEAD_END = b"\r\n\r\n"
_METHOD_START = re.compile(rb"[A-Z]")
_CONTENT_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


class Rejected(Exception):
    """The request gets this status and text as its answer, and its connection is closed.

    `why` is the label of the metric that counts the request. If `why` is None, the request is not counted.
    `text` quotes nothing from the request.
    """

    def __init__(self, status: int, why: str | None, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.why = why
        self.text = text


class Expectation(NamedTuple):
    """What a site expects after a head: the most bytes of a body, and how the whole request is verified."""

    most_bytes: int = 0
    # Raises `Rejected` unless the body is from a trusted sender. If this is None, the request is not
    # verified.
    verify: Callable[[memoryview], None] | None = None


class CompleteRequest(NamedTuple):
    """A complete request, as it arrived. `is_verified` is true if its site has verified the sender."""

    data: bytes
    is_verified: bool


# Returns what a site expects after this head, or raises `Rejected`.
CheckHead = Callable[[RawRequestMessage], Expectation]


class Framing:
    """Collects the bytes of one connection and splits them into requests."""

    def __init__(self, protocol: BaseProtocol, check_head: CheckHead) -> None:
        self._protocol = protocol
        self._check_head = check_head
        self._buffer = bytearray()
        # How many bytes were searched for the end of the head, without result.
        self._searched = 0
        # Where the body begins and where the request ends. Both are 0 until the head is parsed.
        self._body_start = self._request_end = 0
        self._expectation = Expectation()

    @property
    def byte_count(self) -> int:
        """Number of bytes that have arrived and were not passed on."""
        return len(self._buffer)

    def add(self, data: bytes) -> None:
        """Store bytes that have arrived."""
        self._buffer += data

    def clear(self) -> None:
        """Drop all stored bytes. The caller adds no more, because the connection is being closed."""
        self._buffer = bytearray()

    def take_request(self) -> CompleteRequest | None:
        """Return the next complete request, or None if it has not arrived completely.

        Raises `Rejected` if the request is malformed or too long, or if the site does not expect it. Also
        raises `Rejected` if the site verifies senders and this sender cannot be verified.
        """
        if not self._request_end and not self._has_head():
            return None
        if len(self._buffer) < self._request_end:
            return None
        verify = self._expectation.verify
        with memoryview(self._buffer) as held:
            if verify is not None:
                verify(held[self._body_start : self._request_end])
            data = bytes(held[: self._request_end])
        del self._buffer[: self._request_end]
        self._searched = self._body_start = self._request_end = 0
        return CompleteRequest(data, is_verified=verify is not None)

    def _has_head(self) -> bool:
        """Return whether the head is complete. If it is, parse it and let the site check it.

        Raises `Rejected` if the head is malformed or too long, or if the site does not expect the request.
        """
        if self._buffer and not _METHOD_START.match(self._buffer):
            raise _malformed_request()
        found = self._buffer.find(_HEAD_END, max(0, self._searched - len(_HEAD_END)), LARGEST_HEAD)
        if found < 0:
            self._searched = len(self._buffer)
            if self._searched >= LARGEST_HEAD:
                raise _too_long_head()
            return False
        if self._buffer.count(b"\n", 0, found) > MOST_HEADERS:
            raise _too_long_head()
        self._body_start = found + len(_HEAD_END)
        message = self._parse_head(bytes(self._buffer[: self._body_start]))
        length = _body_length(message)
        self._expectation = self._check_head(message)
        if length > self._expectation.most_bytes:
            raise Rejected(413, "length", "The body is too long.\n")
        self._request_end = self._body_start + length
        return True

    def _parse_head(self, head: bytes) -> RawRequestMessage:
        loop = asyncio.get_running_loop()
        # The parser gets only a head. Its third argument limits the body, so this argument has no effect
        # here.
        parser = HttpRequestParser(self._protocol, loop, LARGEST_HEAD, max_headers=MOST_HEADERS)
        try:
            ((message, _),), _, _ = parser.feed_data(head)
        except (HttpProcessingError, ValueError):
            raise _malformed_request() from None
        if message.version not in (HttpVersion10, HttpVersion11):
            raise _malformed_request()
        return message


def _body_length(message: RawRequestMessage) -> int:
    """Return the length of the body in bytes."""
    if message.chunked or "Transfer-Encoding" in message.headers:
        # Each chunk costs work, however short it is. Neither Slack nor Coder sends chunks.
        raise Rejected(411, "length", "Send the body with its Content-Length, not in chunks.\n")
    if "Expect" in message.headers:
        raise Rejected(417, "malformed", "Send the body at once.\n")
    if message.method == "CONNECT":
        raise Rejected(405, "malformed", "This is no proxy.\n")
    content_length = message.headers.get("Content-Length", "0")
    if not _CONTENT_LENGTH.fullmatch(content_length):
        raise _malformed_request()
    return int(content_length)


def _malformed_request() -> Rejected:
    return Rejected(400, "malformed", "This is no HTTP request that can be read.\n")


def _too_long_head() -> Rejected:
    return Rejected(431, "malformed", "The headers are too long, or too many.\n")
