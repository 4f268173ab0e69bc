"""What every handler is given: the clients, the parts of the store, and a few settings."""

from collections.abc import Callable
from dataclasses import dataclass

from taskwire.coder.client import CoderClient
from taskwire.domain.link_state import ReducerSettings
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.leases import Queues
from taskwire.slack.models import Identity
from taskwire.slack.outbound import Outbound
from taskwire.state.channel_settings import ChannelSettingsStore
from taskwire.state.followed import FollowedAgents
from taskwire.state.links import Links, LinkWrites
from taskwire.state.notes import Notes
from taskwire.state.observations import Observations
from taskwire.state.person_settings import PersonSettingsStore


@dataclass(frozen=True)
class Dependencies:
    """The clients, stores and settings of one deployment."""

    queues: Queues
    links: Links
    writes: LinkWrites
    followed: FollowedAgents
    observations: Observations
    channel_settings: ChannelSettingsStore
    person_settings: PersonSettingsStore
    notes: Notes
    dead_letters: DeadLetters
    slack: Outbound
    coder: CoderClient
    bot: Identity
    coder_url: str
    mask: Callable[[str], str]
    # Masks only our own tokens, in text of people that must otherwise stay as it is.
    mask_own: Callable[[str], str]
    rules: ReducerSettings
    template: str | None = None
    preset: str | None = None
    # Hosts whose links are shown without their name.
    forges: frozenset[str] = frozenset()
    # Most tasks that one person may start in an hour; 0 means any number.
    create_limit: int = 0
