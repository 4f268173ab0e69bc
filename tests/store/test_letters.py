"""Dead letters: what was given up is there for the operator, whatever it was."""

import json

import pytest

from taskwire.store.connection import Connections
from taskwire.store.keys import Keys
from taskwire.store.letters import Letters

KEYS = Keys("T1")


async def keep(connections: Connections, job: dict[str, object]) -> None:
    letter = {"list": "tell:x", "job": job, "why": "it cannot be read", "at_ms": 0}
    await connections.commands.lpush(KEYS.named("dead"), json.dumps(letter))


@pytest.mark.parametrize("job", [{"id": "1", "body": "no json"}, {"body": "no json"}])
async def test_a_job_that_nobody_could_read_is_a_letter_too(
    connections: Connections, job: dict[str, object]
) -> None:
    """A newer version's jobs end here when it is rolled back, which is when the operator asks."""
    await keep(connections, job)

    newest = await Letters(connections, KEYS).find_newest()

    assert newest is not None
    assert (newest.kind, newest.why) == ("a job", "it cannot be read")


async def test_the_newest_letter_says_what_kind_of_job_it_was(connections: Connections) -> None:
    """The operator sees what to look for."""
    await keep(connections, {"id": "1", "work": {"kind": "alert"}})
    await keep(connections, {"id": "2", "work": {"kind": "tell"}})

    letters = Letters(connections, KEYS)

    newest = await letters.find_newest()
    assert newest is not None
    assert (newest.kind, await letters.count()) == ("tell", 2)
