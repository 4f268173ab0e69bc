"""Measures how long it takes to mask and clean hostile text, and how long this work blocks the event loop.

A thread masks a log of a million characters and makes it readable while the loop runs. The loop's wait is
measured in this process's processor time, so other processes do not count.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from taskwire.domain.lifecycle.phases import AgentLogEntry
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.text import excerpts
from taskwire.domain.text.agent_text import sanitize_for_agent
from tests.bench.figures import Figure

LENGTH = 1_000_000
TOKENS = ("xoxb-123456789012-1234567890123-abcDEFghiJKL", "aB3dE6gH9j-aB3dE6gH9jK2mN5pQ8sT1v", "adm1n-pw")
# Texts that the patterns match slowly. Each text is repeated by itself; then all texts are joined and
# repeated.
UNITS = {
    "`://`": "://",
    "quotes": "\"'",
    "new lines": "\n",
    "brackets": "[]{}()<>",
    "all of these": "://\"'\n[]{}()<>",
    "queries": "?token=a&",
    "command lines": "curl ",
    "keys": "-----BEGIN PRIVATE KEY-----" + "A" * 20_000,
    "wrapped words": "a" * 79 + "\n",
    "last lines of keys": "A" * 64 + "\n-----END PRIVATE KEY-----\n",
    "unseen letters": "a\u200b",
    "tables and options": "| SecretAccessKey | mysql -u 'a' -p",
    "escape codes": "\x1b[31m\x9d\x1b]8;;",
}
AT = datetime(2026, 1, 1, tzinfo=UTC)


async def measure_masking(directory: Path) -> Sequence[Figure]:
    """Mask a million characters as for a notice's excerpt. Clean the longest attachment as for an agent."""
    del directory
    mask = Masker(TOKENS, TOKENS).mask
    found = []
    for name, unit in UNITS.items():
        half, whole = unit * (LENGTH // 2 // len(unit)), unit * (LENGTH // len(unit))
        before, _ = await _beside(partial(_read, mask, half))
        cost, stall = await _beside(partial(_read, mask, whole))
        what = f"a million characters of {name}"
        found += [
            Figure(f"{what}: masked and cleaned", cost, "ms", before, "half of it", "about 2 times"),
            Figure(f"{what}: longest stall", stall, "ms", target="at most 20 ms"),
        ]
    attachment = "\x1b[201~\r" * (100_000 // 7)
    started = time.process_time()
    sanitize_for_agent(attachment)
    spent = (time.process_time() - started) * 1000
    return [
        *found,
        Figure("the longest attachment made safe for an agent", spent, "ms", target="at most 20 ms"),
    ]


def _read(mask: Callable[[str], str], text: str) -> None:
    log = excerpts.keep_recent([AgentLogEntry(0, is_input=False, text=text, at=AT)])
    excerpts.excerpt_last_output(log, mask=mask)


async def _beside(work: Callable[[], None]) -> tuple[float, float]:
    """Run `work` in a thread. Return the work's processor time, and the longest time for which the event loop
    was blocked, in milliseconds."""
    started = last = time.process_time()
    longest = 0.0
    done = asyncio.ensure_future(asyncio.to_thread(work))
    while not done.done():
        await asyncio.sleep(0.001)
        now = time.process_time()
        longest, last = max(longest, now - last), now
    await done
    return (last - started) * 1000, longest * 1000
