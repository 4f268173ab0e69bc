"""Reads jobs of a newer version as far as this version understands them.

The result is only for people, for example for an author who wants their text back. No job that was read like
this is carried out without asking.
"""

from pydantic import BaseModel, JsonValue, ValidationError

from taskwire.domain.jobs import Job, Reply


def read_roughly(body: str) -> Job | None:
    """Read a job. Of an unknown reply, read the fields that this version knows; None for other jobs."""
    try:
        return Job.model_validate_json(body)
    except ValidationError:
        pass
    try:
        written = _Rough.model_validate_json(body)
    except ValidationError:
        return None
    known = {name: value for name, value in written.work.items() if name in Reply.model_fields}
    try:
        return Job(id=written.id, work=Reply.model_validate(known))
    except ValidationError:
        return None


class _Rough(BaseModel):
    id: str
    work: dict[str, JsonValue]
