"""The Home tab is within Slack's limits whatever it shows, and lists its tasks in the right order."""

from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.durations import DAY_MS
from taskwire.domain.ids import LinkId, from_ms, ts_of
from taskwire.domain.lifecycle.link_state import LinkState
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.text.message import Message
from taskwire.home.person_tasks import LATELY_MS, sort_links
from taskwire.messages import home
from taskwire.messages.accounts import ShownAccount
from taskwire.messages.home import HomePage
from taskwire.messages.task_lists import PULL_REQUEST_MS, Hosts, TaskLine
from taskwire.messages.teammates import AskedLine
from taskwire_sandbox.slack.block_rules import view_problems
from tests.unit.message_examples import BOND, CODER, NOON_MS, OPENED, anything

THREAD = "https://acme.slack.com/archives/C1/p1777636800000200"


def task(
    name: str, phase: Phase, *, age_ms: int = 0, has_pull_request: bool = False, **state: object
) -> Link:
    """Make a link that was made `age_ms` ago, and whose task has been in this phase since then."""
    made_at = ts_of(from_ms(NOON_MS - age_ms))
    record = BOND.model_copy(update={"id": LinkId(name), "title": name, "made_at": made_at})
    report = OPENED if has_pull_request else None
    made = LinkState(phase=phase, since_ms=NOON_MS - age_ms, last_report=report, build=1, report_build=1)
    return Link(record=record, state=made.model_copy(update=state))


def test_what_needs_somebody_comes_first() -> None:
    """The tasks that need the person are in this order: questions, also of paused tasks, then failures, then
    recently finished tasks with a pull request. In each group, the newest is first."""
    links = [
        task("working", Phase.WORKING),
        task("pull request", Phase.DONE, has_pull_request=True),
        task("failed", Phase.FAILED),
        task("asked long ago", Phase.NEEDS_YOU, age_ms=90 * DAY_MS),
        task("asked and paused", Phase.PAUSED, paused_from=Phase.NEEDS_YOU),
        task("broken", Phase.BROKEN),
        task("done", Phase.DONE),
        task("done long ago", Phase.DONE, age_ms=LATELY_MS),
        task("pull request of yesterday", Phase.DONE, age_ms=PULL_REQUEST_MS, has_pull_request=True),
        task("pull request of long ago", Phase.DONE, age_ms=LATELY_MS, has_pull_request=True),
        task("paused", Phase.PAUSED, age_ms=1),
        task("starting", Phase.STARTING, age_ms=1),
    ]

    found = sort_links(links, NOON_MS)

    assert [link.id for link in found.needs] == [
        *("asked and paused", "asked long ago", "failed", "broken", "pull request"),
    ]
    assert [link.id for link in found.running] == ["working", "starting"]
    assert [link.id for link in found.lately] == ["done", "paused", "pull request of yesterday"]


def test_shared_tasks_are_apart_unless_they_run() -> None:
    """The Home tab lists the tasks that others share with the person apart, even a task with a question. Only
    those that run are among the person's own running tasks."""
    shared = [
        task("theirs is done", Phase.DONE),
        task("theirs runs", Phase.WORKING),
        task("theirs asks", Phase.NEEDS_YOU, age_ms=90 * DAY_MS),
        task("theirs was done long ago", Phase.DONE, age_ms=LATELY_MS),
        task("theirs is paused", Phase.PAUSED, age_ms=1),
    ]

    found = sort_links([task("mine", Phase.WORKING)], NOON_MS, shared)

    assert [link.id for link in found.running] == ["mine", "theirs runs"]
    assert [link.id for link in found.shared] == ["theirs asks", "theirs is done", "theirs is paused"]
    assert (found.needs, found.lately) == ([], [])


def test_more_tasks_than_fit_are_counted() -> None:
    """The tab has at most Slack's hundred blocks, and says how to see the remaining tasks."""
    many = [TaskLine(task("asked", Phase.NEEDS_YOU, paused_from=Phase.NEEDS_YOU), THREAD)] * 40
    paused = [TaskLine(task("paused", Phase.PAUSED), THREAD)] * 40
    shared = [TaskLine(task("asked", Phase.NEEDS_YOU), THREAD, is_own=False)] * 40
    asked = [
        AskedLine(task("asked", Phase.WORKING), "reply:1", "Bob", "x" * 3_000, ("a.txt",), (), THREAD)
    ] * 40
    page = HomePage(
        asked, many, many, paused, shared, "Late.", Message(text="Done."), account=ShownAccount("alice")
    )

    view = home.home_view(page, Hosts(CODER))

    assert view_problems(view.content, "home") == []
    blocks = cast("list[dict[str, object]]", view.content["blocks"])
    more = [
        cast("list[dict[str, str]]", block["elements"])[0]["text"]
        for block in blocks
        if "more" in str(block["block_id"])
    ]
    assert more == [
        "35 more follow when these are decided.",
        "27 more: `/task list needs-me`",
        "30 more: `/task list mine`",
        "33 more: `/task list mine`",
        "36 more: `/task list mine`",
    ]


@settings(max_examples=50, deadline=None)
@given(title=anything, report=anything, phase=st.sampled_from(list(Phase)))
def test_no_text_from_outside_breaks_the_tab(title: str, report: str, phase: Phase) -> None:
    """Titles and reports are shown as text and never as markup."""
    link = Link(
        record=BOND.model_copy(update={"title": title, "name": ""}),
        state=LinkState(
            phase=phase,
            last_report=OPENED.model_copy(update={"message": report, "uri": title}),
            build=1,
            report_build=1,
            since_ms=NOON_MS,
        ),
    )
    page = HomePage(needs=[TaskLine(link)], running=[TaskLine(link)], lately=[TaskLine(link)])

    view = home.home_view(page, Hosts(CODER))

    assert view_problems(view.content, "home") == []
    assert "<!channel>" not in str(view.content)
