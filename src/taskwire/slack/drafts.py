"""Drafts: what is about to be sent, with its secrets masked and looked at against Slack's limits."""

from collections.abc import Callable

from pydantic import JsonValue

from taskwire.model.messages import Block, Message, View
from taskwire.slack import limits


class Drafts:
    """Makes what is sent out of what is meant; raises `limits.Invalid` for what Slack would refuse."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self.mask = mask

    def message(self, meant: Message, most_text: int = limits.POSTED_TEXT) -> Message:
        """Return a message as it is sent."""
        blocks = tuple(self._block(block) for block in meant.blocks)
        ready = Message(text=self.mask(meant.text), blocks=blocks)
        limits.check_message(ready, most_text)
        return ready

    def view(self, meant: View) -> Block:
        """Return a dialog's content as it is sent."""
        ready = View(content=self._block(meant.content))
        limits.check_view(ready)
        return ready.content

    def file(self, text: str) -> bytes:
        """Return a file's content as it is sent."""
        content = self.mask(text).encode("utf-8", "replace")
        if not content:
            raise limits.Invalid("a file without content")
        return content

    def _block(self, block: Block) -> Block:
        return {key: self._masked(value) for key, value in block.items()}

    def _masked(self, node: JsonValue) -> JsonValue:
        if isinstance(node, str):
            return self.mask(node)
        if isinstance(node, list):
            return [self._masked(value) for value in node]
        return self._block(node) if isinstance(node, dict) else node
