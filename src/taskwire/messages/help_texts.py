"""The help: what people can type after `/task`, in a task's thread, and in a message to the bot.

The help is made from the tables in `grammar`, which are also used to parse commands. So the help lists
exactly the commands that Taskwire understands.
"""

from collections.abc import Sequence

from taskwire.domain.parsing.grammar import (
    CREATE_OPTIONS,
    THREAD_VERBS,
    VERBS,
    ThreadVerb,
    Verb,
    find_nearest,
    find_thread_verb,
    find_verb,
)
from taskwire.domain.text.message import Block, Button, Message
from taskwire.domain.text.mrkdwn import escape_mrkdwn
from taskwire.messages import blocks
from taskwire.messages.blocks import button, escape_line, section


def help_text(topic: str | None = None, *, emoji: str = "") -> Message:
    """Show what people can type. If `topic` is the name of a verb, show only that verb and an example.

    `emoji` is the name of the reaction that makes a message into a task; empty if no reaction does.
    """
    word = (topic or "").strip()
    if not word:
        return _full_help(emoji)
    verb = find_verb(word)
    if verb is not None:
        return _paragraphs(_verb_help(verb))
    in_thread = find_thread_verb(word.removeprefix("!"))
    return _paragraphs(_thread_verb_help(in_thread) if in_thread is not None else _unknown_verb_help(word))


def thread_help() -> Message:
    """Show what people can type in a task's thread."""
    return _paragraphs([_thread_verbs_help(), "Outside threads, `/task help` lists more."])


def message_help(*, is_direct: bool) -> Message:
    """Show what a person can type to the bot in a mention in a discussion, or in a direct message."""
    words = (
        "Tell me what to do, and I'll offer to create a task. `list`, `status NAME` and the other "
        "commands work here too, without `/task`."
        if is_direct
        else "To create a task in this thread, mention me and say what to do: "
        "`@Taskwire fix the login redirect`. `@Taskwire with thread: …` also gives the agent the earlier "
        "messages."
    )
    return Message(text=words, blocks=(section("help", words), *_start_buttons()))


def _thread_verbs_help() -> str:
    return (
        "*In a task's thread*, a plain reply goes to the agent. These do not:\n"
        + "\n".join(
            f"`{_escape_grammar(verb.usage)}`  {_escape_grammar(verb.meaning)}" for verb in THREAD_VERBS
        )
        + "\n`//` or `!aside`  before a reply: it does not go to the agent"
    )


_NAMES_HELP = (
    "`fix-login` stands for a task: write its name or title (the beginning is enough), `owner/name`, its "
    "id, or its link in Coder. {} go before or after the prompt. `/task help COMMAND` says more about a "
    "command."
)


def _full_help(emoji: str) -> Message:
    ready = [verb for verb in VERBS if not verb.is_for_admins]
    options = ", ".join(f"`{option.name}=`" for option in CREATE_OPTIONS)
    thread = " ".join(f"`!{verb.word}`" for verb in THREAD_VERBS)
    reaction = f", or react to it with :{emoji}:" if emoji else ""
    paragraphs = [
        (
            "Each task has a thread, and your replies in it reach its agent. If the thread began with a "
            "person's message, only replies that mention me do."
        ),
        (
            "You can also create a task without a command: mention me and say what to do, send me a direct "
            f"message, or choose *Make a task of this* in the menu of a message{reaction}."
        ),
        "\n".join(f"`{_escape_grammar(verb.example)}`  {_escape_grammar(verb.meaning)}" for verb in ready),
        _NAMES_HELP.format(options),
        (
            f"In a task's thread: {thread}. `!follow` shows live what the agent writes. `!watch` calls you "
            "when the task needs somebody, is done or fails. A reply that begins with `//` does not go to "
            "the agent."
        ),
    ]
    made = _paragraphs(paragraphs)
    return Message(text=made.text, blocks=(*made.blocks, *_start_buttons()))


def _start_buttons() -> list[Block]:
    return blocks.button_rows(
        "buttons",
        [
            button(Button.NEW_TASK, "New task", "new", style="primary"),
            button(Button.LIST_PAGE, "My tasks", "1 mine"),
        ],
    )


def _verb_help(verb: Verb) -> list[str]:
    about = [f"`/task {_escape_grammar(verb.usage)}`\n{_as_sentence(verb.meaning)}"]
    about.append(f"For example: `{_escape_grammar(verb.example)}`")
    if verb.other_words:
        about.append("Also: " + ", ".join(f"`/task {word}`" for word in verb.other_words))
    return [*about, _options_help()] if verb.arguments == "prompt" else about


def _thread_verb_help(verb: ThreadVerb) -> list[str]:
    return [f"`{_escape_grammar(verb.usage)}` in a task's thread\n{_as_sentence(verb.meaning)}"]


def _unknown_verb_help(word: str) -> list[str]:
    shown = escape_line(word.replace("`", ""), 40)
    near = [f"`/task help {name}`" for name in find_nearest(word, [verb.word for verb in VERBS])]
    follow = f"Did you mean {' or '.join(near)}?" if near else "`/task help` lists them."
    return [f"There is no command “{shown}”. {follow}"]


def _options_help() -> str:
    listed = "\n".join(
        f"`{option.name}=VALUE`  {_escape_grammar(option.meaning)}" for option in CREATE_OPTIONS
    )
    first = CREATE_OPTIONS[0].name
    return (
        f"*Options of* `/task create`\n{listed}\nAlso written `--{first} VALUE`, before the prompt or "
        "after it. Quote a value with spaces."
    )


def _as_sentence(meaning: str) -> str:
    return blocks.end_sentence(_escape_grammar(meaning[:1].upper() + meaning[1:]))


def _escape_grammar(text: str) -> str:
    """Escape a text of `grammar` for mrkdwn. Back-ticks in it still mark code."""
    return escape_mrkdwn(text)


def _paragraphs(paragraphs: Sequence[str]) -> Message:
    layout = [section(f"help.{number}", text) for number, text in enumerate(paragraphs)]
    return Message(text="\n\n".join(paragraphs), blocks=tuple(layout))
