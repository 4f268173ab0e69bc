"""Chooses the template and the preset that a person means, and checks the name of a new task.

A choice is made by name, by the deployment's default, or because there is only one.
"""

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NotFound
from taskwire.coder.models import Preset, Template
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.errors import UserError
from taskwire.domain.grammar import find_nearest
from taskwire.domain.naming import make_numbered_name
from taskwire.messages import refusals


def choose_template(
    templates: tuple[Template, ...], named: str | None, organization: str | None, default: str | None
) -> Template:
    """Return the named template, else the default, else the only one; UserError if there is none."""
    if not templates:
        raise UserError(*refusals.no_templates())
    usable = [t for t in templates if organization is None or _is_one_of(organization, t.organization_name)]
    if organization is not None and not usable:
        names = list(dict.fromkeys(t.organization_name for t in templates))
        raise UserError(
            *refusals.unknown_organization(organization, find_nearest(organization, names), names)
        )
    wanted = named or default
    if wanted is None:
        if len(usable) == 1:
            return usable[0]
        raise UserError(*refusals.template_ambiguous([t.name for t in usable]))
    found = [t for t in usable if _is_one_of(wanted, t.name, t.display_name, t.id)]
    names = [t.name for t in usable]
    if not found and named is None:
        raise UserError(*refusals.default_template_missing(wanted, names))
    if not found:
        raise UserError(*refusals.unknown_template(wanted, find_nearest(wanted, names), names))
    if len(found) > 1:
        raise UserError(*refusals.organization_ambiguous(wanted, [t.organization_name for t in found]))
    return found[0]


def choose_template_in_channel(
    templates: tuple[Template, ...],
    named: str | None,
    organization: str | None,
    settings: ChannelSettings,
    default: str | None,
) -> Template:
    """Return the named template, else the channel's, else the deployment's, else the only one.

    Raise UserError if there is none. Naming an organization means another template than the channel's.
    """
    if named is not None or organization is not None or not settings.template_id or not templates:
        return choose_template(templates, named, organization, default)
    found = next((template for template in templates if template.id == settings.template_id), None)
    if found is None:
        raise UserError(*refusals.channel_template_missing())
    return found


def get_default_preset(template: Template, settings: ChannelSettings, default: str | None) -> str | None:
    """Return the name of the channel's or the deployment's preset, to use unless another one is named."""
    is_channels = template.id == settings.template_id and bool(settings.preset)
    return settings.preset if is_channels else default


def choose_preset(
    template: Template, presets: tuple[Preset, ...], named: str | None, default: str | None
) -> Preset | None:
    """Return the named preset, else the deployment's, else the template's default, else None."""
    if named is not None:
        if named.lower() == "none":
            return None
        found = [p for p in presets if _is_one_of(named, p.name, p.id)]
        if not found:
            names = [p.name for p in presets]
            raise UserError(*refusals.unknown_preset(template.name, named, find_nearest(named, names), names))
        return found[0]
    preferred = [p for p in presets if default is not None and _is_one_of(default, p.name)]
    return next(iter(preferred), None) or next((p for p in presets if p.is_default), None)


def _is_one_of(wanted: str, *names: str) -> bool:
    return wanted.casefold() in (name.casefold() for name in names if name)


NAMES_TO_TRY = 8


async def require_free(coder: CoderClient, owner: str, name: str) -> None:
    """Raise UserError if the owner has a task of this name. The error suggests a free name."""
    if not await _is_free(coder, owner, name):
        raise UserError(*await make_name_taken_refusal(coder, owner, name))


async def make_name_taken_refusal(coder: CoderClient, owner: str, name: str) -> refusals.Refusal:
    """Return a refusal that says that the name is taken, with a similar free name if one is found."""
    for number in range(2, 2 + NAMES_TO_TRY):
        if await _is_free(coder, owner, make_numbered_name(name, number)):
            return refusals.name_taken(name, make_numbered_name(name, number))
    return refusals.name_taken(name, "")


async def _is_free(coder: CoderClient, owner: str, name: str) -> bool:
    try:
        await coder.get_task(f"{owner}/{name}")
    except NotFound:
        return True
    return False
