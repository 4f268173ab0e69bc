"""`taskwire store` moves all data to another store. No bot ever works on two stores, or on a part of one."""

import signal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from taskwire.messages import answers
from tests.faults.proxy import proxy

from .processes import Place, Taskwire, until

ELSEWHERE = "Redis takes nothing: ELSEWHERE this store is being moved, or has been; see `taskwire doctor`."


async def _with_a_thread(place: Place, **settings: str) -> str:
    """Create a task with its thread, and stop the bot. Return the ts of the card."""
    bot = await place.run_ready(**settings)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks, "the task")
    ts = str(place.slack.messages("general")[0]["ts"])
    reply = await place.slack.post("alice", "general", "use main", ts)
    await until(lambda: place.coder.tasks[0].inputs == ["use main"], "the reply at the agent")
    await until(lambda: "white_check_mark" in place.slack.reactions("general", reply), "the receipt")
    assert await bot.stop() == 0
    return ts


async def _goes_on(place: Place, ts: str, text: str, **settings: str) -> Taskwire:
    """Start a bot. Check that a reply in the thread reaches the agent."""
    place.coder.tasks[0].becomes("idle")
    bot = await place.run_ready(**settings)
    await place.slack.post("alice", "general", text, ts)
    await until(lambda: text in place.coder.tasks[0].inputs, f"{text} at the agent")
    return bot


async def _moves(place: Place, *words: str, **settings: str) -> tuple[int, list[str]]:
    moving = await place.run("store", "move", *words, **settings)
    return await moving.wait_for_exit(60), moving.output.splitlines()


def _where(url: str) -> str:
    return url.replace(":hunter2-and-more@", "").removesuffix("/0")


async def test_threads_go_on_in_redis_and_back(place: Place, redis_url: str) -> None:
    """An operator moves from the embedded store to Redis and back. All threads still work."""
    ts = await _with_a_thread(place)

    there = await _moves(place, "--from", "embedded", REDIS_URL=redis_url)
    bot = await _goes_on(place, ts, "add a test", REDIS_URL=redis_url)
    await bot.stop()
    left = await place.run()
    code = await left.wait_for_exit()
    back = await _moves(place, "--from", redis_url)
    await _goes_on(place, ts, "and another")

    assert (there[0], back[0], code) == (0, 0, 2)
    assert there[1][0] == f"From {place.data_dir} to {_where(redis_url)}."
    assert there[1][-1].endswith(" keys, with 1 open thread. Start Taskwire with these settings now.")
    assert f"What was in the store at {place.data_dir} was moved to {_where(redis_url)} on " in left.output
    assert place.coder.tasks[0].inputs == ["use main", "add a test", "and another"]


async def test_a_store_with_a_bot_at_work_is_not_moved(place: Place, redis_url: str) -> None:
    """While a bot uses a store, the command does not move the store, whether it is embedded or a Redis."""
    own, shared = (
        await place.run_ready(),
        await place.run_ready(REDIS_URL=redis_url, TASKWIRE_KEY_PREFIX="other"),
    )
    empty = str(place.directory / "empty")
    Path(empty).mkdir()  # noqa: ASYNC240 - once, while nothing else runs

    said = [
        await _moves(place, "--from", "embedded", REDIS_URL=redis_url),
        await _moves(place, "--from", redis_url, TASKWIRE_DATA_DIR=empty, TASKWIRE_KEY_PREFIX="other"),
    ]

    assert [code for code, _ in said] == [2, 2]
    assert said[0][1][-1].startswith(f"Another Taskwire (process {own.process.pid}) already runs on ")
    assert said[1][1][-1] == (
        f"A Taskwire works on the store at {_where(redis_url)} (key prefix other). Stop all that use it, "
        "then run this again."
    )
    for each in (own, shared):
        await each.wait_until_ready()


async def test_a_move_between_prefixes_names_both(place: Place, redis_url: str) -> None:
    """After a move between two prefixes on one Redis, the output names both prefixes, because both stores
    have the same URL. A second move says that the first one was complete."""
    here, there = {"REDIS_URL": redis_url}, {"REDIS_URL": redis_url, "TASKWIRE_KEY_PREFIX": "staging"}
    await _with_a_thread(place, **here)
    words, where = ("--from", redis_url, "--from-prefix", "tw"), _where(redis_url)

    moved = await _moves(place, *words, **there)
    again = await _moves(place, *words, **there)
    left = await place.run(TASKWIRE_LOG_FORMAT="text", **here)

    assert (moved[0], again[0], await left.wait_for_exit()) == (0, 0, 2)
    assert moved[1][0] == f"From {where} (key prefix tw) to {where} (key prefix staging)."
    assert again[1][1:] == ["It was moved before. Start Taskwire with these settings."]
    said = " ".join(left.output.split())
    assert f"What was in the store at {where} was moved to {where} (key prefix staging) on " in said
    assert "Set REDIS_URL, TASKWIRE_KEY_PREFIX or TASKWIRE_DATA_DIR to that. " in said


async def test_a_move_that_is_killed_goes_on(place: Place, redis_url: str) -> None:
    """If a move is killed, no bot can use either store until the move is continued and ends. After that, the
    thread is in the new store."""
    ts = await _with_a_thread(place)
    words = ("--from", "embedded")
    async with proxy(redis_url) as network, Redis.from_url(redis_url) as redis:
        far = {"REDIS_URL": redis_url.replace(f":{urlsplit(redis_url).port}/", f":{network.port}/")}
        network.delay(0.4)
        moving = await place.run("store", "move", *words, **far)
        await until(lambda: _has_keys(redis, 20), "a part of it")
        moving.send_signal(signal.SIGKILL)
        await moving.wait_for_exit()
        refused = [await place.run(), await place.run(REDIS_URL=redis_url)]
        codes = [await each.wait_for_exit() for each in refused]

        network.delay(0)
        again = await _moves(place, *words, **far)

    await _goes_on(place, ts, "add a test", REDIS_URL=redis_url)
    assert codes == [2, 2]
    assert all("Run `taskwire store move` again: it goes on where it was." in each.output for each in refused)
    assert (again[0], again[1][1]) == (0, "It goes on where it was.")
    assert place.coder.tasks[0].inputs == ["use main", "add a test"]


async def test_a_target_that_tells_of_no_copies_is_told_in_a_sentence(place: Place, redis_url: str) -> None:
    """If the Redis user may not use WAIT, the move stops with a sentence and opens neither store. When the
    user gets the right, the move can be continued."""
    await _with_a_thread(place)
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        await redis.acl_setuser("default", enabled=True, commands=["-wait"])
        code, select_findings = await _moves(place, "--from", "embedded", REDIS_URL=redis_url)
        await redis.acl_setuser("default", enabled=True, commands=["+wait"])

    again, _ = await _moves(place, "--from", "embedded", REDIS_URL=redis_url)

    said = " ".join(select_findings)
    assert (code, again) == (2, 0)
    assert "A store does not answer as it should: " in said
    assert "It was broken off. Run it again: it goes on where it was." in said
    assert "Traceback" not in said


async def _has_keys(redis: Redis, count: int) -> bool:
    return bool(await redis.dbsize() >= count)


async def test_one_that_runs_on_a_store_that_was_left_is_not_ready(place: Place, redis_url: str) -> None:
    """If a process was frozen during a move, as on a sleeping machine, and then continues on the old store,
    it is not ready and accepts nothing."""
    bot = await place.run_ready(REDIS_URL=redis_url)
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks, "the task")
    bot.send_signal(signal.SIGSTOP)
    assert (await _moves(place, "--from", redis_url))[0] == 0
    bot.send_signal(signal.SIGCONT)

    async def knows() -> bool:
        status, told = await bot.readiness()
        return status == 503 and told["store"] == ELSEWHERE

    await until(knows, "that it knows")
    knew = await bot.says("redis answers but gives no jobs")
    answer = await place.slack.command("alice", "general", "/task", "create try another")

    assert (answer.reply or {}).get("text") == answers.store_unreachable()
    # While the process was frozen, earlier calls may have timed out. Only the log after the process noticed
    # the move counts.
    assert "redis is away" not in bot.output[knew.end() :]


async def test_reopening_takes_the_fence_away(place: Place, redis_url: str) -> None:
    """After a move, an operator who changes their mind can reopen the old store."""
    ts = await _with_a_thread(place)
    await _moves(place, "--from", "embedded", REDIS_URL=redis_url)

    doctor = await place.run("doctor")
    await doctor.wait_for_exit()
    reopening = await place.run("store", "reopen")
    code = await reopening.wait_for_exit()
    await _goes_on(place, ts, "add a test")

    assert f"was moved to {_where(redis_url)} on " in doctor.output
    assert (code, reopening.output.startswith("It is open again, as it was on ")) == (0, True)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere", "There is no store in {place}/nowhere. Look at --from and TASKWIRE_DATA_DIR."),
        (
            "http://redis",
            "The address of --from does not begin with redis://, rediss://, unix:// or redis+sentinel://.",
        ),
        ("redis://127.0.0.1:1", "redis://127.0.0.1:1 cannot be reached: Connection refused."),
        ("{place}", "There is no store in {place}. Look at --from and TASKWIRE_DATA_DIR."),
    ],
)
async def test_a_place_without_a_store_is_told(place: Place, redis_url: str, source: str, said: str) -> None:
    """If there is no store in the directory or at the URL from which to move, the move is refused. It creates
    nothing there, and the sentence does not blame the settings."""
    named = source.format(place=place.directory)

    code, output = await _moves(place, "--from", named, REDIS_URL=redis_url)

    assert (code, output[-1].startswith(said.format(place=place.directory))) == (2, True)


SAME = (
    "--from names the store that the settings name too. Set REDIS_URL (or take it away, for the embedded "
    "store) to say where it is to go, and --from to where it is now."
)


async def test_the_same_place_twice_is_told(place: Place) -> None:
    """If --from names the store of the settings, the move is refused. The sentence says that REDIS_URL must
    name the target."""
    assert await _moves(place, "--from", "embedded") == (2, [SAME])


@pytest.mark.parametrize("words", [(), ("--replace",)])
async def test_the_same_place_in_another_spelling_is_told(
    place: Place, redis_url: str, words: tuple[str, ...]
) -> None:
    """If two spellings name one store, a move from one to the other is refused. The store keeps its threads,
    and the command does not offer to overwrite it."""
    ts = await _with_a_thread(place, REDIS_URL=redis_url)
    spelled = redis_url.replace("127.0.0.1", "localhost").removesuffix("/0")

    code, output = await _moves(place, "--from", spelled, *words, REDIS_URL=redis_url)
    await _goes_on(place, ts, "add a test", REDIS_URL=redis_url)

    assert (code, output[-1]) == (2, SAME)
