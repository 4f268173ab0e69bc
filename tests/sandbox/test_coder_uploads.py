"""What agents send to the Coder stand-in: snapshots of their log, and reports."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from taskwire_sandbox.coder import SandboxTask
from tests.sandbox.coder_people import TASKS, Scene, scene

MESSAGE = {"id": 4, "role": "agent", "content": "Done.", "time": "2026-06-17T16:00:00Z"}


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice."""
    async with scene() as found:
        yield found


async def upload(
    stage: Scene, task: SandboxTask, body: object = None, **options: Any
) -> tuple[int, str, str]:
    """Upload a snapshot with the agent's own token and return the answer."""
    path = f"/api/v2/workspaceagents/me/tasks/{options.pop('task_id', task.id)}/log-snapshot"
    query = options.pop("query", {"format": "agentapi"})
    agent = stage.with_key(task.agent_token)
    reply = await agent.asks("POST", path, body, query=query, **options)
    return (reply.status, "", "") if not reply.text else reply.said


async def test_an_uploaded_snapshot_is_what_a_paused_task_shows(stage: Scene) -> None:
    """If an agent uploads a snapshot, the paused task shows the uploaded messages unchanged."""
    task = stage.sandbox.add_task("alice", "Do it")

    said = await upload(stage, task, {"messages": [MESSAGE]})
    task.status_is("initializing")
    logs = (await stage.alice.asks("GET", f"{TASKS}/me/{task.id}/logs")).json

    assert said == (204, "", "")
    assert logs["snapshot"] is True
    assert logs["logs"] == [{"id": 4, "content": "Done.", "type": "output", "time": "2026-06-17T16:00:00Z"}]


async def test_a_wrong_upload_is_refused(stage: Scene) -> None:
    """If an agent uploads a wrong snapshot, it is refused with the reason."""
    task = stage.sandbox.add_task("alice", "Do it")
    other = stage.sandbox.add_task("alice", "Do that")
    body = {"messages": [MESSAGE]}

    said = [
        await upload(stage, task, body, task_id="nonsense"),
        await upload(stage, task, body, query={}),
        await upload(stage, task, body, query={"format": "acp"}),
        await upload(stage, task, body, task_id=other.id),
        await upload(stage, task, raw=b"{"),
        await upload(stage, task, {"messages": [{**MESSAGE, "content": "x" * 65536}]}),
        await upload(stage, task, {}),
    ]

    assert [each[:2] for each in said] == [
        (400, "Invalid task ID format."),
        (400, "Invalid query parameters."),
        (400, "Invalid format parameter."),
        (404, "Resource not found or you do not have access to this resource"),
        (400, "Failed to decode request payload."),
        (400, "Failed to decode request payload."),
        (400, "Invalid agentapi payload structure."),
    ]
    assert said[-1][2] == 'Missing required "messages" field.'


async def test_a_person_is_no_agent(stage: Scene) -> None:
    """A person's key cannot upload a snapshot, and an agent's token cannot read tasks."""
    task = stage.sandbox.add_task("alice", "Do it")
    path = f"/api/v2/workspaceagents/me/tasks/{task.id}/log-snapshot"

    as_person = await stage.alice.asks("POST", path, {"messages": []}, query={"format": "agentapi"})
    as_agent = await stage.with_key(task.agent_token).asks("GET", TASKS)

    assert (as_person.status, as_agent.status) == (401, 401)


async def test_a_report_over_http_is_a_report(stage: Scene) -> None:
    """If an agent sends a report over HTTP, the task shows the report immediately. If the report's message
    has more than 160 bytes, the report is refused."""
    task = stage.sandbox.add_task("alice", "Do it")
    agent = stage.with_key(task.agent_token)
    path = "/api/v2/workspaceagents/me/app-status"
    body = {"app_slug": "ccw", "state": "complete", "message": "Opened \x1b[1mPR\x1b[0m", "uri": "u"}

    taken = await agent.asks("PATCH", path, body)
    too_long = await agent.asks("PATCH", path, {**body, "message": "é" * 81})

    assert taken.status == 200
    assert (await stage.alice.task(task.id))["current_state"]["message"] == "Opened PR"
    assert too_long.said[:2] == (400, "Message is too long.")


async def test_nobody_can_puppeteer_what_coder_would_refuse(stage: Scene) -> None:
    """If a test asks the stand-in for something that Coder would refuse, the stand-in refuses it too.
    Examples are a long message, and an unknown state, status or task."""
    task = stage.sandbox.add_task("alice", "Do it")

    with pytest.raises(ValueError, match="Message is too long"):
        task.becomes("working", "x" * 161)
    with pytest.raises(ValueError, match="state is one of"):
        task.becomes("done")
    with pytest.raises(ValueError, match="status is one of"):
        task.status_is("stopped")
    with pytest.raises(LookupError, match="0 tasks are called 'nothing'"):
        stage.sandbox.task("nothing")
