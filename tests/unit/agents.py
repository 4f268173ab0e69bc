"""A little model of an agent and of the log that tells of it, with all the ways in which that log lies."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from taskwire.domain.reconcile import ConversationEntry

T0 = datetime(2026, 6, 18, 10, 0, tzinfo=UTC)
PROMPT = "fix it"


class ModelAgent:
    """A program that takes words; `got` is what it really got, whatever its log shows."""

    def __init__(self, *, keeps_history: bool = False) -> None:
        self.build = 1
        self.got: list[str] = []
        self._keeps_history = keeps_history
        self._seconds = 0
        self.log: list[ConversationEntry] = []
        self._greets()

    def takes(self, text: str) -> None:
        """Get the words, and let them become an entry."""
        self.got.append(text)
        self._append(text, is_input=True)
        self._append("")

    def takes_padded(self, text: str) -> None:
        """The same, through a terminal that pads lines and ends them in its own way."""
        self.got.append(text)
        self._append(text.replace("\n", "   \r\n") + "  \n", is_input=True)
        self._append("")

    def takes_unlogged(self, text: str) -> None:
        """Get the words, which become no entry: only the screen moves."""
        self.got.append(text)
        self.grows()

    def leaves_typed(self, _text: str) -> None:
        """Have the words in the box where one types, and never get them."""

    def types_prompt(self) -> None:
        """Type the prompt, if nobody has said anything yet."""
        if not any(entry.is_input for entry in self.log):
            self._append(PROMPT, is_input=True)
            self._append("")

    def grows(self) -> None:
        """Write on in the newest entry."""
        self._rewrites(lambda text: text + " more")

    def shrinks(self) -> None:
        """Draw the screen anew, with less on it."""
        self._rewrites(lambda text: text[:2])

    def is_drawn_again(self) -> None:
        """Draw the screen anew, just as it was."""
        self._rewrites(lambda text: text)

    def restarts(self) -> None:
        """End and begin anew within the same build."""
        if not self._keeps_history:
            self._greets()

    def is_rebuilt(self) -> None:
        """Be paused and resumed."""
        self.build += 1
        self.restarts()

    def loses_log(self) -> None:
        """Have nothing to show."""
        self.log = []

    def _greets(self) -> None:
        self.log = []
        self._append("welcome")

    def _append(self, text: str, *, is_input: bool = False) -> None:
        self.log = [
            *self.log,
            ConversationEntry(id=len(self.log), is_input=is_input, text=text, at=self._now()),
        ]

    def _rewrites(self, change: Callable[[str], str]) -> None:
        if self.log and not self.log[-1].is_input:
            last = self.log[-1]
            now = last.model_copy(update={"text": change(last.text), "at": self._now()})
            self.log = [*self.log[:-1], now]

    def _now(self) -> datetime:
        self._seconds += 1
        return T0 + timedelta(seconds=self._seconds)
