"""The server closes slow connections. If it has no place left, it closes the oldest connection. Slack and
health checks have places of their own."""

import asyncio
import io
import socket
from collections.abc import Callable
from dataclasses import astuple

import pytest

from taskwire.app.http_server import ConnectionLimits
from taskwire.app.web import MAX_METRICS_REQUESTS
from tests.process.processes import until

from .site import Client, Site, command, new_site, request

# Requests that never become complete. Each test makes its request when it sends it, because a signature that
# is five minutes old is refused immediately.
HALVES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "a letter": lambda: b"P",
    "half a line": lambda: b"POST /slack/eve",
    "half a head": lambda: b"POST /slack/events HTTP/1.1\r\nHost: taskwire\r\n",
    "half a body, unsigned": lambda: request(command("list"), secret="another")[:-5],
    "half a body, signed": lambda: request(command("list"))[:-5],
}
# A busy machine needs less than this for one request.
SOON_SECONDS = 1.0


@pytest.mark.parametrize("name", HALVES)
async def test_a_request_that_does_not_become_whole_is_closed(log: io.StringIO, name: str) -> None:
    """If a request stays incomplete, whatever part of it was sent, its connection is closed after a time
    limit."""
    async with new_site(log, request_seconds=SOON_SECONDS) as site:
        client = await site.connect()
        await client.send(HALVES[name]())

        assert await client.is_closed()
        assert site.metric("taskwire_http_connections_closed_total", why="late") == 1


async def test_a_request_that_comes_letter_by_letter_is_closed_too(log: io.StringIO) -> None:
    """If a request arrives byte by byte, its connection is closed at the time limit for the whole request.
    The bytes do not extend the limit."""
    async with new_site(log, request_seconds=SOON_SECONDS) as site:
        client = await site.connect()
        closed = asyncio.create_task(client.is_closed())
        for letter in request(command("list"))[:-1]:
            await client.send(bytes([letter]))
            await asyncio.wait({closed}, timeout=SOON_SECONDS / 10)
            if closed.done():
                break

        assert await closed
        assert site.accepted == []


async def test_a_client_that_reads_no_answer_is_closed(log: io.StringIO) -> None:
    """If a client does not read its answers, its connection is closed, because it holds a place and
    memory."""
    async with new_site(log, request_seconds=SOON_SECONDS) as site:
        site.reply = "x" * 900_000
        with socket.create_connection(("127.0.0.1", site.port)) as deaf:
            # The answers are larger than the kernel buffers of both sides.
            deaf.sendall(request(command("list")) * 32)

            await _until(site, "late", 1)


async def test_slack_keeps_its_connection(log: io.StringIO) -> None:
    """If a request was signed, the server keeps its connection, because a proxy sends many of Slack's
    requests on one connection.

    If a request was not signed, its connection is closed after the answer.
    """
    async with new_site(log, request_seconds=SOON_SECONDS, keep_alive_seconds=60.0) as site:
        slack = await site.connect()
        first = await slack.ask(request(command("1")))
        stranger = await site.connect()
        await stranger.ask(request(command("2"), secret="another"))
        late = await site.connect()

        assert await stranger.is_closed()
        # `late` was opened last, so the time limit of a request is now over for all of these connections.
        assert await late.is_closed()
        assert first == await slack.ask(request(command("3"))) == (200, "taken")
        assert [body["text"] for body in site.accepted] == ["1", "3"]


async def test_a_kept_connection_that_sends_half_a_request_is_closed(log: io.StringIO) -> None:
    """If a client sends one whole request and then half of another on the same connection, the server closes
    the connection after a time limit.

    The time limit applies to each new request, even after a signed one.
    """
    async with new_site(log, request_seconds=SOON_SECONDS, keep_alive_seconds=60.0) as site:
        client = await site.connect()
        await client.ask(request(command("1")))

        await client.send(HALVES["half a head"]())

        assert await client.is_closed()


async def test_a_connection_that_nobody_uses_is_closed_in_the_end(log: io.StringIO) -> None:
    """If nobody uses a kept connection, it is closed after a while. It is not counted as late."""
    async with new_site(log, keep_alive_seconds=SOON_SECONDS) as site:
        client = await site.connect()
        await client.ask(request(command("1")))

        assert await client.is_closed()
        assert site.metric("taskwire_http_connections_closed_total", why="late") == 0


async def test_the_oldest_that_waits_makes_room_for_the_next(log: io.StringIO) -> None:
    """If too many connections wait with incomplete requests, the oldest is closed. Slack's connections and
    health checks are not affected."""
    async with new_site(log, waiting=3) as site:
        kept = await site.connect()
        await kept.ask(request(command("0")))
        crowd: list[Client] = []
        for half in [HALVES["half a head"]()] * 8:
            crowd.append(await site.connect())
            await crowd[-1].send(half)

        by_slack = await site.ask_once(request(command("1")))
        by_probe = await site.ask_once(b"GET /readyz HTTP/1.1\r\nHost: taskwire\r\n\r\n")
        again = await kept.ask(request(command("2")))

        assert (by_slack, again) == ((200, "taken"), (200, "taken"))
        assert by_probe[0] == 200
        # At most three connections may wait. The probe was the newest of them, so the last two of the crowd
        # are still open.
        for client in crowd[:6]:
            assert await client.is_closed()
        assert [client.is_open for client in crowd[-2:]] == [True, True]
        assert site.metric("taskwire_http_connections", state="waiting") <= 3


async def test_what_waits_may_not_hold_more_than_so_much(log: io.StringIO) -> None:
    """If the unfinished requests together are too large, the connection that has sent most is closed. Long
    bodies could otherwise fill the memory."""
    async with new_site(log, waiting_bytes=100_000) as site:
        small, large = await site.connect(), await site.connect()
        await small.send(HALVES["half a body, unsigned"]())
        await large.send(request(b"x" * 1_000_000, secret="another")[:-5])

        assert await large.is_closed()
        assert small.is_open
        assert await site.ask_once(request(command("1"))) == (200, "taken")


async def test_health_has_places_of_its_own_and_no_more(log: io.StringIO) -> None:
    """If metrics requests take all places for health checks, a further one is refused. Slack's requests and
    /healthz are still answered."""
    async with new_site(log, health=2) as site:
        waiting_clients = await _asking_for_figures(site, 2)

        too_many = await site.ask_once(b"GET /metrics HTTP/1.1\r\nHost: taskwire\r\n\r\n")
        alive = await site.ask_once(b"GET /healthz HTTP/1.1\r\nHost: taskwire\r\n\r\n")
        by_slack = await site.ask_once(request(command("1")))
        site.is_measured.set()

        assert too_many == (503, "Too many ask at once.\n")
        assert (alive, by_slack) == ((200, "ok\n"), (200, "taken"))
        assert [(await client.answer())[0] for client in waiting_clients] == [200, 200]


async def _asking_for_figures(site: Site, count: int) -> list[Client]:
    """Return `count` clients that wait for the answer to a metrics request."""
    waiting_clients = [await site.connect() for _ in range(count)]
    for client in waiting_clients:
        await client.send(b"GET /metrics HTTP/1.1\r\nHost: taskwire\r\n\r\n")
    await _until_there(site, "health", count)
    return waiting_clients


async def test_a_probe_is_answered_from_the_last_look_while_strangers_ask_without_end(
    log: io.StringIO,
) -> None:
    """While other clients take all places for health checks, a readiness probe gets the result of the latest
    check.

    Otherwise an orchestrator would send no more of Slack's requests to this process.
    """
    readyz = b"GET /readyz HTTP/1.1\r\nHost: taskwire\r\n\r\n"
    async with new_site(log, health=2) as site:
        never_looked = await _asking_for_figures(site, 2)
        before = await site.ask_once(readyz)
        site.is_measured.set()
        await asyncio.gather(*(client.answer() for client in never_looked))
        looked = await site.ask_once(readyz)
        site.is_measured.clear()
        waiting_clients = await _asking_for_figures(site, 2)

        meanwhile = await site.ask_once(readyz)
        site.is_measured.set()
        await asyncio.gather(*(client.answer() for client in waiting_clients))

        assert before == (503, "Too many ask at once.\n")
        assert meanwhile == looked
        assert looked[0] == 200


async def test_figures_leave_places_to_those_who_ask_whether_it_is_ready(log: io.StringIO) -> None:
    """If as many metrics requests as allowed wait, a further one is refused, and a readiness probe is still
    answered. Metrics requests take longest."""
    async with new_site(log) as site:
        waiting_clients = await _asking_for_figures(site, MAX_METRICS_REQUESTS)

        one_more = await site.ask_once(b"GET /metrics HTTP/1.1\r\nHost: taskwire\r\n\r\n")
        ready = await site.ask_once(b"GET /readyz HTTP/1.1\r\nHost: taskwire\r\n\r\n")
        site.is_measured.set()
        await asyncio.gather(*(client.answer() for client in waiting_clients))

        assert one_more == (503, "Too many ask at once.\n")
        assert ready[0] == 200


async def test_a_kept_connection_makes_room_for_slacks_next_one(log: io.StringIO) -> None:
    """If there is no place for another kept connection, the oldest kept one is closed. So a proxy that opens
    a connection for each request is always accepted."""
    async with new_site(log, trusted=2) as site:
        clients = [await site.connect() for _ in range(4)]

        answers = [await client.ask(request(command(str(number)))) for number, client in enumerate(clients)]

        assert answers == [(200, "taken")] * 4
        assert [await client.is_closed() for client in clients[:2]] == [True, True]
        assert [client.is_open for client in clients[2:]] == [True, True]


@pytest.mark.parametrize("descriptors", [10, 100, 256, 512, 671, 672, 768, 1 << 20])
def test_the_limits_fit_into_what_the_system_gives(descriptors: int) -> None:
    """If the system allows only few file descriptors, there are fewer places for connections of each kind,
    but at least one."""
    limits = ConnectionLimits().scaled_to(descriptors)

    places = astuple(limits)[:3]
    assert sum(places) + 64 <= max(descriptors, 64 + 3)
    assert min(places) >= 1
    assert (limits == ConnectionLimits()) == (descriptors >= 672)


async def _until(site: Site, why: str, count: int) -> None:
    name = "taskwire_http_connections_closed_total"
    await until(lambda: site.metric(name, why=why) == count, f"{count} that were closed: {why}")


async def _until_there(site: Site, state: str, count: int) -> None:
    name = "taskwire_http_connections"
    await until(lambda: site.metric(name, state=state) == count, f"{count} connections: {state}")
