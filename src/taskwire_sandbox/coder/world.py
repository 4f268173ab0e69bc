"""All rows and settings of one deployment. Every change of a task goes through `World.touch`."""

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from taskwire_sandbox.coder.access import Rules
from taskwire_sandbox.coder.clock import Clock, Schedule
from taskwire_sandbox.coder.ids import Ids, as_uuid
from taskwire_sandbox.coder.oauth_rows import OAuthProvider
from taskwire_sandbox.coder.rows import (
    Agent,
    Build,
    Organization,
    Task,
    Template,
    Token,
    User,
    Version,
    Workspace,
)

# How many violations are stored. Older violations are dropped.
MOST_VIOLATIONS = 1000
# Ids of log lines start after this number, which is arbitrary.
FIRST_ROW = 4711


@dataclass(slots=True)
class Settings:
    """The settings that the deployment's operator chose."""

    version: str = "v2.34.1+8ab3f1c"
    access_url: str = ""
    tasks_enabled: bool = True
    rules: Rules = field(default_factory=Rules)
    requests_per_minute: int = 512
    max_lifetime_days: int = 36500
    max_admin_lifetime_days: int = 7
    default_lifetime_days: int = 7
    reports_become_working: bool = False  # as on servers before February 2026
    requires_external_auth: bool = False  # as on servers after 2.34
    lacks_agent_license: bool = False


class World:
    """All rows of one deployment. This class has no HTTP code and never waits."""

    def __init__(self, clock: Clock, seed: int, settings: Settings) -> None:
        self.clock = clock
        # This id is not drawn from the seed: two deployments with one seed must have different ids.
        self.deployment_id = str(uuid.uuid4())
        self.schedule = Schedule(clock)
        self.schedule.on_error = self.record_violation
        self.ids = Ids(seed)
        self.settings = settings
        self.violations: deque[str] = deque(maxlen=MOST_VIOLATIONS)
        self.cached_lists: dict[tuple[str, ...], bytes] = {}
        self.organizations: dict[str, Organization] = {}
        self.users: dict[str, User] = {}
        self.tokens: dict[str, Token] = {}
        self.oauth = OAuthProvider()
        self.templates: dict[str, Template] = {}
        self.versions: dict[str, Version] = {}
        self.workspaces: dict[str, Workspace] = {}
        self.builds: dict[str, tuple[Build, Workspace]] = {}
        self.agents: dict[str, tuple[Agent, Workspace]] = {}
        self.agent_tokens: dict[str, Agent] = {}
        self.tasks: dict[str, Task] = {}
        self.tasks_by_workspace: dict[str, Task] = {}
        self.arrivals = 0
        self._rows = FIRST_ROW
        self.on_change: Callable[[Workspace], None] = lambda _workspace: None
        self._users_by_name: dict[str, User] = {}
        self._tasks_by_name: dict[tuple[str, str], Task] = {}
        self._workspaces_by_name: dict[tuple[str, str], Workspace] = {}

    def next_row(self) -> int:
        """Return the id for a new log line. All logs of the deployment share one sequence of ids."""
        self._rows += 1
        return self._rows

    def record_violation(self, text: str) -> None:
        """Record a violation.

        A violation is a request that the real Coder does not know, or a bug of the stand-in.
        """
        self.violations.append(text)

    def touch(self, workspace: Workspace) -> None:
        """Record that the workspace and its task have changed. Drop their cached answers."""
        task = self.tasks_by_workspace.get(workspace.id)
        if task is not None:
            task.cached = None
        self.cached_lists.clear()
        self.on_change(workspace)

    def add_user(self, user: User) -> None:
        """Add a user."""
        self.users[user.id] = user
        self._users_by_name[user.username.lower()] = user

    def add_task(self, task: Task) -> None:
        """Add a task and its workspace."""
        workspace = task.workspace
        self.tasks[task.id] = task
        self.tasks_by_workspace[workspace.id] = task
        self._tasks_by_name[task.owner.id, task.name.lower()] = task
        self.add_workspace(workspace)

    def add_workspace(self, workspace: Workspace) -> None:
        """Add a workspace."""
        self.workspaces[workspace.id] = workspace
        self._workspaces_by_name[workspace.owner.id, workspace.name.lower()] = workspace
        self.cached_lists.clear()

    def delete_task(self, task: Task) -> None:
        """Delete a task as Coder does: the row stays, but no request finds it."""
        if task.is_deleted:
            return
        task.is_deleted, task.snapshot = True, None
        del self.tasks[task.id]
        del self._tasks_by_name[task.owner.id, task.name.lower()]
        self.cached_lists.clear()
        self.on_change(task.workspace)

    def delete_workspace(self, workspace: Workspace) -> None:
        """Delete a workspace and its task."""
        workspace.is_deleted = True
        self._workspaces_by_name.pop((workspace.owner.id, workspace.name.lower()), None)
        task = self.tasks_by_workspace.get(workspace.id)
        if task is not None:
            self.delete_task(task)

    def find_user(self, name: str) -> User | None:
        """Return the user with this id or username; None if there is none. As in Coder, an e-mail address
        finds no user."""
        known = as_uuid(name)
        return self.users.get(known) if known else self._users_by_name.get(name.lower())

    def find_task(self, owner: User, name: str) -> Task | None:
        """Return the owner's task with this name; None if there is none."""
        return self._tasks_by_name.get((owner.id, name.lower()))

    def find_workspace(self, owner: User, name: str) -> Workspace | None:
        """Return the owner's workspace with this name; None if there is none."""
        return self._workspaces_by_name.get((owner.id, name.lower()))

    def find_organization(self, name: str) -> Organization | None:
        """Return the organization with this id or name; None if there is none.

        The name `default` finds the default organization.
        """
        known = as_uuid(name)
        if known:
            return self.organizations.get(known)
        candidates = self.organizations.values()
        return next(
            (o for o in candidates if o.name == name.lower() or (name == "default" and o.is_default)), None
        )

    def newest_tasks(self) -> Iterator[Task]:
        """Return the tasks in the order of Coder's list: the newest first."""
        return iter(sorted(self.tasks.values(), key=lambda task: task.created_at, reverse=True))
