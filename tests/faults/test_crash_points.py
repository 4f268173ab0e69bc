"""Whatever goes wrong at whichever call of a flow: nothing is lost, nothing doubled, everything told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TRIED

from .environment import Environment
from .flows import FLOWS
from .flows.flow import Flow
from .proof import Proof


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__.lower())
async def test_a_flow_holds_whatever_goes_wrong_at_any_of_its_calls(
    flow: type[Flow], environment: Environment, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Each call to the outside and to Redis, found by running the flow, and each way in which it can fail.

    Where the bot dies with a call in doubt, the bot that takes it over dies too, at each call of that; of
    each kind of call in doubt in one flow.
    """
    tally = await Proof(flow, environment, tmp_path).run()

    record_property(TRIED, str(tally))
    assert [str(aim) for aim in tally.missed] == []
    assert tally.doubtful <= {call for each in FLOWS for call in each.dies_twice}
