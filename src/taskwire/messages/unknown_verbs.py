"""Questions about a verb or an option that does not exist: which one is meant, or is it text?

In a thread, the question is about a reply that begins with `!`. Elsewhere, it is about a command.
"""

from collections.abc import Iterable, Sequence

from taskwire.domain.parsing.grammar import find_thread_verb, get_word
from taskwire.domain.parsing.near_misses import NearMiss
from taskwire.domain.text.message import Block, Button, Message
from taskwire.domain.text.mrkdwn import quote_typed, to_visible_text
from taskwire.messages.blocks import button, button_rows, escape_line, join_lines, quote_block, section
from taskwire.messages.refusals import Refusal
from taskwire.messages.shapes import CHOICES_BLOCK_ID, QUOTE_LENGTH, question, statement

# The verbs that a press of a button carries out at once, with the button's label.
VERB_BUTTONS = {
    "pause": "Stop it",
    "resume": "Resume it",
    "status": "Status",
    "logs": "Logs",
    "mute": "Mute it",
    "unmute": "Unmute it",
    "watch": "Watch it",
    "unwatch": "Unwatch it",
    "share": "Share it",
    "detach": "Detach it",
    "help": "Help",
}
# Verbs whose button opens a dialog.
DIALOG_BUTTONS = {"edit": "Edit prompt", "delete": "Delete…"}
_LABELS = VERB_BUTTONS | DIALOG_BUTTONS


def too_many_unknown() -> Refusal:
    """Say that a message that begins with `!` was not kept, because there were too many of them."""
    return (
        "Too many of your messages here begin with `!` and are no commands, so I did not keep this one.",
        "Write it again without the `!`.",
    )


def ask_about_unknown_verb(nearest: Sequence[str], value: str, text: str) -> Message:
    """Ask what a reply means if it begins with `!` but is no command. `nearest` are similar verbs.

    A similar verb becomes a button. If there is no button for the verb, the text names the verb.
    """
    word, *more = text.split() or ["!"]
    verbs = dict.fromkeys(_get_verb(each) for each in nearest)
    others = [f"`!{get_word(verb)}`" for verb in verbs if verb not in _LABELS]
    meant = f" Did you mean {' or '.join(others)}?" if others else ""
    shown = escape_line(word.replace("`", ""), 40)
    if (known := find_thread_verb(word.removeprefix("!"))) is None:
        words = f"I don't know `{shown}`.{meant}"
    elif known.argument != "none":
        words = f"`{shown}` works like this: `{known.usage}`."
    else:
        words = f"`{shown}` takes no other words."
    return question(words, text if more else "", _offer_verbs(verbs, value))


def ask_about_edited(nearest: Sequence[str], value: str, text: str) -> Message:
    """Ask whether a reply is text, if its author has edited it after the bot had asked about its `!`."""
    verbs = dict.fromkeys(_get_verb(each) for each in nearest)
    return question("You edited this message. Is it text for the agent?", text, _offer_verbs(verbs, value))


def _offer_verbs(verbs: Iterable[str], value: str) -> list[Block]:
    """Return a button for each of the verbs that has one, and the button that sends the reply as text."""
    link, _, job_id = value.partition(" ")
    offered = [
        button(Button.DO_VERB, _LABELS[verb], f"{link} {verb}:{job_id}")
        | {"action_id": f"{Button.DO_VERB.value}.{number}"}
        for number, verb in enumerate(verbs)
        if verb in _LABELS
    ]
    return [*offered, button(Button.SEND_AS_IT_IS, "Send as text", value)]


def taken_as_verb(verb: str) -> str:
    """Return the text that replaces the question after a person has chosen the command."""
    return f"Understood as `!{get_word(verb)}`."


def edited_since() -> Message:
    """Say that a press counts for nothing, because its question is about the words before an edit."""
    return statement("You edited this message. My newer question counts.")


def _get_verb(word: str) -> str:
    """Return the name of a verb whose name or synonym was typed."""
    known = find_thread_verb(word.removeprefix("!"))
    return known.name if known is not None else word.removeprefix("!")


def offer_commands(near_miss: NearMiss, key: str) -> Message:
    """Ask which command is meant. Each offered command is a button. The commands are stored under `key`.

    If an offer has a row of text, its button is below that row. Rows without an offer come last.
    """
    offered = [
        button(Button.RUN_OFFERED, offer.label, key) | {"action_id": f"{Button.RUN_OFFERED.value}.{number}"}
        for number, offer in enumerate(near_miss.offers)
    ]
    if not near_miss.rows and not near_miss.others:
        return question(str(near_miss), near_miss.quoted, offered)
    layout = [section("question", str(near_miss))]
    layout += [quote_block("text", near_miss.quoted, QUOTE_LENGTH)] if near_miss.quoted else []
    for number, (row, _) in enumerate(near_miss.rows):
        layout += [row, *button_rows(f"{CHOICES_BLOCK_ID}.{number}", [offered[number]])]
    layout += button_rows(CHOICES_BLOCK_ID, offered[len(near_miss.rows) :])
    lines = [str(near_miss), *(text for _, text in near_miss.rows)]
    if near_miss.others:
        layout += [section("others", near_miss.about_others), *(row for row, _ in near_miss.others)]
        lines += [near_miss.about_others, *(text for _, text in near_miss.others)]
    return Message(text=join_lines(lines), blocks=tuple(layout))


def taken_as_command(line: str) -> Message:
    """Return the message that replaces the question after a person has chosen the command."""
    return statement(f"Understood as `/task {quote_typed(to_visible_text(line), 200)}`.")
