"""Records what people did in a storm: the commands that they typed, and the replies that they wrote."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

from taskwire_sandbox.slack.errors import Json

T = TypeVar("T")
CommandOutcome = Literal["taken", "refused", "unknown"]


class ThreadKey(NamedTuple):
    """A thread: its channel and the ts of its root."""

    channel: str
    ts: str


class Deck(Generic[T]):
    """Deals items at random, in rounds that each have all items. So even a short storm has each item."""

    def __init__(self, cards: Sequence[T], seed: str) -> None:
        self._cards = cards
        self._dice = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._left: list[T] = []

    def deal(self) -> T:
        """Return the next item."""
        if not self._left:
            self._left = self._dice.sample(self._cards, len(self._cards))
        return self._left.pop()


@dataclass
class TypedCommand:
    """A command that a person typed, and what the bot told its author."""

    person: str
    channel: str
    prompt: str
    told: CommandOutcome
    # Whether the card is a reply in the thread of a person's message. Replies to the agent must then mention
    # the bot.
    is_mention_only: bool = False
    # The kind of event that tells the bot about the command. Below it, the ts of the event's message. Slack
    # may give up such an event.
    event: str = ""
    ts: str = ""

    @property
    def subject(self) -> str:
        """Return the first line of the prompt, which is different for each task."""
        return self.prompt.partition("\n")[0]


@dataclass
class WrittenReply:
    """A reply, and the thread where it was written."""

    text: str
    ts: str
    place: ThreadKey
    prompt: str


@dataclass
class BotQuestion:
    """A question of the bot in a thread, with the question's buttons."""

    place: ThreadKey
    ts: str
    id: str
    message: Json
    is_answered: bool = False
