"""The Socket Mode connection: the client connects by itself, even if the first try fails."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire import transport
from taskwire.slack import manifest, socket_mode
from taskwire.slack.call_priorities import NoLimiter
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound
from taskwire.slack.socket_mode import MOST_IN_FLIGHT, ConcurrencyLimit, SocketModeConnection
from taskwire_sandbox.slack import SlackSandbox


@asynccontextmanager
async def _connecting(
    slack: SlackSandbox, url: str = "", taking: Callable[[AsyncAck], Awaitable[None]] | None = None
) -> AsyncIterator[SocketModeConnection]:
    """Run a connection that starts to connect, with a URL that Slack hands out or with the given `url`.
    `taking` is the listener for `/task`."""
    async with transport.make_session() as session:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        url = url or await Outbound(client, NoLimiter(), str).open_socket(slack.app_token)
        app = AsyncApp(client=client, request_verification_enabled=False)
        if taking is not None:
            app.command("/task")(taking)
        socket = SocketModeConnection(app, slack.app_token, url)
        socket.start()
        try:
            yield socket
        finally:
            await socket.close(within_seconds=1.0)


async def test_it_connects_with_the_address_that_was_asked_for() -> None:
    """The connection first uses the URL that it was given. It requests no second URL."""
    async with SlackSandbox() as slack, _connecting(slack) as socket:
        await slack.wait_for_sockets()

        assert await socket.is_connected()
        asked = [call for call in slack.calls if call.method == "apps.connections.open"]
        assert len(asked) == 1


async def test_an_address_that_does_not_work_is_not_tried_twice(caplog: pytest.LogCaptureFixture) -> None:
    """If a URL does not work, the connection requests a new one for the next try. A URL opens only one
    connection and soon expires.

    The log has no stack trace.
    """
    async with SlackSandbox() as slack:
        used = f"{slack.backend.base_url.replace('http', 'ws')}/link?ticket=used"
        async with _connecting(slack, used) as socket:
            await slack.wait_for_sockets()

            assert await socket.is_connected()
            said = [(record.levelno, record.exc_info) for record in caplog.records]
            assert max(level for level, _ in said) == logging.WARNING
            assert not any(trace for _, trace in said)


async def test_closing_does_not_wait_for_a_slack_that_is_away() -> None:
    """If the connection is closed while Slack is away, the client stops its tries to connect at once."""
    async with SlackSandbox() as slack:
        used = f"{slack.backend.base_url.replace('http', 'ws')}/link?ticket=used"
        async with _connecting(slack, used) as socket:
            await slack.go_down()

            assert not await socket.is_connected()
        await slack.come_back()


async def test_what_has_come_is_answered_before_it_closes() -> None:
    """If the process ends while it claims a command, it still acks the command. So the person does not see
    the command fail."""
    began, written = asyncio.Event(), asyncio.Event()

    async def taking(ack: AsyncAck) -> None:
        began.set()
        await written.wait()
        await ack()

    async with (
        SlackSandbox(manifest=manifest.make_manifest()) as slack,
        _connecting(slack, taking=taking) as socket,
    ):
        slack.add_user("alice")
        slack.add_channel("general", ["alice"])
        await slack.wait_for_sockets()
        typed = asyncio.create_task(slack.command("alice", "general", "/task", "create fix it"))
        await began.wait()

        closing = asyncio.create_task(socket.close(within_seconds=5.0))
        asyncio.get_running_loop().call_later(0.2, written.set)
        answer = await typed
        await closing

    assert answer.ok, answer


async def test_many_that_come_together_all_begin_while_none_is_acknowledged() -> None:
    """Many commands arrive while the store does not answer. The listener of each command starts, although
    none of the earlier commands is acked yet."""
    many, begun, written = 3 * MOST_IN_FLIGHT, 0, asyncio.Event()

    async def taking(ack: AsyncAck) -> None:
        nonlocal begun
        begun += 1
        await written.wait()
        await ack()

    async with SlackSandbox(manifest=manifest.make_manifest()) as slack, _connecting(slack, taking=taking):
        slack.add_user("alice")
        slack.add_channel("general", ["alice"])
        await slack.wait_for_sockets()
        typed = [
            slack.command("alice", "general", "/task", f"create task {number}") for number in range(many)
        ]
        answers = asyncio.gather(*typed)

        await slack.until(lambda: begun == many, "all of them to begin")
        written.set()

        assert all(answer.ok for answer in await answers)


async def test_many_that_come_together_are_taken_in_their_order_and_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If many payloads arrive at the same time, they are handled in order, a few at a time. The first ones
    are acked before the last ones are parsed."""
    monkeypatch.setattr(socket_mode, "LONGEST_WAIT_SECONDS", 60.0)
    in_flight, begun = ConcurrencyLimit(), list[int]()
    may_end = [asyncio.Event() for _ in range(MOST_IN_FLIGHT + 3)]

    async def take(number: int) -> None:
        async with in_flight:
            begun.append(number)
            await may_end[number].wait()

    tasks = [asyncio.create_task(take(number)) for number in range(len(may_end))]
    await asyncio.sleep(0)
    at_first = list(begun)
    may_end[5].set()
    await tasks[5]
    await asyncio.sleep(0)
    then = list(begun)
    for event in may_end:
        event.set()
    await asyncio.gather(*tasks)

    assert at_first == list(range(MOST_IN_FLIGHT))
    assert then == list(range(MOST_IN_FLIGHT + 1))
    assert begun == list(range(MOST_IN_FLIGHT + 3))


async def test_one_that_is_broken_off_gives_its_place_back() -> None:
    """Only a limited number of payloads is handled at once. If a payload that waits for its place is
    cancelled, even when it has just got the place, the place is free for the next payload."""
    in_flight, may_end = ConcurrencyLimit(), asyncio.Event()

    async def take() -> None:
        async with in_flight:
            await may_end.wait()

    async with in_flight:
        working = [asyncio.create_task(take()) for _ in range(MOST_IN_FLIGHT - 1)]
        waiting = [asyncio.create_task(take()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
    # The next payload that waits has just got this place. It is cancelled before it runs again.
    waiting[1].cancel()
    await asyncio.gather(waiting[1], return_exceptions=True)
    may_end.set()
    await asyncio.gather(*working, waiting[2])

    assert in_flight.count == 0
