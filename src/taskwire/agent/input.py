"""Makes the agent's input from a reply.

The input is the reply's text as its author saw it, and the content of the reply's text files. `require_fits`
decides how long a reply or a prompt may be in all.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import AccountRefused, Refused, UserError
from taskwire.domain.ids import ChannelId, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing import replies
from taskwire.domain.parsing.naming import LINK_BACK
from taskwire.domain.queueing.jobs import Reply
from taskwire.domain.requester import FileRef
from taskwire.domain.text.agent_text import (
    COMMAND_MARKS,
    AgentText,
    is_shell_command,
    remove_control_characters,
    sanitize_for_agent,
)
from taskwire.domain.text.attribution import attribute
from taskwire.domain.text.message import Block
from taskwire.domain.text.mrkdwn import is_blank
from taskwire.messages import task_limits
from taskwire.messages.blocks import clean_name
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.shortcuts import PickedMessage

# A file with one of these endings is text or code. A file of a type text/… may have any ending.
TEXT_ENDINGS = re.compile(
    r"\.(txt|md|log|diff|patch|csv|json|ya?ml|toml|ini|cfg|xml|html|css|sql|sh|py|[jt]sx?|go|rs|java|kt|c|h|cc"
    r"|cpp|hpp|cs|rb|php|swift|scala|lua|tf|proto|graphql)$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[0-9]{1,2}")
_ONE_WORD = re.compile(r"[\w.+-]+")
# The input is typed into a terminal, so a file must be short. For a longer file, the author should post a
# link.
LARGEST_FILE_BYTES = 100_000
# The most characters of one reply or one prompt, with the messages of a thread and all text files. One file
# of the largest size fits beside any message. Coder's list of tasks contains every prompt, so each poll reads
# a long prompt again.
LONGEST_INPUT = 150_000
# In a text that mentions more people and channels than this, the others stay ids. Each name may be a call.
MOST_NAMES = 20
# Slack refuses a message without visible text.
NO_TEXT = "(no words)"


class PreparedInput(NamedTuple):
    """The input for the agent, and the names of files about which people must be told.

    The input cannot contain the `refused_files`. The content of the `changed_files` has changed since another
    person decided to send the reply. `number` is the text without the name of its author, if it is only a
    number: a menu of the agent's program takes nothing else.
    """

    text: AgentText
    refused_files: tuple[str, ...] = ()
    changed_files: tuple[str, ...] = ()
    number: AgentText = AgentText("")


class ReadFile(NamedTuple):
    """The content of a file as the agent would get it, and a hash of the file's name and content.

    Both are empty if the agent cannot get the file.
    """

    text: str
    hash: str


class InputTooLong(UserError):
    """The agent would get more than LONGEST_INPUT characters at once."""

    def __init__(self) -> None:
        super().__init__(*task_limits.input_too_long(LONGEST_INPUT), reason="too_long")


def require_fits(text: str) -> None:
    """Raise InputTooLong if this is more than an agent gets at once."""
    if len(text) > LONGEST_INPUT:
        raise InputTooLong


class AgentInput:
    """Makes the agent's input from a reply."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def prepare(self, reply: Reply) -> PreparedInput:
        """Return the input for the agent: the reply's text, then the name and content of each text file.

        Raise InputTooLong if all of it together is too long.
        """
        words = await self.get_text(reply)
        parts: list[str] = [] if is_blank(words) else [words]
        refused, changed = [], []
        for number, file in enumerate(reply.files):
            content = await self._find_content(file)
            if reply.file_hashes and reply.file_hashes[number : number + 1] != (_hash(file, content),):
                changed.append(file.name)
            if content is None:
                refused.append(file.name)
            else:
                parts.append(f"{make_heading(file)}\n{_fence(content)}")
                # Download no more files than can be sent.
                require_fits("\n\n".join(parts))
        text = sanitize_for_agent("\n\n".join(parts))
        # Mask tokens now, because this text is sent, written into the intent record, and searched for in the
        # log. Mask them before the lines are quoted, because the marks could hide a token of several lines.
        text = sanitize_for_agent(self._deps.mask_own(text))
        choice = text if not reply.files and _NUMBER.fullmatch(text) else AgentText("")
        if reply.author_name and text:
            text = sanitize_for_agent(self._deps.mask_own(name_author(reply.author_name, text)))
        require_fits(text)
        return PreparedInput(text, tuple(refused), tuple(changed), choice)

    async def with_speaker(self, reply: Reply, link: Link) -> Reply:
        """Return the reply. If the task's owner did not write it, add the name of its author."""
        if reply.author_name:
            return reply
        return reply.model_copy(update={"author_name": await self.find_speaker(reply.person, link)})

    async def find_speaker(self, person: UserId, link: Link) -> str:
        """Return the name to give the agent with the words of a person; empty for the task's owner."""
        if await self._is_owner(person, link):
            return ""
        return await self._people.find_name(person) or "Somebody"

    async def _is_owner(self, person: UserId, link: Link) -> bool:
        """Return whether the task is the person's own. An administrator steers tasks without an account."""
        try:
            return link.record.is_owned_by(person, (await self._people.get_account(person)).id)
        except (UserError, AccountNeeded, PersonTokenRefused):
            return False

    async def hash_files(self, files: Sequence[FileRef]) -> tuple[str, ...]:
        """Return, for each file, a hash of its present content; empty if the agent cannot get the file."""
        return tuple(each.hash for each in await self.read_files(files))

    async def with_file_hashes(self, reply: Reply, known: Mapping[str, str] | None = None) -> Reply:
        """Return the reply with hashes of its files, if another person can change one of them.

        Call this before the reply can wait: what its author has read is sent, or nothing. `known` are the
        hashes of files whose content counts as it was before, by the file's id.
        """
        known = known or {}
        is_known = any(file.id in known for file in reply.files)
        if reply.file_hashes or (not is_known and has_only_own_files(reply.person, reply.files)):
            return reply
        new = [file for file in reply.files if file.id not in known]
        hashes = {**known, **dict(zip((file.id for file in new), await self.hash_files(new), strict=True))}
        return reply.model_copy(update={"file_hashes": tuple(hashes[file.id] for file in reply.files)})

    async def read_files(self, files: Sequence[FileRef]) -> tuple[ReadFile, ...]:
        """Return the present content of each file."""
        found = [await self._find_content(file) for file in files]
        return tuple(
            ReadFile("" if each is None else _clean(each), _hash(file, each))
            for file, each in zip(files, found, strict=True)
        )

    async def link_back(self, channel: ChannelId, message: PickedMessage) -> str:
        """Return a line with a link to `message`; empty if the bot is not in `channel`."""
        try:
            link = await self._deps.slack.get_permalink(channel, message.ts)
        except (ChannelProblem, MessageGone):
            return ""
        return f"{LINK_BACK}{link}"

    async def get_display_text(self, reply: Reply) -> str:
        """Return the text that shows people which reply is meant.

        If the reply has no text, return the names of its files.
        """
        return _show(reply, await self.get_text(reply))

    async def get_text(self, reply: Reply) -> AgentText:
        """Return the reply's text as its author saw it, without the mention of the bot.

        If another person has decided to send the reply, return the text that the other person saw. Mentioned
        people and channels have the names that they had when the reply was admitted.
        """
        if (known := _find_known_text(reply)) is not None:
            return known
        raw = self.get_plain(reply)
        return replies.to_agent_text(raw, await self.list_names(raw))

    async def with_names(self, reply: Reply) -> Reply:
        """Return the reply with the present names of the people and channels that it mentions.

        Call this when the reply is admitted, or when a person decides to send it: the text then counts for
        good, because people can change their names while it waits. What Slack does not name now stays an id.
        """
        if _find_known_text(reply) is not None:
            return reply
        raw = self.get_plain(reply)
        names = await self.list_names(raw)
        if not (names.users or names.channels):
            return reply
        return reply.model_copy(update={"shown_text": replies.to_agent_text(raw, names)})

    def get_plain(self, reply: Reply) -> str:
        """Return a message's text as Markdown, without the mention of the bot.

        People and channels stay as Slack's tokens, such as `<@U123>`.
        """
        return _get_plain(self._deps, reply)

    async def _find_content(self, file: FileRef) -> str | None:
        """Return the content of a file; None if the agent cannot get it."""
        if not is_given(file):
            return None
        try:
            return await self._deps.slack.files.download(file.url, LARGEST_FILE_BYTES)
        except (Refused, AccountRefused):
            # Slack answers 403 for a file that the bot may not read. That does not mean that our token is
            # refused.
            return None

    async def list_names(self, text: str) -> replies.Names:
        """Return the names of the people and channels that the text mentions, `MOST_NAMES` at most.

        If Slack does not give a name now, that name is empty.
        """
        wanted, directory = replies.list_mentions(text), self._people.directory
        people = wanted.users[:MOST_NAMES]
        channels = wanted.channels[: MOST_NAMES - len(people)]
        return replies.Names(
            users={each: await directory.find_shown_name(UserId(each)) for each in people},
            channels={each: await directory.find_channel_name(ChannelId(each)) for each in channels},
        )


def has_only_own_files(author: UserId | None, files: Sequence[FileRef]) -> bool:
    """Return whether only the author of a message can change its files.

    Another person may have uploaded one of them, or it may be a canvas, which several people can edit.
    """
    return all(file.uploader_id == author for file in files)


def get_display_text_without_names(deps: Dependencies, reply: Reply) -> str:
    """Return what `get_display_text` returns, with ids in place of names, which Slack may not give now."""
    return _show(reply, _get_text_without_names(deps, reply))


def is_meant_as_verb(deps: Dependencies, reply: Reply) -> bool:
    """Return whether the text begins with `!`, as a command in a thread does."""
    return is_shell_command(_get_text_without_names(deps, reply))


def is_asked_as_verb(deps: Dependencies, kept: Reply) -> bool:
    """Return whether the bot asks about a stored reply because it began with `!`.

    An edit may have removed the `!` since.
    """
    if kept.question or kept.is_confirmed:
        return False
    return kept.only_author_decides or is_meant_as_verb(deps, kept)


def _get_text_without_names(deps: Dependencies, reply: Reply) -> AgentText:
    known = _find_known_text(reply)
    return replies.to_agent_text(_get_plain(deps, reply)) if known is None else known


def _show(reply: Reply, words: AgentText) -> str:
    return ", ".join(file.name for file in reply.files) or NO_TEXT if is_blank(words) else words


def _find_known_text(reply: Reply) -> AgentText | None:
    """Return the text of a reply that needs no reading; None if it is a message with Slack's markup."""
    if reply.shown_text:
        return reply.shown_text
    # The text of a command was decoded when the command was read. The words of a dialog were never encoded.
    return sanitize_for_agent(reply.text) if reply.is_from_command else None


def _get_plain(deps: Dependencies, reply: Reply) -> str:
    blocks = cast("list[Block]", json.loads(reply.blocks)) if reply.blocks else []
    read = replies.classify(reply.text, deps.bot.bot_user_id, reply.person, blocks)
    match read:
        case replies.Input() | replies.Stop() | replies.NotAVerb():
            return read.text
        case _:
            return replies.to_markdown(reply.text, blocks)


def is_given(file: FileRef) -> bool:
    """Return whether the agent gets the content of such a file: a text file of at most LARGEST_FILE_BYTES."""
    return file.size <= LARGEST_FILE_BYTES and _is_text(file)


def _is_text(file: FileRef) -> bool:
    is_text_type = file.mimetype.startswith("text/") or file.mimetype == "application/json"
    return is_text_type or TEXT_ENDINGS.search(file.name) is not None


def _hash(file: FileRef, content: str | None) -> str:
    # The agent gets the name, too. A plain hash is enough: it is stored encrypted, so nobody can guess the
    # content from it. A hash with a key would change when the keys are rotated.
    given = json.dumps([file.name, content])
    return "" if content is None else hashlib.sha256(given.encode()).hexdigest()


def make_heading(file: FileRef) -> str:
    """Return the line above a file's content. The agent cannot take this line for a command."""
    name = clean_name(file.name) or "file"
    if not (TEXT_ENDINGS.search(name) or _ONE_WORD.fullmatch(name)):
        # Several words without such an ending can look like a line that names a person.
        return f"`{name}` (a file):"
    return f"`{name}`:" if name.startswith(COMMAND_MARKS) else f"{name}:"


def name_author(author: str, words: str) -> AgentText:
    """Return a text with the name of the person who wrote it, as the agent gets it."""
    return attribute(clean_author(author), words)


def clean_author(author: str) -> str:
    """Return an author's name on one line. People choose their own names."""
    return clean_name(author) or "Somebody"


def _clean(content: str) -> str:
    return remove_control_characters(content).strip("\n").rstrip()


def _fence(content: str) -> str:
    lines = _clean(content)
    longest = max((len(run) for run in re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{lines}\n{fence}"
