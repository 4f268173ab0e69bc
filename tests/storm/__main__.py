"""Run a storm and print what it counted; exit code 1 if anything was lost, doubled or out of order."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from .given import Plan
from .storm import storm
from .tally import Tally


def main() -> int:
    """Read the arguments, run, print."""
    plan = _plan()
    print(f"storm: {plan}", flush=True)  # noqa: T201 - this is what it is for
    with tempfile.TemporaryDirectory(prefix="storm-") as directory:
        tally = asyncio.run(_run(plan, Path(directory)))
    print("\n".join(tally.lines()))  # noqa: T201 - as above
    return 0 if tally.is_good else 1


async def _run(plan: Plan, directory: Path) -> Tally:
    async with storm(plan, directory) as made:
        return await made.run()


def _plan() -> Plan:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    for name, default in usual.model_dump().items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=type(default), default=default, help=f"default: {default}")
    return Plan.model_validate(vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
