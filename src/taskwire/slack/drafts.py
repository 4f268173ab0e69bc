"""Prepares what is sent to Slack: masks secrets, and checks texts and metadata against Slack's limits.

Text that people read is masked. Two kinds of values are not masked. The first kind is values that Slack only
returns to us, such as a response URL in a dialog's private metadata. The second kind is the initial value of
a field, because the person would submit the mask.

Slack refuses blocks and dialogs that break its rules. The stand-in for Slack has these rules too, and tests
send every message to the stand-in. This module checks the limits below. Slack enforces most of them without
an error. A violation is a defect of Taskwire and raises `InvalidDraft`. This module shortens nothing.

- Slack cuts a posted text of more than 40,000 characters. It refuses an edited text of more than 4,000
  (`msg_too_long`).
- A message without a text shows nothing in notifications.
- Slack drops metadata of more than 8,000 bytes. It also drops metadata whose event type has other characters
  than letters, digits, `_` and `-`. Slack answers only with a warning. A message without metadata cannot be
  found again if the outcome of its post is unknown.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from pydantic import JsonValue

from taskwire.domain.text.message import Block, Message, View
from taskwire.domain.text.mrkdwn import quote_names

POSTED_TEXT_LENGTH = 40_000
EDITED_TEXT_LENGTH = 4_000
METADATA_BYTES = 8_000


class InvalidDraft(ValueError):
    """A message, dialog or file breaks one of Slack's limits. This is a defect of Taskwire."""


def check_message(message: Message, most_text: int) -> None:
    """Raise `InvalidDraft` if a message has no text, or a text of more than `most_text` characters."""
    if not message.text.strip():
        raise InvalidDraft("a message without text")
    if len(message.text) > most_text:
        raise InvalidDraft(f"text has {len(message.text)} characters, and {most_text} are allowed")


def check_metadata(event_type: str, payload: dict[str, str]) -> None:
    """Raise `InvalidDraft` if Slack would drop this metadata."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", event_type):
        raise InvalidDraft(f"event_type {event_type!r} would be dropped")
    if not payload.get("id") or not payload.get("kind"):
        raise InvalidDraft("metadata without id or kind")
    if len(json.dumps(payload).encode()) > METADATA_BYTES:
        raise InvalidDraft(f"metadata is larger than {METADATA_BYTES} bytes")


# The keys of values that Slack returns unchanged and that only Taskwire reads.
_UNMASKED_KEYS = frozenset(
    {"private_metadata", "callback_id", "external_id", "block_id", "action_id", "value"}
)
# The key of the text with which a field of a dialog opens. This text is not masked, because the person may
# submit it unchanged. The person can also see it in Coder.
_INITIAL_VALUE = "initial_value"


# Elements of rich text that consist of pieces which Slack shows in one line, and the kinds of pieces that
# contain words.
_LINES = frozenset({"rich_text_section", "rich_text_preformatted", "rich_text_quote"})
_TEXTS = frozenset({"text", "link"})


class Drafts:
    """Prepares messages, dialogs and files. Raises `InvalidDraft` if Slack would cut or drop a part.

    `mask` masks all secrets. `mask_own` masks only Taskwire's own tokens.
    """

    def __init__(self, mask: Callable[[str], str], mask_own: Callable[[str], str] = str) -> None:
        self.mask = mask
        self._mask_own = mask_own

    def prepare_message(self, message: Message, most_text: int = POSTED_TEXT_LENGTH) -> Message:
        """Return the masked message.

        Raises `InvalidDraft` if the message has no text, or a text of more than `most_text` characters.
        """
        blocks = tuple(self._block(block) for block in message.blocks)
        ready = Message(text=self.mask(quote_names(message.text)), blocks=blocks)
        check_message(ready, most_text)
        return ready

    def prepare_view(self, view: View) -> Block:
        """Return the masked content of a dialog."""
        return self._block(view.content)

    def prepare_file(self, text: str) -> bytes:
        """Return the masked content of a file. Raises `InvalidDraft` if the file is empty."""
        content = self.mask(text).encode("utf-8", "replace")
        if not content:
            raise InvalidDraft("a file without content")
        return content

    def _block(self, block: Block) -> Block:
        if block.get("type") in _LINES:
            # Do this before each piece is masked. If half of a secret were masked already, the search would
            # not find the other half.
            block = block | {"elements": [*self._mask_across(block.get("elements"))]}
        return {
            key: value if key in _UNMASKED_KEYS or key == _INITIAL_VALUE else self._masked(value)
            for key, value in block.items()
            if not self._is_secret_field(key, value)
        }

    def _mask_across(self, elements: JsonValue) -> Iterator[Block]:
        """Yield the pieces of a line of rich text.

        If several pieces contain one secret, yield them as one plain text.

        A secret may be in several pieces, for example if a part of the secret is bold.
        """
        pieces = (
            [piece for piece in elements if isinstance(piece, dict)] if isinstance(elements, list) else []
        )
        for is_text, run in groupby(pieces, lambda piece: piece.get("type") in _TEXTS):
            same = list(run)
            if is_text and (hidden := self._hide_across(same)) is not None:
                same = [{"type": "text", "text": hidden}]
            yield from same

    def _hide_across(self, pieces: Sequence[Block]) -> str | None:
        """Return the masked text of pieces if one secret is in several of them, and None otherwise."""
        texts = [str(piece.get("text") or piece.get("url") or "") for piece in pieces]
        masked = [self.mask(text) for text in texts]
        shown, apart = "".join(texts), "".join(masked)
        hidden = self.mask(shown)
        if hidden in (shown, apart):
            return None
        for text, own in zip(texts, masked, strict=True):
            # In the joined text, a word beside a secret can hide the secret. The mask may still find the
            # secret in the piece alone.
            hidden = hidden.replace(text, own) if own != text else hidden
        return hidden

    def _is_secret_field(self, key: str, value: JsonValue) -> bool:
        """Return whether a field's initial value contains one of our own tokens.

        The field is then left empty.
        """
        return key == _INITIAL_VALUE and isinstance(value, str) and self._mask_own(value) != value

    def _masked(self, node: JsonValue) -> JsonValue:
        if isinstance(node, str):
            return self.mask(node)
        if isinstance(node, list):
            return [self._masked(value) for value in node]
        return self._block(node) if isinstance(node, dict) else node
