"""Runs a short storm as a test. `make storm` runs a long one."""

from pathlib import Path

import pytest

from .plan import Plan
from .storm import storm

SHORT = Plan(
    tasks=20,
    channels=8,
    people=6,
    replicas=2,
    acts=1,
    offer_seconds=3,
    rotations=0,
    seconds=6,
    longest_pause_seconds=2.5,
    seconds_between_kills=2.5,
    seconds_between_stops=5,
    seconds_between_cuts=2.5,
    seconds_between_restarts=6,
    seed=3,
    patience_seconds=120,
)


@pytest.mark.timeout(240)
async def test_nothing_is_lost_doubled_or_out_of_order_in_a_storm(tmp_path: Path) -> None:
    """Twenty tasks with three replies each succeed, although processes are killed and stopped and connections
    are cut."""
    async with storm(SHORT, tmp_path) as made:
        tally = await made.run()

        assert tally.is_good, "\n".join([str(SHORT), *tally.lines(), *made.report()])
        assert tally.counts["cards"] >= SHORT.tasks
        assert made.fault_plan.seen["kills"]
        assert tally.counts["requests in people's names"]
