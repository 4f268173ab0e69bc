"""Coder's answers as typed values. Parsing is tolerant, so an older or newer Coder server breaks nothing.

Fields have Coder's own names. A value such as a status is kept as Coder sent it (`raw_status`), beside the
enum member that it means (`status`). A value that Taskwire does not know means `OTHER`. Times are aware and
UTC. This module makes no calls. Only `client` decides what the HTTP status of an answer means.
"""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Self, TypeVar

import msgspec
from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from taskwire.coder.errors import UnexpectedCoderAnswer
from taskwire.domain.lifecycle.phases import is_agent_lost

M = TypeVar("M", bound=BaseModel)


def _to_utc(value: datetime) -> datetime:
    """Convert a time to UTC. A time without a zone counts as UTC, as does year 1, Go's zero time."""
    if value.tzinfo is None or value.year == 1:
        return value.replace(tzinfo=UTC)
    return value.astimezone(UTC)


def _parse_nullable_id(value: object) -> object:
    """Return an optional id as a string or None.

    Coder sends a string or null. Coder's documentation shows an object instead, which is accepted too.
    """
    if isinstance(value, Mapping):
        return value.get("uuid") if value.get("valid") else None
    return value or None


def _null_as_empty(value: object) -> object:
    """Return an empty list for null, and any other value unchanged: Go sends an empty slice as null."""
    return [] if value is None else value


# Coder escapes these characters before it stores a report, because reports are meant for web pages.
_ESCAPES = re.compile(r"&(?:amp|lt|gt|#34|#39|#13);")


def _unescape(value: str) -> str:
    """Unescape an agent's text exactly once, because Coder escapes every text exactly once.

    Coder also escapes a text that looks escaped already.
    """
    return _ESCAPES.sub(lambda found: html.unescape(found[0]), value)


Unescaped = Annotated[str, AfterValidator(_unescape)]
# Pydantic accepts 0 to 9 digits after the decimal point of the seconds, and cuts to microseconds.
Time = Annotated[datetime, AfterValidator(_to_utc)]
NullableId = Annotated[str | None, BeforeValidator(_parse_nullable_id)]
ListOrNull = BeforeValidator(_null_as_empty)


class _TolerantEnum(StrEnum):
    """An enum of Coder's values. Its last member stands for every value that Taskwire does not know."""

    @classmethod
    def _missing_(cls, _value: object) -> Self:
        return list(cls)[-1]


class TaskStatus(_TolerantEnum):
    """The status of a task, as Coder decides it."""

    PENDING = "pending"
    INITIALIZING = "initializing"
    ACTIVE = "active"
    PAUSED = "paused"
    ERROR = "error"
    UNKNOWN = "unknown"
    OTHER = "<other>"


class TaskState(_TolerantEnum):
    """The state of a task, as its agent reports it."""

    WORKING = "working"
    IDLE = "idle"
    COMPLETE = "complete"
    FAILED = "failed"
    OTHER = "<other>"


class WorkspaceStatus(_TolerantEnum):
    """The status of a workspace, which follows from its latest build."""

    PENDING = "pending"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"
    CANCELING = "canceling"
    CANCELED = "canceled"
    DELETING = "deleting"
    DELETED = "deleted"
    OTHER = "<other>"


# The agent's history and older task lists say `failure`. A struct tag in Coder's source says `completed`.
_STATE_SPELLINGS = {"failure": "failed", "completed": "complete"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class BuildInfo(_Model):
    """The server's version and identity. `deployment_id` stays the same if the address changes."""

    version: str
    deployment_id: str = ""


class Role(_Model):
    """A role of a user. The role `owner` without an organization is valid for the whole site."""

    name: str
    organization_id: str = ""


class User(_Model):
    """A Coder account."""

    id: str
    username: str
    email: str = ""
    status: str = ""
    roles: Annotated[tuple[Role, ...], ListOrNull] = ()
    organization_ids: Annotated[tuple[str, ...], ListOrNull] = ()

    @property
    def is_owner(self) -> bool:
        """Whether the account has the site's role Owner."""
        return any(role.name == "owner" and not role.organization_id for role in self.roles)


class AgentHealth(_Model):
    """Whether the workspace's agent is healthy, and if not, why."""

    healthy: bool
    reason: str = ""


class _Report(_Model):
    """The state, the text and the link of an agent's report about its work."""

    raw_state: str = Field(alias="state")
    message: Unescaped = ""
    uri: str = ""

    @property
    def state(self) -> TaskState:
        """The state for the value in `raw_state`."""
        return TaskState(_STATE_SPELLINGS.get(self.raw_state, self.raw_state))


class CurrentState(_Report):
    """The newest report of a task's agent."""

    timestamp: Time


class Task(_Model):
    """A task, as Coder's list and the task's own page show it."""

    id: Annotated[str, Field(min_length=1)]
    name: str
    display_name: str = ""
    owner_id: str = ""
    owner_name: str = ""
    template_name: str = ""
    template_display_name: str = ""
    workspace_id: NullableId = None
    raw_workspace_status: str = Field(default="", alias="workspace_status")
    workspace_build_number: int = 0
    workspace_agent_id: NullableId = None
    workspace_agent_lifecycle: str | None = None
    workspace_agent_health: AgentHealth | None = None
    workspace_app_id: NullableId = None
    initial_prompt: str = ""
    raw_status: str = Field(alias="status")
    current_state: CurrentState | None = None
    created_at: Time

    @property
    def status(self) -> TaskStatus:
        """The status for the value in `raw_status`."""
        return TaskStatus(self.raw_status)

    @property
    def is_script_failed(self) -> bool:
        """Whether the agent is unhealthy only because a startup script failed. Such an agent works."""
        health = self.workspace_agent_health
        if health is None or health.healthy or self.workspace_agent_lifecycle != "start_error":
            return False
        # If Coder has also lost the connection to the agent, Coder gives that as the reason instead.
        return not health.reason or "startup script" in health.reason

    @property
    def is_lost(self) -> bool:
        """Whether Coder has lost the agent, so that nothing can be sent to the agent or read from it."""
        health = self.workspace_agent_health
        return is_agent_lost(
            is_active=self.status is TaskStatus.ACTIVE,
            is_healthy=None if health is None else health.healthy,
            is_script_failed=self.is_script_failed,
        )

    @property
    def is_up(self) -> bool:
        """Whether the workspace runs or is starting."""
        return self.status in (TaskStatus.PENDING, TaskStatus.INITIALIZING, TaskStatus.ACTIVE)

    @property
    def workspace_status(self) -> WorkspaceStatus:
        """The status for the value in `raw_workspace_status`."""
        return WorkspaceStatus(self.raw_workspace_status)

    @property
    def title(self) -> str:
        """The task's name for people."""
        return self.display_name or self.name


class LogEntry(_Model):
    """One message in a task's log. Its text can still change while the agent works."""

    id: int
    content: str
    kind: str = Field(alias="type")
    time: Time = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def is_input(self) -> bool:
        """Whether a person wrote the message."""
        return self.kind == "input"


class TaskLogs(_Model):
    """A task's log. If `snapshot` is true, it has only the last messages before the pause."""

    logs: Annotated[tuple[LogEntry, ...], ListOrNull] = ()
    snapshot: bool = False
    snapshot_at: Time | None = None


class Template(_Model):
    """A template. Tasks are created from the version `active_version_id`."""

    id: str
    name: str
    display_name: str = ""
    description: str = ""
    organization_name: str = ""
    active_version_id: str

    @property
    def title(self) -> str:
        """The template's name for people."""
        return self.display_name or self.name


def _make_aliases(go: str) -> AliasChoices:
    """Return the two names under which a field is accepted.

    The server sends the field's name in Go. The documentation writes the name in lower case.
    """
    return AliasChoices(go, go.lower())


class Preset(_Model):
    """A named set of parameters of one template version."""

    id: str = Field(validation_alias=_make_aliases("ID"))
    name: str = Field(validation_alias=_make_aliases("Name"))
    is_default: bool = Field(default=False, validation_alias=_make_aliases("Default"))


class ProvisionerJob(_Model):
    """The provisioner's result for a build."""

    status: str = ""
    error: str = ""


class Build(_Model):
    """A build of a workspace: one start, stop or deletion. A pause and a resume each make a build."""

    id: str
    build_number: int = 0
    created_at: Time | None = None
    transition: str = ""
    reason: str = ""
    job: ProvisionerJob = ProvisionerJob()


class LatestAppStatus(_Model):
    """The agent that made the newest report, and the app that it used."""

    agent_id: str
    app_id: str


class Workspace(_Model):
    """A task's workspace and its latest build. `latest_app_status` names the agent of the newest report."""

    latest_build: Build
    latest_app_status: LatestAppStatus | None = None


class BuildLog(_Model):
    """One line of a build's log."""

    output: str = ""


class AgentReport(_Report):
    """One report of an agent. `id` never changes.

    Each start of the workspace makes a new agent, so `agent_id` says to which start the report belongs.
    """

    id: str
    agent_id: str = ""
    created_at: Time


class AgentApp(_Model):
    """An app of an agent. `statuses` has every report, newest first."""

    id: str
    statuses: Annotated[tuple[AgentReport, ...], ListOrNull] = ()


class Agent(_Model):
    """A workspace's agent."""

    apps: Annotated[tuple[AgentApp, ...], ListOrNull] = ()


class ApiKey(_Model):
    """Coder's record of a token, without the token itself."""

    id: str
    expires_at: Time
    scopes: Annotated[tuple[str, ...], ListOrNull] = ()
    token_name: str = ""


class NewKey(_Model):
    """A token that was just made. Coder shows it only once."""

    key: str = Field(repr=False, min_length=1)


class TokenConfig(_Model):
    """How long a token of this account may live, in nanoseconds."""

    max_token_lifetime: int


class UserPage(_Model):
    """One page of users, and the number of all users."""

    users: Annotated[tuple[User, ...], ListOrNull] = ()
    count: int = 0


class StartedBuild(_Model):
    """The answer to pause and resume."""

    workspace_build: Build


def parse(kind: type[M], body: bytes, operation: str) -> M:
    """Parse one value.

    Raises `UnexpectedCoderAnswer` if the value cannot be read. `operation` names the request in the error.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as exc:
        reason = _describe_error(exc)
    raise UnexpectedCoderAnswer(operation, reason)


def parse_list(kind: type[M], body: bytes, operation: str) -> tuple[M, ...]:
    """Parse an array; null counts as empty. Raises `UnexpectedCoderAnswer` if the array cannot be read."""
    try:
        items = msgspec.json.decode(body, type=list[msgspec.Raw] | None) or []
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        reason = str(exc)
    else:
        return tuple(parse(kind, bytes(item), operation) for item in items)
    raise UnexpectedCoderAnswer(operation, reason)


def parse_task(item: bytes) -> Task:
    """Parse one item of the list of tasks. Raises `UnexpectedCoderAnswer` if the item cannot be read."""
    return parse(Task, item, "one task of the list")


def _describe_error(exc: ValidationError) -> str:
    """Return what is wrong and where, without the value, because a prompt must not get into the log."""
    first = exc.errors(include_input=False, include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{exc.error_count()} faults, first at {where or 'the top'}: {first['type']}"
