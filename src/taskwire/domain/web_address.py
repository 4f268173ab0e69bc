"""Whether a setting is the address of a web site. `domain/redis_address.py` does the same for Redis."""

import re
from urllib.parse import urlsplit


def check(value: str) -> None:
    """Raise what `must` be, unless it is the address of a web site and no more."""
    try:
        parts = urlsplit(value)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or re.search(r"\s", value):
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be an address without a user name, a ? or a #")
