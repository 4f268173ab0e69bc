"""What the server gets and which error the caller gets, with real sockets and real faults."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from taskwire import transport
from taskwire.domain.errors import NotDone, OutcomeUnknown, OutsideError
from taskwire.transport import ConnectionCut, DeadlinePassed, NoAnswer, Unreachable
from tests.coder.raw_server import (
    Behavior,
    RawServer,
    close_connection,
    never_respond,
    raw_server,
    reset,
    reset_connection,
    respond,
    send_raw,
    send_raw_and_close,
)

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
TOKEN = "abcdefghij-very-secret"
Door = Callable[..., Awaitable[int]]


@pytest.fixture(params=["httpx", "aiohttp"])
async def door(request: pytest.FixtureRequest) -> AsyncIterator[Door]:
    """Provide a function that makes a call, once as the client for Coder does (httpx), and once as the client
    for Slack does (aiohttp)."""
    session = transport.make_session()
    client = transport.make_http_client(session)

    async def by_httpx(method: str, url: str, content: bytes | None = None) -> int:
        return (await client.request(method, url, content=content, headers={"Token": TOKEN})).status_code

    async def by_aiohttp(method: str, url: str, content: bytes | None = None) -> int:
        asked = session.request(method, url, data=content, headers={"Token": TOKEN}, allow_redirects=False)
        async with asked as answer:
            await answer.read()
            return answer.status

    call = by_httpx if request.param == "httpx" else by_aiohttp

    async def through(method: str, url: str, content: bytes | None = None, seconds: float = 10.0) -> int:
        return await transport.exchange("ask", seconds, call(method, url, content))

    async with client:
        yield through


def closed_port() -> int:
    """Return a port of localhost on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def broken(call: Awaitable[object]) -> OutsideError:
    """Return the error with which a call ends."""
    with pytest.raises(OutsideError) as caught:
        await call
    return caught.value


async def test_a_refused_connection_is_not_done(door: Door) -> None:
    """Nothing listens on the port, so the error is "not done"."""
    error = await broken(door("POST", f"http://127.0.0.1:{closed_port()}/x", b"words"))

    assert type(error) is Unreachable
    assert isinstance(error, NotDone)


async def test_a_failed_tls_handshake_is_not_done(door: Door) -> None:
    """The TLS handshake fails. The client has sent bytes, but none of the request, so the error is "not
    done"."""

    async def talks_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async with raw_server(respond(200), on_connect=talks_plainly) as server:
        error = await broken(door("POST", server.url.replace("http:", "https:"), b"words"))

        assert type(error) is Unreachable
        assert str(error) == f"ask: TLS failed (WRONG_VERSION_NUMBER; {server.url.removeprefix('http://')})"
        assert server.requests == []


@pytest.mark.parametrize("content", [None, b"words"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("act", [close_connection, reset_connection])
async def test_a_cut_after_the_request_is_unknown_and_nothing_is_sent_twice(
    door: Door, act: Behavior, method: str, content: bytes | None
) -> None:
    """The server gets the whole request, and then cuts the connection. Nobody knows whether the server has
    acted, so the error is "outcome unknown", and the request is not sent again."""
    async with raw_server(respond(200), act, respond(200)) as server:
        await door(method, server.url, content)

        # This call uses the kept connection, on which aiohttp would repeat a request.
        error = await broken(door(method, server.url, content))

        assert type(error) is ConnectionCut
        assert isinstance(error, OutcomeUnknown)
        assert len(server.requests) == 2
        assert server.connections == 1


async def test_a_reset_before_anything_was_read_is_never_called_not_done_once_written(door: Door) -> None:
    """The server accepts and resets at once. The error is "not done" only if no byte of the request was
    written."""

    async def slams_the_door(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    async with raw_server(respond(200), on_connect=slams_the_door) as server:
        for _ in range(20):
            error = await broken(door("POST", server.url, b"words"))

            assert type(error) in (Unreachable, ConnectionCut)
        assert server.requests == []


async def test_silence_is_unknown(door: Door) -> None:
    """The server gets the request and sends no answer. The error is "outcome unknown"."""
    async with raw_server(never_respond) as server:
        error = await broken(door("POST", server.url, b"words", seconds=0.2))

        assert type(error) is NoAnswer
        assert isinstance(error, OutcomeUnknown)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (send_raw_and_close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), ConnectionCut),
        (send_raw_and_close(b"HTTP/1.1 200"), ConnectionCut),
        (send_raw_and_close(b"what is this?\r\n\r\n"), ConnectionCut),
        (send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), NoAnswer),
    ],
    ids=["half a body", "half a line", "not HTTP", "a body that stops coming"],
)
async def test_half_an_answer_is_unknown(door: Door, act: Behavior, expected: type[OutcomeUnknown]) -> None:
    """The server sends only part of an answer, or something that is no HTTP. The error is "outcome
    unknown"."""
    async with raw_server(act) as server:
        error = await broken(door("POST", server.url, b"words", seconds=0.5))

        assert type(error) is expected


@pytest.mark.parametrize("content", [None, b"words"])
async def test_nothing_is_written_after_the_deadline(door: Door, content: bytes | None) -> None:
    """After the deadline, no byte of a request is written, neither to a new connection nor to a kept one. A
    deadline holds only inside its `with` block."""
    async with raw_server(respond(200)) as server:
        with transport.deadline(transport.boottime() - 1):
            fresh = await broken(door("POST", server.url, content))
        with transport.deadline(transport.boottime() + 60):
            in_time = await door("POST", server.url, content)
        with transport.deadline(transport.boottime() - 1):
            kept = await broken(door("POST", server.url, content))
        without = await door("POST", server.url, content)

        assert [type(fresh), type(kept)] == [DeadlinePassed, DeadlinePassed]
        assert isinstance(fresh, NotDone)
        assert (in_time, without) == (200, 200)
        assert len(server.requests) == 2


@contextlib.asynccontextmanager
async def one_connection_taken(
    server: RawServer,
) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.Task[object]]]:
    """Provide a client with a single connection, and a call that uses it."""
    async with transport.make_http_client(transport.make_session(connections=1)) as client:
        holder = asyncio.create_task(client.post(server.url, content=b"holds"))
        await server.has_read(1)
        yield client, holder
        holder.cancel()
        await asyncio.wait([holder])


async def test_waiting_in_vain_for_a_connection_is_not_done() -> None:
    """All connections of the pool are in use, and the call times out while it waits for one. The request was
    never sent, so the error is one of "not done"."""
    async with raw_server(never_respond) as server, one_connection_taken(server) as (client, _):
        error = await broken(transport.exchange("ask", 0.1, client.post(server.url, content=b"waits")))

        assert type(error) is Unreachable
        assert len(server.requests) == 1


async def test_a_deadline_that_passes_while_a_connection_is_awaited_is_kept() -> None:
    """A call waits for a free connection until after its deadline. The call then fails and sends nothing."""
    go_on = asyncio.Event()

    async def answers_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await respond(200)(reader, writer)

    async with raw_server(answers_late) as server, one_connection_taken(server) as (client, _):
        at = transport.boottime() + 0.05
        with transport.deadline(at):
            waiting = asyncio.create_task(
                broken(transport.exchange("ask", 10, client.post(server.url, content=b"waits")))
            )
        await asyncio.sleep(at - transport.boottime() + 0.05)  # the only way to wait for this clock
        go_on.set()

        assert type(await waiting) is DeadlinePassed
        assert len(server.requests) == 1


async def test_what_was_given_up_is_taken_back() -> None:
    """The server reads slowly, and the call times out. The rest of the request does not reach the server
    later."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with transport.make_http_client(transport.make_session()) as client:
            error = await broken(transport.exchange("ask", 0.3, client.post(url, content=b"x" * 900_000)))
            await asyncio.sleep(0.05)  # the loop closes the socket in a later iteration
            peer, _ = listener.accept()
            with peer:
                arrived = await asyncio.to_thread(_read_out, peer)

    assert type(error) is NoAnswer
    # Only the bytes arrive that the server's kernel had already taken. About 400 kB waited in our kernel, and
    # more in the event loop.
    assert arrived < 200_000


def _read_out(peer: socket.socket) -> int:
    peer.settimeout(10)
    total = 0
    with contextlib.suppress(ConnectionResetError):
        while piece := peer.recv(65536):
            total += len(piece)
    return total


async def test_sockets_reset_instead_of_lingering() -> None:
    """Two socket options make the kernel discard bytes that were not sent: when the socket closes, and when
    the other side confirms nothing for four seconds."""
    with transport.make_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 0))) as made:
        linger = made.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)

        assert struct.unpack("ii", linger) == (1, 0)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000


async def test_no_redirect_is_followed_and_no_cookie_is_kept(door: Door) -> None:
    """The client does not follow a redirect, because it could send the token to another host. It does not
    send a server's cookie back, because the cookie would replace the token of the next account."""
    elsewhere = respond(302, b"", "Location: /elsewhere", "Set-Cookie: coder_session_token=theirs; Path=/")
    async with raw_server(elsewhere) as server:
        url = server.url.replace("127.0.0.1", "localhost")  # aiohttp's own jar ignores bare addresses
        first = await door("GET", f"{url}/one")
        second = await door("GET", f"{url}/two")

        assert (first, second) == (302, 302)
        assert server.lines == ["GET /one", "GET /two"]
        assert b"theirs" not in b"".join(server.requests)


async def test_an_error_carries_nothing_of_the_request(door: Door) -> None:
    """An error of a call has no chained exception that keeps a frame or an object with the token in it."""
    async with raw_server(close_connection) as server:
        error = await broken(door("POST", server.url, b"words"))

        assert (error.__cause__, error.__context__) == (None, None)
        assert TOKEN not in repr(error) + str(error)
        assert str(error).startswith("ask: ServerDisconnectedError")


async def test_a_cancelled_call_is_cancelled(door: Door) -> None:
    """A caller is cancelled during a call. It gets the cancellation, and not an error about the server."""
    async with raw_server(never_respond) as server:
        call = asyncio.ensure_future(door("POST", server.url, b"words"))
        await server.has_read(1)

        call.cancel()

        with pytest.raises(asyncio.CancelledError):
            await call


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://coder.example.com", "http://proxy.example.com:3128"),
        ("https://coder.inside.example.com", None),
        ("http://coder.example.com", None),
    ],
)
def test_the_proxy_is_the_environments(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: str | None
) -> None:
    """The environment names the proxies. The scheme of an address selects the proxy, and hosts in NO_PROXY
    get no proxy."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", ".inside.example.com")

    assert transport.proxy_for(url) == expected
