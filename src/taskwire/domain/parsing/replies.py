"""Decides what a message in a task's thread is: a command, input for the agent, or neither.

`classify` decides by the message alone. Other modules check what its author may do.

- A verb is a command only after `!` or a mention of the bot, and only if nothing else follows:
  `@Taskwire pause the music` is input. After `!`, some verbs take an argument: `!edit TEXT` edits the prompt,
  but `@Taskwire edit the readme` is input.
- A message that begins with `!` and is no command is not input, because agents run such text as a shell
  command.
- A message that mentions other people and not the bot is for these people, unless it is `!share @bob`.
- A message that is only the word `stop`, or a similar word, stops the task, even without `!` or a mention.

Texts in the results are Markdown in which people, channels and links are still Slack's tokens.
`list_mentions` lists the ids to look up. `to_agent_text` writes the text as the person saw it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from taskwire.domain.ids import UserId
from taskwire.domain.parsing.bare_words import is_stop
from taskwire.domain.parsing.grammar import THREAD_VERBS, ThreadVerb, find_nearest, find_thread_verb
from taskwire.domain.text.agent_text import INVISIBLE, AgentText, is_shell_command, sanitize_for_agent
from taskwire.domain.text.message import Block
from taskwire.domain.text.mrkdwn import (
    Mentions,
    Names,
    break_mentions,
    escape_mrkdwn,
    list_mentions,
    take_people,
    to_visible_text,
)
from taskwire.domain.text.rich_text import from_blocks, from_mrkdwn

# If backfill finds a message older than this, its author is asked before the message goes to the agent.
STALE_AFTER = timedelta(hours=1)
# A mention after these verbs is an argument: the message is not for the mentioned person.
PEOPLE_VERBS = ("share", "unshare")

__all__ = [
    "Aside",
    "Input",
    "Meaning",
    "Mentions",
    "Names",
    "NotAVerb",
    "Stop",
    "ThreadCommand",
    "begins_with_shell_mark",
    "break_mentions",
    "classify",
    "escape_mrkdwn",
    "is_addressed",
    "is_single_word",
    "list_mentions",
    "remove_bot_mention",
    "suggest_verbs",
    "take_people",
    "to_agent_text",
    "to_markdown",
]

_ASIDE = re.compile(r"//|!aside\b", re.IGNORECASE)
_VERB = re.compile(r"(!?)([A-Za-z]+)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True)
class ThreadCommand:
    """A command in the thread."""

    name: str
    argument: str = ""


@dataclass(frozen=True)
class NotAVerb:
    """Text that begins with `!` and is no command. `suggestions` are verbs that its author may have meant."""

    text: str
    suggestions: tuple[str, ...]


@dataclass(frozen=True)
class Aside:
    """A message to other people. The agent does not get it."""


@dataclass(frozen=True)
class Input:
    """Input for the agent. `text` is empty if the message has only files, or only a mention of the bot."""

    text: str
    is_to_bot: bool = False


@dataclass(frozen=True)
class Stop:
    """A message that is only `stop` or a similar word. Its author may still mean it as input."""

    text: str


Meaning = ThreadCommand | NotAVerb | Aside | Input | Stop


def classify(
    text: str,
    bot: UserId,
    author: UserId | None = None,
    blocks: Sequence[Block] = (),
    *,
    is_direct: bool = False,
) -> Meaning:
    """Decide what a message is. `text` and `blocks` are as Slack sent them. `bot` is the bot's user id.

    `author` is the person who wrote the message. A mention of `author` is not a mention of other people. If
    `is_direct`, the message is a direct message to the bot: nobody else reads it, so a mention is just text.
    """
    whole = sanitize_for_agent(to_markdown(text, blocks))
    mentioned = list_mentions(whole)
    said = _remove_bot_mention(whole, bot)
    is_to_bot = bot in mentioned.users
    if _ASIDE.match(said):
        return Aside()
    command = _find_command(said, has_mention=said != whole)
    if isinstance(command, ThreadCommand) and command.name in PEOPLE_VERBS:
        return command
    others = set(mentioned.users) - {bot, author}
    if not is_to_bot and not is_direct and (others or mentioned.groups or mentioned.has_channel_mention):
        return Aside()
    bare = _remove_last_mention(said, bot)
    if is_stop(bare):
        return Stop(bare)
    return command or Input(said, is_to_bot)


def remove_bot_mention(text: str, bot: UserId, blocks: Sequence[Block] = ()) -> str:
    """Return a message as Markdown with Slack's tokens, without the mention of the bot at its beginning."""
    return _remove_bot_mention(sanitize_for_agent(to_markdown(text, blocks)), bot)


def is_addressed(text: str, bot: UserId, blocks: Sequence[Block] = ()) -> bool:
    """Return whether a message is certainly for the bot: it mentions the bot, or is a verb after `!`."""
    whole = sanitize_for_agent(to_markdown(text, blocks))
    return bot in list_mentions(whole).users or isinstance(
        _find_command(whole, has_mention=False), ThreadCommand
    )


def is_single_word(text: str) -> bool:
    """Return whether a text is a single word."""
    return len(text.split()) == 1


def begins_with_aside_mark(text: str, bot: UserId, blocks: Sequence[Block] = ()) -> bool:
    """Return whether a message begins with `//` or `!aside`, so its author keeps it from the agent."""
    return _ASIDE.match(remove_bot_mention(text, bot, blocks)) is not None


def begins_with_shell_mark(text: str, bot: UserId, blocks: Sequence[Block] = ()) -> bool:
    """Return whether a message begins with `!`, or with a mention of the bot and then `!`."""
    return is_shell_command(to_agent_text(remove_bot_mention(text, bot, blocks)))


def to_markdown(text: str, blocks: Sequence[Block] = ()) -> str:
    """Turn a message into Markdown with Slack's tokens.

    If the message has blocks, use the blocks, because people see the blocks and not `text`.
    """
    rich = from_blocks(blocks, text)
    return from_mrkdwn(text) if rich is None else rich


def to_agent_text(text: str, names: Names | None = None) -> AgentText:
    """Return the text for the agent: Markdown in which Slack's tokens are replaced by what people see.

    `names` are the names that replace ids.
    """
    return sanitize_for_agent(to_visible_text(text, names or Names()))


def suggest_verbs(said: str) -> tuple[str, ...]:
    """List the verbs that a text after `!` may mean, for example `!pause` for `!puase`.

    If no verb is similar, list the most useful verbs.
    """
    word = re.match(r"!+\s*([A-Za-z]*)", said)
    names = [name for verb in THREAD_VERBS for name in (verb.name, *verb.synonyms)]
    close = find_nearest(word[1], names) if word and word[1] else ()
    return tuple(f"!{name}" for name in close or ("help",))


def _remove_bot_mention(text: str, bot: UserId) -> str:
    return re.sub(rf"^(?:<@{re.escape(bot)}(?:\|[^<>]*)?>(?:[,:]|{INVISIBLE})*)+", "", text)


def _remove_last_mention(text: str, bot: UserId) -> str:
    """Remove the mention of the bot from the end of a text, if it is there."""
    rest, mention, name = text.rpartition(f"<@{bot}")
    is_mention = re.fullmatch(r"(?:\|[^<>]*)?>[\s.!…]*", name) is not None
    return rest.rstrip(", \t\n\N{NO-BREAK SPACE}") if mention and is_mention else text


def _find_command(said: str, *, has_mention: bool) -> ThreadCommand | NotAVerb | None:
    found = _VERB.fullmatch(said)
    # The label of a link may begin with the mark of a shell command.
    is_marked = is_shell_command(to_agent_text(said))
    if found is not None and (is_marked or has_mention):
        verb = find_thread_verb(found[2])
        argument = (found[3] or "").strip()
        if verb is not None and _accepts_argument(verb, argument, is_marked=is_marked):
            return ThreadCommand(verb.name, argument)
    return NotAVerb(said, suggest_verbs(said)) if is_marked else None


def _accepts_argument(verb: ThreadVerb, argument: str, *, is_marked: bool) -> bool:
    if verb.argument == "full":
        return argument.lower() in ("", "full")
    if verb.argument == "people" and not is_marked:
        return not take_people(argument)[1]
    return not argument or (verb.argument in ("text", "people") and is_marked)
