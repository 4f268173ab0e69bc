"""Whole stories of the client and the stand-in for Coder, with calls that fail midway."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from taskwire.coder import errors, lists, models
from taskwire.coder.client import CoderClient, CoderTimeouts
from taskwire.coder.models import TaskState, TaskStatus, WorkspaceStatus
from taskwire.domain.errors import NotDone, OutcomeUnknown, OutsideError
from taskwire.domain.text.agent_text import AgentText
from taskwire.transport import ConnectionCut, NoAnswer, Unreachable
from taskwire_sandbox.coder import CoderSandbox, SandboxTask, Settings, SteppedClock, faults
from taskwire_sandbox.coder.rows import Template
from taskwire_sandbox.coder.steps import BuildPlan


@dataclass
class Deployment:
    """A stand-in for Coder with one person, and a client with the token of the service account."""

    coder: CoderSandbox
    client: CoderClient
    template: Template

    def starting(self, name: str) -> SandboxTask:
        """Create a task of Alice whose first build is queued. Return the stand-in's task."""
        return self.coder.add_task("alice", "Fix the login", name=name, template=self.template)

    async def running(self) -> SandboxTask:
        """Create a task of Alice, and wait until its agent waits for input. Return the stand-in's task."""
        task = self.starting("fix-login")
        await self.coder.advance(300)
        assert (task.status, task.is_stable) == ("active", True)
        return task


@contextlib.asynccontextmanager
async def deployed(settings: Settings | None = None) -> AsyncIterator[Deployment]:
    """Run a Coder whose clock moves only on request. At the end, check that no unknown route was called."""
    async with CoderSandbox(clock=SteppedClock(), settings=settings) as coder:
        coder.add_user("alice", email="Alice@Example.com")
        slow = BuildPlan(queue=5, provision=20, connect=5, start=10, app=5, stop=10, build_log=("Plan",))
        template = coder.add_template("slow", plan=slow)
        short = CoderTimeouts(send=2.0)
        async with CoderClient.open(coder.url, coder.admin_token, timeouts=short) as client:
            yield Deployment(coder, client, template)
        assert coder.violations == []


@pytest.fixture
async def here() -> AsyncIterator[Deployment]:
    """Return a deployment with one person."""
    async with deployed() as deployment:
        yield deployment


async def test_a_task_is_created_for_its_owner_and_found_again(here: Deployment) -> None:
    """The client creates a task for Alice, and finds it by id, by owner and name, and in the list."""
    [template] = [each for each in await here.client.list_templates() if each.name == "slow"]
    made = await here.client.create_task("alice", template.active_version_id, AgentText("Fix it"), "fix-it")

    by_id = await here.client.get_task(made.id)
    by_name = await here.client.get_task("alice/FIX-IT")
    listed = lists.split_list(await here.client.list_tasks_raw())

    assert (made.status, made.workspace_status) == (TaskStatus.INITIALIZING, WorkspaceStatus.PENDING)
    assert (made.owner_name, made.initial_prompt, made.workspace_app_id) == ("alice", "Fix it", None)
    assert [task.id for task in (by_id, by_name, *map(models.parse_task, listed))] == [made.id] * 3


async def test_a_second_task_of_the_same_name_is_refused(here: Deployment) -> None:
    """Coder refuses to create a second task with the same name and owner. Taskwire can therefore safely
    repeat a call to create a task if the outcome of the first call is unknown."""
    version = here.template.active.id
    await here.client.create_task("alice", version, AgentText("Fix it"), "fix-it")

    with pytest.raises(errors.NameTaken) as caught:
        await here.client.create_task("alice", version, AgentText("Fix it"), "fix-it")

    assert caught.value.answer.validations[0].field == "name"


async def test_what_coder_complains_of_is_kept(here: Deployment) -> None:
    """If the name is too long, or the template version or the owner is unknown, Coder refuses to create the
    task. The client's error keeps Coder's reason."""
    version = here.template.active.id

    with pytest.raises(errors.BadRequest) as caught:
        await here.client.create_task("alice", version, AgentText("Fix it"), "x" * 33)
    with pytest.raises(errors.BadRequest):
        await here.client.create_task("alice", here.coder.admin.id, AgentText("Fix it"), "fix-it")
    with pytest.raises(errors.NotFound):
        await here.client.create_task("nobody", version, AgentText("Fix it"), "fix-it")

    assert caught.value.answer.message == "Unable to create a Task with the provided name."
    assert "must be <= 32 characters" in str(caught.value)


async def test_input_reaches_the_agent_and_its_log(here: Deployment) -> None:
    """The agent gets exactly the bytes that the client sent, and the agent's log has them."""
    task = await here.running()

    await here.client.send(task.id, AgentText("Use <b> & 'quotes'\nand lines"))

    assert task.inputs[-1:] == ["Use <b> & 'quotes'\nand lines"]
    logs = await here.client.get_logs(task.id)
    assert not logs.snapshot
    assert [entry.content for entry in logs.logs if entry.is_input][-1] == "Use <b> & 'quotes'\nand lines"


async def test_input_that_comes_too_early_or_too_late_is_refused_by_its_reason(here: Deployment) -> None:
    """If the task is starting, busy, paused or broken, Coder refuses input. The type of the client's error
    tells which of these it is."""
    starting = here.starting("another")
    with pytest.raises(errors.NotReady):
        await here.client.send(starting.id, AgentText("words"))
    task = await here.running()
    task.becomes("working")
    with pytest.raises(errors.NotReady):
        await here.client.send(task.id, AgentText("words"))
    task.status_is("error")
    with pytest.raises(errors.MustBeActive):
        await here.client.send(task.id, AgentText("words"))
    task.pause()
    await here.coder.advance(60)
    with pytest.raises(errors.TaskPaused):
        await here.client.send(task.id, AgentText("words"))
    assert "words" not in task.inputs


async def test_a_task_is_paused_edited_and_resumed(here: Deployment) -> None:
    """The client pauses, edits and resumes a task. Coder refuses each of these calls if the task's state does
    not allow it."""
    task = await here.running()
    with pytest.raises(errors.MustBePaused):
        await here.client.edit_input(task.id, AgentText("Other"))
    with pytest.raises(errors.AlreadyRunning):
        await here.client.resume(task.id)

    stopping = await here.client.pause(task.id)
    with pytest.raises(errors.BuildActive):
        await here.client.resume(task.id)
    await here.coder.advance(300)
    await here.client.edit_input(task.id, AgentText("Other"))
    snapshot = await here.client.get_logs(task.id)
    starting = await here.client.resume(task.id)

    assert (stopping.transition, starting.transition) == ("stop", "start")
    assert starting.build_number == stopping.build_number + 1
    assert snapshot.snapshot
    assert task.prompt == "Other"


async def test_a_deleted_task_is_gone(here: Deployment) -> None:
    """While a build runs, Coder refuses to delete the task. After the build, a delete makes the task
    disappear immediately."""
    fresh = here.starting("another")
    with pytest.raises(errors.BuildActive):
        await here.client.delete_task(fresh.id)
    task = await here.running()

    await here.client.delete_task(task.id)

    assert task.is_deleted
    with pytest.raises(errors.NotFound):
        await here.client.get_task(task.id)


async def test_the_agents_whole_history_can_be_read(here: Deployment) -> None:
    """If an agent reports `complete`, its history keeps this state. The list of tasks shows the state for
    only two seconds."""
    task = await here.running()
    task.becomes("working", "Reading")
    task.becomes("complete", "Opened PR", "https://example.com/a/b/pull/1")
    await here.coder.advance(10)

    seen = await here.client.get_task(task.id)
    reports = await here.client.list_reports(seen.workspace_agent_id or "", seen.workspace_app_id or "")

    assert seen.current_state is not None
    assert seen.current_state.state is TaskState.IDLE
    assert [report.state for report in reports][-3:] == [
        TaskState.WORKING,
        TaskState.COMPLETE,
        TaskState.IDLE,
    ]
    assert reports[-1].created_at == seen.current_state.timestamp


async def test_a_failed_build_can_be_explained(here: Deployment) -> None:
    """If a build fails, the client can read the job's error and the build's log, which say why."""
    task = await here.running()
    task.build_fails("Error: no space left on device")
    seen = await here.client.get_task(task.id)

    workspace = await here.client.get_workspace(seen.workspace_id or "")
    lines = await here.client.list_build_logs(workspace.latest_build.id)

    assert seen.status == "error"
    assert (
        workspace.latest_build.job.error == "terraform apply: exit status 1: Error: no space left on device"
    )
    assert lines
    with pytest.raises(errors.NoLogs):
        await here.client.get_logs(task.id)


async def test_accounts_are_known_by_their_token(here: Deployment) -> None:
    """A client with Bob's token finds Bob's account and the token's expiry. It cannot see Alice's task. If
    Bob is suspended, Coder refuses his token."""
    task = await here.running()
    bob = here.coder.add_user("bob")
    token = here.coder.add_token("bob", lifetime=timedelta(days=2))
    async with CoderClient.open(here.coder.url, token) as as_bob:
        me = await as_bob.get_own_user()
        end = await as_bob.find_token_expiry()
        found = await here.client.list_users_by_email("alice@example.com")

        assert (me.id, me.is_owner, (await here.client.get_own_user()).is_owner) == (bob.id, False, True)
        assert end is not None
        assert timedelta(days=1) < end - here.coder.clock.now() < timedelta(days=3)
        assert [user.username for user in found] == ["alice"]
        assert lists.split_list(await as_bob.list_tasks_raw()) == []
        with pytest.raises(errors.NotFound):
            await as_bob.get_task(task.id)
        here.coder.suspend("bob")
        with pytest.raises(errors.TokenRefused):
            await as_bob.get_own_user()


async def test_a_server_without_tasks_is_recognised() -> None:
    """If Coder has no route for tasks, the client raises `TasksNotSupported`. The client can still read
    Coder's version."""
    async with deployed(Settings(tasks_enabled=False)) as here:
        assert (await here.client.get_build_info()).version.startswith("v2.")
        with pytest.raises(errors.TasksNotSupported):
            await here.client.list_tasks_raw()


@pytest.mark.parametrize(
    ("fault", "kind", "arrived"),
    [
        (faults.refused(), ConnectionCut, 0),
        (faults.cut_after(), ConnectionCut, 1),
        (faults.hang(), NoAnswer, 0),
        (faults.nonsense(), errors.UnexpectedCoderAnswer, 1),
        (faults.error_after(), errors.ServerTrouble, 1),
        (faults.server_error(), errors.ServerTrouble, 0),
        (faults.too_many(), errors.CoderRateLimited, 0),
        (faults.bad_gateway(), errors.AppUnreachable, 0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_input_is_sent_once_whatever_breaks(
    here: Deployment, fault: faults.Fault, kind: type[OutsideError], arrived: int
) -> None:
    """The client sends input only once, whatever fails. If the input reached the agent, the client never
    reports it as not sent."""
    task = await here.running()
    here.coder.plan_fault("tasks.send", fault, times=None)

    with pytest.raises(kind) as caught:
        await here.client.send(task.id, AgentText("words"))

    assert len([seen for seen in here.coder.requests if seen.route == "tasks.send"]) == 1
    assert task.inputs.count("words") == arrived
    assert not (arrived and isinstance(caught.value, NotDone))


async def test_an_agent_that_fails_while_typing_leaves_it_unknown(here: Deployment) -> None:
    """If the agent fails while it types the input, the outcome is unknown. Coder's answer does not tell
    whether the agent has typed all of it."""
    task = await here.running()
    task.agentapi_fails("message_after_typing")
    with pytest.raises(errors.RejectedByApp) as typed:
        await here.client.send(task.id, AgentText("words"))
    await here.coder.advance(60)
    task.agentapi_fails("status")
    with pytest.raises(errors.AppUnreachable):
        await here.client.send(task.id, AgentText("more"))
    task.agent_is_unreachable()
    count = len(here.coder.requests)
    sending = asyncio.create_task(here.client.send(task.id, AgentText("more")))
    await here.coder.until(
        "it is asked", lambda: len(here.coder.requests) > count and here.coder.requests[-1].has_executed
    )
    await here.coder.advance(30)
    with pytest.raises(errors.AppUnreachable):
        await sending

    assert isinstance(typed.value, OutcomeUnknown)
    assert (task.inputs.count("words"), task.inputs.count("more")) == (1, 0)


async def test_a_coder_that_is_away_has_done_nothing(here: Deployment) -> None:
    """If Coder is down, a call raises `Unreachable` and changes nothing. This is true both for a new
    connection and for one that is still open from an earlier call."""
    task = await here.running()
    await here.client.get_own_user()

    async with here.coder.outage():
        for _ in range(2):
            with pytest.raises(OutsideError) as caught:
                await here.client.pause(task.id)

    assert type(caught.value) is Unreachable
    assert len(task.builds) == 1
