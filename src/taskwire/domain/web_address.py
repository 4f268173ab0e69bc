"""Checks that a setting is the address of a web site. `domain/redis_address.py` does the same for Redis."""

import re
from urllib.parse import urlsplit


def check(value: str) -> None:
    """Raise ValueError, which says what the value must be, if it is not a plain web address."""
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or re.search(r"\s", value):
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be an address without a user name, a ? or a #")
