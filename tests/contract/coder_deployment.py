"""A deployment of the Coder stand-in with one object of every kind, and a task in any state."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from taskwire_sandbox.coder.rows import ExternalAuth, Parameter
from tests.sandbox.coder_people import Reply, Scene, scene

STATES = ("fresh", "working", "paused", "broken")
# A task whose workspace has stopped or failed has no agent, and no log to read.
REFUSED: Mapping[tuple[str, str], int] = {
    ("broken", "/api/v2/tasks/{user}/{task}/logs"): 409,
    ("paused", "/api/v2/workspaceagents/{workspaceagent}"): 404,
    ("broken", "/api/v2/workspaceagents/{workspaceagent}"): 404,
    ("paused", "/api/v2/workspaceagents/{workspaceagent}/logs"): 404,
    ("broken", "/api/v2/workspaceagents/{workspaceagent}/logs"): 404,
}


@asynccontextmanager
async def open_deployment() -> AsyncIterator[Scene]:
    """Run a Coder stand-in with Alice and a template `full`, which has a preset, a parameter and an external
    login."""
    async with scene() as found:
        sandbox = found.sandbox
        sandbox.add_template(
            "full",
            presets=[sandbox.new_preset("Europe", {"region": "eu"}, is_default=True)],
            parameters=[Parameter("region", default="us")],
            external_auth=[ExternalAuth("gh", "GitHub")],
        )
        yield found


def add_task(deployment: Scene, state: str) -> None:
    """Add Alice's task `it`, and bring it into `state`: "working", "paused" or "broken". Any other word
    leaves the new task as it is."""
    task = deployment.sandbox.add_task("alice", "Do <it> & more", name="it")
    deployment.sandbox.share("it", "admin", "use")
    if state == "working":
        task.becomes("failed", "No access", "https://example.com/1")
        task.says("Something")
    elif state == "paused":
        task.pause()
    elif state == "broken":
        task.pause()
        task.resume()
        task.build_fails()


def fill_path(deployment: Scene, path: str) -> str:
    """Return a path from the table of routes, with its parameters replaced by ids and names of this
    deployment."""
    sandbox = deployment.sandbox
    full = next(each for each in sandbox.world.templates.values() if each.name == "full")
    values = {
        "user": "alice",
        "organization": "coder",
        "templatename": "full",
        "templateversion": full.active.id,
        "keyid": deployment.alice.token.partition("-")[0],
        "task": "it",
    }
    if "{workspace" in path:
        workspace = sandbox.task("it").row.workspace
        running = next(build for build in workspace.builds if build.agent is not None)
        values |= {"workspace": workspace.id, "workspacebuild": running.id}
        values |= {"workspaceagent": running.agent.id if running.agent else ""}
    return path.format_map(values)


async def send_request(deployment: Scene, method: str, path: str, body: object = None) -> Reply:
    """Send a request to a path, with Alice's token. Return the stand-in's answer."""
    return await deployment.alice.asks(method, fill_path(deployment, path), body)
