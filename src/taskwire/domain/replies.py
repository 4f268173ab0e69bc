"""Decides what a message in a task's thread is: a verb, input for the agent, or neither.

`read` decides by the message alone. Other modules decide who wrote it and whether they may steer.

- Verbs match exactly: `pause the music` is input, and `!pause now` is not a verb. Text after a verb belongs
  to it only if the verb has its `!`: `@Taskwire edit the readme` is input, `!edit TEXT` edits the prompt.
- A reply that begins with `!` and is not a verb is not input either, because agents run it as a shell
  command.
- A message that mentions another person and not the bot is for that person. A message that mentions a group
  or a whole channel is for people too.

Texts in the results are Markdown in which people, channels and links are still Slack's tokens. `mentions`
lists the ids to look up, and `to_agent_text` writes what the person saw.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from taskwire.domain.agent_text import INVISIBLE, AgentText, is_shell_command, sanitize_for_agent
from taskwire.domain.grammar import THREAD_VERBS, ThreadVerb, find_thread_verb, nearest
from taskwire.domain.ids import UserId
from taskwire.domain.message import Block
from taskwire.domain.mrkdwn import (
    Mentions,
    Names,
    break_mentions,
    escape_mrkdwn,
    list_mentions,
    to_visible_text,
)
from taskwire.domain.rich_text import from_blocks, from_mrkdwn

# If backfill finds a message that is older than this, a person is asked before it is sent.
STALE = timedelta(hours=1)

__all__ = [
    "Aside",
    "Input",
    "Meaning",
    "Mentions",
    "Names",
    "NotAVerb",
    "Order",
    "begins_with_mark",
    "break_mentions",
    "escape_mrkdwn",
    "list_mentions",
    "nearest_verbs",
    "normalised",
    "read",
    "to_agent_text",
]

_ASIDE = re.compile(r"//|!aside\b", re.IGNORECASE)
_BANG = re.compile(r"(!?)([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class Order:
    """A verb of the thread. If this version cannot do it, `not_yet` says what to do instead."""

    name: str
    argument: str = ""
    not_yet: str = ""


@dataclass(frozen=True)
class NotAVerb:
    """Text that begins with `!` and is not a verb: offer the nearest verbs, and to send `text` as it is."""

    text: str
    nearest: tuple[str, ...]


@dataclass(frozen=True)
class Aside:
    """A message to other people; the agent does not get it."""


@dataclass(frozen=True)
class Input:
    """Input for the agent. `text` is empty if the message has only files, or only a mention of the bot."""

    text: str
    is_to_bot: bool = False


Meaning = Order | NotAVerb | Aside | Input


def read(text: str, bot: UserId, author: UserId | None = None, blocks: Sequence[Block] = ()) -> Meaning:
    """Decide what a message is. `text` and `blocks` are as Slack sent them."""
    whole = sanitize_for_agent(normalised(text, blocks))
    mentioned = list_mentions(whole)
    said = _after_mention(whole, bot)
    is_to_bot = bot in mentioned.users
    if _ASIDE.match(said):
        return Aside()
    others = set(mentioned.users) - {bot, author}
    if not is_to_bot and (others or mentioned.groups or mentioned.has_channel_mention):
        return Aside()
    return _verb(said, has_mention=said != whole) or Input(said, is_to_bot)


def begins_with_mark(text: str, bot: UserId, blocks: Sequence[Block] = ()) -> bool:
    """Whether a message begins with `!`, with or without the bot's name before it."""
    return is_shell_command(to_agent_text(_after_mention(sanitize_for_agent(normalised(text, blocks)), bot)))


def normalised(text: str, blocks: Sequence[Block] = ()) -> str:
    """Turn a message into Markdown with Slack's tokens, from its blocks if they contain all of it."""
    rich = from_blocks(blocks, text)
    return from_mrkdwn(text) if rich is None else rich


def to_agent_text(text: str, names: Names | None = None) -> AgentText:
    """Write a reply's text as the person saw it, for the agent."""
    return sanitize_for_agent(to_visible_text(text, names))


def nearest_verbs(said: str) -> tuple[str, ...]:
    """List the verbs that may be meant by a text that begins with `!` and is not a verb."""
    word = re.match(r"!+\s*([A-Za-z]*)", said)
    names = [verb.name for verb in THREAD_VERBS if not verb.not_yet]
    close = nearest(word[1], names) if word and word[1] else ()
    return tuple(f"!{name}" for name in close or ("status", "pause", "help"))


def _after_mention(text: str, bot: UserId) -> str:
    return re.sub(rf"^(?:<@{re.escape(bot)}(?:\|[^<>]*)?>(?:[,:]|{INVISIBLE})*)+", "", text)


def _verb(said: str, *, has_mention: bool) -> Order | NotAVerb | None:
    found = _BANG.fullmatch(said)
    # The label of a link may also begin with the mark.
    is_marked = is_shell_command(to_agent_text(said))
    if found is not None and (is_marked or has_mention):
        verb = find_thread_verb(found[2])
        argument = (found[3] or "").strip()
        if verb is not None and _takes(verb, argument, is_marked=is_marked):
            return Order(verb.name, argument, verb.not_yet)
    return NotAVerb(said, nearest_verbs(said)) if is_marked else None


def _takes(verb: ThreadVerb, argument: str, *, is_marked: bool) -> bool:
    if verb.argument == "full":
        return argument.lower() in ("", "full")
    return not argument or (verb.argument == "text" and is_marked)
