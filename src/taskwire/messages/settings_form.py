"""The dialog of `/task settings`: the settings of the person who opens the dialog, and of one channel.

Each menu has an option that leaves the setting to the deployment. `read_settings` turns a submitted dialog
back into settings. A submission may contain any value, so a value that no menu offers counts as not set.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.ids import ChannelId
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.text.message import Block, Dialog, View
from taskwire.messages.blocks import format_duration, plain_text, section
from taskwire.messages.dialog_fields import (
    MOST_OPTIONS,
    limit_options,
    make_field,
    make_menu,
    make_option,
    make_view,
)
from taskwire.messages.forms import TemplateChoice
from taskwire.messages.person_settings_form import find_person_errors, person_fields, zone_note

# The value of the option that leaves a setting to the deployment.
_EVERYWHERE = "everywhere"
_YES, _NO = "yes", "no"
# The value of a preset's option begins with this, because a preset may have any name.
_PRESET_PREFIX = "preset:"
# Slack's limit for the value of an option.
_VALUE_LENGTH = 150
_TEMPLATE_ID = re.compile(r"[A-Za-z0-9-]{1,64}")
# How long an agent may be idle before people are called, in seconds.
SETTLE_CHOICES = (5, 20, 60, 300)
# In seconds. How long nothing may change, and how long a question may be open, before people are called. 0
# means never.
STUCK_CHOICES = (600, 1_800, 3_600, 14_400, 0)
REMINDER_CHOICES = (1_800, 3_600, 14_400, 28_800, 86_400, 0)
# The error beside the field for a group.
ONE_FALLBACK = "Choose a person or a group, not both."
_PERSON_ID = re.compile(r"[UW][A-Za-z0-9]{1,40}")
_GROUP_ID = re.compile(r"S[A-Za-z0-9]{1,40}")


class SettingsField(StrEnum):
    """The action id of each field, which is also its block id.

    The block id of the preset's field also contains the template.
    """

    TEMPLATE = "settings.template"
    PRESET = "settings.preset"
    REPLIES = "settings.replies"
    STEERERS = "settings.steerers"
    RESUMES = "settings.resumes"
    SETTLE = "settings.settle"
    STUCK = "settings.stuck"
    REMINDER = "settings.reminder"
    FALLBACK = "settings.fallback"
    GROUP = "settings.group"


class Defaults(NamedTuple):
    """The deployment's values: its template's name, which may be empty, and times in seconds."""

    template: str
    settle_seconds: float
    stuck_seconds: float
    reminder_seconds: float


def settings_form(
    channel: ChannelId,
    settings: ChannelSettings,
    templates: Sequence[TemplateChoice],
    groups: Mapping[str, str],
    defaults: Defaults,
    own: PersonSettings,
    private_metadata: str,
) -> View:
    """Make the dialog with the present settings. Slack sends `private_metadata` back with the submission.

    `groups` are the names of the workspace's user groups, by id. `own` are the person's own settings, which
    come first.
    """
    layout: list[Block] = [
        *_own_part(own),
        section("channel", f"For everybody in {name_place(channel)}:"),
        *_template_fields(settings, templates, defaults.template),
        _choice_field(
            SettingsField.REPLIES,
            "In new threads, the agent gets",
            {"all": "Every reply", "mentions": "Only replies that mention @Taskwire"},
            settings.replies,
        ),
        _choice_field(
            SettingsField.STEERERS,
            "Who can steer tasks",
            {"owner": "The owner of each task", "channel": "Everybody in this channel"},
            settings.steerers,
        ),
        _choice_field(
            SettingsField.RESUMES,
            "A reply to a paused task",
            {_YES: "Resumes it", _NO: "Waits until somebody resumes it"},
            _YES if settings.is_resumed_by_reply else _NO,
        ),
        _duration_field(
            SettingsField.SETTLE,
            "When a task needs its owner, call them after",
            SETTLE_CHOICES,
            settings.settle_seconds,
            defaults.settle_seconds,
        ),
        _duration_field(
            SettingsField.STUCK,
            "When nothing changes in a task, call its owner after",
            STUCK_CHOICES,
            settings.stuck_seconds,
            defaults.stuck_seconds,
        ),
        _duration_field(
            SettingsField.REMINDER,
            "When nobody answers a question, call the owner again after",
            REMINDER_CHOICES,
            settings.reminder_seconds,
            defaults.reminder_seconds,
        ),
        *_fallback_fields(settings.fallback, groups),
    ]
    return make_view(Dialog.SETTINGS, layout, private_metadata, "Save")


def own_settings_form(own: PersonSettings, refused: str, private_metadata: str) -> View:
    """Make the dialog without the channel's settings. `refused` says why they are left out."""
    shown = [section("channel", refused)] if refused else []
    return make_view(Dialog.SETTINGS, [*shown, *_own_part(own)], private_metadata, "Save")


def _own_part(own: PersonSettings) -> list[Block]:
    return [section("own", "For you, everywhere:"), *person_fields(own), zone_note()]


def name_place(channel: ChannelId) -> str:
    """Return a channel as mrkdwn."""
    return f"<#{channel}>"


def read_settings(values: Mapping[str, str]) -> ChannelSettings:
    """Return the settings in a submitted dialog."""
    template = values.get(SettingsField.TEMPLATE, "")
    is_template = template != _EVERYWHERE and _TEMPLATE_ID.fullmatch(template) is not None
    preset = values.get(_preset_block_id(template), "")
    has_preset = is_template and preset.startswith(_PRESET_PREFIX)
    return ChannelSettings(
        template_id=template if is_template else "",
        preset=preset.removeprefix(_PRESET_PREFIX) if has_preset else "",
        replies="mentions" if values.get(SettingsField.REPLIES) == "mentions" else "all",
        steerers="channel" if values.get(SettingsField.STEERERS) == "channel" else "owner",
        is_resumed_by_reply=values.get(SettingsField.RESUMES) != _NO,
        settle_seconds=_read_duration(values, SettingsField.SETTLE, SETTLE_CHOICES),
        stuck_seconds=_read_duration(values, SettingsField.STUCK, STUCK_CHOICES),
        reminder_seconds=_read_duration(values, SettingsField.REMINDER, REMINDER_CHOICES),
        fallback=_read_person(values) or _read_group(values),
    )


def find_errors(values: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence for each field that was filled wrongly."""
    has_both = _read_person(values) and _read_group(values)
    return find_person_errors(values) | ({SettingsField.GROUP.value: ONE_FALLBACK} if has_both else {})


def _read_person(values: Mapping[str, str]) -> str:
    person = values.get(SettingsField.FALLBACK, "")
    return person if _PERSON_ID.fullmatch(person) else ""


def _read_group(values: Mapping[str, str]) -> str:
    group = values.get(SettingsField.GROUP, "")
    return group if _GROUP_ID.fullmatch(group) else ""


def _read_duration(values: Mapping[str, str], field: SettingsField, choices: Sequence[int]) -> int | None:
    found = values.get(field, "")
    return next((seconds for seconds in choices if found == f"{seconds}"), None)


def _template_fields(
    settings: ChannelSettings, templates: Sequence[TemplateChoice], default: str
) -> list[Block]:
    """Return the menus for template and preset.

    If the channel's template no longer exists, the person has to choose another one.
    """
    template = next((each for each in templates if each.id == settings.template_id), None)
    everywhere = f"Default ({default})" if default else "Default"
    options = {_EVERYWHERE: make_option(everywhere, _EVERYWHERE)}
    options |= {
        each.id: make_option(each.title, each.id, each.organization)
        for each in limit_options(templates, template, MOST_OPTIONS - 1)
    }
    is_gone = bool(settings.template_id) and template is None
    gone = ":warning: The template that was set here is no longer in Coder, or you can't use it."
    initial = options[_EVERYWHERE if template is None else template.id]
    menu = make_menu(SettingsField.TEMPLATE, [*options.values()], initial, "Choose a template")
    field = make_field(SettingsField.TEMPLATE.value, "Template of new tasks", menu)
    shown = [section("gone", gone)] if is_gone else []
    return [*shown, field | {"dispatch_action": True}, *_preset_field(template, settings.preset)]


def _preset_field(template: TemplateChoice | None, preset: str) -> list[Block]:
    names = [] if template is None else [each.name for each in template.presets]
    names = [name for name in names if len(_PRESET_PREFIX + name) <= _VALUE_LENGTH]
    if template is None or not names:
        return []
    chosen = preset if preset in names else None
    options = {_EVERYWHERE: make_option("The template's own", _EVERYWHERE)}
    options |= {
        name: make_option(name, _PRESET_PREFIX + name)
        for name in limit_options(names, chosen, MOST_OPTIONS - 1)
    }
    menu = make_menu(
        SettingsField.PRESET, [*options.values()], options[chosen or _EVERYWHERE], "Choose a preset"
    )
    return [make_field(_preset_block_id(template.id), "Preset of new tasks", menu)]


def _preset_block_id(template: str) -> str:
    """Return the block id of the preset's field. The id contains the template.

    With one id for all templates, Slack would keep the choice that was made for an earlier template.
    """
    return f"{SettingsField.PRESET}:{template}"[:255]


def _choice_field(field: SettingsField, label: str, choices: Mapping[str, str], chosen: str) -> Block:
    options = {value: make_option(words, value) for value, words in choices.items()}
    return make_field(field.value, label, make_menu(field, [*options.values()], options[chosen], "Choose"))


def _duration_field(
    field: SettingsField, label: str, choices: Sequence[int], chosen: int | None, default: float
) -> Block:
    words = {_EVERYWHERE: f"Default ({_describe(default)})"}
    words |= {f"{seconds}": _describe(seconds) for seconds in choices}
    return _choice_field(field, label, words, _EVERYWHERE if chosen is None else f"{chosen}")


def _describe(seconds: float) -> str:
    return format_duration(int(seconds * 1000)) if seconds else "never"


def _fallback_fields(fallback: str, groups: Mapping[str, str]) -> list[Block]:
    """Return the fields for the fallback, who is called if the owner does not answer: a person or a group."""
    # Slack's menu for one person cannot be cleared. So this is a menu for several people that accepts only
    # one.
    person: Block = {
        "type": "multi_users_select",
        "action_id": SettingsField.FALLBACK.value,
        "max_selected_items": 1,
        "placeholder": plain_text("Nobody", 150),
    }
    if fallback and not fallback.startswith("S"):
        person = person | {"initial_users": [fallback]}
    label = "When there is still no answer, call"
    field = make_field(SettingsField.FALLBACK.value, label, person, is_optional=True)
    if not groups:
        return [field]
    chosen = fallback if fallback in groups else None
    names = {_EVERYWHERE: "No group"}
    names |= {group: groups[group] for group in limit_options([*groups], chosen, MOST_OPTIONS - 1)}
    return [field, _choice_field(SettingsField.GROUP, "Or call this group", names, chosen or _EVERYWHERE)]
