"""The parts of the stand-in. `server` makes them once and passes them to the modules that use them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from taskwire_sandbox.slack.background_tasks import BackgroundTasks
from taskwire_sandbox.slack.dispatcher import Dispatcher
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.faults import Faults
from taskwire_sandbox.slack.file_store import FileStore
from taskwire_sandbox.slack.ids import Ids
from taskwire_sandbox.slack.ledger import Ledger
from taskwire_sandbox.slack.manifest import Manifest
from taskwire_sandbox.slack.rate_limiter import MethodRateLimiter
from taskwire_sandbox.slack.sessions import AgentSession
from taskwire_sandbox.slack.tickets import Tickets
from taskwire_sandbox.slack.view_stacks import ViewStacks
from taskwire_sandbox.slack.workspace import Workspace

VERIFICATION_TOKEN = "verification"  # noqa: S105 - a deprecated field of every payload, not a secret


@dataclass(frozen=True)
class App:
    """The installed app: its ids, tokens and manifest."""

    app_id: str
    bot_id: str
    bot_user_id: str
    bot_token: str
    app_token: str
    signing_secret: str
    manifest: Manifest

    @property
    def profile(self) -> Json:
        """The `bot_profile` of the app's messages."""
        return {"id": self.bot_id, "app_id": self.app_id, "name": self.manifest.name, "deleted": False}


@dataclass
class Ephemeral:
    """A message that only `user` sees. `source` is chat.postEphemeral, response_url or ack."""

    ts: str
    channel: str
    user: str
    body: Json
    source: str
    thread_ts: str | None = None


@dataclass
class Backend:
    """All parts of the stand-in for Slack."""

    app: App
    ids: Ids
    workspace: Workspace
    ledger: Ledger
    faults: Faults
    rate_limiter: MethodRateLimiter
    tickets: Tickets
    tasks: BackgroundTasks
    dispatcher: Dispatcher
    views: ViewStacks
    files: FileStore
    socket_url: Callable[[], str]
    base_url: str = ""
    share_seconds: float = 0.02
    ephemerals: list[Ephemeral] = field(default_factory=list)
    # The sessions by their channel and the ts of the thread's root.
    sessions: dict[tuple[str, str], AgentSession] = field(default_factory=dict)

    @property
    def team(self) -> Json:
        """The `team` of interaction payloads."""
        return {"id": self.workspace.team_id, "domain": self.workspace.domain}

    def permalink(self, channel: str, ts: str, thread_ts: str | None = None) -> str:
        """Return the permalink of a message."""
        address = f"https://{self.workspace.domain}.slack.com/archives/{channel}/p{ts.replace('.', '')}"
        return f"{address}?thread_ts={thread_ts}&cid={channel}" if thread_ts and thread_ts != ts else address
