"""Fills the form for a new task with the templates and presets that exist."""

from collections.abc import Callable, Mapping, Sequence

from taskwire.coder.models import Template
from taskwire.dependencies import Dependencies
from taskwire.domain.commands import OpenForm
from taskwire.domain.errors import UserError
from taskwire.domain.ids import UserId
from taskwire.domain.jobs import Requester
from taskwire.domain.message import View
from taskwire.messages import forms
from taskwire.messages.forms import Field, PresetChoice, TemplateChoice
from taskwire.people.permissions import People
from taskwire.tasks.choices import choose_preset, choose_template


class CreateForm:
    """Makes the form."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def view(self, requester: Requester, given: OpenForm, metadata: Callable[[str], str]) -> View:
        """Return the form with what was typed; raises UserError if the person may not create tasks.

        `metadata` returns the form's private metadata for the id of the template that is shown.
        """
        await self._people.get_account(requester.person)
        templates = await self._deps.coder.list_templates()
        chosen, preset, error = await self._preselect(templates, given)
        return forms.create_form(
            await self._list_choices(templates, chosen),
            prompt=given.text,
            chosen=chosen,
            preset=preset,
            name=given.name or "",
            channel=requester.channel,
            error=error,
            private_metadata=metadata(chosen),
        )

    async def with_template(
        self,
        person: UserId,
        chosen: str,
        entered: Mapping[str, str],
        channel: str,
        metadata: Callable[[str], str],
    ) -> View:
        """Return the form for another template, with what was entered so far.

        Raises UserError if the person may not create tasks any more. `metadata` returns the form's private
        metadata for the id of the template that is shown.
        """
        await self._people.get_account(person)
        templates = await self._deps.coder.list_templates()
        return forms.create_form(
            await self._list_choices(templates, chosen),
            prompt=entered.get(Field.PROMPT, ""),
            chosen=chosen,
            name=entered.get(Field.NAME, ""),
            channel=entered.get(Field.CHANNEL) or channel,
            private_metadata=metadata(chosen),
        )

    async def _preselect(self, templates: tuple[Template, ...], given: OpenForm) -> tuple[str, str, str]:
        """Return the ids of the template and the preset to show, and a sentence if a given name is wrong."""
        chosen, preset = templates[0].id if templates else "", ""
        try:
            template = choose_template(templates, given.template, given.organization, self._deps.template)
            chosen = template.id
            presets = await self._deps.coder.list_presets(template.active_version_id)
            found = choose_preset(template, presets, given.preset, self._deps.preset)
            preset = found.id if found else ""
        except UserError as error:
            is_named = given.template or given.organization or given.preset
            return chosen, preset, error.sentence if is_named and templates else ""
        return chosen, preset, ""

    async def _list_choices(self, templates: Sequence[Template], chosen: str) -> list[TemplateChoice]:
        """Return all templates, but only the presets of the chosen one, so that two requests are enough."""
        return [
            TemplateChoice(
                id=template.id,
                title=template.title,
                organization=template.organization_name,
                presets=await self._list_presets(template) if template.id == chosen else (),
            )
            for template in templates
        ]

    async def _list_presets(self, template: Template) -> tuple[PresetChoice, ...]:
        presets = await self._deps.coder.list_presets(template.active_version_id)
        return tuple(PresetChoice(preset.id, preset.name, preset.is_default) for preset in presets)
