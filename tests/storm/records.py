"""Keeps records of a storm that failed, so that a person can find the cause.

The records are files of JSON lines: every call to Slack, every payload that Slack sent, and the latest
requests to Coder. In the same directory are the logs of the bots, and Redis's append-only file with every
write and its time.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from taskwire_sandbox.coder import CoderSandbox
from taskwire_sandbox.slack import SlackSandbox

LONGEST = 600
Lines = Iterable[dict[str, object]]


def keep(directory: Path, slack: SlackSandbox, coder: CoderSandbox) -> None:
    """Write the records into the directory."""
    calls: Lines = (
        {"at": _time(call.at), "method": call.method, "outcome": call.outcome, "with": call.arguments}
        for call in slack.calls
    )
    payloads: Lines = (
        {
            "sent": _time(sent.sent_at),
            "acked": _time(sent.acked_at),
            "tries": sent.attempts,
            "with": sent.payload,
        }
        for sent in slack.deliveries
    )
    requests: Lines = (
        {
            "at": f"{seen.at:%H:%M:%S.%f}",
            "call": f"{seen.method} {seen.path}",
            "status": seen.status,
            "fault": seen.fault,
            "executed": seen.has_executed,
            "with": seen.body.decode(errors="replace"),
        }
        for seen in coder.requests
    )
    for name, lines in (("slack-calls", calls), ("slack-payloads", payloads), ("coder-requests", requests)):
        _write(directory / f"{name}.jsonl", lines)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S.%f}"


def _write(path: Path, lines: Lines) -> None:
    with path.open("w") as file:
        for line in lines:
            given = json.dumps(line.pop("with"), ensure_ascii=False)
            file.write(json.dumps(line | {"with": given[:LONGEST]}, ensure_ascii=False) + "\n")
