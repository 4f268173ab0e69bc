"""Answers presses of the card's buttons that change nothing.

These buttons show the agent's question, the page of the task, the request for another task like this one, or
with whom the task is shared.
"""

import asyncio
import contextlib
from collections.abc import Collection
from typing import NamedTuple

from taskwire.agent.input import LONGEST_INPUT
from taskwire.agent.log import read_last_output
from taskwire.agent.observing import LONGEST_PROMPT
from taskwire.coder.errors import NotFound, PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import LinkId, TaskId, UserId
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.masking.secret_patterns import MASK
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.domain.parsing.commands import OpenForm
from taskwire.domain.requester import Requester
from taskwire.domain.text.agent_text import sanitize_for_agent
from taskwire.domain.text.thread_context import remove_context
from taskwire.messages import cards, refusals
from taskwire.messages.missing_rights import RefusedAct
from taskwire.outbox.questions import CHOICES, PostedQuestion, find_open
from taskwire.outbox.waiting_requests import AccountProblem, start_renewal
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.people.shares import Shares
from taskwire.redis.decoding import CannotRead
from taskwire.tasks.lookup import Lookup, VisibleTask, bare_record

# In seconds. If it takes longer to read the agent's output, the dialog for an answer opens without that
# output.
QUESTION_TIMEOUT_SECONDS = 3.0
# In seconds. How long a submission waits for the check of the chosen people. Slack waits three seconds.
CHECK_TIMEOUT_SECONDS = 1.5


class OpenQuestion(NamedTuple):
    """An agent's question.

    `written` is the agent's last answer. `posted` is the notice that offers its choices.
    """

    link: Link
    written: str
    posted: PostedQuestion | None = None


class LikeRequest(NamedTuple):
    """The values of the form for another task like this one.

    `is_masked` says whether masks in the form's prompt stand for secrets.
    """

    form: OpenForm
    is_masked: bool


class CardQuestions:
    """Answers presses of the card's buttons that change nothing."""

    def __init__(self, deps: Dependencies, people: People, lookup: Lookup) -> None:
        self._deps = deps
        self._people = people
        self._lookup = lookup
        self._shares = Shares(deps, people)

    async def start_renewal(self, error: AccountProblem) -> bool:
        """Return whether the account that a dialog needs gets another token without its person."""
        return await start_renewal(self._deps, error)

    async def find_question(self, requester: Requester, link_id: LinkId) -> OpenQuestion:
        """Return the agent's latest output and its choices.

        If the log cannot be read, return the agent's report.

        Raise UserError for a person who may not answer.
        """
        link = await self._find_open_link(requester, link_id)
        # While Coder does not answer, the right is checked later, when the person sends an answer.
        error = await self._find_trouble("send", requester, link)
        report = link.state.current_report
        written = report.message if report is not None else ""
        with contextlib.suppress(TimeoutError, OutsideError, UserError):
            if error is not None:
                raise error
            async with asyncio.timeout(QUESTION_TIMEOUT_SECONDS):
                coder = await self._people.accounts.get_client(requester.person, link.record.owner_id, link)
                written = (await read_last_output(self._deps, coder, link)).output.answer or written
        return OpenQuestion(link, written, await find_open(self._deps, link, CHOICES))

    async def _find_trouble(self, verb: RefusedAct, requester: Requester, link: Link) -> OutsideError | None:
        """Return None if the person may do `verb`, and the error if Coder or Slack does not tell now.

        Raise UserError if the person may not, or if they had no usable account when Coder was last asked.
        """
        try:
            await self._people.require_right_to(verb, requester, link, needs_coder=False)
        except (AccountNeeded, PersonTokenRefused):
            raise
        except OutsideError as error:
            await self._people.accounts.suspensions.require_account_before(
                requester.person, is_admin=await self._is_admin(requester.person)
            )
            return error
        return None

    async def _is_admin(self, person: UserId) -> bool:
        return self._people.accounts.has_service and await self._people.is_admin(person)

    async def find_page(self, requester: Requester, link_id: LinkId) -> tuple[Link, str]:
        """Return the link, and the URL of the task's page in Coder.

        Raise UserError for a person without an account in Coder, such as a guest.
        """
        link = await self._find_open_link(requester, link_id)
        await self._people.require_account(requester.person)
        return link, cards.get_page_url(link, self._deps.coder_url)

    async def find_request(self, requester: Requester, link_id: LinkId) -> LikeRequest:
        """Return the values of the form for another task like this one.

        In the prompt, secrets are masked unless the person may read them.
        """
        link = await self._lookup.find_link(requester, link_id)
        record, whole = link.record, await self._get_whole_prompt(requester.person, link)
        shown = await self._show_prompt(requester.person, link, whole)
        return LikeRequest(
            OpenForm(shown, template=record.template or None, preset=record.preset), is_masked=shown != whole
        )

    async def _get_whole_prompt(self, person: UserId, link: Link) -> str:
        """Return the task's prompt, without the messages of the thread that the agent got with it.

        Once the task exists, the link's record has only the beginning of the prompt; that of an attached task
        also has masks. Then the prompt comes from Coder. Raises UserError if Coder does not show the task,
        and OutsideError if Coder does not answer: a part of the prompt would look like all of it. Raises
        UserError if the link has ended: the task may have a new prompt, which was written in another channel.
        """
        record = link.record
        if record.task_id is None or (MASK not in record.prompt and len(record.prompt) < LONGEST_PROMPT):
            return remove_context(record.prompt)
        if link.end_reason is not None:
            raise UserError(*refusals.link_ended(link))
        coder = await self._people.accounts.get_client(person, record.owner_id, link)
        try:
            prompt = sanitize_for_agent((await coder.get_task(record.task_id)).initial_prompt)
        except NotFound:
            # Coder may also hide another person's task from this person's own account.
            raise UserError(*refusals.no_such_id()) from None
        # Also for a task that was attached or moved: its record does not say whether there are such messages.
        return remove_context(prompt)

    async def show_prompt(self, requester: Requester, seen: VisibleTask) -> str:
        """Return a task's prompt for the dialog in which the person edits the prompt.

        Secrets are masked, unless the person is the owner or an administrator.
        """
        link = seen.link or Link(record=bare_record(seen.task, requester, self._deps.mask))
        return await self._show_prompt(requester.person, link, seen.task.initial_prompt)

    async def _show_prompt(self, person: UserId, link: Link, prompt: str) -> str:
        """Return a whole prompt, with masks unless the person is the owner or an administrator."""
        if await self._people.can_read_prompt(person, link):
            return prompt
        return await asyncio.to_thread(mask_beginning, self._deps.mask, prompt, LONGEST_INPUT)

    async def find_sharing(self, requester: Requester, link_id: LinkId) -> tuple[Link, dict[str, str]]:
        """Return the link, and the names of the workspace's user groups.

        Raise UserError for a person who may not share the task.
        """
        link = await self._find_open_link(requester, link_id)
        error = await self._find_trouble("share", requester, link)
        # While Coder does not answer, the right is checked only when the person acts.
        person = requester.person
        connected_id = await self._people.accounts.find_known_id(person)
        is_owner = link.record.is_stored_owner(person, connected_id)
        if error is not None and not is_owner and not await self._is_admin(person):
            raise error
        return link, await self._people.directory.list_group_names()

    async def find_wrong_share(self, person: UserId, task_id: TaskId, who: Collection[str]) -> str:
        """Return why a task is not shared with the people who were chosen in the dialog.

        The text is empty if nothing is wrong with them, if the person who asks may not share the task, or if
        Slack or Coder does not answer in time. The job checks all that again. Raises RedisError.
        """
        with contextlib.suppress(TimeoutError, OutsideError, UserError, CannotRead):
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                link = await self._deps.links.find_by_task(task_id)
                if link is not None and await self._people.can_manage(person, link):
                    return await self._shares.find_refusal(person, link, who)
        return ""

    async def _find_open_link(self, requester: Requester, link_id: LinkId) -> Link:
        """Return the link of an existing task that the person may see."""
        link = await self._lookup.find_link(requester, link_id)
        if link.end_reason is not None:
            raise UserError(*refusals.link_ended(link))
        if link.record.task_id is None:
            raise UserError(*refusals.task_not_created_yet(link))
        return link
