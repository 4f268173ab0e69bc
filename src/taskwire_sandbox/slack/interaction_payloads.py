"""The payloads that the app gets when a person presses a button, or submits or closes a dialog."""

from taskwire_sandbox.slack.backend import VERIFICATION_TOKEN, Backend
from taskwire_sandbox.slack.errors import ImpossibleAction, Json
from taskwire_sandbox.slack.view_stacks import View, elements
from taskwire_sandbox.slack.workspace import COMMAND_NAMES, Channel, User

_TEXT_INPUTS = ("plain_text_input", "email_text_input", "url_text_input", "number_input")
_SIMPLE = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "multi_users_select": "selected_users",
    "multi_conversations_select": "selected_conversations",
    "multi_channels_select": "selected_channels",
}
_INITIAL = {
    "initial_option": "selected_option",
    "initial_options": "selected_options",
    "initial_user": "selected_user",
    "initial_users": "selected_users",
    "initial_conversation": "selected_conversation",
    "initial_conversations": "selected_conversations",
    "initial_channel": "selected_channel",
    "initial_channels": "selected_channels",
    "initial_date": "selected_date",
    "initial_time": "selected_time",
    "initial_date_time": "selected_date_time",
}
_ONE_OPTION = ("static_select", "external_select", "radio_buttons", "overflow")
_SEVERAL_OPTIONS = ("multi_static_select", "multi_external_select", "checkboxes")


def _options(element: Json) -> list[Json]:
    groups = element.get("option_groups", [])
    return [*element.get("options", []), *(option for group in groups for option in group["options"])]


def _option(element: Json, value: str) -> Json:
    """Return the option with this value or text. Raise ImpossibleAction if a fixed list has no such
    option."""
    for option in _options(element):
        if value in (option["value"], option["text"]["text"]):
            return dict(option)
    if "external" in element["type"]:
        return {"text": {"type": "plain_text", "text": value}, "value": value}
    raise ImpossibleAction(f"{element.get('action_id')} has no option {value!r}")


def entered_state(element: Json, value: object) -> Json:
    """Return an element's entry in a view's state, with the person's choice or text."""
    kind = element["type"]
    if kind in _TEXT_INPUTS:
        return {"type": kind, "value": None if value in (None, "") else str(value)}
    if kind == "rich_text_input":
        return {"type": kind, "rich_text_value": value}
    if kind in _SIMPLE:
        return {"type": kind, _SIMPLE[kind]: value}
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": None if value is None else _option(element, str(value))}
    if kind in _SEVERAL_OPTIONS:
        chosen = value if isinstance(value, list | tuple) else [value] if value is not None else []
        return {"type": kind, "selected_options": [_option(element, str(item)) for item in chosen]}
    return {"type": kind}


def initial_state(element: Json) -> Json:
    """Return an element's entry in a view's state before a person has changed it."""
    kind = element["type"]
    if kind in _TEXT_INPUTS:
        return {"type": kind, "value": element.get("initial_value") or None}
    if kind == "rich_text_input":
        return {"type": kind, "rich_text_value": element.get("initial_value")}
    found = {_INITIAL[key]: value for key, value in element.items() if key in _INITIAL}
    if not found:
        found = {_SIMPLE[kind]: None} if kind in _SIMPLE else {}
        if kind in _ONE_OPTION:
            found = {"selected_option": None}
        if kind in _SEVERAL_OPTIONS:
            found = {"selected_options": []}
    return {"type": kind} | found


def state(view: View) -> Json:
    """Return the `state` of a view: each input and menu with its entered value, else its initial value."""
    values: Json = {}
    for block in view.content["blocks"]:
        for element in elements(block):
            if element["type"] in ("button", "overflow", "image", "workflow_button"):
                continue
            known = view.values.get(block["block_id"], {}).get(element["action_id"])
            values.setdefault(block["block_id"], {})[element["action_id"]] = known or initial_state(element)
    return {"values": values}


def view_payload(slack: Backend, view: View) -> Json:
    """Return a view as Slack sends it."""
    shown: Json = {"id": view.id, "team_id": slack.workspace.team_id} | view.content | {"hash": view.hash}
    shown |= {"state": state(view), "previous_view_id": view.previous_id, "root_view_id": view.root_id}
    shown |= {"app_id": slack.app.app_id, "app_installed_team_id": slack.workspace.team_id}
    for key in ("title", "submit", "close"):
        shown.setdefault(key, None)
    return shown | {"bot_id": slack.app.bot_id}


def user_payload(user: User) -> Json:
    """Return the fields about the person who acted."""
    return {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id}


def place(channel: Channel) -> Json:
    """Return the id and the name of the conversation, in the form of an interaction's payload."""
    return {"id": channel.id, "name": channel_label(channel)}


def channel_label(channel: Channel) -> str:
    """Return a conversation's name in the form of commands and interactions."""
    return COMMAND_NAMES.get(channel.kind, channel.name)


def common_fields(slack: Backend, kind: str, user: User) -> Json:
    """Return the fields that the payloads of all interactions share."""
    payload: Json = {"type": kind, "token": VERIFICATION_TOKEN, "api_app_id": slack.app.app_id}
    org = slack.workspace.enterprise_id
    payload |= {"team": slack.team, "user": user_payload(user)}
    payload |= {"enterprise": {"id": org, "name": "Org"} if org else None}
    payload["is_enterprise_install"] = bool(slack.workspace.org_teams)
    return payload


def action(slack: Backend, block: Json, element: Json, value: object) -> Json:
    """Return the entry of a payload's `actions` for one pressed element."""
    made: Json = {"action_id": element["action_id"], "block_id": block["block_id"], "type": element["type"]}
    if element["type"] == "button":
        made |= {key: element[key] for key in ("text", "value", "style", "url") if key in element}
    else:
        made |= entered_state(element, value)
    if "placeholder" in element:
        made["placeholder"] = element["placeholder"]
    return made | {"action_ts": slack.ids.ts()}


def find_element(
    blocks: list[Json], action_id: str, *, value: object = None, block_id: str | None = None
) -> tuple[Json, Json]:
    """Return the block and the element that a person uses. Raise ImpossibleAction if there is none.

    If several elements have this action id, `block_id` or the `value` of a button names the element.
    """
    for block in blocks:
        if block_id is not None and block.get("block_id") != block_id:
            continue
        for element in elements(block):
            if element.get("action_id") != action_id:
                continue
            if element["type"] == "button" and value is not None and element.get("value") != value:
                continue
            return block, element
    raise ImpossibleAction(f"there is nothing to press with action_id {action_id!r}")
