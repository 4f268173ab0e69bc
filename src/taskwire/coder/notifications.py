"""Reads notifications from Coder's webhook: which task is about to change, and how.

Notifications are not signed, so their content is not trusted. A notification only tells Taskwire which task
to read.
"""

from typing import NamedTuple

from pydantic import BaseModel, ValidationError

from taskwire.coder.models import TaskStatus

# Coder announces a pause or a resume when somebody asks for it. When the build has ended or failed, the task
# has one of these statuses.
_EXPECTED_STATUSES = {
    "Task Paused": frozenset({TaskStatus.PAUSED, TaskStatus.ERROR}),
    "Task Resumed": frozenset({TaskStatus.ACTIVE, TaskStatus.ERROR}),
}


class AnnouncedChange(NamedTuple):
    """A pause or resume that Coder has announced and that takes some time.

    The change is complete when the task has one of `expected_statuses`.
    """

    task_id: str
    expected_statuses: frozenset[TaskStatus]


class _Labels(BaseModel):
    task_id: str = ""


class _Payload(BaseModel):
    notification_name: str
    labels: _Labels = _Labels()


class _Notification(BaseModel):
    payload: _Payload


def find_announced_change(body: bytes) -> AnnouncedChange | None:
    """Return the change that a notification announces; None if the text announces no change."""
    try:
        payload = _Notification.model_validate_json(body).payload
    except ValidationError:
        return None
    expected_statuses = _EXPECTED_STATUSES.get(payload.notification_name)
    if expected_statuses is None or not payload.labels.task_id:
        return None
    return AnnouncedChange(payload.labels.task_id, expected_statuses)
