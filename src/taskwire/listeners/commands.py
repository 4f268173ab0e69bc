"""Slash commands: where `/task …` comes in.

A question is acknowledged and answered by the response URL; a dialog is opened beside the acknowledgement,
while its trigger lives; everything that acts is written down as a job of the person's intake list and then
acknowledged.
"""

from collections.abc import Mapping

from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.bridge.ask import Answerer, Question
from taskwire.listeners.behind import Behind, in_words
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.entry import Entry
from taskwire.model import commands
from taskwire.model.commands import Command
from taskwire.model.errors import UserError
from taskwire.model.jobs import ActAsked, Asker, CreateAsked, Job, intake
from taskwire.slack import inbound
from taskwire.slack.inbound import Typed
from taskwire.slack.manifest import COMMAND
from taskwire.slack.outbound import Outbound
from taskwire.store.steps import Step
from taskwire.words import answers


class Commands:
    """Takes slash commands."""

    def __init__(
        self,
        entry: Entry,
        slack: Outbound,
        answerer: Answerer,
        dialogs: Dialogs,
        behind: Behind,
    ) -> None:
        self._entry = entry
        self._slack = slack
        self._answerer = answerer
        self._dialogs = dialogs
        self._behind = behind

    def listen(self, app: AsyncApp) -> None:
        """Take `/task`."""
        app.command(COMMAND)(self._task)

    async def _task(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        typed = inbound.command(body, self._entry.now())
        if not isinstance(typed, Typed) or not self._entry.is_let_in(body):
            await ack()
            return
        try:
            command = commands.parse(typed.text)
        except UserError as error:
            await ack(answers.refusal(error).text)
            return
        await ack(await self._taken(typed, command))

    async def _taken(self, typed: Typed, command: Command) -> str:
        """Do what has to be done before the acknowledgement; returns what it says."""
        match command:
            case (
                commands.Help() | commands.List() | commands.Status() | commands.Logs() | commands.Templates()
            ):
                self._behind.start(self._answer(typed.asker, command))
                return ""
            case commands.OpenForm():
                self._dialogs.open_form(typed.asker, typed.trigger_id, command)
                return ""
            case commands.Delete():
                self._dialogs.open_delete(typed.asker, typed.trigger_id, command.name)
                return ""
            case _:
                job = Job(id=f"command:{typed.delivery}", work=_work(typed.asker, command))
                step = Step().append(intake(typed.asker.person), job)
                return await self._entry.write("command", typed.delivery, step)

    async def _answer(self, asker: Asker, question: Question) -> None:
        message = await in_words(self._answerer.answer(asker, question), lambda said: said)
        if asker.response_url is not None:
            await self._slack.respond(asker.response_url, message)


def _work(asker: Asker, command: Command) -> CreateAsked | ActAsked:
    match command:
        case commands.Create():
            return CreateAsked(
                asker=asker,
                prompt=command.prompt,
                template=command.template,
                preset=command.preset,
                name=command.name,
                organization=command.organization,
            )
        case commands.Send():
            return ActAsked(asker=asker, verb="send", name=str(command.name), text=command.text)
        case commands.Edit():
            return ActAsked(asker=asker, verb="edit", name=str(command.name), text=command.text)
        case commands.Pause():
            return ActAsked(asker=asker, verb="pause", name=str(command.name))
        case commands.Resume():
            return ActAsked(asker=asker, verb="resume", name=str(command.name))
        case commands.Attach():
            return ActAsked(asker=asker, verb="attach", name=str(command.name))
        case commands.Detach():
            return ActAsked(asker=asker, verb="detach", name=str(command.name))
        case _:
            raise TypeError(f"{type(command).__name__} is no act")
