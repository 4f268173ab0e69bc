"""Why a server was not reached, in the system's words; redis-py's own are for programmers."""

import os
import ssl

from redis.exceptions import TimeoutError as RedisTimeoutError


def reason(error: BaseException | None) -> str:
    """Say what lies at the bottom of an error."""
    last = error
    while error:
        if isinstance(error, RedisTimeoutError | TimeoutError):
            return "no answer in time"
        if isinstance(error, ssl.SSLError):
            return f"TLS failed ({error.reason})"
        if isinstance(error, OSError) and error.errno:
            return os.strerror(error.errno) if error.errno > 0 else str(error.strerror)
        last, error = error, error.__cause__ or error.__context__
    # Where in a script it happened is for programmers too.
    return str(last).partition(" script: ")[0].rstrip(".")
