"""What can go wrong, sorted by what the caller can do about it.

    Exception
    ├── UserError               a sentence for the person who asked; nothing to log
    └── OutsideError            a system outside did not do what was asked
        ├── NotDone             certainly nothing happened over there; never needs a read-back
        │   ├── Refused         this request is refused; the same request would be refused again
        │   ├── AccountRefused  our account is refused, whatever it asks; the operator has to act
        │   └── TryLater        not now: unreachable, rate limited, not ready; may carry how long to wait
        └── Unknown             it may have happened: read back before anything is done again

The clients in `coder/errors.py`, `slack/errors.py` and `transport.py` raise subclasses of these. Nothing else
sorts what an outside system answers.
"""

import contextlib
from collections.abc import Iterator
from typing import Literal


class UserError(Exception):
    """Something the person can mend: `sentence` says what is wrong, `hint` what to do next."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint

    def __str__(self) -> str:
        """Both parts, as a person reads them."""
        return f"{self.sentence} {self.hint}".strip()


OutsideSystem = Literal["", "Coder", "Slack"]


class OutsideError(Exception):
    """A system outside did not do what was asked; the text is for the log."""

    # How long the other side asked us to wait, if it said.
    after_seconds: float | None = None
    # Which system that was, if that is known: a broken connection looks the same anywhere.
    side: OutsideSystem = ""


class NotDone(OutsideError):
    """Certainly nothing happened over there."""


class Refused(NotDone):
    """This request is refused; the same request would be refused again."""


class AccountRefused(NotDone):
    """Our account is refused, whatever it asks: no fault of the job at hand, which waits for the operator."""


class TryLater(NotDone):
    """Not now; `after_seconds` may say when."""

    def __init__(self, message: str, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class Unknown(OutsideError):
    """It may have happened: the connection was cut, timed out, or the answer makes no sense."""


@contextlib.contextmanager
def blaming(side: OutsideSystem) -> Iterator[None]:
    """Let what is raised inside the block say whose it was."""
    try:
        yield
    except OutsideError as error:
        error.side = side
        raise
