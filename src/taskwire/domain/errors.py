"""The errors that callers handle, sorted by what the caller can do about them.

    Exception
    ├── UserError               a sentence for the person who asked; nothing to log
    └── OutsideError            an outside system did not do what was asked
        ├── NotDone             the outside system certainly did nothing; no need to reconcile
        │   ├── Refused         this request is refused, and a repeat would be refused again
        │   ├── AccountRefused  our account is refused for every request; the operator has to act
        │   └── TryLater        not now: unreachable, rate limited, not ready; may say how long to wait
        │       └── NoPlace     one of our own limits has no free place yet; nothing was sent
        └── OutcomeUnknown      the outside system may have done it: reconcile before a repeat

`coder/errors.py`, `slack/errors.py` and `transport.py` define subclasses of these errors. Only these modules
decide what an answer of an outside system means.
"""

import contextlib
from collections.abc import Iterator
from typing import Literal


class UserError(Exception):
    """A problem that the person can solve. `sentence` says what is wrong, `hint` says what to do next.

    `reason` is one word for the audit trail. The trail must not contain the sentence, which may quote people.
    """

    def __init__(self, sentence: str, hint: str = "", reason: str = "not_possible") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.hint = hint
        self.reason = reason

    def __str__(self) -> str:
        """Return the sentence and the hint as one text for a person."""
        return f"{self.sentence} {self.hint}".strip()


OutsideSystem = Literal["", "Coder", "Slack"]


class OutsideError(Exception):
    """An outside system did not do what was asked. The text is for the log."""

    # How long the outside system asked us to wait; None if it did not ask.
    retry_after_seconds: float | None = None
    # The system that failed; empty until `name_failing_system` sets it. For example, `transport.py` raises
    # errors and does not know which system it calls.
    system: OutsideSystem = ""


class NotDone(OutsideError):
    """The outside system certainly did nothing, so there is nothing to reconcile."""


class Refused(NotDone):
    """This request is refused, and a repeat would be refused again."""


class AccountRefused(NotDone):
    """Our account is refused for every request. The job waits until the operator has mended the account."""


class TryLater(NotDone):
    """The outside system cannot do this now: it is unreachable, limits our rate, or is not ready.

    `retry_after_seconds` is how long the system asked us to wait; None if it did not say.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class NoPlace(TryLater):
    """One of our own limits has no free place for this call yet. Nothing was sent.

    `retry_after_seconds` says when to ask again. Waiting for a place is no failure of a job.
    """


class OutcomeUnknown(OutsideError):
    """The outside system may have acted: the connection broke or timed out, or the answer is unreadable."""


@contextlib.contextmanager
def name_failing_system(system: OutsideSystem) -> Iterator[None]:
    """Set `system` in each OutsideError that the `with` block raises."""
    try:
        yield
    except OutsideError as error:
        error.system = system
        raise
