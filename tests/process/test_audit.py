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
    assert wrong == (2, "`soon` is no time. Write `since=7d`, `since=12h` or `since=2026-11-27`.\n")
    assert changed[0] == 1
    assert "The chain breaks at entry 1: it or the one before was changed." in changed[1]
