"""The scan that finds secrets at the end of scenarios finds each form of a secret in each place."""

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_from_bytes

import pytest

from taskwire.redis.connection import Connections
from tests.secret_scan import SecretScan, Written

SECRET = 'xoxb-a?b~c"d/e+f-0123456789'
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex in capitals": lambda text: text.encode().hex().upper(),
    "URL": quote,
    "URL, also slashes": lambda text: quote(text, safe=""),
    "URL, all characters": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "JSON": json.dumps,
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_a_secret_is_found_in_every_form(form: str, before: str) -> None:
    """The scan finds each form at any place of a longer text. For base64, the place changes the encoded
    secret."""
    written = Written("a log", FORMS[form](f"{before}{SECRET} and more"))

    assert SecretScan([SECRET]).find_in([written])[:1] == ["a log"]


def test_what_is_no_secret_is_not_found() -> None:
    """The scan does not report a part of a secret."""
    assert (
        SecretScan([SECRET]).find_in([Written("a log", f"{SECRET[:-1]} {quote_from_bytes(b'xoxb')}")]) == []
    )


def test_nothing_to_look_for_or_at_is_an_error() -> None:
    """Without a secret or without a text, the scan fails. Otherwise a broken scan would pass."""
    with pytest.raises(AssertionError, match="no secret"):
        SecretScan([])
    with pytest.raises(AssertionError, match="nothing to look at"):
        SecretScan([SECRET]).find_in([Written("a log", "")])


async def test_a_secret_is_found_in_each_kind_of_key(shared_store: Connections) -> None:
    """The scan reads each Redis type, and the names of keys."""
    redis, scan, form = shared_store.commands, SecretScan([SECRET]), f"<{SECRET}>"
    with pytest.raises(AssertionError, match="nothing in the store"):
        await scan.find_in_store(redis)

    await redis.set("string", form)
    await redis.hset("hash", mapping={"field": form})
    await redis.hset("field", mapping={form: "value"})
    await redis.rpush("list", form)
    await redis.sadd("set", form)
    await redis.zadd("zset", {form: 1})
    await redis.xadd("stream", {"field": form})
    await redis.set(f"name {SECRET}", "value")
    await redis.set("nothing", "here")

    found = await scan.find_in_store(redis)

    names = {"string", "hash", "field", "list", "set", "zset", "stream", f"name {SECRET}"}
    assert set(found) == names
