"""Jobs that call agents have half of a process's places, and those for agents of one owner a quarter. The
last four places are for owners who hold none."""

import contextlib

import pytest

from taskwire.coder.agent_places import AgentPlaces, NoAgentPlace, take_agent_place


def _starts(places: AgentPlaces, open_jobs: contextlib.ExitStack, owner: str, jobs: int) -> int:
    """Start jobs that call an agent and go on. Return how many of them have found a place."""
    found = 0
    for _ in range(jobs):
        # The next job is another job, although it starts inside the block of this one.
        open_jobs.enter_context(places.of_job(owner))
        with contextlib.suppress(NoAgentPlace):
            take_agent_place()
            found += 1
    return found


def test_two_owners_leave_places_to_others() -> None:
    places = AgentPlaces()

    with contextlib.ExitStack() as jobs:
        people = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
        found = [_starts(places, jobs, owner, 10) for owner in people]
    with contextlib.ExitStack() as jobs:
        found_after_their_end = _starts(places, jobs, "alice", 10)

    assert found == [8, 4, 1, 1, 1, 1, 0]
    assert found_after_their_end == 8


def test_a_job_keeps_its_place_for_all_of_its_calls() -> None:
    places = AgentPlaces()

    with places.of_job("alice"):
        for _ in range(20):
            take_agent_place()


def test_a_job_that_calls_no_agent_needs_no_place() -> None:
    places = AgentPlaces()

    with contextlib.ExitStack() as jobs:
        for _ in range(100):
            jobs.enter_context(places.of_job("alice"))
        take_agent_place()


def test_a_job_without_a_place_runs_again_after_some_seconds() -> None:
    places = AgentPlaces()

    with contextlib.ExitStack() as jobs:
        _starts(places, jobs, "alice", 8)
        with places.of_job("alice"), pytest.raises(NoAgentPlace) as caught:
            take_agent_place()

    assert 1 <= (caught.value.retry_after_seconds or 0) <= 4
