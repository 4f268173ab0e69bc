"""Chooses the template and the preset that a person means, and checks the name of a new task.

A template or a preset is chosen by its name, by a default, or because there is only one.
"""

from collections.abc import Sequence

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NotFound
from taskwire.coder.models import Preset, Template
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.errors import UserError
from taskwire.domain.parsing.grammar import find_nearest
from taskwire.domain.parsing.naming import make_numbered_name
from taskwire.messages import refusals

# How many values are offered as buttons.
MOST_OFFERED = 4


class WrongOption(UserError):
    """An option of `create` has a wrong value. `near` has the possible values that the bot offers."""

    def __init__(self, option: str, refusal: refusals.Refusal, near: Sequence[str]) -> None:
        super().__init__(*refusal)
        self.option = option
        self.near = tuple(near[:MOST_OFFERED])


def choose_template(
    templates: tuple[Template, ...], named: str | None, organization: str | None, default: str | None
) -> Template:
    """Return the template of this name, else the default template, else the only template.

    Raise UserError if there is none of these.
    """
    if not templates:
        raise UserError(*refusals.no_templates())
    usable = [t for t in templates if organization is None or _is_one_of(organization, t.organization_name)]
    if organization is not None and not usable:
        names = list(dict.fromkeys(t.organization_name for t in templates))
        near = find_nearest(organization, names)
        raise WrongOption("org", refusals.unknown_organization(organization, near, names), near or names)
    wanted = named or default
    if wanted is None:
        if len(usable) == 1:
            return usable[0]
        names = [t.name for t in usable]
        raise WrongOption("template", refusals.template_ambiguous(names), names)
    found = [t for t in usable if _is_one_of(wanted, t.name, t.display_name, t.id)]
    names = [t.name for t in usable]
    if not found and named is None:
        raise WrongOption("template", refusals.default_template_missing(wanted, names), names)
    if not found:
        near = find_nearest(wanted, names)
        raise WrongOption("template", refusals.unknown_template(wanted, near, names), near or names)
    if len(found) > 1:
        organizations = [t.organization_name for t in found]
        raise WrongOption("org", refusals.organization_ambiguous(wanted, organizations), organizations)
    return found[0]


def choose_template_in_channel(
    templates: tuple[Template, ...],
    named: str | None,
    organization: str | None,
    settings: ChannelSettings,
    default: str | None,
) -> Template:
    """Return the template of this name, else the channel's, else the deployment's, else the only template.

    Raise UserError if there is none of these. If the person names an organization, the channel's template
    does not count.
    """
    if named is not None or organization is not None or not settings.template_id or not templates:
        return choose_template(templates, named, organization, default)
    found = next((template for template in templates if template.id == settings.template_id), None)
    if found is None:
        raise UserError(*refusals.channel_template_missing())
    return found


def get_default_preset(template: Template, settings: ChannelSettings, default: str | None) -> str | None:
    """Return the name of the preset to use if the person gives none: the channel's, else the deployment's,
    else None."""
    is_channels = template.id == settings.template_id and bool(settings.preset)
    return settings.preset if is_channels else default


def choose_preset(
    template: Template, presets: tuple[Preset, ...], named: str | None, default: str | None
) -> Preset | None:
    """Return the preset of this name, else the deployment's, else the template's default, else None."""
    if named is not None:
        if named.lower() == "none":
            return None
        found = [p for p in presets if _is_one_of(named, p.name, p.id)]
        if not found:
            names = [p.name for p in presets]
            near = find_nearest(named, names)
            raise WrongOption(
                "preset", refusals.unknown_preset(template.name, named, near, names), near or names
            )
        return found[0]
    preferred = [p for p in presets if default is not None and _is_one_of(default, p.name)]
    return next(iter(preferred), None) or next((p for p in presets if p.is_default), None)


def _is_one_of(wanted: str, *names: str) -> bool:
    return wanted.casefold() in (name.casefold() for name in names if name)


NAMES_TO_TRY = 8


async def require_free(coder: CoderClient, owner: str, name: str) -> None:
    """Raise UserError if the owner has a task of this name. The error suggests a free name."""
    if not await _is_free(coder, owner, name):
        free = await _find_free_name(coder, owner, name)
        raise WrongOption("name", refusals.name_taken(name, free), [free] if free else [])


async def make_name_taken_refusal(coder: CoderClient, owner: str, name: str) -> refusals.Refusal:
    """Return a refusal that says that the name is taken.

    The refusal suggests a similar free name, if one is found.
    """
    return refusals.name_taken(name, await _find_free_name(coder, owner, name))


async def _find_free_name(coder: CoderClient, owner: str, name: str) -> str:
    """Return a similar name that is free; empty if none is found."""
    for number in range(2, 2 + NAMES_TO_TRY):
        if await _is_free(coder, owner, make_numbered_name(name, number)):
            return make_numbered_name(name, number)
    return ""


async def _is_free(coder: CoderClient, owner: str, name: str) -> bool:
    try:
        await coder.get_task(f"{owner}/{name}")
    except NotFound:
        return True
    return False
