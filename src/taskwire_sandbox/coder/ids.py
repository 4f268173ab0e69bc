"""Makes ids in Coder's formats. The random source has a seed, so that a run can be repeated."""

import random
import string
import uuid

ALPHANUMERIC = string.ascii_letters + string.digits


class Ids:
    """A source of ids. Sources with equal seeds give equal ids."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose; nothing here is a secret

    def new_uuid(self) -> str:
        """Return a random UUID (version 4) as text."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new_token(self) -> tuple[str, str]:
        """Return the two parts of an API key: an id of 10 characters and a secret of 22."""
        return self._letters(10), self._letters(22)

    def new_oauth_secret(self) -> str:
        """Return a secret: of an OAuth2 app, of a code, or of a refresh token."""
        return f"coder_{self._letters(10)}_{self._letters(40)}"

    def new_suffix(self) -> str:
        """Return the four hexadecimal digits that Coder appends to a generated name."""
        return f"{self._random.getrandbits(16):04x}"

    def new_nanoseconds(self) -> int:
        """Return a random number from 0 to 999: the last three digits of a time in nanoseconds.

        Coder's times have nanoseconds, but Python's times have only microseconds.
        """
        return self._random.randrange(1000)

    def _letters(self, count: int) -> str:
        return "".join(self._random.choices(ALPHANUMERIC, k=count))


def as_uuid(text: str) -> str | None:
    """Return the canonical form of a UUID in any spelling that Go's parser accepts; None for other texts."""
    if len(text) not in (32, 36, 38, 45):
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None


NIL = str(uuid.UUID(int=0))
