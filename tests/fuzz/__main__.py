"""Tries strange input for a long time. Looks for functions whose time grows much faster than their input."""

import argparse
import asyncio
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from taskwire import sealing
from taskwire.domain.errors import UserError
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.parsing import commands, replies
from taskwire.domain.text import markdown
from taskwire.domain.text.agent_questions import read_answer
from taskwire.domain.text.terminal import extract_lines
from tests.keys import KEY
from tests.scenarios.world import new_world
from tests.web.site import new_site

from .edges import BOT, try_edges
from .forger import MINUTE_SECONDS, Forger
from .mutations import PIECES, Mutator
from .stalls import watching
from .wire import WAYS, try_wire

# A function fails if its time for twice as much text is more than this many times as long. A very short time
# does not count.
MOST_GROWTH, SHORTEST_SECONDS = 3.5, 0.05
LENGTH = 30_000


def main() -> int:
    """Read the arguments, try everything, and print what was tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the seed (default: the time)")
    parser.add_argument("--payloads", type=int, default=3_000, help="payloads for a running bot")
    parser.add_argument("--rounds", type=int, default=20_000, help="inputs for each other edge")
    given = parser.parse_args()
    sealing.install_keys([KEY])
    _print(f"fuzzing with seed {given.seed}")
    statuses = asyncio.run(_forge(given.seed, given.payloads, given.rounds))
    sent = asyncio.run(_send(given.seed, given.payloads // len(WAYS)))
    _print(f"bytes at the HTTP server were answered with {sent}")
    _print(
        f"{given.payloads} payloads were answered with {statuses}; {given.rounds} inputs at each other edge"
    )
    slow = _find_slow()
    _print(*slow)
    return 1 if slow else 0


async def _forge(seed: int, payloads: int, rounds: int) -> dict[int, int]:
    with tempfile.TemporaryDirectory() as directory:
        async with new_world(Path(directory)) as world:
            forger = Forger(world)
            await forger.record()
            with watching() as stalls:
                statuses = await forger.sends(Mutator(seed), payloads)
            stalls.check()
            forger.check_task()
            await world.passes(MINUTE_SECONDS)
            world.reader.read_all()
            world.slack.violations.clear()
            try_edges(forger.samples, seed, rounds)
            return statuses


async def _send(seed: int, rounds: int) -> dict[int, int]:
    async with new_site(io.StringIO()) as site:
        with watching() as stalls:
            statuses = await try_wire(site, seed, rounds)
        stalls.check()
        return statuses


def _find_slow() -> list[str]:
    """Return each function and text for which twice as much text takes far more than twice the time."""
    return [
        f"{name} takes {growth:.1f} times as long for twice as much of {piece!r}"
        for name, read in _READERS.items()
        for piece in PIECES
        if (growth := _measure_growth(read, piece)) > MOST_GROWTH
    ]


def _measure_growth(read: Callable[[str], object], piece: str) -> float:
    once, twice = (_time(read, (piece * LENGTH)[: LENGTH * times]) for times in (1, 2))
    return twice / once if twice > SHORTEST_SECONDS else 0.0


def _time(read: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    read(text)
    return max(time.process_time() - began, 1e-6)


def _parse_command(text: str) -> None:
    try:
        commands.parse(f"create {text}")
    except UserError:
        return


_READERS: dict[str, Callable[[str], object]] = {
    "commands": _parse_command,
    "replies": lambda text: replies.classify(text, BOT),
    "markdown": markdown.parse,
    "answers": read_answer,
    "terminal": extract_lines,
    "masking": Masker(("a-secret-of-ours-1234567",), ("a-secret-of-ours-1234567",)).mask,
}


def _print(*lines: str) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201 - this is what it is for


if __name__ == "__main__":
    sys.exit(main())
