"""The clients, the stores and a few settings that every handler gets."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from taskwire.coder.client import CoderClient
from taskwire.coder.oauth import OAuthClient
from taskwire.domain.allowed import Allowed, QuotaSettings
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.ids import ChannelId, UserId
from taskwire.domain.lifecycle.link_state import ReducerSettings
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.text.message import Message
from taskwire.messages.accounts import ConnectWays
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.leases import Queues
from taskwire.slack.edit_shares import EditShares
from taskwire.slack.models import Identity
from taskwire.slack.outbound import Outbound
from taskwire.state.accounts import AccountStore
from taskwire.state.audit import AuditTrail
from taskwire.state.authorizations import Authorizations
from taskwire.state.link_writes import LinkWrites
from taskwire.state.links import Links
from taskwire.state.notes import Notes
from taskwire.state.observations import Observations
from taskwire.state.settings import SettingsStore


@dataclass(frozen=True)
class Dependencies:
    """The clients, stores and settings of one deployment."""

    queues: Queues
    links: Links
    writes: LinkWrites
    observations: Observations
    channel_settings: SettingsStore[ChannelId, ChannelSettings]
    person_settings: SettingsStore[UserId, PersonSettings]
    notes: Notes
    dead_letters: DeadLetters
    audit: AuditTrail
    slack: Outbound
    # Examines the running bot, for `/task doctor`.
    examine: Callable[[], Awaitable[Message]]
    # For calls with the service account. Handlers use the client of their `JobContext`.
    service_coder: CoderClient
    accounts: AccountStore
    bot: Identity
    coder_url: str
    mask: Callable[[str], str]
    # Masks only Taskwire's own tokens, in texts of people that must otherwise stay unchanged.
    mask_own: Callable[[str], str]
    rules: ReducerSettings
    template: str | None = None
    preset: str | None = None
    # The OAuth2 provider of Coder; None if people connect their accounts with tokens only.
    oauth: OAuthClient | None = None
    # Code hosts, such as github.com. A link to such a host is shown without the host's name.
    forges: frozenset[str] = frozenset()
    # The reaction that makes a message into a task, for example robot_face; empty if no reaction does.
    emoji: str = ""
    # How many tasks a person may start, and how many may run at once.
    quotas: QuotaSettings = field(default_factory=QuotaSettings)
    # Who may use the bot, and where.
    allowed: Allowed = field(default_factory=Allowed)
    # The edits of each owner's cards and threads in the last minute.
    edit_shares: EditShares = field(default_factory=EditShares)
    # Whether people may connect their own Coder accounts, and whether a service account acts for people who
    # have not connected an account. Without a service account, `service_coder` has no token and serves only
    # to make clients for people.
    has_personal_accounts: bool = False
    has_service_account: bool = True

    @property
    def authorizations(self) -> Authorizations:
        """The store of sign-ins at Coder that people have begun and not finished."""
        return Authorizations(self.notes)

    @property
    def connect_ways(self) -> ConnectWays:
        """How people connect their Coder accounts in this deployment: on a page of Coder, or with a token."""
        return ConnectWays(self.coder_url, has_page=self.oauth is not None)
