"""Questions: list, status, logs, templates. They change nothing, skip the queue, and are answered at once."""

from math import ceil
from typing import NamedTuple

from taskwire.bridge.doors import Doors
from taskwire.bridge.excerpting import read_last
from taskwire.bridge.lookup import Lookup, Seen
from taskwire.bridge.people import People
from taskwire.bridge.sightings import as_it_stands, observation_of
from taskwire.coder.errors import NotFound
from taskwire.coder.models import Task
from taskwire.model.changes import Observed, at_first_sight
from taskwire.model.commands import Help, List, ListFilter, Logs, SlackPerson, Status, Templates
from taskwire.model.errors import OutsideError, UserError
from taskwire.model.ids import ChannelId, Ts, UserId, microseconds, to_ms
from taskwire.model.jobs import Asker
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import Phase
from taskwire.slack.calls import Method
from taskwire.telemetry import logger
from taskwire.words import answers, cards, listing, refusals

_log = logger("taskwire.ask")
Question = List | Status | Logs | Templates | Help


class Shown(NamedTuple):
    """A task as it is shown: what was seen of it, and its link or what stands for one."""

    seen: Seen
    link: Link

    def needs(self, account: str) -> bool:
        """Whether it waits for this person."""
        waits = self.link.story.phase in (Phase.NEEDS_YOU, Phase.BROKEN)
        return waits and self.seen.task.owner_id == account

    def fits(self, wanted: ListFilter, account: str) -> bool:
        """Whether the filter lets it through."""
        match wanted:
            case ListFilter.ALL:
                return True
            case ListFilter.MINE:
                return self.seen.task.owner_id == account
            case ListFilter.NEEDS_ME:
                return self.needs(account)
            case _:
                return wanted.value in (self.link.story.phase, self.seen.task.status_word)

    def order(self, account: str) -> tuple[bool, int, int]:
        """Those that need this person first, then by what they do, the newest first."""
        made_ms = to_ms(self.seen.task.created_at)
        return (not self.needs(account), listing.rank(self.link.story.phase), -made_ms)


class Answerer:
    """Answers questions."""

    def __init__(self, doors: Doors, people: People, lookup: Lookup) -> None:
        self._doors = doors
        self._people = people
        self._lookup = lookup

    async def answer(self, asker: Asker, question: Question) -> Message:
        """The answer; raises UserError where there is none to give."""
        match question:
            case Help():
                return listing.manual(question.verb)
            case List():
                return await self._list(asker, question)
            case Status():
                return await self._status(asker, question)
            case Logs():
                return await self._logs(asker, question)
            case Templates():
                return await self._templates(asker)

    async def _list(self, asker: Asker, question: List) -> Message:
        seen = await self._lookup.list_seen(asker.person, asker.channel)
        account = await self._lookup.account_of(asker.person)
        mine = account.id if account else ""
        owner = await self._owner(question)
        now_ms = microseconds(asker.at) // 1000
        shown = [
            Shown(each, self._link_of(each, now_ms))
            for each in seen
            if owner is None or each.task.owner_name.lower() == owner
        ]
        shown = [each for each in shown if each.fits(question.filter, mine)]
        shown.sort(key=lambda each: each.order(mine))
        pages = max(1, ceil(len(shown) / listing.PAGE))
        page = min(max(question.page, 1), pages)
        lines = [
            listing.TaskLine(link=each.link, permalink=await self._place(each.seen))
            for each in shown[(page - 1) * listing.PAGE : page * listing.PAGE]
        ]
        words = [question.filter.value] if question.filter is not ListFilter.ALL else []
        words += [f"owner={owner}"] if owner else []
        return listing.task_list(
            lines, coder_url=self._doors.coder_url, page=page, pages=pages, filtered=" ".join(words)
        )

    async def _owner(self, question: List) -> str | None:
        if not isinstance(question.owner, SlackPerson):
            return question.owner.lower() if question.owner else None
        try:
            account = await self._people.get_account(UserId(question.owner.id))
        except UserError:
            # Why is for that person to know.
            raise UserError(*refusals.whose_account(question.owner.id)) from None
        return account.username.lower()

    async def _place(self, seen: Seen) -> str:
        """The address of the task's thread; nothing where Slack does not tell it."""
        if seen.link is None or seen.link.bond.thread_ts is None:
            return ""
        try:
            return await self._permalink(seen.link.bond.channel, seen.link.bond.thread_ts)
        except OutsideError as error:
            _log.info("no permalink", link=seen.link.id, error=str(error))
            return ""

    async def _permalink(self, channel: ChannelId, ts: Ts) -> str:
        known = await self._doors.memory.find("permalink", channel, ts)
        if known is None:
            known = await self._doors.slack.get_permalink(channel, ts)
            await self._doors.memory.keep(known, "permalink", channel, ts, ttl_ms=86_400_000)
        return known

    async def _status(self, asker: Asker, question: Status) -> Message:
        seen = await self._lookup.get(asker.person, asker.channel, question.name)
        fresh = Seen(await self._fresh(seen.task), seen.link)
        link = self._link_of(fresh, microseconds(asker.at) // 1000)
        return cards.status(link, coder_url=self._doors.coder_url, permalink=await self._place(seen))

    async def _fresh(self, task: Task) -> Task:
        try:
            return await self._doors.coder.get_task(task.id)
        except NotFound:
            raise UserError(*refusals.task_is_gone(task.title)) from None

    async def _logs(self, asker: Asker, question: Logs) -> Message:
        task = (await self._lookup.get(asker.person, asker.channel, question.name)).task
        told = await read_last(self._doors, task.id, task.title)
        if not question.full:
            return answers.logs(task.title, told.text, is_cut=told.is_cut)
        if not told.whole:
            raise UserError(*refusals.no_log_yet(task.title))
        channel = await self._doors.slack.open_direct(asker.person)
        file_id = await self._doors.slack.start_upload(f"{task.name}.log", told.whole)
        await self._doors.slack.make_room(Method.COMPLETE_UPLOAD)
        await self._doors.slack.complete_upload(file_id, f"Log of {task.title}", channel)
        return answers.log_sent(task.title)

    def _link_of(self, each: Seen, now_ms: int) -> Link:
        """The link as it stands now; for a task without a thread, one made up of what Coder shows of it."""
        seen = Observed(seen=observation_of(each.task))
        if each.link is None:
            return cards.unlinked(seen.seen, at_first_sight(seen, self._doors.rules, now_ms))
        return as_it_stands(each.link, seen, self._doors.rules, now_ms)

    async def _templates(self, asker: Asker) -> Message:
        await self._people.get_account(asker.person)
        lines = []
        for template in await self._doors.coder.list_templates():
            presets = await self._doors.coder.list_presets(template.active_version_id)
            lines.append(
                listing.TemplateLine(
                    name=template.name,
                    title=template.title,
                    description=template.description,
                    organization=template.organization_name,
                    presets=tuple(preset.name for preset in presets),
                    default_preset=next((preset.name for preset in presets if preset.is_default), ""),
                )
            )
        return listing.templates(lines)
