"""Shows a person what a task's agent wrote: its last output, its whole log, or the steps before an answer."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from taskwire.agent.log import read_full_log, read_last_output
from taskwire.coder.agent_places import AgentPlaces
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import UserError
from taskwire.domain.ids import LinkId, microseconds, moment_of
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.parsing.commands import Logs
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.messages import logs, refusals
from taskwire.messages.shapes import typed_verb
from taskwire.outbox.posting import find_file_url
from taskwire.people.permissions import People
from taskwire.people.places import PRESENCE_WINDOW
from taskwire.slack.call_priorities import retry_until_capacity
from taskwire.slack.calls import Method
from taskwire.state.retention import STEPS
from taskwire.tasks.lookup import Lookup, make_displayed_link

T = TypeVar("T")
Check = Callable[[], Awaitable[None]]


class LogQueries:
    """Answers questions about what an agent wrote.

    An answer may wait for one of the places of the task's agent, and a file for Slack. After a wait, the
    person's right is checked again.
    """

    def __init__(self, deps: Dependencies, people: People, lookup: Lookup) -> None:
        self._deps = deps
        self._people = people
        self._lookup = lookup
        self._agent_places = AgentPlaces()

    async def show(self, requester: Requester, question: Logs) -> Message:
        """Return the agent's last output, or send the whole log as a file. Raise UserError for neither."""
        seen = await self._lookup.get(requester, question.name)
        task = seen.task
        coder = await self._people.accounts.get_client(requester.person, task.owner_id, seen.link)
        link = make_displayed_link(self._deps, seen, microseconds(requester.at) // 1000)
        check = partial(self._require_still, requester, question, task.id)
        if not question.full:
            last = await self._ask_agent(requester, link, partial(read_last_output, self._deps, coder, link))
            await check()
            is_in_thread = requester.is_in(link.record.thread)
            return logs.last_output(
                task.title,
                last.output,
                last.snapshot_at,
                is_snapshot=last.is_snapshot,
                whole=typed_verb("logs", link, "full", is_in_thread=is_in_thread),
            )
        log = await self._ask_agent(requester, link, partial(read_full_log, coder, link))
        if not log.text:
            raise UserError(*refusals.log_empty(task.title))
        answer = logs.log_sent(task.title, log.snapshot_at, is_snapshot=log.is_snapshot)
        file = (f"{task.name}.log", f"Log of {task.title}", log.text)
        return await self.send_file(requester, file, answer, check)

    async def _require_still(self, requester: Requester, question: Logs, task_id: str) -> None:
        """Raise UserError if the person may not see the task any more. Check this after ten seconds."""
        if self._deps.slack.now() - moment_of(requester.at) < PRESENCE_WINDOW:
            return
        if (await self._lookup.get(requester, question.name)).task.id != task_id:
            # The name means another task by now.
            raise UserError(*refusals.no_such_id(), reason="no_such_task")

    async def _ask_agent(self, requester: Requester, link: Link, ask: Callable[[], Awaitable[T]]) -> T:
        """Make a call to the task's agent, with one of the places for such calls (`coder/agent_places.py`).

        Without a place, a private answer waits, and holds up no other answer meanwhile. Questions of other
        people take no places of the owner's questions.
        """
        record = link.record
        whose = record.owner_id if record.is_owned_by(requester.person) else f"others about {record.owner_id}"
        with self._agent_places.of_private_answer(whose):
            return await retry_until_capacity(ask)

    async def show_steps(self, requester: Requester, link_id: LinkId, key: str) -> Message:
        """Return the steps that an agent took before an answer.

        If the steps are too long for a message, show the last ones, and send all of them as a file.
        """
        await self._people.require_account(requester.person, needs_coder=False)
        link = await self._lookup.find_link(requester, link_id)
        steps = await self._deps.notes.find(STEPS, link.id, key)
        if steps is None:
            raise UserError(*refusals.steps_too_old())
        if len(steps) <= logs.LONGEST_SHOWN_STEPS:
            return logs.steps(link.title, steps)
        file = (f"{link.record.name}-steps.txt", f"Steps of {link.title}", steps)

        async def check() -> None:
            await self._lookup.find_link(requester, link_id)

        return await self.send_file(requester, file, logs.steps_sent(link.title, steps), check)

    async def send_file(
        self, requester: Requester, file: tuple[str, str, str], answer: Message, check: Check | None = None
    ) -> Message:
        """Send a text as a file in direct messages. Return the answer with a button that opens the file.

        `file` is its name, its title and the text. `check` raises UserError if the person may not read it any
        more, after the file has waited for Slack.
        """
        name, title, text = file
        channel = await self._deps.slack.open_direct(requester.person)
        file_id = await self._deps.slack.files.start_upload(name, text)
        await self._deps.slack.reserve(Method.COMPLETE_UPLOAD)
        if check is not None:
            await check()
        await self._deps.slack.files.complete_upload(file_id, title, channel)
        return logs.add_file_button(answer, await find_file_url(self._deps, file_id))
