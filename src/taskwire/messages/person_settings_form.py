"""A person's own settings: their fields in a dialog, and a sentence that describes them.

A submission may contain any value, so a value that no menu offers counts as not set.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import get_args

from taskwire.domain.person_settings import CallPlace, PersonSettings
from taskwire.domain.text.message import Block
from taskwire.messages.dialog_fields import small_text

_NO_QUIET_HOURS = "none"
# The errors beside the end of the quiet hours.
END_MISSING = "Choose when your quiet hours end."
END_IS_BEGINNING = "Choose another hour: your quiet hours begin at this one."
_CALL_LABELS: dict[CallPlace, str] = {
    "thread": "By a mention in the thread",
    "direct": "By a direct message",
    "both": "By a mention and a direct message",
    "nothing": "Not at all",
}
_CALL_SENTENCES: dict[CallPlace, str] = {
    "thread": "When a task needs you, I mention you in its thread",
    "direct": "When a task needs you, I send you a direct message",
    "both": "When a task needs you, I mention you in its thread and send you a direct message",
    "nothing": "I never call you",
}


class PersonField(StrEnum):
    """The action id of each field, which is also its block id."""

    CALLS = "person.calls"
    QUIET_FROM = "person.quiet_from"
    QUIET_UNTIL = "person.quiet_until"


def person_fields(settings: PersonSettings) -> list[Block]:
    """Make the fields with the present settings."""
    begins, ends = settings.quiet_from_hour, settings.quiet_until_hour
    hours = {f"{hour}": _show_hour(hour) for hour in range(24)}
    starts, endings = {_NO_QUIET_HOURS: "No quiet hours"} | hours, {_NO_QUIET_HOURS: "Not set"} | hours
    return [
        _menu(PersonField.CALLS, "When a task needs me, call me", _CALL_LABELS, settings.calls),
        _menu(
            PersonField.QUIET_FROM,
            "Quiet hours begin",
            starts,
            _NO_QUIET_HOURS if begins is None else f"{begins}",
        ),
        _menu(
            PersonField.QUIET_UNTIL,
            "Quiet hours end",
            endings,
            _NO_QUIET_HOURS if ends is None else f"{ends}",
        ),
    ]


def zone_note() -> Block:
    """Make the note below the fields: hours are in the person's time zone, and threads always get notices."""
    return small_text("zone", "Times are in your time zone. Threads still get every message.")


def read_person_settings(values: Mapping[str, str]) -> PersonSettings:
    """Return the settings in a submitted dialog."""
    calls = values.get(PersonField.CALLS, "")
    begins = _read_hour(values.get(PersonField.QUIET_FROM, ""))
    ends = _read_hour(values.get(PersonField.QUIET_UNTIL, ""))
    has_hours = None not in (begins, ends) and begins != ends
    return PersonSettings(
        calls=next((place for place in get_args(CallPlace) if place == calls), "thread"),
        quiet_from_hour=begins if has_hours else None,
        quiet_until_hour=ends if has_hours else None,
    )


def find_person_errors(values: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence for the end of the quiet hours, if it does not fit their beginning."""
    begins, ends = (
        _read_hour(values.get(field, "")) for field in (PersonField.QUIET_FROM, PersonField.QUIET_UNTIL)
    )
    if begins is None or ends not in (None, begins):
        return {}
    return {PersonField.QUIET_UNTIL.value: END_MISSING if ends is None else END_IS_BEGINNING}


def write_shown(settings: PersonSettings) -> str:
    """Return the settings that a dialog shows, as a text for its metadata."""
    return f"{settings.calls} {settings.quiet_from_hour} {settings.quiet_until_hour}"


def describe_settings(settings: PersonSettings) -> str:
    """Say in a sentence how notices reach the person."""
    words = _CALL_SENTENCES[settings.calls]
    if settings.calls == "nothing" or not settings.has_quiet_hours:
        return f"{words}."
    begins, ends = _show_hour(settings.quiet_from_hour or 0), _show_hour(settings.quiet_until_hour or 0)
    return f"{words}, but not from {begins} to {ends}. At {ends}, I send you a summary by direct message."


def _show_hour(hour: int) -> str:
    return f"{hour:02}:00"


def _read_hour(value: str) -> int | None:
    return next((hour for hour in range(24) if value == f"{hour}"), None)


def _menu(
    field: PersonField, label: str, choices: Mapping[str, str] | Mapping[CallPlace, str], chosen: str
) -> Block:
    options: list[Block] = [
        {"text": {"type": "plain_text", "text": words, "emoji": False}, "value": value}
        for value, words in choices.items()
    ]
    initial = next(option for option in options if option["value"] == chosen)
    menu: Block = {"type": "static_select", "action_id": field.value, "options": [*options]}
    return {
        "type": "input",
        "block_id": field.value,
        "label": {"type": "plain_text", "text": label, "emoji": False},
        "element": menu | {"initial_option": initial},
    }
