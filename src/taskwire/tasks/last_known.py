"""Answers `/task`, `list` and `status` while Coder does not answer: from Redis, with the age of the answer.
It also finds the task whose share ends meanwhile.

Without Coder, it is not known who owns which task. A person sees tasks that the person started, and tasks
whose thread is in the conversation where the person asks. Administrators see all tasks. With
TASKWIRE_ACCOUNTS=personal, Coder decides which tasks an administrator sees, so this exception does not apply.
Tasks without a thread are not known. A person whose account Coder had suspended before sees nothing.

The answers are the same while Coder answers but its list of tasks is too long to be read. Then Coder says who
owns a task.
"""

import contextlib
from math import ceil
from typing import NamedTuple

from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError
from taskwire.domain.ids import ChannelId, LinkId, UserId, microseconds
from taskwire.domain.lifecycle.links import Link, Rights
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.parsing.commands import List, Overview, SlackPerson, Status
from taskwire.domain.parsing.grammar import ListFilter
from taskwire.domain.parsing.task_names import TaskName, take_words
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.domain.text.mrkdwn import fold_words
from taskwire.messages import cards, outages, shapes, task_lists
from taskwire.messages.teammates import AskedLine
from taskwire.outbox.coder_health import CoderOutage, find_outage
from taskwire.outbox.permalinks import find_permalink
from taskwire.outbox.waiting_creates import list_creates_in_list, list_waiting_creates
from taskwire.people.permissions import People
from taskwire.single_flight import SingleFlight
from taskwire.tasks.matching import count_words_of_titles
from taskwire.waiting_replies.offered import list_asked


class _Viewer(NamedTuple):
    """The person who asks, and the conversation where the person asks."""

    person: UserId
    channel: ChannelId
    is_admin: bool
    shared: frozenset[LinkId]
    # The id of the person's account in Coder, empty if they have none; None if Coder does not answer.
    account_id: str | None = None
    # The id of the Coder user that the person has connected, if any.
    connected_id: str | None = None

    def can_see(self, link: Link) -> bool:
        """Return whether the person may see the task."""
        return self.get_rights(link) > Rights.SEE or link.record.channel == self.channel

    def get_rights(self, link: Link) -> Rights:
        """Return what the person may do with the task."""
        if self.is_admin or self.owns(link):
            return Rights.MANAGE
        return Rights.STEER if link.id in self.shared else Rights.SEE

    def owns(self, link: Link) -> bool:
        """Return whether the person owns the task.

        If Coder does not answer, this is the task's stored owner, unless they have connected another user.
        """
        if self.account_id is None:
            return link.record.is_stored_owner(self.person, self.connected_id)
        return link.record.is_owned_by(self.person, self.account_id)

    def wants(self, link: Link, question: List, now_ms: int) -> bool:
        """Return whether the list that the person requested includes the task."""
        record, owner = link.record, question.owner
        if isinstance(owner, SlackPerson) and record.owner_slack != owner.id:
            return False
        if isinstance(owner, str) and record.owner_name.lower() != owner.lower():
            return False
        match question.filter:
            case ListFilter.ALL:
                return True
            case ListFilter.MINE:
                return self.owns(link) or link.id in self.shared
            case ListFilter.NEEDS_ME:
                return self.owns(link) and task_lists.needs_owner(link, now_ms)
            case ListFilter.FAILED:
                return link.state.phase in (Phase.FAILED, Phase.BROKEN)
            case _:
                return question.filter.value in (link.state.phase, link.state.status)


class LastKnown:
    """Answers questions about tasks from Redis."""

    def __init__(self, deps: Dependencies, people: People) -> None:
        self._deps = deps
        self._people = people
        # People who ask at the same time share one reading of all links.
        self._links = SingleFlight(self._read_links)
        self._hosts = task_lists.Hosts(deps.coder_url, deps.forges)

    async def answer(
        self, requester: Requester, question: Overview | List | Status, *, is_list_too_long: bool = False
    ) -> Message | None:
        """Return the answer; None if Redis has no task that this person may see.

        With `is_list_too_long`, Coder answers, but its list of tasks is too long to be read. Then a list may
        be empty, because it says which tasks it would have.
        """
        viewer = await self._get_viewer(requester, is_coder_there=is_list_too_long)
        links = [link for link in await self._links.get() if await self._is_visible(viewer, link)]
        links.sort(key=lambda link: task_lists.get_order(link, is_own=viewer.owns(link)))
        if isinstance(question, Overview):
            return await self._show_overview(requester, viewer, links)
        if isinstance(question, List):
            return await self._list_tasks(requester, viewer, question, links)
        found = _find_named(links, question.name)
        if found is None:
            return None
        return await self.show_status(requester, found, is_elsewhere=True, is_coder_there=is_list_too_long)

    async def find_managed(self, requester: Requester, name: TaskName, text: str) -> tuple[Link, str] | None:
        """Return the open link of a task that the person owns, or manages as an administrator, and TEXT.

        See `_find_managed`.
        """
        return await self._find_managed(requester, name, text, await self._links.get())

    async def find_gone(self, requester: Requester, name: TaskName, text: str) -> tuple[Link, str] | None:
        """Do what `find_managed` does for a task that is missing in Coder and whose shares would come back
        with it."""
        return await self._find_managed(requester, name, text, await self._deps.links.list_gone_shared())

    async def _find_managed(
        self, requester: Requester, name: TaskName, text: str, candidates: list[Link]
    ) -> tuple[Link, str] | None:
        """Return the link of `candidates` that the person means, if they manage its task, and TEXT.

        `name` is the first word after the verb, and `text` is what follows it. Return None unless exactly one
        task fits. If there is a text, NAME must be the whole name or title. Return None too if a title of the
        person's own fits, and also a longer title of another person's task.
        """
        viewer = await self._get_viewer(requester, needs_account=False)
        links = [link for link in candidates if viewer.get_rights(link) is Rights.MANAGE]
        own = [link for link in links if viewer.owns(link)]
        rest, is_word = text, not (name.id or name.owner or name.title)
        if text and is_word and _find_named(own, name, is_exact=True) is None:
            counts = await count_words_of_titles(((link.id, link.title) for link in links), name, text)
            own_count = max((counts[link.id] for link in own), default=0)
            count = max(counts.values(), default=0)
            if own_count and (count > own_count or count == 1):
                return None
            if own_count or _find_named(links, name, is_exact=True) is None:
                name, rest = take_words(count, name, text)
        is_exact = bool(text)
        found = _find_named(own, name, is_exact=is_exact) or _find_named(links, name, is_exact=is_exact)
        return (found, rest) if found is not None else None

    async def show_status(
        self, requester: Requester, link: Link, *, is_elsewhere: bool = False, is_coder_there: bool = False
    ) -> Message:
        """Return the card of a task, in its last known state. With `is_elsewhere`, the card links to the
        task's thread. Unless Coder answers (`is_coder_there`), the card says since when it does not."""
        viewer = await self._get_viewer(requester, is_coder_there=is_coder_there)
        outage = await self._find_outage(requester)
        return cards.status_card(
            link,
            coder_url=self._deps.coder_url,
            forges=self._deps.forges,
            permalink=await self._find_permalink(link) if is_elsewhere else "",
            rights=link.get_shown_rights(viewer.person, viewer.get_rights(link)),
            unreachable_since_ms=None if is_coder_there else outage.since_ms,
            silence=outage.why,
            is_open=await self._people.is_open_to_channel(link),
        )

    async def _list_tasks(
        self, requester: Requester, viewer: _Viewer, question: List, links: list[Link]
    ) -> Message | None:
        waits = await list_creates_in_list(self._deps, viewer.person, question, question.page)
        if not links and not waits and viewer.account_id is None:
            return None
        now_ms = microseconds(requester.at) // 1000
        shown = [link for link in links if viewer.wants(link, question, now_ms)]
        pages = max(1, ceil(len(shown) / task_lists.TASKS_PER_PAGE))
        page = min(max(question.page, 1), pages)
        here = shown[(page - 1) * task_lists.TASKS_PER_PAGE : page * task_lists.TASKS_PER_PAGE]
        words = question.filter.value if question.filter is not ListFilter.ALL else ""
        lines = await self._make_lines(viewer, here)
        is_for_me = question.filter is ListFilter.NEEDS_ME and page == 1
        asked = await self._list_asked(viewer) if is_for_me else []
        made = task_lists.task_list(
            lines, self._hosts, page=page, pages=pages, filtered=words, asked=asked, waits=waits
        )
        return await self._add_note(requester, viewer, made)

    async def _show_overview(
        self, requester: Requester, viewer: _Viewer, links: list[Link]
    ) -> Message | None:
        own = [link for link in links if viewer.owns(link)]
        shared = [link for link in links if link.id in viewer.shared and not viewer.owns(link)]
        creates = await list_waiting_creates(self._deps, viewer.person)
        if not (own or shared or creates.running) and viewer.account_id is None:
            return None
        now_ms = microseconds(requester.at) // 1000
        needing = [link for link in own if task_lists.needs_owner(link, now_ms)]
        running = [link for link in (*own, *shared) if task_lists.is_running(link, now_ms)]
        made = task_lists.overview(
            await self._make_lines(viewer, needing),
            await self._make_lines(viewer, running),
            self._hosts,
            await self._list_asked(viewer),
            creates,
        )
        return await self._add_note(requester, viewer, made)

    async def _list_asked(self, viewer: _Viewer) -> list[AskedLine]:
        return await list_asked(self._deps, viewer.person, viewer.owns)

    async def _make_lines(self, viewer: _Viewer, links: list[Link]) -> list[task_lists.TaskLine]:
        """Return a line for each of these tasks.

        The first lines, as many as fit into one message, have the URL of the task's thread. The others have
        none.
        """
        return [
            task_lists.TaskLine(
                link,
                await self._find_permalink(link) if number < task_lists.TASKS_PER_PAGE else "",
                is_own=viewer.owns(link),
            )
            for number, link in enumerate(links)
        ]

    async def _is_visible(self, viewer: _Viewer, link: Link) -> bool:
        """Return whether the person may see the task. A thread that may be about to end shows nothing."""
        if viewer.get_rights(link) > Rights.SEE or not viewer.can_see(link):
            return viewer.can_see(link)
        return not await self._people.may_be_out_of_reach(link)

    async def _add_note(self, requester: Requester, viewer: _Viewer, message: Message) -> Message:
        """Add to the top of the message since when Coder has not answered, or that its list is too long."""
        if viewer.account_id is not None:
            return shapes.with_note(message, outages.long_list_note())
        outage = await self._find_outage(requester)
        return shapes.with_note(message, outages.outage_note(outage.since_ms, outage.why))

    async def _read_links(self) -> list[Link]:
        found = await self._deps.links.list_links((await self._deps.links.list_open()).values())
        return list(found.values())

    async def _get_viewer(
        self, requester: Requester, *, is_coder_there: bool = False, needs_account: bool = True
    ) -> _Viewer:
        await self._people.get_profile(requester.person)
        accounts = self._people.accounts
        is_admin = self._deps.has_service_account and await self._people.is_admin(requester.person)
        if needs_account:
            await accounts.suspensions.require_account_before(requester.person, is_admin=is_admin)
        else:
            await accounts.suspensions.require_not_suspended_before(requester.person)
        account = await self._people.find_account(requester.person) if is_coder_there else None
        return _Viewer(
            requester.person,
            await self._people.places.find_conversation(requester),
            is_admin,
            await self._people.list_shared_links(requester.person),
            (account.id if account else "") if is_coder_there else None,
            await accounts.find_known_id(requester.person),
        )

    async def _find_outage(self, requester: Requester) -> CoderOutage:
        """Return the present outage of Coder. If no poll has failed yet, return an outage that begins now."""
        outage = await find_outage(self._deps)
        return outage or CoderOutage(since_ms=microseconds(requester.at) // 1000)

    async def _find_permalink(self, link: Link) -> str:
        with contextlib.suppress(OutsideError):
            return await find_permalink(self._deps, link.record)
        return ""


def _find_named(links: list[Link], name: TaskName, *, is_exact: bool = False) -> Link | None:
    """Return the only link of this name or title.

    If there is none, return the only link whose name or title begins with these words, unless `is_exact`.
    """
    if name.id:
        return next((link for link in links if link.record.task_id == name.id), None)
    owned = [link for link in links if not name.owner or link.record.owner_name.lower() == name.owner]
    words = fold_words(name.title)
    named = {link.id: fold_words(link.title) if words else link.record.name.lower() for link in owned}
    exact = [link for link in owned if named[link.id] == (words or name.name)]
    longer = [link for link in owned if named[link.id].startswith(words or name.name)]
    found = exact or ([] if is_exact else longer)
    return found[0] if len(found) == 1 else None
