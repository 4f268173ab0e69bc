"""Listener for dialogs: opens them while their trigger is valid, fills them, and claims submissions.

A dialog carries its context in its private metadata. The worker checks permissions, as for every job.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Self

import pydantic
from pydantic import BaseModel, ConfigDict, ValidationError
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.domain.agent_text import is_shell_command, sanitize_for_agent
from taskwire.domain.commands import OpenForm, check_new_name
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import ChannelId, LinkId, Ts, UserId, find_channel, find_ts, moment_of, ts_of
from taskwire.domain.jobs import (
    ActRequested,
    ActVerb,
    CreateRequested,
    Job,
)
from taskwire.domain.message import Dialog, View
from taskwire.domain.mrkdwn import is_blank, unescape
from taskwire.domain.person_jobs import ConnectAccount, SaveChannelSettings, SavePersonSettings
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.queues import account, account_score, intake
from taskwire.domain.requester import EarlierMessages, Requester
from taskwire.domain.task_names import TaskName
from taskwire.listeners.background import Background, answer_or_explain
from taskwire.listeners.ingress import Ingress
from taskwire.messages import accounts, answers, forms, refusals
from taskwire.messages.forms import Field
from taskwire.messages.person_settings_form import read_person_settings
from taskwire.messages.settings_form import SettingsField, find_errors, read_settings
from taskwire.messages.share_form import list_shown, read_change, share_form
from taskwire.outbox.private_answers import PrivateAnswer, PrivateAnswers, without_expired_url
from taskwire.outbox.undelivered import list_undelivered
from taskwire.people.permissions import MOST_SHARES
from taskwire.queue.batch import Batch
from taskwire.slack import inbound
from taskwire.slack.call_priorities import retry_while_rate_limited
from taskwire.slack.inbound import Click, Submission
from taskwire.slack.outbound import Outbound
from taskwire.slack.shortcuts import PickedMessage
from taskwire.state.accounts import seal_pasted
from taskwire.state.links import Links
from taskwire.state.settings import SettingsStore
from taskwire.tasks.card_questions import CardQuestions
from taskwire.tasks.channel_settings import SettingsForm
from taskwire.tasks.form import CreateForm
from taskwire.tasks.lookup import Lookup, VisibleTask
from taskwire.telemetry import logger

_log = logger("taskwire.listeners.dialogs")
MakeView = Callable[[], Awaitable[View]]
# The id of a task or template in Coder, or an empty string.
_ID = r"[A-Za-z0-9-]{0,64}"
Id = Annotated[str, pydantic.Field(pattern=f"^{_ID}$")]


class DialogContext(BaseModel):
    """A dialog's context, in its private metadata. A submission may carry anything, so `find` checks it."""

    # Validation errors must not quote the metadata.
    model_config = ConfigDict(hide_input_in_errors=True)

    channel: str = ""
    thread_ts: Ts | None = None
    response_url: Annotated[str, pydantic.Field(pattern="^https?://")] | None = None
    at: Ts
    task: Id = ""
    # In the form for a new task: the template whose presets it shows, and the key of the request that was
    # offered.
    template: Id = ""
    offer: Id = ""
    # In the dialog for sharing: the ids of those who were let in when it was opened.
    shown: Annotated[str, pydantic.Field(pattern="^[A-Za-z0-9 ]{0,1000}$")] = ""
    # The thread of the message from which the form was opened; empty if it is in none.
    source_channel: str = ""
    source_thread: Ts | None = None

    @classmethod
    def find(cls, metadata: str) -> Self | None:
        """Parse private metadata; None if it is not from one of our dialogs."""
        try:
            found = cls.model_validate_json(metadata)
        except ValidationError:
            return None
        times = [found.at, found.thread_ts, found.source_thread]
        places = (found.channel, found.source_channel)
        is_valid = all(find_ts(ts) for ts in times if ts is not None)
        return found if is_valid and all(find_channel(place) for place in places if place) else None

    @property
    def source(self) -> EarlierMessages | None:
        """The thread of the message from which the form was opened."""
        channel = find_channel(self.source_channel)
        if channel is None or self.source_thread is None:
            return None
        return EarlierMessages(channel=channel, thread_ts=self.source_thread)


@dataclass(frozen=True)
class DialogRequest:
    """The result of a submission: a job or two, or error messages."""

    job: CreateRequested | ActRequested | SaveChannelSettings | SavePersonSettings | ConnectAccount | None = (
        None
    )
    # A second job, for a dialog with the settings of a channel and of a person.
    own: SavePersonSettings | None = None
    errors: Mapping[str, str] | None = None


class Dialogs:
    """Opens dialogs and handles submissions."""

    def __init__(
        self,
        ingress: Ingress,
        slack: Outbound,
        links: Links,
        person_settings: SettingsStore[UserId, PersonSettings],
        lookup: Lookup,
        create_form: CreateForm,
        settings_form: SettingsForm,
        card_questions: CardQuestions,
        background: Background,
        private_answers: PrivateAnswers,
    ) -> None:
        self._private_answers = private_answers
        self._ingress = ingress
        self._slack = slack
        self._links = links
        self._person_settings = person_settings
        self._lookup = lookup
        self._create_form = create_form
        self._settings_form = settings_form
        self._card_questions = card_questions
        self._background = background

    def listen(self, app: AsyncApp) -> None:
        """Handle all our dialogs."""
        for dialog in Dialog:
            app.view(dialog.value)(self._submitted)

    def open_form(self, requester: Requester, trigger_id: str, given: OpenForm | None = None) -> None:
        """Open the form for a new task, filled with what the person typed."""
        metadata = partial(_metadata_for, _context_of(requester))
        make_view = partial(self._create_form.view, requester, given or OpenForm(), metadata)
        self._open_in_background(requester, trigger_id, Dialog.CREATE, make_view)

    def open_form_for_message(self, requester: Requester, trigger_id: str, message: PickedMessage) -> None:
        """Open the form with a message as the prompt, and the choice to give its thread to the agent."""
        source = {"source_channel": requester.channel, "source_thread": message.thread_ts}
        context = _context_of(requester).model_copy(update=source)
        metadata = partial(_metadata_for, context)
        make_view = partial(self._create_form.view_message, requester, message, metadata)
        self._open_in_background(requester, trigger_id, Dialog.CREATE, make_view)

    def open_offered(self, requester: Requester, trigger_id: str, key: str) -> None:
        """Open the form for a request that was offered, so that the person can change it."""
        context = _context_of(requester).model_copy(update={"offer": key})
        make_view = partial(self._create_form.view_offered, requester, key, partial(_metadata_for, context))
        self._open_in_background(requester, trigger_id, Dialog.CREATE, make_view)

    def open_delete(self, requester: Requester, trigger_id: str, target: TaskName | LinkId) -> None:
        """Open the dialog that asks for confirmation before a task is deleted."""
        make_view = partial(self._delete_dialog, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.DELETE, make_view)

    def open_edit(self, requester: Requester, trigger_id: str, target: TaskName | LinkId) -> None:
        """Open the dialog for a task's new prompt."""
        make_view = partial(self._edit_dialog, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.EDIT, make_view)

    def open_answer(self, requester: Requester, trigger_id: str, target: LinkId) -> None:
        """Open the dialog for a reply to the agent, with what the agent wrote last."""
        make_view = partial(self._answer_dialog, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.ANSWER, make_view)

    def open_page(self, requester: Requester, trigger_id: str, target: LinkId) -> None:
        """Open the dialog with the link to the task's page in Coder."""
        make_view = partial(self._page_dialog, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.PAGE, make_view)

    def open_share(self, requester: Requester, trigger_id: str, target: LinkId) -> None:
        """Open the dialog with the people and user groups who may direct the agent."""
        make_view = partial(self._share_dialog, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.SHARE, make_view)

    def open_preferences(self, requester: Requester, trigger_id: str) -> None:
        """Open the dialog for the person's own settings."""
        make_view = partial(self._preferences_dialog, requester)
        self._open_in_background(requester, trigger_id, Dialog.PREFERENCES, make_view)

    def open_connect(self, requester: Requester, trigger_id: str) -> None:
        """Open the dialog that takes the token of the person's own Coder account."""
        make_view = partial(self._connect_dialog, requester)
        self._open_in_background(requester, trigger_id, Dialog.CONNECT, make_view)

    def open_settings(self, requester: Requester, trigger_id: str) -> None:
        """Open the dialog with the settings of the requester's channel, and the person's own."""
        metadata = _context_of(requester).model_dump_json()
        make_view = partial(self._settings_form.view, requester, metadata)
        self._open_in_background(requester, trigger_id, Dialog.SETTINGS, make_view)

    def refresh_presets(self, requester: Requester, clicked: Click) -> None:
        """If another template was chosen in a dialog, show its presets."""
        if clicked.view_id is None:
            return
        if clicked.action_id == Field.TEMPLATE:
            self._background.start(self._refill(clicked.view_id, clicked))
        elif clicked.action_id == SettingsField.TEMPLATE:
            self._background.start(self._refill_settings(clicked.view_id, requester, clicked))

    def _open_in_background(
        self, requester: Requester, trigger_id: str, dialog: Dialog, make_view: MakeView
    ) -> None:
        self._background.start(self._open(requester, trigger_id, dialog, make_view), is_urgent=True)

    async def _open(self, requester: Requester, trigger_id: str, dialog: Dialog, make_view: MakeView) -> None:
        """Open the empty dialog at once, and start to fill it."""
        try:
            view_id = await self._slack.views.open(trigger_id, forms.loading_dialog(dialog))
        except OutsideError as error:
            _log.warning("dialog not opened", error=str(error))
            if requester.response_url is not None:
                self._private_answers.show(PrivateAnswer(requester, answers.dialog_failed()))
            return
        self._background.start(self._fill(view_id, dialog, make_view))

    async def _fill(self, view_id: str, dialog: Dialog, make_view: MakeView) -> None:
        """Fill the dialog with Coder's answer, or with the error message."""
        view = await answer_or_explain(make_view, lambda said: forms.notice_dialog(dialog, said.text))
        await retry_while_rate_limited(lambda: self._slack.views.update(view_id, view))

    async def _refill(self, view_id: str, clicked: Click) -> None:
        context = DialogContext.find(clicked.private_metadata)
        if context is None or not re.fullmatch(_ID, clicked.value):
            return
        entered = (clicked.value, clicked.values, context.channel, context.source is not None)
        metadata = partial(_metadata_for, context)
        try:
            view = await self._create_form.with_template(clicked.person, *entered, metadata)
        except UserError as error:
            # The person may no longer create tasks. If Coder does not answer, the form stays unchanged.
            view = forms.notice_dialog(Dialog.CREATE, answers.refusal(error).text)
        await self._slack.views.update(view_id, view)

    async def _refill_settings(self, view_id: str, requester: Requester, clicked: Click) -> None:
        context = DialogContext.find(clicked.private_metadata)
        if context is None:
            return
        requester = requester.model_copy(update={"channel": context.channel})
        make_view = partial(
            self._settings_form.with_template, requester, clicked.values, clicked.private_metadata
        )
        await self._fill(view_id, Dialog.SETTINGS, make_view)

    async def _delete_dialog(self, requester: Requester, target: TaskName | LinkId) -> View:
        seen = await self._find("delete", requester, target)
        return forms.delete_dialog(
            seen.task.title,
            private_metadata=_context_of(requester, seen.task.id).model_dump_json(),
            waiting=await self._count_undelivered(seen),
        )

    async def _edit_dialog(self, requester: Requester, target: TaskName | LinkId) -> View:
        seen = await self._find("edit", requester, target)
        return forms.edit_dialog(
            seen.task.title,
            seen.task.initial_prompt,
            private_metadata=_context_of(requester, seen.task.id).model_dump_json(),
            name=seen.task.name,
        )

    async def _answer_dialog(self, requester: Requester, target: LinkId) -> View:
        link, written = await self._card_questions.find_question(requester, target)
        return forms.answer_dialog(
            link.title,
            written,
            private_metadata=_context_of(requester, str(link.record.task_id)).model_dump_json(),
        )

    async def _page_dialog(self, requester: Requester, target: LinkId) -> View:
        link, url = await self._card_questions.find_page(requester, target)
        return forms.page_dialog(link.title, url)

    async def _share_dialog(self, requester: Requester, target: LinkId) -> View:
        link, groups = await self._card_questions.find_sharing(requester, target)
        context = _context_of(requester, str(link.record.task_id))
        context = context.model_copy(update={"shown": " ".join(list_shown(link.shares, groups))})
        return share_form(link.title, link.shares, groups, MOST_SHARES, context.model_dump_json())

    async def _preferences_dialog(self, requester: Requester) -> View:
        settings = await self._person_settings.get(requester.person)
        metadata = _context_of(requester).model_dump_json()
        return forms.preferences_dialog(settings, private_metadata=metadata)

    async def _connect_dialog(self, requester: Requester) -> View:
        return accounts.connect_dialog(_context_of(requester).model_dump_json())

    async def _find(self, verb: ActVerb, requester: Requester, target: TaskName | LinkId) -> VisibleTask:
        """Return the task if this person may see it and do this to it. Raise UserError if not."""
        if isinstance(target, TaskName):
            return await self._lookup.get_permitted(verb, requester, target)
        link = await self._lookup.find_link(requester, target)
        if link.end_reason is not None:
            raise UserError(*refusals.link_ended(link))
        if link.record.task_id is None:
            raise UserError(*refusals.task_not_created_yet(link))
        requester = requester.model_copy(update={"channel": link.record.channel})
        return await self._lookup.get_permitted(verb, requester, TaskName(id=link.record.task_id))

    async def _count_undelivered(self, seen: VisibleTask) -> int:
        return len(await list_undelivered(self._links, seen.link.id)) if seen.link is not None else 0

    async def _submitted(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        submitted = inbound.parse_submission(body)
        if not isinstance(submitted, Submission) or not self._ingress.is_accepted(body):
            await ack()
            return
        parsed = _parse_submission(submitted, ts_of(self._ingress.now()))
        if parsed.errors:
            await ack(response_action="errors", errors=dict(parsed.errors))
            return
        if parsed.job is None:
            await ack()
            return
        job = Job(id=f"dialog:{submitted.delivery}", work=parsed.job)
        queue = (
            account(submitted.person) if isinstance(parsed.job, ConnectAccount) else intake(submitted.person)
        )
        score = account_score(self._ingress.now()) if isinstance(parsed.job, ConnectAccount) else "next"
        batch = Batch().append(queue, job, score=score)
        if parsed.own is not None:
            batch.append(intake(submitted.person), Job(id=f"own:{submitted.delivery}", work=parsed.own))
        said = await self._ingress.write("dialog", submitted.delivery, batch)
        if not said:
            await ack()
        elif submitted.dialog in (Dialog.DELETE, Dialog.SHARE, Dialog.SETTINGS, Dialog.PREFERENCES):
            view = forms.notice_dialog(submitted.dialog, said)
            await ack(response_action="update", view=view.content)
        else:
            await ack(response_action="errors", errors={_first_field(submitted.dialog): said})


def _first_field(dialog: Dialog) -> str:
    """Return the field beside which an error of the whole dialog is shown."""
    return accounts.PASTE_FIELD if dialog is Dialog.CONNECT else Field.PROMPT.value


def _context_of(requester: Requester, task: str = "") -> DialogContext:
    return DialogContext(
        channel=requester.channel,
        thread_ts=requester.thread_ts,
        response_url=requester.response_url,
        at=requester.at,
        task=task,
    )


def _metadata_for(context: DialogContext, template: str) -> str:
    return context.model_copy(update={"template": template}).model_dump_json()


def _parse_submission(submitted: Submission, now: Ts) -> DialogRequest:
    context = DialogContext.find(submitted.private_metadata)
    if context is None:
        return DialogRequest()
    values = submitted.values
    requester = Requester(
        person=submitted.person,
        channel=find_channel(values.get(Field.CHANNEL) or context.channel) or ChannelId(""),
        at=context.at,
        thread_ts=context.thread_ts,
        response_url=context.response_url,
        surface="dialog",
    )
    requester = requester.model_copy(update={"is_elsewhere": True})
    # A dialog may stay open after its response URL has expired.
    requester = without_expired_url(requester, moment_of(now)).model_copy(update={"at": now})
    if submitted.dialog is Dialog.CREATE:
        return _parse_create(requester, context, values)
    if submitted.dialog is Dialog.SETTINGS:
        return _parse_settings(requester, values)
    if submitted.dialog is Dialog.PREFERENCES:
        settings = read_person_settings(values)
        return DialogRequest(SavePersonSettings(person=submitted.person, settings=settings))
    if submitted.dialog is Dialog.CONNECT:
        token = values.get(accounts.PASTE_FIELD, "").strip()
        if not token:
            return DialogRequest(errors={accounts.PASTE_FIELD: accounts.NOTHING_PASTED})
        return DialogRequest(
            ConnectAccount(requester=requester, sealed_token=seal_pasted(token, submitted.person))
        )
    if submitted.dialog is Dialog.SHARE:
        change = read_change(values, context.shown.split())
        act = ActRequested(requester=requester, verb="share", name=context.task, **change._asdict())
        return DialogRequest(act) if context.task else DialogRequest()
    verb, empty = _VERBS[submitted.dialog]
    text = sanitize_for_agent(values.get(Field.PROMPT, ""))
    if empty and is_blank(text):
        return DialogRequest(errors={Field.PROMPT.value: empty})
    if is_shell_command(text):
        return DialogRequest(errors={Field.PROMPT.value: forms.PROMPT_IS_COMMAND})
    return (
        DialogRequest(ActRequested(requester=requester, verb=verb, name=context.task, text=text))
        if context.task
        else DialogRequest()
    )


def _parse_settings(requester: Requester, values: Mapping[str, str]) -> DialogRequest:
    errors = find_errors(values)
    if errors:
        return DialogRequest(errors=errors)
    own = SavePersonSettings(
        person=requester.person, settings=read_person_settings(values), requester=requester
    )
    # A menu cannot be left empty, so a dialog without this one has no settings of a channel.
    if SettingsField.REPLIES not in values:
        return DialogRequest(own)
    own = own.model_copy(update={"tells_changes_only": True})
    return DialogRequest(SaveChannelSettings(requester=requester, settings=read_settings(values)), own)


# For each dialog about a task: its verb, and the error beside its field if the field is empty.
_VERBS: dict[Dialog, tuple[ActVerb, str]] = {
    Dialog.DELETE: ("delete", ""),
    Dialog.EDIT: ("edit", forms.PROMPT_EMPTY),
    Dialog.ANSWER: ("send", forms.ANSWER_EMPTY),
}


def _parse_create(requester: Requester, context: DialogContext, values: Mapping[str, str]) -> DialogRequest:
    prompt, name = sanitize_for_agent(values.get(Field.PROMPT, "")), values.get(Field.NAME, "").strip()
    if is_blank(prompt):
        return DialogRequest(errors={Field.PROMPT.value: forms.PROMPT_MISSING})
    if is_shell_command(prompt):
        return DialogRequest(errors={Field.PROMPT.value: forms.PROMPT_IS_COMMAND})
    if not requester.channel:
        return DialogRequest(errors={Field.CHANNEL.value: forms.CHANNEL_MISSING})
    try:
        if name:
            check_new_name(name)
    except UserError as error:
        # Slack shows errors beside a field as plain text, without mrkdwn.
        return DialogRequest(errors={Field.NAME.value: unescape(str(error)).replace("`", "")})
    template = values.get(Field.TEMPLATE) or ""
    # An empty preset field means no preset. If the template's presets were not shown yet, use the default
    # preset.
    preset = values.get(forms.preset_block_id(template)) or ("none" if template == context.template else None)
    return DialogRequest(
        CreateRequested(
            requester=requester,
            prompt=prompt,
            template=template or None,
            preset=preset,
            name=name or None,
            context=context.source if values.get(Field.WITH_THREAD) else None,
            note_key=context.offer,
            is_offered=bool(context.offer),
        )
    )
