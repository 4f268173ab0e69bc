"""Runs a storm and prints its counts. If a check fails, the program keeps the logs and exits with code 1."""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from taskwire import sealing
from tests.keys import KEY

from .plan import NEW_KEY, Plan
from .records import keep
from .storm import storm
from .tally import Tally


def main() -> int:
    """Read the arguments, run a storm and print its counts. Return the program's exit code."""
    plan = _plan()
    sealing.install_keys([NEW_KEY, KEY] if plan.rotations else [KEY])
    directory = Path(tempfile.mkdtemp(prefix="storm-"))
    _print(f"storm with seed {plan.seed}: {plan}")
    tally = asyncio.run(_run(plan, directory))
    _print(*tally.lines())
    if tally.is_good:
        shutil.rmtree(directory)
        return 0
    _print(f"something is wrong; what everybody wrote is in {directory} (see tests/storm/records.py)")
    return 1


async def _run(plan: Plan, directory: Path) -> Tally:
    async with storm(plan, directory) as made:
        tally = await made.run()
        _print(*made.report())
        if not tally.is_good:
            keep(directory, made.slack, made.coder)
        return tally


def _print(*lines: str) -> None:
    print("\n".join(lines), flush=True)  # noqa: T201 - this is what it is for


def _plan() -> Plan:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    for name, field in Plan.model_fields.items():
        flag, default = "--" + name.replace("_", "-"), getattr(usual, name)
        told = f"{field.description} (default: {default})"
        parser.add_argument(flag, type=type(default), default=default, help=told)
    return Plan.model_validate(vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
