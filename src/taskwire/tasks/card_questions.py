"""Answers presses of the card's buttons that change nothing: what the agent asks, and more menu entries."""

import asyncio
import contextlib

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import LinkId
from taskwire.domain.links import Link, Rights
from taskwire.domain.message import Message
from taskwire.domain.requester import Requester
from taskwire.messages import card_controls, cards, refusals
from taskwire.outbox.agent_log import read_last_output
from taskwire.people.permissions import People
from taskwire.tasks.lookup import Lookup

# In seconds. If reading the agent's words takes longer, the dialog for an answer opens without them.
QUESTION_TIMEOUT_SECONDS = 3.0


class CardQuestions:
    """Answers presses of the card's buttons that change nothing."""

    def __init__(self, deps: Dependencies, people: People, lookup: Lookup) -> None:
        self._deps = deps
        self._people = people
        self._lookup = lookup

    async def find_question(self, requester: Requester, link_id: LinkId) -> tuple[Link, str]:
        """Return the link, and what its agent wrote last; or its report if the log cannot be read.

        Raise UserError for a person who may not answer.
        """
        link = await self._find_open_link(requester, link_id)
        # While Coder does not answer, the right is checked later, when the person sends an answer.
        with contextlib.suppress(OutsideError):
            await self._people.require_steering_rights(requester, link, needs_coder=False)
        report = link.state.current_report
        written = report.message if report is not None else ""
        with contextlib.suppress(TimeoutError, OutsideError, UserError):
            async with asyncio.timeout(QUESTION_TIMEOUT_SECONDS):
                coder = await self._people.accounts.get_client(requester.person)
                written = (await read_last_output(self._deps, coder, link)).output.answer or written
        return link, written

    async def show_more(self, requester: Requester, link_id: LinkId) -> Message:
        """Return buttons for the entries that the menu of the card has no place for."""
        link = await self._find_open_link(requester, link_id)
        place = card_controls.Place(cards.get_page_url(link, self._deps.coder_url), self._deps.coder_url)
        rights = Rights.MANAGE
        with contextlib.suppress(OutsideError):
            rights = await self._people.get_rights(requester.person, link, needs_coder=False)
        shown = card_controls.more(link, place, rights=rights)
        if shown is None:
            raise UserError(*refusals.not_owner(link))
        return shown

    async def _find_open_link(self, requester: Requester, link_id: LinkId) -> Link:
        """Return the link of an existing task that the person may see."""
        link = await self._lookup.find_link(requester, link_id)
        if link.end_reason is not None:
            raise UserError(*refusals.link_ended(link))
        if link.record.task_id is None:
            raise UserError(*refusals.task_not_created_yet(link))
        return link
