"""Reads values from Redis that another version of Taskwire may have written.

If a job needs a value that this version cannot read, the job is left to a newer version. If a value would
only be shown to somebody, it is left out. For people, for example for an author who wants the text back, a
job is read as far as this version understands it. No job that was read like this is carried out unasked.
"""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from taskwire.domain.jobs import Job, Reply

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class CannotRead(Exception):
    """A value that another version of Taskwire has written in a format that this version does not know.

    This is no `UserError`, because a `UserError` would be the answer to the job and end it.
    """

    def __init__(self, error: Exception) -> None:
        self.why = describe_read_error(error)
        super().__init__(self.why)


def describe_read_error(error: Exception) -> str:
    """Return why a value cannot be read, for the operator: the first problem, in one line."""
    if not isinstance(error, ValidationError):
        return f"it cannot be read: {error}"[:300]
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"it cannot be read: {where or error.title}: {first['msg']}"[:300]


def read(parse: Callable[[str], T], text: str) -> T:
    """Read a value with a function such as `model_validate_json`. Raises `CannotRead`."""
    try:
        return parse(text)
    except ValidationError as error:
        raise CannotRead(error) from error


def read_if_possible(kind: type[M], text: str | None) -> M | None:
    """Read a value that can be learnt again; None if it is missing or this version cannot read it."""
    try:
        return kind.model_validate_json(text) if text else None
    except ValidationError:
        return None


def read_partially(body: str) -> Job | None:
    """Read a job. Of an unknown reply, read the fields that this version knows; None for other jobs."""
    try:
        return Job.model_validate_json(body)
    except ValidationError:
        pass
    try:
        written = _PartialJob.model_validate_json(body)
    except ValidationError:
        return None
    known = {name: value for name, value in written.work.items() if name in Reply.model_fields}
    try:
        return Job(id=written.id, work=Reply.model_validate(known))
    except ValidationError:
        return None


class _PartialJob(BaseModel):
    id: str
    work: dict[str, JsonValue]
