"""What every part of the story needs at hand: the doors to the outside, and the few settings that decide."""

from collections.abc import Callable
from dataclasses import dataclass

from taskwire.coder.client import CoderClient
from taskwire.domain.transitions import Rules
from taskwire.queue.dead_letters import DeadLetters
from taskwire.queue.leases import Queue
from taskwire.slack.models import Identity
from taskwire.slack.outbound import Outbound
from taskwire.state.links import Links, LinkWrites
from taskwire.state.notes import Notes
from taskwire.state.observations import Observations


@dataclass(frozen=True)
class Dependencies:
    """One deployment's doors."""

    queue: Queue
    links: Links
    writes: LinkWrites
    observations: Observations
    notes: Notes
    dead_letters: DeadLetters
    slack: Outbound
    coder: CoderClient
    bot: Identity
    coder_url: str
    mask: Callable[[str], str]
    # Only our own tokens: for what people wrote, and has to be kept as it is.
    mask_own: Callable[[str], str]
    rules: Rules
    template: str | None = None
    preset: str | None = None
    # Hosts whose links need no name beside them.
    forges: frozenset[str] = frozenset()
    # Tasks that one person may start in an hour; 0 for any number.
    create_limit: int = 0
