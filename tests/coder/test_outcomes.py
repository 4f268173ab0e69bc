"""If Coder answers with an error, the client raises the error class that tells the caller what to do. The
messages in the tested answers are Coder's own."""

import json
from collections.abc import AsyncIterator

import pytest

from taskwire.coder import errors
from taskwire.coder.client import CoderClient, CoderTimeouts
from taskwire.domain.errors import AccountRefused, NotDone, OutcomeUnknown, OutsideError, Refused, TryLater
from taskwire.domain.text.agent_text import AgentText
from taskwire.transport import ConnectionCut, NoAnswer
from tests.coder.raw_server import (
    Behavior,
    RawServer,
    close_connection,
    never_respond,
    raw_server,
    respond,
    send_raw,
    send_raw_and_close,
)

TOKEN = "abcdefghij-klmnopqrstuvwxyz012345"
JSON = "Content-Type: application/json; charset=utf-8"
NOT_FOUND = "Resource not found or you do not have access to this resource"


async def outcome_of_send(act: Behavior) -> OutsideError:
    """Send input to a server with this behavior, and return the error that the client raises."""
    async with (
        raw_server(act) as server,
        CoderClient.open(server.url, TOKEN, timeouts=CoderTimeouts(send=0.5)) as coder,
    ):
        with pytest.raises(OutsideError) as caught:
            await coder.send("a-task", AgentText("words"))
        assert server.lines == ["POST /api/v2/tasks/me/a-task/send"]
        return caught.value


ANSWERS: list[tuple[int, str, type[errors.CoderError], type[OutsideError]]] = [
    (400, "Task input is required.", errors.BadRequest, Refused),
    (400, "Task must be active.", errors.MustBeActive, Refused),
    (401, "You are signed out or your session has expired.", errors.TokenRefused, AccountRefused),
    (403, "Forbidden.", errors.Forbidden, Refused),
    (404, NOT_FOUND, errors.NotFound, Refused),
    (404, "Route not found.", errors.TasksNotSupported, AccountRefused),
    (409, 'Workspace "gh-12" already exists.', errors.NameTaken, Refused),
    (409, "A workspace build is already active.", errors.BuildActive, TryLater),
    (409, "Task workspace is already running.", errors.AlreadyRunning, Refused),
    (409, "Task is pending.", errors.NotReady, TryLater),
    (409, "Task is initializing.", errors.NotReady, TryLater),
    (409, "Task app is not ready to accept input.", errors.NotReady, TryLater),
    (409, "Task is paused.", errors.TaskPaused, Refused),
    (409, "Unable to update task input, task must be paused.", errors.MustBePaused, Refused),
    (409, "Cannot fetch logs for task in current state.", errors.NoLogs, Refused),
    (409, "Something new.", errors.Conflict, Refused),
    (418, "Something new.", errors.BadRequest, Refused),
    (
        429,
        "You've been rate limited for sending more than 512 requests in 1m0s.",
        errors.CoderRateLimited,
        TryLater,
    ),
    (500, "Internal error fetching tasks.", errors.ServerTrouble, OutcomeUnknown),
    (500, "failed to fetch preset parameter values", errors.BadRequest, Refused),
    (500, "Archived template versions cannot be used to make a workspace.", errors.BadRequest, Refused),
    (502, "Failed to reach task app endpoint.", errors.AppUnreachable, TryLater),
    (502, "Failed to get status from task app.", errors.AppUnreachable, TryLater),
    (502, "Task app rejected the message.", errors.RejectedByApp, OutcomeUnknown),
    (502, "Something new.", errors.ServerTrouble, OutcomeUnknown),
    (503, "Task is paused.", errors.ServerTrouble, OutcomeUnknown),
]


@pytest.mark.parametrize(("status", "message", "kind", "outcome"), ANSWERS)
async def test_an_answer_of_coders_is_sorted_by_status_and_words(
    status: int, message: str, kind: type[errors.CoderError], outcome: type[OutsideError]
) -> None:
    """The status and the message of Coder's answer decide the error's type. The error keeps the message."""
    body = {"message": message, "detail": "why", "validations": [{"field": "name", "detail": "taken"}]}

    error = await outcome_of_send(respond(status, json.dumps(body), JSON))

    assert type(error) is kind
    assert isinstance(error, outcome)
    assert isinstance(error, Refused) is (outcome is Refused)
    assert isinstance(error, NotDone) is not issubclass(outcome, OutcomeUnknown)
    complaint = errors.FieldError(field="name", detail="taken")
    assert error.answer == errors.CoderAnswer(status, message, "why", (complaint,))
    assert str(error) == f"{status} {message}; why; name: taken"


@pytest.mark.parametrize("null", ['"detail":null,"validations":null', '"extra":1'])
async def test_an_answer_may_lack_everything_but_its_message(null: str) -> None:
    """If an error of Coder has no `detail` and no `validations`, the client still reads its message."""
    error = await outcome_of_send(respond(409, '{"message":"Task is paused.",' + null + "}", JSON))

    assert type(error) is errors.TaskPaused
    assert error.answer == errors.CoderAnswer(409, "Task is paused.")


HTML = "<html><body>502 Bad Gateway</body></html>"


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (respond(200, "{}", JSON), errors.UnexpectedCoderAnswer),
        (respond(200, HTML, "Content-Type: text/html"), errors.UnexpectedCoderAnswer),
        (respond(202, "", JSON), errors.UnexpectedCoderAnswer),
        (respond(302, "", "Location: /login"), errors.UnexpectedCoderAnswer),
        (respond(307, "", "Location: /api/v2/tasks/me/a-task/send"), errors.UnexpectedCoderAnswer),
        (respond(403, HTML), errors.UnexpectedCoderAnswer),
        (respond(404, "404 page not found"), errors.UnexpectedCoderAnswer),
        (respond(409, '{"message":"Task is pau', JSON), errors.UnexpectedCoderAnswer),
        (respond(409, '{"error":"other"}', JSON), errors.UnexpectedCoderAnswer),
        (respond(409, b"\xff\xfe{}", JSON), errors.UnexpectedCoderAnswer),
        (respond(409, b"not gzip", JSON, "Content-Encoding: gzip"), errors.UnexpectedCoderAnswer),
        (respond(502, HTML), errors.ServerTrouble),
        (respond(504, ""), errors.ServerTrouble),
        (send_raw_and_close(b"HTTP/1.1 409 Conflict\r\nContent-Length: 99\r\n\r\n{"), ConnectionCut),
        (send_raw(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n"), NoAnswer),
        (close_connection, ConnectionCut),
        (never_respond, NoAnswer),
    ],
)
async def test_what_is_not_coders_answer_is_unknown(act: Behavior, kind: type[OutsideError]) -> None:
    """If an answer has an undocumented status, is a proxy's page, is incomplete or never comes, the outcome
    of the call is unknown."""
    error = await outcome_of_send(act)

    assert type(error) is kind
    assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 60", 60.0),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Retry-After: soon", None),
        ("Retry-After: -5", None),
        ("X-RateLimit-Remaining: 0", None),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(header: str, seconds: float | None) -> None:
    """If Coder or a proxy answers 429, the client's error says how many seconds to wait. It says None if the
    answer has no valid `Retry-After`."""
    error = await outcome_of_send(respond(429, "slow down", header))

    assert type(error) is errors.CoderRateLimited
    assert error.retry_after_seconds == seconds


async def test_a_date_to_wait_for_is_read_by_the_senders_clock() -> None:
    """If `Retry-After` has a date, the client compares it with the `Date` header of the same answer, because
    our clock may be an hour off."""
    date, later = "Date: Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2015 07:28:30 GMT"

    error = await outcome_of_send(respond(429, "slow down", date, later))

    assert error.retry_after_seconds == 30.0


async def test_the_token_is_in_no_error() -> None:
    """Even if an error page repeats the request, the client's error does not contain the token."""
    echo = {"message": f"bad token {TOKEN}", "detail": f"header was {TOKEN}"}

    error = await outcome_of_send(respond(401, json.dumps(echo), JSON))

    assert TOKEN not in str(error) + repr(error) + repr(vars(error))
    assert str(error) == "401 bad token ***; header was ***"
    assert (error.__cause__, error.__context__) == (None, None)


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "“curly”"])
async def test_a_token_that_no_header_can_carry_is_refused_before_anything_is_sent(token: str) -> None:
    """If the token has characters that no HTTP header can carry, the client refuses the token before it sends
    a request. An operator may have copied such a token by mistake."""
    async with raw_server(respond(200)) as server, CoderClient.open(server.url, token) as coder:
        with pytest.raises(errors.TokenRefused):
            await coder.get_own_user()
        with pytest.raises(errors.PersonTokenRefused) as of_person:
            await coder.for_person(token, "U1").get_own_user()

        assert (of_person.value.person, server.requests) == ("U1", [])


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """Run a server that answers every request with an empty object."""
    async with raw_server(respond(200, "{}", JSON)) as server:
        yield server


@pytest.mark.parametrize("name", ["", ".", "..", "alice/", "alice/.."])
async def test_a_name_that_cannot_be_one_is_not_found(server: RawServer, name: str) -> None:
    """If a name is empty or has a slash or only dots, its URL would be another route. The client raises
    `NotFound` and sends no request."""
    async with CoderClient.open(server.url, TOKEN) as coder:
        with pytest.raises(errors.NotFound):
            await coder.get_task(name)

        assert server.requests == []


async def test_a_redirect_of_a_read_is_not_followed() -> None:
    """If the answer to a read is a redirect, the client raises an error and does not follow the redirect. The
    redirect may lead to a sign-in page, whose server must not get the token."""
    async with (
        raw_server(respond(302, "", "Location: /login")) as server,
        CoderClient.open(server.url, TOKEN) as coder,
    ):
        with pytest.raises(errors.UnexpectedCoderAnswer):
            await coder.get_own_user()

        assert server.lines == ["GET /api/v2/users/me"]
