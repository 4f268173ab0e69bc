"""Lists of tasks, for one person: the answer to `/task list`, and the overview for `/task` alone.

Each task has two lines. The first has its title and phase. The second has the agent's report, the pull
request, the thread and the task's name. The caller sorts the tasks by `get_order`. An empty list says what to
do. This module also decides, for the lists and the Home tab, whether a task needs its owner.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import from_ms, moment_of, to_ms
from taskwire.domain.lifecycle.link_state import NEEDS_PERSON_PHASES
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.text.message import Block, Button, Message
from taskwire.domain.text.mrkdwn import escape_mrkdwn
from taskwire.messages import blocks, card_controls
from taskwire.messages.blocks import (
    age_piece,
    button,
    cut,
    escape_line,
    line,
    one_line,
    section,
    text_piece,
)
from taskwire.messages.cards import (
    find_ending,
    get_detail,
    get_name,
    get_owner_name,
    get_page_url,
    get_phase_label,
    get_reported_url,
)
from taskwire.messages.shapes import bold_title, replies_wait, statement
from taskwire.messages.teammates import AskedLine, get_asked_rows, get_asked_text

TASKS_PER_PAGE = 10
# The most tasks in each part of the overview.
OVERVIEW_LENGTH = 5
# For how long a finished pull request is listed as needing its owner. The time is limited, because the owner
# may read the pull request without pressing our buttons.
PULL_REQUEST_MS = DAY_MS
# A list asks the person to pass on at most this many replies. The Home tab shows more replies, and longer
# ones.
MOST_ASKED = 3
# In characters. With these lengths, a task has two lines in a window of the usual width.
_TITLE_LENGTH, _DETAIL_LENGTH, _OWNER_LENGTH = 60, 100, 20
_SEPARATOR = " · "
# Why a task that is done needs its owner.
_RESULT_TO_SEE = "a pull request to look at"
# What was open when a task was paused. Its label is only *Paused*, as on its card.
_PAUSED_FROM = {
    Phase.NEEDS_YOU: "its agent still needs you",
    Phase.FAILED: "its agent failed",
    Phase.BROKEN: "its workspace was broken",
    Phase.DONE: "its agent was done",
}
SEEN_LABEL = "Hide it here"

# The groups of a list, in their order. All other phases are in the last group.
_GROUPS = (
    (Phase.NEEDS_YOU,),
    (Phase.BROKEN, Phase.FAILED),
    (Phase.WORKING, Phase.STARTING, Phase.UNCLEAR, Phase.OTHER, Phase.PAUSING),
    (Phase.DONE,),
)
_RUNNING_PHASES = _GROUPS[2]
_REPORTED_PHASES = (Phase.NEEDS_YOU, Phase.DONE, Phase.FAILED)


@dataclass(frozen=True)
class TaskLine:
    """A task in a list: its link, the URL of its thread, and whether the task is the reader's own.

    If the task has no thread, `cards.make_unlinked` makes `link`.
    """

    link: Link
    permalink: str = ""
    is_own: bool = True


@dataclass(frozen=True)
class WaitingCreates:
    """Lines, as mrkdwn, about tasks that wait to be created: those that need the person, and the others."""

    needing: Sequence[str] = ()
    running: Sequence[str] = ()


@dataclass(frozen=True)
class Hosts:
    """The URL of Coder, and the code hosts that are left out where a link is shown."""

    coder_url: str
    forges: Collection[str] = ()


def get_open_phase(link: Link) -> Phase:
    """Return the phase under which a list shows the task.

    For a paused task, it may be the phase before the pause. A pause does not answer a question. A pause also
    does not show that a person has read the result, unless a person paused the task.
    """
    state = link.state
    is_paused = state.phase in (Phase.PAUSING, Phase.PAUSED)
    if is_paused and state.paused_from is Phase.DONE and link.hold is None:
        return Phase.DONE
    return state.open_phase


def get_rank(link: Link) -> int:
    """Return the number of the task's group: open questions, failures, running, done, or the rest.

    What to do with the replies that a pause holds is an open question too.
    """
    if link.held_count:
        return 0
    phase = get_open_phase(link)
    return next((number for number, group in enumerate(_GROUPS) if phase in group), len(_GROUPS))


def get_order(link: Link, *, is_own: bool = True) -> tuple[int, bool, int]:
    """Return a key that sorts tasks by group. In a group, own tasks come first, then the latest changes."""
    return get_rank(link), not is_own, get_age_order(link)


def get_age_order(link: Link) -> int:
    """Return a key that sorts tasks by the age in their lines, the latest change first.

    A task without an age is sorted by when it was created.
    """
    seen = link.observation
    created = seen.created_at if seen is not None else moment_of(link.record.made_at)
    return -(_since_ms(link) or to_ms(created))


def needs_owner(link: Link, now_ms: int) -> bool:
    """Return whether the task waits for its owner: a question, a failure or a new pull request is open.

    It waits too if a pause holds replies, because somebody has to send or drop them.

    A question and a failure stay open during a pause. A new pull request waits for the owner for a day at
    most. It stops waiting earlier if the owner opens it in Slack or presses *Seen*, or if a person pauses the
    task.
    """
    phase, report = get_open_phase(link), link.state.last_report
    if phase in NEEDS_PERSON_PHASES or link.held_count:
        return True
    if phase is not Phase.DONE or report is None or not blocks.is_pull_request(get_reported_url(link)):
        return False
    reported_ms = to_ms(report.at)
    return link.opened_ms < reported_ms and now_ms - min(link.state.since_ms, reported_ms) < PULL_REQUEST_MS


def is_running(link: Link, now_ms: int) -> bool:
    """Return whether the task runs and does not wait for its owner."""
    return link.state.phase in _RUNNING_PHASES and not needs_owner(link, now_ms)


def task_list(
    items: Sequence[TaskLine],
    hosts: Hosts,
    *,
    page: int = 1,
    pages: int = 1,
    filtered: str = "",
    asked: Sequence[AskedLine] = (),
    waits: Sequence[str] = (),
) -> Message:
    """Show one page of tasks, in the given order. `filtered` is the filter as the person typed it.

    `asked` are the replies that the person is asked to pass on. They come first. `waits` are lines about
    tasks that wait to be created. They follow.
    """
    shown, waits = items[:TASKS_PER_PAGE], waits[:OVERVIEW_LENGTH]
    if not shown and not asked and not waits:
        nothing = _no_tasks(one_line(filtered, 60))
        return Message(text=nothing, blocks=(section("none", nothing),))
    where = f"page {page} of {pages}" if pages > 1 else ""
    about = "".join(f"{_SEPARATOR}{part}" for part in (one_line(filtered, 60), where) if part)
    layout, needing = [_heading("heading", "Tasks", about), *_asked_blocks(asked)], filtered == "needs-me"
    layout += waiting_rows("list", waits)
    layout += [
        task_row(f"task.{number}", item, hosts, is_needing=needing) for number, item in enumerate(shown)
    ]
    layout += _page_buttons(page, pages, filtered)
    lines = [f"Tasks{escape_mrkdwn(about)}:", *_asked_lines(asked), *waits]
    lines += [get_task_text(item, is_needing=needing) for item in shown]
    return Message(text=blocks.join_lines(lines), blocks=tuple(layout))


def overview(
    needing: Sequence[TaskLine],
    running: Sequence[TaskLine],
    hosts: Hosts,
    asked: Sequence[AskedLine] = (),
    creates: WaitingCreates = WaitingCreates(),
) -> Message:
    """Show a person which of their tasks need them, and which run. `needing` and `running` may be empty.

    `asked` are the replies that the person is asked to pass on. They come first. `creates` are the tasks that
    wait to be created. They come last in their group.
    """
    layout: list[Block] = []
    lines: list[str] = []
    nothing = "Nothing is running." if needing or asked else "You have no running tasks."
    for name, title, items, empty, waits in (
        ("needing", "Needs you", needing, "Nothing needs you right now.", creates.needing),
        ("running", "Running", running, nothing, creates.running),
    ):
        shown, first = items[:OVERVIEW_LENGTH], asked if name == "needing" else ()
        if not shown and not first and not waits:
            lines += [empty] if empty else []
            layout += [section(f"{name}.none", empty)] if empty else []
            continue
        more = f"{_SEPARATOR}{len(items) - len(shown)} more in the list" if items[OVERVIEW_LENGTH:] else ""
        is_needing = name == "needing"
        texts = [get_task_text(item, is_needing=is_needing) for item in shown]
        lines += [f"{title}{more}:", *_asked_lines(first), *texts, *waits[:OVERVIEW_LENGTH]]
        layout += [_heading(name, title, more), *_asked_blocks(first)]
        for number, item in enumerate(shown):
            row = get_controls(item, hosts, is_needing=True) if is_needing else []
            has_button = bool(row) and bool(item.permalink)
            layout.append(
                task_row(f"{name}.{number}", item, hosts, is_needing=is_needing, has_thread_button=has_button)
            )
            layout += blocks.button_rows(f"{name}.{number}.do", row)
        layout += waiting_rows(name, waits[:OVERVIEW_LENGTH])
    layout += blocks.button_rows(
        "buttons",
        [
            button(Button.NEW_TASK, "New task", "new", style="primary"),
            button(Button.LIST_PAGE, "All tasks", "1"),
            button(Button.HELP, "Help", "help"),
        ],
    )
    return Message(text=blocks.join_lines(lines), blocks=tuple(layout))


def waiting_rows(name: str, waits: Sequence[str]) -> list[Block]:
    """Return a line for each task that waits to be created."""
    return [section(f"{name}.waits.{number}", words) for number, words in enumerate(waits)]


def _heading(block_id: str, title: str, about: str) -> Block:
    return line(block_id, [text_piece(title, is_bold=True), *([text_piece(about)] if about else [])])


def _asked_blocks(asked: Sequence[AskedLine]) -> list[Block]:
    shown: list[Block] = []
    for number, each in enumerate(asked[:MOST_ASKED]):
        shown += get_asked_rows(f"asked.{number}", each, is_short=True)
    return shown


def _asked_lines(asked: Sequence[AskedLine]) -> list[str]:
    return [get_asked_text(each) for each in asked[:MOST_ASKED]]


def _no_tasks(filtered: str) -> str:
    if filtered == "needs-me":
        return "Nothing needs you right now. `/task list` shows all tasks you can see."
    if filtered and filtered != "mine":
        words = escape_mrkdwn(filtered.replace("`", "'"))
        return f"No task fits `{words}`. `/task list` shows all tasks you can see."
    return "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a form."


def get_controls(item: TaskLine, hosts: Hosts, *, is_needing: bool = False) -> list[Block]:
    """Return the buttons below a task: what its phase asks for, and the button that opens its thread.

    If the task needs the reader (`is_needing`) because of its result, a button takes it out of the list.
    """
    link, thread = item.link, blocks.safe_web_url(item.permalink)
    if not link.id:
        return []
    page, reported = get_page_url(link, hosts.coder_url), get_reported_url(link)
    place = card_controls.Place(page, hosts.coder_url, hosts.forges, reported=reported)
    row = card_controls.asked_for(link, place)
    if is_needing and get_open_phase(link) is Phase.DONE and not link.held_count:
        row = [*row, button(Button.SEEN, SEEN_LABEL, link.id)]
    return [*row, *([button(Button.OPEN_THREAD, "Open thread", url=thread)] if thread else [])]


def result_seen(link: Link) -> Message:
    """Say that the task no longer needs its owner, because the owner has seen its result."""
    return statement(f"{bold_title(link)} is no longer listed under *Needs you*.")


def task_row(
    block_id: str, item: TaskLine, hosts: Hosts, *, is_needing: bool = False, has_thread_button: bool = False
) -> Block:
    """Return the two lines of a task. All text from outside is plain text, so Slack reads no markup in it.

    If the task needs the reader (`is_needing`) because of its result, the first line says so. It also says
    how many replies a pause holds. If a button below opens the thread, the lines have no second link to it.
    """
    link, thread = item.link, blocks.safe_web_url(item.permalink)
    label = get_phase_label(link)
    title = one_line(get_name(link), _TITLE_LENGTH)
    page = thread or get_page_url(link, hosts.coder_url)
    first = [blocks.emoji_piece(label.emoji), text_piece(" "), blocks.title_piece(title, page)]
    why = _why(link, _SEPARATOR, is_needing=is_needing)
    first.append(text_piece(f"{_SEPARATOR}{one_line(label.label, 40)}{why}"))
    since_ms = _since_ms(link)
    first += [text_piece(_SEPARATOR), age_piece(from_ms(since_ms))] if since_ms else []
    owner = _foreign_owner(item)
    first += [text_piece(f"{_SEPARATOR}{owner}")] if owner else []
    first += [text_piece(f"{_SEPARATOR}muted")] if _is_muted(link) else []
    second = (
        [[text_piece(detail)]]
        if (detail := one_line(get_detail(link, _DETAIL_LENGTH), _DETAIL_LENGTH))
        else []
    )
    if url := get_reported_url(link):
        second.append([_link(blocks.link_name(url, hosts.coder_url, hosts.forges), url)])
    if thread and not has_thread_button:
        second.append([_link("thread", thread)])
    if link.record.name:
        second.append([_code(link.record.name)])
        second += [] if thread else [[text_piece("no thread yet")]]
    for number, pieces in enumerate(second):
        first += [text_piece(_SEPARATOR if number else "\n"), *pieces]
    return line(block_id, first)


def _why(link: Link, separator: str, *, is_needing: bool) -> str:
    """Return, each after `separator`, why the task is in its group; empty if its label says that.

    The reasons are the question, the failure or the result that a pause left open, and the held replies.
    """
    phase = get_open_phase(link)
    has_result = is_needing and phase is Phase.DONE and not link.held_count
    is_open = phase is not link.state.phase and find_ending(link) is None and not has_result
    reasons = [_PAUSED_FROM[phase]] if is_open else []
    reasons += [replies_wait(link.held_count)] if link.held_count else []
    reasons += [_RESULT_TO_SEE] if has_result else []
    return "".join(separator + reason for reason in reasons)


def _link(text: str, url: str) -> Block:
    return {"type": "link", "url": url, "text": text}


def _code(name: str) -> Block:
    """Return the task's name, as people type it in commands, as a piece of code."""
    return {"type": "text", "text": one_line(name, 60) or "-", "style": {"code": True}}


def _foreign_owner(item: TaskLine) -> str:
    """Return the name of the task's owner, if the owner is not the reader."""
    return "" if item.is_own else one_line(get_owner_name(item.link), _OWNER_LENGTH)


def _is_muted(link: Link) -> bool:
    return link.is_muted and find_ending(link) is None


def _since_ms(link: Link) -> int:
    """Return since when the task has been in its phase; 0 if that is not known.

    The phase began with the agent's report. Without a report, it began when Taskwire first saw the phase.
    """
    state, report = link.state, link.state.last_report
    is_of_before = report is None or (
        state.previous_report is not None and report.has_same_text(state.previous_report)
    )
    if report is not None and not is_of_before and state.has_reported and state.phase in _REPORTED_PHASES:
        return min(state.since_ms, to_ms(report.at)) if state.since_ms else 0
    return state.since_ms


def _page_buttons(page: int, pages: int, filtered: str) -> list[Block]:
    """Return the buttons for the previous and the next page.

    Slack refuses two buttons with one action id in a row, so the two ids differ.
    """
    steps = [
        button(Button.LIST_PAGE, label, cut(f"{to} {filtered}".strip(), 1_000))
        | {"action_id": f"{Button.LIST_PAGE.value}.{number}"}
        for number, (to, label) in enumerate(((page - 1, "Previous page"), (page + 1, "Next page")))
        if 1 <= to <= pages
    ]
    return blocks.button_rows("pages", steps)


def get_task_text(item: TaskLine, *, is_needing: bool = False) -> str:
    """Return a task as text on one line, for clients that show no blocks."""
    link = item.link
    why = _why(link, ", ", is_needing=is_needing)
    owner, detail = _foreign_owner(item), get_detail(link, _DETAIL_LENGTH)
    parts = [f"•  {escape_line(get_phase_label(link).label, 60)}{why}: {escape_line(get_name(link), 60)}"]
    parts += [f", {escape_line(owner, _OWNER_LENGTH)}"] if owner else []
    parts += [", muted"] if _is_muted(link) else []
    parts += [f". {escape_line(detail, _DETAIL_LENGTH)}"] if detail else []
    urls = (get_reported_url(link), blocks.safe_web_url(item.permalink))
    parts += [f" {escape_mrkdwn(url)}" for url in urls if 0 < len(url) <= 150]
    return "".join(parts)
