"""Coder's own notifications, as its webhook brings them: what one announces of a task.

Nobody signs them, so what stands in one is never taken for true: it only says what to look for.
"""

from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from taskwire.coder.models import TaskStatus

# A pause and a resume are announced when they are asked for; they show when their build has ended, or failed.
_SHOWN_AS = {
    "Task Paused": frozenset({TaskStatus.PAUSED, TaskStatus.ERROR}),
    "Task Resumed": frozenset({TaskStatus.ACTIVE, TaskStatus.ERROR}),
}


class Announced(NamedTuple):
    """A change that takes its time: of which task, and by which status one sees that it has come about."""

    task_id: str
    shown_as: frozenset[TaskStatus]


class _Labels(BaseModel):
    task_id: str = ""


class _Payload(BaseModel):
    notification_name: str
    labels: _Labels = _Labels()


class _Notification(BaseModel):
    payload: _Payload


def find_announced(body: bytes) -> Announced | None:
    """Read what is still to come; nothing where all that it tells of shows already, or it makes no sense."""
    try:
        payload = _Notification.model_validate_json(body).payload
    except ValidationError:
        return None
    shown_as = _SHOWN_AS.get(payload.notification_name)
    if shown_as is None or not payload.labels.task_id:
        return None
    return Announced(payload.labels.task_id, shown_as)
