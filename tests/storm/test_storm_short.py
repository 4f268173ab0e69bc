"""A short storm among the tests; `make storm` runs a long one."""

from pathlib import Path

import pytest

from .given import Plan
from .storm import storm


@pytest.mark.timeout(180)
async def test_nothing_is_lost_doubled_or_out_of_order_while_processes_die(tmp_path: Path) -> None:
    """Three hundred posts, a process killed each second, others stopped past their lease."""
    plan = Plan(
        posts=300,
        threads=12,
        processes=2,
        seconds_between_kills=0.7,
        seconds_between_stops=1.5,
        window_ms=5,
        patience_seconds=120,
    )

    async with storm(plan, tmp_path / "store") as made:
        tally = await made.run()

    assert tally.is_good, "\n".join(tally.lines())
    assert tally.posts == 300
    assert tally.kills
