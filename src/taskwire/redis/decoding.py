"""Reads values from Redis that another version of Taskwire may have written.

If a job needs a value that this version cannot read, the job is left to a newer version. If a value would
only be shown, it is left out. `read_partially` reads those fields of a job that this version knows, for
example to give the text of a reply back to its author. Such a job is only carried out if a person asks for
it.
"""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from taskwire.domain.queueing.jobs import Job, Reply
from taskwire.domain.sealed_model import SEALED, opened
from taskwire.sealing import CannotOpen, KeyMissing

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class CannotRead(Exception):
    """This version cannot read a value that another version of Taskwire has written.

    This is no `UserError`: a job that raises a `UserError` ends, and this job must wait for a newer version.
    """

    def __init__(self, error: Exception) -> None:
        self.why = describe_read_error(error)
        # Why the sealed value cannot be decrypted; None if the value is unreadable for another reason.
        self.cannot_open = find_cannot_open(error)
        super().__init__(self.why)


def find_cannot_open(error: Exception) -> CannotOpen | None:
    """Return why a sealed value does not open; None if the error has another cause."""
    if isinstance(error, CannotOpen):
        return error
    if not isinstance(error, ValidationError):
        return None
    causes = (each.get("ctx", {}).get("error") for each in error.errors(include_input=False))
    return next((cause for cause in causes if isinstance(cause, CannotOpen)), None)


def is_forged(error: Exception) -> bool:
    """Return whether a value was written without an encryption key of this deployment.

    Return False if the only problem is that the value's key is missing.
    """
    why = error.cannot_open if isinstance(error, CannotRead) else find_cannot_open(error)
    return why is not None and not isinstance(why, KeyMissing)


def find_missing_key(body: str) -> str:
    """Return the id of the encryption key that a job needs and that is missing.

    Return an empty text if no key is missing.
    """
    try:
        Job.model_validate_json(body)
    except ValidationError as error:
        why = find_cannot_open(error)
        return why.key_id if isinstance(why, KeyMissing) else ""
    return ""


def describe_read_error(error: Exception) -> str:
    """Return in one line, for the operator, why a value cannot be read."""
    if not isinstance(error, ValidationError):
        return f"it cannot be read: {error}"[:300]
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"it cannot be read: {where or error.title}: {first['msg']}"[:300]


def read(parse: Callable[[str], T], text: str) -> T:
    """Read a value with `parse`, for example `model_validate_json`.

    Raises `CannotRead` if this version cannot read the value.
    """
    try:
        return parse(text)
    except ValidationError as error:
        raise CannotRead(error) from error


def read_if_possible(kind: type[M], text: str | None, place: str = "") -> M | None:
    """Read the value at a place. Return None if the value is missing or this version cannot read it."""
    try:
        return kind.model_validate_json(text, context=place or None) if text else None
    except ValidationError:
        return None


def read_partially(body: str, queue: str) -> Job | None:
    """Read a job of a queue.

    If this version cannot read the job, but the job is a reply, return the reply with the fields that this
    version knows. Return None if the job is unreadable and no reply.
    """
    try:
        return Job.model_validate_json(body, context=queue)
    except ValidationError:
        pass
    try:
        written = _PartialJob.model_validate_json(body)
    except ValidationError:
        return None
    try:
        if SEALED not in written.work:
            return None
        work = opened(Reply, written.work, Reply.find_place(queue, written.work))
        known = {name: value for name, value in work.items() if name in Reply.model_fields}
        return Job(id=written.id, work=Reply.model_validate(known))
    except (ValidationError, CannotOpen):
        return None


class _PartialJob(BaseModel):
    id: str
    work: dict[str, JsonValue]
