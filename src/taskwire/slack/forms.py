"""Reads what a person entered in a dialog's inputs and menus, as plain strings.

There is one value for each block, by block id; several choices are joined by commas. The code that made the
dialog knows what a value means.
"""

from collections.abc import Mapping

from taskwire.slack import payload_fields

# The keys under which each kind of element stores its choice. [Slack: view_submission, state.values]
_ONE = (
    "value",
    "selected_conversation",
    "selected_channel",
    "selected_user",
    "selected_date",
    "selected_time",
)
_SEVERAL = ("selected_conversations", "selected_channels", "selected_users")


def values(state: object) -> dict[str, str]:
    """Return what was entered, by block id. Empty inputs are left out."""
    found: dict[str, str] = {}
    for block_id, elements in payload_fields.part(state, "values").items():
        if not isinstance(elements, Mapping):
            continue
        given = [value for element in elements.values() if (value := entered(element))]
        if given:
            found[block_id] = ",".join(given)
    return found


def entered(element: object) -> str:
    """Return what was entered in one element, or the value of a pressed button."""
    if option := payload_fields.part(element, "selected_option"):
        return payload_fields.text(option, "value")
    if options := payload_fields.rows(element, "selected_options"):
        return ",".join(payload_fields.text(option, "value") for option in options)
    for key in _SEVERAL:
        if several := payload_fields.strings(element, key):
            return ",".join(several)
    return next((value for key in _ONE if (value := payload_fields.text(element, key))), "")
