"""Prepares what is sent: masks secrets, and checks texts and metadata against Slack's limits.

Text that people read is masked. Values that Slack returns to us are not masked: a masked response URL would
not work. The content of a field is not masked either, because the person would submit the mask.

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
from collections.abc import Callable

from pydantic import JsonValue

from taskwire.domain.message import Block, Message, View
from taskwire.domain.mrkdwn import quote_names

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


# Keys whose values only Taskwire reads again.
_OURS = frozenset({"private_metadata", "callback_id", "external_id", "block_id", "action_id", "value"})
# The initial content of a field. It is not masked: the person may submit it unchanged, and may see the same
# prompt in Coder.
_FIELD = "initial_value"


class Drafts:
    """Prepares messages, dialogs and files. Raises `Invalid` for what Slack would cut or drop."""

    def __init__(self, mask: Callable[[str], str], mask_own: Callable[[str], str] = str) -> None:
        self.mask = mask
        self._mask_own = mask_own

    def message(self, meant: Message, most_text: int = POSTED_TEXT) -> Message:
        """Return a message as it is sent."""
        blocks = tuple(self._block(block) for block in meant.blocks)
        ready = Message(text=self.mask(quote_names(meant.text)), blocks=blocks)
        check_message(ready, most_text)
        return ready

    def view(self, meant: View) -> Block:
        """Return a dialog's content as it is sent."""
        return self._block(meant.content)

    def file(self, text: str) -> bytes:
        """Return a file's content as it is sent."""
        content = self.mask(text).encode("utf-8", "replace")
        if not content:
            raise Invalid("a file without content")
        return content

    def _block(self, block: Block) -> Block:
        return {
            key: value if key in _OURS or key == _FIELD else self._masked(value)
            for key, value in block.items()
            if not self._is_secret_field(key, value)
        }

    def _is_secret_field(self, key: str, value: JsonValue) -> bool:
        """Return whether a field contains one of our own tokens. Such a field is left empty."""
        return key == _FIELD and isinstance(value, str) and self._mask_own(value) != value

    def _masked(self, node: JsonValue) -> JsonValue:
        if isinstance(node, str):
            return self.mask(node)
        if isinstance(node, list):
            return [self._masked(value) for value in node]
        return self._block(node) if isinstance(node, dict) else node
