"""What the agent gets: what the person saw, with the text files that came with it."""

import json
import re
from typing import cast

from taskwire.bridge.doors import Doors
from taskwire.bridge.people import People
from taskwire.model import replies
from taskwire.model.errors import Refused, UserError
from taskwire.model.ids import ChannelId, UserId
from taskwire.model.jobs import FileRef, Reply
from taskwire.model.messages import Block
from taskwire.words import refusals

# Text and code, as people attach them; what Slack calls text/… is taken whatever its ending.
TEXT_ENDINGS = re.compile(
    r"\.(txt|md|log|diff|patch|csv|json|ya?ml|toml|ini|cfg|xml|html|css|sql|sh|py|[jt]sx?|go|rs|java|kt|c|h|cc"
    r"|cpp|hpp|cs|rb|php|swift|scala|lua|tf|proto|graphql)$",
    re.IGNORECASE,
)
# Typed into a terminal by the agent's side, so not much; a longer one is better given as a link.
LARGEST_FILE_BYTES = 100_000


class InputText:
    """Makes the input of a reply."""

    def __init__(self, doors: Doors, people: People) -> None:
        self._doors = doors
        self._people = people

    async def of(self, reply: Reply) -> str:
        """The words, then each text file under its name; raises UserError that names files it cannot take."""
        blocks = cast("list[Block]", json.loads(reply.blocks)) if reply.blocks else []
        raw = replies.normalised(reply.text, blocks)
        words = replies.to_agent_text(raw, await self._names(raw))
        taken = [file for file in reply.files if _is_text(file)]
        refused = [file.name for file in reply.files if not _is_text(file)]
        parts = [words] if words else []
        for file in taken:
            content = await self._content(file)
            if content is None:
                refused.append(file.name)
            else:
                parts.append(f"{file.name}:\n```\n{content.rstrip()}\n```")
        if refused and not reply.is_confirmed:
            raise UserError(*refusals.cannot_take_files(refused))
        text = "\n\n".join(parts).strip()
        if not text:
            raise UserError(*refusals.nothing_to_send())
        return text

    async def _content(self, file: FileRef) -> str | None:
        if file.size > LARGEST_FILE_BYTES:
            return None
        try:
            return await self._doors.slack.download(file.url, LARGEST_FILE_BYTES)
        except Refused:
            return None

    async def _names(self, text: str) -> replies.Names:
        wanted = replies.mentions(text)
        users = {user: await self._user(UserId(user)) for user in wanted.users}
        channels = {channel: await self._channel(ChannelId(channel)) for channel in wanted.channels}
        return replies.Names(users=users, channels=channels)

    async def _user(self, user: UserId) -> str:
        try:
            return await self._people.get_name(user)
        except (Refused, UserError):
            return user

    async def _channel(self, channel: ChannelId) -> str:
        try:
            return (await self._doors.slack.get_channel(channel)).name
        except Refused:
            return channel


def _is_text(file: FileRef) -> bool:
    is_text_type = file.mimetype.startswith("text/") or file.mimetype == "application/json"
    return is_text_type or TEXT_ENDINGS.search(file.name) is not None
