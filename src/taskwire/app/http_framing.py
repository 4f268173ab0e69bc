"""HTTP/1.1 requests as bytes: where one ends, and what is rejected before the rest of it is read.

A request is handed on only when it is whole and its site expects it. The server behind sees no half requests
and no chunks, and what a stranger sends is held once, as it came. Heads are parsed by the server's own
parser, so that both read the same request. It answers nothing and keeps no connection.
"""

import asyncio
import re
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import HttpVersion10, HttpVersion11
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage

# Bytes of a request line and all headers. Slack's are about 1 KB, and proxies add some.
LARGEST_HEAD = 16 * 1024
MOST_HEADERS = 100
_END = b"\r\n\r\n"
_METHOD = re.compile(rb"[A-Z]")
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


class Rejected(Exception):
    """A request that is answered with this status and text, and its connection closed.

    `why` is the reason under which it is counted, if it is. Nothing of the request is in it.
    """

    def __init__(self, status: int, why: str | None, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.why = why
        self.text = text


class Expected(NamedTuple):
    """What a site says to a head: how many bytes of body it takes, and who vouches for the whole request."""

    most_bytes: int = 0
    # Raises `Rejected` unless the body is from somebody who is trusted. None: nobody vouches.
    vouch: Callable[[memoryview], None] | None = None


class Whole(NamedTuple):
    """A whole request as it came; `is_vouched` if its site has made sure whose it is."""

    data: bytes
    is_vouched: bool


# What a site expects of a head; raises `Rejected`.
Judge = Callable[[RawRequestMessage], Expected]


class Framing:
    """Collects what comes on one connection, and cuts it into requests."""

    def __init__(self, protocol: BaseProtocol, judge: Judge) -> None:
        self._protocol = protocol
        self._judge = judge
        self._held = bytearray()
        # Before this there is no end of a head.
        self._looked = 0
        # Where the body begins and the request ends, once its head is read.
        self._body = self._end = 0
        self._expected = Expected()

    @property
    def held(self) -> int:
        """How many bytes have come and were not handed on."""
        return len(self._held)

    def put(self, data: bytes) -> None:
        """Keep what has come."""
        self._held += data

    def drop(self) -> None:
        """Forget what has come: nothing more is handed on."""
        self._held = bytearray()

    def take(self) -> Whole | None:
        """Return the next request, or None while it is not whole; raises `Rejected`."""
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
        """Look for the end of the head, and read it once it is there."""
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
        # The limit is for bodies, and there is none here.
        parser = HttpRequestParser(self._protocol, loop, LARGEST_HEAD, max_headers=MOST_HEADERS)
        try:
            ((message, _),), _, _ = parser.feed_data(head)
        except (HttpProcessingError, ValueError):
            raise _malformed() from None
        if message.version not in (HttpVersion10, HttpVersion11):
            raise _malformed()
        return message


def _length(message: RawRequestMessage) -> int:
    """Return how many bytes of body follow a head."""
    if message.chunked or "Transfer-Encoding" in message.headers:
        # Each chunk costs work however short it is, and neither Slack nor Coder sends any.
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
