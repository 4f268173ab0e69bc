"""The rules for Block Kit's elements: texts, options, buttons, menus and inputs.

The last part lists which elements each kind of block may hold.
"""

from taskwire_sandbox.slack.rich_text_rules import rich_text
from taskwire_sandbox.slack.shape_checks import (
    Check,
    Report,
    anything,
    boolean,
    items,
    number,
    one_of,
    shape,
    string,
    typed,
)

_LONGEST = 3000


def plain(most: int) -> Check:
    """Make a check for a plain_text object with at most `most` characters of text."""
    return shape({"type": one_of("plain_text"), "text": string(most)}, {"emoji": boolean})


def mrkdwn(most: int) -> Check:
    """Make a check for a mrkdwn object with at most `most` characters of text."""
    return shape({"type": one_of("mrkdwn"), "text": string(most)}, {"verbatim": boolean})


def text(most: int) -> Check:
    """Make a check for a text object of either type."""
    return typed({"plain_text": plain(most), "mrkdwn": mrkdwn(most)})


_CONFIRM = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)


def _option(words: Check) -> Check:
    return shape({"text": words, "value": string(150)}, {"description": text(75), "url": string(_LONGEST)})


_OPTION = _option(plain(75))
_CHOICE = _option(text(75))
_GROUP = shape({"label": plain(75), "options": items(_OPTION, 1, 100)}, {})
_DISPATCH = shape({}, {"trigger_actions_on": items(one_of("on_enter_pressed", "on_character_entered"), 1, 2)})


def _element(required: dict[str, Check], **optional: Check) -> Check:
    return shape({"type": anything} | required, {"action_id": string(255), "confirm": _CONFIRM} | optional)


def _menu(required: dict[str, Check], **optional: Check) -> Check:
    return _element(required, placeholder=plain(150), focus_on_load=boolean, **optional)


def _field(**optional: Check) -> Check:
    return shape(
        {"type": anything},
        {"action_id": string(255), "placeholder": plain(150), "focus_on_load": boolean}
        | {"dispatch_action_config": _DISPATCH, "initial_value": string(_LONGEST, least=0)}
        | optional,
    )


def _needs_choices(menu: Check) -> Check:
    """Add the rule that a static menu has either options or option groups."""

    def check(value: object, at: str, report: Report) -> None:
        menu(value, at, report)
        if isinstance(value, dict) and ("options" in value) == ("option_groups" in value):
            report.add("must have either options or option_groups", at)

    return check


_STATIC: dict[str, Check] = {"options": items(_OPTION, 1, 100), "option_groups": items(_GROUP, 1, 100)}
_MULTI: dict[str, Check] = {"max_selected_items": number(1, 100)}
_IDS = items(string(40), 0, 100)
_DATE = string(10, least=10)

BUTTON: Check = _element(
    {"text": plain(75)},
    value=string(2000),
    url=string(_LONGEST),
    style=one_of("primary", "danger"),
    accessibility_label=string(75),
    agent_prompt=string(4000),
    agent_prompt_display=anything,
)
IMAGE_KEYS: dict[str, Check] = {"image_url": string(_LONGEST), "alt_text": string(2000)}
_IMAGE = shape(
    {"type": anything, "alt_text": string(2000)}, {"image_url": string(_LONGEST), "slack_file": anything}
)
_FEEDBACK = shape({"text": plain(75), "value": string(2000)}, {"accessibility_label": string(75)})

_SELECTS: dict[str, Check] = {
    "static_select": _needs_choices(_menu({}, initial_option=_OPTION, **_STATIC)),
    "external_select": _menu({}, initial_option=_OPTION, min_query_length=number(0, 100)),
    "users_select": _menu({}, initial_user=string(40)),
    "conversations_select": _menu(
        {},
        initial_conversation=string(40),
        default_to_current_conversation=boolean,
        response_url_enabled=boolean,
        filter=anything,
    ),
    "channels_select": _menu({}, initial_channel=string(40), response_url_enabled=boolean),
}
_MULTI_SELECTS: dict[str, Check] = {
    "multi_static_select": _needs_choices(
        _menu({}, initial_options=items(_OPTION, 0, 100), **_STATIC, **_MULTI)
    ),
    "multi_external_select": _menu(
        {}, initial_options=items(_OPTION, 0, 100), min_query_length=number(0, 100), **_MULTI
    ),
    "multi_users_select": _menu({}, initial_users=_IDS, **_MULTI),
    "multi_conversations_select": _menu(
        {}, initial_conversations=_IDS, default_to_current_conversation=boolean, filter=anything, **_MULTI
    ),
    "multi_channels_select": _menu({}, initial_channels=_IDS, **_MULTI),
}
_CHOICES: dict[str, Check] = {
    "checkboxes": _element(
        {"options": items(_CHOICE, 1, 10)}, initial_options=items(_CHOICE, 0, 10), focus_on_load=boolean
    ),
    "radio_buttons": _element(
        {"options": items(_CHOICE, 1, 10)}, initial_option=_CHOICE, focus_on_load=boolean
    ),
    "datepicker": _menu({}, initial_date=_DATE),
    "timepicker": _menu({}, initial_time=string(5, least=5), timezone=string(60)),
}
_DATETIME: dict[str, Check] = {
    "datetimepicker": _element(
        {}, initial_date_time=number(1_000_000_000, 9_999_999_999), focus_on_load=boolean
    )
}
_PRESSED: dict[str, Check] = {
    "button": BUTTON,
    "overflow": _element({"options": items(_OPTION, 1, 5)}),
    "workflow_button": _element({"text": plain(75), "workflow": anything}, style=one_of("primary", "danger")),
}

ACTIONS: Check = typed(_SELECTS | _CHOICES | _DATETIME | _PRESSED)
ACCESSORIES: Check = typed(_SELECTS | _MULTI_SELECTS | _CHOICES | _PRESSED | {"image": _IMAGE})
CONTEXT: Check = typed({"image": _IMAGE, "plain_text": plain(2000), "mrkdwn": mrkdwn(2000)})
CONTEXT_ACTIONS: Check = typed(
    {
        "feedback_buttons": _element({"positive_button": _FEEDBACK, "negative_button": _FEEDBACK}),
        "icon_button": _element(
            {"icon": one_of("trash"), "text": plain(75)},
            value=string(2000),
            accessibility_label=string(75),
            visible_to_user_ids=_IDS,
        ),
    }
)
INPUTS: Check = typed(
    _SELECTS
    | _MULTI_SELECTS
    | _CHOICES
    | _DATETIME
    | {
        "plain_text_input": _field(multiline=boolean, min_length=number(0, 3000), max_length=number(1, 3000)),
        "email_text_input": _field(),
        "url_text_input": _field(),
        "number_input": _field(is_decimal_allowed=boolean, min_value=string(20), max_value=string(20)),
        "rich_text_input": _field(
            initial_value=rich_text, min_lines=number(1, 100), max_lines=number(1, 100)
        ),
        "file_input": shape(
            {"type": anything},
            {"action_id": string(255), "filetypes": items(string(20), 1, 50), "max_files": number(1, 10)},
        ),
    }
)
URL_SOURCE: Check = shape({"type": one_of("url"), "url": string(_LONGEST), "text": string(_LONGEST)}, {})
