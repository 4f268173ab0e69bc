"""How long to wait before the next try: longer each time, up to an end, and not all at the same moment."""

import random

# What has failed so often waits as long as it ever will.
STEPS = 12


def wait_seconds(tries: int, longest_seconds: float, asked_seconds: float | None = None) -> float:
    """After 1, 2, 4 … seconds, or half of that; never before the time that the other side asked for."""
    longest = min(2.0 ** min(tries, STEPS), longest_seconds)
    return max(longest * random.uniform(0.5, 1.0), asked_seconds or 0.0)  # noqa: S311 - jitter
