"""Messages about a reply that begins with `!` and is not a verb: which verb is meant, or is it text?"""

from collections.abc import Sequence

from taskwire.domain.grammar import find_thread_verb
from taskwire.domain.message import Button, Message
from taskwire.messages.blocks import button, escape_line
from taskwire.messages.shapes import question

# Verbs that a button does at once, with its label.
VERB_BUTTONS = {
    "pause": "Pause it",
    "resume": "Resume it",
    "status": "Status",
    "logs": "Logs",
    "mute": "Mute it",
    "unmute": "Unmute it",
    "detach": "Detach it",
    "help": "Help",
}
# Verbs that need a dialog, with the button that opens it.
_DIALOGS = {"edit": (Button.EDIT, "Edit prompt"), "delete": (Button.DELETE, "Delete…")}


def ask_about_unknown_verb(nearest: Sequence[str], value: str, text: str) -> Message:
    """Ask what a reply means that begins with `!` and is not a verb. `nearest` are verbs like it.

    A near verb is a button. A verb that has no button is named in the text.
    """
    word, *more = text.split() or ["!"]
    link, _, job_id = value.partition(" ")
    verbs = dict.fromkeys(_get_verb(each) for each in nearest)
    offered = [
        button(Button.DO_VERB, VERB_BUTTONS[verb], f"{link} {verb}:{job_id}")
        | {"action_id": f"{Button.DO_VERB.value}.{number}"}
        for number, verb in enumerate(verbs)
        if verb in VERB_BUTTONS
    ]
    offered += [button(*_DIALOGS[verb], link) for verb in verbs if verb in _DIALOGS]
    others = [f"`!{verb}`" for verb in verbs if verb not in VERB_BUTTONS and verb not in _DIALOGS]
    meant = f" Did you mean {' or '.join(others)}?" if others else ""
    words = f"I don't know `{escape_line(word.replace('`', ''), 40)}`.{meant}"
    return question(
        words, text if more else "", [*offered, button(Button.SEND_AS_IT_IS, "Send as text", value)]
    )


def taken_as_verb(verb: str) -> str:
    """Return the text of the question after a person has chosen the verb that was meant."""
    return f"Taken as `!{verb}`."


def _get_verb(word: str) -> str:
    """Return the name of a verb that may be written as one of its synonyms."""
    known = find_thread_verb(word.removeprefix("!"))
    return known.name if known is not None else word.removeprefix("!")
