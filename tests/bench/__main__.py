"""Runs all benchmarks, or those that `--only` names, and prints a table. With `--json` it prints JSON."""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from taskwire import sealing
from tests.bench.acks import measure_acks
from tests.bench.backfill import measure_backfill
from tests.bench.costs import measure_costs
from tests.bench.delays import measure_delays, measure_hints
from tests.bench.figures import HEAD, Figure, machine
from tests.bench.load import measure_load
from tests.bench.masking import measure_masking
from tests.bench.polls import measure_growth, measure_polls, measure_stalls
from tests.bench.posts import measure_posts
from tests.bench.requests import measure_requests
from tests.bench.starts import measure_starts
from tests.keys import KEY

Measure = Callable[[Path], Awaitable[Sequence[Figure]]]
MEASURES: dict[str, Measure] = {
    "acks": measure_acks,
    "requests": measure_requests,
    "poll": measure_polls,
    "growth": measure_growth,
    "stalls": measure_stalls,
    "load": measure_load,
    "costs": measure_costs,
    "masking": measure_masking,
    "delay": measure_delays,
    "hints": measure_hints,
    "posts": measure_posts,
    "backfill": measure_backfill,
    "start": measure_starts,
}


def main() -> int:
    """Run the benchmarks and print their figures."""
    words = _words()
    # Some benchmarks write directly into the store of a bot. This process therefore needs the bot's key.
    sealing.install_keys([KEY])
    # Log lines of the stand-ins must not be printed between the figures.
    logging.basicConfig(level=logging.ERROR)
    before, found = machine(), {}
    if not words.json:
        _say(HEAD)
    for name in words.only or MEASURES:
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            found[name] = asyncio.run(_measure(MEASURES[name], Path(directory) / name))
        if not words.json:
            _say("\n".join(figure.as_line() for figure in found[name]))
    if words.json:
        measures = {name: [figure.as_json() for figure in figures] for name, figures in found.items()}
        _say(json.dumps({"before": before, "after": machine(), "measures": measures}, indent=2))
    else:
        where = f"Python {before['python']}, {before['cores']} cores"
        _say(f"\n{where}, load {before['load']} before and {machine()['load']} after")
    return 0


async def _measure(measure: Measure, directory: Path) -> Sequence[Figure]:
    return await measure(directory)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    help_only = f"measure this alone, or several of them: {', '.join(MEASURES)}"
    parser.add_argument("--only", action="append", choices=MEASURES, metavar="NAME", help=help_only)
    return parser.parse_args()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
