"""Every flow survives every fault at every call: nothing is lost or done twice, and the person is told the
result."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import TRIED

from .environment import Environment
from .flows import FLOWS
from .flows.flow import Flow
from .proof import Proof
from .situations import Tried


@pytest.mark.timeout(600)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__name__.lower())
async def test_a_flow_holds_whatever_goes_wrong_at_any_of_its_calls(
    flow: type[Flow],
    environment: Environment,
    tmp_path: Path,
    tried: Tried,
    record_property: Callable[[str, object], None],
) -> None:
    """A flow keeps its promises, although each of its calls to Redis, Slack and Coder fails in every possible
    way.

    A rehearsal finds the calls. If the bot is killed while the outcome of a call is unknown, the bot that
    recovers is killed too, at each of its own calls. For each call whose outcome can be unknown, one flow
    tries these second kills. If two flows have an equal fault in the same situation, only one of them tries
    it (`situations`). With the option --every-way, both flows try it.
    """
    tally = await Proof(flow, environment, tmp_path, tried).run()

    record_property(TRIED, str(tally))
    assert [str(aim) for aim in tally.missed] == []
    assert tally.doubtful <= {call for each in FLOWS for call in each.dies_twice}
