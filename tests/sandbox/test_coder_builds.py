"""The workspaces of the Coder stand-in: builds with every result, their logs, and changes that are made
outside the tasks' API."""

from collections.abc import AsyncIterator

import pytest

from taskwire_sandbox.coder.steps import BuildPlan
from tests.sandbox.coder_people import TASKS, Scene, scene


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice."""
    async with scene() as found:
        yield found


async def test_a_startup_script_that_fails_leaves_the_task_active(stage: Scene) -> None:
    """If a startup script fails, the task is active. Only the agent's lifecycle, health and log show the
    failure."""
    stage.sandbox.template.plan = BuildPlan(start_script_fails=True)
    task = stage.sandbox.add_task("alice", "Do it")

    shown = await stage.alice.task(task.id)
    lines = await stage.alice.asks("GET", f"/api/v2/workspaceagents/{shown['workspace_agent_id']}/logs")

    assert (shown["status"], shown["workspace_agent_lifecycle"]) == ("active", "start_error")
    assert shown["workspace_agent_health"]["healthy"] is False
    assert lines.json[-1]["level"] == "error"


async def test_an_app_without_a_health_check_is_active_at_once(stage: Scene) -> None:
    """An app without a health check counts as healthy as soon as its agent is ready."""
    stage.sandbox.template.plan = BuildPlan(app=60, has_health_check=False)
    task = stage.sandbox.add_task("alice", "Do it")

    assert task.status == "active"


async def test_a_build_may_make_another_app(stage: Scene) -> None:
    """A build can make a new app instead of the old one. The new app has a new id and an empty history."""
    stage.sandbox.template.plan = BuildPlan(recreates_app=True)
    task = stage.sandbox.add_task("alice", "Do it")
    before = task.row.workspace.app.id
    task.becomes("complete", "Done")
    task.pause()
    task.resume()

    shown = await stage.alice.task(task.id)

    assert shown["workspace_app_id"] != before
    assert [status.state for status in task.row.workspace.app.statuses] == ["idle"]


async def test_a_stop_that_fails_is_an_error(stage: Scene) -> None:
    """If the workspace cannot be stopped, the task is in error and can be resumed."""
    stage.sandbox.template.plan = BuildPlan(stop_error="provider is away")
    task = stage.sandbox.add_task("alice", "Do it")
    task.pause()
    broken = task.status

    reply = await stage.alice.asks("POST", f"{TASKS}/me/{task.id}/resume")

    assert (broken, reply.status, task.status) == ("error", 202, "active")


async def test_a_deletion_that_fails_keeps_the_name(stage: Scene) -> None:
    """If a deletion fails, the task is gone immediately, but its workspace remains and the name stays
    taken."""
    stage.sandbox.template.plan = BuildPlan(delete_error="provider is away")
    task = stage.sandbox.add_task("alice", "Do it", name="it")
    await stage.alice.asks("DELETE", f"{TASKS}/me/{task.id}")
    body = {"template_version_id": stage.sandbox.template.active.id, "input": "x", "name": "it"}

    found = await stage.alice.asks("GET", f"{TASKS}/me/it")
    made = await stage.alice.asks("POST", f"{TASKS}/me", body)

    assert (found.status, made.status) == (404, 409)


async def test_a_workspace_deleted_elsewhere_takes_its_task_along(stage: Scene) -> None:
    """If somebody deletes a workspace in the dashboard, its task and agent are gone. The workspace says that
    it was deleted."""
    task = stage.sandbox.add_task("alice", "Do it")
    shown = await stage.alice.task(task.id)
    task.delete()

    replies = [
        await stage.alice.asks("GET", path)
        for path in (
            f"{TASKS}/me/{task.id}",
            f"/api/v2/workspaceagents/{shown['workspace_agent_id']}",
            f"/api/v2/workspaces/{shown['workspace_id']}",
        )
    ]
    kept = await stage.alice.asks(
        "GET", f"/api/v2/workspaces/{shown['workspace_id']}", query={"include_deleted": "true"}
    )

    assert [reply.status for reply in replies] == [404, 404, 410]
    assert kept.json["latest_build"]["status"] == "deleted"


async def test_the_dashboard_builds_too(stage: Scene) -> None:
    """If somebody stops a workspace by the workspace's own route, its task is paused. The reason of the build
    names the dashboard."""
    task = stage.sandbox.add_task("alice", "Do it")
    path = f"/api/v2/workspaces/{task.row.workspace.id}/builds"

    wrong = await stage.alice.asks("POST", path, {"transition": "pause"})
    made = await stage.alice.asks("POST", path, {"transition": "stop", "reason": "dashboard"})
    listed = await stage.alice.asks("GET", path)

    assert wrong.json["message"] == "Validation failed."
    assert made.status == 201
    assert task.status == "paused"
    assert [(build["build_number"], build["reason"]) for build in listed.json] == [
        (2, "dashboard"),
        (1, "initiator"),
    ]


async def test_a_log_is_read_from_a_line_on(stage: Scene) -> None:
    """A client can read a build's log from a given line on, or as plain text."""
    stage.sandbox.template.plan = BuildPlan(build_log=("first", "second"))
    task = stage.sandbox.add_task("alice", "Do it")
    path = f"/api/v2/workspacebuilds/{task.builds[0].id}/logs"

    everything = (await stage.alice.asks("GET", path)).json
    rest = (await stage.alice.asks("GET", path, query={"after": str(everything[-2]["id"])})).json
    plain = await stage.alice.asks("GET", path, query={"format": "text"})
    wrong = await stage.alice.asks("GET", path, query={"after": "x"})

    assert [line["output"] for line in everything][:4] == [
        "",
        "Terraform 1.14.1",
        "first",
        "second",
    ]
    assert rest == everything[-1:]
    assert "[Starting workspace] second\n" in plain.text
    assert wrong.status == 400


async def test_a_lost_agent_leaves_no_snapshot(stage: Scene) -> None:
    """If an agent is unreachable when its workspace stops, there is no snapshot of its log."""
    task = stage.sandbox.add_task("alice", "Do it")
    task.agent_is_unreachable()
    task.pause()

    reply = await stage.alice.asks("GET", f"{TASKS}/me/{task.id}/logs")

    assert reply.json == {"logs": [], "snapshot": True}
