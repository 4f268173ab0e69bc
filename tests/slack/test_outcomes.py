"""What each answer of Slack means: done, certainly not done, or unknown. The client repeats no call."""

import contextlib
import json
from collections.abc import AsyncIterator

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from taskwire import transport
from taskwire.domain.errors import AccountRefused, NotDone, OutcomeUnknown, OutsideError, Refused, TryLater
from taskwire.domain.ids import ChannelId, Ts
from taskwire.domain.message import Message
from taskwire.slack import errors
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Metadata, Outbound, SlackTimeouts
from taskwire_sandbox.slack import CallFault, SlackSandbox
from tests.coder.far_side import Act, FarSide, far_side, hangs_up, raw_then_cut, resets, says, says_nothing
from tests.slack.conftest import RateLimiter, mask

TOKEN = "xoxb-1-very-secret"
CHANNEL = ChannelId("C0000001")
IS_JSON = "Content-Type: application/json"


@contextlib.asynccontextmanager
async def slack_that(
    *play: Act, seconds: float = 5.0
) -> AsyncIterator[tuple[Outbound, FarSide, RateLimiter]]:
    """Run a server that plays these acts, and a client for it."""
    async with far_side(*play) as far, transport.make_session() as session:
        pace, timeouts = RateLimiter(), SlackTimeouts(seconds, seconds, seconds, seconds)
        client = make_client(TOKEN, f"{far.url}/api", session=session)
        yield Outbound(client, pace, mask, timeouts=timeouts), far, pace


async def post(outbound: Outbound) -> Ts:
    return await outbound.post(CHANNEL, Message(text="Hello"), Metadata("m1", "answer"))


async def outcome(act: Act, seconds: float = 5.0) -> tuple[OutsideError, RateLimiter]:
    """Post once to a server that acts like this, and return what is raised.

    The server must get one request.
    """
    async with slack_that(act, seconds=seconds) as (outbound, far, pace):
        with pytest.raises(OutsideError) as raised:
            await post(outbound)
        assert len(far.requests) == 1
    assert TOKEN not in f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r}"
    return raised.value, pace


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
    found, _ = await outcome(says(200, no(code), IS_JSON))

    assert type(found) is kind
    assert isinstance(found, Refused)
    assert not isinstance(found, AccountRefused)
    assert found.code == code


@pytest.mark.parametrize("code", ["invalid_auth", "account_inactive", "token_revoked"])
async def test_a_token_that_slack_refuses_is_no_fault_of_the_request(code: str) -> None:
    found, _ = await outcome(says(200, no(code), IS_JSON))

    assert type(found) is errors.SlackTokenRefused
    assert isinstance(found, AccountRefused)
    assert not isinstance(found, Refused)
    assert found.code == code


async def test_a_refusal_says_what_is_missing_and_never_the_token() -> None:
    messages = {"messages": [f"[ERROR] bad header {TOKEN}"]}
    said = no("missing_scope", needed="chat:write", response_metadata=messages)

    found, _ = await outcome(says(200, said, IS_JSON))

    assert str(found) == "chat.postMessage: missing_scope (needed: chat:write; [ERROR] bad header ***)"


LIMITED = [
    (says(429, no("ratelimited"), IS_JSON, "Retry-After: 7"), 7.0, 7.0),
    (says(200, no("ratelimited"), IS_JSON, "Retry-After: 2"), 2.0, 2.0),
    (says(200, no("rate_limited"), IS_JSON), None, 10.0),
    (says(200, no("message_limit_exceeded"), IS_JSON), None, 10.0),
]


@pytest.mark.parametrize(("act", "after", "rest"), LIMITED)
async def test_a_limit_rests_the_method_for_everybody(act: Act, after: float | None, rest: float) -> None:
    found, pace = await outcome(act)

    assert isinstance(found, errors.SlackRateLimited)
    assert isinstance(found, TryLater)
    assert found.retry_after_seconds == after
    assert pace.rests == [("chat.postMessage", rest)]


NOT_SLACKS = [
    (says(429, "slow down", "Content-Type: text/plain", "Retry-After: 30"), 30.0),
    (says(429, "{nonsense", IS_JSON, "Retry-After: 3"), 3.0),
]


@pytest.mark.parametrize(("act", "rest"), NOT_SLACKS)
async def test_a_limit_that_names_nothing_rests_everything(act: Act, rest: float) -> None:
    """Only Slack's own error is known to be about the method. Another 429 may be about all calls."""
    found, pace = await outcome(act)

    assert isinstance(found, errors.SlackRateLimited)
    assert pace.rests == [("*", rest)]


UNKNOWN = {
    "internal": says(200, no("internal_error"), IS_JSON),
    "fatal": says(200, no("fatal_error"), IS_JSON),
    "unavailable": says(200, no("service_unavailable"), IS_JSON),
    "timeout": says(200, no("request_timeout"), IS_JSON),
    "nobody has named it": says(200, no("a_new_error"), IS_JSON),
    "no code": says(200, no("<b>oops</b>"), IS_JSON),
    "500": says(500, "oops", "Content-Type: text/plain"),
    "502": says(502, "<html>", "Content-Type: text/html"),
    "503 that names": says(503, no("channel_not_found"), IS_JSON),
    "not JSON": says(200, "<html>", "Content-Type: text/html"),
    "plain text": says(200, "ok", "Content-Type: text/plain"),
    "broken JSON": says(200, '{"ok": tr', IS_JSON),
    "no bytes": says(200, "", IS_JSON),
    "a list": says(200, "[]", IS_JSON),
    "ok by another word": says(200, '{"ok": "yes", "ts": "1.000001"}', IS_JSON),
    "ok without a ts": says(200, '{"ok": true}', IS_JSON),
    "a firewall's no": says(403, "<html>", "Content-Type: text/html"),
    "a redirect": says(307, "", "Location: /elsewhere", IS_JSON),
    "hung up": hangs_up,
    "reset": resets,
    "cut within": raw_then_cut(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    ),
}


@pytest.mark.parametrize("name", UNKNOWN)
async def test_what_is_not_clear_may_have_happened(name: str) -> None:
    found, pace = await outcome(UNKNOWN[name])

    assert isinstance(found, OutcomeUnknown)
    assert pace.rests == []


async def test_silence_may_have_happened() -> None:
    found, _ = await outcome(says_nothing, seconds=0.2)

    assert isinstance(found, transport.NoAnswer)


async def test_nobody_there_is_certainly_not_done() -> None:
    async with slack_that(hangs_up) as (_, far, _):
        gone = far.url
    async with transport.make_session() as session:
        outbound = Outbound(make_client(TOKEN, gone, session=session), RateLimiter(), mask)
        with pytest.raises(transport.Unreachable):
            await post(outbound)


async def test_a_limit_counts_where_the_others_cannot_be_told() -> None:
    class Broken(RateLimiter):
        async def block(self, method: str, seconds: float) -> None:
            raise ConnectionError(f"{method} {seconds}")

    act = says(429, no("ratelimited"), IS_JSON, "Retry-After: 7")
    async with far_side(act) as far, transport.make_session() as session:
        outbound = Outbound(make_client(TOKEN, far.url, session=session), Broken(), mask)
        with pytest.raises(errors.SlackRateLimited):
            await post(outbound)


async def test_only_slacks_own_answers_tell_the_time() -> None:
    date = "Date: Wed, 21 Oct 2015 07:28:00 GMT"
    acts = (says(502, "<html>", "Content-Type: text/html", date), says(200, no("not_authed"), IS_JSON, date))
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
    async with slack_that(says(200, auth, IS_JSON), says(200, page, IS_JSON)) as (outbound, _, _):
        with pytest.raises(errors.UnexpectedSlackAnswer):
            await outbound.find_copies(CHANNEL, None, Ts("1.000000"), "m1")


async def test_proxies_of_the_environment_are_kept_out_where_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with slack_that(says(200, '{"ok": true, "ts": "1.000001"}', IS_JSON)) as (outbound, _, _):
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
