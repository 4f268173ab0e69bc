"""Clicks: buttons on cards, notices and questions.

A click is claimed by its ts and person. What it means is looked up when it is carried out; what opens a
dialog does so at once, since the trigger lives three seconds.
"""

import re
from collections.abc import Coroutine, Mapping

from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.bridge.ask import Answerer
from taskwire.listeners.behind import Behind, in_words
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.entry import Entry
from taskwire.model import commands
from taskwire.model.actions import Button
from taskwire.model.commands import List, Logs, TaskName
from taskwire.model.errors import UserError
from taskwire.model.ids import ChannelId, LinkId, Ts
from taskwire.model.jobs import (
    Act,
    ActVerb,
    Asker,
    CreateAsked,
    Decided,
    HeldInput,
    Job,
    Verdict,
    intake,
    score_of,
    soon,
    steer,
    urgent,
)
from taskwire.model.messages import Message
from taskwire.slack import inbound
from taskwire.slack.inbound import Clicked
from taskwire.slack.outbound import Outbound
from taskwire.store.links import Links
from taskwire.store.steps import Step
from taskwire.words import refusals

_VERBS: dict[Button, ActVerb] = {
    Button.PAUSE: "pause",
    Button.RESUME: "resume",
    Button.RETRY: "resume",
    Button.DETACH: "detach",
    Button.MUTE: "mute",
    Button.UNMUTE: "unmute",
}
_VERDICTS: dict[Button, Verdict] = {
    Button.ARRIVED: "arrived",
    Button.SEND_AGAIN: "send",
    Button.SEND_AS_IT_IS: "send",
    Button.SEND_STILL: "send",
    Button.DROP_INPUT: "drop",
}


class Clicks:
    """Takes clicks."""

    def __init__(
        self,
        entry: Entry,
        slack: Outbound,
        links: Links,
        answerer: Answerer,
        dialogs: Dialogs,
        behind: Behind,
    ) -> None:
        self._entry = entry
        self._slack = slack
        self._links = links
        self._answerer = answerer
        self._dialogs = dialogs
        self._behind = behind

    def listen(self, app: AsyncApp) -> None:
        """Take every button and menu, known or not: an unanswered click shows a warning sign."""
        app.action(re.compile(".*"))(self._clicked)

    async def _clicked(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        clicked = inbound.click(body)
        if not isinstance(clicked, Clicked) or not self._entry.is_let_in(body):
            await ack()
            return
        step = None if self._opens(clicked) else _step(clicked)
        if step is None:
            await ack()
            return
        said = await self._entry.write("click", clicked.delivery, step)
        await ack()
        if said:
            self._respond(clicked, Message(text=said))

    def _opens(self, clicked: Clicked) -> bool:
        """Whether the click opens, changes or answers something, and so is no job."""
        asker = _asker(clicked)
        match clicked.button:
            case Button.DELETE:
                self._dialogs.open_delete(asker, clicked.trigger_id, LinkId(clicked.value))
            case Button.EDIT:
                self._dialogs.open_edit(asker, clicked.trigger_id, LinkId(clicked.value))
            case Button.NEW_TASK:
                self._dialogs.open_form(asker, clicked.trigger_id)
            case Button.LOGS:
                self._behind.start(self._show(clicked, self._logs(clicked, asker)))
            case Button.LIST_PAGE:
                self._behind.start(self._show(clicked, self._page(clicked, asker), is_instead=True))
            case Button.OPEN_CODER | Button.OPEN_LINK | Button.OPEN_THREAD:
                # Slack has opened the page by itself.
                pass
            case None:
                self._dialogs.changed(clicked)
            case _:
                return False
        return True

    async def _logs(self, clicked: Clicked, asker: Asker) -> Message:
        link = await self._links.find(LinkId(clicked.value))
        if link is None or link.bond.task_id is None:
            raise UserError(*refusals.too_late())
        asker = asker.model_copy(update={"channel": link.bond.channel})
        return await self._answerer.answer(asker, Logs(TaskName(id=link.bond.task_id)))

    async def _page(self, clicked: Clicked, asker: Asker) -> Message:
        page, _, filtered = clicked.value.partition(" ")
        question = commands.parse(f"list {filtered} page={page}")
        if not isinstance(question, List):
            raise UserError(*refusals.too_late())
        return await self._answerer.answer(asker, question)

    async def _show(
        self, clicked: Clicked, answer: Coroutine[None, None, Message], *, is_instead: bool = False
    ) -> None:
        message = await in_words(answer, lambda said: said)
        if clicked.response_url is not None:
            await self._slack.respond(clicked.response_url, message, replace_original=is_instead)

    def _respond(self, clicked: Clicked, message: Message) -> None:
        if clicked.response_url is not None:
            self._behind.start(self._slack.respond(clicked.response_url, message))


def _step(clicked: Clicked) -> Step | None:
    """The job that a click asks for."""
    button, asker = clicked.button, _asker(clicked)
    link, _, rest = clicked.value.partition(" ")
    name = f"click:{clicked.delivery}"
    if button in _VERBS:
        act = Act(asker=asker, verb=_VERBS[button])
        job = Job(id=f"{act.verb}:{name}", work=act)
        return Step().append(steer(link), job, score=score_of(act.verb, asker.at))
    if button in _VERDICTS:
        decided = Decided(asker=asker, job=rest, verdict=_VERDICTS[button])
        return Step().append(steer(link), Job(id=name, work=decided), score=urgent(asker.at))
    if button in (Button.RESUME_AND_SEND, Button.DROP_HELD):
        held = HeldInput(asker=asker, is_dropped=button is Button.DROP_HELD)
        return Step().append(steer(link), Job(id=name, work=held), score=urgent(asker.at))
    if button is Button.CREATE_ANOTHER:
        # Pressed twice it is the same job, and so the same link.
        again = Job(id=f"another:{clicked.value}", work=CreateAsked(asker=asker, kept=clicked.value))
        return Step().append(intake(asker.person), again)
    if button is Button.PAUSE_TO_EDIT:
        return _pause_to_edit(asker, link, rest, name)
    return None


def _pause_to_edit(asker: Asker, link: str, kept: str, name: str) -> Step:
    """Pause, and edit as soon as the workspace has stopped."""
    pause = Act(asker=asker, verb="pause")
    edit = Act(asker=asker, verb="edit", kept=kept, is_patient=True)
    step = Step().append(steer(link), Job(id=f"pause:{name}", work=pause), score=urgent(asker.at))
    return step.append(steer(link), Job(id=f"edit:{name}", work=edit), score=soon(asker.at))


def _asker(clicked: Clicked) -> Asker:
    return Asker(
        person=clicked.person,
        channel=clicked.channel or ChannelId(""),
        at=Ts(clicked.action_ts),
        thread_ts=clicked.thread_ts,
        response_url=clicked.response_url,
    )
