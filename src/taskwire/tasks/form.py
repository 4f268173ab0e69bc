"""Fills the form for a new task with the templates and presets that Coder has."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from taskwire.agent.input import AgentInput
from taskwire.coder.client import CoderClient
from taskwire.coder.models import Template
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, UserId
from taskwire.domain.parsing import replies
from taskwire.domain.parsing.commands import OpenForm
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Block, View
from taskwire.messages import forms
from taskwire.messages.blocks import cut
from taskwire.messages.forms import Field, PresetChoice, TemplateChoice
from taskwire.people.permissions import People
from taskwire.slack.shortcuts import PickedMessage
from taskwire.tasks.choices import choose_preset, choose_template_in_channel, get_default_preset
from taskwire.tasks.create import find_request


class CreateForm:
    """Makes the form for a new task."""

    def __init__(self, deps: Dependencies, people: People, agent_input: AgentInput) -> None:
        self._deps = deps
        self._people = people
        self._agent_input = agent_input

    async def view(
        self,
        requester: Requester,
        given: OpenForm,
        metadata: Callable[[str], str],
        *,
        with_thread: bool | None = None,
    ) -> View:
        """Return the form, filled with what the person typed.

        Raise UserError if the person may not create tasks.

        `metadata` returns the form's private metadata for the id of the shown template. `with_thread` says
        whether the agent gets the thread too; None if there is no thread, so that the form does not ask.
        """
        await self._people.get_account(requester.person)
        coder = await self._people.accounts.get_client(requester.person)
        templates = await coder.list_templates()
        chosen, preset, error = await self._preselect(coder, templates, given, requester.channel)
        return forms.create_form(
            await _list_choices(coder, templates, chosen),
            prompt=given.text,
            chosen=chosen,
            preset=preset,
            name=given.name or "",
            channel=requester.channel,
            error=error,
            private_metadata=metadata(chosen),
            with_thread=with_thread,
        )

    async def view_message(
        self, requester: Requester, message: PickedMessage, metadata: Callable[[str], str]
    ) -> View:
        """Return the form with a message as the prompt, and with a link back to that message.

        Raises UserError as `view` does.
        """
        blocks = cast("list[Block]", json.loads(message.blocks_json)) if message.blocks_json else []
        raw = replies.to_markdown(message.text, blocks)
        text = replies.to_agent_text(raw, await self._agent_input.list_names(raw))
        behind = await self._agent_input.link_back(requester.channel, message)
        prompt = f"{cut(text, forms.INPUT_LENGTH - len(behind))}{behind}"
        with_thread = False if message.thread_ts is not None else None
        return await self.view(requester, OpenForm(prompt), metadata, with_thread=with_thread)

    async def view_offered(self, requester: Requester, key: str, metadata: Callable[[str], str]) -> View:
        """Return the form for a request that the bot has offered.

        Raise UserError if the request has expired or is another person's.
        """
        request = await find_request(self._deps, key, requester.person)
        given = OpenForm(request.prompt, request.template, request.preset, request.name, request.organization)
        return await self.view(requester, given, metadata)

    async def with_template(
        self,
        person: UserId,
        chosen: str,
        entered: Mapping[str, str],
        channel: str,
        has_thread: bool,
        metadata: Callable[[str], str],
    ) -> View:
        """Return the form with another template and the values that the person has entered so far.

        Raises UserError if the person may no longer create tasks. `metadata` is called with the id of the
        shown template, and returns the form's private metadata.
        """
        await self._people.get_account(person)
        coder = await self._people.accounts.get_client(person)
        templates = await coder.list_templates()
        return forms.create_form(
            await _list_choices(coder, templates, chosen),
            prompt=entered.get(Field.PROMPT, ""),
            chosen=chosen,
            name=entered.get(Field.NAME, ""),
            channel=entered.get(Field.CHANNEL) or channel,
            private_metadata=metadata(chosen),
            with_thread=Field.WITH_THREAD in entered if has_thread else None,
        )

    async def _preselect(
        self, coder: CoderClient, templates: tuple[Template, ...], given: OpenForm, channel: ChannelId
    ) -> tuple[str, str, str]:
        """Return the ids of the template and the preset to show.

        If the person gave a wrong name, also return a sentence about it.
        """
        chosen, preset = templates[0].id if templates else "", ""
        try:
            settings = await self._deps.channel_settings.get(channel)
            template = choose_template_in_channel(
                templates, given.template, given.organization, settings, self._deps.template
            )
            chosen = template.id
            presets = await coder.list_presets(template.active_version_id)
            default = get_default_preset(template, settings, self._deps.preset)
            found = choose_preset(template, presets, given.preset, default)
            preset = found.id if found else ""
        except UserError as error:
            is_named = given.template or given.organization or given.preset
            return chosen, preset, error.sentence if is_named and templates else ""
        return chosen, preset, ""


async def _list_choices(
    coder: CoderClient, templates: Sequence[Template], chosen: str
) -> list[TemplateChoice]:
    """Return all templates, but the presets of only the chosen template, so that two requests are enough."""
    return [
        TemplateChoice(
            id=template.id,
            title=template.title,
            organization=template.organization_name,
            presets=await list_preset_choices(coder, template) if template.id == chosen else (),
        )
        for template in templates
    ]


async def list_preset_choices(coder: CoderClient, template: Template) -> tuple[PresetChoice, ...]:
    """List the presets of a template, for a dialog."""
    presets = await coder.list_presets(template.active_version_id)
    return tuple(PresetChoice(preset.id, preset.name, preset.is_default) for preset in presets)
