"""Reads earlier messages of a thread, so that an agent gets these messages as context.

A person can give an agent only messages that the person can read. `domain/text/thread_context.py` writes the
text.
"""

import json
from typing import cast

from taskwire.agent.input import AgentInput
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import Refused, UserError
from taskwire.domain.ids import UserId
from taskwire.domain.parsing import replies
from taskwire.domain.requester import EarlierMessages
from taskwire.domain.text.agent_text import AgentText
from taskwire.domain.text.message import Block
from taskwire.domain.text.thread_context import MOST_MESSAGES, EarlierMessage, make_context
from taskwire.messages import refusals
from taskwire.people.permissions import People
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.inbound import WrittenMessage


class ThreadContext:
    """Reads earlier messages of a thread."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input

    async def read(self, person: UserId, wanted: EarlierMessages) -> AgentText:
        """Return the messages as context.

        Raise UserError if the person or the bot cannot read the messages.
        """
        return make_context(await self.list_messages(person, wanted))

    async def list_messages(self, person: UserId, wanted: EarlierMessages) -> list[EarlierMessage]:
        """List the messages with the names of their authors. Raise UserError as `read` does."""
        if not await self._people.directory.can_see(person, wanted.channel):
            raise UserError(*refusals.earlier_messages_unreadable())
        try:
            found = await self._deps.slack.list_earlier(wanted.channel, wanted.thread_ts, wanted.before)
        except (ChannelProblem, MessageGone):
            raise UserError(*refusals.earlier_messages_unreadable()) from None
        return [await self._describe(message) for message in found[-MOST_MESSAGES:]]

    async def _describe(self, message: WrittenMessage) -> EarlierMessage:
        blocks = cast("list[Block]", json.loads(message.blocks_json)) if message.blocks_json else []
        raw = replies.to_markdown(message.text, blocks)
        text = replies.to_agent_text(raw, await self._agent_input.list_names(raw))
        files = [f"(file {file.name})" for file in message.files]
        return EarlierMessage(
            await self._find_name(message.person), self._deps.mask_own("\n".join([text, *files]).strip())
        )

    async def _find_name(self, person: UserId) -> str:
        try:
            return await self._people.directory.get_name(person)
        except (UserError, Refused):
            return ""
