"""Coder's notifications about tasks: their kinds, their recipients, and their payloads for a webhook.

As on the real server, a payload has no signature and its delivery takes seconds. The four kinds about states
are off until the recipient turns them on. If a task is paused twice on one day, only the first pause is
announced.
"""

from collections.abc import Callable
from datetime import datetime

from taskwire_sandbox.coder.rows import AppStatus, Task, Workspace
from taskwire_sandbox.coder.wire import Json, JsonValue, timestamp
from taskwire_sandbox.coder.world import World

FETCH_SECONDS = 0.1  # delivery starts so soon that the announced change may not be finished
TEMPLATE_IDS = {
    "Task Working": "bd4b7168-d05e-4e19-ad0f-3593b77aa90f",
    "Task Idle": "d4a6271c-cced-4ed0-84ad-afd02a9c7799",
    "Task Completed": "8c5a4d12-9f7e-4b3a-a1c8-6e4f2d9b5a7c",
    "Task Failed": "3b7e8f1a-4c2d-49a6-b5e9-7f3a1c8d6b4e",
    "Task Paused": "2a74f3d3-ab09-4123-a4a5-ca238f4f65a1",
    "Task Resumed": "843ee9c3-a8fb-4846-afa9-977bec578649",
}
BY_STATE = {
    "working": "Task Working",
    "idle": "Task Idle",
    "complete": "Task Completed",
    "failure": "Task Failed",
}
TITLES = {
    "Task Working": "Task '{}' is working",
    "Task Idle": "Task '{}' is idle",
    "Task Completed": "Task '{}' completed",
    "Task Failed": "Task '{}' failed",
    "Task Paused": "Task '{}' is paused",
    "Task Resumed": "Task '{}' has resumed",
}
OFF_BY_DEFAULT = frozenset(TEMPLATE_IDS[name] for name in BY_STATE.values())


class Notifications:
    """The queue of notifications that the next round of delivery sends."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sent_keys: set[tuple[str, ...]] = set()
        self.waiting: list[Json] = []
        self.on_round: Callable[[], None] = lambda: None
        self._has_round = False

    def queue_for_report(self, workspace: Workspace, status: AppStatus, before: AppStatus | None) -> None:
        """Queue a notification about the report `status`.

        `before` is the earlier report; None if there is none.

        If the state has not changed, queue nothing. If the first report is `working`, queue nothing either.
        """
        task = self._world.tasks_by_workspace.get(workspace.id)
        agent = workspace.latest.agent
        if task is None or agent is None or agent.lifecycle != "ready":
            return
        if before is not None and before.state == status.state:
            return
        if before is None and status.state == "working":
            return
        minute = self._world.schedule.now().replace(second=0, microsecond=0)
        self._queue(BY_STATE[status.state], task, {}, minute)

    def queue_for_build(self, name: str, task: Task, reason: str = "manual") -> None:
        """Queue the notification that a task was paused or resumed.

        `name` is Coder's name of the kind of notification, such as "Task Paused".
        """
        labels: Json = {"task_id": task.id}
        if name == "Task Paused":
            labels["pause_reason"] = reason
        self._queue(name, task, labels, None)

    def _queue(self, name: str, task: Task, labels: Json, minute: datetime | None) -> None:
        template_id, owner = TEMPLATE_IDS[name], task.owner
        if owner.disabled_notices.get(template_id, template_id in OFF_BY_DEFAULT):
            return
        day = self._world.schedule.now().date().isoformat()
        key = (name, task.id, minute.isoformat() if minute else "", day)
        if key in self._sent_keys:
            return
        self._sent_keys.add(key)
        self.waiting.append(self._payload(name, task, labels, minute))
        if not self._has_round:
            self._has_round = True
            self._world.schedule.add(FETCH_SECONDS, self._deliver)

    def _deliver(self) -> None:
        self._has_round = False
        self.on_round()

    def _payload(self, name: str, task: Task, labels: Json, minute: datetime | None) -> Json:
        owner, workspace = task.owner, task.workspace
        url = self._world.settings.access_url
        title = TITLES[name].format(workspace.name)
        targets: list[JsonValue] = [workspace.id, owner.id, workspace.organization.id, workspace.app.id]
        actions: list[JsonValue] = [
            {"label": "View task", "url": f"{url}/tasks/{owner.username}/{task.id}"},
            {"label": "View workspace", "url": f"{url}/@{owner.username}/{workspace.name}"},
        ]
        return {
            "_version": "1.1",
            "msg_id": self._world.ids.new_uuid(),
            "payload": {
                "_version": "1.2",
                "notification_name": name,
                "notification_template_id": TEMPLATE_IDS[name],
                "user_id": owner.id,
                "user_email": owner.email,
                "user_name": owner.name,
                "user_username": owner.username,
                "actions": actions,
                "labels": {"task": task.name, "workspace": workspace.name, **labels},
                "data": {"dedupe_bypass_ts": timestamp(minute)} if minute else None,
                "targets": targets,
            },
            "title": title,
            "title_markdown": title,
            "body": f"{title}.",
            "body_markdown": f"{title}.",
        }
