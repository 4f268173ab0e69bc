"""A task's strings, for tests and the demo: what its agent says and does, and what befalls it."""

from collections.abc import Callable
from functools import partial

from taskwire_sandbox.coder.agentapi import AgentApi
from taskwire_sandbox.coder.calls import Deployment
from taskwire_sandbox.coder.derived import current_state, task_status
from taskwire_sandbox.coder.rows import Agent, Build, Message, Task
from taskwire_sandbox.coder.steps import fitting
from taskwire_sandbox.coder.terminal import dressed

STATES = ("working", "idle", "complete", "failed")
NOTICED_SECONDS = 40.0
PARTS = ("status", "messages", "message", "message_after_typing", "message_unlogged")


class PuppetTask:
    """One task, from behind the curtain. Every call first lets happen what is due."""

    def __init__(self, deployment: Deployment, task: Task) -> None:
        self._deployment = deployment
        self._world = deployment.world
        self.row = task

    @property
    def id(self) -> str:
        """Return its id."""
        return self.row.id

    @property
    def name(self) -> str:
        """Return its name."""
        return self.row.name

    @property
    def status(self) -> str:
        """Return Coder's status of it."""
        self._world.agenda.catch_up()
        return task_status(self.row)

    @property
    def state(self) -> str | None:
        """Return the agent's state as the list shows it."""
        found = current_state(self.row, self.status)
        return found.state if found else None

    @property
    def prompt(self) -> str:
        """Return the prompt as it is now."""
        return self.row.prompt

    @property
    def is_deleted(self) -> bool:
        """Say whether it is gone."""
        return self.row.is_deleted

    @property
    def inputs(self) -> list[str]:
        """Return what was sent to the agent, in the order in which it arrived; over all restarts."""
        self._world.agenda.catch_up()
        return list(self.row.inputs)

    @property
    def log(self) -> list[Message]:
        """Return the running agent's conversation."""
        return self._program().messages

    @property
    def builds(self) -> list[Build]:
        """Return the workspace's builds, the oldest first."""
        self._world.agenda.catch_up()
        return self.row.workspace.builds

    @property
    def is_stable(self) -> bool:
        """Say whether the agent would take an input now."""
        return self._program().status == "stable"

    @property
    def program(self) -> AgentApi | None:
        """Return what runs in the workspace, if anything does."""
        self._world.agenda.catch_up()
        return self._deployment.builds.program_of(self.row)

    @property
    def agent_token(self) -> str:
        """Return the token with which the present build's agent speaks to Coder."""
        return self._agent().token

    def becomes(self, state: str, message: str = "", uri: str = "") -> None:
        """Report a state now; complete and failed are followed by idle two seconds later, as in life."""
        if state not in STATES:
            raise ValueError(f"a task's state is one of {', '.join(STATES)}, not {state!r}")
        program = self._program()
        program.tells(state, fitting(message), uri)
        if state == "working":
            program.works()
        elif state == "idle":
            program.settles()
        else:
            program.stops_working()

    def says(self, text: str, *, is_dressed: bool = False) -> None:
        """Let the agent's present message grow by a paragraph; dressed, it looks as a terminal prints it."""
        program = self._program()
        was_stable = program.status == "stable"
        program.prints(dressed(text, program.columns) if is_dressed else text)
        self._rest_if(program, was_stable=was_stable)

    def rewrites(self, text: str) -> None:
        """Replace the agent's present message under its id."""
        program = self._program()
        was_stable = program.status == "stable"
        program.rewrites(text)
        self._rest_if(program, was_stable=was_stable)

    def status_is(self, status: str) -> None:
        """Force Coder's status, by the app, the agent or the build that it comes from."""
        self._world.agenda.catch_up()
        ways: dict[str, Callable[[], None]] = {
            "active": self._is_well,
            "error": lambda: self._app_is("unhealthy"),
            "initializing": lambda: self._lifecycle_is("starting"),
            "unknown": lambda: self._lifecycle_is("shutting_down"),
            "pending": lambda: self._job_is("pending"),
            "paused": self._is_stopped,
        }
        if status not in ways:
            raise ValueError(f"a task's status is one of {', '.join(ways)}, not {status!r}")
        ways[status]()
        self._world.touch(self.row.workspace)

    def build_fails(self, error: str = "no space left on device") -> None:
        """Let the latest build have failed."""
        self._world.agenda.catch_up()
        self._deployment.builds.break_latest(self.row.workspace, error)

    def hears(self, text: str) -> None:
        """Take an input that somebody types in Coder's own pages."""
        self._program().post_message(text)

    def pads_what_it_hears(self) -> None:
        """Let inputs stand in the log as the terminal shows them, and not as they were sent."""
        self._program().pads_inputs = True

    def loses_its_log(self) -> None:
        """Let the program's conversation be empty."""
        self._program().messages.clear()

    def begins_anew(self) -> None:
        """End the agent's program and start it again within the same build; it counts from 0."""
        program = self._program()
        self._deployment.builds.restart(self.row, program.agent)

    def crashes(self) -> None:
        """End the agent's program; its app becomes unhealthy."""
        self._program()
        self._deployment.builds.crash(self.row.workspace)

    def pause_by_timeout(self) -> None:
        """Stop the workspace because nobody used it; what is due is done at once."""
        self._stop("task_auto_pause", "idle timeout")

    def pause(self) -> None:
        """Pause it as somebody does in Coder's own pages."""
        self._stop("task_manual_pause", "manual")

    def resume(self) -> None:
        """Resume it as somebody does in Coder's own pages."""
        self._world.agenda.catch_up()
        self._deployment.builds.add(self.row.workspace, "start", "task_resume", self.row.owner)
        self._deployment.notices.about_build("Task Resumed", self.row)
        self._world.agenda.catch_up()

    def deleted_elsewhere(self) -> None:
        """Delete the workspace, and with it the task, as somebody does in Coder's own pages."""
        self._world.agenda.catch_up()
        self._deployment.builds.add(self.row.workspace, "delete", "initiator", self.row.owner)
        self._world.drop_task(self.row)
        self._world.agenda.catch_up()

    def agent_is_unreachable(self) -> None:
        """Cut the agent off: the task stays active, and calls into it fail with 502 after half a minute.

        Coder notices within a minute; then the agent's health says so.
        """
        self._connection_is(is_up=False)

    def agent_is_reachable(self) -> None:
        """Connect the agent again."""
        self._connection_is(is_up=True)

    def agentapi_fails(self, part: str, times: int = 1) -> None:
        """Let the program inside fail at one of its parts.

        `message_after_typing` and `message_unlogged` fail though the agent has the words; after the latter
        they become no entry of the log, and only the screen has moved.
        """
        if part not in PARTS:
            raise ValueError(f"the program inside has no part {part!r}")
        self._program().troubles[part] = times

    def _stop(self, reason: str, why: str) -> None:
        self._world.agenda.catch_up()
        self._deployment.builds.add(self.row.workspace, "stop", reason, self.row.owner)
        self._deployment.notices.about_build("Task Paused", self.row, why)
        self._world.agenda.catch_up()

    def _program(self) -> AgentApi:
        program = self.program
        if program is None:
            raise LookupError(f"{self.name} has no running agent; it is {task_status(self.row)}")
        return program

    def _agent(self) -> Agent:
        self._world.agenda.catch_up()
        agent = self.row.workspace.latest.agent
        if agent is None:
            raise LookupError(f"{self.name} has no agent; it is {task_status(self.row)}")
        return agent

    def _rest_if(self, program: AgentApi, *, was_stable: bool) -> None:
        if was_stable:
            program.settles()

    def _is_well(self) -> None:
        self._job_is("succeeded")
        self._app_is("healthy")
        self._lifecycle_is("ready")

    def _is_stopped(self) -> None:
        if not self.row.workspace.latest.is_running and self.row.workspace.latest.transition != "stop":
            self.pause()

    def _app_is(self, health: str) -> None:
        self._agent().app.health = health

    def _lifecycle_is(self, lifecycle: str) -> None:
        self._agent().lifecycle = lifecycle

    def _job_is(self, status: str) -> None:
        self.row.workspace.latest.job_status = status

    def _connection_is(self, *, is_up: bool) -> None:
        agent = self._agent()
        agent.is_reachable = is_up
        if is_up:
            self._is_noticed(agent)
        else:
            self._world.agenda.book(NOTICED_SECONDS, partial(self._is_noticed, agent))

    def _is_noticed(self, agent: Agent) -> None:
        agent.disconnected_at = None if agent.is_reachable else self._world.agenda.now()
        self._world.touch(self.row.workspace)
