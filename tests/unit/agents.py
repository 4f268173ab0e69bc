"""A small model of an agent and its log. The model's log can mislead in each way that a real log can."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from taskwire.domain.lifecycle.phases import AgentLogEntry

T0 = datetime(2026, 6, 18, 10, 0, tzinfo=UTC)
PROMPT = "fix it"


class ModelAgent:
    """A program that takes input. `got` has the input that the program really got, whatever its log shows."""

    def __init__(self, *, keeps_history: bool = False) -> None:
        self.build = 1
        self.got: list[str] = []
        self._keeps_history = keeps_history
        self._seconds = 0
        self.log: list[AgentLogEntry] = []
        self._greets()

    def takes(self, text: str) -> None:
        """Take the words, and add them to the log as an entry."""
        self.got.append(text)
        self._append(text, is_input=True)
        self._append("")

    def takes_padded(self, text: str) -> None:
        """Take the words through a terminal that pads lines and changes line ends."""
        self.got.append(text)
        self._append(text.replace("\n", "   \r\n") + "  \n", is_input=True)
        self._append("")

    def takes_unlogged(self, text: str) -> None:
        """Take the words without a log entry. Only the screen changes."""
        self.got.append(text)
        self.grows()

    def leaves_typed(self, _text: str) -> None:
        """Leave the words in the input box. The agent never gets them."""

    def types_prompt(self) -> None:
        """Type the prompt, unless the agent has input already."""
        if not any(entry.is_input for entry in self.log):
            self._append(PROMPT, is_input=True)
            self._append("")

    def grows(self) -> None:
        """Add text to the newest entry."""
        self._rewrites(lambda text: text + " more")

    def shrinks(self) -> None:
        """Redraw the screen with less text."""
        self._rewrites(lambda text: text[:2])

    def is_drawn_again(self) -> None:
        """Draw the same screen again."""
        self._rewrites(lambda text: text)

    def restarts(self) -> None:
        """Restart within the same build."""
        if not self._keeps_history:
            self._greets()

    def is_rebuilt(self) -> None:
        """Pause and resume the agent, which makes a new build."""
        self.build += 1
        self.restarts()

    def loses_log(self) -> None:
        """Lose all entries."""
        self.log = []

    def _greets(self) -> None:
        self.log = []
        self._append("welcome")

    def _append(self, text: str, *, is_input: bool = False) -> None:
        self.log = [
            *self.log,
            AgentLogEntry(id=len(self.log), is_input=is_input, text=text, at=self._now()),
        ]

    def _rewrites(self, change: Callable[[str], str]) -> None:
        if self.log and not self.log[-1].is_input:
            last = self.log[-1]
            now = replace(last, text=change(last.text), at=self._now())
            self.log = [*self.log[:-1], now]

    def _now(self) -> datetime:
        self._seconds += 1
        return T0 + timedelta(seconds=self._seconds)
