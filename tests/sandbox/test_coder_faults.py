"""The Coder stand-in's faults, its record of requests, and its downtime."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import (
    ClientConnectionError,
    ClientConnectorError,
    ClientError,
    ClientTimeout,
    ServerTimeoutError,
)

from taskwire_sandbox.coder import faults
from taskwire_sandbox.coder.server import RecordedRequest
from tests.sandbox.coder_people import TASKS, Reply, Scene, scene


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice."""
    async with scene() as found:
        yield found


async def create(stage: Scene) -> Reply:
    """Send a request to create a task with a fixed name. Return the answer."""
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "x", "name": "it"}
    return await stage.alice.asks("POST", f"{TASKS}/me", body)


@pytest.mark.parametrize(
    ("fault", "status", "message", "has_happened"),
    [
        (
            faults.too_many(retry_after=7),
            429,
            "You've been rate limited for sending more than 512 requests",
            False,
        ),
        (faults.server_error(), 500, "An internal server error occurred.", False),
        (faults.bad_gateway(), 502, "Failed to reach task app endpoint.", False),
        (faults.error_after(), 500, "An internal server error occurred.", True),
    ],
)
async def test_an_answer_can_be_wrong(
    stage: Scene, fault: faults.Fault, status: int, message: str, has_happened: bool
) -> None:
    """A test can plan an error for a call. The stand-in answers one call with this error, before or after the
    call takes effect.

    The next call is answered normally.
    """
    stage.sandbox.plan_fault("tasks.create", fault)

    first = await create(stage)
    happened = len(stage.sandbox.tasks) == 1
    second = await create(stage)

    assert first.status == status
    assert first.json["message"].startswith(message)
    assert first.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert happened == has_happened
    assert second.status == (409 if has_happened else 201)


@pytest.mark.parametrize(("fault", "has_happened"), [(faults.refused(), False), (faults.cut_after(), True)])
async def test_a_connection_can_be_cut(stage: Scene, fault: faults.Fault, has_happened: bool) -> None:
    """If a test plans a reset for a call, the client cannot know whether the call took effect. The stand-in
    knows it."""
    stage.sandbox.plan_fault("tasks.create", fault)

    with pytest.raises(ClientConnectionError):
        await create(stage)

    assert len(stage.sandbox.tasks) == has_happened
    assert stage.sandbox.requests[-1].has_executed == has_happened
    assert stage.sandbox.requests[-1].status is None


async def test_an_answer_can_be_nonsense(stage: Scene) -> None:
    """If a test plans a nonsense answer for a call, the call takes effect, but its answer is not JSON."""
    stage.sandbox.plan_fault("tasks.create", faults.nonsense(b"<html>"))

    assert (await create(stage)).text == "<html>"
    assert len(stage.sandbox.tasks) == 1


@pytest.mark.parametrize(("fault", "at_once"), [(faults.late(0.2), 0), (faults.late_after(0.2), 1)])
async def test_an_answer_can_be_late(stage: Scene, fault: faults.Fault, at_once: int) -> None:
    """If a test plans a delay for a call, the call takes effect before or after the delay."""
    stage.sandbox.plan_fault("tasks.create", fault)
    asking = asyncio.create_task(create(stage))
    await stage.sandbox.until(
        "the request has come so far",
        lambda: any(seen.body and seen.has_executed == at_once for seen in stage.sandbox.requests),
    )

    seen = len(stage.sandbox.tasks)
    reply = await asking

    assert (seen, reply.status, len(stage.sandbox.tasks)) == (at_once, 201, 1)


async def test_a_call_can_hang(stage: Scene) -> None:
    """If a test plans that a call gets no answer, the call has no effect. Its connection ends when the test
    clears the faults."""
    stage.sandbox.plan_fault("tasks.create", faults.hang(), times=None)
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "x"}
    url, headers = f"{stage.sandbox.url}{TASKS}/me", {"Coder-Session-Token": stage.alice.token}

    with pytest.raises((ServerTimeoutError, TimeoutError)):
        await stage.session.post(url, json=body, headers=headers, timeout=ClientTimeout(total=0.1))
    hanging = asyncio.create_task(create(stage))
    await stage.sandbox.until(
        "both requests hang", lambda: [bool(seen.body) for seen in stage.sandbox.requests] == [True, True]
    )
    stage.sandbox.clear_faults()
    with pytest.raises(ClientError):
        await hanging

    assert stage.sandbox.tasks == []
    assert (await create(stage)).status == 201


async def test_a_planned_fault_skips_calls_and_has_a_probability(stage: Scene) -> None:
    """A fault can skip calls, last for several calls, match several routes, and depend on a seeded chance."""
    later = stage.sandbox.plan_fault("tasks.*", faults.server_error(), times=2, skips=1)
    first = [(await stage.alice.asks("GET", TASKS)).status for _ in range(4)]
    rolls = []
    for _ in range(2):
        stage.sandbox.plan_fault("tasks.list", faults.server_error(), times=None, probability=0.5, seed=3)
        rolls.append([(await stage.alice.asks("GET", TASKS)).status for _ in range(12)])
        stage.sandbox.clear_faults()

    assert first == [200, 500, 500, 200]
    assert later.hits == 2
    assert rolls[0] == rolls[1]
    assert set(rolls[0]) == {200, 500}


async def test_it_can_be_away(stage: Scene) -> None:
    """During an outage, the stand-in refuses connections. Afterwards it has the same URL as before."""
    async with stage.sandbox.outage():
        with pytest.raises(ClientConnectorError):
            await stage.alice.asks("GET", TASKS)

    assert (await stage.alice.asks("GET", TASKS)).status == 200


async def test_every_request_is_remembered(stage: Scene) -> None:
    """The stand-in records the sender and the result of each request. A test can set a hook, a function that
    runs before each request takes effect, and again afterwards."""
    moments: list[tuple[str, str, int]] = []

    async def hook(seen: RecordedRequest, moment: str) -> None:
        moments.append((seen.route, moment, len(stage.sandbox.world.tasks)))

    stage.sandbox.on_request = hook
    await create(stage)
    await stage.with_key("").asks("GET", TASKS)

    assert moments == [
        ("tasks.create", "before", 0),
        ("tasks.create", "after", 1),
        ("tasks.list", "before", 1),
        ("tasks.list", "after", 1),
    ]
    assert [
        (seen.route, seen.method, seen.path, seen.user, seen.status) for seen in stage.sandbox.requests
    ] == [
        ("tasks.create", "POST", f"{TASKS}/me", "alice", 201),
        ("tasks.list", "GET", TASKS, "", 401),
    ]


async def test_a_storm_and_a_long_list_are_carried(stage: Scene) -> None:
    """The stand-in handles three hundred concurrent requests to create a task, and a list of ten thousand
    tasks."""
    body = {"template_version_id": stage.sandbox.template.active.id}
    replies = await asyncio.gather(
        *(stage.alice.asks("POST", f"{TASKS}/me", {**body, "input": f"Task {n}"}) for n in range(300))
    )
    stage.sandbox.add_tasks(9700, "alice")
    listing = await stage.alice.asks("GET", TASKS)
    again = await stage.alice.asks("GET", TASKS)

    assert {reply.status for reply in replies} == {201}
    assert len({reply.json["id"] for reply in replies}) == 300
    assert listing.json["count"] == 10_000
    assert again.text == listing.text
