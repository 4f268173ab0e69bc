"""Dialogs: opened at once while their trigger lives, filled when Coder has answered, written down when sent.

What a dialog is about travels in its private metadata; who may do what is checked by the worker, as always.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ValidationError
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.bridge.form import FormFiller
from taskwire.bridge.lookup import Lookup, Seen
from taskwire.listeners.behind import Behind
from taskwire.listeners.entry import Entry
from taskwire.model.actions import Dialog
from taskwire.model.commands import OpenForm, TaskName, check_new_name
from taskwire.model.errors import OutsideError, UserError
from taskwire.model.ids import ChannelId, LinkId, Ts, ts_of
from taskwire.model.jobs import ActAsked, Asker, CreateAsked, Job, Verb, intake
from taskwire.model.messages import View
from taskwire.slack import inbound
from taskwire.slack.inbound import Clicked, Submitted
from taskwire.slack.outbound import Outbound
from taskwire.store.claims import Claims
from taskwire.store.links import Links
from taskwire.store.steps import Step
from taskwire.telemetry import logger
from taskwire.words import answers, forms
from taskwire.words.forms import Field

_log = logger("taskwire.dialogs")


class About(BaseModel):
    """What a dialog is about, in its private metadata."""

    channel: str = ""
    response_url: str | None = None
    task: str = ""


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
        claims: Claims,
        slack: Outbound,
        links: Links,
        lookup: Lookup,
        filler: FormFiller,
        behind: Behind,
    ) -> None:
        self._entry = entry
        self._claims = claims
        self._slack = slack
        self._links = links
        self._lookup = lookup
        self._filler = filler
        self._behind = behind

    def listen(self, app: AsyncApp) -> None:
        """Take every dialog of ours."""
        for dialog in Dialog:
            app.view(dialog.value)(self._submitted)

    async def open_form(self, asker: Asker, trigger_id: str, given: OpenForm | None = None) -> None:
        """Open the form for a new task, with what was typed."""
        about = About(channel=asker.channel, response_url=asker.response_url)
        view_id = await self._open(asker, trigger_id, "New task", Dialog.CREATE, about)
        if view_id is not None:
            self._behind.start(self._fill_form(view_id, asker, about, given or OpenForm()))

    async def open_delete(self, asker: Asker, trigger_id: str, which: TaskName | LinkId) -> None:
        """Ask once before a task is deleted."""
        await self._open_for(asker, trigger_id, "Delete this task", Dialog.DELETE, which)

    async def open_edit(self, asker: Asker, trigger_id: str, which: TaskName | LinkId) -> None:
        """Ask for a task's new prompt."""
        await self._open_for(asker, trigger_id, "Edit the prompt", Dialog.EDIT, which)

    def changed(self, clicked: Clicked) -> None:
        """Another template was chosen: its presets belong in the form."""
        if clicked.action_id == Field.TEMPLATE and clicked.view_id is not None:
            self._behind.start(self._refill(clicked.view_id, clicked))

    async def _open_for(
        self, asker: Asker, trigger_id: str, title: str, dialog: Dialog, which: TaskName | LinkId
    ) -> None:
        about = About(channel=asker.channel, response_url=asker.response_url)
        view_id = await self._open(asker, trigger_id, title, dialog, about)
        if view_id is not None:
            self._behind.start(self._fill(view_id, asker, about, title, dialog, which))

    async def _open(
        self, asker: Asker, trigger_id: str, title: str, dialog: Dialog, about: About
    ) -> str | None:
        view = forms.loading(title, dialog=dialog, private_metadata=about.model_dump_json())
        try:
            return await self._slack.open_view(trigger_id, view)
        except OutsideError as error:
            _log.warning("a dialog did not open", error=str(error))
            if asker.response_url is not None:
                self._behind.start(self._slack.respond(asker.response_url, answers.dialog_failed()))
            return None

    async def _fill_form(self, view_id: str, asker: Asker, about: About, given: OpenForm) -> None:
        await self._update(
            view_id, "New task", Dialog.CREATE, self._filler.view(asker, given, about.model_dump_json())
        )

    async def _refill(self, view_id: str, clicked: Clicked) -> None:
        view = await self._filler.with_template(clicked.value, clicked.values, clicked.private_metadata)
        await self._slack.update_view(view_id, view)

    async def _fill(
        self, view_id: str, asker: Asker, about: About, title: str, dialog: Dialog, which: TaskName | LinkId
    ) -> None:
        async def filled() -> View:
            seen = await self._find(asker, which)
            metadata = about.model_copy(update={"task": seen.task.id}).model_dump_json()
            if dialog is Dialog.DELETE:
                waiting = await self._waiting(seen)
                return forms.delete_dialog(seen.task.title, private_metadata=metadata, waiting=waiting)
            prompt = seen.task.initial_prompt
            return forms.edit_dialog(seen.task.title, prompt, private_metadata=metadata, name=seen.task.name)

        await self._update(view_id, title, dialog, filled())

    async def _update(self, view_id: str, title: str, dialog: Dialog, filling: Awaitable[View]) -> None:
        try:
            view = await filling
        except UserError as error:
            view = forms.notice_dialog(title, str(error), dialog=dialog)
        except OutsideError as error:
            _log.warning("a dialog could not be filled", error=str(error))
            view = forms.notice_dialog(title, answers.coder_away().text, dialog=dialog)
        await self._slack.update_view(view_id, view)

    async def _find(self, asker: Asker, which: TaskName | LinkId) -> Seen:
        if isinstance(which, TaskName):
            return await self._lookup.get(asker.person, asker.channel, which)
        link = await self._links.find(which)
        task_id = link.bond.task_id if link is not None else None
        return await self._lookup.get(asker.person, asker.channel, TaskName(id=str(task_id or which)))

    async def _waiting(self, seen: Seen) -> int:
        if seen.link is None:
            return 0
        jobs = await self._links.list_held(seen.link.id) + await self._links.list_waiting(seen.link.id)
        return sum(job.work.kind == "reply" for job in jobs)

    async def _submitted(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        submitted = inbound.submission(body)
        if not isinstance(submitted, Submitted) or not self._entry.is_let_in(body):
            await ack()
            return
        asked = _asked(submitted, ts_of(datetime.now(UTC)))
        if asked.wrong:
            await ack(response_action="errors", errors=dict(asked.wrong))
            return
        if asked.job is None:
            await ack()
            return
        job = Job(id=f"dialog:{submitted.delivery}", work=asked.job)
        step = Step().append(intake(submitted.person), job)
        said = await self._entry.sentence("dialog", self._claims.accept("dialog", submitted.delivery, step))
        if said:
            where = next((key for key in submitted.values if key.startswith("form.")), "prompt")
            await ack(response_action="errors", errors={where: said})
            return
        await ack()


def _asked(submitted: Submitted, now: Ts) -> Asked:
    try:
        about = About.model_validate_json(submitted.private_metadata)
    except ValidationError:
        return Asked()
    values = submitted.values
    asker = Asker(
        person=submitted.person,
        channel=ChannelId(values.get(Field.CHANNEL) or about.channel),
        at=now,
        response_url=about.response_url,
    )
    if submitted.dialog is Dialog.CREATE:
        return _asked_create(asker, values)
    verb: Verb = "delete" if submitted.dialog is Dialog.DELETE else "edit"
    text = values.get(Field.PROMPT, "").strip()
    if verb == "edit" and not text:
        return Asked(wrong={Field.PROMPT.value: "The prompt cannot be empty."})
    return Asked(ActAsked(asker=asker, verb=verb, name=about.task, text=text)) if about.task else Asked()


def _asked_create(asker: Asker, values: Mapping[str, str]) -> Asked:
    prompt, name = values.get(Field.PROMPT, "").strip(), values.get(Field.NAME, "").strip()
    if not prompt:
        return Asked(wrong={Field.PROMPT.value: "Say what the agent should do."})
    if not asker.channel:
        return Asked(wrong={Field.CHANNEL.value: "Choose where its thread opens."})
    try:
        if name:
            check_new_name(name)
    except UserError as error:
        return Asked(wrong={Field.NAME.value: str(error)})
    preset = next((value for key, value in values.items() if key.startswith(Field.PRESET)), None)
    return Asked(
        CreateAsked(
            asker=asker,
            prompt=prompt,
            template=values.get(Field.TEMPLATE) or None,
            preset=preset or None,
            name=name or None,
        )
    )
