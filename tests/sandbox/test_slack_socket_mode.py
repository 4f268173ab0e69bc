"""The stand-in in Socket Mode: tickets, hello, several connections, acks, retries, and how connections
end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.sandbox.slack_app import Api, connected, socket_url
from tests.sandbox.slack_worlds import world


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world(retry_seconds=(0.0, 0.01, 0.01)) as opened:
        yield opened


async def test_hello_counts_the_connections(api: Api) -> None:
    """If an app opens a second connection, the hello on it says that there are two connections."""
    async with connected(api) as first, connected(api) as second:
        assert (first.hello["num_connections"], second.hello["num_connections"]) == (1, 2)
        assert first.hello["connection_info"] == {"app_id": "A0TW000001"}


async def test_a_ticket_opens_one_connection(api: Api) -> None:
    """The URL that an app gets for a new connection opens only one connection."""
    url = await socket_url(api)

    async with api.session.ws_connect(url):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await api.session.ws_connect(url)

    assert refused.value.status == 401


async def test_the_eleventh_connection_is_turned_away(api: Api) -> None:
    """If an app has ten connections, the eleventh is refused."""
    async with AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(connected(api))
        eleventh = await stack.enter_async_context(api.session.ws_connect(await socket_url(api)))

        assert (await eleventh.receive_json())["reason"] == "too_many_websockets"


async def test_each_payload_goes_to_one_connection(api: Api) -> None:
    """Each payload goes to only one connection. Of six messages, each of two connections gets three."""
    async with connected(api) as first, connected(api) as second:
        for number in range(6):
            await api.slack.post("alice", "general", str(number))
        await api.slack.wait_until_idle()

        texts = [event["text"] for event in first.events + second.events]
        assert (sorted(texts), len(first.events)) == (list("012345"), 3)


async def test_commands_take_turns_whatever_else_is_brought(api: Api) -> None:
    """Each of two connections gets every second command, even if events come between the commands."""
    async with connected(api) as first, connected(api) as second:
        for number in range(4):
            await api.slack.command("alice", "general", "/task", str(number))
            await api.slack.post("alice", "general", str(number))
            await api.slack.wait_until_idle()

        texts = [
            sorted(e["payload"]["text"] for e in app.envelopes if e["type"] == "slash_commands")
            for app in (first, second)
        ]
        assert sorted(texts) == [["0", "2"], ["1", "3"]]


async def test_an_event_comes_in_slacks_envelope(api: Api) -> None:
    """The envelope of an event names the app's workspace and the conversation. It says whether the channel is
    shared."""
    async with connected(api) as app:
        ts = await api.slack.post("alice", "general", "hello")
        await api.slack.wait_until_idle()
        (envelope,) = app.envelopes

    payload, channel = envelope["payload"], api.slack.workspace.channel("general").id
    assert (envelope["type"], envelope["accepts_response_payload"]) == ("events_api", False)
    assert (envelope["retry_attempt"], envelope["retry_reason"]) == (0, "")
    assert payload["authorizations"] == [
        {
            "enterprise_id": None,
            "team_id": "T0TASKWIRE",
            "user_id": api.slack.bot_user_id,
            "is_bot": True,
            "is_enterprise_install": False,
        }
    ]
    assert (payload["type"], payload["is_ext_shared_channel"]) == ("event_callback", False)
    assert payload["event_id"].startswith("Ev")
    event = payload["event"]
    assert (event["channel"], event["channel_type"], event["ts"], event["event_ts"]) == (
        channel,
        "channel",
        ts,
        ts,
    )


async def test_an_unacked_event_is_brought_three_more_times(api: Api) -> None:
    """If an event gets no ack, it is delivered three more times, each with the number of the retry. Then the
    stand-in records a violation."""
    async with connected(api) as app:
        app.is_silent = True
        api.slack.sockets.ack_seconds = 0.05
        await api.slack.post("alice", "general", "hello")
        await api.slack.wait_until_idle()

        attempts = [(e["retry_attempt"], e["retry_reason"]) for e in app.envelopes]
        assert attempts == [(0, ""), (1, "timeout"), (2, "timeout"), (3, "timeout")]
        assert len({e["payload"]["event_id"] for e in app.envelopes}) == 1
    assert api.slack.deliveries[0].outcome == "gave_up"
    assert api.slack.violations == ["unacked events_api message: timeout"] * 4


async def test_an_event_without_any_connection_waits_for_one() -> None:
    """If no connection is open, an event waits and is later delivered as a retry. The stand-in records no
    violation."""
    async with world(retry_seconds=(0.0, 0.2, 0.2)) as api:
        await api.slack.post("alice", "general", "hello")
        async with connected(api) as app:
            await api.slack.until(lambda: app.events, "the retry")

            assert app.envelopes[0]["retry_attempt"] > 0
        assert api.slack.violations == []


async def test_a_command_without_a_connection_fails_to_the_person(api: Api) -> None:
    """If no connection is open, a command fails, and the person sees Slack's error."""
    answer = await api.slack.command("alice", "general", "/task help")

    assert answer.failure == '/task failed with the error "dispatch_failed"'
    assert api.slack.deliveries[0].outcome == "dispatch_failed"


async def test_a_command_that_is_not_acked_fails_to_the_person(api: Api) -> None:
    """If a command gets no ack, it fails, and the person sees an error. It is not delivered again."""
    async with connected(api) as app:
        app.is_silent = True
        api.slack.sockets.ack_seconds = 0.05
        answer = await api.slack.command("alice", "general", "/task help")

        assert (answer.error, len(app.envelopes)) == ("operation_timeout", 1)
    assert api.slack.violations == ["unacked slash_commands /task: timeout"]


async def test_a_connection_that_breaks_loses_its_payload() -> None:
    """If a connection breaks during a delivery, the event is delivered again on another connection. The
    stand-in records no violation."""
    async with world(retry_seconds=(0.0, 0.1, 0.1)) as api, connected(api) as first:
        first.is_silent = True
        await api.slack.post("alice", "general", "hello")
        await api.slack.until(lambda: first.envelopes, "the first delivery")
        async with connected(api) as second:
            await first.socket.close()
            await api.slack.until(lambda: second.events, "the second delivery")
            await api.slack.wait_until_idle()

        assert api.slack.deliveries[0].attempts[0] == "connection_lost"
        assert api.slack.deliveries[0].outcome == "acked"
        assert api.slack.violations == []


async def test_a_refresh_asks_for_a_new_connection_before_it_closes(api: Api) -> None:
    """Before the stand-in closes a socket, it sends refresh_requested, and then nothing more on this socket.
    It may send a warning earlier, and the socket stays open."""
    async with connected(api) as old:
        await api.slack.sockets.warn()
        await api.slack.sockets.refresh()
        async with connected(api) as new:
            await api.slack.post("alice", "general", "hello")
            await api.slack.until(lambda: old.socket.closed, "the old socket to close")

            assert [f["reason"] for f in old.frames] == ["warning", "refresh_requested"]
            assert len(new.events) == 1


async def test_a_ping_is_answered_with_the_same_words(api: Api) -> None:
    """If the app sends a ping, the pong has the same content. The SDK uses this content to measure its
    connection."""
    async with api.session.ws_connect(await socket_url(api), autoping=False) as socket:
        await socket.receive_json()
        await socket.ping(b"sdk-ping-pong:1.5")
        pong = await socket.receive()

    assert (pong.type, pong.data) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1.5")


async def test_frames_that_are_no_acks_are_recorded_as_a_violation(api: Api) -> None:
    """The stand-in records a violation if the app sends a frame that is no ack, or an ack for an unknown
    envelope."""
    async with connected(api) as app:
        await app.socket.send_str("hello?")
        await app.socket.send_json({"envelope_id": "e404"})
        await api.slack.until(lambda: len(api.slack.violations) == 2, "two violations")

    assert api.slack.violations == [
        "a frame that is no ack: hello?",
        "an ack for an envelope that never was: e404",
    ]


async def test_many_messages_arrive_once_each_over_several_connections() -> None:
    """Four hundred messages are sent over four connections that are chosen at random. Each message arrives
    once."""
    async with world(balance="random", seed=7) as api, AsyncExitStack() as stack:
        apps = [await stack.enter_async_context(connected(api)) for _ in range(4)]
        await asyncio.gather(*(api.slack.post("alice", "general", str(n)) for n in range(400)))
        await api.slack.wait_until_idle()

        texts = [event["text"] for app in apps for event in app.events]
        assert sorted(texts, key=int) == [str(n) for n in range(400)]
        assert all(app.events for app in apps)
