"""Run a storm and print what it counted; exit code 1 if anything is wrong."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from .plan import Plan
from .storm import events, storm
from .tally import Tally


def main() -> int:
    """Read the arguments, run, print; the logs stay where something is wrong."""
    plan = _plan()
    print(f"storm: {plan}", flush=True)  # noqa: T201 - this is what it is for
    directory = Path(tempfile.mkdtemp(prefix="storm-"))
    tally = asyncio.run(_run(plan, directory))
    print("\n".join(tally.lines()))
    print(f"logs: {directory}")
    return 0 if tally.is_good else 1


async def _run(plan: Plan, directory: Path) -> Tally:
    async with storm(plan, directory) as made:
        tally = await made.run()
        counts, errors = events(made.replicas)
        print({k: v for k, v in made.weather.seen.items() if v})
        print(made.crowd.acts, "ended by themselves", sum(r.ends for r in made.replicas))
        print({k: v for k, v in counts.items() if "session" not in k and "Execution" not in k})
        print("\n".join(errors[:20]))
        return tally


def _plan() -> Plan:
    usual = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.storm", description=__doc__)
    for name, default in usual.model_dump().items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=type(default), default=default, help=f"default: {default}")
    return Plan.model_validate(vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
