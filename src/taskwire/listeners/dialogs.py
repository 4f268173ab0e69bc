"""Dialogs: opened while their trigger lives, filled when Coder has answered, written down when sent.

What a dialog is about travels in its private metadata; who may do what is checked by the worker, as always.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import BaseModel, ValidationError
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.bridge.form import FormFiller
from taskwire.bridge.lookup import Lookup, Seen
from taskwire.bridge.undelivered import list_undelivered
from taskwire.listeners.behind import Behind, in_words
from taskwire.listeners.entry import Entry
from taskwire.model.actions import Dialog
from taskwire.model.commands import OpenForm, TaskName, check_new_name
from taskwire.model.errors import OutsideError, UserError
from taskwire.model.ids import ChannelId, LinkId, Ts, moment_of, ts_of
from taskwire.model.jobs import ActAsked, ActVerb, Asker, CreateAsked, Job, intake, reachable
from taskwire.model.messages import View
from taskwire.model.mrkdwn import is_blank, unescape
from taskwire.slack import inbound
from taskwire.slack.inbound import Clicked, Submitted
from taskwire.slack.outbound import Outbound
from taskwire.store.links import Links
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import answers, forms, refusals
from taskwire.words.forms import Field

_log = logger("taskwire.dialogs")
Filling = Callable[[], Awaitable[View]]


class About(BaseModel):
    """What a dialog is about, in its private metadata."""

    channel: str = ""
    response_url: str | None = None
    at: Ts
    task: str = ""
    # Of a form: the template whose presets it shows.
    template: str = ""


@dataclass(frozen=True)
class Asked:
    """What a submission asks for, or the sentences that stand beside its fields instead."""

    job: CreateAsked | ActAsked | None = None
    wrong: Mapping[str, str] | None = None


class Dialogs:
    """Opens dialogs and takes what is entered in them."""

    def __init__(
        self,
        entry: Entry,
        slack: Outbound,
        links: Links,
        lookup: Lookup,
        filler: FormFiller,
        behind: Behind,
    ) -> None:
        self._entry = entry
        self._slack = slack
        self._links = links
        self._lookup = lookup
        self._filler = filler
        self._behind = behind

    def listen(self, app: AsyncApp) -> None:
        """Take every dialog of ours."""
        for dialog in Dialog:
            app.view(dialog.value)(self._submitted)

    def open_form(self, asker: Asker, trigger_id: str, given: OpenForm | None = None) -> None:
        """Open the form for a new task, with what was typed."""
        metadata = partial(_for_template, _about(asker))
        filling = partial(self._filler.view, asker, given or OpenForm(), metadata)
        self._start(asker, trigger_id, Dialog.CREATE, filling)

    def open_delete(self, asker: Asker, trigger_id: str, which: TaskName | LinkId) -> None:
        """Ask once before a task is deleted."""
        filling = partial(self._delete_dialog, asker, which)
        self._start(asker, trigger_id, Dialog.DELETE, filling)

    def open_edit(self, asker: Asker, trigger_id: str, which: TaskName | LinkId) -> None:
        """Ask for a task's new prompt."""
        filling = partial(self._edit_dialog, asker, which)
        self._start(asker, trigger_id, Dialog.EDIT, filling)

    def changed(self, clicked: Clicked) -> None:
        """Another template was chosen: its presets belong in the form."""
        if clicked.action_id == Field.TEMPLATE and clicked.view_id is not None:
            self._behind.start(self._refill(clicked.view_id, clicked))

    def _start(self, asker: Asker, trigger_id: str, dialog: Dialog, filling: Filling) -> None:
        self._behind.start(self._open(asker, trigger_id, dialog, filling), is_urgent=True)

    async def _open(self, asker: Asker, trigger_id: str, dialog: Dialog, filling: Filling) -> None:
        """Open the dialog at once, and let it be filled."""
        try:
            view_id = await self._slack.open_view(trigger_id, forms.loading(dialog))
        except OutsideError as error:
            _log.warning("a dialog did not open", error=str(error))
            if asker.response_url is not None:
                self._behind.start(self._slack.respond(asker.response_url, answers.dialog_failed()))
            return
        self._behind.start(self._fill(view_id, dialog, filling))

    async def _fill(self, view_id: str, dialog: Dialog, filling: Filling) -> None:
        """Show what Coder answered, or the sentence that stands for it."""
        view = await in_words(filling(), lambda said: forms.notice_dialog(dialog, said.text))
        await self._slack.update_view(view_id, view)

    async def _refill(self, view_id: str, clicked: Clicked) -> None:
        about = About.model_validate_json(clicked.private_metadata)
        metadata = partial(_for_template, about)
        view = await self._filler.with_template(clicked.value, clicked.values, about.channel, metadata)
        await self._slack.update_view(view_id, view)

    async def _delete_dialog(self, asker: Asker, which: TaskName | LinkId) -> View:
        seen = await self._find(asker, which)
        return forms.delete_dialog(
            seen.task.title,
            private_metadata=_about(asker, seen.task.id).model_dump_json(),
            waiting=await self._waiting(seen),
        )

    async def _edit_dialog(self, asker: Asker, which: TaskName | LinkId) -> View:
        seen = await self._find(asker, which)
        return forms.edit_dialog(
            seen.task.title,
            seen.task.initial_prompt,
            private_metadata=_about(asker, seen.task.id).model_dump_json(),
            name=seen.task.name,
        )

    async def _find(self, asker: Asker, which: TaskName | LinkId) -> Seen:
        """The task, if this person may see it and act on it."""
        if isinstance(which, TaskName):
            return await self._lookup.get_steerable(asker.person, asker.channel, which)
        link = await self._links.find(which)
        if link is None or link.ended is not None:
            raise UserError(*refusals.already_ended(link))
        if link.bond.task_id is None:
            raise UserError(*refusals.no_task_yet(link))
        return await self._lookup.get_steerable(
            asker.person, link.bond.channel, TaskName(id=link.bond.task_id)
        )

    async def _waiting(self, seen: Seen) -> int:
        return len(await list_undelivered(self._links, seen.link.id)) if seen.link is not None else 0

    async def _submitted(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        submitted = inbound.submission(body)
        if not isinstance(submitted, Submitted) or not self._entry.is_let_in(body):
            await ack()
            return
        asked = _asked(submitted, ts_of(self._entry.now()))
        if asked.wrong:
            await ack(response_action="errors", errors=dict(asked.wrong))
            return
        if asked.job is None:
            await ack()
            return
        job = Job(id=f"dialog:{submitted.delivery}", work=asked.job)
        step = Step().append(intake(submitted.person), job)
        said = await self._entry.write("dialog", submitted.delivery, step)
        if not said:
            await ack()
        elif submitted.dialog is Dialog.DELETE:
            view = forms.notice_dialog(Dialog.DELETE, said)
            await ack(response_action="update", view=view.content)
        else:
            await ack(response_action="errors", errors={Field.PROMPT.value: said})


def _about(asker: Asker, task: str = "") -> About:
    return About(channel=asker.channel, response_url=asker.response_url, at=asker.at, task=task)


def _for_template(about: About, template: str) -> str:
    return about.model_copy(update={"template": template}).model_dump_json()


def _asked(submitted: Submitted, now: Ts) -> Asked:
    try:
        about = About.model_validate_json(submitted.private_metadata)
    except ValidationError:
        return Asked()
    values = submitted.values
    asker = Asker(
        person=submitted.person,
        channel=ChannelId(values.get(Field.CHANNEL) or about.channel),
        at=about.at,
        response_url=about.response_url,
    )
    # A dialog may stay open for longer than the answers to what opened it are taken.
    asker = reachable(asker, moment_of(now)).model_copy(update={"at": now})
    if submitted.dialog is Dialog.CREATE:
        return _asked_create(asker, about, values)
    verb: ActVerb = "delete" if submitted.dialog is Dialog.DELETE else "edit"
    text = values.get(Field.PROMPT, "").strip()
    if verb == "edit" and is_blank(text):
        return Asked(wrong={Field.PROMPT.value: forms.PROMPT_EMPTY})
    return Asked(ActAsked(asker=asker, verb=verb, name=about.task, text=text)) if about.task else Asked()


def _asked_create(asker: Asker, about: About, values: Mapping[str, str]) -> Asked:
    prompt, name = values.get(Field.PROMPT, "").strip(), values.get(Field.NAME, "").strip()
    if is_blank(prompt):
        return Asked(wrong={Field.PROMPT.value: forms.PROMPT_MISSING})
    if not asker.channel:
        return Asked(wrong={Field.CHANNEL.value: forms.CHANNEL_MISSING})
    try:
        if name:
            check_new_name(name)
    except UserError as error:
        # Beside a field nothing is mrkdwn.
        return Asked(wrong={Field.NAME.value: unescape(str(error)).replace("`", "")})
    template = values.get(Field.TEMPLATE) or ""
    # Left empty, none is meant; where its presets were not shown yet, the default holds.
    preset = values.get(forms.preset_field(template)) or ("none" if template == about.template else None)
    return Asked(
        CreateAsked(
            asker=asker,
            prompt=prompt,
            template=template or None,
            preset=preset,
            name=name or None,
        )
    )
