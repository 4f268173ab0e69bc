"""HTTP mode under attack: many half-sent requests, a separate address for health checks, and what is
logged."""

import asyncio
import contextlib
import resource
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from taskwire.redis import embedded
from taskwire.slack import manifest
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.ledger import Delivery

from .processes import Place, Taskwire, new_place, until

CROWD = 2_000
DESCRIPTORS = 1_024
# Half-sent requests: parts of a head, a body that never ends, and a connection that sends nothing.
HALVES = (
    b"",
    b"P",
    b"POST /slack/events HTTP/1.1\r\nHost: taskwire\r\n",
    b"POST /slack/events HTTP/1.1\r\nHost: taskwire\r\nContent-Length: 100000\r\n"
    b"X-Slack-Request-Timestamp: <now>\r\nX-Slack-Signature: v0=" + b"0" * 64 + b"\r\n\r\ntext=",
    b"GET /healthz HTTP/1.1\r\n",
)


@pytest.fixture
async def http_place(tmp_path: Path) -> AsyncIterator[Place]:
    """Make a place in HTTP mode."""
    slack = SlackSandbox(
        mode="http", manifest=manifest.make_manifest("https://taskwire.example.com/slack/events")
    )
    async with new_place(tmp_path, slack) as place:
        place.settings |= {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": slack.signing_secret}
        yield place


async def _one(place: Place, **settings: str) -> Taskwire:
    """Start the bot. Tell Slack the bot's URL."""
    bot = await place.run_ready(**settings)
    place.slack.requests.override = f"http://127.0.0.1:{await bot.port()}{manifest.REQUEST_PATH}"
    return bot


@contextlib.contextmanager
def descriptors(ours: int) -> Iterator[None]:
    """Inside the block, this process may have at most `ours` open files. If the system does not allow this
    limit, skip the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < ours:
        pytest.skip(f"needs a limit of {ours} open files (ulimit -Hn), and it is {before[1]}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (ours, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def _crowd(port: int, stack: contextlib.ExitStack) -> list[socket.socket]:
    """Open thousands of connections, and send half a request on each connection."""
    loop = asyncio.get_running_loop()
    crowd = [stack.enter_context(socket.socket()) for _ in range(CROWD)]
    for each in crowd:
        each.setblocking(False)
    await asyncio.gather(*(loop.sock_connect(each, ("127.0.0.1", port)) for each in crowd))
    for number, each in enumerate(crowd):
        with contextlib.suppress(ConnectionError):
            each.send(HALVES[number % len(HALVES)].replace(b"<now>", b"%d" % time.time()))
    return crowd


def _is_open(each: socket.socket) -> bool:
    try:
        return each.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@pytest.mark.real_start
async def test_two_thousand_half_requests_keep_nobody_waiting(http_place: Place) -> None:
    """While more half-sent requests are open than the bot may have open files, requests of Slack, health
    checks and the store still work."""
    with contextlib.ExitStack() as stack:
        with descriptors(DESCRIPTORS):
            bot = await _one(http_place)
        stack.enter_context(descriptors(2 * CROWD))
        crowd = await _crowd(await bot.port(), stack)

        await http_place.slack.command("alice", "general", "/task", "create fix the login redirect")
        status, _ = await bot.ask("/readyz")
        acknowledged_among = sum(_is_open(each) for each in crowd)
        url = await embedded.find(http_place.data_dir)
        assert url is not None
        async with Redis.from_url(url) as redis:
            # Cut all connections to the store. The bot must connect again while the half-sent requests are
            # open.
            await redis.client_kill_filter(_type="normal", skipme=True)
        await until(lambda: http_place.coder.tasks, "the task")
        done_among = sum(_is_open(each) for each in crowd)
        await until(lambda: _waiting(bot, 0), "the last of them to be closed")

    assert http_place.slack.violations == []
    assert status == 200
    # Many half-sent requests were still open when these requests were answered. Later the server closed them,
    # because they took too long.
    assert (acknowledged_among > 100, done_among > 100) == (True, True)
    closed = [
        await _figure(bot, "taskwire_http_connections_closed_total", why) for why in ("late", "crowded")
    ]
    assert (closed[0] > 100, closed[1] > CROWD // 2) == (True, True)
    assert "Traceback" not in bot.output
    assert "too many open files" not in bot.output.lower()


async def _waiting(bot: Taskwire, count: int) -> bool:
    return await _figure(bot, "taskwire_http_connections", "waiting") == count


async def _figure(bot: Taskwire, name: str, label: str) -> float:
    select_findings = (await bot.ask("/metrics"))[1].splitlines()
    return next(
        float(line.split()[1])
        for line in select_findings
        if line.startswith(name + "{") and f'"{label}"' in line
    )


async def test_health_may_have_an_address_of_its_own(http_place: Place) -> None:
    """If health checks have their own address, the address for Slack serves no health checks."""
    bot = await _one(http_place, TASKWIRE_ADMIN_ADDR="127.0.0.1:0")
    port, admin_port = await bot.port(), await bot.admin_port()
    found = {}
    async with aiohttp.ClientSession() as session:
        for where in (port, admin_port):
            for path in ("/healthz", "/readyz", "/metrics"):
                async with session.get(f"http://127.0.0.1:{where}{path}") as answer:
                    found[where, path] = answer.status
            async with session.post(f"http://127.0.0.1:{where}{manifest.REQUEST_PATH}") as answer:
                found[where, "slack"] = answer.status

    assert port != admin_port
    assert found == {
        (port, "/healthz"): 404,
        (port, "/readyz"): 404,
        (port, "/metrics"): 404,
        (port, "slack"): 401,
        (admin_port, "/healthz"): 200,
        (admin_port, "/readyz"): 200,
        (admin_port, "/metrics"): 200,
        (admin_port, "slack"): 404,
    }


async def test_where_only_health_is_served_nothing_else_listens(place: Place) -> None:
    """In Socket Mode the bot listens only on the address for health checks, because Slack sends nothing over
    HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        bot = await place.run_ready(TASKWIRE_ADMIN_ADDR="127.0.0.1:0", TASKWIRE_HTTP_ADDR=address)

        assert await bot.ask("/healthz") == (200, "ok\n")


async def test_an_address_of_health_that_is_taken_ends_it_with_a_sentence(place: Place) -> None:
    """If another program uses the address for health checks, the bot ends with a sentence that names the
    wrong setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        bot = await place.run(TASKWIRE_ADMIN_ADDR=address)

        code = await bot.wait_for_exit()

    assert code == 2
    assert (
        f"Taskwire cannot listen on {address}: Address already in use. "
        "Set TASKWIRE_ADMIN_ADDR to an address and port that are free here." in bot.output
    )


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_nothing_of_what_people_say_is_logged(
    mode: str, form: str, place: Place, http_place: Place
) -> None:
    """In both modes and for every kind of payload, the log has no text that people wrote, even at the lowest
    level."""
    marked, where = "SENT-4711", place if mode == "socket" else http_place
    bot = await (where.run_ready if mode == "socket" else lambda **all: _one(where, **all))(
        TASKWIRE_LOG_LEVEL="debug", TASKWIRE_LOG_FORMAT=form
    )
    slack = where.slack
    await slack.command("alice", "general", "/task", f"create fix the payload of {marked}")
    await until(lambda: where.coder.tasks, "the task")
    card = str(slack.messages("general")[0]["ts"])
    reply = await slack.post("alice", "general", f"please add {marked}", card)
    await until(lambda: "white_check_mark" in slack.reactions("general", reply), "the receipt")
    await slack.command("alice", "general", "/task", f"{marked} nothing")
    await asyncio.gather(*(slack.backend.dispatcher.deliver_now(each) for each in _strange(slack, marked)))
    if mode == "http":
        url, body = slack.requests.override, {"text": marked}
        async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
            assert answer.status == 401
    assert await bot.stop() == 0

    assert "debug" in bot.output
    assert marked not in bot.output
    assert "Traceback" not in bot.output


def _strange(slack: SlackSandbox, marked: str) -> list[Delivery]:
    """Make payloads that no listener handles: the bot's own message, unknown kinds, and wrong shapes."""
    team_id = slack.workspace.team_id
    authorizations = [{"team_id": team_id, "user_id": slack.bot_user_id, "is_bot": True}]
    event = {"type": "event_callback", "team_id": team_id, "authorizations": authorizations}
    own = {"type": "message", "user": slack.bot_user_id, "text": marked, "channel": "C1", "ts": "1.000001"}
    return [
        Delivery("events_api", "message", {**event, "event": own}),
        Delivery("events_api", "nothing", {**event, "event": {"type": "nothing", "text": marked}}),
        Delivery("events_api", "words", {**event, "event": marked}),
        Delivery("interactive", "shortcut", {"type": "shortcut", "callback_id": marked}),
        Delivery("interactive", "view", {"type": "view_submission", "view": [marked]}),
        Delivery("slash_commands", "/other", {"command": "/other", "text": marked}),
    ]
