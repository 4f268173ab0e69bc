"""What Coder's answers mean for the caller: done, certainly not done, or unknown.

    NotDone
    ├── Refused
    │   ├── BadRequest        400, every other 4xx of Coder's, and two kinds of 500 that should be 4xx
    │   │   └── MustBeActive  the task's status is error or unknown
    │   ├── Forbidden         403
    │   ├── NotFound          404: gone, never there, or not for this account
    │   ├── TooLong           the answer is too long to be kept in memory
    │   └── Conflict          409
    │       ├── NameTaken
    │       ├── AlreadyRunning
    │       ├── TaskPaused    resume it first
    │       ├── MustBePaused  pause it first
    │       └── NoLogs        none can be read in this status
    ├── AccountRefused
    │   ├── TokenRefused      401: the token has expired, was deleted, or its user is suspended
    │   └── NoTasks           404 for the route itself: this server has no Tasks
    └── TryLater
        ├── NotReady          409: pending, initializing, or the agent is busy
        ├── BuildActive       409: a build is under way
        ├── CoderRateLimited  429; `retry_after_seconds` from Retry-After
        ├── AppUnreachable    502: the agent could not be reached, nothing was typed
        ├── Unreachable       no connection, nothing was written          (taskwire.transport)
        └── DeadlinePassed    too late, nothing was written               (taskwire.transport)
    OutcomeUnknown
    ├── RejectedByApp          502: the input may have been typed nevertheless
    ├── ServerTrouble          every other 5xx
    ├── UnexpectedCoderAnswer  a redirect, an undocumented success, a body that is not JSON or not Coder's
    ├── ConnectionCut          the connection broke after the first byte  (taskwire.transport)
    └── NoAnswer               the time ran out after the first byte      (taskwire.transport)

Errors with an `answer` keep Coder's words. A call that only reads may be repeated after TryLater and after
OutcomeUnknown. This module only sorts answers. It makes no calls.
"""

import email.utils
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from taskwire.domain.errors import (
    AccountRefused,
    OutcomeUnknown,
    OutsideError,
    OutsideSystem,
    Refused,
    TryLater,
)
from taskwire.domain.secrets import mask_beginning


class Complaint(BaseModel):
    """Coder's complaint about one field."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    field: str = ""
    detail: str = ""


class _Body(BaseModel):
    message: str
    detail: str | None = None
    validations: tuple[Complaint, ...] | None = None


@dataclass(frozen=True)
class CoderAnswer:
    """An answer that is not the documented success, in Coder's words."""

    status: int
    message: str
    detail: str = ""
    validations: tuple[Complaint, ...] = ()
    retry_after_seconds: float | None = None

    @property
    def said(self) -> str:
        """The whole answer in one line, for people."""
        parts = [self.message, self.detail, *(f"{fault.field}: {fault.detail}" for fault in self.validations)]
        return " ".join(part if part.endswith((".", "!", "?")) else part + "." for part in parts if part)

    def __str__(self) -> str:
        """One line for the log."""
        parts = [self.message, self.detail, *(f"{fault.field}: {fault.detail}" for fault in self.validations)]
        return f"{self.status} " + "; ".join(part for part in parts if part)


# In characters. No sentence for people is longer.
LONGEST_WORDS = 2_000
MOST_COMPLAINTS = 20


def _masked(said: _Body, mask: Callable[[str], str]) -> _Body:
    """Mask Coder's words before they are kept: a refusal can quote a template's variables."""
    faults = [
        Complaint(field=each.field[:LONGEST_WORDS], detail=mask_beginning(mask, each.detail, LONGEST_WORDS))
        for each in (said.validations or ())[:MOST_COMPLAINTS]
    ]
    return _Body(
        message=mask_beginning(mask, said.message, LONGEST_WORDS),
        detail=mask_beginning(mask, said.detail or "", LONGEST_WORDS),
        validations=tuple(faults),
    )


class CoderError(OutsideError):
    """An error with Coder's answer."""

    system: OutsideSystem = "Coder"

    def __init__(self, answer: CoderAnswer) -> None:
        super().__init__(str(answer))
        self.answer = answer


class _No(CoderError, Refused):
    pass


class BadRequest(_No):
    """Coder does not accept the request as it is."""


class MustBeActive(BadRequest):
    """The task's status is error or unknown. Only an active task takes input."""


class TokenRefused(CoderError, AccountRefused):
    """The token is not valid, or no longer valid."""


class Forbidden(_No):
    """This account may not do that."""


class NotFound(_No):
    """The object is gone, never existed, or is hidden from this account."""


class NoTasks(CoderError, AccountRefused):
    """This server has no Tasks."""


class TooLong(Refused):
    """The answer is too long to be kept in memory. Another request would get the same."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what}: {reason}")


class Conflict(_No):
    """The object is not in a state for that."""


class NameTaken(Conflict):
    """Another task or workspace of this owner has the name."""


class AlreadyRunning(Conflict):
    """The workspace runs already."""


class TaskPaused(Conflict):
    """The task is paused. It takes input after a resume."""


class MustBePaused(Conflict):
    """The task is not paused. Its prompt can be changed only while it is paused."""


class NoLogs(Conflict):
    """Logs cannot be read while the task's status is error or unknown."""


class _Wait(CoderError, TryLater):
    def __init__(self, answer: CoderAnswer) -> None:
        super().__init__(answer)
        self.retry_after_seconds = answer.retry_after_seconds


class NotReady(_Wait):
    """The task is starting, or its agent is busy."""


class BuildActive(_Wait):
    """A build of the workspace is under way."""


class CoderRateLimited(_Wait):
    """This account made too many requests in a minute."""


class AppUnreachable(_Wait):
    """Coder could not reach the agent, so nothing was typed."""


class RejectedByApp(CoderError, OutcomeUnknown):
    """The agent's side failed while it took the input. The input may have been typed nevertheless."""


class ServerTrouble(CoderError, OutcomeUnknown):
    """Coder, or a proxy before it, failed."""


class UnexpectedCoderAnswer(OutcomeUnknown):
    """The answer makes no sense. `what` names the request. `status` is set if the answer had one."""

    def __init__(self, what: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{what}: {reason}" if status is None else f"{what}: {status}, {reason}")
        self.status = status


NOT_CODERS = "the answer is not one of Coder's"

# The first match counts. The wording decides only where the status alone does not, and each entry has only as
# much of it as tells the answers apart.
_BY_WORDS: tuple[tuple[int, str, type[CoderError]], ...] = (
    (400, "must be active", MustBeActive),
    (409, "already exists", NameTaken),
    (409, "build is already active", BuildActive),
    (409, "already running", AlreadyRunning),
    (409, "must be paused", MustBePaused),
    (409, "task is paused", TaskPaused),
    (409, "task is pending", NotReady),
    (409, "task is initializing", NotReady),
    (409, "not ready", NotReady),
    (409, "cannot fetch logs", NoLogs),
    # Nothing is made, and a second try gets the same answer.
    (500, "failed to fetch preset parameter", BadRequest),
    (500, "archived template versions", BadRequest),
    (502, "failed to reach task app", AppUnreachable),
    (502, "failed to get status from task app", AppUnreachable),
    # Only a read of the log ends like this, so nothing is in doubt.
    (502, "failed to get messages from task app", AppUnreachable),
    (502, "task app rejected", RejectedByApp),
)
_BY_STATUS: dict[int, type[CoderError]] = {
    401: TokenRefused,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: CoderRateLimited,
}


def sort(
    what: str,
    status: int,
    body: bytes,
    retry_after: str | None,
    *,
    about_tasks: bool,
    answered_at: datetime | None = None,
    mask: Callable[[str], str] = str,
) -> OutsideError:
    """Return the error for an answer that is not the documented success."""
    said = _said(body)
    after = _seconds(retry_after, answered_at or datetime.now(UTC))
    if status < 400:
        return UnexpectedCoderAnswer(what, "not the documented success", status)
    if said is not None:
        # The original words decide the kind. The kept words are masked.
        kept = _masked(said, mask)
        answer = CoderAnswer(status, kept.message, kept.detail or "", kept.validations or (), after)
        return _kind(status, said.message, about_tasks)(answer)
    if status == 429 or status >= 500:
        return _BY_STATUS.get(status, ServerTrouble)(
            CoderAnswer(status, NOT_CODERS, retry_after_seconds=after)
        )
    return UnexpectedCoderAnswer(what, NOT_CODERS, status)


def _kind(status: int, message: str, about_tasks: bool) -> type[CoderError]:
    words = message[:LONGEST_WORDS].casefold()
    if about_tasks and status == 404 and "route not found" in words:
        return NoTasks
    for code, part, kind in _BY_WORDS:
        if code == status and part in words:
            return kind
    return _BY_STATUS.get(status, BadRequest if status < 500 else ServerTrouble)


def _said(body: bytes) -> _Body | None:
    try:
        return _Body.model_validate_json(body)
    except ValidationError:
        return None


def _seconds(retry_after: str | None, answered_at: datetime) -> float | None:
    """Parse Retry-After: seconds (Coder), or a date (proxies) by the clock of the server that answered."""
    if not retry_after:
        return None
    if re.fullmatch(r"\d{1,9}", retry_after.strip()):
        return float(retry_after)
    try:
        at = email.utils.parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - answered_at).total_seconds())
