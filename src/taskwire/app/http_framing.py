"""HTTP/1.1 requests as bytes: finds where a request ends, and rejects what its site does not expect.

A request is passed on only when it is complete and its site expects it. The HTTP server behind this module
gets no partial requests and no chunks. The bytes of an unknown sender are stored only once. Heads are parsed
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

# Most bytes in a request line and all headers together. Slack's have about 1 KB, and proxies add some.
LARGEST_HEAD = 16 * 1024
MOST_HEADERS = 100
_END = b"\r\n\r\n"
_METHOD = re.compile(rb"[A-Z]")
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


class Rejected(Exception):
    """The request gets this status and text as its answer, and its connection is closed.

    `why` is the label of the metric that counts it; None: it is not counted. The text contains nothing of the
    request.
    """

    def __init__(self, status: int, why: str | None, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.why = why
        self.text = text


class Expected(NamedTuple):
    """What a site expects after a head: the most bytes of a body, and how the whole request is verified."""

    most_bytes: int = 0
    # Raises `Rejected` unless the body is from a trusted sender. None: the request is not verified.
    vouch: Callable[[memoryview], None] | None = None


class Whole(NamedTuple):
    """A complete request, as it arrived. `is_vouched` is true if its site has verified the sender."""

    data: bytes
    is_vouched: bool


# Returns what a site expects after this head, or raises `Rejected`.
Judge = Callable[[RawRequestMessage], Expected]


class Framing:
    """Collects the bytes of one connection and splits them into requests."""

    def __init__(self, protocol: BaseProtocol, judge: Judge) -> None:
        self._protocol = protocol
        self._judge = judge
        self._held = bytearray()
        # No head ends before this position.
        self._looked = 0
        # Where the body begins and where the request ends, once the head is parsed. Both are 0 before.
        self._body = self._end = 0
        self._expected = Expected()

    @property
    def held(self) -> int:
        """Number of bytes that have arrived and were not passed on."""
        return len(self._held)

    def put(self, data: bytes) -> None:
        """Store bytes that have arrived."""
        self._held += data

    def drop(self) -> None:
        """Forget the stored bytes. Nothing more is passed on."""
        self._held = bytearray()

    def take(self) -> Whole | None:
        """Return the next complete request, or None. Raises `Rejected`."""
        if not self._end and not self._has_head():
            return None
        if len(self._held) < self._end:
            return None
        vouch = self._expected.vouch
        with memoryview(self._held) as held:
            if vouch is not None:
                vouch(held[self._body : self._end])
            data = bytes(held[: self._end])
        del self._held[: self._end]
        self._looked = self._body = self._end = 0
        return Whole(data, is_vouched=vouch is not None)

    def _has_head(self) -> bool:
        """Look for the end of the head, and parse the head once it is complete."""
        if self._held and not _METHOD.match(self._held):
            raise _malformed()
        found = self._held.find(_END, max(0, self._looked - len(_END)), LARGEST_HEAD)
        if found < 0:
            self._looked = len(self._held)
            if self._looked >= LARGEST_HEAD:
                raise _long_head()
            return False
        if self._held.count(b"\n", 0, found) > MOST_HEADERS:
            raise _long_head()
        self._body = found + len(_END)
        message = self._parsed(bytes(self._held[: self._body]))
        length = _length(message)
        self._expected = self._judge(message)
        if length > self._expected.most_bytes:
            raise Rejected(413, "length", "The body is too long.\n")
        self._end = self._body + length
        return True

    def _parsed(self, head: bytes) -> RawRequestMessage:
        loop = asyncio.get_running_loop()
        # The parser's limit is for bodies, but it only gets a head.
        parser = HttpRequestParser(self._protocol, loop, LARGEST_HEAD, max_headers=MOST_HEADERS)
        try:
            ((message, _),), _, _ = parser.feed_data(head)
        except (HttpProcessingError, ValueError):
            raise _malformed() from None
        if message.version not in (HttpVersion10, HttpVersion11):
            raise _malformed()
        return message


def _length(message: RawRequestMessage) -> int:
    """Return the length of the body in bytes."""
    if message.chunked or "Transfer-Encoding" in message.headers:
        # Each chunk costs work, however short it is. Neither Slack nor Coder sends chunks.
        raise Rejected(411, "length", "Send the body with its Content-Length, not in chunks.\n")
    if "Expect" in message.headers:
        raise Rejected(417, "malformed", "Send the body at once.\n")
    if message.method == "CONNECT":
        raise Rejected(405, "malformed", "This is no proxy.\n")
    said = message.headers.get("Content-Length", "0")
    if not _LENGTH.fullmatch(said):
        raise _malformed()
    return int(said)


def _malformed() -> Rejected:
    return Rejected(400, "malformed", "This is no HTTP request that can be read.\n")


def _long_head() -> Rejected:
    return Rejected(431, "malformed", "The headers are too long, or too many.\n")
