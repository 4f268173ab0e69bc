"""Jobs that a newer version has written, as far as this one understands them.

For what people do about them: an author wants their words back. Nothing that was read like this is carried
out unasked.
"""

from pydantic import BaseModel, JsonValue, ValidationError

from taskwire.domain.jobs import Job, Reply


def read_roughly(body: str) -> Job | None:
    """Read a job; of one that this version does not know whatever it understands, if it is a reply."""
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
