"""Each answer of Slack means done, certainly not done, or unknown. The client repeats no call."""

import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from taskwire import transport
from taskwire.domain.errors import AccountRefused, NotDone, OutcomeUnknown, OutsideError, Refused, TryLater
from taskwire.domain.ids import ChannelId, Ts
from taskwire.domain.text.message import Message
from taskwire.slack import errors
from taskwire.slack.calls import SlackTimeouts
from taskwire.slack.client import make_client
from taskwire.slack.metadata import Metadata
from taskwire.slack.outbound import Outbound
from taskwire_sandbox.slack import CallFault, SlackSandbox
from tests.coder.raw_server import (
    Behavior,
    RawServer,
    close_connection,
    never_respond,
    raw_server,
    reset_connection,
    respond,
    send_raw_and_close,
)
from tests.slack.conftest import RateLimiter, mask

TOKEN = "xoxb-1-very-secret"
CHANNEL = ChannelId("C0000001")
IS_JSON = "Content-Type: application/json"


@contextlib.asynccontextmanager
async def slack_that(
    *play: Behavior, seconds: float = 5.0
) -> AsyncIterator[tuple[Outbound, RawServer, RateLimiter]]:
    """Run a server that shows these behaviors, one for each request. Yield a client for it, the server and
    the client's rate limiter. `seconds` is the client's timeout."""
    async with raw_server(*play) as server, transport.make_session() as session:
        rate_limiter, timeouts = RateLimiter(), SlackTimeouts(seconds, seconds, seconds, seconds)
        client = make_client(TOKEN, f"{server.url}/api", session=session)
        yield Outbound(client, rate_limiter, mask, timeouts=timeouts), server, rate_limiter


async def post(outbound: Outbound) -> Ts:
    return await outbound.post(CHANNEL, Message(text="Hello"), Metadata("m1", "answer"))


async def outcome(act: Behavior, seconds: float = 5.0) -> tuple[OutsideError, RateLimiter]:
    """Post once to a server with this behavior, with a timeout of `seconds`.

    Return the error and the rate limiter. Check that the server got only one request.
    """
    async with slack_that(act, seconds=seconds) as (outbound, server, rate_limiter):
        with pytest.raises(OutsideError) as raised:
            await post(outbound)
        assert len(server.requests) == 1
    assert TOKEN not in f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"
    return raised.value, rate_limiter


def no(error: str, **more: object) -> str:
    return json.dumps({"ok": False, "error": error, **more})


REFUSALS: list[tuple[str, type[errors.SlackRefused | errors.MissingScope]]] = [
    ("channel_not_found", errors.ChannelProblem),
    ("not_in_channel", errors.ChannelProblem),
    ("is_archived", errors.ChannelProblem),
    ("restricted_action_read_only_channel", errors.ChannelProblem),
    ("message_not_found", errors.MessageGone),
    ("cannot_reply_to_message", errors.MessageGone),
    ("expired_trigger_id", errors.DialogGone),
    ("missing_scope", errors.MissingScope),
    ("msg_too_long", errors.SlackRefused),
    ("invalid_arguments", errors.SlackRefused),
]


@pytest.mark.parametrize(("code", "kind"), REFUSALS)
async def test_an_error_that_slack_names_is_a_plain_no(
    code: str, kind: type[errors.SlackRefused | errors.MissingScope]
) -> None:
    found, _ = await outcome(respond(200, no(code), IS_JSON))

    assert type(found) is kind
    assert isinstance(found, Refused)
    assert not isinstance(found, AccountRefused)
    assert found.code == code


@pytest.mark.parametrize("code", ["invalid_auth", "account_inactive", "token_revoked"])
async def test_a_token_that_slack_refuses_is_no_fault_of_the_request(code: str) -> None:
    found, _ = await outcome(respond(200, no(code), IS_JSON))

    assert type(found) is errors.SlackTokenRefused
    assert isinstance(found, AccountRefused)
    assert not isinstance(found, Refused)
    assert found.code == code


async def test_a_refusal_says_what_is_missing_and_never_the_token() -> None:
    messages = {"messages": [f"[ERROR] bad header {TOKEN}"]}
    said = no("missing_scope", needed="chat:write", response_metadata=messages)

    found, _ = await outcome(respond(200, said, IS_JSON))

    assert str(found) == "chat.postMessage: missing_scope (needed: chat:write; [ERROR] bad header ***)"


LIMITED = [
    (respond(429, no("ratelimited"), IS_JSON, "Retry-After: 7"), 7.0, 7.0),
    (respond(200, no("ratelimited"), IS_JSON, "Retry-After: 2"), 2.0, 2.0),
    (respond(200, no("rate_limited"), IS_JSON), None, 10.0),
    (respond(200, no("message_limit_exceeded"), IS_JSON), None, 10.0),
]


@pytest.mark.parametrize(("act", "after", "rest"), LIMITED)
async def test_a_limit_rests_the_method_for_everybody(
    act: Behavior, after: float | None, rest: float
) -> None:
    found, rate_limiter = await outcome(act)

    assert isinstance(found, errors.SlackRateLimited)
    assert isinstance(found, TryLater)
    assert found.retry_after_seconds == after
    assert rate_limiter.rests == [("chat.postMessage", rest)]


NOT_SLACKS = [
    (respond(429, "slow down", "Content-Type: text/plain", "Retry-After: 30"), 30.0),
    (respond(429, "{nonsense", IS_JSON, "Retry-After: 3"), 3.0),
]


@pytest.mark.parametrize(("act", "rest"), NOT_SLACKS)
async def test_a_limit_that_names_nothing_rests_everything(act: Behavior, rest: float) -> None:
    """If a 429 comes without Slack's own error code, for example from a proxy, calls of all methods are
    blocked for a while. The rate limit may be about all calls."""
    found, rate_limiter = await outcome(act)

    assert isinstance(found, errors.SlackRateLimited)
    assert rate_limiter.rests == [("*", rest)]


UNKNOWN = {
    "internal": respond(200, no("internal_error"), IS_JSON),
    "fatal": respond(200, no("fatal_error"), IS_JSON),
    "unavailable": respond(200, no("service_unavailable"), IS_JSON),
    "timeout": respond(200, no("request_timeout"), IS_JSON),
    "nobody has named it": respond(200, no("a_new_error"), IS_JSON),
    "no code": respond(200, no("<b>oops</b>"), IS_JSON),
    "500": respond(500, "oops", "Content-Type: text/plain"),
    "502": respond(502, "<html>", "Content-Type: text/html"),
    "503 that names": respond(503, no("channel_not_found"), IS_JSON),
    "not JSON": respond(200, "<html>", "Content-Type: text/html"),
    "plain text": respond(200, "ok", "Content-Type: text/plain"),
    "broken JSON": respond(200, '{"ok": tr', IS_JSON),
    "no bytes": respond(200, "", IS_JSON),
    "a list": respond(200, "[]", IS_JSON),
    "ok by another word": respond(200, '{"ok": "yes", "ts": "1.000001"}', IS_JSON),
    "ok without a ts": respond(200, '{"ok": true}', IS_JSON),
    "a firewall's no": respond(403, "<html>", "Content-Type: text/html"),
    "a redirect": respond(307, "", "Location: /elsewhere", IS_JSON),
    "hung up": close_connection,
    "reset": reset_connection,
    "cut within": send_raw_and_close(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
async def test_what_is_not_clear_may_have_happened(name: str) -> None:
    found, rate_limiter = await outcome(UNKNOWN[name])

    assert isinstance(found, OutcomeUnknown)
    assert rate_limiter.rests == []


async def test_silence_may_have_happened() -> None:
    found, _ = await outcome(never_respond, seconds=0.2)

    assert isinstance(found, transport.NoAnswer)


async def test_nobody_there_is_certainly_not_done() -> None:
    async with slack_that(close_connection) as (_, server, _):
        gone = server.url
    async with transport.make_session() as session:
        outbound = Outbound(make_client(TOKEN, gone, session=session), RateLimiter(), mask)
        with pytest.raises(transport.Unreachable):
            await post(outbound)


async def test_a_limit_counts_where_the_others_cannot_be_told() -> None:
    class Broken(RateLimiter):
        async def block(self, method: str, seconds: float) -> None:
            raise ConnectionError(f"{method} {seconds}")

    act = respond(429, no("ratelimited"), IS_JSON, "Retry-After: 7")
    async with raw_server(act) as server, transport.make_session() as session:
        outbound = Outbound(make_client(TOKEN, server.url, session=session), Broken(), mask)
        with pytest.raises(errors.SlackRateLimited):
            await post(outbound)


async def test_only_slacks_own_answers_tell_the_time() -> None:
    date = "Date: Wed, 21 Oct 2015 07:28:00 GMT"
    acts = (
        respond(502, "<html>", "Content-Type: text/html", date),
        respond(200, no("not_authed"), IS_JSON, date),
    )
    async with slack_that(*acts) as (outbound, _, _):
        with pytest.raises(OutcomeUnknown):
            await post(outbound)
        assert outbound.last_answer_at is None

        with pytest.raises(NotDone):
            await post(outbound)
        assert str(outbound.last_answer_at) == "2015-10-21 07:28:00+00:00"


async def test_a_page_without_a_way_to_the_next_is_no_answer() -> None:
    page = json.dumps({"ok": True, "messages": [], "has_more": True})
    auth = json.dumps({"ok": True, "team_id": "T1", "user_id": "U0BOT", "bot_id": "B1"})
    async with slack_that(respond(200, auth, IS_JSON), respond(200, page, IS_JSON)) as (outbound, _, _):
        with pytest.raises(errors.UnexpectedSlackAnswer):
            await outbound.find_copies(CHANNEL, None, Ts("1.000000"), "m1")


async def test_proxies_of_the_environment_are_kept_out_where_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with slack_that(respond(200, '{"ok": true, "ts": "1.000001"}', IS_JSON)) as (outbound, _, _):
        assert await post(outbound) == "1.000001"


async def test_a_client_that_repeats_is_not_taken(slack: SlackSandbox) -> None:
    with pytest.raises(ValueError, match="make_client"):
        Outbound(AsyncWebClient(slack.bot_token, slack.api_url), RateLimiter(), mask)


@pytest.mark.parametrize(
    ("fault", "kind", "posts"),
    [
        (CallFault.RATE_LIMITED, errors.SlackRateLimited, 0),
        (CallFault.REFUSE, transport.ConnectionCut, 0),
        (CallFault.SERVER_ERROR, errors.SlackTrouble, 0),
        (CallFault.ERROR, errors.SlackTrouble, 0),
        (CallFault.NONSENSE, errors.UnexpectedSlackAnswer, 0),
        (CallFault.DONE_THEN_SERVER_ERROR, errors.SlackTrouble, 1),
        (CallFault.DONE_THEN_ERROR, errors.SlackTrouble, 1),
        (CallFault.DONE_THEN_NONSENSE, errors.UnexpectedSlackAnswer, 1),
        (CallFault.DONE_THEN_CUT, transport.ConnectionCut, 1),
    ],
)
async def test_whatever_goes_wrong_nothing_is_posted_twice(
    slack: SlackSandbox, outbound: Outbound, fault: CallFault, kind: type[OutsideError], posts: int
) -> None:
    channel = ChannelId(slack.workspace.channel("dev").id)
    slack.faults.add("chat.postMessage", fault)

    with pytest.raises(kind):
        await outbound.post(channel, Message(text="Hello"), Metadata("m1", "answer"))

    assert len(await outbound.find_copies(channel, None, Ts("0.000000"), "m1")) == posts
    assert sum(call.method == "chat.postMessage" for call in slack.calls) == 1
