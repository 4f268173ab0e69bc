"""What every part of the story needs at hand: the doors to the outside, and the few settings that decide."""

from collections.abc import Callable
from dataclasses import dataclass

from taskwire.coder.client import CoderClient
from taskwire.model.changes import Rules
from taskwire.slack.answers import Identity
from taskwire.slack.outbound import Outbound
from taskwire.store.letters import Letters
from taskwire.store.links import Links, LinkSteps
from taskwire.store.memory import Memory
from taskwire.store.queue import Queue
from taskwire.store.sweeps import Sweeps


@dataclass(frozen=True)
class Doors:
    """One deployment's doors."""

    queue: Queue
    links: Links
    writes: LinkSteps
    sweeps: Sweeps
    memory: Memory
    letters: Letters
    slack: Outbound
    coder: CoderClient
    bot: Identity
    coder_url: str
    mask: Callable[[str], str]
    rules: Rules
    template: str | None = None
    preset: str | None = None
