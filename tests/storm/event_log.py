"""Reads the logs of a storm's bots. Counts important events and collects errors."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# The log event for a cached answer that the bot did not use. In a storm any such event is an error: only
# Taskwire writes into Redis, and different clocks of the replicas must not matter.
CACHE_REFUSED = "cached answer not trusted, asked for again"
# Log events, and the names under which they are counted.
COUNTED = {
    "job started several times and never completed; it may crash workers": "jobs running at four kills",
    "listening": "started",
    "searched Slack for an earlier copy, will post if there is none": "looked before a first try",
    "job failed, will retry": "tried again later",
    "reply not delivered, will retry": "tried again later",
    "thread backfilled": "threads read after a gap",
    "outcome of a post unknown, searched Slack for it, posted again if not found": "posts looked for",
    "outcome of a post unknown, message found in Slack, not posted again": "posts found at once",
    "outcome of a reply was unknown, decided from the agent's log": "inputs looked for",
    "redis may have lost writes, effects checked first": "redis was another one",
    "redis is away": "redis was away",
    "redis answers but gives no jobs": "redis refused work",
    "message posted twice, removing one copy": "second copies removed",
    "poll of Coder failed, will poll again": "polls that failed",
    "lease lost: another process has the queue": "leases lost",
    CACHE_REFUSED: "cached answers not used",
    "every stored value is encrypted with the newest key": "key rotations ended",
}
MOST_ERRORS = 10


def read(logs: Iterable[Path]) -> tuple[Counter[str], list[str]]:
    """Return the counts of events, and the first errors."""
    counts: Counter[str] = Counter()
    errors: list[str] = []
    for log in logs:
        for text in log.read_text().splitlines():
            line = _line(text)
            counts[COUNTED.get(str(line.get("event")), "other lines")] += 1
            if line.get("level") == "error" or line.get("event") == CACHE_REFUSED:
                # Of a stack trace, the end says most.
                said, trace = str(line.get("event")), str(line.get("exception", ""))
                about = line.get("job") or line.get("why")
                errors.append(f"{log.name}: {said}, {about}: {trace[-300:]}")
    counts["errors"] = len(errors)
    return counts, errors[:MOST_ERRORS]


def _line(text: str) -> dict[str, object]:
    try:
        line = json.loads(text)
    except ValueError:  # a traceback of a process that ended by itself
        return {}
    return line if isinstance(line, dict) else {}
