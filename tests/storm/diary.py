"""What the bots of a storm wrote in their logs: counts of what matters, and what they call an error."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

# So it seems to bots that the weather has killed, again and again, with the same list in hand.
SEEMING = "a job may be ending its process"
# What a log line says, and what it is counted as.
COUNTED = {
    SEEMING: "jobs that were in hand at four kills",
    "listening": "started",
    "looked before a first try": "looked before a first try",
    "not yet": "tried again later",
    "read after a gap": "threads read after a gap",
    "read back": "posts looked for",
    "read back at once": "posts found at once",
    "read input back": "inputs looked for",
    "redis has gone back in time, or is another one": "redis was another one",
    "redis is away": "redis was away",
    "redis refuses work": "redis refused work",
    "removing a second copy": "second copies removed",
    "sweep failed": "sweeps that failed",
    "turn lost": "turns lost",
}
SHOWN = 10


def read(logs: Iterable[Path]) -> tuple[Counter[str], list[str]]:
    """Count what matters; the first lines that are an error are given as they are."""
    counts: Counter[str] = Counter()
    errors: list[str] = []
    for log in logs:
        for text in log.read_text().splitlines():
            line = _line(text)
            counts[COUNTED.get(str(line.get("event")), "other lines")] += 1
            if line.get("level") == "error" and line.get("event") != SEEMING:
                # Of a stack trace the end says most.
                said, trace = str(line.get("event")), str(line.get("exception", ""))
                errors.append(f"{log.name}: {said}, job {line.get('job')}: {trace[-300:]}")
    counts["errors"] = len(errors)
    return counts, errors[:SHOWN]


def _line(text: str) -> dict[str, object]:
    try:
        line = json.loads(text)
    except ValueError:  # a traceback of a process that ended by itself
        return {}
    return line if isinstance(line, dict) else {}
