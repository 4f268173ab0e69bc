"""The Slack stand-in's faults for calls and deliveries, and the hook around each call."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from taskwire_sandbox.slack import Call, CallFault, DeliveryFault
from tests.sandbox.slack_app import Api, connected
from tests.sandbox.slack_worlds import world


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with world(retry_seconds=(0.0, 0.01)) as opened:
        yield opened


@pytest.fixture
def general(api: Api) -> str:
    return api.slack.workspace.channel("general").id


def texts(api: Api) -> list[str]:
    return [message["text"] for message in api.slack.messages("general")]


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [
        (CallFault.RATE_LIMITED, 429, False),
        (CallFault.SERVER_ERROR, 500, False),
        (CallFault.ERROR, 200, False),
        (CallFault.NONSENSE, 200, False),
        (CallFault.LATE, 200, True),
        (CallFault.DONE_THEN_SERVER_ERROR, 500, True),
        (CallFault.DONE_THEN_ERROR, 200, True),
        (CallFault.DONE_THEN_NONSENSE, 200, True),
        (CallFault.DONE_THEN_LATE, 200, True),
    ],
)
async def test_a_call_is_answered_badly(
    api: Api, general: str, fault: CallFault, status: int, *, done: bool
) -> None:
    """If a test plans a bad answer for a call, the call gets this answer. Some faults let the call be
    executed first. The next call is answered normally."""
    api.slack.faults.add("chat.postMessage", fault, seconds=0.01)

    async with api.raw("chat.postMessage", channel=general, text="hello") as response:
        assert response.status == status
    after_fault = texts(api)
    await api.post(general, "again")

    assert after_fault == (["hello"] if done else [])
    assert api.slack.calls[-2].executed is done
    assert texts(api)[-1] == "again"


@pytest.mark.parametrize(("fault", "done"), [(CallFault.REFUSE, False), (CallFault.DONE_THEN_CUT, True)])
async def test_a_connection_is_cut(api: Api, general: str, fault: CallFault, *, done: bool) -> None:
    """If a test plans a cut for a call, the connection is cut before or after the call is executed."""
    api.slack.faults.add("chat.postMessage", fault)

    with pytest.raises(aiohttp.ClientConnectionError):
        await api.call("chat.postMessage", channel=general, text="hello")

    assert texts(api) == (["hello"] if done else [])
    assert api.slack.calls[-1].outcome == fault.value


@pytest.mark.parametrize(("fault", "done"), [(CallFault.HANG, False), (CallFault.DONE_THEN_HANG, True)])
async def test_a_call_is_never_answered(api: Api, general: str, fault: CallFault, *, done: bool) -> None:
    """If a test plans silence for a call, the call gets no answer until the client closes the connection."""
    api.slack.faults.add("chat.postMessage", fault)

    waiting = asyncio.create_task(api.call("chat.postMessage", channel=general, text="hello"))
    await api.slack.until(lambda: any(c.outcome == fault.value for c in api.slack.calls), "the call to hang")
    waiting.cancel()

    assert texts(api) == (["hello"] if done else [])


async def test_an_answer_has_retry_after_and_a_chosen_error(api: Api, general: str) -> None:
    """A test that plans a 429 can choose the seconds of Retry-After. A test that plans an error can choose
    the error's name."""
    api.slack.faults.add("chat.postMessage", CallFault.RATE_LIMITED, seconds=7)
    api.slack.faults.add("chat.postMessage", CallFault.ERROR, error="fatal_error")

    async with api.raw("chat.postMessage", channel=general, text="a") as response:
        limited = (response.headers["Retry-After"], await response.json())
    failed = await api.call("chat.postMessage", channel=general, text="a")

    assert limited == ("7", {"ok": False, "error": "ratelimited"})
    assert failed == {"ok": False, "error": "fatal_error"}


async def test_chance_follows_the_seed() -> None:
    """If faults depend on chance, stand-ins with the same seed fail the same calls."""
    runs = []
    for _ in range(2):
        async with world(seed=11) as api:
            api.slack.faults.add("auth.test", CallFault.ERROR, times=None, probability=0.5)
            runs.append([(await api.call("auth.test"))["ok"] for _ in range(20)])

    assert runs[0] == runs[1]
    assert set(runs[0]) == {True, False}


async def test_a_rule_may_look_at_the_arguments(api: Api, general: str) -> None:
    """A planned fault can have a condition on the arguments of a call. It then affects only the calls that
    meet the condition, for example one message of many."""
    api.slack.faults.add(
        "chat.postMessage", CallFault.ERROR, where=lambda arguments: arguments["text"] == "b"
    )

    answers = [(await api.call("chat.postMessage", channel=general, text=text))["ok"] for text in "abc"]

    assert answers == [True, False, True]


async def test_a_test_may_act_around_a_call(api: Api, general: str) -> None:
    """A test can set a hook, a function that runs before the effect of a call. It runs again after the effect
    and before the answer."""
    seen: list[tuple[str, str, list[str]]] = []
    api.slack.on_call = lambda phase, call: seen.append((phase, call.method, texts(api)))

    await api.post(general, "hello")

    assert seen == [("before", "chat.postMessage", []), ("after", "chat.postMessage", ["hello"])]


async def test_a_call_may_be_held(api: Api, general: str) -> None:
    """If the test's hook around a call waits, the call waits too."""
    given_up = asyncio.Event()

    async def hold(phase: str, _: Call) -> None:
        if phase == "after":
            await given_up.wait()

    api.slack.on_call = hold
    posting = asyncio.create_task(api.post(general, "hello"))
    await api.slack.until(lambda: texts(api), "the execution")
    unanswered = not posting.done()
    given_up.set()

    assert (unanswered, await posting == api.slack.messages("general")[0]["ts"]) == (True, True)


async def test_a_server_that_is_down_refuses_and_comes_back(api: Api, general: str) -> None:
    """While the server is down, it refuses connections. When it is up again, it has the same port and the
    same data."""
    await api.post(general, "before")
    url = api.slack.api_url

    await api.slack.go_down()
    with pytest.raises(aiohttp.ClientConnectionError):
        await api.call("auth.test")
    await api.slack.come_back()

    assert (await api.call("auth.test"))["ok"]
    assert (api.slack.api_url, texts(api)) == (url, ["before"])


async def test_an_event_is_delivered_twice(api: Api) -> None:
    """If a test plans that an event comes twice, it is delivered twice with the same event id. Neither
    delivery is marked as a retry."""
    api.slack.faults.add("message", DeliveryFault.TWICE)

    async with connected(api) as app:
        await api.slack.post("alice", "general", "hello")
        await api.slack.wait_until_idle()

        assert [e["retry_attempt"] for e in app.envelopes] == [0, 0]
        assert len({e["payload"]["event_id"] for e in app.envelopes}) == 1


async def test_a_lost_event_comes_as_a_retry(api: Api) -> None:
    """If the first delivery of an event is lost, the app gets the event only as a retry."""
    api.slack.faults.add("message", DeliveryFault.LOST)

    async with connected(api) as app:
        await api.slack.post("alice", "general", "hello")
        await api.slack.wait_until_idle()

        assert [e["retry_attempt"] for e in app.envelopes] == [1]
    assert api.slack.violations == []


async def test_events_come_out_of_order(api: Api) -> None:
    """If a test plans a delay for an event, this event arrives after the next one."""
    api.slack.faults.add("message", DeliveryFault.OUT_OF_ORDER)

    async with connected(api) as app:
        await api.slack.post("alice", "general", "first")
        await api.slack.post("alice", "general", "second")
        await api.slack.wait_until_idle()

        assert [e["text"] for e in app.events] == ["second", "first"]


async def test_a_socket_is_cut_with_a_payload_on_it(api: Api) -> None:
    """If a socket is cut during a delivery, the delivery ends with connection_lost, and a retry follows."""
    api.slack.faults.add("message", DeliveryFault.CUT)

    async with connected(api) as first:
        first.is_silent = True
        await api.slack.post("alice", "general", "hello")
        await api.slack.until(lambda: first.socket.closed, "the cut")
        async with connected(api) as second:
            await api.slack.until(
                lambda: second.events or api.slack.deliveries[0].outcome == "gave_up", "an end"
            )
            await api.slack.wait_until_idle()

    assert api.slack.deliveries[0].attempts[0] == "connection_lost"


async def test_a_payload_may_come_with_a_refresh(api: Api) -> None:
    """If a test plans a refresh for an event, the stand-in first asks the app to open a new connection. It
    delivers the event only on the new connection."""
    api.slack.faults.add("message", DeliveryFault.REFRESH)

    async with connected(api) as old:
        await api.slack.post("alice", "general", "hello")
        await api.slack.until(lambda: old.frames, "the refresh")

        assert [f.get("reason") for f in old.frames] == ["refresh_requested"]


async def test_a_lost_command_fails_to_the_person(api: Api) -> None:
    """If a command is lost, the person sees an error. The stand-in does not send the command again, because
    Slack does not."""
    api.slack.faults.add("/task", DeliveryFault.LOST)

    async with connected(api) as app:
        answer = await api.slack.command("alice", "general", "/task help")

        assert (answer.error, app.envelopes) == ("operation_timeout", [])
