"""What can go wrong, sorted by what the caller can do about it.

    Exception
    ├── UserError               a sentence for the person who asked; nothing to log
    └── OutsideError            an outside system did not do what was asked
        ├── NotDone             certainly nothing happened there; no need to reconcile
        │   ├── Refused         this request is refused, and a repeat would be refused again
        │   ├── AccountRefused  our account is refused, whatever it asks; the operator has to act
        │   └── TryLater        not now: unreachable, rate limited, not ready; may say how long to wait
        └── Unknown             it may have happened: reconcile before a repeat

The clients in `coder/errors.py`, `slack/errors.py` and `transport.py` raise subclasses of these. Nothing else
sorts the answers of an outside system.
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

    # How long the other side asked us to wait, if it did.
    after_seconds: float | None = None
    # The system that failed, if that is known: a broken connection looks the same for each.
    side: OutsideSystem = ""


class NotDone(OutsideError):
    """Certainly nothing happened there."""


class Refused(NotDone):
    """This request is refused, and a repeat would be refused again."""


class AccountRefused(NotDone):
    """Our account is refused, whatever it asks. The job is not at fault and waits for the operator."""


class TryLater(NotDone):
    """Not now. `after_seconds` may say when."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Unknown(OutsideError):
    """It may have happened: the connection was cut or timed out, or the answer makes no sense."""


@contextlib.contextmanager
def blaming(side: OutsideSystem) -> Iterator[None]:
    """Name this system as the one that failed, in each OutsideError from the block."""
    try:
        yield
    except OutsideError as error:
        error.side = side
        raise
