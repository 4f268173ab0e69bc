"""The Home tab: tasks that need a person, tasks that run, and tasks that are paused or have finished.

Each person sees only their own tab. Each task in the tab is that person's own, or is shared with that person.
Shared tasks that do not run have a section of their own, because their questions call their owner. If there
are no tasks, the tab says what Taskwire is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.person_settings import PersonSettings
from taskwire.domain.text.message import Block, Button, Message, View
from taskwire.messages import accounts, blocks
from taskwire.messages.blocks import button, context, mrkdwn, section
from taskwire.messages.person_settings_form import describe_settings
from taskwire.messages.task_lists import (
    Hosts,
    TaskLine,
    WaitingCreates,
    get_controls,
    get_open_phase,
    task_row,
    waiting_rows,
)
from taskwire.messages.teammates import AskedLine, get_asked_rows

# Slack accepts 100 blocks in a Home tab. A task takes two blocks, and an answer takes a few.
MOST_NEEDS, MOST_RUNNING, MOST_LATELY, MOST_SHARED, MOST_ANSWER_BLOCKS = 13, 10, 7, 4, 6
# The most replies that the tab asks about. Each has up to four blocks.
MOST_ASKED_IN_HOME = 5
# The most tasks in each section that wait to be created.
MOST_WAITING_CREATES = 3

_ABOUT = (
    "Taskwire gives your work to AI agents in Coder, each in a Slack thread of its own. You answer and "
    "stop them there. Here you see which of them need you."
)
_EXAMPLE = "Or write in a channel: `/task create fix the login redirect`"


@dataclass(frozen=True)
class HomePage:
    """The content of a Home tab. `asked` are teammates' replies that the person is asked to pass on.

    `note` is mrkdwn. `answer` is the answer to the last press of a button in the tab.
    """

    asked: Sequence[AskedLine] = ()
    needs: Sequence[TaskLine] = ()
    running: Sequence[TaskLine] = ()
    lately: Sequence[TaskLine] = ()
    shared: Sequence[TaskLine] = ()
    note: str = ""
    answer: Message | None = None
    settings: PersonSettings = field(default_factory=PersonSettings)
    # None if people cannot connect accounts.
    account: accounts.ShownAccount | None = None
    # The tasks that wait to be created.
    creates: WaitingCreates = field(default_factory=WaitingCreates)


def home_view(page: HomePage, hosts: Hosts) -> View:
    """Make the Home tab."""
    layout = [*_answer_blocks(page.answer)]
    layout += [section("note", page.note)] if page.note else []
    if _is_empty(page):
        layout += [section("about", _ABOUT), *_buttons(), context("example", [mrkdwn(_EXAMPLE)])]
        return _view([*layout, *_preferences(page.settings), *_account(page.account)])
    layout += _buttons()
    layout.append(section("needs", _heading(page)))
    for number, asked in enumerate(page.asked[:MOST_ASKED_IN_HOME]):
        layout += get_asked_rows(f"asked.{number}", asked)
    if (hidden := len(page.asked) - MOST_ASKED_IN_HOME) > 0:
        layout.append(context("asked.more", [mrkdwn(f"{hidden} more follow when these are decided.")]))
    layout += _rows("needs", page.needs, MOST_NEEDS, "list needs-me", hosts)
    layout += waiting_rows("needs", page.creates.needing[:MOST_WAITING_CREATES])
    if page.running or page.creates.running:
        layout += [section("running", "*Running*")]
        layout += _rows("running", page.running, MOST_RUNNING, "list mine", hosts)
        layout += waiting_rows("running", page.creates.running[:MOST_WAITING_CREATES])
    if page.lately:
        layout += [section("lately", "*Paused or finished lately*")]
        layout += _rows("lately", page.lately, MOST_LATELY, "list mine", hosts)
    if page.shared:
        layout += [section("shared", "*Shared with you*")]
        layout += _rows("shared", page.shared, MOST_SHARED, "list mine", hosts)
    return _view([*layout, *_preferences(page.settings), *_account(page.account)])


def _is_empty(page: HomePage) -> bool:
    tasks = (page.asked, page.needs, page.running, page.lately, page.shared)
    return not any((*tasks, page.creates.needing, page.creates.running))


def _heading(page: HomePage) -> str:
    """Return the heading of the tasks that need the person, or say that there are none."""
    if page.needs or page.asked or page.creates.needing:
        return "*Needs you*"
    if any(get_open_phase(task.link) is Phase.NEEDS_YOU for task in page.shared):
        return "None of your own tasks needs you right now."
    return "Nothing needs you right now."


def refused_home(words: str) -> View:
    """Make the Home tab of a person who may not use Taskwire. `words` say why."""
    return _view([section("refused", words)])


def _view(layout: list[Block]) -> View:
    return View(content={"type": "home", "blocks": [*layout]})


def _answer_blocks(answer: Message | None) -> list[Block]:
    if answer is None:
        return []
    shown = answer.blocks or (section("answer", answer.text),)
    return [*shown[:MOST_ANSWER_BLOCKS], {"type": "divider", "block_id": "answer.end"}]


def _buttons() -> list[Block]:
    return blocks.button_rows("home", [button(Button.NEW_TASK, "New task", "new", style="primary")])


def _preferences(settings: PersonSettings) -> list[Block]:
    """Return a line that says how notices reach the person, with the button that changes this."""
    words = section("preferences", describe_settings(settings))
    accessory = button(Button.PREFERENCES, "Change", "own")
    return [{"type": "divider", "block_id": "tasks.end"}, {**words, "accessory": accessory}]


def _account(account: accounts.ShownAccount | None) -> list[Block]:
    """Return a line that names the person's Coder account, with the buttons that change it and end it."""
    if account is None:
        return []
    is_usable = bool(account.username) and not account.is_refused
    connect = Button.AUTHORIZE if account.has_page else Button.CONNECT
    change = button(connect, "Change" if is_usable else "Connect", "connect")
    shown = section("account", accounts.describe_account(account))
    if not account.username:
        return [{**shown, "accessory": change}]
    return [shown, *blocks.button_rows("account.do", [change, accounts.disconnect_button()])]


def _rows(name: str, tasks: Sequence[TaskLine], most: int, command: str, hosts: Hosts) -> list[Block]:
    """Return the first `most` tasks. If there are more, name the command that lists all."""
    layout: list[Block] = []
    for number, task in enumerate(tasks[:most]):
        # The title of a task without buttons leads to its thread too.
        is_needing = name == "needs"
        has_row = name in ("needs", "shared") or (name == "lately" and task.link.state.phase is Phase.PAUSED)
        layout.append(
            task_row(f"{name}.{number}", task, hosts, is_needing=is_needing, has_thread_button=has_row)
        )
        row = get_controls(task, hosts, is_needing=is_needing) if has_row else []
        layout += blocks.button_rows(f"{name}.{number}.do", row)
    hidden = len(tasks) - most
    if hidden > 0:
        layout.append(context(f"{name}.more", [mrkdwn(f"{hidden} more: `/task {command}`")]))
    return layout
