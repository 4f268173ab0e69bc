"""Reading what Redis holds: another version of Taskwire may have written it.

A job that needs what this version cannot read is left to a newer one; what is only shown is shown without it.
"""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class CannotRead(Exception):
    """A value that another version of Taskwire has written in a way of its own.

    No `UserError`: that would be an answer, and the job that needs the value would be over.
    """

    def __init__(self, error: Exception) -> None:
        self.why = why(error)
        super().__init__(self.why)


def why(error: Exception) -> str:
    """Why something cannot be read, for the operator: the first thing that is not known, in one line."""
    if not isinstance(error, ValidationError):
        return f"it cannot be read: {error}"[:300]
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"it cannot be read: {where or error.title}: {first['msg']}"[:300]


def read(reads: Callable[[str], T], text: str) -> T:
    """Read a value, as a model's `model_validate_json` does; raises CannotRead."""
    try:
        return reads(text)
    except ValidationError as error:
        raise CannotRead(error) from error


def read_if_possible(kind: type[M], text: str | None) -> M | None:
    """Read a value that can be learnt anew; None where there is none, or none that this version knows."""
    try:
        return kind.model_validate_json(text) if text else None
    except ValidationError:
        return None
