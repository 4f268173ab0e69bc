"""The errors that callers handle, sorted by what the caller can do about them.

    Exception
    ├── UserError               a sentence for the person who asked; nothing to log
    └── OutsideError            an outside system did not do what was asked
        ├── NotDone             certainly nothing happened there; no need to reconcile
        │   ├── Refused         this request is refused, and a repeat would be refused again
        │   ├── AccountRefused  our account is refused for every request; the operator has to act
        │   └── TryLater        not now: unreachable, rate limited, not ready; may say how long to wait
        └── OutcomeUnknown      it may have happened: reconcile before a repeat

`coder/errors.py`, `slack/errors.py` and `transport.py` define subclasses of these. Only they decide what an
answer of an outside system means.
"""

import contextlib
from collections.abc import Iterator
from typing import Literal


class UserError(Exception):
    """A problem that the person can solve: `sentence` says what is wrong, `hint` what to do next."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint

    def __str__(self) -> str:
        """Both parts, as one text for a person."""
        return f"{self.sentence} {self.hint}".strip()


OutsideSystem = Literal["", "Coder", "Slack"]


class OutsideError(Exception):
    """An outside system did not do what was asked. The text is for the log."""

    # How long the system asked us to wait, if it did.
    retry_after_seconds: float | None = None
    # The system that failed; empty if it is not known. A broken connection looks the same for each system.
    system: OutsideSystem = ""


class NotDone(OutsideError):
    """Certainly nothing happened there."""


class Refused(NotDone):
    """This request is refused, and a repeat would be refused again."""


class AccountRefused(NotDone):
    """Our account is refused for every request. The job waits until the operator has solved that."""


class TryLater(NotDone):
    """Not now. `retry_after_seconds` may say when."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(OutsideError):
    """It may have happened: the connection was cut or timed out, or the answer makes no sense."""


@contextlib.contextmanager
def name_failing_system(system: OutsideSystem) -> Iterator[None]:
    """Set `system` in each OutsideError that the block raises."""
    try:
        yield
    except OutsideError as error:
        error.system = system
        raise
