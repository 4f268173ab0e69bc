"""Listener for the slash command `/task …`.

A question is acknowledged and later answered through the response URL. A dialog is opened beside the
acknowledgement, because its trigger expires after three seconds. Every other command becomes a job in the
person's `intake` queue before it is acknowledged.
"""

from collections.abc import Mapping
from functools import partial

from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.domain import commands
from taskwire.domain.commands import Command
from taskwire.domain.errors import UserError
from taskwire.domain.jobs import ActRequested, Job, Requester
from taskwire.domain.queues import intake
from taskwire.domain.requests import make_work
from taskwire.listeners.background import Background, answer_or_explain
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.ingress import ClaimAnswer, Ingress
from taskwire.messages import answers
from taskwire.outbox.private_answers import PrivateAnswer, PrivateAnswers
from taskwire.queue.batch import Batch
from taskwire.queue.user_limits import limit_of_command
from taskwire.slack import inbound
from taskwire.slack.inbound import SlashCommand
from taskwire.slack.manifest import SLASH_COMMAND
from taskwire.tasks.queries import Queries, Question


class Commands:
    """Handles slash commands."""

    def __init__(
        self,
        ingress: Ingress,
        queries: Queries,
        dialogs: Dialogs,
        background: Background,
        private_answers: PrivateAnswers,
    ) -> None:
        self._ingress = ingress
        self._private_answers = private_answers
        self._queries = queries
        self._dialogs = dialogs
        self._background = background

    def listen(self, app: AsyncApp) -> None:
        """Handle `/task`."""
        app.command(SLASH_COMMAND)(self._task)

    async def _task(self, ack: AsyncAck, body: Mapping[str, object]) -> None:
        typed = inbound.parse_command(body, self._ingress.now())
        if not isinstance(typed, SlashCommand) or not self._ingress.is_accepted(body):
            await ack()
            return
        self._ingress.record_arrival("command")
        try:
            command = commands.parse(typed.text)
        except UserError as error:
            await ack(answers.refusal(error).text)
            return
        await ack(await self._handle(typed, command))

    async def _handle(self, typed: SlashCommand, command: Command) -> str:
        """Do what must precede the acknowledgement, and return the acknowledgement's text."""
        match command:
            case (
                commands.Help() | commands.List() | commands.Status() | commands.Logs() | commands.Templates()
            ):
                self._background.start(self._answer(typed.requester, command))
                return ""
            case commands.OpenForm():
                self._dialogs.open_form(typed.requester, typed.trigger_id, command)
                return ""
            case commands.Delete():
                result = await self._claim(typed, "delete", Batch())
                if result.is_new:
                    self._dialogs.open_delete(typed.requester, typed.trigger_id, command.name)
                return result.reply
            case _:
                work = make_work(typed.requester, command)
                job = Job(id=f"command:{typed.delivery}", work=work)
                verb = work.verb if isinstance(work, ActRequested) else "create"
                return (
                    await self._claim(typed, verb, Batch().append(intake(typed.requester.person), job))
                ).reply

    async def _claim(self, typed: SlashCommand, verb: str, batch: Batch) -> ClaimAnswer:
        user_limit = limit_of_command(verb, typed.requester.person, typed.requester.at)
        return await self._ingress.claim("command", typed.delivery, batch, user_limit)

    async def _answer(self, requester: Requester, question: Question) -> None:
        answer = partial(self._queries.answer, requester, question)
        self._private_answers.show(
            PrivateAnswer(requester, await answer_or_explain(answer, lambda said: said))
        )
