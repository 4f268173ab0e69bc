"""Slack hands out URLs for answers, uploads and files. The tests check which of them the bot may call, and
what it sends to them."""

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire import transport
from taskwire.domain.errors import OutcomeUnknown, OutsideError
from taskwire.slack import errors
from taskwire.slack.call_priorities import RateLimits, as_claimant
from taskwire.slack.handed_out_urls import HandedOutUrls, is_slack_url
from tests.coder.raw_server import Behavior, close_connection, raw_server, respond
from tests.slack.conftest import RateLimiter

TOKEN = "xoxb-1-very-secret"
SLACK = "https://slack.com/api/"
LOCAL = "http://127.0.0.1:4201/api/"


def make_urls(
    session: aiohttp.ClientSession, base_url: str, rate_limiter: RateLimiter | None = None
) -> HandedOutUrls:
    return HandedOutUrls(session, base_url, TOKEN, RateLimits(rate_limiter or RateLimiter()))


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.txt", SLACK),
        ("https://hooks.slack.com/commands/T1/1/x", SLACK),
        ("https://slack.com/x", SLACK),
        ("https://files.slack.com/x", "https://www.slack.com/api"),
        ("https://files.slack-gov.com/x", "https://slack-gov.com/api/"),
        ("http://127.0.0.1:4201/files-pri/F1/a.txt", LOCAL),
        ("http://localhost:4201/x", "http://localhost:4201/api/"),
    ],
)
def test_these_are_slacks(url: str, base_url: str) -> None:
    assert is_slack_url(url, base_url)


@pytest.mark.parametrize(
    ("url", "base_url"),
    [
        ("http://files.slack.com/x", SLACK),
        ("https://files.slack.com.evil.test/x", SLACK),
        ("https://evilslack.com/x", SLACK),
        ("https://evil.test/slack.com", SLACK),
        ("https://slack.com@evil.test/x", SLACK),
        ("https://user:word@slack.com/x", SLACK),
        ("https://slack.com:8443/x", SLACK),
        ("https://slack.com:99999/x", SLACK),
        ("https://docs.google.com/x", SLACK),
        ("file:///etc/passwd", SLACK),
        ("//slack.com/x", SLACK),
        ("https://[oops/x", SLACK),
        ("", SLACK),
        ("http://127.0.0.1:4202/x", LOCAL),
        ("http://127.0.0.2:4201/x", LOCAL),
        ("http://evil.test:4201/x", LOCAL),
        ("http://files.slack.test/x", "http://slack.test/api/"),
    ],
)
def test_these_are_not(url: str, base_url: str) -> None:
    assert not is_slack_url(url, base_url)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_address_breaks_the_question(rest: str) -> None:
    assert not is_slack_url(f"https://evil.test/{rest}", SLACK)
    is_slack_url(rest, SLACK)


async def test_a_foreign_host_is_never_asked() -> None:
    async with raw_server(respond(200, "abc")) as server, transport.make_session() as session:
        urls = make_urls(session, SLACK)

        with pytest.raises(errors.ForeignUrl):
            await urls.download(f"{server.url}/x", 100, 5.0)
        with pytest.raises(errors.ForeignUrl):
            await urls.respond(f"{server.url}/x", {"text": "Hello"}, 5.0)
        with pytest.raises(errors.ForeignUrl):
            await urls.upload(f"{server.url}/x", b"abc", 5.0)

        assert server.connections == 0


async def test_the_token_goes_to_private_files_alone() -> None:
    async with raw_server(respond(200, "abc")) as server, transport.make_session() as session:
        urls = make_urls(session, f"{server.url}/api/")

        assert await urls.download(f"{server.url}/a.txt", 100, 5.0) == "abc"
        await urls.respond(f"{server.url}/respond/1", {"text": "Hello"}, 5.0)
        await urls.upload(f"{server.url}/upload/1", b"abc", 5.0)

        assert [TOKEN.encode() in request for request in server.requests] == [True, False, False]


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    elsewhere = respond(302, "", "Location: /signin")
    async with raw_server(elsewhere, respond(200, "sign in")) as server, transport.make_session() as session:
        with pytest.raises(errors.UnexpectedSlackAnswer):
            await HandedOutUrls(session, f"{server.url}/api/", TOKEN, RateLimits(RateLimiter())).download(
                f"{server.url}/a.txt", 100, 5.0
            )

        assert server.lines == ["GET /a.txt"]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (respond(404, "used_url"), errors.SlackRefused),
        (respond(410, "expired_url"), errors.SlackRefused),
        (respond(400, "invalid_payload"), errors.SlackRefused),
        (respond(403, "no"), errors.SlackTokenRefused),
        (respond(429, "slow down", "Retry-After: 3"), errors.SlackRateLimited),
        (respond(500, "oops"), errors.SlackTrouble),
        (respond(204), errors.UnexpectedSlackAnswer),
        (close_connection, OutcomeUnknown),
    ],
)
async def test_an_answer_is_shown_once_or_not_at_all(act: Behavior, kind: type[OutsideError]) -> None:
    async with raw_server(act) as server, transport.make_session() as session:
        with pytest.raises(kind):
            await HandedOutUrls(session, server.url, TOKEN, RateLimits(RateLimiter())).respond(
                f"{server.url}/r/secret", {"text": "Hello"}, 5.0
            )

        assert len(server.requests) == 1


async def test_a_response_url_stays_out_of_what_is_raised() -> None:
    async with raw_server(close_connection) as server:
        gone = server.url
    async with transport.make_session() as session:
        with pytest.raises(transport.Unreachable) as raised:
            await HandedOutUrls(session, gone, TOKEN, RateLimits(RateLimiter())).respond(
                f"{gone}/respond/very-secret", {"text": "Hi"}, 5.0
            )

    assert "very-secret" not in repr(raised.value)


async def test_a_limit_there_rests_these_addresses_for_everybody() -> None:
    """If a URL that Slack handed out answers 429, all replicas stop calling URLs of the same kind for a
    while. The kinds are response, upload and download. URLs of another kind are not affected."""
    rate_limiter, limited = RateLimiter(), respond(429, "slow down", "Retry-After: 3")
    async with raw_server(limited, limited, limited) as server, transport.make_session() as session:
        urls = make_urls(session, f"{server.url}/api/", rate_limiter)

        with pytest.raises(errors.SlackRateLimited):
            await urls.respond(f"{server.url}/respond/1", {"text": "Hello"}, 5.0)
        with pytest.raises(errors.SlackRateLimited):
            await urls.upload(f"{server.url}/upload/1", b"abc", 5.0)
        with pytest.raises(errors.SlackRateLimited):
            await urls.download(f"{server.url}/a.txt", 100, 5.0)

    assert rate_limiter.rests == [("response_url", 3.0), ("upload", 3.0), ("download", 3.0)]


async def test_nobody_is_asked_while_these_addresses_rest() -> None:
    """After a 429, all URLs of the same kind (response, upload or download) are blocked for a while. In a
    job, a request to such a URL is not sent and raises NoCapacity at once. The job can then show its message
    in another way."""
    async with raw_server(respond(200, "ok")) as server, transport.make_session() as session:
        urls = make_urls(session, f"{server.url}/api/", RateLimiter(seconds=3))
        with as_claimant("to_coder:L1 job"), pytest.raises(errors.NoCapacity):
            await urls.respond(f"{server.url}/respond/1", {"text": "Hello"}, 5.0)

        assert server.requests == []
