"""Reads the stand-ins' own records after a storm, and returns the few values that the tally compares.

The module does not ask the bot or its Redis. Only what Slack shows and what Coder has counts.
"""

from collections import defaultdict
from collections.abc import Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from taskwire_sandbox.coder import CoderSandbox, SandboxTask
from taskwire_sandbox.coder.derived import STATE_NAMES
from taskwire_sandbox.coder.rows import AppStatus, Task
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.ledger import Delivery
from taskwire_sandbox.slack.workspace import StoredMessage

from .acts import ThreadKey

FINISHED = ("complete", "failed")
# Coder's list shows only an agent's newest report. Earlier reports can be read only until the workspace
# stops. If the replica that read a report has died, another replica reads it again within 10 s, or later if
# Redis is away.
UNREAD_WITHIN = timedelta(seconds=20)


@dataclass(frozen=True)
class BotMessage:
    """One message of the bot."""

    id: str
    kind: str
    task_id: str
    place: ThreadKey
    ts: str
    text: str
    # Whether the message has taken the place of another one. For example, the message about a pause takes the
    # place of an earlier question.
    is_in_place: bool = False


class Finish(NamedTuple):
    """A report of an agent that its turn is complete or has failed."""

    id: str
    state: str
    at: datetime
    # Whether the agent stopped before Coder showed the report, or soon after it. Then perhaps no bot could
    # read the report.
    is_gone: bool = False

    @property
    def notice(self) -> str:
        """Return the end of the id of the notice about this report."""
        return f"{'completed' if self.state == 'complete' else 'failed'}:{self.id}"


@dataclass
class TaskLedger:
    """What Coder has of one task."""

    id: str
    prompt: str
    inputs: list[str]
    finishes: list[Finish]
    # The ends of the ids of all notices that the bot may post about the task, in the order of the events.
    story: list[str]
    label: str


@dataclass
class Ledger:
    """The records of both stand-ins, read once."""

    said: list[BotMessage] = field(default_factory=list)
    tasks: list[TaskLedger] = field(default_factory=list)
    receipts: dict[ThreadKey, list[str]] = field(default_factory=dict)
    arrivals: dict[ThreadKey, Delivery] = field(default_factory=dict)
    # The types of events that the bot has acked, each with its message.
    heard: set[tuple[str, ThreadKey]] = field(default_factory=set)
    # The messages that the bot has skipped, because their authors made too many requests in a minute.
    skipped: set[ThreadKey] = field(default_factory=set)

    def cards(self) -> list[BotMessage]:
        """Return the cards."""
        return [said for said in self.said if said.kind == "card"]

    def threads(self) -> dict[ThreadKey, list[BotMessage]]:
        """Return the bot's messages in each thread, in order."""
        threads: dict[ThreadKey, list[BotMessage]] = defaultdict(list)
        for said in self.said:
            if said.kind != "card":
                threads[said.place].append(said)
        return threads


def read(slack: SlackSandbox, coder: CoderSandbox, shown: Set[str]) -> Ledger:
    """Read the records of both stand-ins. `shown` has the ids of the reports that Coder has shown in an
    answer."""
    ledger = Ledger(tasks=[_task(puppet, shown) for puppet in coder.tasks])
    posts = [call.arguments for call in slack.calls if call.method == "chat.postMessage"]
    ids = {str(post["metadata"]["event_payload"]["id"]) for post in posts if "metadata" in post}
    for channel in slack.workspace.channels.values():
        for ts, stored in channel.messages.items():
            if stored.metadata is not None:
                ledger.said.append(_said(channel.id, ts, stored, ids))
            elif stored.reactions:
                names = [name for name, users in stored.reactions.items() if slack.bot_user_id in users]
                ledger.receipts[ThreadKey(channel.id, ts)] = names
    for delivery in slack.deliveries:
        event = delivery.payload.get("event", {})
        about = event.get("item") or event
        if delivery.acked_at is not None and "channel" in about and "ts" in about:
            ledger.heard.add((event["type"], ThreadKey(about["channel"], about["ts"])))
        if event.get("type") == "message" and "subtype" not in event:
            ledger.arrivals[ThreadKey(event["channel"], event["ts"])] = delivery
    return ledger


def _said(channel: str, ts: str, stored: StoredMessage, posted: Set[str]) -> BotMessage:
    meta = (stored.metadata or {})["event_payload"]
    place = ThreadKey(channel, stored.body.get("thread_ts", ts))
    name, text = meta["id"], stored.body["text"]
    return BotMessage(name, meta["kind"], meta.get("task_id", ""), place, ts, text, name not in posted)


def _task(puppet: SandboxTask, shown: Set[str]) -> TaskLedger:
    task = puppet.row
    reports = task.workspace.app.statuses
    finishes = [
        Finish(r.id, _state(r), r.created_at, _may_be_gone(task, r, shown))
        for r in reports
        if _state(r) in FINISHED
    ]
    return TaskLedger(
        task.id, task.prompt, list(task.inputs), finishes, _story(task, finishes), _label(puppet, finishes)
    )


def _may_be_gone(task: Task, report: AppStatus, shown: Set[str]) -> bool:
    """Return whether the agent may have stopped before any bot could read its report. `shown` are the ids of
    the reports that Coder has shown."""
    builds = task.workspace.builds
    stops = [each.completed_at for each in builds if each.transition == "stop" and each.completed_at]
    gone_at = min((at for at in stops if at >= report.created_at), default=None)
    if gone_at is None:
        return False
    return report.id not in shown or gone_at <= report.created_at + UNREAD_WITHIN


def _story(task: Task, finishes: list[Finish]) -> list[str]:
    """Return the events of a task in order. Each event is the last part of its notice's id. A stopped
    workspace counts as paused, and a started one as resumed."""
    moments = [(finish.at, finish.notice) for finish in finishes]
    for build in task.workspace.builds[1:]:
        agent, is_stop = build.agent, build.transition == "stop"
        moment = build.completed_at if is_stop else agent.ready_at if agent is not None else None
        if moment is not None:
            moments.append((moment, f"{'paused' if is_stop else 'resumed'}:{build.number}"))
    return [name for _, name in sorted(moments)]


def _state(report: AppStatus) -> str:
    return STATE_NAMES.get(report.state, report.state)


def _label(puppet: SandboxTask, finishes: list[Finish]) -> str:
    """Return the word with which the card of an idle task must begin. It says how the present turn ended, or
    that the task needs somebody."""
    if puppet.program is None:
        return puppet.status.title()
    written = [entry.time for entry in puppet.log if entry.role == "user"]
    began = max([puppet.row.workspace.latest.created_at, *written])
    turn = [finish for finish in finishes if finish.at >= began]
    if not turn:
        return "Needs you"
    return "Done" if turn[-1].state == "complete" else "Failed"
