"""The parts that all dialogs have: the frame with its title, and fields with menus.

When a dialog is submitted, a field is found by its block id.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from taskwire.domain.text.message import Block, Dialog, View
from taskwire.messages import blocks
from taskwire.messages.blocks import mrkdwn, plain_text

# Slack's limit for the options of a static_select.
MOST_OPTIONS = 100
# Slack's limit for the label of an option, in characters.
OPTION_LENGTH = 75
# The title of each dialog, also while it loads.
TITLES = {
    Dialog.CREATE: "New task",
    Dialog.EDIT: "Edit the prompt",
    Dialog.DELETE: "Delete this task",
    Dialog.ANSWER: "Answer",
    Dialog.PAGE: "Open in Coder",
    Dialog.LOGS: "Logs",
    Dialog.SHARE: "Share",
    Dialog.SETTINGS: "Settings",
    Dialog.PREFERENCES: "Your settings",
    Dialog.CONNECT: "Connect Coder",
    Dialog.CONFIRM_ACCOUNT: "Connect Coder",
}

T = TypeVar("T")


def make_view(
    dialog: Dialog,
    layout: Sequence[Block],
    private_metadata: str = "",
    submit: str = "",
    close: str = "",
) -> View:
    """Make a dialog. Slack sends `private_metadata` back when the dialog is submitted."""
    made: Block = {
        "type": "modal",
        "callback_id": dialog.value,
        "title": plain_text(TITLES[dialog], 24),
        "close": plain_text(close or ("Cancel" if submit else "Close"), 24),
        "private_metadata": private_metadata,
        "blocks": [*layout],
    }
    return View(content=made | {"submit": plain_text(submit, 24)} if submit else made)


def small_text(block_id: str, words: str) -> Block:
    """Make a block of small text, written in mrkdwn."""
    return blocks.context(block_id, [mrkdwn(words)])


def make_option(label: str, value: str, described: str = "") -> Block:
    """Make an option of a menu. The text `described` is shown below the option's label."""
    made: Block = {"text": plain_text(label, OPTION_LENGTH), "value": value}
    return made | {"description": plain_text(described, OPTION_LENGTH)} if described else made


def make_menu(action: StrEnum, options: Sequence[Block], initial: Block | None, hint: str) -> Block:
    """Make a menu. `hint` is shown while nothing is chosen."""
    menu: Block = {
        "type": "static_select",
        "action_id": action.value,
        "placeholder": plain_text(hint, 150),
        "options": [*options],
    }
    return menu if initial is None else menu | {"initial_option": initial}


def make_field(
    block_id: str, label: str, element: Block, *, is_optional: bool = False, hint: str = ""
) -> Block:
    """Make a field of a dialog: its label, and the element in which people enter something."""
    made: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain_text(label, 100),
        "element": element,
        "optional": is_optional,
    }
    return made | {"hint": plain_text(hint, 300)} if hint else made


def limit_options(known: Sequence[T], chosen: T | None, most: int = MOST_OPTIONS) -> Sequence[T]:
    """Return the first options, as many as a menu can have. The chosen option is always among them."""
    if len(known) <= most:
        return known
    first = [] if chosen is None else [chosen]
    return (first + [each for each in known if each != chosen])[:most]
