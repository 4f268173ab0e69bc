"""Measures for how long a single callback blocks the event loop, in seconds of processor time.

Processor time excludes the work of other processes. A loop of plain Python in the same run measures how fast
this machine is at present.
"""

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

# On a machine of the year 2020, a loop of this many steps takes 20 ms. No stranger's input may block the
# event loop for longer.
STEPS_OF_BOUND = 400_000


class Stalls:
    """The longest callback since `watching` began."""

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self.callback = ""

    def note(self, seconds: float, handle: asyncio.Handle) -> None:
        """Note how long a callback took."""
        if seconds > self.longest_seconds:
            self.longest_seconds, self.callback = seconds, repr(handle)

    def check(self) -> None:
        """Check that the longest callback took less time than the bound."""
        bound = max(measure_bound() for _ in range(3))
        assert self.longest_seconds < bound, f"{self.longest_seconds:.4f} of {bound:.4f} s: {self.callback}"


def measure_bound() -> float:
    """Return the longest permitted time of a callback, in seconds of this thread's processor time."""
    began, total = time.thread_time(), 0
    for step in range(STEPS_OF_BOUND):
        total += step * step % 7
    return time.thread_time() - began


@contextmanager
def watching() -> Iterator[Stalls]:
    """Measure every callback of the event loop inside the block. Garbage is collected only before and after
    the block."""
    # asyncio calls every callback through this class, and offers no other place to measure all callbacks.
    loop = cast("Any", asyncio.Handle)
    stalls, original = Stalls(), loop._run  # noqa: SLF001 - see above

    def run(handle: asyncio.Handle) -> None:
        began = time.thread_time()
        original(handle)
        stalls.note(time.thread_time() - began, handle)

    gc.collect()
    gc.disable()
    loop._run = run  # noqa: SLF001
    try:
        yield stalls
    finally:
        loop._run = original  # noqa: SLF001
        gc.enable()
