"""Drafts: what is about to be sent, with its secrets masked and its text within Slack's limits.

Masked is what people read. What comes back to us is not: a masked response URL answers nobody, and what
stands in a field would be sent off as it stands there.
"""

from collections.abc import Callable

from pydantic import JsonValue

from taskwire.domain.message import Block, Message, View
from taskwire.domain.mrkdwn import names_quoted
from taskwire.slack import limits

# What we read again ourselves.
_OURS = frozenset({"private_metadata", "callback_id", "external_id", "block_id", "action_id", "value"})
# What a person may send off as it is. Whoever opens a dialog may see the prompt in Coder too.
_FIELD = "initial_value"


class Drafts:
    """Makes what is sent out of what is meant; raises `limits.Invalid` for what Slack would spoil."""

    def __init__(self, mask: Callable[[str], str], mask_own: Callable[[str], str] = str) -> None:
        self.mask = mask
        self._mask_own = mask_own

    def message(self, meant: Message, most_text: int = limits.POSTED_TEXT) -> Message:
        """Return a message as it is sent."""
        blocks = tuple(self._block(block) for block in meant.blocks)
        ready = Message(text=self.mask(names_quoted(meant.text)), blocks=blocks)
        limits.check_message(ready, most_text)
        return ready

    def view(self, meant: View) -> Block:
        """Return a dialog's content as it is sent."""
        return self._block(meant.content)

    def file(self, text: str) -> bytes:
        """Return a file's content as it is sent."""
        content = self.mask(text).encode("utf-8", "replace")
        if not content:
            raise limits.Invalid("a file without content")
        return content

    def _block(self, block: Block) -> Block:
        return {
            key: value if key in _OURS or key == _FIELD else self._masked(value)
            for key, value in block.items()
            if not self._is_secret_field(key, value)
        }

    def _is_secret_field(self, key: str, value: JsonValue) -> bool:
        """Whether a field would show one of our own tokens: then it is left empty."""
        return key == _FIELD and isinstance(value, str) and self._mask_own(value) != value

    def _masked(self, node: JsonValue) -> JsonValue:
        if isinstance(node, str):
            return self.mask(node)
        if isinstance(node, list):
            return [self._masked(value) for value in node]
        return self._block(node) if isinstance(node, dict) else node
