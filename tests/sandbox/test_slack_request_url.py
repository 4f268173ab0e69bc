"""The Slack stand-in in HTTP mode: signed requests, retries with their headers, the URL handshake, and
forms."""

import json
from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from tests.sandbox.slack_app import Api, Json
from tests.sandbox.slack_worlds import world


class HttpApp:
    """An app that gets Slack's requests over HTTP. It records each request and answers with `answer`, which a
    test can replace."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], str]] = []
        self.answer: Callable[[], web.Response] = lambda: web.Response(text="")
        self.url = ""

    async def serve(self, request: web.Request) -> web.Response:
        """Record a request of the stand-in and answer it. A challenge gets its own text back. Every other
        request gets the result of `answer`."""
        body = await request.text()
        self.requests.append((dict(request.headers), body))
        if '"url_verification"' in body:
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        return self.answer()

    def form(self) -> Json:
        """Return the body of the newest request, parsed as a form."""
        return {key: values[0] for key, values in parse_qs(self.requests[-1][1]).items()}


@pytest.fixture
async def app() -> AsyncIterator[HttpApp]:
    app = HttpApp()
    application = web.Application()
    application.add_routes([web.post("/slack/events", app.serve)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    app.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield app
    await runner.cleanup()


@pytest.fixture
async def api(app: HttpApp) -> AsyncIterator[Api]:
    async with world(mode="http", request_url=app.url, ack_seconds=0.3, retry_seconds=(0.0, 0.01)) as opened:
        yield opened


async def test_events_are_signed(app: HttpApp, api: Api) -> None:
    """The SDK's own verifier accepts the signature of an event."""
    await api.slack.post("alice", "general", "hello")
    await api.slack.wait_until_idle()

    headers, body = app.requests[0]
    assert json.loads(body)["event"]["text"] == "hello"
    assert SignatureVerifier(api.slack.signing_secret).is_valid_request(body, headers)
    assert "X-Slack-Retry-Num" not in headers


async def test_a_retry_has_its_number_in_a_header(app: HttpApp, api: Api) -> None:
    """If an event is sent again, the request's headers have the number and the reason of the retry. After the
    last retry, the event is given up."""
    app.answer = lambda: web.Response(status=503)

    await api.slack.post("alice", "general", "hello")
    await api.slack.wait_until_idle()

    retries = [(h.get("X-Slack-Retry-Num"), h.get("X-Slack-Retry-Reason")) for h, _ in app.requests]
    assert retries == [(None, None), ("1", "http_error"), ("2", "http_error")]
    assert api.slack.deliveries[0].outcome == "gave_up"
    assert api.slack.violations == ["unacked events_api message: http_error"] * 3


async def test_no_retry_ends_the_retries(app: HttpApp, api: Api) -> None:
    """If the app's answer has the header that refuses retries, the event is not sent again."""
    app.answer = lambda: web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    await api.slack.post("alice", "general", "hello")
    await api.slack.wait_until_idle()

    assert len(app.requests) == 1


async def test_the_handshake_returns_the_challenge(app: HttpApp, api: Api) -> None:
    """If a person enters a URL in the app's settings, the stand-in sends a challenge there, which the app
    must return."""
    assert await api.slack.requests.verify()
    assert len(app.requests) == 1


async def test_commands_are_forms(app: HttpApp, api: Api) -> None:
    """If a person types a command, the app gets it as a form. The person sees the body of the app's
    answer."""
    app.answer = lambda: web.json_response({"text": "on it"})

    await api.slack.command("alice", "general", "/task", "help")

    assert (app.form()["command"], app.form()["text"]) == ("/task", "help")
    assert [e.body["text"] for e in api.slack.ephemerals("alice")] == ["on it"]


async def test_interactions_are_json_in_a_form(app: HttpApp, api: Api) -> None:
    """If a person clicks a button or submits a dialog, the app gets it as JSON in the form field
    `payload`."""
    await api.slack.shortcut("alice", "new_task")

    assert json.loads(app.form()["payload"])["callback_id"] == "new_task"


async def test_a_command_to_an_app_that_is_down_shows_an_error(api: Api) -> None:
    """If the app is down, a command shows the person the error dispatch_failed."""
    api.slack.requests.override = "http://127.0.0.1:9/slack/events"

    answer = await api.slack.command("alice", "general", "/task help")

    assert answer.error == "dispatch_failed"
