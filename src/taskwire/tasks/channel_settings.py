"""The settings of a channel: fills the dialog of `/task settings`, and saves what was entered.

Each full member of the workspace who is in a channel may change its settings. Only the person who has saved
them is told. If two people save at once, the later one wins.
"""

from collections.abc import Mapping
from functools import partial

from taskwire.coder.models import Template
from taskwire.dependencies import Dependencies
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId
from taskwire.domain.jobs import Requester, SaveChannelSettings
from taskwire.domain.message import View
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import answers, refusals, settings_form
from taskwire.messages.forms import PresetChoice, TemplateChoice
from taskwire.messages.settings_form import Defaults
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.telemetry import logger

_log = logger("taskwire.tasks.channel_settings")


class ChannelSettingsForm:
    """Fills the dialog."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def view(self, requester: Requester, metadata: str) -> View:
        """Return the dialog of the requester's channel; UserError if the person may not change it."""
        await require_member(self._people, requester)
        settings = await self._deps.channel_settings.get(requester.channel)
        return await self._make_view(requester.channel, settings, metadata)

    async def with_template(self, requester: Requester, entered: Mapping[str, str], metadata: str) -> View:
        """Return the dialog for another template, with what was entered so far. UserError as `view`."""
        await require_member(self._people, requester)
        return await self._make_view(requester.channel, settings_form.read_settings(entered), metadata)

    async def _make_view(self, channel: ChannelId, settings: ChannelSettings, metadata: str) -> View:
        templates = [
            TemplateChoice(
                id=template.id,
                title=template.title,
                organization=template.organization_name,
                presets=await self._list_presets(template) if template.id == settings.template_id else (),
            )
            for template in await self._deps.coder.list_templates()
        ]
        defaults = Defaults(self._deps.template or "", self._deps.rules.settle_ms / 1000)
        return settings_form.settings_form(channel, settings, templates, defaults, metadata)

    async def _list_presets(self, template: Template) -> tuple[PresetChoice, ...]:
        presets = await self._deps.coder.list_presets(template.active_version_id)
        return tuple(PresetChoice(preset.id, preset.name, preset.is_default) for preset in presets)


class ChannelSettingsSaver:
    """Handles the jobs that save settings."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """List the handlers of this class."""
        return (Handler.without_link(SaveChannelSettings, self.handle_save),)

    async def handle_save(self, context: JobContext) -> Outcome:
        """Check that the person may change the settings, and store them."""
        work = context.work(SaveChannelSettings)
        return await retry_for_person(self._deps, context, None, partial(self._save, work))

    async def _save(self, work: SaveChannelSettings, context: JobContext) -> Outcome:
        requester = work.requester
        await require_member(self._people, requester)
        batch = self._deps.channel_settings.write(Batch(), requester.channel, work.settings)
        _log.info(
            "channel settings saved",
            channel=requester.channel,
            person=requester.person,
            settings=work.settings.model_dump(exclude_defaults=True),
            job=context.job.id,
        )
        return done(batch, (requester, answers.settings_saved(requester.channel)))


async def require_member(people: People, requester: Requester) -> None:
    """Raise UserError unless the person is a full member of this workspace and is in the channel."""
    await people.get_profile(requester.person)
    channel = requester.channel
    if not channel or not await people.directory.is_member(requester.person, channel):
        raise UserError(*refusals.not_in_channel(channel, "changed"))
