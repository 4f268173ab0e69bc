"""Says why a server could not be reached, in the words of the operating system.

Operators cannot use the messages of redis-py, because these are for programmers.
"""

import os
import ssl
from collections.abc import Iterator

from redis.exceptions import TimeoutError as RedisTimeoutError

# What to do if the server's certificate is not trusted here.
TRUST_HINT = "Name the authority of its certificate as ?ssl_ca_certs=/path/to/file in REDIS_URL."


def reason(error: BaseException | None) -> str:
    """Return the root cause of an error, in words for the operator."""
    last = error
    for each in _causes(error):
        if isinstance(each, RedisTimeoutError | TimeoutError):
            return "no answer in time"
        if isinstance(each, ssl.SSLError):
            return f"TLS failed ({each.reason})"
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno) if each.errno > 0 else str(each.strerror)
        last = each
    # The position in a script is only for programmers.
    return str(last).partition(" script: ")[0].rstrip(".")


def is_distrust(error: BaseException | None) -> bool:
    """Return whether the server's certificate is not trusted here."""
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__
