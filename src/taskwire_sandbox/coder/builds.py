"""Builds: how workspaces start, stop and are deleted over time, and the programs that run in them."""

from collections.abc import Callable
from functools import partial

from taskwire_sandbox.coder.agentapi import AgentApi
from taskwire_sandbox.coder.reports import Reports, choose_snapshot_messages
from taskwire_sandbox.coder.rows import Agent, App, Build, LogLine, Message, Task, User, Workspace
from taskwire_sandbox.coder.script_parts import FIRST_PULL_REQUEST
from taskwire_sandbox.coder.script_runner import ScriptRunner
from taskwire_sandbox.coder.steps import BuildPlan, Script
from taskwire_sandbox.coder.wire import Refusal
from taskwire_sandbox.coder.world import World

BUILD_IS_ACTIVE = "A workspace build is already active."


class Builds:
    """Runs builds, and the programs of the workspaces that have started."""

    def __init__(self, world: World, reports: Reports) -> None:
        self._world = world
        self._reports = reports
        self.programs: dict[str, AgentApi] = {}
        self._histories: dict[str, list[Message]] = {}
        self._pull_requests: dict[str, int] = {}

    def add(
        self,
        workspace: Workspace,
        transition: str,
        reason: str,
        initiator: User,
        preset_id: str | None = None,
    ) -> Build:
        """Queue a build. Raise Refusal while another build of the workspace is running."""
        world = self._world
        if workspace.builds and workspace.latest.is_running:
            raise Refusal(409, BUILD_IS_ACTIVE, BUILD_IS_ACTIVE)
        version = workspace.latest.version if workspace.builds else workspace.template.active
        build = Build(
            id=world.ids.new_uuid(),
            job_id=world.ids.new_uuid(),
            number=len(workspace.builds) + 1,
            transition=transition,
            reason=reason,
            initiator=initiator,
            version=version,
            created_at=world.schedule.next_timestamp(),
            preset_id=preset_id or (workspace.latest.preset_id if workspace.builds else None),
        )
        workspace.builds.append(build)
        world.builds[build.id] = (build, workspace)
        self._mark_changed(workspace)
        self._schedule_step(self.plan_of(workspace).queue, build, workspace, self._begin)
        return build

    def plan_of(self, workspace: Workspace) -> BuildPlan:
        """Return the plan for this workspace's builds.

        The plan comes from the workspace's script. If the script has no plan, it comes from the template.
        """
        return self.script_of(workspace).plan or workspace.template.plan

    def script_of(self, workspace: Workspace) -> Script:
        """Return the script of the agent in this workspace."""
        task = self._world.tasks_by_workspace.get(workspace.id)
        return workspace.template.script(task.prompt if task else "")

    def program_of(self, task: Task) -> AgentApi | None:
        """Return the running program of a task; None if no program runs."""
        return self.programs.get(task.workspace.id)

    def crash(self, workspace: Workspace) -> None:
        """End the agent's program. The app becomes unhealthy."""
        self._end_program(workspace)
        workspace.app.health = "unhealthy"
        self._mark_changed(workspace)

    def restart(self, task: Task, agent: Agent) -> None:
        """Restart the agent's program. The history of the program is lost."""
        self._end_program(task.workspace)
        self._histories.pop(task.workspace.id, None)
        self._run_program(task, agent, is_resumed=True)

    def fail_latest(self, workspace: Workspace, error: str) -> None:
        """Mark the latest build as failed, whatever state the build has."""
        self._fail(workspace.latest, workspace, error)

    def _begin(self, build: Build, workspace: Workspace) -> None:
        build.job_status, build.started_at = "running", self._world.schedule.next_timestamp()
        plan = self.plan_of(workspace)
        self._log(build, "info", "Setting up", "", source="provisioner_daemon")
        if build.transition == "start":
            self._log(build, "info", "Planning infrastructure", "Terraform 1.14.1")
            for line in plan.build_log:
                self._log(build, "info", "Starting workspace", line)
            self._schedule_step(plan.provision, build, workspace, self._finish_provisioning)
        else:
            self._shut_down(workspace)
            seconds = plan.stop if build.transition == "stop" else plan.delete
            self._schedule_step(seconds, build, workspace, self._finish_teardown)
        self._mark_changed(workspace)

    def _finish_provisioning(self, build: Build, workspace: Workspace) -> None:
        plan = self.plan_of(workspace)
        starts = sum(1 for each in workspace.builds if each.transition == "start")
        if plan.error and starts <= plan.broken_builds:
            self._fail(build, workspace, plan.error)
            return
        self._log(
            build, "info", "Starting workspace", "Apply complete! Resources: 3 added, 0 changed, 0 destroyed."
        )
        self._forget_agents(workspace)
        build.agent = self._new_agent(workspace, plan)
        self._finish(build, workspace)
        self._schedule_step(plan.connect, build, workspace, self._connect_agent)

    def _forget_agents(self, workspace: Workspace) -> None:
        """Delete the agents of earlier builds.

        Requests no longer find these agents, and their tokens stop working.
        """
        for build in workspace.builds:
            if build.agent is not None:
                build.agent.is_deleted = True

    def _new_agent(self, workspace: Workspace, plan: BuildPlan) -> Agent:
        world = self._world
        if plan.recreates_app and len(workspace.builds) > 1:
            workspace.app = App(world.ids.new_uuid())
        workspace.app.health = "initializing" if plan.has_health_check else "disabled"
        new = world.ids.new_uuid
        agent = Agent(new(), new(), new(), workspace.app, world.schedule.next_timestamp())
        world.agents[agent.id] = (agent, workspace)
        world.agent_tokens[agent.token] = agent
        return agent

    def _connect_agent(self, build: Build, workspace: Workspace) -> None:
        agent = _agent_of(build)
        agent.lifecycle = "starting"
        agent.connected_at = agent.started_at = self._world.schedule.next_timestamp()
        self._agent_log(agent, "info", "Running startup script")
        self._mark_changed(workspace)
        self._schedule_step(self.plan_of(workspace).start, build, workspace, self._finish_startup)

    def _finish_startup(self, build: Build, workspace: Workspace) -> None:
        plan, agent = self.plan_of(workspace), _agent_of(build)
        agent.ready_at = self._world.schedule.next_timestamp()
        agent.lifecycle = "start_error" if plan.start_script_fails else "ready"
        if plan.start_script_fails:
            self._agent_log(agent, "error", "startup script exited with status 1")
        if plan.flicker:
            agent.app.health = "unhealthy"
        self._mark_changed(workspace)
        self._schedule_step(plan.app + plan.flicker, build, workspace, self._start_app)

    def _start_app(self, build: Build, workspace: Workspace) -> None:
        agent = _agent_of(build)
        if agent.app.health != "disabled":
            agent.app.health = "healthy"
        self._mark_changed(workspace)
        task = self._world.tasks_by_workspace.get(workspace.id)
        if task is not None and not task.is_deleted:
            self._run_program(task, agent, is_resumed=build.number > 1)

    def _run_program(self, task: Task, agent: Agent, *, is_resumed: bool) -> None:
        world, workspace = self._world, task.workspace
        report = partial(self._reports.add, workspace, agent)
        program = AgentApi(world, task, agent, report)
        template = workspace.template
        program.is_silent = template.is_silent or (is_resumed and template.is_silent_after_resume)
        self.programs[workspace.id] = program
        script = self.script_of(workspace)
        number = self._pull_requests.setdefault(workspace.id, FIRST_PULL_REQUEST + len(self._pull_requests))
        runner = ScriptRunner(world.schedule, program, script, partial(self.crash, workspace), number)
        program.open(self._histories.get(workspace.id, []) if template.keeps_history else [])
        is_new = task.prompt != task.typed_prompt
        if task.prompt and is_new:
            task.typed_prompt = task.prompt
            program.type_prompt(task.prompt)
        runner.run(script.steps if is_new else script.on_resume)

    def _shut_down(self, workspace: Workspace) -> None:
        agent = self._running_agent(workspace)
        if agent is not None:
            agent.lifecycle = "shutting_down"
        program = self._end_program(workspace)
        task = self._world.tasks_by_workspace.get(workspace.id)
        if program is None or task is None or task.is_deleted or not program.agent.is_reachable:
            return
        self._histories[workspace.id] = program.messages
        self._reports.store_snapshot(task, choose_snapshot_messages(program.messages))

    def _finish_teardown(self, build: Build, workspace: Workspace) -> None:
        plan = self.plan_of(workspace)
        error = plan.stop_error if build.transition == "stop" else plan.delete_error
        if error:
            self._fail(build, workspace, error)
            return
        agent = self._running_agent(workspace)
        if agent is not None:
            agent.lifecycle, agent.disconnected_at = "off", self._world.schedule.next_timestamp()
        self._forget_agents(workspace)
        self._finish(build, workspace)
        if build.transition == "delete":
            self._world.delete_workspace(workspace)

    def _finish(self, build: Build, workspace: Workspace) -> None:
        self._log(build, "info", "Cleaning Up", "", source="provisioner_daemon")
        build.job_status, build.completed_at = "succeeded", self._world.schedule.next_timestamp()
        self._mark_changed(workspace)

    def _fail(self, build: Build, workspace: Workspace, error: str) -> None:
        self._log(build, "error", "Starting workspace", f"Error: {error}\n\n  on main.tf line 42")
        build.job_status, build.completed_at = "failed", self._world.schedule.next_timestamp()
        build.error = f"terraform apply: exit status 1: {error}"
        self._mark_changed(workspace)

    def _end_program(self, workspace: Workspace) -> AgentApi | None:
        program = self.programs.pop(workspace.id, None)
        if program is not None:
            program.end()
        return program

    def _running_agent(self, workspace: Workspace) -> Agent | None:
        return next((build.agent for build in reversed(workspace.builds) if build.agent is not None), None)

    def _mark_changed(self, workspace: Workspace) -> None:
        workspace.updated_at = max(workspace.updated_at, self._world.schedule.now())
        self._world.touch(workspace)

    def _schedule_step(
        self, seconds: float, build: Build, workspace: Workspace, step: Callable[[Build, Workspace], None]
    ) -> None:
        def go_on() -> None:
            if workspace.builds and workspace.latest is build and not workspace.is_deleted:
                step(build, workspace)

        self._world.schedule.add(seconds, go_on)

    def _log(self, build: Build, level: str, stage: str, output: str, source: str = "provisioner") -> None:
        stamp = self._world.schedule.next_timestamp()
        build.logs.append(LogLine(self._world.next_row(), stamp, level, stage, output, source))

    def _agent_log(self, agent: Agent, level: str, output: str) -> None:
        agent.logs.append(
            LogLine(self._world.next_row(), self._world.schedule.next_timestamp(), level, "", output)
        )


def _agent_of(build: Build) -> Agent:
    if build.agent is None:
        raise LookupError(f"build {build.number} has no agent yet")
    return build.agent
