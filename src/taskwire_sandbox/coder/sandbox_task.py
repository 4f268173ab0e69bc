"""The controls of one task, for tests and the demo: they change the task's agent, workspace and builds."""

from collections.abc import Callable
from functools import partial

from taskwire_sandbox.coder.agentapi import AgentApi
from taskwire_sandbox.coder.calls import Deployment
from taskwire_sandbox.coder.derived import current_state, task_status
from taskwire_sandbox.coder.rows import Agent, Build, Message, Task
from taskwire_sandbox.coder.steps import check_report_text
from taskwire_sandbox.coder.terminal import as_terminal_text

STATES = ("working", "idle", "complete", "failed")
# Seconds until Coder notices that an agent has lost its connection. In Coder it is less than a minute.
DISCONNECT_SECONDS = 40.0
FAILING_PARTS = ("status", "messages", "message", "message_after_typing", "message_unlogged")


class SandboxTask:
    """One task that a test reads and changes without Coder's API.

    Most methods first run the scheduled actions that are due.
    """

    def __init__(self, deployment: Deployment, task: Task) -> None:
        self._deployment = deployment
        self._world = deployment.world
        self.row = task

    @property
    def id(self) -> str:
        """Return the task's id."""
        return self.row.id

    @property
    def name(self) -> str:
        """Return the task's name."""
        return self.row.name

    @property
    def status(self) -> str:
        """Return the task's status, as Coder derives it from the build, the agent and the app."""
        self._world.schedule.catch_up()
        return task_status(self.row)

    @property
    def state(self) -> str | None:
        """Return the agent's state as the task list shows it; None if the list shows no state."""
        found = current_state(self.row, self.status)
        return found.state if found else None

    @property
    def prompt(self) -> str:
        """Return the task's present prompt."""
        return self.row.prompt

    @property
    def is_deleted(self) -> bool:
        """Return whether the task is deleted."""
        return self.row.is_deleted

    @property
    def inputs(self) -> list[str]:
        """Return all inputs that have reached the agent, in the order of their arrival.

        The inputs survive restarts of the agent.
        """
        self._world.schedule.catch_up()
        return list(self.row.inputs)

    @property
    def log(self) -> list[Message]:
        """Return the conversation of the running agent."""
        return self._program().messages

    @property
    def builds(self) -> list[Build]:
        """Return the workspace's builds, the oldest first."""
        self._world.schedule.catch_up()
        return self.row.workspace.builds

    @property
    def is_stable(self) -> bool:
        """Return whether the agent accepts an input now."""
        return self._program().status == "stable"

    @property
    def program(self) -> AgentApi | None:
        """Return the program that runs in the workspace; None if no program runs."""
        self._world.schedule.catch_up()
        return self._deployment.builds.program_of(self.row)

    @property
    def agent_token(self) -> str:
        """Return the token with which the latest build's agent authenticates to Coder."""
        return self._agent().token

    def becomes(self, state: str, message: str = "", uri: str = "") -> None:
        """Let the agent report a state now.

        If the state is `complete` or `failed`, the agent reports `idle` two seconds later, as real agents do.
        """
        if state not in STATES:
            raise ValueError(f"a task's state is one of {', '.join(STATES)}, not {state!r}")
        program = self._program()
        program.force_report(state, check_report_text(message), uri)
        if state == "working":
            program.start_working()
        elif state == "idle":
            program.become_stable()
        else:
            program.stop_working()

    def says(self, text: str, *, has_terminal_format: bool = False) -> None:
        """Append a paragraph to the agent's present message.

        With `has_terminal_format`, the paragraph is formatted as a terminal prints it.
        """
        program = self._program()
        was_stable = program.status == "stable"
        program.append_text(as_terminal_text(text, program.columns) if has_terminal_format else text)
        self._restore_stable(program, was_stable=was_stable)

    def rewrites(self, text: str) -> None:
        """Replace the text of the agent's present message. The message keeps its id."""
        program = self._program()
        was_stable = program.status == "stable"
        program.replace_text(text)
        self._restore_stable(program, was_stable=was_stable)

    def status_is(self, status: str) -> None:
        """Force a status of the task.

        Change the row from which Coder derives this status: the app, the agent or the build.
        """
        self._world.schedule.catch_up()
        ways: dict[str, Callable[[], None]] = {
            "active": self._make_healthy,
            "error": lambda: self._set_app_health("unhealthy"),
            "initializing": lambda: self._set_lifecycle("starting"),
            "unknown": lambda: self._set_lifecycle("shutting_down"),
            "pending": lambda: self._set_job_status("pending"),
            "paused": self._make_paused,
        }
        if status not in ways:
            raise ValueError(f"a task's status is one of {', '.join(ways)}, not {status!r}")
        ways[status]()
        self._world.touch(self.row.workspace)

    def build_fails(self, error: str = "no space left on device") -> None:
        """Mark the latest build as failed."""
        self._world.schedule.catch_up()
        self._deployment.builds.fail_latest(self.row.workspace, error)

    def hears(self, text: str) -> None:
        """Send an input to the agent, as if a person had sent it on Coder's own pages."""
        self._program().post_message(text)

    def pads_what_it_hears(self) -> None:
        """Make the log show inputs as the terminal pads them, and not as they were sent."""
        self._program().pads_inputs = True

    def loses_its_log(self) -> None:
        """Delete all messages from the conversation of the agent's program."""
        self._program().messages.clear()

    def begins_anew(self) -> None:
        """Restart the agent's program within the present build. The message ids start again at 0."""
        program = self._program()
        self._deployment.builds.restart(self.row, program.agent)

    def crashes(self) -> None:
        """End the agent's program. The program's app becomes unhealthy."""
        self._program()
        self._deployment.builds.crash(self.row.workspace)

    def pause_by_timeout(self) -> None:
        """Pause the task as Coder does when nobody uses the workspace. Run due actions at once."""
        self._stop("task_auto_pause", "idle timeout")

    def pause(self) -> None:
        """Pause the task as a person does on Coder's own pages."""
        self._stop("task_manual_pause", "manual")

    def resume(self) -> None:
        """Resume the task as a person does on Coder's own pages."""
        self._world.schedule.catch_up()
        self._deployment.builds.add(self.row.workspace, "start", "task_resume", self.row.owner)
        self._deployment.notifications.queue_for_build("Task Resumed", self.row)
        self._world.schedule.catch_up()

    def delete(self) -> None:
        """Delete the workspace and its task as a person does on Coder's own pages."""
        self._world.schedule.catch_up()
        self._deployment.builds.add(self.row.workspace, "delete", "initiator", self.row.owner)
        self._world.delete_task(self.row)
        self._world.schedule.catch_up()

    def agent_is_unreachable(self) -> None:
        """Disconnect the agent. The task stays active, and calls to the agent fail with 502 after 30 seconds.

        Coder detects this within a minute. Then Coder reports the agent as unhealthy.
        """
        self._set_connection(is_connected=False)

    def agent_is_reachable(self) -> None:
        """Connect the agent again."""
        self._set_connection(is_connected=True)

    def agentapi_fails(self, part: str, times: int = 1) -> None:
        """Let one part of the agent's program fail `times` times.

        For the parts `message_after_typing` and `message_unlogged`, the agent gets the input although the
        call fails. For `message_unlogged`, the log also has no entry for the input; only the screen changes.
        """
        if part not in FAILING_PARTS:
            raise ValueError(f"the program inside has no part {part!r}")
        self._program().failures_left[part] = times

    def _stop(self, reason: str, why: str) -> None:
        self._world.schedule.catch_up()
        self._deployment.builds.add(self.row.workspace, "stop", reason, self.row.owner)
        self._deployment.notifications.queue_for_build("Task Paused", self.row, why)
        self._world.schedule.catch_up()

    def _program(self) -> AgentApi:
        program = self.program
        if program is None:
            raise LookupError(f"{self.name} has no running agent; it is {task_status(self.row)}")
        return program

    def _agent(self) -> Agent:
        self._world.schedule.catch_up()
        agent = self.row.workspace.latest.agent
        if agent is None:
            raise LookupError(f"{self.name} has no agent; it is {task_status(self.row)}")
        return agent

    def _restore_stable(self, program: AgentApi, *, was_stable: bool) -> None:
        if was_stable:
            program.become_stable()

    def _make_healthy(self) -> None:
        self._set_job_status("succeeded")
        self._set_app_health("healthy")
        self._set_lifecycle("ready")

    def _make_paused(self) -> None:
        if not self.row.workspace.latest.is_running and self.row.workspace.latest.transition != "stop":
            self.pause()

    def _set_app_health(self, health: str) -> None:
        self._agent().app.health = health

    def _set_lifecycle(self, lifecycle: str) -> None:
        self._agent().lifecycle = lifecycle

    def _set_job_status(self, status: str) -> None:
        self.row.workspace.latest.job_status = status

    def _set_connection(self, *, is_connected: bool) -> None:
        agent = self._agent()
        agent.is_reachable = is_connected
        if is_connected:
            self._update_connection(agent)
        else:
            self._world.schedule.add(DISCONNECT_SECONDS, partial(self._update_connection, agent))

    def _update_connection(self, agent: Agent) -> None:
        agent.disconnected_at = None if agent.is_reachable else self._world.schedule.now()
        self._world.touch(self.row.workspace)
