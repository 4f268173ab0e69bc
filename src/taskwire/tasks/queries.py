"""Answers questions that need no job, such as `/task` alone, `list`, `status`, `logs` and `doctor`."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from math import ceil
from typing import NamedTuple

from taskwire.agent.observing import LONGEST_PROMPT, observe_first
from taskwire.coder.client import CoderClient
from taskwire.coder.errors import NotFound, PersonTokenRefused
from taskwire.coder.models import Task
from taskwire.dependencies import Dependencies
from taskwire.domain.errors import OutsideError, TryLater, UserError
from taskwire.domain.ids import ChannelId, UserId, microseconds
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.lifecycle.transitions import initial_state
from taskwire.domain.masking.secrets import mask_beginning
from taskwire.domain.parsing.audit_command import Audit
from taskwire.domain.parsing.commands import (
    Doctor,
    Help,
    List,
    Logs,
    Overview,
    SlackPerson,
    Status,
    Templates,
)
from taskwire.domain.parsing.grammar import ListFilter, Verb, find_verb
from taskwire.domain.parsing.near_misses import (
    MOST_TASKS_OFFERED,
    NearMiss,
    NotOneTask,
    SeveralTasks,
    needs_text,
    offer_own_tasks,
    offer_tasks,
)
from taskwire.domain.parsing.task_names import TaskName
from taskwire.domain.requester import Requester
from taskwire.domain.text.message import Message
from taskwire.domain.text.thread_context import remove_context
from taskwire.messages import audit, cards, help_texts, refusals, task_lists, template_lists
from taskwire.messages.card_controls import PHASES_WITH_REPORT
from taskwire.messages.teammates import AskedLine
from taskwire.outbox.coder_health import is_coder_away
from taskwire.outbox.waiting_creates import list_creates_in_list, list_waiting_creates
from taskwire.outbox.waiting_requests import answer_or_wait
from taskwire.people.account_errors import AccountNeeded
from taskwire.people.accounts import require_rights
from taskwire.people.permissions import OWNERS_VERBS, People
from taskwire.people.places import PRESENCE_WINDOW
from taskwire.people.shares import Shares
from taskwire.tasks.audit_queries import AuditQueries
from taskwire.tasks.last_known import LastKnown
from taskwire.tasks.log_queries import LogQueries
from taskwire.tasks.lookup import Lookup, TasksNotListed, VisibleTask, make_displayed_link
from taskwire.telemetry import logger
from taskwire.waiting_replies.offered import list_asked

# How often an answer is made if it takes more than ten seconds each time.
ANSWER_TRIES = 3
_log = logger("taskwire.tasks.queries")
Question = Overview | List | Status | Logs | Templates | Audit | Doctor | Help


def offer_question(question: Question, error: NotOneTask) -> NearMiss:
    """Return what the bot offers if the name in a question does not fit exactly one task.

    Each offer asks the question about one task that may be meant. If there is no such task, the offer creates
    a task.
    """
    verb = find_verb("logs" if isinstance(question, Logs) else "status")
    if verb is None:
        raise error
    return offer_tasks(error, verb, "full" if isinstance(question, Logs) and question.full else "")


class DisplayedTask(NamedTuple):
    """A task as it is displayed. For a task without a link, `link` is made from Coder's list.

    `is_shared` means that another person shares the task with the reader.
    """

    seen: VisibleTask
    link: Link
    is_shared: bool

    def matches(self, wanted: ListFilter, account: str, now_ms: int) -> bool:
        """Return whether the filter of the list includes the task."""
        match wanted:
            case ListFilter.ALL:
                return True
            case ListFilter.MINE:
                return self.seen.task.owner_id == account or self.is_shared
            case ListFilter.NEEDS_ME:
                is_own = self.seen.task.owner_id == account
                return is_own and task_lists.needs_owner(self.link, now_ms)
            case ListFilter.FAILED:
                return self.link.state.phase in (Phase.FAILED, Phase.BROKEN)
            case _:
                return wanted.value in (self.link.state.phase, self.seen.task.raw_status)


def does_something(verb: Verb, link: Link, channel: ChannelId) -> bool:
    """Return whether the verb would change or show something of this task. The verb is typed in `channel`."""
    record, state = link.record, link.state
    has_thread = record.thread_ts is not None
    match verb.name:
        case "logs":
            return state.has_reported or state.phase in PHASES_WITH_REPORT
        case "pause":
            return state.status in ("pending", "initializing", "active") and link.shown_pending is None
        case "resume":
            return state.phase in (Phase.PAUSED, Phase.PAUSING, Phase.BROKEN) and link.shown_pending is None
        case "attach":
            return not has_thread or record.channel != channel
        case "detach" | "share":
            return has_thread
        case "mute":
            return has_thread and not link.is_muted
        case "unmute":
            return link.is_muted
        case "unshare":
            return bool(link.shares)
        case _:
            return True


class Queries:
    """Answers questions that need no job."""

    def __init__(self, deps: Dependencies, people: People, lookup: Lookup) -> None:
        self._deps = deps
        self._people = people
        self._lookup = lookup
        self._audit = AuditQueries(deps, people)
        self._last_known = LastKnown(deps, people)
        self._shares = Shares(deps, people)
        self.logs = LogQueries(deps, people, lookup)
        self._hosts = task_lists.Hosts(deps.coder_url, deps.forges)

    async def answer(self, requester: Requester, question: Question) -> Message:
        """Return the answer to a question. Raise UserError if there is no answer."""
        match question:
            case Help():
                return help_texts.help_text(question.verb, emoji=self._deps.emoji)
            case Overview():
                return await self._or_last_known(requester, question, partial(self._show_overview, requester))
            case List():
                answering = partial(self._list_tasks, requester, question)
                return await self._or_last_known(requester, question, answering)
            case Status():
                answering = partial(self._show_status, requester, question)
                return await self._or_last_known(requester, question, answering)
            case Logs():
                return await self.logs.show(requester, question)
            case Audit() if question.is_export:
                file = await self._audit.export(requester, question)
                check = partial(self._audit.require_admin, requester, "export_audit")
                return await self.logs.send_file(requester, file, audit.exported(), check)
            case Audit():
                return await self._audit.show(requester, question)
            case Doctor():
                await self._audit.require_admin(requester, "doctor")
                await self._audit.record(requester, "doctor")
                return await self._deps.examine()
            case Templates():
                return await self._list_templates(requester)

    async def answer_or_wait(self, requester: Requester, question: Question, line: str) -> Message:
        """Return the answer to a question. If the needed account is not connected, let the question wait.

        In that case, return a message that says so. `line` is the command, after `/task`, that asks this
        question.
        """
        return await answer_or_wait(self._deps, requester, line, partial(self.answer, requester, question))

    async def is_task(self, requester: Requester, name: TaskName) -> bool:
        """Return whether these words are a name or a title of a task that the person may see, or the
        beginning of one."""
        try:
            await self._lookup.get(requester, name)
        except SeveralTasks:
            return True
        except UserError:
            return False
        return True

    async def offer_own_tasks(self, requester: Requester, verb: Verb) -> NearMiss:
        """Ask which task a verb without a name means. Offer the person's tasks for which the verb does
        something.

        The latest changes come first. A task that another person shares with this person is offered too, if
        this person may use the verb on it.
        """
        if needs_text(verb):
            return offer_own_tasks(verb, (), ())
        account, displayed = await self._read_tasks(requester)
        fitting = [
            each
            for each in displayed
            if (each.seen.task.owner_id == account or (each.is_shared and verb.name not in OWNERS_VERBS))
            and does_something(verb, each.link, requester.channel)
        ]
        fitting.sort(key=lambda each: task_lists.get_age_order(each.link))
        names = [f"{each.seen.task.owner_name}/{each.seen.task.name}" for each in fitting]
        shown = [each.seen for each in fitting[:MOST_TASKS_OFFERED]]
        own = next((each.task.owner_name for each in shown if each.task.owner_id == account), "")
        return offer_own_tasks(verb, names, await self._lookup.make_rows(requester, shown, own))

    async def _or_last_known(
        self,
        requester: Requester,
        question: Overview | List | Status,
        answering: Callable[[], Awaitable[Message]],
    ) -> Message:
        """Return the answer. While Coder does not answer, return the last known state of the tasks.

        Do the same while Coder's list of tasks is too long to be read.
        """
        try:
            return await self._answer_now(answering)
        except TasksNotListed:
            known = await self._last_known.answer(requester, question, is_list_too_long=True)
            if known is None:
                raise
            return known
        except OutsideError as error:
            known = await self._last_known.answer(requester, question) if is_coder_away(error) else None
            if known is None:
                raise
            return known

    async def _answer_now(self, answering: Callable[[], Awaitable[Message]]) -> Message:
        """Return an answer for which the person's rights were looked at in the last ten seconds.

        An answer may wait long for Slack's limits. The person may have lost a right meanwhile. Raise TryLater
        if it waits again and again.
        """
        for _ in range(ANSWER_TRIES):
            began = self._deps.slack.now()
            message = await answering()
            if self._deps.slack.now() - began < PRESENCE_WINDOW:
                return message
        raise TryLater("the answer took too long each time")

    async def _list_tasks(self, requester: Requester, question: List) -> Message:
        owner = await self._find_owner(question)
        account, displayed = await self._read_tasks(requester, owner)
        now_ms = microseconds(requester.at) // 1000
        shown = [each for each in displayed if each.matches(question.filter, account, now_ms)]
        if not shown:
            await require_rights(self._deps)
        pages = max(1, ceil(len(shown) / task_lists.TASKS_PER_PAGE))
        page = min(max(question.page, 1), pages)
        here = shown[(page - 1) * task_lists.TASKS_PER_PAGE : page * task_lists.TASKS_PER_PAGE]
        words = [question.filter.value] if question.filter is not ListFilter.ALL else []
        words += [f"owner={owner}"] if owner else []
        is_for_me = question.filter is ListFilter.NEEDS_ME and owner is None and page == 1
        return task_lists.task_list(
            await self._make_lines(here, account),
            self._hosts,
            page=page,
            pages=pages,
            filtered=" ".join(words),
            asked=await self._list_asked(requester, account) if is_for_me else (),
            waits=await list_creates_in_list(self._deps, requester.person, question, page),
        )

    async def _list_asked(self, requester: Requester, account: str) -> list[AskedLine]:
        person = requester.person
        return await list_asked(self._deps, person, lambda link: link.record.is_owned_by(person, account))

    async def _show_overview(self, requester: Requester) -> Message:
        account, displayed = await self._read_tasks(requester)
        if not displayed:
            await require_rights(self._deps)
        now_ms = microseconds(requester.at) // 1000
        own = [each for each in displayed if each.seen.task.owner_id == account]
        needing = [each for each in own if task_lists.needs_owner(each.link, now_ms)]
        shared = [each for each in displayed if each.is_shared]
        running = [each for each in (*own, *shared) if task_lists.is_running(each.link, now_ms)]
        return task_lists.overview(
            await self._make_lines(needing, account),
            await self._make_lines(running, account),
            self._hosts,
            await self._list_asked(requester, account),
            await list_waiting_creates(self._deps, requester.person),
        )

    async def _read_tasks(
        self, requester: Requester, owner: str | None = None
    ) -> tuple[str, list[DisplayedTask]]:
        """Return the id of the person's account, and the tasks that the person may see.

        The tasks are in the order of a list. `owner` is the name of the tasks' owner in Coder; None means all
        owners.
        """
        seen = await self._lookup.list_visible(requester)
        found = await self._people.find_account(requester.person)
        account, now_ms = found.id if found else "", microseconds(requester.at) // 1000
        shared = await self._people.list_shared_links(requester.person)
        displayed = [
            DisplayedTask(
                each,
                make_displayed_link(self._deps, each, now_ms),
                is_shared=each.link is not None and each.link.id in shared and each.task.owner_id != account,
            )
            for each in seen
            if owner is None or each.task.owner_name.lower() == owner
        ]
        displayed.sort(
            key=lambda each: task_lists.get_order(each.link, is_own=each.seen.task.owner_id == account)
        )
        return account, displayed

    async def _make_lines(self, shown: Sequence[DisplayedTask], account: str) -> list[task_lists.TaskLine]:
        """Return a line for each of these tasks.

        The first lines, as many as fit into one message, have the URL of the task's thread. The others have
        none.
        """
        return [
            task_lists.TaskLine(
                each.link,
                await self._lookup.find_thread(each.seen) if number < task_lists.TASKS_PER_PAGE else "",
                is_own=each.seen.task.owner_id == account,
            )
            for number, each in enumerate(shown)
        ]

    async def _find_owner(self, question: List) -> str | None:
        if not isinstance(question.owner, SlackPerson):
            return question.owner.lower() if question.owner else None
        try:
            account = await self._people.get_account(UserId(question.owner.id))
        except (UserError, AccountNeeded, PersonTokenRefused):
            # The error's own text is about the named person. The person who asks must not see that text.
            raise UserError(*refusals.person_has_no_account(question.owner.id)) from None
        return account.username.lower()

    async def _show_status(self, requester: Requester, question: Status) -> Message:
        seen = await self._lookup.get(requester, question.name)
        coder = await self._people.accounts.get_client(requester.person, seen.task.owner_id, seen.link)
        task = await _reload(coder, seen.task)
        now_ms = microseconds(requester.at) // 1000
        if seen.link is None:
            first = await observe_first(self._deps, coder, task)
            state = initial_state(first, self._deps.rules, now_ms)
            link = cards.make_unlinked(
                first.observation,
                state,
                mask_beginning(self._deps.mask, remove_context(task.initial_prompt), LONGEST_PROMPT),
            )
        else:
            link = make_displayed_link(self._deps, VisibleTask(task, seen.link), now_ms)
        return cards.status_card(
            link,
            coder_url=self._deps.coder_url,
            forges=self._deps.forges,
            permalink=await self._lookup.find_thread(seen),
            rights=link.get_shown_rights(
                requester.person, await self._people.get_rights(requester.person, link)
            ),
            shared_with=await self._shares.describe_in_force(link),
            is_open=await self._people.is_open_to_channel(link),
        )

    async def _list_templates(self, requester: Requester) -> Message:
        await self._people.get_account(requester.person)
        lines, coder = [], await self._people.accounts.get_client(requester.person)
        for template in await coder.list_templates():
            presets = await coder.list_presets(template.active_version_id)
            lines.append(
                template_lists.TemplateLine(
                    id=template.id,
                    name=template.name,
                    title=template.title,
                    description=template.description,
                    organization=template.organization_name,
                    presets=tuple(preset.name for preset in presets),
                    default_preset=next((preset.name for preset in presets if preset.is_default), ""),
                )
            )
        return template_lists.template_list(lines)


async def _reload(coder: CoderClient, task: Task) -> Task:
    try:
        return await coder.get_task(task.id)
    except NotFound:
        raise UserError(*refusals.task_gone(task.title)) from None
