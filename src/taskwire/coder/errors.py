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
    │   ├── PersonTokenRefused  the same for the token of a person's own account
    │   └── TasksNotSupported 404 for the route itself: this server has no Tasks
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
from taskwire.domain.masking.secrets import mask_beginning


class FieldError(BaseModel):
    """Coder's error message about one field."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    field: str = ""
    detail: str = ""


class _Body(BaseModel):
    message: str
    detail: str | None = None
    validations: tuple[FieldError, ...] | None = None


@dataclass(frozen=True)
class CoderAnswer:
    """An answer of Coder that is not the documented success, in Coder's words.

    `retry_after_seconds` comes from Retry-After; None without that header.
    """

    status: int
    message: str
    detail: str = ""
    validations: tuple[FieldError, ...] = ()
    retry_after_seconds: float | None = None

    @property
    def text(self) -> str:
        """The whole answer in one line, for people."""
        parts = [self.message, self.detail, *(f"{fault.field}: {fault.detail}" for fault in self.validations)]
        return " ".join(part if part.endswith((".", "!", "?")) else part + "." for part in parts if part)

    def __str__(self) -> str:
        """The whole answer in one line, for the log."""
        parts = [self.message, self.detail, *(f"{fault.field}: {fault.detail}" for fault in self.validations)]
        return f"{self.status} " + "; ".join(part for part in parts if part)

    @property
    def says_suspended(self) -> bool:
        """Whether Coder refuses a token because the token's user is suspended."""
        return self.status == 401 and "suspended" in self.message.casefold()


# Takes the place of Coder's answer if Coder is not asked, because it has refused the token before.
REFUSED_BEFORE = CoderAnswer(401, "the token was refused before")
# In characters. The most text of an answer that is kept. Sentences for people are shorter.
LONGEST_TEXT = 2_000
MOST_FIELD_ERRORS = 20


def _mask_body(parsed: _Body, mask: Callable[[str], str]) -> _Body:
    """Return Coder's words with secrets masked: a refusal can quote a template's variables."""
    faults = [
        FieldError(field=each.field[:LONGEST_TEXT], detail=mask_beginning(mask, each.detail, LONGEST_TEXT))
        for each in (parsed.validations or ())[:MOST_FIELD_ERRORS]
    ]
    return _Body(
        message=mask_beginning(mask, parsed.message, LONGEST_TEXT),
        detail=mask_beginning(mask, parsed.detail or "", LONGEST_TEXT),
        validations=tuple(faults),
    )


class CoderError(OutsideError):
    """An error that contains Coder's answer."""

    system: OutsideSystem = "Coder"

    def __init__(self, answer: CoderAnswer) -> None:
        super().__init__(str(answer))
        self.answer = answer


class _CoderRefused(CoderError, Refused):
    pass


class BadRequest(_CoderRefused):
    """Coder does not accept this request. A repetition would be refused too."""


class MustBeActive(BadRequest):
    """The task's status is error or unknown. Only an active task accepts input."""


class TokenRefused(CoderError, AccountRefused):
    """The token is not valid, or no longer valid."""


class Forbidden(_CoderRefused):
    """This account has no right to make this request."""


class NotFound(_CoderRefused):
    """The object is gone, never existed, or is hidden from this account."""


class PersonTokenRefused(CoderError, AccountRefused):
    """The token of a person's own account has expired or was deleted, or the account is suspended.

    `person` has to connect the account again. `key_id` says which token was refused.
    """

    def __init__(self, answer: CoderAnswer, person: str, key_id: str) -> None:
        super().__init__(answer)
        self.person = person
        self.key_id = key_id

    @property
    def is_remembered(self) -> bool:
        """Whether Coder was not asked, because it had refused the token before."""
        return self.answer is REFUSED_BEFORE


class TasksNotSupported(CoderError, AccountRefused):
    """This Coder server does not have the feature Tasks."""


class TooLong(Refused):
    """The answer is too long to be kept in memory. Another request would get the same answer."""

    def __init__(self, operation: str, reason: str) -> None:
        super().__init__(f"{operation}: {reason}")


class Conflict(_CoderRefused):
    """The present state of the task or workspace does not allow the request."""


class NameTaken(Conflict):
    """Another task or workspace of this owner already has this name."""


class AlreadyRunning(Conflict):
    """The workspace runs already."""


class TaskPaused(Conflict):
    """The task is paused. It accepts input after a resume."""


class MustBePaused(Conflict):
    """The task is not paused, but its prompt can be changed only during a pause."""


class NoLogs(Conflict):
    """Logs cannot be read while the task's status is error or unknown."""


class _CoderTryLater(CoderError, TryLater):
    def __init__(self, answer: CoderAnswer) -> None:
        super().__init__(answer)
        self.retry_after_seconds = answer.retry_after_seconds


class NotReady(_CoderTryLater):
    """The task is starting, or its agent is busy."""


class BuildActive(_CoderTryLater):
    """A build of the workspace is under way."""


class CoderRateLimited(_CoderTryLater):
    """This account has made too many requests in a minute."""


class AppUnreachable(_CoderTryLater):
    """Coder could not reach the agent, so the agent got no input."""


class RejectedByApp(CoderError, OutcomeUnknown):
    """The agent failed while Coder sent it input. The agent may have got the input nevertheless."""


class ServerTrouble(CoderError, OutcomeUnknown):
    """Coder, or a proxy in front of it, failed."""


class UnexpectedCoderAnswer(OutcomeUnknown):
    """Coder does not document this kind of answer. `status` is None if there was no HTTP status."""

    def __init__(self, operation: str, reason: str, status: int | None = None) -> None:
        super().__init__(f"{operation}: {reason}" if status is None else f"{operation}: {status}, {reason}")
        self.status = status


NOT_FROM_CODER = "the answer is not one of Coder's"

# The first entry that matches an answer decides. An entry has a message only if the status alone is not
# enough. The message is just the part that distinguishes this entry from other entries.
_BY_MESSAGE: tuple[tuple[int, str, type[CoderError]], ...] = (
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
    # With the next two answers, Coder has done nothing, and a second try would get the same answer.
    (500, "failed to fetch preset parameter", BadRequest),
    (500, "archived template versions", BadRequest),
    (502, "failed to reach task app", AppUnreachable),
    (502, "failed to get status from task app", AppUnreachable),
    # Only a call that reads the log gets this answer, so the outcome is never unknown.
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


def classify(
    operation: str,
    status: int,
    body: bytes,
    retry_after: str | None,
    *,
    is_tasks_route: bool,
    answered_at: datetime | None = None,
    mask: Callable[[str], str] = str,
) -> OutsideError:
    """Return the error for an answer that is not the documented success.

    `answered_at` is the server's time, to which a date in Retry-After is compared. `is_tasks_route` is true
    if the path begins with `/tasks`. For such a path, an unknown route means `TasksNotSupported`. `mask`
    masks secrets in Coder's words.
    """
    parsed = _parse_body(body)
    after = _parse_retry_after(retry_after, answered_at or datetime.now(UTC))
    if status < 400:
        return UnexpectedCoderAnswer(operation, "not the documented success", status)
    if parsed is not None:
        # The original message decides the kind. The kept message is masked.
        masked = _mask_body(parsed, mask)
        answer = CoderAnswer(status, masked.message, masked.detail or "", masked.validations or (), after)
        return _find_error_type(status, parsed.message, is_tasks_route)(answer)
    if status == 429 or status >= 500:
        return _BY_STATUS.get(status, ServerTrouble)(
            CoderAnswer(status, NOT_FROM_CODER, retry_after_seconds=after)
        )
    return UnexpectedCoderAnswer(operation, NOT_FROM_CODER, status)


def _find_error_type(status: int, message: str, is_tasks_route: bool) -> type[CoderError]:
    words = message[:LONGEST_TEXT].casefold()
    if is_tasks_route and status == 404 and "route not found" in words:
        return TasksNotSupported
    for code, part, kind in _BY_MESSAGE:
        if code == status and part in words:
            return kind
    return _BY_STATUS.get(status, BadRequest if status < 500 else ServerTrouble)


def _parse_body(body: bytes) -> _Body | None:
    try:
        return _Body.model_validate_json(body)
    except ValidationError:
        return None


def _parse_retry_after(retry_after: str | None, answered_at: datetime) -> float | None:
    """Return the seconds to wait that a header Retry-After asks for; None if it is missing or cannot be read.

    Coder sends seconds. A proxy may send a date by the proxy's clock. `answered_at` is the time of the
    answer, by the same clock.
    """
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
