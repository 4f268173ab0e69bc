"""The tables, the manifest and the Slack stand-in agree with Slack's references, if these are present."""

import json
from typing import Any

import jsonschema
import pytest

from taskwire.slack import manifest
from taskwire_sandbox.slack.methods import all_methods

from . import references
from .slack_table import MANIFEST, METHODS, TIERS, list_arguments, list_required_arguments

Reference = dict[str, dict[str, Any]]  # the entries of the file with Slack's reference

# These methods are missing in the file of Slack's reference. The rows come from their pages at
# https://docs.slack.dev/reference/methods. The first page could be read only in part: its tier and
# `not_authorized` come from reports of users.
BESIDES: Reference = {
    "agents.sessions.setStatus": {
        "args": {
            name: {"required": name == "status"}
            for name in (
                *("channel_id", "status", "thread_ts", "title", "initiator_user_id"),
                *("icon_emoji", "icon_url", "username"),
            )
        },
        "errors": {"channel_not_found": "", "not_authorized": ""},
        "rate_limit": {"label": "Tier 3: 50+ per minute"},
        "scopes": {"bot": [{"name": "chat:write"}]},
    },
    "auth.teams.list": {
        "args": {name: {"required": False} for name in ("cursor", "include_icon", "limit")},
        "errors": {"invalid_cursor": "", "invalid_limit": ""},
        "rate_limit": {"label": "Tier 2: 20+ per minute"},
        "scopes": {},
    },
}


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Return every method as Slack documents it."""
    found: Reference = json.loads(references.read_reference("slack-methods.json"))
    return BESIDES | found


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Return Slack's schema for manifests."""
    found: dict[str, Any] = json.loads(references.read_reference("slack-manifest.schema.json"))
    return found


def _tier(reference: Reference, method: str) -> int:
    """Return the documented tier of a method, or 0 for a special limit."""
    label = str(reference[method]["rate_limit"]["label"])
    return int(label[5]) if label.startswith("Tier ") else 0


def _scopes(reference: Reference, method: str) -> set[str]:
    return {scope["name"] for scope in reference[method]["scopes"].get("bot", [])}


def _required(reference: Reference, method: str) -> set[str]:
    return {name for name, argument in reference[method]["args"].items() if argument["required"]}


def test_the_table_is_what_slack_documents(reference: Reference) -> None:
    """Methods, arguments, scopes, tiers, and errors that count as success are those of Slack's reference."""
    assert METHODS.keys() <= reference.keys()
    for method, row in METHODS.items():
        assert list_arguments(method) <= reference[method]["args"].keys(), method
        assert list_required_arguments(method) == _required(reference, method), method
        assert set(row.scopes.split()) == _scopes(reference, method), method
        assert row.tier == _tier(reference, method), method
        label = str(reference[method]["rate_limit"]["label"])
        assert not row.tier or label == f"Tier {row.tier}: {TIERS[row.tier]}+ per minute", method
        assert {row.fine} - {""} <= set(reference[method]["errors"]), method


def test_the_sandbox_knows_nothing_that_slack_does_not_have(reference: Reference) -> None:
    """Each method of the stand-in has Slack's arguments, scopes and tier, and only errors that Slack
    documents."""
    methods = all_methods()

    assert methods.keys() <= reference.keys()
    for name, known in methods.items():
        demanded = {argument.name for argument in known.arguments.values() if argument.is_required}
        assert known.arguments.keys() == reference[name]["args"].keys(), name
        assert demanded == _required(reference, name), name
        assert known.errors <= set(reference[name]["errors"]), name
        assert set(known.scopes) == _scopes(reference, name), name
        assert known.tier == _tier(reference, name), name


def test_the_manifest_fits_slacks_schema(schema: dict[str, Any]) -> None:
    """The manifests of Socket Mode and of HTTP mode are valid in Slack's schema."""
    for request_url in ("", "https://taskwire.example.com/slack/events"):
        for is_agent in (False, True):
            jsonschema.validate(manifest.make_manifest(request_url, is_agent=is_agent), schema)


def test_the_table_of_the_manifest_is_slacks(schema: dict[str, Any]) -> None:
    """The kinds, lengths and required keys in the manifest's table are those of Slack's schema."""
    found = {}
    for row in MANIFEST:
        known, is_required = _resolved(schema, schema), False
        for name in row.removesuffix("!").split("."):
            key, _, is_item = name.partition("[")
            is_required = key in known.get("required", [])
            known = _resolved(schema, known["properties"][key])
            if is_item:
                known, is_required = _resolved(schema, known["items"]), False
        found[row] = (_limits(known), is_required)

    assert found == {row: (kind, row.endswith("!")) for row, kind in MANIFEST.items()}


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        part = schema["definitions"][part["$ref"].rpartition("/")[2]]
    return part


def _limits(known: dict[str, Any]) -> str:
    if known["type"] == "array":
        return f"array {known.get('minItems', 0)} {known['maxItems']}"
    if "enum" in known:
        lengths = [len(value) for value in known["enum"]]
        return f"string {min(lengths)} {max(lengths)}"
    if known["type"] == "string":
        return f"string {known.get('minLength', 0)} {known['maxLength']}"
    return str(known["type"])
