"""Listener for the slash command `/task …`, and for buttons that offer a command.

A button offers a command if the person's own command was mistyped. A question is a command that only asks for
something, such as a list of tasks. It is acknowledged first and answered later through the response URL. A
dialog opens during the acknowledgement, because its trigger expires after three seconds. Every other command
becomes a job in the person's `intake` queue before the command is acknowledged.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping
from functools import partial

from redis.exceptions import RedisError
from slack_bolt.async_app import AsyncAck, AsyncApp

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.parsing import commands
from taskwire.domain.parsing.commands import Command
from taskwire.domain.parsing.grammar import Verb
from taskwire.domain.parsing.naming import digest
from taskwire.domain.parsing.near_misses import NameMissing, NearMiss, NotOneTask, offer_command_on_task
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.queueing.jobs import ActRequested, CreateRequested, Job
from taskwire.domain.queueing.person_jobs import DisconnectAccount
from taskwire.domain.queueing.queues import account, account_score, intake
from taskwire.domain.queueing.requests import intake_score, make_work
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.listeners.background import Background, answer_or_explain
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.ingress import ClaimAnswer, Ingress
from taskwire.messages import answers, inputs
from taskwire.messages.unknown_verbs import offer_commands, taken_as_command
from taskwire.outbox.private_answers import PrivateAnswer, PrivateAnswers
from taskwire.outbox.waiting_requests import answer_or_wait
from taskwire.people.permissions import People
from taskwire.queue.batch import Batch
from taskwire.queue.user_limits import limit_of_command
from taskwire.redis.decoding import CannotRead
from taskwire.slack import inbound
from taskwire.slack.inbound import SlashCommand
from taskwire.slack.manifest import SLASH_COMMAND
from taskwire.tasks.connect_by_oauth import make_offer_to_connect
from taskwire.tasks.offered_commands import OfferedCommands, find_offered, keep_offers, keep_offers_only
from taskwire.tasks.queries import Queries, Question, offer_question

# In seconds. How long a press of a button waits for the command that was offered, and how long an answer
# waits to learn whether the person may see an offered task. Slack waits three seconds in both cases.
FIND_TIMEOUT_SECONDS = 1.5
# How long the acknowledgement of a mistyped command waits for the person's older offers, in seconds.
OLDER_OFFERS_SECONDS = 0.5
# Commands that are answered at once, without a job.
AtOnce = Question | commands.OpenForm | commands.OpenSettings | commands.Connect


class Commands:
    """Handles slash commands."""

    def __init__(
        self,
        deps: Dependencies,
        people: People,
        ingress: Ingress,
        queries: Queries,
        dialogs: Dialogs,
        background: Background,
        private_answers: PrivateAnswers,
    ) -> None:
        self._deps = deps
        self._people = people
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
        refused = await self._ingress.refuse("command", typed.delivery, typed.requester)
        if refused is not None:
            await ack(refused.text)
            return
        try:
            command = commands.parse(typed.text)
        except NearMiss as near_miss:
            await ack(await self._offer(typed, near_miss))
            return
        except NameMissing as missing:
            counted = await self._count(typed)
            await ack(counted.reply)
            if counted.is_new:
                self._start(typed, self._ask_which_task(typed, missing.verb))
            return
        except UserError as error:
            await ack(answers.refusal(error).text)
            return
        await ack((await self._handle(typed, command)).reply)

    async def _offer(self, typed: SlashCommand, near_miss: NearMiss, *, is_instead: bool = False) -> str:
        """Offer the commands that the person probably meant. Return the text of the acknowledgement.

        If `is_instead`, the person has pressed a button, and the offer replaces the message that contains
        this button.
        """
        key = digest("offered", typed.delivery)
        batch = await self._keep_offers_soon(near_miss, key, typed.requester)
        result = await self._claim(typed, "", batch)
        if result.is_new:
            self._show(typed.requester, offer_commands(near_miss, key), is_instead=is_instead)
        return result.reply

    async def _keep_offers_soon(self, near_miss: NearMiss, key: str, requester: Requester) -> Batch:
        """Return a batch that stores these offers. If Redis does not answer soon, it forgets no older ones.

        The caller learns from the write that Redis does not answer.
        """
        notes = self._deps.notes
        try:
            async with asyncio.timeout(OLDER_OFFERS_SECONDS):
                return await keep_offers(notes, near_miss, key, requester)
        except (RedisError, TimeoutError):
            return keep_offers_only(notes, near_miss, key, requester)

    async def run_offered(
        self, ack: AsyncAck, requester: Requester, trigger_id: str, key: str, number: int
    ) -> None:
        """Run the command of a pressed button. The command is stored under `key` with this `number`.

        All buttons of one message have the same `key` and count as one delivery. So only the first press has
        an effect.
        """
        try:
            async with asyncio.timeout(FIND_TIMEOUT_SECONDS):
                line, kept = await find_offered(self._deps, key, number, requester.person)
            typed = SlashCommand(requester, line, trigger_id, f"offered:{key}")
            result = await self._run(typed, kept)
        except UserError as error:
            result = await self._count_refused_press(key, requester, answers.refusal(error).text)
        except (RedisError, TimeoutError):
            result = ClaimAnswer(answers.store_unreachable())
        if not (result.is_new or result.is_ignored or result.reply):
            result = await self._count_refused_press(key, requester, inputs.already_decided().text)
        await ack()
        if result.reply:
            self._show(requester, Message(text=result.reply))

    async def _count_refused_press(self, key: str, requester: Requester, why: str) -> ClaimAnswer:
        """Count a press that runs no command. Presses above the limit of questions get no answer."""
        press = f"offered:{key}:{requester.person}:{requester.at}"
        counted = await self._ingress.count_question(press, requester)
        return ClaimAnswer(why) if counted.is_new else counted

    async def _run(self, typed: SlashCommand, kept: OfferedCommands) -> ClaimAnswer:
        """Run the command that the person chose. The answer replaces the message that contains the buttons.

        If the chosen command is mistyped too, offer other commands in place of that message.
        """
        try:
            command = commands.parse(typed.text)
        except NearMiss as near_miss:
            # The offered command was wrong too: more than one word was mistyped.
            reply = await self._offer(typed, near_miss, is_instead=True)
            return ClaimAnswer(reply, is_new=not reply)
        if isinstance(command, Question):
            counted = await self._count(typed)
            if counted.is_new:
                self._start(typed, self._answer(typed, command, is_instead=True))
            return counted
        result = await self._handle(typed, command, kept)
        if result.is_new and isinstance(command, commands.Create):
            self._show(typed.requester, answers.creating_offered(command.prompt), is_instead=True)
        elif result.is_new:
            self._show(typed.requester, taken_as_command(typed.text), is_instead=True)
        return result

    async def _handle(
        self, typed: SlashCommand, command: Command, kept: OfferedCommands | None = None
    ) -> ClaimAnswer:
        """Claim the command, or start its answer or its dialog, before the command is acknowledged.

        The result contains the text of the acknowledgement. `kept` is None if the person typed the command.
        If a button offered the command, `kept` says in which channel and thread the card of a new task
        appears.
        """
        if isinstance(command, AtOnce):
            counted = await self._count(typed)
            if counted.is_new:
                self._answer_at_once(typed, command)
            return counted
        match command:
            case commands.Disconnect():
                job = Job(id=f"command:{typed.delivery}", work=DisconnectAccount(requester=typed.requester))
                batch = Batch().append(
                    account(typed.requester.person), job, score=account_score(self._ingress.now())
                )
                return await self._claim(typed, "disconnect", batch)
            case commands.Delete():
                result = await self._claim(typed, "delete", Batch())
                if result.is_new:
                    self._dialogs.open_delete(typed.requester, typed.trigger_id, command.name)
                return result
            case _:
                work = make_work(typed.requester, command)
                if isinstance(work, CreateRequested) and kept is not None:
                    requester = typed.requester.model_copy(update={"channel": kept.channel})
                    work = work.model_copy(update={"requester": requester, "thread_ts": kept.thread_ts})
                job = Job(id=f"command:{typed.delivery}", work=work)
                verb = work.verb if isinstance(work, ActRequested) else "create"
                batch = Batch().append(intake(typed.requester.person), job, score=intake_score(work))
                return await self._claim(typed, verb, batch)

    def _answer_at_once(self, typed: SlashCommand, command: AtOnce) -> None:
        match command:
            case commands.OpenForm():
                self._start(typed, self._open_form_or_offer(typed, command), is_urgent=True)
            case commands.OpenSettings():
                self._dialogs.open_settings(typed.requester, typed.trigger_id)
            case commands.Connect():
                self._start(typed, self.offer_to_connect(typed.requester))
            case _:
                self._start(typed, self._answer(typed, command))

    async def _count(self, typed: SlashCommand) -> ClaimAnswer:
        # Each press of one button that offers a question counts.
        return await self._ingress.count_question(f"{typed.delivery}:{typed.trigger_id}", typed.requester)

    def _start(self, typed: SlashCommand, work: Awaitable[None], *, is_urgent: bool = False) -> None:
        self._background.start(work, typed.requester.person, is_urgent=is_urgent)

    async def _claim(self, typed: SlashCommand, verb: str, batch: Batch) -> ClaimAnswer:
        user_limit = limit_of_command(verb, typed.requester.person, typed.requester.at)
        return await self._ingress.claim("command", typed.delivery, batch, user_limit)

    async def _open_form_or_offer(self, typed: SlashCommand, form: commands.OpenForm) -> None:
        """Open the form for a new task, unless the text looks like a command on an existing task.

        For such a text, offer the command on that task. If this offer cannot be stored, open the form after
        all, so that the person always gets an answer.
        """
        near_miss = offer_command_on_task(typed.text.strip())
        if near_miss is not None and await self._names_task(typed.requester, near_miss):
            key = digest("offered", typed.delivery)
            with contextlib.suppress(RedisError, OutsideError):
                await self._deps.queues.write(await self._keep_offers_soon(near_miss, key, typed.requester))
                self._show(typed.requester, offer_commands(near_miss, key))
                return
        self._dialogs.open_form(typed.requester, typed.trigger_id, form)

    async def _names_task(self, requester: Requester, near_miss: NearMiss) -> bool:
        """Return whether the first offer names a task that the person may see.

        Return False if this cannot be found out within 1.5 seconds.
        """
        try:
            name = getattr(commands.parse(near_miss.offers[0].line), "name", None)
            async with asyncio.timeout(FIND_TIMEOUT_SECONDS):
                return isinstance(name, TaskName) and await self._queries.is_task(requester, name)
        except (UserError, OutsideError, CannotRead, RedisError, TimeoutError):
            return False

    async def offer_to_connect(self, requester: Requester) -> None:
        """Show the person how to connect their Coder account."""
        make = partial(make_offer_to_connect, self._deps, self._people, requester)
        self._show(requester, await answer_or_explain(make, lambda explained: explained))

    async def _answer(self, typed: SlashCommand, question: Question, *, is_instead: bool = False) -> None:
        answer = partial(self._answer_or_offer, typed, question)
        said = await answer_or_explain(answer, lambda explained: explained)
        self._show(typed.requester, said, is_instead=is_instead)

    async def _answer_or_offer(self, typed: SlashCommand, question: Question) -> Message:
        """Return the answer to a command that only asks for something, such as a task's log.

        If the command's task name does not fit exactly one task, return a message with a button for each
        task that the person may mean.
        """
        try:
            return await self._queries.answer_or_wait(typed.requester, question, typed.text)
        except NotOneTask as error:
            near_miss = offer_question(question, error)
            key = digest("offered", f"{typed.delivery} {typed.text}")
            await self._deps.queues.write(
                await keep_offers(self._deps.notes, near_miss, key, typed.requester)
            )
            return offer_commands(near_miss, key)

    async def _ask_which_task(self, typed: SlashCommand, verb: Verb) -> None:
        """Offer the person's tasks for a command that names no task."""
        offer = partial(self._offer_own_tasks, typed, verb)
        answer = partial(answer_or_wait, self._deps, typed.requester, typed.text, offer)
        self._show(typed.requester, await answer_or_explain(answer, lambda explained: explained))

    async def _offer_own_tasks(self, typed: SlashCommand, verb: Verb) -> Message:
        near_miss = await self._queries.offer_own_tasks(typed.requester, verb)
        key = digest("offered", typed.delivery)
        await self._deps.queues.write(await keep_offers(self._deps.notes, near_miss, key, typed.requester))
        return offer_commands(near_miss, key)

    def _show(self, requester: Requester, message: Message, *, is_instead: bool = False) -> None:
        self._private_answers.show(PrivateAnswer(requester, message, is_instead=is_instead))
