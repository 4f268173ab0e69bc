"""Slack's method reference, which lies beside the repository and not in it."""

import json
from typing import Any

import pytest

from . import references

Reference = dict[str, dict[str, Any]]  # as the file has it

# What the file lacks, from https://docs.slack.dev/reference/methods/auth.teams.list.
BESIDES: Reference = {
    "auth.teams.list": {
        "args": {name: {"required": False} for name in ("cursor", "include_icon", "limit")},
        "errors": {"invalid_cursor": "", "invalid_limit": ""},
        "rate_limit": {"label": "Tier 2: 20+ per minute"},
        "scopes": {},
    }
}


@pytest.fixture(scope="session")
def reference() -> Reference:
    """Every method as Slack documents it."""
    found: Reference = json.loads(references.read("slack-methods.json"))
    return BESIDES | found


def tier_of(reference: Reference, method: str) -> int:
    """A method's documented tier; 0 where special limits apply."""
    label = str(reference[method]["rate_limit"]["label"])
    return int(label[5]) if label.startswith("Tier ") else 0
