"""Checks texts and metadata against Slack's limits before they are sent.

Slack refuses blocks and dialogs that break its rules. The stand-in has the same rules, and the tests check
every message against them. This module checks the limits below, most of which Slack enforces silently. A
violation is a defect of ours: `Invalid` names it. Nothing is shortened here.

- A posted text of more than 40,000 characters is cut. An edited text of more than 4,000 is refused
  (`msg_too_long`).
- A message without a text shows nothing in notifications.
- Metadata with an unusual event type, or of more than 8,000 bytes, is dropped with a warning. Reading back a
  post of unknown outcome depends on its metadata.
"""

import json
import re

from taskwire.domain.message import Message

POSTED_TEXT = 40_000
EDITED_TEXT = 4_000
METADATA_BYTES = 8_000


class Invalid(ValueError):
    """Slack would cut or drop a part of this, or refuse it. This is a defect of ours."""


def check_message(message: Message, most_text: int) -> None:
    """Raise `Invalid` if this message has no text, or a text of more than `most_text` characters."""
    if not message.text.strip():
        raise Invalid("a message without text")
    if len(message.text) > most_text:
        raise Invalid(f"text has {len(message.text)} characters, and {most_text} are allowed")


def check_metadata(event_type: str, payload: dict[str, str]) -> None:
    """Raise `Invalid` unless Slack keeps this metadata."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", event_type):
        raise Invalid(f"event_type {event_type!r} would be dropped")
    if not payload.get("id") or not payload.get("kind"):
        raise Invalid("metadata without id or kind")
    if len(json.dumps(payload).encode()) > METADATA_BYTES:
        raise Invalid(f"metadata is larger than {METADATA_BYTES} bytes")
