"""The settings of a channel: fills the dialog of `/task settings`, and saves the channel's part.

The dialog also has the person's own settings, which `home/preferences.py` saves. In direct messages, the
dialog has only the person's own settings.

A full member of the workspace may change the settings of each channel that they are in. Only the person who
saves the settings is told about the change. There is one exception: who may steer. Before it is saved that
everybody in the channel may steer, a message in the channel says so; if Slack refuses the message, nothing is
saved. They may steer only in threads that begin afterwards, because the owners of earlier tasks have not
agreed to it. When this right ends, the channel is told after that. If two people save at once, the later
change replaces the earlier change.
"""

from collections.abc import Mapping
from functools import partial

from taskwire.dependencies import Dependencies
from taskwire.domain.channel_settings import ChannelSettings
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, LinkId, UserId, ts_of
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.queueing.jobs import Job
from taskwire.domain.queueing.person_jobs import SaveChannelSettings, TellChannel
from taskwire.domain.queueing.queues import channel_messages
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message, View
from taskwire.job_context import Handler, JobContext, Outcome, done
from taskwire.messages import answers, missing_rights, refusals, settings_form
from taskwire.messages.forms import TemplateChoice
from taskwire.messages.person_settings_form import read_person_settings
from taskwire.messages.settings_form import Defaults
from taskwire.outbox.enqueue import draw
from taskwire.outbox.posting import post_once
from taskwire.outbox.request_retries import retry_for_person
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.slack.errors import ChannelProblem, MessageGone
from taskwire.slack.metadata import Metadata
from taskwire.tasks.form import list_preset_choices
from taskwire.telemetry import logger

_log = logger("taskwire.tasks.channel_settings")


class SettingsForm:
    """Fills the dialog with a channel's settings."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    async def view(self, requester: Requester, own: PersonSettings, metadata: str) -> View:
        """Return the dialog for the requester's channel, with the person's own settings.

        Raise UserError if the person may not use the bot. If the person may not change the channel's
        settings, the dialog has only the person's own settings, and says why.
        """
        await self._people.get_profile(requester.person)
        if requester.channel.startswith("D"):
            return settings_form.own_settings_form(own, "", metadata)
        try:
            await require_member(self._people, requester)
            settings = await self._deps.channel_settings.get(requester.channel)
            return await self._make_view(requester, settings, own, metadata)
        except UserError as error:
            return settings_form.own_settings_form(own, answers.refusal(error).text, metadata)

    async def with_template(self, requester: Requester, entered: Mapping[str, str], metadata: str) -> View:
        """Return the dialog with another template and the values that the person has entered so far.

        Raise UserError for a person who may not change the channel's settings.
        """
        await require_member(self._people, requester)
        settings, own = settings_form.read_settings(entered), read_person_settings(entered)
        return await self._make_view(requester, settings, own, metadata)

    async def _make_view(
        self, requester: Requester, settings: ChannelSettings, own: PersonSettings, metadata: str
    ) -> View:
        coder = await self._people.accounts.get_client(requester.person)
        templates = [
            TemplateChoice(
                id=template.id,
                title=template.title,
                organization=template.organization_name,
                presets=await list_preset_choices(coder, template)
                if template.id == settings.template_id
                else (),
            )
            for template in await coder.list_templates()
        ]
        rules = self._deps.rules
        times = (rules.settle_ms / 1000, rules.stuck_ms / 1000, rules.reminder_ms / 1000)
        return settings_form.settings_form(
            requester.channel,
            settings,
            templates,
            await self._people.directory.list_group_names(),
            Defaults(self._deps.template or "", *times),
            own,
            metadata,
        )


class ChannelSettingsSaver:
    """Handles the jobs that save the settings of channels."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people

    def handlers(self) -> tuple[Handler, ...]:
        """Return the handlers: which method runs each kind of job."""
        return (
            Handler.without_link(SaveChannelSettings, self.handle_save),
            Handler.without_link(TellChannel, self.tell_channel),
        )

    async def handle_save(self, context: JobContext) -> Outcome:
        """Check that the person may change the settings.

        Store the settings if they differ from the stored ones.
        """
        work = context.work(SaveChannelSettings)
        return await retry_for_person(self._deps, context, None, partial(self._save_both, work))

    async def _save_both(self, work: SaveChannelSettings, context: JobContext) -> Outcome:
        """Save the settings. If they are refused, say that the person's own settings are saved."""
        # A person who may not use the bot at all cannot save their own settings either.
        await self._people.get_profile(work.requester.person)
        try:
            return await self._save(work, context)
        except UserError as error:
            if work.own is not None:
                error.hint = f"{error.hint} {answers.OWN_SETTINGS_SAVED}".strip()
            raise

    async def _save(self, work: SaveChannelSettings, context: JobContext) -> Outcome:
        requester = work.requester
        # If the channel may have been told already, everything was checked before that.
        was_telling = context.is_outcome_unknown
        if not was_telling:
            await require_member(self._people, requester)
        before = await self._deps.channel_settings.get(requester.channel)
        now = work.settings.replacing(before, ts_of(self._deps.slack.now()))
        if now == before and not was_telling:
            context.audit.is_nothing()
            said = answers.own_settings_saved(work.own) if work.own else answers.settings_unchanged()
            return done(None, (requester, said))
        if not was_telling:
            await self._require_fallback_there(requester.channel, now.fallback)
        opens = now.steerers == "channel" and before.steerers != "channel"
        if opens or was_telling:
            await self._tell_first(requester, context)
            # The right begins now: the request may have waited while other people started tasks.
            now = work.settings.replacing(before, ts_of(self._deps.slack.now()))
        batch = self._deps.channel_settings.write(Batch(), requester.channel, now)
        if before.with_rules(self._deps.rules, None) != now.with_rules(self._deps.rules, None):
            await self._look_again(requester.channel, context.now_ms, batch)
        if now.steerers != before.steerers:
            await self._draw_again(requester.channel, batch)
        if now.steerers != before.steerers and not opens:
            message = await self._make_message(requester, is_everybody=False)
            tell = Job(
                id=f"steerers:{context.job.id}", work=TellChannel(channel=requester.channel, message=message)
            )
            batch.append(channel_messages(requester.channel), tell)
        _log.info(
            "channel settings saved",
            channel=requester.channel,
            person=requester.person,
            settings=now.model_dump(exclude_defaults=True),
            job=context.job.id,
        )
        return done(batch, (requester, answers.settings_saved(requester.channel, work.own)))

    async def _make_message(self, requester: Requester, *, is_everybody: bool) -> Message:
        by_name = await self._people.find_name(requester.person)
        return answers.channel_may_steer(by_name, is_everybody=is_everybody)

    async def _tell_first(self, requester: Requester, context: JobContext) -> None:
        """Post in the channel that everybody there may steer, before that is saved.

        Raise UserError if Slack refuses the message: nobody may steer before the channel can know it.
        """
        channel, message = requester.channel, await self._make_message(requester, is_everybody=True)
        meta, place = Metadata(id=f"{channel}:{context.job.id}", kind="answer"), _place_of(channel)
        try:
            await post_once(self._deps, context, place, channel, None, message, meta)
        except (ChannelProblem, MessageGone):
            raise UserError(*missing_rights.channel_not_told(channel), reason="cannot_post") from None

    async def tell_channel(self, context: JobContext) -> Outcome:
        """Post the message that only owners, and people with a share, may steer from now on.

        If Slack refuses the message, for example in an archived channel, drop it.
        """
        work = context.work(TellChannel)
        meta = Metadata(id=f"{work.channel}:{context.job.id}", kind="answer")
        place = _place_of(work.channel)
        try:
            await post_once(self._deps, context, place, work.channel, None, work.message, meta)
        except (ChannelProblem, MessageGone) as problem:
            _log.info(
                "channel not told of its settings, message dropped",
                channel=work.channel,
                code=problem.code,
                job=context.job.id,
            )
        return done()

    async def _require_fallback_there(self, channel: ChannelId, fallback: str) -> None:
        """Raise UserError if the fallback person may not be used in this channel.

        The fallback must be in the channel and must be allowed to use the bot.
        """
        if not fallback or fallback.startswith("S"):
            return
        person = UserId(fallback)
        try:
            await self._people.get_profile(person)
            is_there = await self._people.directory.is_member(person, channel)
        except UserError:
            is_there = False
        if not is_there:
            raise UserError(*refusals.fallback_not_there(await self._people.find_name(person)))

    async def _look_again(self, channel: ChannelId, now_ms: int, batch: Batch) -> None:
        """Add to a batch that all tasks with threads in the channel are checked now, so that changed times
        apply to them too."""
        self._deps.writes.look_again(batch, await self._list_links(channel), now_ms)

    async def _draw_again(self, channel: ChannelId, batch: Batch) -> None:
        """Add to a batch that the cards in the channel are drawn: they say if everybody there may steer."""
        for link in await self._list_links(channel):
            draw(link, batch, is_newest=False)

    async def _list_links(self, channel: ChannelId) -> list[LinkId]:
        links = (await self._deps.links.list_open()).values()
        places = await self._deps.links.list_channels(links)
        return [link for link, each in places.items() if each == channel]


def _place_of(channel: ChannelId) -> LinkId:
    return LinkId(f"channel_messages:{channel}")


async def require_member(people: People, requester: Requester) -> None:
    """Raise UserError unless the person is a full member of this workspace and is in the channel.

    The person needs no account in Coder. Raise Suspended if theirs is suspended.
    """
    await people.get_profile(requester.person)
    await people.accounts.suspensions.require_not_suspended_before(requester.person)
    channel = requester.channel
    if not channel or not await people.directory.is_member(requester.person, channel):
        raise UserError(*missing_rights.not_in_channel_with_settings(channel), reason="place")
