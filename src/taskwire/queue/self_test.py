"""Checks whether the Redis user has all rights that Taskwire needs. The test uses keys of its own.

These keys expire. `taskwire run` makes the test when it starts, and `taskwire doctor` makes it too.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from taskwire.domain.errors import UserError
from taskwire.queue.scripts import Script, ServerClock, load_script
from taskwire.redis.connection import Connections
from taskwire.redis.keys import Keys

# The commands that scripts use, and those that Python calls by itself. `@` stands for the prefix of the
# keys.
SCRIPT_COMMANDS = (
    "SET @s 1 PX 10000", "GET @s", "EXISTS @s", "TYPE @s", "PTTL @s", "PERSIST @s", "PEXPIRE @s 10000",
    "HSET @h a 1 b 2", "HSETNX @h a 1", "HINCRBY @h a 1", "HGET @h a", "HMGET @h a b", "HGETALL @h",
    "HKEYS @h", "HVALS @h", "HLEN @h", "HEXISTS @h a", "HDEL @h a", "PEXPIRE @h 10000",
    "ZADD @z 1 a 2 b", "ZCARD @z", "ZCOUNT @z 0 9", "ZRANGE @z 0 -1", "ZRANGEBYSCORE @z 0 9", "ZSCORE @z a",
    "ZREM @z a", "ZREMRANGEBYRANK @z 0 0", "LPUSH @l 1", "RPUSH @l 1", "LINDEX @l 0", "LRANGE @l 0 -1",
    "LTRIM @l 0 9", "PEXPIRE @l 10000", "ZREMRANGEBYSCORE @z 0 0", "DEL @z", "SADD @z a", "SISMEMBER @z a",
    "SMEMBERS @z", "SREM @z a", "XADD @x 1-1 a b", "XINFO STREAM @x", "XLEN @x", "XRANGE @x - +",
    "XREVRANGE @x + -", "XDEL @x 1-1", "PEXPIRE @x 10000", "TIME",
)  # fmt: skip
DIRECT_COMMANDS = (
    "TIME", "PING", "EVAL return(1) 0", "SET @s 1 PX 10000 NX", "GET @s", "MGET @s", "HGET @h a",
    "HMGET @h a", "HGETALL @h", "HKEYS @h", "HLEN @h", "PEXPIRE @h 10000",
    "HDEL @h b", "ZRANGE @z 0 -1", "ZRANGEBYSCORE @z 0 9", "ZSCORE @z a", "ZCARD @z", "ZREM @z a",
    "XRANGE @x - +", "XREVRANGE @x + -", "DEL @s @h @z @l @x",
)  # fmt: skip
BLOCKING_COMMANDS = ("BRPOP @l 0.01",)
# The rights that the user needs, in the words of `ACL SETUSER`; docs/running.md names these rights too. A key
# pattern does not restrict commands without a key. So without the two minus signs, FLUSHALL, SWAPDB or
# FUNCTION FLUSH would be allowed.
RIGHTS = (
    "+@read +@write +@blocking -@dangerous -@scripting "
    "+eval +evalsha +script|load +ping +select +wait +time +info +role"
)

_TRY = load_script("queue/self_test.try")
# The words with which servers refuse a command, by itself and within a script. Each version has its own
# words.
_DENIALS = ("noperm", "no permission", "can't run this command", "acl failure", "unknown command")


class NotPermitted(UserError):
    """The Redis user lacks a right. Only the operator of Redis can grant this right."""


async def check_rights(connections: Connections, keys: Keys) -> None:
    """Try each command. Raises NotPermitted if a right is missing, and RedisError for any other failure."""
    beginning = keys.named("trial", secrets.token_hex(4), "")
    refused: dict[str, str] = {}
    try:
        script = Script(connections.commands, keys, ServerClock(), _TRY)
        answers = cast("list[str]", await script(*_with_prefix(beginning, SCRIPT_COMMANDS)))
        refused |= dict(zip(answers[::2], answers[1::2], strict=True))
    except ResponseError as error:
        refused |= _denied(error, "scripts (EVALSHA, SCRIPT LOAD, TIME)")
    refused |= await _find_refused(connections.blocking, _with_prefix(beginning, BLOCKING_COMMANDS))
    refused |= await _find_refused(connections.commands, _with_prefix(beginning, DIRECT_COMMANDS))
    _raise_if_refused(refused, keys)


async def _find_refused(client: Redis, commands: Sequence[str]) -> dict[str, str]:
    """Run commands in one exchange, and return the commands that Redis refused.

    The result maps the name of each refused command to Redis's error text.
    """
    async with client.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command.split())
        answers = await pipe.execute(raise_on_error=False)
    refused: dict[str, str] = {}
    for command, answer in zip(commands, answers, strict=True):
        if isinstance(answer, ResponseError):
            refused |= _denied(answer, command.partition(" ")[0])
    return refused


def _with_prefix(beginning: str, commands: Iterable[str]) -> Sequence[str]:
    return [command.replace("@", beginning) for command in commands]


def _denied(error: ResponseError, what: str) -> dict[str, str]:
    """Return `what` and the error's text if the error says that a right is missing.

    Otherwise raise the error.
    """
    if isinstance(error, NoPermissionError) or _is_denied(str(error)):
        return {what: str(error)}
    raise error


def _is_denied(text: str) -> bool:
    return any(words in text.casefold() for words in _DENIALS)


def _raise_if_refused(refused: dict[str, str], keys: Keys) -> None:
    other = next((text for text in refused.values() if not _is_denied(text)), None)
    if other is not None:
        raise RedisError(other)
    if not refused:
        return
    if any(re.search(r"\bkeys?\b", text) for text in refused.values()):
        raise NotPermitted(
            f"The user in REDIS_URL may not use keys that begin with {keys.prefix}.",
            f"Let it: ACL SETUSER … ~{keys.prefix}* (or ~{keys.installation}:*), with read and write.",
        )
    raise NotPermitted(
        f"The user in REDIS_URL may not use {', '.join(sorted(refused))}, which Taskwire needs.",
        f"Let it: ACL SETUSER … {RIGHTS}.",
    )
