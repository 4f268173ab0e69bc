"""Shows the presets of another template, when a person chooses that template in an open dialog.

Slack reports each choice at once, and a person can choose without end. So a dialog follows one choice at a
time, and then only the newest: the choices between are passed over. What is followed counts towards a limit
of its own, because the person has asked for the dialog, and that was counted. At the limit, the dialog says
so, and then it stays as it is.
"""

import re
from typing import NamedTuple

from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Dialog, View
from taskwire.listeners.background import Background, answer_or_explain
from taskwire.listeners.ingress import Ingress
from taskwire.listeners.submissions import ID_PATTERN, DialogContext
from taskwire.messages import answers, forms
from taskwire.messages.forms import Field
from taskwire.messages.settings_form import SettingsField
from taskwire.queue.user_limits import MAX_TEMPLATE_CHOICES, limit_of_template_choices
from taskwire.slack.call_priorities import retry_while_rate_limited
from taskwire.slack.inbound import Click
from taskwire.slack.outbound import Outbound
from taskwire.tasks.channel_settings import SettingsForm
from taskwire.tasks.form import CreateForm
from taskwire.telemetry import logger

_log = logger("taskwire.listeners.template_menus")


class _Choice(NamedTuple):
    requester: Requester
    clicked: Click
    context: DialogContext


class TemplateMenus:
    """Follows the choice of a template in the form for a new task and in a channel's settings."""

    def __init__(
        self,
        ingress: Ingress,
        slack: Outbound,
        create_form: CreateForm,
        settings_form: SettingsForm,
        background: Background,
    ) -> None:
        self._ingress = ingress
        self._slack = slack
        self._create_form = create_form
        self._settings_form = settings_form
        self._background = background
        # The newest choice in each dialog, by the dialog's id, until the dialog shows it.
        self._newest: dict[str, _Choice] = {}

    def follow(self, requester: Requester, clicked: Click) -> None:
        """If the person has chosen another template in a dialog, show the presets of that template."""
        view_id, context = clicked.view_id, DialogContext.find(clicked.private_metadata)
        is_of_template = clicked.action_id in (Field.TEMPLATE, SettingsField.TEMPLATE)
        is_made_up = clicked.action_id == Field.TEMPLATE and not re.fullmatch(ID_PATTERN, clicked.value)
        if view_id is None or context is None or not is_of_template or is_made_up:
            return
        is_followed = view_id in self._newest
        self._newest[view_id] = _Choice(requester, clicked, context)
        if not is_followed:
            self._background.start(self._follow(view_id), clicked.person)

    async def _follow(self, view_id: str) -> None:
        """Show the newest choice, until the dialog shows it."""
        try:
            shown = None
            while shown is not self._newest[view_id]:
                shown = self._newest[view_id]
                try:
                    await self._show(view_id, shown)
                except OutsideError as error:
                    _log.info("presets of another template not shown, dialog unchanged", error=str(error))
        finally:
            del self._newest[view_id]

    async def _show(self, view_id: str, choice: _Choice) -> None:
        requester, clicked, _ = choice
        limit = limit_of_template_choices(requester.person, requester.at)
        counted = await self._ingress.count_question(f"template:{clicked.delivery}", requester, limit)
        if counted.is_ignored:
            return
        view = await self._make_view(choice)
        if counted.reply:
            view = forms.too_many_choices(view, MAX_TEMPLATE_CHOICES)
        if self._newest[view_id] is choice:
            await retry_while_rate_limited(lambda: self._slack.views.update(view_id, view))

    async def _make_view(self, choice: _Choice) -> View:
        requester, clicked, context = choice
        if clicked.action_id == SettingsField.TEMPLATE:
            return await answer_or_explain(
                lambda: self._settings_form.with_template(
                    requester.model_copy(update={"channel": context.channel}),
                    clicked.values,
                    clicked.private_metadata,
                ),
                lambda said: forms.notice_dialog(Dialog.SETTINGS, said.text),
            )
        entered = (clicked.value, clicked.values, context.channel, context.source is not None)
        try:
            return await self._create_form.with_template(clicked.person, *entered, context.dump_with_template)
        except UserError as error:
            # For example, the person is not allowed to create tasks any more. If Coder does not answer, in
            # contrast, the form stays unchanged.
            return forms.notice_dialog(Dialog.CREATE, answers.refusal(error).text)
