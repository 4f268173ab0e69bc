"""Each call of the Coder client sends the documented request and reads the documented answer."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from taskwire import transport
from taskwire.coder import errors, rights
from taskwire.coder.client import CoderClient, CoderTimeouts
from taskwire.domain.text.agent_text import AgentText
from taskwire.transport import ConnectionCut, DeadlinePassed, NoAnswer, Unreachable
from tests.coder.calls import ACCOUNT, BUILD, CALLS, EVERY_CALL, KEY, TASK, USER, Call
from tests.coder.raw_server import Behavior, RawServer, close_connection, never_respond, raw_server, respond

TOKEN = "abcdefghij-klmnopqrstuvwxyz012345"
JSON = "Content-Type: application/json; charset=utf-8"


def answers(call: Call) -> Behavior:
    """Return a behavior that sends the documented success of a call."""
    return respond(call.status, call.body, JSON)


@pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL)
async def test_a_call_sends_one_request_with_the_token_in_its_header(call: Call) -> None:
    """The request of each call has the documented method, path, query, headers and body."""
    async with raw_server(answers(call)) as server, CoderClient.open(server.url, TOKEN) as coder:
        await call.ask(coder)

        assert [unquote(line) for line in server.lines] == [call.line]
        head, _, content = server.requests[0].partition(b"\r\n\r\n")
        assert f"coder-session-token: {TOKEN}".encode() in head.lower().split(b"\r\n")
        assert (json.loads(content) if content else None) == call.sends


async def test_no_log_line_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    """Even if all libraries log at their lowest level, no log line has the token."""
    for name in ("", "httpx", "aiohttp"):
        caplog.set_level(logging.DEBUG, name)
    play = [*map(answers, CALLS.values()), close_connection]
    async with raw_server(*play) as server, CoderClient.open(server.url, TOKEN) as coder:
        for call in CALLS.values():
            await call.ask(coder)
        with pytest.raises(ConnectionCut):
            await coder.get_own_user()

    assert caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_any_other_success_is_not_one(call: Call) -> None:
    """If Coder answers a call with 200 and documents another status for its success, or with 206 instead of
    200, the client raises an error."""
    other = respond(206 if call.status == 200 else 200, call.body, JSON)
    async with raw_server(other) as server, CoderClient.open(server.url, TOKEN) as coder:
        with pytest.raises(errors.UnexpectedCoderAnswer):
            await call.ask(coder)


WITH_A_BODY = {
    name: call for name, call in CALLS.items() if call.body and not name.startswith("list_tasks_raw")
}


@pytest.mark.parametrize("call", WITH_A_BODY.values(), ids=WITH_A_BODY)
@pytest.mark.parametrize("body", ["", "{", "[[]]", "7", "<html></html>"])
async def test_a_success_that_makes_no_sense_is_unknown(call: Call, body: str) -> None:
    """If an answer has the status of success but an unreadable body, the outcome of the call is unknown."""
    async with (
        raw_server(respond(call.status, body, JSON)) as server,
        CoderClient.open(server.url, TOKEN) as coder,
    ):
        with pytest.raises(errors.UnexpectedCoderAnswer):
            await call.ask(coder)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_no_call_waits_for_ever(call: Call) -> None:
    """If Coder never answers, every call of the client ends with an error."""
    short = CoderTimeouts(*[0.05] * 6)
    async with (
        raw_server(never_respond) as server,
        CoderClient.open(server.url, TOKEN, timeouts=short) as coder,
    ):
        with pytest.raises((NoAnswer, Unreachable)):
            await call.ask(coder)


async def test_an_answer_that_would_fill_the_memory_is_not_kept() -> None:
    """If a log is too long, the client stops reading it. The client then raises a refusal and not a temporary
    error, because the next answer would be as long."""
    answer = answers(CALLS["get_logs"])
    async with raw_server(answer) as server, CoderClient.open(server.url, TOKEN, most_bytes=10) as coder:
        with pytest.raises(errors.TooLong, match="longer than 10 bytes"):
            await coder.get_logs("a-task")


async def test_a_change_whose_answer_is_too_long_may_have_been_made() -> None:
    """If the answer to a change is too long, the outcome of the change is unknown. If the answer to a read is
    too long, the read counts as refused."""
    answer = answers(CALLS["pause"])
    async with raw_server(answer) as server, CoderClient.open(server.url, TOKEN, most_bytes=10) as coder:
        with pytest.raises(errors.UnexpectedCoderAnswer):
            await coder.pause("a-task")


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """Run a server that answers every request with 204 and no body."""
    async with raw_server(respond(204)) as server:
        yield server


async def test_a_deadline_stops_a_change_before_it_is_written(server: RawServer) -> None:
    """If the deadline of an attempt has passed before a change is sent, the client does not send the
    change."""
    async with CoderClient.open(server.url, TOKEN) as coder:
        with transport.deadline(transport.boottime() - 1), pytest.raises(DeadlinePassed):
            await coder.send("a-task", AgentText("words"))

        assert server.requests == []


async def test_the_client_shows_its_server_and_not_its_token(server: RawServer) -> None:
    """The client's `repr` has the server's URL and no token, so it is safe to log."""
    async with CoderClient.open(f"{server.url}/", TOKEN) as coder:
        assert repr(coder) == f"CoderClient('{server.url}')"


async def test_people_are_found_by_exact_address_over_all_pages() -> None:
    """The client finds a person only by their exact email address, on every page of 100 people. Coder's
    search also returns similar addresses."""
    near = {"id": "n", "username": "n", "email": "malice@example.com"}
    first = respond(200, json.dumps({"users": [near] * 100, "count": 101}), JSON)
    second = respond(200, json.dumps({"users": [USER], "count": 101}), JSON)
    async with raw_server(first, second) as server, CoderClient.open(server.url, TOKEN) as coder:
        found = await coder.list_users_by_email("ALICE@example.com")

        assert [user.username for user in found] == ["alice"]
        assert [line.rpartition("offset=")[2] for line in server.lines] == ["0", "100"]


@pytest.mark.parametrize(
    "other", ["\u212aim@example.com", "\uff4bim@example.com", "k\u0131m@example.com", "KIM@EXAMPLE.COM.test"]
)
async def test_letters_that_only_look_alike_make_another_address(other: str) -> None:
    """If two email addresses differ only in a letter k and the Kelvin sign, they belong to different people,
    although Unicode lower-casing makes them equal."""
    users = [
        {"id": "1", "username": "other", "email": other},
        {"id": "2", "username": "kim", "email": "KIM@example.com"},
    ]
    answer = respond(200, json.dumps({"users": users, "count": 2}), JSON)
    async with raw_server(answer, answer) as server, CoderClient.open(server.url, TOKEN) as coder:
        found = await coder.list_users_by_email("Kim@Example.com")
        with_a_blank = await coder.list_users_by_email("kim@example.com\u00a0")

    assert [user.username for user in found] == ["kim"]
    assert with_a_blank == []


async def test_the_agents_history_is_told_oldest_first() -> None:
    """The client returns an agent's reports sorted by time, the oldest first, even if they are less than a
    microsecond apart."""
    call = CALLS["list_reports"]
    async with raw_server(answers(call)) as server, CoderClient.open(server.url, TOKEN) as coder:
        reports = await coder.list_reports("a", "app")
        none = await coder.list_reports("a", "gone")

        assert [report.id for report in reports] == ["1", "2", "3"]
        assert none == []


async def test_the_tokens_end_is_known_where_its_key_can_be_read() -> None:
    """The client finds out when its token ends. The client asks Coder for the token's key, whose id is the
    first part of the token."""
    hidden = respond(404, '{"message":"Resource not found or you do not have access to this resource"}', JSON)
    async with raw_server(respond(200, json.dumps(KEY), JSON), hidden) as server:
        async with CoderClient.open(server.url, TOKEN) as coder:
            known = await coder.find_token_expiry()
            unknown = await coder.find_token_expiry()
        async with CoderClient.open(server.url, "opaque") as coder:
            without_parts = await coder.find_token_expiry()

        assert known == datetime(2026, 6, 18, 10, 40, 2, 511000, tzinfo=UTC)
        assert (unknown, without_parts) == (None, None)
        assert TOKEN not in "".join(server.lines)


async def test_a_pause_returns_the_build_it_started() -> None:
    """`pause` returns the build that it started. After a pause whose outcome is unknown, this build's number
    shows whether the pause happened."""
    body = json.dumps({"workspace_build": BUILD})
    async with raw_server(respond(202, body, JSON)) as server, CoderClient.open(server.url, TOKEN) as coder:
        build = await coder.pause("a-task")

        assert (build.build_number, build.transition, build.job.status) == (2, "stop", "pending")


async def test_a_name_is_quoted_in_the_path(server: RawServer) -> None:
    """A typed name stays one part of the URL's path, even if the name has slashes or other special
    characters."""
    async with CoderClient.open(server.url, TOKEN) as coder:
        await coder.send("ali ce?/fix/it#1", AgentText("words"))

        assert server.lines == ["POST /api/v2/tasks/ali%20ce%3F/fix%2Fit%231/send"]


async def test_a_server_without_tasks_says_so() -> None:
    """If Coder has no route for tasks, the client raises a special error. A missing task raises a different
    error."""
    no_route = respond(404, '{"message":"Route not found."}', JSON)
    async with raw_server(no_route) as server, CoderClient.open(server.url, TOKEN) as coder:
        with pytest.raises(errors.TasksNotSupported):
            await coder.list_tasks_raw()
        with pytest.raises(errors.NotFound):
            await coder.get_workspace("w")


@pytest.mark.parametrize("body", ['{"message":"Route not found."}', "404: Not Found"])
async def test_a_server_that_knows_of_no_presets_has_none(body: str) -> None:
    """If Coder has no route for presets, the client returns an empty list, because a task needs no preset."""
    async with raw_server(respond(404, body)) as server, CoderClient.open(server.url, TOKEN) as coder:
        assert await coder.list_presets("v") == ()


async def test_the_list_comes_as_it_was_sent() -> None:
    """The client returns the list of tasks as the bytes that Coder sent. Taskwire can thus recognize an
    unchanged list without parsing it."""
    body = json.dumps({"tasks": [TASK], "count": 1}) + "\n"
    async with raw_server(respond(200, body, JSON)) as server, CoderClient.open(server.url, TOKEN) as coder:
        assert await coder.list_tasks_raw() == body.encode()


@pytest.mark.parametrize(
    "act",
    [
        respond(404, '{"message": "Route not found."}', JSON),
        respond(404, "<html>"),
        respond(405, ""),
        respond(400, '{"message": "Unknown."}', JSON),
        respond(200, "{}", JSON),
    ],
)
async def test_a_coder_that_cannot_be_asked_for_rights_is_no_trouble(act: Behavior) -> None:
    """If Coder has no route for rights, the client returns no rights and raises no error. Taskwire must not
    treat this as an outage of Coder."""
    async with raw_server(act) as server, CoderClient.open(server.url, TOKEN) as coder:
        assert await rights.find_rights(coder, ACCOUNT) is None
