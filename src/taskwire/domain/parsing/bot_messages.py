"""Decides what a message to the bot outside the threads of tasks asks for: a command, or a new task.

The message is Markdown with Slack's tokens, without the mention of the bot at its beginning. People write
sentences to the bot, so a verb counts only if the rest of the message fits the verb: `list mine` is a
command, `list the open ports` is a prompt. This rule is also used for a word that is nearly a verb.
"""

import re
from dataclasses import dataclass

from taskwire.domain.errors import UserError
from taskwire.domain.parsing import commands
from taskwire.domain.parsing.bare_words import is_stop
from taskwire.domain.parsing.commands import Command, Create, Edit, Help, Send
from taskwire.domain.parsing.grammar import find_nearest, find_thread_verb, find_verb
from taskwire.domain.parsing.near_misses import raise_if_near_verb
from taskwire.domain.parsing.options import asks_for_help, first_word
from taskwire.domain.parsing.task_names import TaskName

# The colon is needed: `with thread pools we get deadlocks` is a prompt.
_WITH_THREAD = re.compile(r"with (?:the |this )?thread\s*:\s*", re.IGNORECASE)
_OPTION = re.compile(
    r"(?:--|[\u2014\u2013])?(?:template|preset|name|org|organi[sz]ation)\b[= ]", re.IGNORECASE
)
# A verb begins a sentence if more words than this follow it and the words are not its arguments.
_MOST_WORDS_BEHIND_VERB = 1


@dataclass(frozen=True)
class Prompt:
    """A prompt for a new task, with its options. If `with_thread`, the agent gets the thread as context."""

    request: Create
    with_thread: bool = False


def read_message(text: str, *, is_direct: bool) -> Command | Prompt:
    """Return what a message asks for. Raise UserError if the message is a command that cannot be done.

    In a direct message, `create` starts a task at once, as `/task create` does.
    """
    text = text.strip()
    word, rest = first_word(text)
    word = word.lstrip("!") or word
    if not word or asks_for_help(word):
        return Help()
    if rest and is_stop(text):
        # The answer to `could you stop?` asks for the task's name, as the answer to `stop` does.
        word, rest = "stop", ""
    verb = find_verb(word)
    if verb is None and find_thread_verb(word) and not rest:
        raise UserError("There is no task in this thread.", "To create one, mention me and say what to do.")
    if verb is None and not find_nearest(word, ["create"]):
        raise_if_near_verb(word, rest)
    if verb is None or verb.name == "create":
        is_command = word.lower() == "create" and (is_direct or not rest or _OPTION.match(rest) is not None)
        return (
            commands.parse(f"create {rest}")
            if is_command and is_direct
            else _read_prompt(rest if is_command else text)
        )
    try:
        command = commands.parse(f"{word} {rest}")
    except UserError:
        if len(rest.split()) > _MOST_WORDS_BEHIND_VERB:
            return _read_prompt(text)
        raise
    # Several words may be a task's title. Only the list of tasks shows whether they are one. A caller with
    # that list uses `find_title`.
    is_sentence = bool(_get_title(command)) or (
        isinstance(command, Send | Edit) and "-" not in str(command.name)
    )
    return _read_prompt(text) if is_sentence else command


def ends_share(text: str) -> bool:
    """Return whether a message is a command that ends the share of a task."""
    word, _ = first_word(text.strip())
    verb = find_verb(word.lstrip("!"))
    return verb is not None and verb.name == "unshare"


def find_title(text: str) -> tuple[Command, str] | None:
    """Return the command and the title, if a message is a verb and words that can be a task's title.

    Return None for any other message. `read_message` reads such a message as a prompt, because it may also be
    a sentence.
    """
    try:
        command = commands.parse(text.strip().removeprefix("!"))
    except UserError:
        return None
    title = _get_title(command)
    return (command, title) if title else None


def _get_title(command: Command) -> str:
    name = getattr(command, "name", None)
    return name.title if isinstance(name, TaskName) else ""


def _read_prompt(text: str) -> Command | Prompt:
    found = _WITH_THREAD.match(text)
    request = commands.parse(f"create {text[found.end() :] if found else text}")
    return Prompt(request, with_thread=found is not None) if isinstance(request, Create) else Help()
