"""Slack's method reference, which lies beside the repository and not in it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

Reference = dict[str, dict[str, Any]]  # as the file has it


@pytest.fixture(scope="session")
def reference() -> Reference:
    """Every method as Slack documents it: `shared/data/slack-methods.json`, or below TASKWIRE_SHARED_DATA."""
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    path = Path(os.environ.get("TASKWIRE_SHARED_DATA", beside)) / "slack-methods.json"
    if not path.exists():
        pytest.skip(f"no method reference of Slack at {path}: set TASKWIRE_SHARED_DATA to check against it")
    found: Reference = json.loads(path.read_text(encoding="utf-8"))
    return found


def tier_of(reference: Reference, method: str) -> int:
    """A method's documented tier; 0 where special limits apply."""
    label = str(reference[method]["rate_limit"]["label"])
    return int(label[5]) if label.startswith("Tier ") else 0
