"""Listener for dialogs. It opens and fills dialogs, and claims what people submit.

A dialog must open within three seconds, while its trigger is valid. A dialog carries its context in its
private metadata. The worker checks permissions, as for every job.
"""

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from redis.exceptions import RedisError
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.coder.errors import PersonTokenRefused
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import ChannelId, LinkId, TaskId, Ts, UserId, ts_of
from taskwire.domain.masking.secret_patterns import MASK
from taskwire.domain.parsing.commands import OpenForm
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.queueing.decisions import Choose
from taskwire.domain.queueing.jobs import ActRequested, ActVerb, Job
from taskwire.domain.queueing.person_jobs import ConfirmAccount, ConnectAccount
from taskwire.domain.queueing.queues import account, account_score, intake, to_coder, urgent_score
from taskwire.domain.queueing.requests import intake_score
from taskwire.domain.queueing.work import Work
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Dialog, Message, View
from taskwire.listeners.background import Background, answer_or_explain
from taskwire.listeners.ingress import Ingress
from taskwire.listeners.submissions import DialogContext, parse_submission
from taskwire.listeners.template_menus import TemplateMenus
from taskwire.messages import accounts, answers, forms, refusals
from taskwire.messages.forms import Field
from taskwire.messages.person_settings_form import write_shown
from taskwire.messages.share_form import ShareField, list_shown, share_form
from taskwire.outbox.allowed_places import find_checked_place
from taskwire.outbox.private_answers import PrivateAnswer, PrivateAnswers
from taskwire.outbox.questions import get_key
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.shares import MOST_SHARES
from taskwire.queue.batch import Batch
from taskwire.queue.user_limits import limit_of_checked_dialogs
from taskwire.slack import inbound
from taskwire.slack.call_priorities import retry_while_rate_limited
from taskwire.slack.inbound import Submission
from taskwire.slack.outbound import Outbound
from taskwire.slack.shortcuts import PickedMessage
from taskwire.state.links import Links
from taskwire.state.settings import SettingsStore
from taskwire.tasks.card_questions import CardQuestions
from taskwire.tasks.channel_settings import SettingsForm
from taskwire.tasks.form import CreateForm
from taskwire.tasks.lookup import Lookup, VisibleTask
from taskwire.telemetry import logger
from taskwire.waiting_replies.undelivered import list_undelivered

_log = logger("taskwire.listeners.dialogs")
MakeView = Callable[[], Awaitable[View]]


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
        coder_url: str,
        is_token_refused: Callable[[ConnectAccount], Awaitable[bool]],
    ) -> None:
        self._is_token_refused = is_token_refused
        self._coder_url = coder_url
        self._private_answers = private_answers
        self._ingress = ingress
        self._slack = slack
        self._links = links
        self._person_settings = person_settings
        self._lookup = lookup
        self._create_form = create_form
        self._settings_form = settings_form
        self.template_menus = TemplateMenus(ingress, slack, create_form, settings_form, background)
        self._card_questions = card_questions
        self._background = background

    def listen(self, app: AsyncApp) -> None:
        """Register the listeners for all dialogs of Taskwire."""
        for dialog in Dialog:
            app.view(dialog.value)(self._submitted)

    def open_form(self, requester: Requester, trigger_id: str, given: OpenForm | None = None) -> None:
        """Open the form for a new task, filled with what the person typed after the command."""
        metadata = _context_of(requester).dump_with_template
        make_view = partial(self._create_form.view, requester, given or OpenForm(), metadata)
        self._open_in_background(requester, trigger_id, Dialog.CREATE, make_view)

    def open_form_for_message(self, requester: Requester, trigger_id: str, message: PickedMessage) -> None:
        """Open the form with a message as the prompt.

        The person may also give the message's thread to the agent.
        """
        source = {"source_channel": requester.channel, "source_thread": message.thread_ts}
        # In a message of an app, a mask stands for a secret. A person may have typed the same sign.
        is_masked = message.person is None and MASK in message.text
        context = _context_of(requester).model_copy(update=source | {"is_masked": is_masked})
        metadata = context.dump_with_template
        make_view = partial(self._create_form.view_message, requester, message, metadata)
        self._open_in_background(requester, trigger_id, Dialog.CREATE, make_view)

    def open_form_like(self, requester: Requester, trigger_id: str, target: LinkId) -> None:
        """Open the form, filled with the prompt, the template and the preset of another task."""
        make_view = partial(self._form_like, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.CREATE, make_view)

    def open_refused(self, requester: Requester, trigger_id: str, refusal: Message) -> None:
        """Open the form for a new task with a refusal in place of its fields."""

        async def make_view() -> View:
            return forms.notice_dialog(Dialog.CREATE, refusal.text)

        self._open_in_background(requester, trigger_id, Dialog.CREATE, make_view)

    def open_offered(self, requester: Requester, trigger_id: str, key: str) -> None:
        """Open the form for a request that the bot has offered, so that the person can change the request."""
        context = _context_of(requester).model_copy(update={"offer": key})
        make_view = partial(self._create_form.view_offered, requester, key, context.dump_with_template)
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
        """Open the dialog for a reply to the agent. The dialog shows the agent's latest output."""
        make_view = partial(self._answer_dialog, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.ANSWER, make_view)

    def open_page(self, requester: Requester, trigger_id: str, target: LinkId) -> None:
        """Open the dialog with the link to the task's page in Coder."""
        make_view = partial(self._page_dialog, requester, target)
        self._open_in_background(requester, trigger_id, Dialog.PAGE, make_view)

    def open_logs(
        self, requester: Requester, trigger_id: str, answer: Callable[[], Awaitable[Message]]
    ) -> None:
        """Open the dialog with what the agent wrote last. `answer` returns this as a message."""

        async def make_view() -> View:
            return forms.logs_dialog(await answer())

        self._open_in_background(requester, trigger_id, Dialog.LOGS, make_view)

    def open_share(self, requester: Requester, trigger_id: str, target: LinkId) -> None:
        """Open the dialog with the people and user groups who may steer the task."""
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

    def open_confirm(self, requester: Requester, trigger_id: str) -> None:
        """Open the dialog for the number that the person's browser shows after the sign-in."""
        metadata = _context_of(requester).model_dump_json()

        async def make_view() -> View:
            return accounts.confirm_dialog(metadata)

        self._open_in_background(requester, trigger_id, Dialog.CONFIRM_ACCOUNT, make_view)

    def open_settings(self, requester: Requester, trigger_id: str) -> None:
        """Open the dialog with the settings of the requester's channel and the requester's own settings."""
        make_view = partial(self._settings_dialog, requester)
        self._open_in_background(requester, trigger_id, Dialog.SETTINGS, make_view)

    def _open_in_background(
        self, requester: Requester, trigger_id: str, dialog: Dialog, make_view: MakeView
    ) -> None:
        make = partial(self._or_connect, requester, make_view)
        opening = self._open(requester, trigger_id, dialog, make)
        self._background.start(opening, requester.person, is_urgent=True)

    async def _open(self, requester: Requester, trigger_id: str, dialog: Dialog, make_view: MakeView) -> None:
        """Open the empty dialog at once, and start to fill it in the background."""
        try:
            view_id = await self._slack.views.open(trigger_id, forms.loading_dialog(dialog))
        except OutsideError as error:
            _log.warning("dialog not opened, person told if possible", error=str(error))
            if requester.response_url is not None:
                self._private_answers.show(PrivateAnswer(requester, answers.dialog_failed()))
            return
        self._background.start(self._fill(view_id, dialog, make_view), requester.person)

    async def _fill(self, view_id: str, dialog: Dialog, make_view: MakeView) -> None:
        """Show in the opened dialog the view that `make_view` builds; if this fails, the error message."""
        view = await answer_or_explain(make_view, lambda said: forms.notice_dialog(dialog, said.text))
        await retry_while_rate_limited(lambda: self._slack.views.update(view_id, view))

    async def _form_like(self, requester: Requester, target: LinkId) -> View:
        like = await self._card_questions.find_request(requester, target)
        context = _context_of(requester).model_copy(update={"is_masked": like.is_masked})
        return await self._create_form.view(requester, like.form, context.dump_with_template)

    async def _delete_dialog(self, requester: Requester, target: TaskName | LinkId) -> View:
        seen = await self._find("delete", requester, target)
        return forms.delete_dialog(
            seen.task.title,
            private_metadata=_context_of(requester, seen.task.id).model_dump_json(),
            waiting=await self._count_undelivered(seen),
        )

    async def _edit_dialog(self, requester: Requester, target: TaskName | LinkId) -> View:
        seen = await self._find("edit", requester, target)
        prompt = seen.task.initial_prompt
        shown = await self._card_questions.show_prompt(requester, seen)
        context = _context_of(requester, seen.task.id).model_copy(update={"is_masked": shown != prompt})
        return forms.edit_dialog(
            seen.task.title,
            shown,
            private_metadata=context.model_dump_json(),
            name=seen.task.name,
        )

    async def _answer_dialog(self, requester: Requester, target: LinkId) -> View:
        asked = await self._card_questions.find_question(requester, target)
        context, posted = _context_of(requester, str(asked.link.record.task_id)), asked.posted
        if posted is not None:
            notice = {"link": asked.link.id, "key": get_key(posted.message_id), "asked_ts": posted.ts}
            context = context.model_copy(update=notice)
        return forms.answer_dialog(
            asked.link.title,
            asked.written,
            private_metadata=context.model_dump_json(),
            choices=posted.choices if posted is not None else (),
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

    async def _settings_dialog(self, requester: Requester) -> View:
        own = await self._person_settings.get(requester.person)
        context = _context_of(requester).model_copy(update={"shown": write_shown(own)})
        return await self._settings_form.view(requester, own, context.model_dump_json())

    async def _connect_dialog(self, requester: Requester) -> View:
        return accounts.connect_dialog(self._coder_url, _context_of(requester).model_dump_json())

    async def _or_connect(self, requester: Requester, make_view: MakeView) -> View:
        """Return the dialog that `make_view` builds.

        If the dialog needs a Coder account and the person has connected none, return the dialog that asks for
        a token. If the person's token only has to be renewed, renew it, and raise UserError.
        """
        try:
            return await make_view()
        except (AccountNeeded, PersonTokenRefused) as error:
            if error.person != requester.person:
                raise
            if await self._card_questions.start_renewal(error):
                raise UserError(*accounts.token_being_renewed()) from error
            return await self._connect_dialog(requester)

    async def _find(self, verb: ActVerb, requester: Requester, target: TaskName | LinkId) -> VisibleTask:
        """Return the task if this person may see it and may do what the dialog does.

        Raise UserError otherwise.
        """
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
        now = ts_of(self._ingress.now())
        parsed = parse_submission(submitted, now)
        if parsed.job is not None:
            # A job that names no channel is allowed everywhere, but only for people who may use the bot.
            anywhere = Requester(person=submitted.person, channel=ChannelId(""), at=now, surface="dialog")
            requester = find_checked_place(parsed.job) or anywhere
            refused = await self._ingress.refuse("dialog", submitted.delivery, requester)
            if refused is not None:
                await self._show_error(ack, submitted, refused.text or answers.too_many_requests().text)
                return
        if errors := parsed.errors or await self._find_errors(submitted.person, parsed.job, now):
            await ack(response_action="errors", errors=dict(errors))
            return
        if parsed.job is None:
            await ack()
            return
        job = Job(id=f"dialog:{submitted.delivery}", work=parsed.job)
        match parsed.job:
            case ConnectAccount() | ConfirmAccount():
                queue, score = account(submitted.person), account_score(self._ingress.now())
                batch = Batch().append(queue, job, score=score)
            case Choose(requester=requester):
                batch = Batch().append(to_coder(parsed.link), job, score=urgent_score(requester.at))
            case _:
                batch = Batch().append(intake(submitted.person), job, score=intake_score(parsed.job))
        if (second := parsed.second) is not None:
            second_job = Job(id=f"second:{submitted.delivery}", work=second)
            batch.append(intake(submitted.person), second_job, score=intake_score(second))
        claim = await self._ingress.claim("dialog", submitted.delivery, batch)
        if claim.reply:
            await self._show_error(ack, submitted, claim.reply)
        else:
            await ack()

    async def _find_errors(self, person: UserId, job: Work | None, now: Ts) -> dict[str, str]:
        """Return the error of a chosen person who can get no share, or of a token that Coder refuses.

        Slack and Coder are asked only so often for one person.
        """
        if isinstance(job, ConnectAccount):
            field, look = accounts.PASTE_FIELD, partial(self._find_wrong_token, job)
        elif isinstance(job, ActRequested) and job.verb == "share":
            share = self._card_questions.find_wrong_share
            field, look = ShareField.PEOPLE.value, partial(share, person, TaskId(job.name), job.who)
        else:
            return {}
        limit = limit_of_checked_dialogs(person, now)
        requester = Requester(person=person, channel=ChannelId(""), at=now, surface="dialog")
        counted = await self._ingress.count_question(f"check:{secrets.token_hex(8)}", requester, limit)
        if not counted.is_new:
            return {field: answers.too_many_requests(limit.most).text}
        wrong = ""
        with contextlib.suppress(RedisError):
            wrong = await look()
        return {field: wrong} if wrong else {}

    async def _find_wrong_token(self, job: ConnectAccount) -> str:
        return accounts.REFUSED_PASTE if await self._is_token_refused(job) else ""

    async def _show_error(self, ack: AsyncAck, submitted: Submission, said: str) -> None:
        """Show in the dialog why Taskwire did not accept the submission.

        A dialog with a text field keeps the text that the person has entered.
        """
        if submitted.dialog in (Dialog.DELETE, Dialog.SHARE, Dialog.SETTINGS, Dialog.PREFERENCES):
            view = forms.notice_dialog(submitted.dialog, said)
            await ack(response_action="update", view=view.content)
        else:
            await ack(response_action="errors", errors={_first_field(submitted): said})


def _first_field(submitted: Submission) -> str:
    """Return the field beside which Slack shows an error about the whole dialog."""
    if submitted.dialog is Dialog.CONNECT:
        return accounts.PASTE_FIELD
    if submitted.dialog is Dialog.CONFIRM_ACCOUNT:
        return accounts.NUMBER_FIELD
    return Field.CHOICE.value if Field.CHOICE in submitted.values else Field.PROMPT.value


def _context_of(requester: Requester, task: str = "") -> DialogContext:
    return DialogContext(
        channel=requester.channel,
        thread_ts=requester.thread_ts,
        response_url=requester.response_url,
        at=requester.at,
        task=task,
    )
