"""Prints the measures as a table, and as JSON with `--json`."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from tests.bench.acks import measure_acks
from tests.bench.figures import Figure
from tests.bench.sweeps import measure_sweeps


async def _measure(commands: int, tasks: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        return [*await measure_acks(Path(directory), commands), *await measure_sweeps(Path(directory), tasks)]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…")
    parser.add_argument("--commands", type=int, default=200, help="slash commands that are acknowledged")
    parser.add_argument("--tasks", type=int, default=10_000, help="linked tasks that are swept")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    words = parser.parse_args()
    figures = asyncio.run(_measure(words.commands, words.tasks))
    if words.json:
        lines = [json.dumps([figure.as_json() for figure in figures], indent=2)]
    else:
        lines = [f"{'measure':<44}{'ours':>12}{'baseline':>12}{'ratio':>8}  baseline is"]
        lines += [figure.as_line() for figure in figures]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
