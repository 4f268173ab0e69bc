"""Parses a submitted dialog: its context from the private metadata, and the jobs that follow.

`dialogs.py` opens the dialogs and claims these jobs. The worker checks permissions, as for every job.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Self

import pydantic
from pydantic import BaseModel, ConfigDict, ValidationError

from taskwire.coder.client import is_sendable
from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, Ts, find_channel, find_ts, moment_of
from taskwire.domain.masking.secret_patterns import MASK
from taskwire.domain.parsing.commands import check_new_name
from taskwire.domain.queueing.decisions import Choose
from taskwire.domain.queueing.jobs import ActRequested, ActVerb, CreateRequested
from taskwire.domain.queueing.person_jobs import (
    ConfirmAccount,
    ConnectAccount,
    SaveChannelSettings,
    SavePersonSettings,
)
from taskwire.domain.requester import EarlierMessages, Requester
from taskwire.domain.text.agent_text import is_shell_command, sanitize_for_agent
from taskwire.domain.text.message import Dialog
from taskwire.domain.text.mrkdwn import is_blank, unescape
from taskwire.messages import accounts, forms
from taskwire.messages.forms import Field
from taskwire.messages.person_settings_form import find_person_errors, read_person_settings, write_shown
from taskwire.messages.settings_form import SettingsField, find_errors, read_settings
from taskwire.messages.share_form import read_change
from taskwire.outbox.private_answers import without_expired_url
from taskwire.slack.inbound import Submission
from taskwire.slack.payload_fields import read_number
from taskwire.state.accounts import seal_pasted

# The id of a task or template in Coder, or an empty string.
ID_PATTERN = r"[A-Za-z0-9-]{0,64}"
Id = Annotated[str, pydantic.Field(pattern=f"^{ID_PATTERN}$")]


class DialogContext(BaseModel):
    """The context of a dialog, stored in its private metadata.

    Slack sends the metadata back with the submission. A person may have changed it, so `find` checks it.
    """

    # Validation errors must not quote the metadata.
    model_config = ConfigDict(hide_input_in_errors=True)

    channel: str = ""
    thread_ts: Ts | None = None
    response_url: Annotated[str, pydantic.Field(pattern="^https?://")] | None = None
    at: Ts
    task: Id = ""
    # In the form for a new task: the template whose presets the form shows, and the key of the request that
    # the bot has offered.
    template: Id = ""
    offer: Id = ""
    # In the dialog for an answer to a question with choices: the link, and the key and ts of the notice.
    link: Annotated[str, pydantic.Field(pattern="^[A-Za-z0-9_-]{0,64}$")] = ""
    key: Id = ""
    asked_ts: Ts | None = None
    # What a dialog showed when it was opened: the ids of the people and groups with a share, or the person's
    # own settings.
    shown: Annotated[str, pydantic.Field(pattern="^[A-Za-z0-9 ]{0,1000}$")] = ""
    # The thread of the message from which the form was opened; empty if the message is in no thread.
    source_channel: str = ""
    # Whether secrets in the prompt that the dialog shows are masked.
    is_masked: bool = False
    source_thread: Ts | None = None

    @classmethod
    def find(cls, metadata: str) -> Self | None:
        """Parse a dialog's private metadata.

        Return None if the metadata is not from one of Taskwire's dialogs.
        """
        try:
            found = cls.model_validate_json(metadata)
        except ValidationError:
            return None
        times = [found.at, found.thread_ts, found.source_thread, found.asked_ts]
        places = (found.channel, found.source_channel)
        is_valid = all(find_ts(ts) for ts in times if ts is not None)
        return found if is_valid and all(find_channel(place) for place in places if place) else None

    def dump_with_template(self, template: str) -> str:
        """Return the private metadata of a form that shows the presets of this template."""
        return self.model_copy(update={"template": template}).model_dump_json()

    @property
    def source(self) -> EarlierMessages | None:
        """The thread that contains the message from which the form was opened; None if there is none."""
        channel = find_channel(self.source_channel)
        if channel is None or self.source_thread is None:
            return None
        return EarlierMessages(channel=channel, thread_ts=self.source_thread)


@dataclass(frozen=True)
class DialogRequest:
    """The result of a submission: one or two jobs, or error messages.

    It has neither if the submission does not come from one of Taskwire's dialogs.
    """

    job: (
        CreateRequested
        | ActRequested
        | SaveChannelSettings
        | SavePersonSettings
        | ConnectAccount
        | ConfirmAccount
        | Choose
        | None
    ) = None
    # A second job: for a dialog with the settings of a channel and of a person, or for one that begins and
    # ends shares.
    second: SavePersonSettings | ActRequested | None = None
    errors: Mapping[str, str] | None = None
    # The link to whose queue the job belongs; empty if the job belongs to the person's queue.
    link: str = ""


def parse_submission(submitted: Submission, now: Ts) -> DialogRequest:
    """Return the jobs or the errors of a submission. `now` is the time by Slack's clock."""
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
        return _parse_settings(requester, context, values)
    if submitted.dialog is Dialog.PREFERENCES:
        settings, errors = read_person_settings(values), find_person_errors(values)
        saved = SavePersonSettings(person=submitted.person, settings=settings)
        return DialogRequest(errors=errors) if errors else DialogRequest(saved)
    if submitted.dialog in (Dialog.CONNECT, Dialog.CONFIRM_ACCOUNT):
        return _parse_account(requester, submitted.dialog, values)
    if submitted.dialog is Dialog.SHARE:
        return _parse_shares(requester, context, values)
    if submitted.dialog is Dialog.ANSWER and context.link:
        return _parse_choice(requester, context, values)
    if submitted.dialog is Dialog.EDIT and _has_mask(context, values):
        return DialogRequest(errors={Field.PROMPT.value: forms.PROMPT_MASKED})
    return _parse_task_dialog(requester, submitted.dialog, context.task, values)


def _has_mask(context: DialogContext, values: Mapping[str, str]) -> bool:
    """Return whether the submitted prompt still contains a mask that the dialog showed instead of a secret.

    Such a prompt is not accepted, because the mask would become a part of the prompt.
    """
    return context.is_masked and MASK in values.get(Field.PROMPT, "")


def _parse_account(requester: Requester, dialog: Dialog, values: Mapping[str, str]) -> DialogRequest:
    """Return the job or the error of a dialog by which a person connects their Coder account.

    One dialog asks for a token. The other dialog asks for the number that the person's browser shows.
    """
    field, empty = {
        Dialog.CONNECT: (accounts.PASTE_FIELD, accounts.NOTHING_PASTED),
        Dialog.CONFIRM_ACCOUNT: (accounts.NUMBER_FIELD, accounts.NO_NUMBER),
    }[dialog]
    entered = values.get(field, "").strip()
    if not entered:
        return DialogRequest(errors={field: empty})
    if dialog is Dialog.CONFIRM_ACCOUNT:
        return DialogRequest(ConfirmAccount(requester=requester, number=entered))
    if not is_sendable(entered):
        return DialogRequest(errors={field: accounts.UNUSABLE_PASTE})
    return DialogRequest(
        ConnectAccount(requester=requester, sealed_token=seal_pasted(entered, requester.person))
    )


def _parse_task_dialog(
    requester: Requester, dialog: Dialog, task: str, values: Mapping[str, str]
) -> DialogRequest:
    """Return the job or the error of a dialog about a task."""
    if dialog not in _VERBS:
        # This dialog has no button *Submit*, so the payload is not from Slack's dialog.
        return DialogRequest()
    verb, empty = _VERBS[dialog]
    text = sanitize_for_agent(values.get(Field.PROMPT, ""))
    if empty and is_blank(text):
        return DialogRequest(errors={Field.PROMPT.value: empty})
    if is_shell_command(text):
        return DialogRequest(errors={Field.PROMPT.value: forms.PROMPT_IS_COMMAND})
    return (
        DialogRequest(ActRequested(requester=requester, verb=verb, name=task, text=text))
        if task
        else DialogRequest()
    )


def _parse_choice(requester: Requester, context: DialogContext, values: Mapping[str, str]) -> DialogRequest:
    """Return the job or the error of the dialog that answers an agent's question.

    The answer is a choice, words, or both.
    """
    text, chosen = sanitize_for_agent(values.get(Field.PROMPT, "")), values.get(Field.CHOICE, "")
    if not chosen:
        if is_blank(text):
            return DialogRequest(errors={Field.PROMPT.value: forms.ANSWER_NOT_CHOSEN})
        return _parse_task_dialog(requester, Dialog.ANSWER, context.task, values)
    choice = Choose(
        requester=requester,
        key=context.key,
        number=read_number(chosen),
        message_ts=context.asked_ts,
        remark="" if is_blank(text) else text,
    )
    return DialogRequest(choice, link=context.link)


def _parse_shares(requester: Requester, context: DialogContext, values: Mapping[str, str]) -> DialogRequest:
    """Return the jobs of the dialog that begins and ends shares.

    If the dialog both begins and ends shares, there are two jobs, because the end of a share need not wait
    for Coder. Only one of the two jobs answers the person.
    """
    if not context.task:
        return DialogRequest()
    change = read_change(values, context.shown.split())
    share = ActRequested(requester=requester, verb="share", name=context.task, who=change.who)
    if not change.no_longer:
        return DialogRequest(share)
    end = ActRequested(
        requester=requester,
        verb="unshare",
        name=context.task,
        who=change.no_longer,
        is_answered_elsewhere=bool(change.who),
    )
    return DialogRequest(share, end) if change.who else DialogRequest(end)


def _parse_settings(requester: Requester, context: DialogContext, values: Mapping[str, str]) -> DialogRequest:
    """Return the jobs of a dialog with a channel's settings and a person's own settings.

    If the person did not change their own settings in this dialog, no job saves these settings. The person
    may have changed them elsewhere while the dialog was open.
    """
    errors = find_errors(values)
    if errors:
        return DialogRequest(errors=errors)
    own = SavePersonSettings(person=requester.person, settings=read_person_settings(values))
    # Slack always submits this menu. So without the menu, the dialog has only the person's own settings.
    if SettingsField.REPLIES not in values:
        return DialogRequest(own.model_copy(update={"requester": requester}))
    job = SaveChannelSettings(requester=requester, settings=read_settings(values))
    if write_shown(own.settings) == context.shown:
        return DialogRequest(job)
    return DialogRequest(job.model_copy(update={"own": own.settings}), own)


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
    if _has_mask(context, values):
        return DialogRequest(errors={Field.PROMPT.value: forms.PROMPT_MASKED})
    if not requester.channel:
        return DialogRequest(errors={Field.CHANNEL.value: forms.CHANNEL_MISSING})
    try:
        if name:
            check_new_name(name)
    except UserError as error:
        # Slack shows errors beside a field as plain text, without mrkdwn.
        return DialogRequest(errors={Field.NAME.value: unescape(str(error)).replace("`", "")})
    template = values.get(Field.TEMPLATE) or ""
    # An empty preset field means no preset. If the dialog has not shown the template's presets yet, use the
    # default preset.
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
