"""`taskwire doctor` checks the store: whether it may lose data, what its user may do, and which jobs wait in
it."""

import json
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from taskwire.queue import self_test
from taskwire.queue.batch import Batch
from taskwire.queue.fence import FORMAT
from taskwire.queue.leases import Queues
from taskwire.queue.scripts import Script, ServerClock
from taskwire.redis import connection
from taskwire.redis.keys import Keys
from taskwire.state.accounts import AccountStore, OwnServiceToken
from tests.lua import with_libraries

from .doctor_runs import LOOK_SECONDS, doctor, select_findings, socket_of
from .processes import Place


async def test_a_redis_that_may_lose_things_is_told(place: Place, redis_url: str) -> None:
    """If Redis may lose data, doctor reports why. Redis must write its data to disk and must not evict
    keys."""
    async with Redis.from_url(redis_url) as redis:
        await redis.config_set("appendonly", "no")
        await redis.config_set("maxmemory-policy", "allkeys-lru")
        await redis.config_set("maxmemory", "1mb")

    code, said = await doctor(place, REDIS_URL=redis_url)

    assert "WRONG  Memory           It uses " in said
    assert select_findings(said, "Persistence", "Eviction") == (
        "WRONG Persistence The store does not write down what it is given: its restart would lose threads "
        "and work.\n"
        "Set appendonly yes in its configuration.\n"
        "WRONG Eviction When its memory is full the store throws data away (maxmemory-policy allkeys-lru).\n"
        "Set maxmemory-policy noeviction in its configuration."
    )
    assert code == 1
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            "~tw:* +@all -@scripting",
            "The user in REDIS_URL may not use EVAL, scripts (EVALSHA, SCRIPT LOAD, TIME), which Taskwire "
            "needs. "
            f"Let it: ACL SETUSER … {self_test.RIGHTS}.",
        ),
        (
            "~tw:* +@all -set -brpop",
            "The user in REDIS_URL may not use BRPOP, SET, which Taskwire needs. "
            f"Let it: ACL SETUSER … {self_test.RIGHTS}.",
        ),
        (
            "~other:* +@all",
            "The user in REDIS_URL may not use keys that begin with tw:{TEAM}:. "
            "Let it: ACL SETUSER … ~tw:{TEAM}:* (or ~tw:*), with read and write.",
        ),
        (f"~tw:* {self_test.RIGHTS}", ""),
    ],
    ids=["no scripts", "no words", "other keys", "what is asked for"],
)
async def test_doctor_is_green_only_where_run_gets_ready(
    place: Place, redis_url: str, rules: str, said: str
) -> None:
    """Doctor tests every right that `run` needs, with the same Redis user. If the user lacks a right, doctor
    reports it, and `run` ends with the same sentence."""
    async with Redis.from_url(redis_url) as redis:
        words = ("ACL", "SETUSER", "bot", "reset", "on", ">hunter3", *rules.split())
        await redis.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py says nothing of it
    url = redis_url.replace(":hunter2-and-more@", "bot:hunter3@")
    said = said.replace("TEAM", place.slack.workspace.team_id)

    code, found = await doctor(place, REDIS_URL=url)
    bot = await place.run("run", REDIS_URL=url)

    if said:
        assert select_findings(found, "Store access").replace("\n", " ") == f"WRONG Store access {said}"
        assert code == 1
        code = await bot.wait_for_exit(LOOK_SECONDS)
        assert (code, json.loads(bot.output.splitlines()[-1])["event"]) == (2, said)
    else:
        assert (
            select_findings(found, "Store access") == "ok Store access Taskwire may do there what it needs."
        )
        assert code == 0
        await bot.wait_until_ready()


async def test_the_hint_names_the_prefix_that_is_set(place: Place, redis_url: str) -> None:
    """If the Redis user lacks rights, doctor's hint is a command with the key prefix from the settings. A
    user that this command creates has enough rights."""
    team = place.slack.workspace.team_id
    async with Redis.from_url(redis_url) as redis:
        words = ("ACL", "SETUSER", "bot", "reset", "on", ">hunter3", "~tw:*", "+@all")
        await redis.execute_command(*words)  # type: ignore[no-untyped-call] # redis-py says nothing of it
    url = redis_url.replace(":hunter2-and-more@", "bot:hunter3@")

    _, found = await doctor(place, REDIS_URL=url, TASKWIRE_KEY_PREFIX="staging")

    assert select_findings(found, "Store access").replace("\n", " ") == (
        f"WRONG Store access The user in REDIS_URL may not use keys that begin with staging:{{{team}}}:. "
        f"Let it: ACL SETUSER … ~staging:{{{team}}}:* (or ~staging:*), with read and write."
    )


async def test_a_redis_that_takes_nothing_now_is_told(place: Place, redis_url: str) -> None:
    """If Redis refuses writes at present, doctor reports this, and `run` waits. When Redis accepts writes
    again, the bot is ready."""
    async with Redis.from_url(redis_url) as redis:
        await redis.config_set("min-replicas-to-write", 1)

        code, said = await doctor(place, REDIS_URL=redis_url)
        bot = await place.run("run", REDIS_URL=redis_url)
        await bot.says("redis is away")
        await redis.config_set("min-replicas-to-write", 0)
        await bot.wait_until_ready()

    assert (
        "WRONG Store access The store takes nothing now: NOREPLICAS Not enough good replicas"
        in select_findings(said, "Store access")
    )
    assert code == 1


async def test_work_that_waits_for_a_newer_version_is_told(place: Place) -> None:
    """If queues wait for a newer version of Taskwire, doctor says how many, and that somebody must start this
    version."""
    bot = await place.run_ready()
    keys = Keys(place.slack.workspace.team_id)
    async with connection.open(socket_of(place)) as store:
        newer = Queues(store, keys, ServerClock(), own_format=FORMAT + 1)
        await newer.formats.record_presence()
        body = "put(ARGV[3], 'a', 'next', '0', 'new', ARGV[4]) return 1"
        await Script(store.commands, keys, ServerClock(), with_libraries(body))("to_thread:L1", "{}")
    await bot.says("job not readable by this version, waits for a newer version")

    code, said = await doctor(place)

    assert select_findings(said, "Versions").startswith(
        "WRONG Versions 1 queue waits for another version of Taskwire: I can't read its next job. "
        "Start the newest version "
    )
    assert code == 1


async def test_the_token_that_taskwire_has_made_is_checked_when_the_given_one_has_ended(
    place: Place, redis_url: str
) -> None:
    """If Coder's token in the settings has expired, doctor checks the token that Taskwire has made for
    itself. Taskwire renews its own token before it expires."""
    given, lifetime = place.settings["CODER_SESSION_TOKEN"].partition("-")[0], timedelta(days=6)
    own = place.coder.add_token("taskwire", name="taskwire-service", lifetime=lifetime)
    ends = place.coder.world.tokens[own.partition("-")[0]].expires_at
    kept = OwnServiceToken(
        replaces=given, name="taskwire-service", token=own, expires_at_ms=int(ends.timestamp() * 1000)
    )
    async with connection.open(redis_url) as store:
        keys = Keys(place.slack.workspace.team_id)
        batch = AccountStore(store, keys).write_service_token(Batch(), kept, 3_600_000)
        await Queues(store, keys, ServerClock()).write(batch)
    del place.coder.world.tokens[given]

    code, said = await doctor(place, REDIS_URL=redis_url)

    assert select_findings(said, "Coder token") == (
        f"ok Coder token Taskwire has made it itself. It is good until {ends:%Y-%m-%d}. Taskwire makes the "
        "next one itself, three days before."
    )
    assert code == 0
    assert own not in said


async def test_the_address_of_a_store_that_does_not_answer_is_named(place: Place) -> None:
    """If the store does not answer, doctor names its URL without the password."""
    _, said = await doctor(place, REDIS_URL="redis://127.0.0.1:1")
    _, with_password = await doctor(place, REDIS_URL="redis://:hunter2@127.0.0.1:1")

    for found in (said, with_password):
        assert "redis://127.0.0.1:1" in select_findings(found, "Store")
        assert "hunter2" not in found
