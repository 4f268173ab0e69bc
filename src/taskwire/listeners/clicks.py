"""Listener for clicks on buttons and menus of cards, notices and questions.

The inbox claims a click once; its key is made of the click's ts and the person who clicked. The handler of
the click's job looks up later what the click refers to. If a click opens a dialog, the dialog opens at once,
because the click's trigger expires after three seconds.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Literal

from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.domain.errors import UserError
from taskwire.domain.ids import ChannelId, LinkId, moment_of
from taskwire.domain.parsing import commands
from taskwire.domain.parsing.audit_command import Audit
from taskwire.domain.parsing.commands import Help, List, Logs, OpenForm
from taskwire.domain.parsing.grammar import ListFilter
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.queueing.decisions import (
    Choose,
    DecideHeld,
    DecideReply,
    PassOn,
    PassOnStep,
    RecordOpened,
    ReplyDecision,
    SnoozeReminder,
)
from taskwire.domain.queueing.jobs import Act, ActRequested, ActVerb, CreateRequested, Job, ShowAnswer
from taskwire.domain.queueing.person_jobs import DisconnectAccount
from taskwire.domain.queueing.queues import (
    account,
    account_score,
    card,
    intake,
    no_agent_score,
    request_score,
    thread_answers,
    to_coder,
    urgent_score,
)
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import FROM_NOTICE, Button, Message
from taskwire.listeners.background import Background, answer_or_explain
from taskwire.listeners.commands import Commands
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.ingress import ClaimAnswer, Ingress
from taskwire.messages import answers, refusals
from taskwire.outbox.enqueue import reset_menu, reset_menu_later
from taskwire.outbox.private_answers import PrivateAnswer, PrivateAnswers
from taskwire.queue.batch import Batch
from taskwire.queue.user_limits import REQUEST_WINDOW_MS, UserLimit, limit_of_press
from taskwire.slack import inbound
from taskwire.slack.inbound import Click
from taskwire.slack.payload_fields import read_number
from taskwire.tasks.lookup import Lookup
from taskwire.tasks.queries import Queries

_VERBS: dict[Button, ActVerb] = {
    Button.PAUSE: "pause",
    Button.RESUME: "resume",
    Button.RETRY: "resume",
    Button.DETACH: "detach",
    Button.MUTE: "mute",
    Button.UNMUTE: "unmute",
    Button.FOLLOW: "follow",
    Button.UNFOLLOW: "unfollow",
    Button.WATCH: "watch",
    Button.UNWATCH: "unwatch",
    Button.GIVE_THREAD: "give_thread",
    Button.READ_REPLIES: "read_replies",
    Button.READ_MENTIONS: "read_mentions",
}
# Outside a card's menu, these buttons undo what the person has just done. The buttons are in the person's
# private answer.
_UNDOING = frozenset({Button.UNMUTE, Button.UNWATCH})
# These entries do not change the card, so the menu must be drawn again to show no choice. The other entries
# change the card, and a changed card has a new menu.
_WITHOUT_TRACE = frozenset(
    {
        *(Button.PAGE, Button.LOGS, Button.EDIT, Button.WATCH),
        *(Button.NEW_LIKE, Button.SHARE, Button.DELETE),
    }
)
_DECISIONS: dict[Button, ReplyDecision] = {
    Button.ARRIVED: "arrived",
    Button.SEND_AGAIN: "send",
    Button.SEND_AS_IT_IS: "send",
    Button.SEND_STILL: "send",
    Button.DROP_INPUT: "drop",
}
_SNOOZES: dict[Button, Literal["hour", "tomorrow"]] = {
    Button.SNOOZE_HOUR: "hour",
    Button.SNOOZE_TOMORROW: "tomorrow",
}
_PASS_ON_STEPS: dict[Button, PassOnStep] = {
    Button.ASK_OWNER: "ask",
    Button.SEND_THEIRS: "pass_on",
    Button.ALWAYS_LET: "always",
    Button.NOT_NOW: "not_now",
}
# Slack opens what these buttons lead to, so a press of one asks for nothing.
_LINKS = (Button.OPEN_CODER, Button.OPEN_LINK, Button.OPEN_THREAD)
# The value of a button that counts towards a user limit is one id, or two ids separated by a space. A hash
# may follow. Any other value is made up, and the click is rejected.
_IDS = re.compile(r"[A-Za-z0-9_-]{1,64}(?: [A-Za-z0-9_:.-]{1,200}(?: [0-9a-f]{64})?)?")


class Clicks:
    """Handles clicks."""

    def __init__(
        self,
        ingress: Ingress,
        offered: Commands,
        lookup: Lookup,
        queries: Queries,
        dialogs: Dialogs,
        background: Background,
        private_answers: PrivateAnswers,
    ) -> None:
        self._ingress = ingress
        self._offered = offered
        self._private_answers = private_answers
        self._lookup = lookup
        self._queries = queries
        self._dialogs = dialogs
        self._background = background

    def listen(self, app: AsyncApp) -> None:
        """Register for every button and menu, also for unknown ones.

        If a click gets no ack, Slack shows the person a warning.
        """
        app.action(re.compile(".*"))(self._clicked)

    async def _clicked(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        clicked = inbound.parse_click(body)
        if not isinstance(clicked, Click) or not self._ingress.is_accepted(body):
            await ack()
            return
        self._ingress.record_arrival("click")
        requester = _requester(clicked)
        refused = await self._ingress.refuse("click", clicked.delivery, requester)
        if refused is not None:
            await ack()
            self._private_answers.show(PrivateAnswer(requester, refused))
            return
        if clicked.button is Button.RUN_OFFERED:
            offered = clicked.value, clicked.number
            await self._offered.run_offered(ack, requester, clicked.trigger_id, *offered)
            return
        user_limit = limit_of_press(
            clicked.button, clicked.value.partition(" ")[0], requester.person, requester.at
        )
        if user_limit is None:
            await self._count_and_open(ack, clicked, requester)
            return
        is_made_up = not _IDS.fullmatch(clicked.value)
        batch = None if is_made_up else _batch_of(clicked)
        written = batch or Batch()
        if clicked.is_card_menu and not is_made_up:
            _reset_menus(clicked, user_limit, written)
        result = await self._ingress.claim("click", clicked.delivery, written, user_limit)
        await ack()
        if result.reply:
            self._private_answers.show(PrivateAnswer(requester, Message(text=result.reply)))
        elif result.is_new and is_made_up:
            self._private_answers.show(
                PrivateAnswer(requester, answers.refusal(UserError(*refusals.button_expired())))
            )
        elif result.is_new and (batch is None or clicked.button is Button.DO_VERB):
            self._open(clicked)

    async def _count_and_open(self, ack: AsyncAck, clicked: Click, requester: Requester) -> None:
        """Handle a click that has no job and is about no task. Those that ask for something are counted.

        `TemplateMenus` counts the choices of a template in a dialog: not each choice asks for something.
        """
        counted = ClaimAnswer("", is_new=True)
        if clicked.button is not None and clicked.button not in _LINKS:
            counted = await self._ingress.count_question(f"click:{clicked.delivery}", requester)
        await ack()
        if counted.reply:
            self._private_answers.show(PrivateAnswer(requester, Message(text=counted.reply)))
        if counted.is_new:
            self._open(clicked)

    def _open(self, clicked: Click) -> None:
        """Handle a click that makes no job: open or change a dialog, or answer a question."""
        requester = _requester(clicked)
        dialogs: dict[Button | str, Callable[[Requester, str, LinkId], None]] = {
            Button.ANSWER: self._dialogs.open_answer,
            Button.DELETE: self._dialogs.open_delete,
            Button.EDIT: self._dialogs.open_edit,
            Button.PAGE: self._dialogs.open_page,
            Button.SHARE: self._dialogs.open_share,
            Button.NEW_LIKE: self._dialogs.open_form_like,
            "delete": self._dialogs.open_delete,
            "edit": self._dialogs.open_edit,
        }
        link, _, rest = clicked.value.partition(" ")
        # The verb that the person meant may need a dialog. Open it now: the job only settles the question.
        asked = rest.partition(":")[0] if clicked.button is Button.DO_VERB else clicked.button
        if asked in dialogs:
            dialogs[asked](requester, clicked.trigger_id, LinkId(link))
            return
        if clicked.button is Button.LOGS and clicked.is_card_menu:
            # Slack does not say whether the card was pressed in the channel or in its thread. A dialog is
            # seen in both.
            self._dialogs.open_logs(requester, clicked.trigger_id, partial(self._logs, clicked, requester))
            return
        questions: dict[Button | None, Callable[[], Awaitable[Message]]] = {
            Button.LOGS: partial(self._logs, clicked, requester),
            Button.STEPS: partial(self._queries.logs.show_steps, requester, LinkId(link), rest),
            Button.HELP: partial(self._queries.answer, requester, Help()),
            Button.OWN_TASKS: partial(
                self._queries.answer_or_wait, requester, List(ListFilter.MINE), "list mine"
            ),
        }
        if clicked.button in questions:
            self._background.start(self._show(clicked, questions[clicked.button]), clicked.person)
            return
        dialogs_without_task = {
            Button.NEW_TASK: self._dialogs.open_form,
            Button.SETTINGS: self._dialogs.open_settings,
            Button.PREFERENCES: self._dialogs.open_preferences,
            Button.CONNECT: self._dialogs.open_connect,
            Button.CONFIRM_ACCOUNT: self._dialogs.open_confirm,
        }
        if clicked.button in dialogs_without_task:
            dialogs_without_task[clicked.button](requester, clicked.trigger_id)
            return
        match clicked.button:
            case Button.AUTHORIZE:
                self._background.start(self._offered.offer_to_connect(requester), clicked.person)
            case Button.CHANGE_REQUEST:
                self._dialogs.open_offered(requester, clicked.trigger_id, clicked.value)
            case Button.USE_TEMPLATE:
                self._dialogs.open_form(requester, clicked.trigger_id, OpenForm(template=clicked.value))
            case Button.LIST_PAGE | Button.AUDIT_PAGE:
                page = partial(self._page, clicked, requester)
                self._background.start(self._show(clicked, page, is_instead=True), clicked.person)
            case None:
                self._dialogs.template_menus.follow(requester, clicked)
            case _:
                # This button has a URL, so Slack itself opens the page.
                pass

    async def _logs(self, clicked: Click, requester: Requester) -> Message:
        link = await self._lookup.find_link(requester, LinkId(clicked.value))
        if link.record.task_id is None:
            raise UserError(*refusals.task_not_created_yet(link))
        requester = requester.model_copy(update={"channel": link.record.channel})
        task = link.record.task_id
        question = Logs(TaskName(id=task))
        if clicked.is_card_menu:
            # If the account is missing, the dialog asks for it.
            return await self._queries.answer(requester, question)
        return await self._queries.answer_or_wait(requester, question, f"logs {task}")

    async def _page(self, clicked: Click, requester: Requester) -> Message:
        page, _, filtered = clicked.value.partition(" ")
        verb = "audit" if clicked.button is Button.AUDIT_PAGE else "list"
        line = f"{verb} {filtered} page={page}"
        question = commands.parse(line)
        if not isinstance(question, List | Audit):
            raise UserError(*refusals.button_expired())
        return await self._queries.answer_or_wait(requester, question, line)

    async def _show(
        self, clicked: Click, answer: Callable[[], Awaitable[Message]], *, is_instead: bool = False
    ) -> None:
        message = await answer_or_explain(answer, lambda said: said)
        self._private_answers.show(PrivateAnswer(_requester(clicked), message, is_instead=is_instead))


def _batch_of(clicked: Click) -> Batch | None:
    """Return a batch with the jobs for a click; None if the click needs no job."""
    button, requester = clicked.button, _requester(clicked)
    link, _, rest = clicked.value.partition(" ")
    name = f"click:{clicked.delivery}"
    if button in _VERBS:
        act = Act(
            requester=requester,
            verb=_VERBS[button],
            is_retry=button is Button.RETRY,
            # Only the private question *Stop the task*, in a thread, has a button that names a reply.
            reply_id=rest if button is Button.PAUSE and clicked.channel else "",
            is_from_menu=clicked.is_card_menu,
            is_public_press=clicked.is_public,
            is_undo=button in _UNDOING and not clicked.is_card_menu,
        )
        job = Job(id=f"{act.verb}:{name}", work=act)
        return Batch().append(to_coder(link), job, score=request_score(act.verb, requester.at))
    decision = _decision_of(clicked, requester, rest)
    if decision is not None:
        # Anybody may ask an owner, so this press does not go before a stop.
        is_asking = isinstance(decision, PassOn) and decision.step == "ask"
        score = no_agent_score(requester.at) if is_asking else urgent_score(requester.at)
        return Batch().append(to_coder(link), Job(id=name, work=decision), score=score)
    if button is Button.RETRY_AND_SEND:
        return _retry_and_send(requester, link, rest, name, is_public=clicked.is_public)
    if button is Button.SHOW_ANSWER:
        return Batch().append(
            thread_answers(link, requester.person),
            Job(id=name, work=ShowAnswer(requester=requester, key=rest)),
        )
    if button in (Button.OPEN_RESULT, Button.SEEN):
        # The Home tab itself shows the change.
        is_told = button is Button.SEEN and bool(requester.channel)
        opened = RecordOpened(
            person=requester.person, at=requester.at, requester=requester if is_told else None
        )
        return Batch().append(card(LinkId(link)), Job(id=name, work=opened), score="due")
    if button is Button.PAUSE_TO_EDIT:
        return _pause_to_edit(requester, link, rest, name)
    return _intake_batch(clicked)


def _reset_menus(clicked: Click, user_limit: UserLimit, written: Batch) -> None:
    """Let the card be drawn with no choice in its menu, if the choice itself does not change the card.

    A choice that exceeds the user limit changes nothing. Then the card is drawn when the person may choose
    again.
    """
    link = LinkId(clicked.value)
    for limited in (user_limit.when_told, user_limit.when_limited):
        reset_menu_later(link, clicked.action_ts, REQUEST_WINDOW_MS, limited)
    if clicked.button in _WITHOUT_TRACE:
        reset_menu(link, clicked.action_ts, written)


def _intake_batch(clicked: Click) -> Batch | None:
    """Return a batch with the job for a click that refers to no link; None if the click needs no job."""
    requester = _requester(clicked)
    if clicked.button in (Button.CREATE, Button.CREATE_ANOTHER):
        # If the button is pressed twice, both presses make the same job, and therefore the same link.
        again = CreateRequested(requester=requester, note_key=clicked.value)
        return Batch().append(intake(requester.person), Job(id=f"another:{clicked.value}", work=again))
    if clicked.button is Button.DISCONNECT:
        work = DisconnectAccount(requester=requester)
        job = Job(id=f"click:{clicked.delivery}", work=work)
        return Batch().append(account(requester.person), job, score=account_score(moment_of(requester.at)))
    if clicked.button is Button.ATTACH:
        attach = ActRequested(requester=requester, verb="attach", name=clicked.value)
        return Batch().append(intake(requester.person), Job(id=f"click:{clicked.delivery}", work=attach))
    return None


def _decision_of(
    clicked: Click, requester: Requester, rest: str
) -> DecideReply | DecideHeld | Choose | PassOn | SnoozeReminder | None:
    """Return the decision that a person makes with this button; None if the button makes no decision."""
    button, ts = clicked.button, clicked.message_ts
    if button in _DECISIONS:
        return DecideReply(requester=requester, job=rest, decision=_DECISIONS[button])
    if button is Button.DO_VERB:
        verb, _, job_id = rest.partition(":")
        return DecideReply(requester=requester, job=job_id, decision="verb", verb=verb)
    if button in (Button.RESUME_AND_SEND, Button.DROP_HELD):
        return DecideHeld(requester=requester, is_dropped=button is Button.DROP_HELD)
    if button is Button.CHOOSE:
        key, _, number = rest.partition(":")
        return Choose(requester=requester, key=key, number=read_number(number), message_ts=ts)
    if button in _PASS_ON_STEPS:
        job_id, _, shown = rest.partition(" ")
        return PassOn(requester=requester, job=job_id, step=_PASS_ON_STEPS[button], shown_hash=shown)
    if button in _SNOOZES:
        return SnoozeReminder(requester=requester, until=_SNOOZES[button], message_ts=ts)
    return None


def _pause_to_edit(requester: Requester, link: str, kept: str, name: str) -> Batch:
    """Return a batch that pauses the task and then replaces its prompt.

    The new prompt is the text that is stored under `kept`. Coder gets the new prompt when the workspace has
    stopped.
    """
    pause = Act(requester=requester, verb="pause", is_answered_elsewhere=True)
    edit = Act(requester=requester, verb="edit", note_key=kept, waits_for_stop=True)
    batch = Batch().append(
        to_coder(link), Job(id=f"pause:{name}", work=pause), score=urgent_score(requester.at)
    )
    return batch.append(to_coder(link), Job(id=f"edit:{name}", work=edit), score=no_agent_score(requester.at))


def _retry_and_send(requester: Requester, link: str, job: str, name: str, *, is_public: bool) -> Batch:
    """Return a batch that restarts the failed workspace and sends the reply with the job id `job`."""
    decider = requester
    if job.startswith(FROM_NOTICE):
        # The notice stays as it is. The decision does not replace the notice.
        decider = requester.model_copy(update={"response_url": None})
    send = DecideReply(requester=decider, job=job.removeprefix(FROM_NOTICE), decision="send")
    retry = Act(requester=requester, verb="resume", is_retry=True, is_public_press=is_public)
    batch = Batch().append(to_coder(link), Job(id=name, work=send), score=urgent_score(requester.at))
    return batch.append(
        to_coder(link), Job(id=f"resume:{name}", work=retry), score=no_agent_score(requester.at)
    )


def _requester(clicked: Click) -> Requester:
    return Requester(
        person=clicked.person,
        channel=clicked.channel or ChannelId(""),
        at=clicked.action_ts,
        thread_ts=clicked.thread_ts,
        response_url=clicked.response_url,
        # The message with the button may be old, and the person may no longer be in the channel.
        is_elsewhere=True,
        surface="button" if clicked.channel else "home",
    )
