"""Strange input breaks nothing and leaks nothing, and forged input is not accepted."""

import io
from pathlib import Path

import pytest

from tests.scenarios.world import new_world
from tests.web.conftest import log as log
from tests.web.site import new_site

from .edges import try_callback, try_edges
from .forger import MINUTE_SECONDS, Forger
from .mutations import MARKED, Json, Mutator
from .stalls import watching
from .wire import try_wire

SEED = 20261127
PAYLOADS, ROUNDS, WIRE_ROUNDS = 200, 150, 20


async def test_a_forger_steers_nothing_and_learns_nothing(tmp_path: Path, empty_store_url: str) -> None:
    """Bob sends changed copies of Alice's payloads in his own name.

    Her task stays unchanged, Bob learns nothing about it, and nothing fails. No payload blocks the event loop
    for long.
    """
    async with new_world(tmp_path, store_url=empty_store_url) as world:
        forger = Forger(world)
        await forger.record()

        with watching() as stalls:
            statuses = await forger.sends(Mutator(SEED), PAYLOADS)

        stalls.check()
        forger.check_task()
        assert statuses[200] > PAYLOADS / 2
        assert not [line for line in world.logged if MARKED in line]
        await world.passes(MINUTE_SECONDS)
        world.reader.read_all()
        # A changed payload may name a response URL, a trigger or a view that Slack does not know.
        world.slack.violations.clear()
        try_edges(forger.samples, SEED, ROUNDS)
        await try_callback(world, SEED, ROUNDS)
        await world.passes(MINUTE_SECONDS)
        world.reader.read_all()


async def test_a_stranger_gets_no_bytes_past_the_signature_or_the_token(log: io.StringIO) -> None:
    """The HTTP server refuses requests that are changed, too long, chunked or incomplete, even if a part of
    them was signed. Requests of other clients still work."""
    async with new_site(log) as site:
        with watching() as stalls:
            statuses = await try_wire(site, SEED, WIRE_ROUNDS)

        stalls.check()
    assert {400, 401, 403, 411, 431} <= statuses.keys()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_seed_makes_the_same_changes_again(seed: int) -> None:
    """A seed always makes the same changes, so a failure can be repeated."""
    value: Json = {"a": [1, {"b": "text"}], "c": None}

    made = [[Mutator(seed).change(value) for _ in range(3)] for _ in range(2)]

    assert made[0] == made[1]
    assert value == {"a": [1, {"b": "text"}], "c": None}
