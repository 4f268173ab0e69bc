"""Shows a preview of a task below a link to the task that a person has posted.

The preview is the card's summary.

Everybody in the conversation can read a preview. So a preview is shown only if the task's thread is in the
conversation, or if the task's owner has posted the link. No preview is shown where another company can read
it, unless the settings allow that. A preview is not updated. It is not durable: if the process dies, the link
stays without a preview.
"""

from taskwire.agent.observing import observation_of, with_observation
from taskwire.coder.errors import PersonTokenRefused
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, UserError
from taskwire.domain.ids import microseconds
from taskwire.domain.lifecycle.events import Observed
from taskwire.domain.lifecycle.transitions import initial_state
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.messages import cards
from taskwire.outbox.permalinks import find_permalink
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.permissions import People
from taskwire.slack.shared_links import SharedLinks
from taskwire.tasks.lookup import Lookup, VisibleTask
from taskwire.telemetry import logger

# Only this many links of a message get a preview: the first ones.
MOST_PREVIEWS = 3

_log = logger("taskwire.tasks.link_previews")


class LinkPreviews:
    """Makes previews of tasks, below links that people have posted."""

    def __init__(self, deps: Dependencies, people: People, lookup: Lookup) -> None:
        self._deps = deps
        self._people = people
        self._lookup = lookup

    def has_task(self, shared: SharedLinks) -> bool:
        """Whether one of the links leads to this deployment's Coder."""
        return bool(self._list_task_urls(shared))

    async def show(self, shared: SharedLinks) -> None:
        """Show a preview of each task that the conversation may see.

        Errors of Slack and Coder are only logged.
        """
        requester = Requester(person=shared.person, channel=shared.channel, at=shared.at)
        previews: dict[str, Message] = {}
        try:
            for url in self._list_task_urls(shared):
                preview = await self._find_preview(requester, url)
                if preview is not None:
                    previews[url] = preview
            if previews:
                await self._deps.slack.unfurl(shared.channel, shared.message_ts, previews)
        except OutsideError as error:
            _log.info("link not previewed, message left as it is", channel=shared.channel, error=str(error))

    def _list_task_urls(self, shared: SharedLinks) -> list[str]:
        begins = f"{self._deps.coder_url}/".lower()
        return [url for url in dict.fromkeys(shared.urls) if url.lower().startswith(begins)][:MOST_PREVIEWS]

    async def _find_preview(self, requester: Requester, url: str) -> Message | None:
        """Return the preview of a task; None if the task does not exist or may not be seen here."""
        try:
            name = TaskName.parse(url)
            # The bot does not see this channel, so it does not know who can read the channel.
            if not name.host or await self._people.directory.find_channel(requester.channel) is None:
                return None
            await self._people.places.require_place(requester, "attached")
            seen = await self._lookup.get(requester, name)
            is_here = seen.link is not None and seen.link.record.channel == requester.channel
            if not is_here and (await self._people.get_account(requester.person)).id != seen.task.owner_id:
                return None
        except (UserError, AccountNeeded, PersonTokenRefused):
            return None
        return await self._make(requester, seen, is_here=is_here)

    async def _make(self, requester: Requester, seen: VisibleTask, *, is_here: bool) -> Message:
        found, rules = Observed(observation=observation_of(seen.task, self._deps.mask)), self._deps.rules
        now_ms = microseconds(requester.at) // 1000
        link = (
            with_observation(seen.link, found, rules, now_ms)
            if seen.link is not None
            else cards.make_unlinked(found.observation, initial_state(found, rules, now_ms))
        )
        permalink = await find_permalink(self._deps, seen.link.record) if seen.link is not None else ""
        return cards.preview(
            link,
            coder_url=self._deps.coder_url,
            forges=self._deps.forges,
            permalink=permalink,
            attachable="" if is_here else seen.task.id,
        )
