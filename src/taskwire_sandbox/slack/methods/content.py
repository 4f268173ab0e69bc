"""The content of an app's message: text, blocks, attachments and metadata, and the limits of each."""

import json
import re

from taskwire_sandbox.slack import text as words
from taskwire_sandbox.slack.backend import Backend
from taskwire_sandbox.slack.block_rules import MESSAGE, problems
from taskwire_sandbox.slack.errors import ApiError, Json
from taskwire_sandbox.slack.view_stacks import with_ids

# Limits in characters. A longer posted text is cut; a longer edit or markdown text is refused.
TEXT_TRUNCATED = 40_000
TEXT_EDITED = 4_000
MARKDOWN_TEXT = 12_000
# The most characters in all blocks of a message. Slack refuses somewhere between 13,100 and 13,300, as
# observed (slackapi/bolt-js#2509).
BLOCKS_TOGETHER = 13_200
ATTACHMENTS = 100
_EVENT_TYPE = re.compile(r"[A-Za-z0-9_-]+")
# In bytes. Slack's reference names the error but not the size. People report 16 KB.
METADATA_BYTES = 16_384


def body(slack: Backend, arguments: Json, too_long: str) -> Json:
    """Check text, blocks and attachments, and return them in the form in which Slack stores them.

    Raise ApiError if Slack would refuse them. `too_long` is the error for blocks that are too long.
    """
    has_markdown = bool(arguments.get("markdown_text"))
    if has_markdown and (arguments.get("text") or arguments.get("blocks")):
        raise ApiError("markdown_text_conflict")
    stored: Json = {"text": words.posted(arguments.get("text") or "")}
    if has_markdown:
        stored["text"] = words.posted(arguments["markdown_text"])
        if len(arguments["markdown_text"]) > MARKDOWN_TEXT:
            raise ApiError("invalid_arguments")
    blocks = _blocks(slack, arguments.get("blocks"), too_long)
    if blocks:
        stored["blocks"] = blocks
    attachments = _attachments(arguments.get("attachments"))
    if attachments:
        stored["attachments"] = attachments
    if not stored["text"] and not blocks and not attachments:
        raise ApiError("no_text")
    return stored


def _blocks(slack: Backend, given: object, too_long: str) -> list[Json]:
    if given is None or given == "":
        return []
    if not isinstance(given, list):
        raise ApiError("invalid_blocks_format")
    found = problems(given, MESSAGE)
    if found:
        slack.ledger.record_violation(f"invalid_blocks: {'; '.join(found)}")
        raise ApiError("invalid_blocks", errors=found, response_metadata={"messages": found})
    if _characters(given) > BLOCKS_TOGETHER:
        raise ApiError(too_long)
    return with_ids(json.loads(json.dumps(given)))


def _characters(node: object) -> int:
    """Count the characters of all texts in a tree of blocks."""
    if isinstance(node, dict):
        own = len(node["text"]) if isinstance(node.get("text"), str) else 0
        return own + sum(_characters(value) for value in node.values())
    if isinstance(node, list):
        return sum(_characters(value) for value in node)
    return 0


def _attachments(given: object) -> list[Json]:
    if given is None or given == "":
        return []
    if not isinstance(given, list):
        raise ApiError("invalid_arguments")
    if len(given) > ATTACHMENTS:
        raise ApiError("too_many_attachments")
    return [{"id": number, "fallback": ""} | item for number, item in enumerate(given, 1)]


def metadata(slack: Backend, given: object) -> tuple[Json | None, list[str]]:
    """Check the metadata of a message. Return the metadata and Slack's warnings.

    The returned metadata is None if the message has none, or if Slack would ignore it. Raise ApiError if
    Slack would refuse it.
    """
    if given is None or given == "" or given == {}:
        return None, []
    if not isinstance(given, dict):
        raise ApiError("invalid_metadata_format")
    if set(given) == {"entities"}:
        return given, []
    kind, payload = given.get("event_type"), given.get("event_payload")
    if not isinstance(kind, str) or not _EVENT_TYPE.fullmatch(kind) or not isinstance(payload, dict):
        slack.ledger.record_violation(f"metadata ignored: event_type {kind!r}")
        return None, ["invalid_metadata_schema"]
    if len(json.dumps(given).encode()) > METADATA_BYTES:
        raise ApiError("metadata_too_large")
    return {"event_type": kind, "event_payload": payload}, []


def identity(slack: Backend, arguments: Json) -> Json:
    """Return the fields that name the author of a message of the app."""
    app = slack.app
    return {
        "user": app.bot_user_id,
        "bot_id": app.bot_id,
        "app_id": app.app_id,
        "bot_profile": app.profile,
    } | ({"subtype": "bot_message", "username": arguments["username"]} if arguments.get("username") else {})
