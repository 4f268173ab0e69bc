"""HTTP requests as bytes: which are refused without reading the body, with which answer, and how much memory
they need."""

import asyncio
import contextlib
import io

import pytest
from aiohttp.http_parser import RawRequestMessage
from aiohttp.web import BaseRequest, RequestHandler, Server, StreamResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.app.http_framing import LARGEST_HEAD, CompleteRequest, Expectation, Framing, Rejected
from taskwire.app.web import LARGEST_BODY, LARGEST_HINT, REFUSAL_REASONS
from tests.process.processes import until

from .site import HINT_TOKEN, Site, command, new_site, request

SENT = "SENT-4711"
GET = b"GET /healthz HTTP/1.1\r\nHost: taskwire\r\n\r\n"
POST = "POST /slack/events HTTP/1.1\r\nHost: taskwire\r\n"
UNREADABLE = (400, "This is no HTTP request that can be read.\n")
TOO_MANY_HEADERS = (431, "The headers are too long, or too many.\n")
IN_CHUNKS = (411, "Send the body with its Content-Length, not in chunks.\n")
TOO_LONG = (413, "The body is too long.\n")


def _head(*lines: str, first: str = POST) -> bytes:
    return (first + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode("latin-1")


# The bytes sent, the answer, and the reason under which the refusal is counted.
REJECTED = {
    "a line of TLS": (b"\x16\x03\x01\x02\x00\x01\x00SENT", UNREADABLE, "malformed"),
    "no HTTP": (f"{SENT} {SENT}\r\n\r\n".encode(), UNREADABLE, "malformed"),
    "another method than there is": (_head(first=f"{SENT} / HTTP/1.1\r\n"), UNREADABLE, "malformed"),
    "another version": (_head(first=f"GET /{SENT} HTTP/7.1\r\nHost: a\r\n"), UNREADABLE, "malformed"),
    "the next version": (_head(first=f"GET /{SENT} HTTP/2.0\r\nHost: a\r\n"), UNREADABLE, "malformed"),
    "no version": (_head(first=f"GET /{SENT}\r\nHost: a\r\n"), UNREADABLE, "malformed"),
    "no host": (_head(first=f"GET /{SENT} HTTP/1.1\r\n"), UNREADABLE, "malformed"),
    "an address that is none": (
        _head(first=f"GET http://[{SENT} HTTP/1.1\r\nHost: a\r\n"),
        UNREADABLE,
        "malformed",
    ),
    "an address beyond any port": (
        _head(first=f"GET http://{SENT}:99999999/ HTTP/1.1\r\nHost: a\r\n"),
        UNREADABLE,
        "malformed",
    ),
    "a header without a colon": (_head(SENT), UNREADABLE, "malformed"),
    "a header with a zero": (_head(f"X: \0{SENT}"), UNREADABLE, "malformed"),
    "a header on two lines": (_head("X: a", f" {SENT}"), UNREADABLE, "malformed"),
    "a length that is no number": (_head(f"Content-Length: {SENT}"), UNREADABLE, "malformed"),
    "a length with a sign": (_head("Content-Length: +4"), UNREADABLE, "malformed"),
    "two lengths": (_head("Content-Length: 4", "Content-Length: 5"), UNREADABLE, "malformed"),
    "a length without end": (_head("Content-Length: " + "9" * 30), UNREADABLE, "malformed"),
    "a body in chunks": (_head("Transfer-Encoding: chunked"), IN_CHUNKS, "length"),
    "a body in another coding": (_head("Transfer-Encoding: gzip, chunked"), IN_CHUNKS, "length"),
    "a question before the body": (
        _head("Content-Length: 4", "Expect: 100-continue"),
        (417, "Send the body at once.\n"),
        "malformed",
    ),
    "a way to somebody else": (
        _head(first="CONNECT taskwire:80 HTTP/1.1\r\nHost: taskwire\r\n"),
        (405, "This is no proxy.\n"),
        "malformed",
    ),
    "many headers": (_head(*["a: b"] * 101), TOO_MANY_HEADERS, "malformed"),
    "a long header": (_head("a: " + "b" * LARGEST_HEAD), TOO_MANY_HEADERS, "malformed"),
    "a head that does not end": (POST.encode() + b"a: b\r\n" * 4_000, TOO_MANY_HEADERS, "malformed"),
    "a body where none belongs": (
        b"GET /healthz HTTP/1.1\r\nHost: taskwire\r\nContent-Length: 4\r\n\r\n",
        TOO_LONG,
        "length",
    ),
    "a body for nobody": (
        b"POST /another HTTP/1.1\r\nHost: taskwire\r\nContent-Length: 4\r\n\r\n",
        (404, "There is nothing here.\n"),
        None,
    ),
    "no signature": (
        _head(f"Content-Length: {LARGEST_BODY}"),
        (401, "Refused: without a signature.\n"),
        "headers",
    ),
    "a signature of long ago": (
        request(b"", timestamp="17").replace(b"Length: 0", b"Length: 9"),
        (401, "Refused: too old, or signed by another clock.\n"),
        "time",
    ),
    "a hint without its token": (
        b"POST /coder/webhook HTTP/1.1\r\nHost: taskwire\r\nContent-Length: 4\r\n\r\n",
        (403, "The token is not the one of TASKWIRE_WEBHOOK_TOKEN.\n"),
        "token",
    ),
    "a hint that is too long": (
        f"POST /coder/webhook/{HINT_TOKEN} HTTP/1.1\r\nHost: taskwire\r\n"
        f"Content-Length: {LARGEST_HINT + 1}\r\n\r\n".encode(),
        TOO_LONG,
        "length",
    ),
}


@pytest.mark.parametrize("name", REJECTED)
async def test_what_is_rejected_is_answered_in_our_words_at_its_head(site: Site, name: str) -> None:
    """If a request is bad, it is refused after its head. No answer quotes the request or names the server's
    software."""
    sent, answer, why = REJECTED[name]
    client = await site.connect()

    said = await client.ask(sent)

    assert said == answer
    assert "server" not in client.head.lower()
    assert await client.is_closed()
    counted = {reason: site.count_refused(reason) for reason in REFUSAL_REASONS if site.count_refused(reason)}
    assert counted == ({why: 1} if why else {})
    assert site.metric("taskwire_http_waiting_bytes") == 0


async def test_a_body_that_is_signed_and_too_long_is_rejected_at_its_head(site: Site) -> None:
    """If the Content-Length of a signed request is too long, the request is refused after its head. The
    refusal is counted for operators."""
    announced = request(b"").replace(b"Content-Length: 0", b"Content-Length: 999999999")

    assert await site.ask_once(announced) == TOO_LONG
    assert site.count_refused("length") == 1
    assert site.requests.refusals.describe() == (
        "Refused since the start: 1, the last one 0 s ago (1 too long, or sent in chunks)."
    )


async def test_nothing_is_read_of_a_request_that_was_rejected(site: Site) -> None:
    """After a request was refused, the server reads nothing more of it. To parse many small chunks would
    delay other requests."""
    client = await site.connect()
    assert await client.ask(_head("Transfer-Encoding: chunked")) == IN_CHUNKS
    sending = asyncio.create_task(client.send(b"1\r\nx\r\n" * 2_000_000))

    assert await site.ask_once(request(command("list"))) == (200, "taken")
    assert site.metric("taskwire_http_waiting_bytes") == 0
    await sending


@pytest.mark.parametrize(
    "path",
    [
        "/slack/event%73",
        "//slack/events",
        "/slack/./events",
        "/x/../slack/events",
        "/slack/events/",
        "/slack/events/x",
        "http://taskwire/slack/events",
        "/slack/events?x=1",
        "/slack/events#x",
        "/Slack/events",
        "/coder/webhook/../../slack/events",
    ],
)
async def test_no_other_way_of_writing_the_address_goes_round_the_signature(site: Site, path: str) -> None:
    """If a request spells the URL in another way, it does not get past the signature check."""
    unsigned = await site.ask_once(_head(f"Host: {SENT}", first=f"POST {path} HTTP/1.1\r\n"))
    forged = await site.ask_once(request(b"", secret="another", path=path))

    assert {unsigned[0], forged[0]} <= {401, 403, 404}
    assert site.accepted == []


async def test_strangers_bodies_are_held_once_and_never_more_than_the_limit(log: io.StringIO) -> None:
    """The server must keep a body in memory until its last byte, because only then can it check the
    signature. Many strangers send incomplete bodies. Together these stay within the limit, and Slack's
    requests are answered."""
    most = 1_000_000
    async with new_site(log, waiting_bytes=most) as site:
        crowd = [await site.connect() for _ in range(40)]
        half = request(b"x" * LARGEST_BODY, secret="another")[:300_000]
        sending = [asyncio.create_task(client.send(half)) for client in crowd]

        assert await site.ask_once(request(command("list"))) == (200, "taken")
        await asyncio.wait(sending)
        name = "taskwire_http_connections_closed_total"
        await until(lambda: site.metric(name, why="crowded") > 30, "those that have sent most are closed")

        assert 0 < site.metric("taskwire_http_waiting_bytes") <= most


async def test_a_long_body_of_slacks_is_read_amid_those_of_strangers(site: Site) -> None:
    """While strangers send large bodies, a large request from Slack is still read and answered. The strangers
    get 401."""
    long = b"x" * (LARGEST_BODY - 100)
    crowd = [await site.connect() for _ in range(40)]
    waiting_clients = [
        asyncio.create_task(client.ask(request(long[:400_000], secret="another"))) for client in crowd
    ]

    by_slack = await site.ask_once(request(command("list") + b"&more=" + long[:1_500_000]))
    answers = await asyncio.gather(*waiting_clients)

    assert by_slack == (200, "taken")
    assert set(answers) == {(401, "Refused: with a wrong signature.\n")}
    assert site.metric("taskwire_http_waiting_bytes") == 0


async def test_requests_that_come_together_are_answered_in_their_order(site: Site) -> None:
    """If several requests come on one connection before the first is answered, they are answered in their
    order.

    An unreadable request ends the connection.
    """
    client = await site.connect()
    together = b"".join(request(command(str(number))) for number in range(20))

    await client.send(together + f"{SENT}\r\n\r\n".encode() + request(command("20")))

    assert [await client.answer() for _ in range(20)] == [(200, "taken")] * 20
    assert await client.answer() == UNREADABLE
    assert await client.is_closed()
    assert [body["text"] for body in site.accepted] == [str(number) for number in range(20)]


async def test_no_answer_says_what_runs_here(site: Site) -> None:
    """No answer names the server's software: neither to an accepted request, nor to a health check, nor to an
    unknown path."""
    heads = []
    for sent in (request(command("list")), GET, b"GET /nothing HTTP/1.1\r\nHost: taskwire\r\n\r\n"):
        client = await site.connect()
        await client.ask(sent)
        heads.append(client.head)

    assert [head.split()[1] for head in heads] == ["200", "200", "404"]
    assert "aiohttp" not in "".join(heads).lower()
    assert "server:" not in "".join(heads).lower()


async def test_a_hint_is_taken_by_either_address(site: Site) -> None:
    """A webhook call is accepted if it has the right token in the path of the URL or in the query."""
    body = b'{"notification": 1}'
    head = f"Host: taskwire\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for path in (f"/coder/webhook/{HINT_TOKEN}", f"/coder/webhook?token={HINT_TOKEN}"):
        client = await site.connect()
        await client.send(f"POST {path} HTTP/1.1\r\n".encode() + head + body)
        # This answer has no body.
        assert not await client.is_closed()

    assert site.hints == [body, body]


def _framing(most_bytes: int) -> tuple[Framing, list[bytes]]:
    """Return a parser of requests with bodies of at most `most_bytes`, and the list of bodies that it has
    verified."""
    verified: list[bytes] = []

    def check_head(_: RawRequestMessage) -> Expectation:
        return Expectation(most_bytes, lambda body: verified.append(bytes(body)))

    async def handle(_: BaseRequest) -> StreamResponse:
        raise NotImplementedError

    return Framing(RequestHandler(Server(handle), loop=asyncio.get_running_loop()), check_head), verified


@settings(deadline=None)
@given(
    bodies=st.lists(st.binary(max_size=40), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 1_000), max_size=12),
)
def test_requests_are_cut_alike_however_they_arrive(bodies: list[bytes], cuts: list[int]) -> None:
    """Whether requests arrive byte by byte, all at once, or with parts of two requests in one packet, they
    are parsed with the same result."""
    sent = [request(body) for body in bodies]
    stream = b"".join(sent)

    async def cut() -> None:
        framing, verified = _framing(40)
        found, last = [], 0
        for end in [*sorted(at for at in cuts if at < len(stream)), len(stream)]:
            framing.add(stream[last:end])
            last = end
            while (request := framing.take_request()) is not None:
                found.append(request)
        assert found == [CompleteRequest(each, is_verified=True) for each in sent]
        assert verified == bodies
        assert framing.byte_count == 0

    asyncio.run(cut())


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_whatever_comes_is_half_a_request_a_whole_one_or_rejected(data: bytes) -> None:
    """Whatever bytes arrive, the parser finds an incomplete request, a complete request or a refusal. It
    raises no other error, because the event loop would log the bytes."""

    async def cut() -> None:
        for prefix in (b"", b"GET ", POST.encode(), POST.encode() + b"Content-Length: "):
            framing, _ = _framing(40)
            framing.add(prefix + data + b"\r\n\r\n")
            # The request may be complete or not, because that depends on the generated bytes.
            with contextlib.suppress(Rejected):
                framing.take_request()

    asyncio.run(cut())
