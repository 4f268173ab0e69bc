"""Lists of tasks and templates."""

from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Hold, Link
from taskwire.domain.lifecycle.phases import Phase, Report
from taskwire.domain.text.message import Message
from taskwire.messages import help_texts, task_lists, template_lists
from taskwire.messages.task_lists import Hosts, TaskLine
from taskwire.messages.template_lists import TemplateLine
from tests.unit.message_examples import ALICE, BOND, CODER, FORGES, NOON_MS, OPENED, anything
from tests.unit.message_view import buttons, faults, shown

THREAD = "https://acme.slack.com/archives/C1/p1777636800000200"
PULL = "https://git.example.com/acme/site/pull/12"
HOSTS = Hosts(CODER, FORGES)


def task(phase: Phase, report: Report | None = OPENED, **record: object) -> Link:
    state = LinkState(
        phase=phase, since_ms=NOON_MS, status="active", build=1, last_report=report, report_build=1
    )
    return Link(record=BOND.model_copy(update=record), state=state)


def test_a_task_has_two_lines() -> None:
    """In a list, a task has two lines. The first has the phase and the title. The second has the report, the
    pull request, the thread and the name."""
    items = [
        TaskLine(task(Phase.NEEDS_YOU), THREAD),
        TaskLine(task(Phase.PAUSED, None, title="Other"), is_own=False),
    ]

    message = task_lists.task_list(items, HOSTS, page=2, pages=3, filtered="all")

    assert shown(message) == [
        "Tasks · all · page 2 of 3",
        ":raising_hand: Fix the login · Needs you · {ago}\nOpened PR #12 · PR #12 · thread · fix-login-1a2b",
        ":double_vertical_bar: Other · Paused · {ago} · Alice Adams\nfix-login-1a2b · no thread yet",
        "[Previous page] [Next page]",
    ]
    assert message.text == (
        f"Tasks · all · page 2 of 3:\n•  Needs you: Fix the login. Opened PR #12 {PULL} {THREAD}\n"
        "•  Paused: Other, Alice Adams"
    )
    assert (buttons(message)["Next page"]["value"], buttons(message)["Previous page"]["value"]) == (
        "3 all",
        "1 all",
    )
    assert _links(message) == {
        "Fix the login": THREAD,
        "PR #12": PULL,
        "thread": THREAD,
        "Other": f"{CODER}/tasks/alice/t-1",
    }
    assert faults(message) == []


def _links(message: Message) -> dict[str, str]:
    lines = [cast("list[dict[str, list[dict[str, str]]]]", block.get("elements")) for block in message.blocks]
    pieces = [piece for line in lines[:-1] for piece in line[0]["elements"]]
    return {piece["text"]: piece["url"] for piece in pieces if piece["type"] == "link"}


@pytest.mark.parametrize(
    ("filtered", "says"),
    [
        (
            "",
            "You have no tasks yet. `/task create PROMPT` creates one, and `/task create` alone opens a "
            "form.",
        ),
        ("needs-me", "Nothing needs you right now. `/task list` shows all tasks you can see."),
        (
            "paused owner=<bob>",
            "No task fits `paused owner=&lt;bob&gt;`. `/task list` shows all tasks you can see.",
        ),
    ],
)
def test_an_empty_list_says_what_to_do(filtered: str, says: str) -> None:
    """If no task is in the list, the answer says so, and names the command that starts a task or lists more
    tasks."""
    message = task_lists.task_list([], HOSTS, filtered=filtered)

    assert (message.text, shown(message)) == (says, [says])


def test_the_groups_of_a_list_have_one_order() -> None:
    """A list shows open questions first, then failures, running tasks, finished tasks, and all other
    tasks."""
    groups: dict[int, set[Phase]] = {}
    for phase in Phase:
        groups.setdefault(task_lists.get_rank(task(phase)), set()).add(phase)

    assert [groups[number] for number in sorted(groups)] == [
        {Phase.NEEDS_YOU},
        {Phase.FAILED, Phase.BROKEN},
        {Phase.WORKING, Phase.STARTING, Phase.PAUSING, Phase.UNCLEAR, Phase.OTHER},
        {Phase.DONE},
        {Phase.PAUSED, Phase.GONE},
    ]


@pytest.mark.parametrize(
    ("before", "is_asked_for", "phase"),
    [
        (Phase.NEEDS_YOU, True, Phase.NEEDS_YOU),
        (Phase.FAILED, False, Phase.FAILED),
        (Phase.DONE, False, Phase.DONE),
        (Phase.DONE, True, Phase.PAUSED),
        (Phase.WORKING, False, Phase.PAUSED),
    ],
)
def test_a_pause_hides_nothing_that_a_person_should_know(
    before: Phase, phase: Phase, *, is_asked_for: bool
) -> None:
    """If Coder pauses a task that has finished or failed, the list still shows that. If a person pauses a
    finished task, the list shows *Paused*, because the person has read the result. An open question stays in
    both cases."""
    state = LinkState(phase=Phase.PAUSED, paused_from=before)
    hold = Hold(person=ALICE, at=BOND.made_at) if is_asked_for else None

    assert task_lists.get_open_phase(Link(record=BOND, state=state, hold=hold)) is phase


def test_the_overview_shows_what_needs_the_person_and_what_runs() -> None:
    """`/task` alone shows the tasks that need the person, with the same buttons as the Home tab, and the
    running ones. Each group shows five tasks at most, and gives the number of the others."""
    needing = [TaskLine(task(Phase.NEEDS_YOU), THREAD)]
    running = [TaskLine(task(Phase.WORKING, None, title="Other"), THREAD)] * 7

    message = task_lists.overview(needing, running, HOSTS)

    other = ":gear: Other · Working · {ago}\nthread · fix-login-1a2b"
    assert shown(message) == [
        "Needs you",
        ":raising_hand: Fix the login · Needs you · {ago}\nOpened PR #12 · PR #12 · fix-login-1a2b",
        "[Answer] [Open thread]",
        "Running · 2 more in the list",
        *[other] * 5,
        "[New task] [All tasks] [Help]",
    ]
    assert faults(message) == []


def test_an_overview_of_nothing_says_so() -> None:
    """If no task needs the person and none runs, `/task` alone says so. It has the same buttons as an
    overview with tasks."""
    message = task_lists.overview([], [], HOSTS)

    assert shown(message) == [
        "Nothing needs you right now.",
        "You have no running tasks.",
        "[New task] [All tasks] [Help]",
    ]


def test_templates_with_their_presets() -> None:
    """Each template has a button that opens the form with that template."""
    large = ("Small", "Large")
    docker = TemplateLine("t-1", "docker", "Docker workspace", "In a container", "acme", large, "Large")

    message = template_lists.template_list([docker, TemplateLine("t-2", "plain")])

    assert shown(message) == [
        "Templates for tasks",
        "Docker workspace (docker): In a container\nPresets: Small, Large (default) · organization: acme",
        "plain",
    ]
    used = [cast("dict[str, str]", block["accessory"])["value"] for block in message.blocks[1:]]
    assert used == ["t-1", "t-2"]
    assert message.text == "Templates for tasks:\n•  docker (Presets: Small, Large (default))\n•  plain"


def test_no_templates() -> None:
    """Coder has no template, and the answer says whom to ask."""
    assert template_lists.template_list([]).text == (
        "You have no template for tasks. Ask a Coder administrator for one."
    )


def test_a_full_page_of_the_longest_fits() -> None:
    """Ten tasks with the longest titles, reports and owners fit into one message, even when escaped."""
    report = OPENED.model_copy(update={"message": "&" * 300, "uri": "https://x.example/" + "a" * 2_900})
    longest = task(Phase.DONE, report, title="&" * 200, owner_slack_name="&" * 200, name="a" * 32)
    lines = [TaskLine(longest, THREAD, is_own=False)] * 12

    message = task_lists.task_list(lines, HOSTS, page=2, pages=3)
    overview = task_lists.overview(lines, lines, HOSTS)
    templates = template_lists.template_list(
        [TemplateLine("i" * 36, "&" * 99, "&" * 99, "&" * 999, "&" * 99, ("&" * 99,) * 9)] * 30
    )

    assert [faults(each) for each in (message, overview, templates)] == [[], [], []]


@settings(deadline=None)
@given(
    st.lists(st.tuples(anything, anything, st.sampled_from(Phase), st.booleans()), max_size=12),
    anything,
    st.integers(1, 9),
)
def test_whatever_tasks_are_called_slack_takes_the_list(
    named: list[tuple[str, str, Phase, bool]], filtered: str, page: int
) -> None:
    """A full page is within Slack's limits, whatever its titles and reports are."""
    items = [
        TaskLine(
            task(phase, OPENED.model_copy(update={"message": owner, "uri": title}), title=title, name=owner),
            THREAD if has_thread else "",
            is_own=has_thread,
        )
        for title, owner, phase, has_thread in named
    ]

    message = task_lists.task_list(items, HOSTS, page=page, pages=9, filtered=filtered)

    assert faults(message) == []
    assert faults(task_lists.overview(items, items, HOSTS)) == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(anything, anything, anything, st.lists(anything, max_size=5)), max_size=30), anything
)
def test_whatever_templates_and_verbs_are_called_slack_takes_it(
    named: list[tuple[str, str, str, list[str]]], topic: str
) -> None:
    """The list and the help are within Slack's limits, whatever and however many the templates and verbs
    are."""
    lines = [
        TemplateLine(f"t-{number}", name, title, about, name, tuple(presets))
        for number, (name, title, about, presets) in enumerate(named)
    ]

    assert faults(template_lists.template_list(lines)) == []
    assert faults(help_texts.help_text(topic)) == []
