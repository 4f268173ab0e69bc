"""Prepares what is sent: masks secrets and checks texts against Slack's limits.

Text that people read is masked. Values that Slack returns to us are not masked: a masked response URL would
not work. The content of a field is not masked either, because the person would submit the mask.
"""

from collections.abc import Callable

from pydantic import JsonValue

from taskwire.domain.message import Block, Message, View
from taskwire.domain.mrkdwn import names_quoted
from taskwire.slack import limits

# Keys whose values only Taskwire reads again.
_OURS = frozenset({"private_metadata", "callback_id", "external_id", "block_id", "action_id", "value"})
# The initial content of a field. It is not masked: the person may submit it unchanged, and may see the same
# prompt in Coder.
_FIELD = "initial_value"


class Drafts:
    """Prepares messages, dialogs and files. Raises `limits.Invalid` for what Slack would cut or drop."""

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
        """Return whether a field contains one of our own tokens. Such a field is left empty."""
        return key == _FIELD and isinstance(value, str) and self._mask_own(value) != value

    def _masked(self, node: JsonValue) -> JsonValue:
        if isinstance(node, str):
            return self.mask(node)
        if isinstance(node, list):
            return [self._masked(value) for value in node]
        return self._block(node) if isinstance(node, dict) else node
