"""What the agent gets: what the person saw, with the text files that came with it."""

import json
import re
from typing import NamedTuple, cast

from taskwire.dependencies import Dependencies
from taskwire.domain import replies
from taskwire.domain.agent_text import MARKS, AgentText, for_agent, without_controls
from taskwire.domain.errors import AccountRefused, Refused, UserError
from taskwire.domain.ids import ChannelId, UserId
from taskwire.domain.jobs import FileRef, Reply
from taskwire.domain.message import Block
from taskwire.domain.mrkdwn import is_blank
from taskwire.people.permissions import People

# Text and code, as people attach them; what Slack calls text/… is taken whatever its ending.
TEXT_ENDINGS = re.compile(
    r"\.(txt|md|log|diff|patch|csv|json|ya?ml|toml|ini|cfg|xml|html|css|sql|sh|py|[jt]sx?|go|rs|java|kt|c|h|cc"
    r"|cpp|hpp|cs|rb|php|swift|scala|lua|tf|proto|graphql)$",
    re.IGNORECASE,
)
# Typed into a terminal by the agent's side, so not much; a longer one is better given as a link.
LARGEST_FILE_BYTES = 100_000
# A message that shows nothing at all is refused by Slack.
NO_WORDS = "(no words)"


class Given(NamedTuple):
    """What of a reply the agent can get, and the names of the files that it cannot."""

    text: AgentText
    refused: tuple[str, ...] = ()


class AgentInput:
    """Makes the input of a reply."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def of(self, reply: Reply) -> Given:
        """The words, then each text file under its name."""
        words = await self._written(reply)
        parts: list[str] = [] if is_blank(words) else [words]
        refused = []
        for file in reply.files:
            content = await self._content(file) if _is_text(file) else None
            if content is None:
                refused.append(file.name)
            else:
                parts.append(f"{_named(file)}\n{_fenced(content)}")
        text = for_agent("\n\n".join(parts))
        # What is sent, noted and looked for afterwards is the same text, without tokens of ours.
        return Given(for_agent(self._deps.mask_own(text)), tuple(refused))

    async def words(self, reply: Reply) -> str:
        """What tells people which reply is meant: its words, else the names of its files."""
        words = await self._written(reply)
        return ", ".join(file.name for file in reply.files) or NO_WORDS if is_blank(words) else words

    async def _written(self, reply: Reply) -> AgentText:
        """What a person wrote as they saw it, without the mention that says it to the bot."""
        if reply.is_from_command:
            # A command's text has been decoded where it was read.
            return for_agent(reply.text)
        blocks = cast("list[Block]", json.loads(reply.blocks)) if reply.blocks else []
        read = replies.read(reply.text, self._deps.bot.bot_user_id, reply.person, blocks)
        match read:
            case replies.Input() | replies.NotAVerb():
                raw = read.text
            case _:
                raw = replies.normalised(reply.text, blocks)
        return replies.to_agent_text(raw, await self._names(raw))

    async def _content(self, file: FileRef) -> str | None:
        if file.size > LARGEST_FILE_BYTES:
            return None
        try:
            return await self._deps.slack.download(file.url, LARGEST_FILE_BYTES)
        except (Refused, AccountRefused):
            # The address answers 403 for a single file too.
            return None

    async def _names(self, text: str) -> replies.Names:
        """Names for what is mentioned; what cannot be looked up is shown as Slack sent it."""
        wanted = replies.mentions(text)
        users = {user: await self._user(UserId(user)) for user in wanted.users}
        channels = {channel: await self._channel(ChannelId(channel)) for channel in wanted.channels}
        return replies.Names(users=users, channels=channels)

    async def _user(self, user: UserId) -> str:
        try:
            return await self._people.get_name(user)
        except (Refused, AccountRefused, UserError):
            return ""

    async def _channel(self, channel: ChannelId) -> str:
        try:
            return (await self._deps.slack.get_channel(channel)).name
        except (Refused, AccountRefused):
            return ""


def _is_text(file: FileRef) -> bool:
    is_text_type = file.mimetype.startswith("text/") or file.mimetype == "application/json"
    return is_text_type or TEXT_ENDINGS.search(file.name) is not None


def _named(file: FileRef) -> str:
    """The line above a file: a name that begins the input must be no command to the agent."""
    name = " ".join(for_agent(file.name).split()) or "file"
    code = name.replace("`", "'")
    return f"`{code}`:" if name.startswith(MARKS) else f"{name}:"


def _fenced(content: str) -> str:
    lines = without_controls(content).strip("\n").rstrip()
    longest = max((len(run) for run in re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{lines}\n{fence}"
