"""Taskwire runs with a Redis user that has only the rights from docs/running.md."""

import asyncio
import re
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from taskwire.queue import self_test
from tests.faults import certificates
from tests.ports import free_port
from tests.programs import find_tls_server

from .doctor_runs import doctor, select_findings
from .processes import Place, until

DOCS = Path(__file__).parents[2] / "docs" / "running.md"
# Redis may refuse this command to the user. Taskwire then does not know how Redis is configured.
MAY_BE_REFUSED = {"config|get"}


def documented(prefix: str) -> list[str]:
    """Return the words of the command in the documentation that creates the user, with this key prefix."""
    found = re.search(
        r"^ACL SETUSER taskwire on >PASSWORD (~tw:\*.*)$", DOCS.read_text("utf-8"), re.MULTILINE
    )
    assert found is not None
    return found[1].replace("~tw:", f"~{prefix}:").split()


async def refused(redis: Redis) -> set[str]:
    """Return the commands that Redis has refused to the user, from Redis's own log of refusals."""
    log = await redis.execute_command("ACL", "LOG", 128)  # type: ignore[no-untyped-call] # redis-py says nothing of it
    rows = [{str(name): str(value) for name, value in row.items()} for row in log]
    return {row["object"].lower() for row in rows if row["username"] == "bot"} - MAY_BE_REFUSED


@pytest.mark.parametrize("prefix", ["tw", "staging"])
async def test_all_goes_well_for_the_documented_user(place: Place, redis_url: str, prefix: str) -> None:
    """With the documented user, everything that people do in Taskwire works. Redis's own log shows that Redis
    refused no command."""
    rights = documented(prefix)
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        words = ("ACL", "SETUSER", "bot", "reset", "on", ">hunter3", *rights)
        await redis.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py says nothing of it
        place.settings["REDIS_URL"] = redis_url.replace(":hunter2-and-more@", "bot:hunter3@")
        place.settings["TASKWIRE_KEY_PREFIX"] = prefix
        await _work(place)

        assert await refused(redis) == set()


async def test_all_goes_well_for_the_documented_user_over_tls(place: Place, tmp_path: Path) -> None:
    """Everything works for the documented user over TLS, as with a Redis on another machine."""
    server = find_tls_server()
    made, port = await certificates.make(tmp_path / "tls"), free_port()
    process = await asyncio.create_subprocess_exec(
        *(server, "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path)),
        *("--tls-cert-file", str(made.certificate), "--tls-key-file", str(made.key)),
        *("--tls-ca-cert-file", str(made.authority), "--tls-auth-clients", "no"),
        *("--requirepass", "hunter2-and-more", "--appendonly", "yes", "--save", ""),
        stdout=asyncio.subprocess.DEVNULL,
    )
    url = f"rediss://:hunter2-and-more@127.0.0.1:{port}/0?ssl_ca_certs={made.authority}"
    try:
        async with Redis.from_url(url, decode_responses=True) as redis:
            await until(lambda: _answers(redis), "redis-server to answer")
            words = ("ACL", "SETUSER", "bot", "reset", "on", ">hunter3", *documented("tw"))
            await redis.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py says nothing of it
            place.settings["REDIS_URL"] = url.replace(":hunter2-and-more@", "bot:hunter3@")

            await _work(place)

            assert await refused(redis) == set()
    finally:
        process.terminate()
        await process.wait()


async def _answers(redis: Redis) -> bool:
    try:
        return bool(await redis.ping())
    except RedisError:
        return False


async def _work(place: Place) -> None:
    """Start Taskwire, and let people do one act of every kind."""
    await place.run_ready()

    await place.slack.command("alice", "general", "/task", "create fix it")
    await until(lambda: place.coder.tasks, "the task")
    (card,) = place.slack.messages("general")
    ts = str(card["ts"])
    await until(lambda: "Stop" in str(place.slack.message("general", ts)["blocks"]), "the card's buttons")
    for _ in range(12):
        await place.slack.post("alice", "general", "!status", ts)
    await until(lambda: _is_told(place), "what is said where somebody asks too much")
    await until(lambda: "Logs" in str(place.slack.message("general", ts)["blocks"]), "the card's menu")
    await place.clicks("alice", ts, "Logs")
    await place.slack.post("alice", "general", "go on", ts)
    await place.slack.command("alice", "general", "/task", "list")
    await place.clicks("alice", ts, "Stop")
    await until(lambda: place.coder.tasks[0].status == "paused", "the pause")


@pytest.mark.parametrize("direction", ["there", "from there"])
async def test_the_documented_user_can_be_moved_to_and_from(
    place: Place, redis_url: str, direction: str
) -> None:
    """A store can be moved to this Redis and back with the documented user. Doctor then finds nothing
    wrong."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        words = ("ACL", "SETUSER", "bot", "reset", "on", ">hunter3", *documented("tw"))
        await redis.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py says nothing of it
        url = redis_url.replace(":hunter2-and-more@", "bot:hunter3@").replace("/0", "/3")
        is_there = direction == "there"
        bot = await place.run_ready(**({} if is_there else {"REDIS_URL": url}))
        await bot.stop()

        source = "embedded" if is_there else url
        settings = {"REDIS_URL": url} if is_there else {}
        moving = await place.run("store", "move", "--from", source, **settings)
        assert await moving.wait_for_exit(60) == 0, moving.output
        code, said = await doctor(place, REDIS_URL=url)

        assert select_findings(said, "Persistence") == (
            "note Persistence appendfsync cannot be read; with everysec a crash of the store's machine may "
            "lose a second."
        )
        assert code == (0 if is_there else 1), said
        assert await refused(redis) == set()


@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "KEYS *", "CLIENT KILL TYPE normal", "CLIENT LIST", "SHUTDOWN",
        "FUNCTION FLUSH", "SCRIPT FLUSH", "SCRIPT KILL", "CONFIG GET requirepass", "ACL LIST", "MONITOR",
        "REPLICAOF NO ONE", "PUBLISH a b", "GET other",
    ],
)  # fmt: skip
async def test_the_documented_user_can_do_nothing_to_others(redis_url: str, command: str) -> None:
    """Redis refuses the documented user every command on keys with another prefix, and every command that
    ignores the prefix."""
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        words = ("ACL", "SETUSER", "bot", "reset", "on", ">hunter3", *documented("tw"))
        await redis.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py says nothing of it
    async with Redis.from_url(redis_url.replace(":hunter2-and-more@", "bot:hunter3@")) as bot:
        with pytest.raises(NoPermissionError):
            await bot.execute_command(*command.split())  # type: ignore[no-untyped-call] # redis-py says nothing of it


def _is_told(place: Place) -> bool:
    return any(
        "requests a minute, so I skipped the rest" in str(each.body["text"])
        for each in place.slack.ephemerals("alice")
    )


def test_the_docs_ask_for_what_the_hint_asks_for() -> None:
    """The documentation and doctor's hint name the same rights."""
    assert " ".join(documented("tw")[1:]) == self_test.RIGHTS
