"""Finds the change of a task that a notification from Coder's webhook announces.

Notifications are not signed, so their content is never trusted. It only says what to look for.
"""

from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from taskwire.coder.models import TaskStatus

# Coder announces a pause or a resume when it is asked for. The status shows it when its build has ended or
# failed.
_SHOWN_AS = {
    "Task Paused": frozenset({TaskStatus.PAUSED, TaskStatus.ERROR}),
    "Task Resumed": frozenset({TaskStatus.ACTIVE, TaskStatus.ERROR}),
}


class Announced(NamedTuple):
    """An announced change that takes time: its task, and the statuses that show that it has happened."""

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
    """Return the change that is still to come; None for any other notification, and for nonsense."""
    try:
        payload = _Notification.model_validate_json(body).payload
    except ValidationError:
        return None
    shown_as = _SHOWN_AS.get(payload.notification_name)
    if shown_as is None or not payload.labels.task_id:
        return None
    return Announced(payload.labels.task_id, shown_as)
