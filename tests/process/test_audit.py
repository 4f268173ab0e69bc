"""`taskwire audit` shows on the command line who did what, while a bot is running."""

import getpass
import json
from typing import cast

from redis.asyncio import Redis

from .processes import Place, until


async def _audit(place: Place, *arguments: str) -> tuple[int, str]:
    looking = await place.run("audit", *arguments)
    return await looking.wait_for_exit(), looking.output


async def test_who_did_what_is_printed_and_checked(place: Place, redis_url: str) -> None:
    """`taskwire audit` prints who did what, with the same number and hash as in the log.

    The trail then also has an entry about this run of the command. If somebody has changed the trail, the
    command says so and exits with 1.
    """
    place.settings["REDIS_URL"] = redis_url
    bot = await place.run_ready()
    await place.slack.command("alice", "general", "/task", "create fix it")
    await until(lambda: '"event": "audit"' in bot.output, "the entry in the log")

    printed, text = await _audit(place, "--since", "1h", "--json"), await _audit(place, "--verb", "create")
    other = await _audit(place, "--person", "U0NOBODY")
    wrong = await _audit(place, "--since", "soon")
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        [key] = [key async for key in redis.scan_iter("tw:*:audit")]
        rows = cast("list[tuple[str, dict[str, str]]]", await redis.xrange(key))
        await redis.delete(key)
        for row, fields in rows:
            entry_text = fields["entry"].replace("create", "delete")
            await redis.xadd(key, {"entry": entry_text, "hash": fields["hash"]}, id=row)
    changed = await _audit(place, "--json")

    [logged] = [json.loads(line) for line in bot.output.splitlines() if '"event": "audit"' in line]
    entry = json.loads(printed[1])
    assert printed[0] == 0
    assert entry["task"].startswith("fix-it-")
    assert {name: logged[name] for name in entry if name not in ("at", "task")} == {
        name: value for name, value in entry.items() if name not in ("at", "task")
    }
    reads = [json.loads(fields["entry"]) for _, fields in rows[1:]]
    assert [(each["person"], each["verb"], each["account"]) for each in reads] == [
        ("operator", "audit", getpass.getuser())
    ] * 3
    assert text[1].endswith(f"The chain is whole. The newest entry is 3 ({rows[2][1]['hash']}).\n")
    assert text[1].splitlines()[0].split("  ")[-1] == entry["reference"]
    assert other[1].startswith("There are no entries.\n")
    assert wrong == (2, "Not a time: `soon`. Write `since=7d`, `since=12h` or `since=2026-11-27`.\n")
    assert changed[0] == 1
    assert "The chain breaks at entry 1: it or the one before was changed." in changed[1]


async def test_a_trail_that_was_removed_while_nothing_ran_is_missed(place: Place, redis_url: str) -> None:
    """Somebody removes the whole trail while the bot is stopped. `taskwire audit` says that it is missing,
    and still does after the bot runs again. The log of before has an entry that the new trail has not."""
    place.settings["REDIS_URL"] = redis_url
    bot = await place.run_ready()
    await place.slack.command("alice", "general", "/task", "create fix it")
    await until(lambda: '"event": "audit"' in bot.output, "the entry in the log")
    [logged] = [json.loads(line) for line in bot.output.splitlines() if '"event": "audit"' in line]
    known = str(logged["number"]), str(logged["hash"])
    there = await _audit(place, "--expect", *known)
    await bot.stop()
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        [key] = [key async for key in redis.scan_iter("tw:*:audit")]
        await redis.delete(key, f"{key}:head")

    stopped = await _audit(place)
    again = await place.run_ready()
    running = await _audit(place, "--expect", *known)
    nonsense = await _audit(place, "--expect", "x", "y")
    doctor = await place.run("doctor")
    await doctor.wait_for_exit()

    missing = "The chain breaks at entry 1: its seal is missing, although tasks have threads."
    assert there[0] == 0
    assert [stopped[0], running[0], nonsense[0]] == [1, 1, 2]
    assert missing in stopped[1]
    assert missing in running[1]
    assert f"The trail has no entry {known[0]} with this hash." in running[1]
    assert "It breaks at entry 1: its seal is missing" in doctor.output
    assert '"event": "the audit trail was changed' in again.output
