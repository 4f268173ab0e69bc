"""Stores what agents send to coderd: reports of their state, and snapshots of their last messages."""

import html
import json
import re
from collections.abc import Callable, Sequence

from taskwire_sandbox.coder.rows import Agent, AppStatus, Message, Snapshot, Task, Workspace
from taskwire_sandbox.coder.steps import MESSAGE_LIMIT
from taskwire_sandbox.coder.wire import Json, Refusal, encode, timestamp
from taskwire_sandbox.coder.world import World

REPORT_STATES = ("working", "idle", "complete", "failure")
# The shutdown script uploads at most this many messages.
SNAPSHOT_MESSAGES = 30
SNAPSHOT_LIMIT = 64 * 1024  # bytes of the uploaded body
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|</?[A-Za-z!?][^<>]*>", re.DOTALL | re.IGNORECASE)

Listener = Callable[[Workspace, AppStatus, AppStatus | None], None]


class Reports:
    """Receives the reports and snapshots of agents."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.on_report: Listener = lambda _workspace, _status, _before: None

    def add(self, workspace: Workspace, agent: Agent, state: str, message: str, uri: str) -> AppStatus:
        """Append a report to the app's history.

        `state` has the spelling of reports (`failure`, not `failed`).
        """
        if state not in REPORT_STATES:
            raise Refusal(400, "Invalid state provided.", f"invalid state: {state!r}")
        if len(message.encode()) > MESSAGE_LIMIT:
            raise Refusal(
                400,
                "Message is too long.",
                validations=[("message", "Message must be less than 160 characters.")],
            )
        world = self._world
        status = AppStatus(
            world.ids.new_uuid(),
            world.schedule.next_timestamp(),
            state,
            sanitized(message),
            uri,
            agent.app.id,
            agent.id,
        )
        before, workspace.latest_status = workspace.latest_status, status
        agent.app.statuses.append(status)
        world.touch(workspace)
        self.on_report(workspace, status, before)
        return status

    def store_snapshot(self, task: Task, messages: Sequence[Message], layout: str = "agentapi") -> None:
        """Store the last messages of a task that is being paused. These messages replace an older snapshot.

        `layout` is the name of the messages' format.
        """
        task.snapshot = Snapshot(layout, list(messages), self._world.schedule.next_timestamp())


def sanitized(message: str) -> str:
    """Return a message as Coder stores it for web pages: without tags, and with HTML characters escaped."""
    plain = _TAG.sub("", _unquoted(message))
    escaped = _ESCAPE.sub("", _escaped_for_html(html.unescape(plain)))
    return " ".join("".join(c for c in escaped if c.isprintable() or c.isspace()).split())


def _escaped_for_html(text: str) -> str:
    """Escape HTML characters as Go does. Go writes quotes as numeric entities, such as `&#39;`."""
    return html.escape(text, quote=False).replace("'", "&#39;").replace('"', "&#34;")


def _unquoted(message: str) -> str:
    """Return a message without its backslash escapes if the whole message is a valid string literal.

    Otherwise return it unchanged.
    """
    try:
        return str(json.loads(f'"{message}"'))
    except ValueError:
        return message


def message_json(message: Message, offset_minutes: int = 0) -> Json:
    """Return a message in agentapi's form. The time has an offset of `offset_minutes` from UTC."""
    return {
        "id": message.id,
        "content": message.content,
        "role": message.role,
        "time": timestamp(message.time, message.nanoseconds, offset_minutes),
    }


def choose_snapshot_messages(messages: Sequence[Message]) -> list[Message]:
    """Return the last messages that fit into a snapshot, as the agent's shutdown script chooses them."""
    kept = list(messages[-SNAPSHOT_MESSAGES:])
    while len(kept) > 1 and _size(kept) > SNAPSHOT_LIMIT:
        kept.pop(0)
    if kept and _size(kept) > SNAPSHOT_LIMIT:
        last = kept[0]
        kept = [
            Message(last.id, last.role, last.content[-SNAPSHOT_LIMIT // 4 :], last.time, last.nanoseconds)
        ]
    return kept


def _size(messages: Sequence[Message]) -> int:
    return len(encode({"messages": [message_json(message) for message in messages]}))
