"""The server refuses unsigned requests without reading them. Signed requests that Slack never sends are also
refused."""

import gzip
import io
import json
import time
from functools import partial
from urllib.parse import quote

import pytest

from .site import FORM, JSON, SECRET, Site, command, new_site, request, signature

# Every request in these tests contains this text. It must not appear in a log.
SENT = b"SENT-4711"
NOW = str(int(time.time()))
AUTHORIZED = {"authorizations": [{"team_id": "T0TEAM1", "user_id": "U0BOT1", "is_bot": True}]}


def _event(**event: object) -> bytes:
    body = {"type": "event_callback", "event": {"type": "message", "text": SENT.decode()} | event}
    return json.dumps(body | AUTHORIZED).encode()


def _payload(text: str) -> bytes:
    return b"payload=" + quote(text).encode()


UNSIGNED = {
    "another secret": partial(request, SENT, secret="another"),
    "another body": partial(request, b"text=" + SENT, timestamp=NOW, signed=signature(b"text=another", NOW)),
    "no signature": partial(request, SENT, signed=""),
    "half a signature": partial(request, SENT, signed="v0="),
    "a signature that is no ASCII": partial(request, SENT, signed="v0=é" + "\xff" * 63),
    "a signature in capitals": partial(request, SENT, timestamp=NOW, signed=signature(SENT, NOW).upper()),
    "two signatures": partial(request, SENT, headers="X-Slack-Signature: v0=00\r\n"),
    "two times": partial(request, SENT, headers=f"X-Slack-Request-Timestamp: {NOW}\r\n"),
    "no time": partial(request, SENT, timestamp=""),
    "a time that is no number": partial(request, SENT, timestamp="nan"),
    "an endless time": partial(request, SENT, timestamp="inf"),
    "a time with a fraction": partial(request, SENT, timestamp=f"{NOW}.0"),
    "a time with a sign": partial(request, SENT, timestamp=f"+{NOW}"),
    "a time in groups": partial(request, SENT, timestamp="1_764_072_000"),
    "a time of four hundred digits": partial(request, SENT, timestamp="9" * 400),
    "a time of six minutes ago": partial(request, SENT, timestamp=str(int(NOW) - 360)),
    "a time to come": partial(request, SENT, timestamp=str(int(NOW) + 86_400)),
    "no UTF-8": partial(request, b"\xff\xfe" + SENT, secret="another"),
    "no JSON": partial(request, b"{" + SENT, JSON, secret="another"),
    "a list": partial(request, b"[1]", JSON, secret="another"),
    "no charset that there is": partial(request, SENT, f"{FORM}; charset=utf-99", secret="another"),
    "a charset that decodes nothing": partial(request, SENT, f"{FORM}; charset=idna", secret="another"),
    "no gzip": partial(request, SENT, headers="Content-Encoding: gzip\r\n", secret="another"),
}
SIGNED = {
    "no UTF-8": partial(request, b"text=\xff\xfe" + SENT),
    "no UTF-8 behind percent signs": partial(request, b"command=/task&text=%ff%fe" + SENT),
    "half a letter behind percent signs": partial(request, b"command=/task&text=%C3&user_id=U1"),
    "a surrogate behind percent signs": partial(request, b"command=/task&text=%ED%A0%80"),
    "a payload that is no UTF-8": partial(request, b"payload=%7B%22type%22%3A%22%ff%22%7D"),
    "no UTF-8 in JSON": partial(request, b'{"type": "\xff' + SENT + b'"}', JSON),
    "another charset": partial(request, '{"type": "SENT"}'.encode("utf-16"), f"{JSON}; charset=utf-16"),
    "a charset that there is not": partial(request, b"text=" + SENT, f"{FORM}; charset=utf-99"),
    "a charset that decodes nothing": partial(request, b"text=" + SENT, f"{FORM}; charset=idna"),
    "another kind": partial(request, b"text=" + SENT, "text/plain"),
    "a kind that is no text": partial(request, b"text=" + SENT, "\xff\xfe/\xff"),
    "no kind": partial(request, b"text=" + SENT, ""),
    "what is said to be compressed": partial(request, b"text=" + SENT, headers="Content-Encoding: gzip\r\n"),
    "what JSON has no word for": partial(request, b'{"type": NaN, "text": "SENT"}', JSON),
    "compressed": partial(request, gzip.compress(b"text=" + SENT), headers="Content-Encoding: gzip\r\n"),
    "nothing": partial(request, b""),
    "no JSON": partial(request, b'{"' + SENT, JSON),
    "a list": partial(request, b'["SENT"]', JSON),
    "a string": partial(request, b'"SENT"', JSON),
    "null": partial(request, b"null", JSON),
    "a number": partial(request, b"17", JSON),
    "a number of five thousand digits": partial(request, b'{"type": ' + b"9" * 5_000 + b"}", JSON),
    "depth without end": partial(request, b'{"a":' + b"[" * 100_000, JSON),
    "fields without end": partial(request, b"a=1&" * 10_000),
    "a payload that is a list": partial(request, b"payload=[]"),
    "a payload that is nothing": partial(request, b"payload=null"),
    "a payload that is no JSON": partial(request, b"payload=" + SENT),
    "an event that is a word": partial(request, b'{"type":"event_callback","event":"SENT"}', JSON),
    "an event that is a list": partial(request, b'{"type":"event_callback","event":["SENT"]}', JSON),
    "an event of a type that is a list": partial(request, _event(type=["message"]), JSON),
    "authorizations that are a word": partial(
        request, _event().replace(b"[{", b'"SENT", "more": [{', 1), JSON
    ),
    "a team that is a number": partial(
        request, b'{"type":"event_callback","team":7,"event":{"type":"x"}}', JSON
    ),
    "actions that are a word": partial(request, _payload('{"type":"block_actions","actions":"SENT"}')),
    "actions that are none": partial(request, _payload('{"type":"block_actions","actions":[]}')),
    "actions that are nothing": partial(request, _payload('{"type":"block_actions","actions":[null]}')),
    "a dialog that is nothing": partial(request, _payload('{"type":"view_submission","view":null}')),
    "a dialog that is a number": partial(request, _payload('{"type":"view_submission","view":3}')),
}


@pytest.mark.parametrize("name", UNSIGNED)
async def test_what_slack_has_not_signed_is_refused_and_not_read(site: Site, name: str) -> None:
    """If a request is not signed by Slack, it gets 401 and is counted. No listener gets it."""
    status, _ = await site.ask_once(UNSIGNED[name]())

    assert status == 401
    assert sum(site.count_refused(why) for why in ("headers", "time", "signature")) == 1
    assert site.accepted == []


@pytest.mark.parametrize("name", SIGNED)
async def test_what_is_signed_and_not_from_slack_is_refused_without_a_stack_trace(
    site: Site, name: str
) -> None:
    """If a request is signed but Slack never sends such a request, it is refused, without a stack trace in
    the log.

    Either a stranger has the secret, or a proxy has changed the request.
    """
    status, _ = await site.ask_once(SIGNED[name]())

    assert status == 400
    assert site.count_refused("body") == 1
    assert site.accepted == []


async def test_what_slack_has_signed_is_taken(site: Site) -> None:
    """Signed commands and events are accepted. Text that is not ASCII arrives unchanged."""
    answers = [
        await site.ask_once(request(command("create ünïcode & more"))),
        await site.ask_once(request(_event(), JSON)),
        await site.ask_once(request(_event(text="half a character: \ud83d"), f"{JSON}; charset=utf-8")),
    ]

    assert [status for status, _ in answers] == [200, 200, 200]
    assert site.accepted[0]["text"] == "create ünïcode & more"
    assert len(site.accepted) == 3


async def test_a_command_may_speak_of_a_payload(site: Site) -> None:
    """If the text of a command contains the word "payload", it still arrives as a command. Bolt itself would
    take it for a click."""
    status, said = await site.ask_once(request(command("create fix the payload parser")))

    assert (status, said) == (200, "taken")
    assert [body["text"] for body in site.accepted] == ["create fix the payload parser"]


async def test_headers_that_nobody_signs_steer_nothing(site: Site) -> None:
    """If a request has Bolt's own headers, they have no effect. They are not signed, and they could choose a
    listener."""
    steering = "X-Slack-Bolt-Lazy-Only: 1\r\nX-Slack-Bolt-Lazy-Function-Name: take\r\n"

    status, said = await site.ask_once(request(command("list"), headers=steering))

    assert (status, said) == (200, "taken")


async def test_a_listener_that_fails_is_logged_without_what_it_was_given(site: Site) -> None:
    """If a listener fails, the log has only the type and the place of the error. The error's text may quote a
    person."""
    status, _ = await site.ask_once(request(_event(type="app_mention"), JSON))

    (line,) = [json.loads(line) for line in site.log.getvalue().splitlines() if "unexpected" in line]
    assert status == 500
    assert (line["event"], line["error"], line["level"]) == (
        "unexpected exception while handling a payload, not acknowledged",
        "ValueError",
        "error",
    )


async def test_what_nobody_takes_is_logged_without_what_it_was(site: Site) -> None:
    """If no listener handles a payload, the log does not have its content. Bolt itself would log the payload
    and suggest code."""
    status, _ = await site.ask_once(request(_payload('{"type":"shortcut","callback_id":"SENT"}')))

    assert status == 404
    assert "unknown payload from Slack" in site.log.getvalue()
    assert "SENT" not in site.log.getvalue()


async def test_before_anybody_is_there_to_take_it_slack_is_told_to_come_again(log: io.StringIO) -> None:
    """While Taskwire starts, a signed request gets 503, so that Slack sends it again. An unsigned request
    gets 401."""
    async with new_site(log) as site:
        site.requests._find_app = lambda: None  # noqa: SLF001 - the state before Slack was reached

        answers = [
            await site.ask_once(request(b"text=1")),
            await site.ask_once(request(b"text=1", secret="other")),
        ]

    assert answers[0] == (503, "Taskwire is starting.\n")
    assert answers[1][0] == 401


async def test_an_operator_is_told_what_is_refused(site: Site) -> None:
    """If requests are refused because the secret is wrong, the log tells the operator so. Slack says only
    that the app did not respond."""
    assert site.requests.refusals.describe() == "ok"
    for _ in range(3):
        await site.ask_once(request(SENT, secret="another"))
    alone = site.requests.refusals.describe()
    await site.ask_once(request(command("list")))
    await site.ask_once(request(SENT, timestamp="17"))
    after = site.requests.refusals.describe()

    assert alone == (
        "Refused since the start: 3, the last one 0 s ago (3 with a wrong signature). None was taken. "
        "Compare SLACK_SIGNING_SECRET with your Slack app's page Basic Information."
    )
    assert after == (
        "Refused since the start: 4, the last one 0 s ago (3 with a wrong signature, "
        "1 too old, or signed by another clock)."
    )
    lines = [json.loads(line) for line in site.log.getvalue().splitlines()]
    assert [line["why"] for line in lines if line["event"] == "HTTP requests are refused"] == ["signature"]


def test_the_secret_of_slacks_own_example_fits() -> None:
    """The tests' own function computes the signature that Slack's documentation gives for its example. So the
    signing in these tests and the server's check do not share a mistake."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )

    found = signature(body, "1531420618", "8f742231b10e8888abcd99yyyzzz85a5")

    assert found == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert SECRET == "8f742231b10e8888abcd99yyyzzz85a5"
