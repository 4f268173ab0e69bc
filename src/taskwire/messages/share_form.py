"""The dialog that shows and changes who may steer a task besides its owner.

A submission says who is chosen now. `read_change` compares this with the choice at the opening of the dialog.
So a person with whom the task was shared after the opening keeps the share.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

from taskwire.domain.text.message import Block, Dialog, View
from taskwire.messages import blocks
from taskwire.messages.blocks import escape_line, line, one_line, plain_text, text_piece
from taskwire.messages.dialog_fields import (
    MOST_OPTIONS,
    limit_options,
    make_field,
    make_option,
    make_view,
    small_text,
)
from taskwire.messages.refusals import Refusal

# Why a task cannot be shared with a person whose Coder account is suspended.
ACCOUNT_UNUSABLE = "Their Coder account can't be used now."


class ShareField(StrEnum):
    """The action id of each field, which is also its block id."""

    PEOPLE = "share.people"
    GROUPS = "share.groups"


class ShareChange(NamedTuple):
    """The ids of people and user groups who get a share, and of people and groups whose share ends."""

    who: tuple[str, ...]
    no_longer: tuple[str, ...]


def list_shown(shares: Collection[str], groups: Mapping[str, str]) -> tuple[str, ...]:
    """Return the shares that the dialog shows: all people, and the groups that Slack knows."""
    return tuple(each for each in shares if not each.startswith("S") or each in groups)


# Slack's menu of people offers guests too, and has no filter against them.
_GUESTS = "Guests can't steer a task."


def share_form(
    title: str, shares: Collection[str], groups: Mapping[str, str], most: int, private_metadata: str
) -> View:
    """Make the dialog. `groups` are the names of the user groups by their ids.

    `most` is the largest number of people and groups with whom a task can be shared.
    """
    shown = list_shown(shares, groups)
    chosen = [each for each in shown if each in groups]
    people: Block = {
        "type": "multi_users_select",
        "action_id": ShareField.PEOPLE.value,
        "max_selected_items": most,
        "placeholder": plain_text("Nobody else", 150),
    }
    if persons := [each for each in shown if each not in groups]:
        people["initial_users"] = [*persons]
    layout = [
        line("title", [text_piece(one_line(title, blocks.TITLE_LENGTH) or "This task", is_bold=True)]),
        make_field(ShareField.PEOPLE.value, "People who can steer it", people, is_optional=True),
        *_group_field(groups, chosen, most),
        small_text(
            "rights",
            "These people can reply to the agent, stop and resume the task, and edit its prompt. They can't "
            f"delete, detach or share it. {_GUESTS}",
        ),
    ]
    return make_view(Dialog.SHARE, layout, private_metadata, "Save")


def _group_field(groups: Mapping[str, str], chosen: list[str], most: int) -> list[Block]:
    if not groups:
        return []
    offered = [*chosen, *(each for each in limit_options([*groups], None) if each not in chosen)]
    options = {each: make_option(groups[each], each) for each in offered[:MOST_OPTIONS]}
    menu: Block = {
        "type": "multi_static_select",
        "action_id": ShareField.GROUPS.value,
        "max_selected_items": most,
        "placeholder": plain_text("No group", 150),
        "options": [*options.values()],
    }
    if chosen:
        menu["initial_options"] = [options[each] for each in chosen]
    return [make_field(ShareField.GROUPS.value, "User groups", menu, is_optional=True)]


def read_change(values: Mapping[str, str], shown: Collection[str]) -> ShareChange:
    """Return the shares that a submission adds and removes, compared with the shares in the opened dialog."""
    entered = [values.get(field, "").split(",") for field in ShareField]
    chosen = tuple(dict.fromkeys(each for part in entered for each in part if each.isalnum()))
    return ShareChange(
        who=tuple(each for each in chosen if each not in shown),
        no_longer=tuple(each for each in shown if each not in chosen),
    )


def too_many_named(verb: Literal["share", "unshare"], most: int) -> Refusal:
    """Say that a request to share a task, or to end shares, names more than `most` people and groups."""
    what = "share a task with" if verb == "share" else "end the shares of"
    return (f"You can {what} at most {most} people and groups at once.", "Nothing was changed.")


def owner_needs_no_share(name: str) -> str:
    """Say in the dialog *Share* that one of the chosen people is the task's owner."""
    return f"{escape_line(name, 60) or 'Its owner'} owns the task, and can steer it anyway."
