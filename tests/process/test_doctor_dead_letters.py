"""The operator lists dead letters on the command line, sends them again beside a running bot, and forgets
them."""

import json

import pytest
from redis.asyncio import Redis

from tests.ports import free_port

from .processes import Place, Taskwire, until


async def _doctor(place: Place, *arguments: str, **settings: str) -> tuple[int, str]:
    looking = await place.run("doctor", *arguments, **settings)
    return await looking.wait_for_exit(), looking.output


async def test_what_could_not_be_told_is_told_once_it_can(place: Place) -> None:
    """A channel was archived, so a notice could not be posted and became a dead letter. When the channel is
    back, the operator sends the dead letter again, and the notice is posted."""
    bot = await place.run_ready()
    ts = await _a_task_that_ends_in_an_archived_channel(place)
    letter = await _letter(place, bot)
    place.slack.workspace.channel("general").is_archived = False

    sent = await _doctor(place, "--resend", "all")
    await until(lambda: len(place.slack.thread("general", ts)) > 1, "the notice")
    forgetting = await _doctor(place, "--forget", letter[:10])

    assert letter.endswith(": the channel takes no message: is_archived\n")
    assert "post_notice (fix-the-login-redirect-" in letter
    assert sent == (0, f"{letter[:10]}  It waits for its turn again.\n")
    assert forgetting == (0, "There were none.\n")
    said = [str(notice["text"]) for notice in place.slack.thread("general", ts)[1:]]
    assert ["Done: Fix the login redirect" in notice for notice in said] == [True]


@pytest.mark.parametrize("what", [("--dead-letters",), ("--resend", "all"), ("--forget",)])
async def test_a_store_that_is_away_is_told(place: Place, what: tuple[str, ...]) -> None:
    """If the store does not answer, the commands for dead letters print a sentence instead of a Python
    traceback."""
    port = free_port()

    looked = await _doctor(place, *what, REDIS_URL=f"redis://127.0.0.1:{port}/0")

    assert looked == (
        2,
        f"redis://127.0.0.1:{port} cannot be reached: Connection refused. "
        "Check REDIS_URL, and that Redis or Valkey runs there.\n",
    )


async def test_a_wrong_setting_keeps_the_letters_out_of_reach(place: Place) -> None:
    """If a setting is wrong, the command for dead letters prints no list, and names the wrong setting."""
    looked = await _doctor(place, "--dead-letters", CODER_URL="coder")

    assert looked == (2, "CODER_URL is wrong: it must be an address that begins with https:// or http://.\n")


async def test_a_store_that_takes_nothing_is_told(place: Place, redis_url: str) -> None:
    """If the store is read-only, such as a replica whose primary is away, the commands for dead letters say
    so."""
    async with Redis.from_url(redis_url) as redis:
        await redis.replicaof("127.0.0.1", str(free_port()))

    looked = await _doctor(place, "--forget", REDIS_URL=redis_url)

    assert looked == (
        2,
        "The store does not answer as it should: You can't write against a read only replica. "
        "Look into its log, and at what `taskwire doctor` says of it.\n",
    )


async def test_a_dead_letter_is_one_line_whatever_its_id_holds(place: Place, redis_url: str) -> None:
    """A person who can write to Redis stores a dead letter whose id has a line break and characters that
    nobody sees. The list has one line for it, and no line that looks like another entry."""
    evil = "aaaaaaaaaa  2026-11-28 11:14 UTC  a job (x)\u2800\ufe0f\u0336\nEverything else is well."
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        name = "tw:{T0TASKWIRE}:dead_letters"
        letter = {"queue": "intake:U1", "job_id": "x", "reason": "x\ny", "at_ms": 1_700_000_000_000}
        await redis.hset(name, evil, json.dumps(letter))
        await redis.zadd(f"{name}:order", {evil: 1_700_000_000_000})

    listed = await _doctor(place, "--dead-letters", REDIS_URL=redis_url)
    sent = await _doctor(place, "--resend", "all", REDIS_URL=redis_url)

    shown = evil.replace("\u2800\ufe0f\u0336\n", r"\u2800\ufe0f\u0336\n")
    assert listed == (0, rf"{shown}  2023-11-14 22:13 UTC  a job (U1): x\ny" + "\n")
    assert sent == (1, f"{shown}  It was too long to be kept.\n")


async def _a_task_that_ends_in_an_archived_channel(place: Place) -> str:
    """Let Alice's task end in an archived channel, so that its notice becomes a dead letter. Return the ts of
    the task's card."""
    await place.slack.command("alice", "general", "/task", "create fix the login redirect")
    await until(lambda: place.coder.tasks and place.coder.tasks[0].status == "active", "the task")
    (card,) = place.slack.messages("general")
    await place.slack.archive("alice", "general")
    place.coder.tasks[0].becomes("complete", "Opened PR #12")
    return str(card["ts"])


async def _letter(place: Place, bot: Taskwire) -> str:
    """Wait until doctor lists dead letters. Return doctor's output."""
    await bot.says("thread closed to the bot")
    listed = ""

    async def is_there() -> bool:
        nonlocal listed
        _, listed = await _doctor(place, "--dead-letters")
        return "There are none" not in listed

    await until(is_there, "a dead letter")
    return listed
