"""Looks for secrets, in any encoding, in everything that a running deployment writes down."""

import base64
import json
from collections.abc import Awaitable, Iterable
from typing import NamedTuple, cast
from urllib.parse import quote

from redis.asyncio import Redis

from .lua import FIND_IN_STORE

# In characters. Something shorter may be in a text by chance.
SHORTEST = 8


class Written(NamedTuple):
    """Something that was written down: where, and its text."""

    where: str
    text: str


def list_forms(secret: str) -> set[str]:
    """Return how a text with the secret may look: plain, in base64 at each place, in hex, escaped."""
    raw = secret.encode()
    forms = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    forms |= {raw.hex(), raw.hex().upper(), "".join(f"%{byte:02X}" for byte in raw)}
    for shift in range(3):
        # The characters at both ends depend on what stands beside the secret.
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")[4 if shift else 0 : -2]
        forms |= {text, text.replace("+", "-").replace("/", "_")}
    return forms


class SecretScan:
    """Looks for some secrets. It fails if there are none, or if there is nothing to look at."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in list_forms(secret)}
        self._forms = sorted(form for form in forms if len(form) >= SHORTEST)
        assert self._forms, "there is no secret to look for"

    def find_in(self, written: Iterable[Written]) -> list[str]:
        """Return where one of the secrets is."""
        looked, found = 0, []
        for where, text in written:
            looked += len(text)
            found += [where for form in self._forms if form in text]
        assert looked, "there is nothing to look at"
        return found

    async def find_in_store(self, redis: Redis) -> list[str]:
        """Return the keys of a store in whose name or content one of the secrets is."""
        found = await cast("Awaitable[list[str]]", redis.eval(FIND_IN_STORE, 0, *self._forms))
        looked, *places = found
        assert int(looked), "there is nothing in the store to look at"
        return places
