"""Questions: list, status, logs, templates. They change nothing, skip the queue, and are answered at once."""

from math import ceil

from taskwire.bridge.doors import Doors
from taskwire.bridge.excerpting import read_last
from taskwire.bridge.lookup import Lookup, Seen
from taskwire.bridge.people import People
from taskwire.bridge.sightings import observation_of
from taskwire.model.changes import Observed, Rules, Story, after
from taskwire.model.commands import Help, List, ListFilter, Logs, SlackPerson, Status, Templates
from taskwire.model.errors import UserError
from taskwire.model.ids import ChannelId, Ts, UserId, to_ms
from taskwire.model.jobs import Asker
from taskwire.model.links import Link
from taskwire.model.messages import Message
from taskwire.model.phases import Phase
from taskwire.words import answers, cards, listing, refusals

Question = List | Status | Logs | Templates | Help


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
        account = await self._people.get_account(asker.person)
        seen = await self._lookup.list_seen(asker.person, asker.channel)
        owner = await self._owner(question)
        shown = [each for each in seen if owner is None or each.task.owner_name.lower() == owner]
        shown = [each for each in shown if self._fits(each, question.filter, account.id)]
        shown.sort(key=lambda each: self._order(each, account.id))
        pages = max(1, ceil(len(shown) / listing.PAGE))
        page = min(max(question.page, 1), pages)
        lines = [await self._line(each) for each in shown[(page - 1) * listing.PAGE : page * listing.PAGE]]
        words = [question.filter.value] if question.filter is not ListFilter.ALL else []
        words += [f"owner={owner}"] if owner else []
        return listing.task_list(
            lines, coder_url=self._doors.coder_url, page=page, pages=pages, filtered=" ".join(words)
        )

    def _order(self, each: Seen, account: str) -> tuple[bool, int, int]:
        """Those that need this person first, then by what they do, the newest first."""
        rank = listing.rank(_link_of(each).story.phase)
        return (not self._needs(each, account), rank, -to_ms(each.task.created_at))

    async def _owner(self, question: List) -> str | None:
        if isinstance(question.owner, SlackPerson):
            return (await self._people.get_account(UserId(question.owner.id))).username.lower()
        return question.owner.lower() if question.owner else None

    def _fits(self, each: Seen, wanted: ListFilter, account: str) -> bool:
        match wanted:
            case ListFilter.ALL:
                return True
            case ListFilter.MINE:
                return each.task.owner_id == account
            case ListFilter.NEEDS_ME:
                return self._needs(each, account)
            case _:
                return each.task.status_word == wanted.value

    def _needs(self, each: Seen, account: str) -> bool:
        return each.task.owner_id == account and _link_of(each).story.phase is Phase.NEEDS_YOU

    async def _line(self, each: Seen) -> listing.TaskLine:
        permalink = ""
        if each.link is not None and each.link.bond.thread_ts is not None:
            permalink = await self._permalink(each.link.bond.channel, each.link.bond.thread_ts)
        return listing.TaskLine(link=_link_of(each), permalink=permalink)

    async def _permalink(self, channel: ChannelId, ts: Ts) -> str:
        known = await self._doors.memory.find("permalink", channel, ts)
        if known is None:
            known = await self._doors.slack.get_permalink(channel, ts)
            await self._doors.memory.keep(known, "permalink", channel, ts, ttl_ms=86_400_000)
        return known

    async def _status(self, asker: Asker, question: Status) -> Message:
        seen = await self._lookup.get(asker.person, asker.channel, question.name)
        fresh = await self._doors.coder.get_task(seen.task.id)
        line = await self._line(Seen(fresh, seen.link))
        return cards.status(line.link, coder_url=self._doors.coder_url, permalink=line.permalink)

    async def _logs(self, asker: Asker, question: Logs) -> Message:
        seen = await self._lookup.get(asker.person, asker.channel, question.name)
        told = await read_last(self._doors, seen.task.id)
        if not question.full:
            return answers.logs(seen.task.title, told.text, is_cut=told.is_cut)
        if not told.whole:
            raise UserError(*refusals.no_log_yet(seen.task.title))
        channel = await self._doors.slack.open_direct(asker.person)
        file_id = await self._doors.slack.start_upload(f"{seen.task.name}.log", told.whole)
        await self._doors.slack.complete_upload(file_id, f"Log of {seen.task.title}", channel)
        return answers.log_sent(seen.task.title)

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


def _link_of(each: Seen) -> Link:
    """The link; for a task without a thread, one made up of what Coder shows of it."""
    seen = observation_of(each.task)
    if each.link is not None:
        return each.link.model_copy(update={"seen": seen})
    now_ms = to_ms(seen.report.at if seen.report else seen.created_at)
    story = after(Story(), Observed(seen=seen, is_baseline=True), Rules(settle_ms=0), now_ms).story
    return cards.unlinked(seen, story)
