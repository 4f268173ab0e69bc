"""Coder's tables as plain rows. `derived` makes derived values; `shapes` and `build_shapes` make the JSON."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from taskwire_sandbox.coder.steps import INSTANT, BuildPlan, Script, quiet
from taskwire_sandbox.coder.terminal import REGISTRY_COLUMNS

SITE_ROLES = {
    "owner": "Owner",
    "auditor": "Auditor",
    "template-admin": "Template Admin",
    "user-admin": "User Admin",
}
ORGANIZATION_ROLES = {
    "organization-admin": "Organization Admin",
    "organization-auditor": "Organization Auditor",
    "organization-template-admin": "Organization Template Admin",
    "organization-user-admin": "Organization User Admin",
    "organization-workspace-creation-ban": "Organization Workspace Creation Ban",
}


@dataclass(slots=True, eq=False)
class Organization:
    """A tenant of the deployment. One organization is the default."""

    id: str
    name: str
    display_name: str
    is_default: bool
    created_at: datetime


@dataclass(slots=True, eq=False)
class User:
    """A person or a service account. The keys of `org_roles` are the user's organizations."""

    id: str
    username: str
    email: str
    name: str
    created_at: datetime
    status: str = "active"
    avatar_url: str = ""
    roles: set[str] = field(default_factory=set)
    org_roles: dict[str, set[str]] = field(default_factory=dict)
    github_id: int = 0
    linked: set[str] = field(default_factory=set)
    disabled_notices: dict[str, bool] = field(default_factory=dict)
    preferences_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Token:
    """An API key. Clients send `key`. After the key's creation, Coder shows only `id`."""

    id: str
    secret: str
    user: User
    name: str
    created_at: datetime
    expires_at: datetime
    lifetime_seconds: int
    scopes: tuple[str, ...]
    login_type: str = "token"

    @property
    def key(self) -> str:
        """Return the value of the session token header."""
        return f"{self.id}-{self.secret}"


@dataclass(slots=True, eq=False)
class Preset:
    """Named parameter values of a template version."""

    id: str
    name: str
    parameters: dict[str, str]
    is_default: bool = False
    description: str = ""
    icon: str = ""


@dataclass(slots=True, eq=False)
class Parameter:
    """A rich parameter of a template. A required parameter without a default needs a preset."""

    name: str
    default: str = ""
    is_required: bool = False
    description: str = ""


@dataclass(slots=True, eq=False)
class ExternalAuth:
    """An external account that a template needs."""

    id: str
    display_name: str
    kind: str = "github"
    is_optional: bool = False


@dataclass(slots=True, eq=False)
class Version:
    """One version of a template. A task is created from a version."""

    id: str
    template: "Template"
    name: str
    created_at: datetime
    has_ai_task: bool = True
    is_archived: bool = False
    presets: list[Preset] = field(default_factory=list)
    parameters: list[Parameter] = field(default_factory=list)
    external_auth: list[ExternalAuth] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Template:
    """A template: which people may see and use it, and how its agents behave."""

    id: str
    name: str
    display_name: str
    organization: Organization
    created_by: User
    created_at: datetime
    description: str = ""
    icon: str = "/icon/docker.png"
    deprecation: str = ""
    versions: list[Version] = field(default_factory=list)
    readable_by: set[str] | None = None
    usable_by: set[str] | None = None
    plan: BuildPlan = INSTANT
    script: Callable[[str], Script] = quiet
    keeps_history: bool = False
    is_silent: bool = False
    is_silent_after_resume: bool = False
    log_offset_minutes: int = 0
    columns: int = REGISTRY_COLUMNS
    reports_work_after_the_end: bool = False

    @property
    def active(self) -> Version:
        """Return the version that new workspaces get."""
        return self.versions[-1]


@dataclass(slots=True, eq=False)
class AppStatus:
    """One report by an agent or by the watcher of the agent's screen."""

    id: str
    created_at: datetime
    state: str
    message: str
    uri: str
    app_id: str
    agent_id: str


@dataclass(slots=True, eq=False)
class App:
    """The workspace's app for the agent. `statuses` are all reports to this app, the oldest first."""

    id: str
    health: str = "initializing"
    statuses: list[AppStatus] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class LogLine:
    """A line of a build's or an agent's log."""

    id: int
    created_at: datetime
    level: str
    stage: str
    output: str
    source: str = "provisioner"


@dataclass(slots=True, eq=False)
class Agent:
    """The workspace agent of one build."""

    id: str
    token: str
    editor_id: str
    app: App
    created_at: datetime
    lifecycle: str = "created"
    is_reachable: bool = True
    is_deleted: bool = False
    connected_at: datetime | None = None
    started_at: datetime | None = None
    ready_at: datetime | None = None
    disconnected_at: datetime | None = None
    logs: list[LogLine] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Build:
    """One start, stop or delete of a workspace."""

    id: str
    job_id: str
    number: int
    transition: str
    reason: str
    initiator: User
    version: Version
    created_at: datetime
    preset_id: str | None = None
    job_status: str = "pending"
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: str = ""
    agent: Agent | None = None
    logs: list[LogLine] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        """Return whether the build's job is pending, running or being canceled."""
        return self.job_status in ("pending", "running", "canceling")


@dataclass(slots=True, eq=False)
class Snapshot:
    """The last messages of an agent. The agent uploads them when its workspace stops."""

    format: str
    messages: "list[Message]"
    created_at: datetime


@dataclass(slots=True, eq=False)
class Message:
    """An entry of the agent's conversation. The id of the entry is its index in the list."""

    id: int
    role: str
    content: str
    time: datetime
    nanoseconds: int = 0


@dataclass(slots=True, eq=False)
class Workspace:
    """The workspace that a task runs in."""

    id: str
    name: str
    owner: User
    template: Template
    created_at: datetime
    updated_at: datetime
    app: App
    builds: list[Build] = field(default_factory=list)
    user_acl: dict[str, str] = field(default_factory=dict)
    latest_status: AppStatus | None = None
    is_deleted: bool = False

    @property
    def organization(self) -> Organization:
        """Return the workspace's organization, which is that of its template."""
        return self.template.organization

    @property
    def latest(self) -> Build:
        """Return the build with the highest number."""
        return self.builds[-1]


@dataclass(slots=True, eq=False)
class Task:
    """A task. `cached` has the task's status and JSON until the task changes."""

    id: str
    name: str
    display_name: str
    owner: User
    version: Version
    workspace: Workspace
    prompt: str
    created_at: datetime
    is_deleted: bool = False
    snapshot: Snapshot | None = None
    typed_prompt: str | None = None
    inputs: list[str] = field(default_factory=list)
    cached: tuple[str, bytes] | None = None
    arrivals: int = -1  # requests that had arrived when one created this task; -1: none created it
