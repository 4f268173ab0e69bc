"""Looks for secrets, in any encoding, in everything that a running deployment writes."""

import base64
import json
from collections.abc import Awaitable, Iterable
from typing import NamedTuple, cast
from urllib.parse import quote

from redis.asyncio import Redis

from .lua import FIND_IN_STORE

# In characters. A shorter text may be in another text by chance.
SHORTEST = 8


class Written(NamedTuple):
    """A text that the deployment wrote, and where the deployment wrote it."""

    where: str
    text: str


def list_forms(secret: str) -> set[str]:
    """Return the forms in which a text may contain the secret: plain, hex, escaped, and base64 at each
    offset."""
    raw = secret.encode()
    forms = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    forms |= {raw.hex(), raw.hex().upper(), "".join(f"%{byte:02X}" for byte in raw)}
    for shift in range(3):
        # In base64, the text beside a secret changes the characters at both ends of the secret. Leave out the
        # last two characters. Leave out the first four characters too, unless the secret begins a group of
        # four.
        text = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")[4 if shift else 0 : -2]
        forms |= {text, text.replace("+", "-").replace("/", "_")}
    return forms


class SecretScan:
    """Looks for secrets. The scan fails if it gets no secrets or no texts."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in list_forms(secret)}
        self._forms = sorted(form for form in forms if len(form) >= SHORTEST)
        assert self._forms, "there is no secret to look for"

    def find_in(self, written: Iterable[Written]) -> list[str]:
        """Return the places of the texts in which one of the secrets was found."""
        looked, found = 0, []
        for where, text in written:
            looked += len(text)
            found += [where for form in self._forms if form in text]
        assert looked, "there is nothing to look at"
        return found

    async def find_in_store(self, redis: Redis) -> list[str]:
        """Return the keys of a store whose name or content contains one of the secrets."""
        found = await cast("Awaitable[list[str]]", redis.eval(FIND_IN_STORE, 0, *self._forms))
        looked, *places = found
        assert int(looked), "there is nothing in the store to look at"
        return places
