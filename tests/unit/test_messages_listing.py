"""Lists of tasks and templates, and the help."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.grammar import CREATE_OPTIONS, THREAD_VERBS, VERBS
from taskwire.domain.link_state import LinkState
from taskwire.domain.links import Link
from taskwire.domain.phases import Phase
from taskwire.messages import listing
from taskwire.messages.listing import TaskLine, TemplateLine
from tests.unit.message_examples import AGO, BOND, CODER, NOON_MS, anything
from tests.unit.message_view import buttons, faults, shown

THREAD = "https://acme.slack.com/archives/C1/p1777636800000200"


def task(phase: Phase, **record: object) -> Link:
    return Link(record=BOND.model_copy(update=record), state=LinkState(phase=phase, since_ms=NOON_MS))


def test_tasks_lead_to_their_threads() -> None:
    """Each row has title, phase, age, owner and the name to type. A task without a thread says how to get
    one."""
    items = [TaskLine(task(Phase.NEEDS_YOU), THREAD), TaskLine(task(Phase.PAUSED, title="Other"))]

    message = listing.task_list(items, coder_url=CODER, page=2, pages=3, filtered="all")

    assert shown(message) == [
        "Tasks · all · page 2 of 3",
        ":raising_hand: Fix the login",
        f"~ *Needs you* · {AGO} · alice · `fix-login-1a2b`",
        "[Open thread] [Open in Coder]",
        ":double_vertical_bar: Other",
        f"~ *Paused* · {AGO} · alice · `fix-login-1a2b` · no thread: `/task attach fix-login-1a2b`",
        "[Open in Coder] [Resume]",
        "[Next page]",
        "[Previous page]",
    ]
    assert message.text == (
        f"Tasks · all · page 2 of 3:\n•  Needs you: Fix the login, alice {THREAD}\n•  Paused: Other, alice"
    )
    assert (buttons(message)["Next page"]["value"], buttons(message)["Previous page"]["value"]) == (
        "3 all",
        "1 all",
    )
    assert faults(message) == []


@pytest.mark.parametrize(
    ("filtered", "says"),
    [
        (
            "",
            "You have no tasks yet. `/task create PROMPT` starts one, and `/task create` alone opens a form.",
        ),
        ("needs-me", "Nothing needs you right now. `/task list` shows your other tasks."),
        (
            "paused owner=<bob>",
            "No task fits `paused owner=&lt;bob&gt;`. `/task list` shows all that you may see.",
        ),
    ],
)
def test_an_empty_list_says_what_to_do(filtered: str, says: str) -> None:
    """An empty list has an answer too."""
    message = listing.task_list([], coder_url=CODER, filtered=filtered)

    assert (message.text, shown(message)) == (says, [says])


def test_those_that_need_somebody_come_first() -> None:
    """After them come the running tasks, then those at rest. Every phase has its place."""
    ordered = sorted(Phase, key=listing.get_rank)

    assert ordered[:3] == [Phase.NEEDS_YOU, Phase.BROKEN, Phase.FAILED]
    assert ordered.index(Phase.WORKING) < ordered.index(Phase.DONE) < ordered.index(Phase.PAUSED)


def test_templates_with_their_presets() -> None:
    """Each preset has the word to type, and an example to copy."""
    docker = TemplateLine("docker", "Docker workspace", "In a container", "acme", ("Small", "Large"), "Large")

    message = listing.template_list([docker, TemplateLine("plain")])

    assert shown(message) == [
        "Templates for tasks",
        "Docker workspace  docker  In a container",
        "~ Presets: Small, Large (default) · organization: acme",
        "plain",
        "~ Use one: `/task create template=docker PROMPT`.",
    ]
    assert message.text == (
        "Templates for tasks:\nUse one: `/task create template=docker PROMPT`.\n"
        "•  docker (Presets: Small, Large (default))\n•  plain"
    )


def test_no_templates() -> None:
    """The answer says whom to ask."""
    assert listing.template_list([]).text == (
        "There is no template for tasks that you may use. Whoever looks after Coder can give you one."
    )


def test_the_help_names_every_verb_that_works() -> None:
    """The help is made from the grammar. Verbs of a later version are left out."""
    message = listing.help_text()
    commands, options, thread = shown(message)[1:4]

    for verb in VERBS:
        assert (f"`/task {verb.usage}`" in commands) is (not verb.unsupported_hint)
    assert all(f"`{verb.usage}`" in thread for verb in THREAD_VERBS)
    assert all(f"`{option.name}=VALUE`" in options for option in CREATE_OPTIONS)
    assert list(buttons(message)) == ["New task"]
    assert faults(message) == []


@pytest.mark.parametrize(
    ("topic", "says"),
    [
        (
            "list",
            (
                "`/task list [mine|all|needs-me|working|done|failed|paused] [owner=NAME]`\n"
                "Tasks you may see, those that need you first.\n\nFor example: `/task list needs-me`"
            ),
        ),
        ("!edit", "`!edit TEXT` in a task's thread\nGive the paused task another prompt."),
        ("lst", "There is no verb “lst”. Did you mean `/task help list`?"),
        ("<frobnicate>", "There is no verb “&lt;frobnicate&gt;”. `/task help` lists them."),
    ],
)
def test_the_help_of_one_verb(topic: str, says: str) -> None:
    """The help has an example. For a mistyped verb it offers the nearest one."""
    assert listing.help_text(topic).text == says


def test_the_help_of_create_has_its_other_words_and_options() -> None:
    """People may be used to `new` and `run`."""
    lines = shown(listing.help_text("new"))

    assert lines[0].startswith("`/task create [options] PROMPT`\nStart a task here")
    assert lines[2] == "Also: `/task new`, `/task run`"
    assert lines[3].startswith("*Options of* `/task create`\n`template=VALUE`  the template to use")


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb.unsupported_hint], ids=lambda verb: verb.name
)
def test_a_verb_to_come_says_what_to_do_until_then(verb: object) -> None:
    """There is always a next step."""
    name, until = getattr(verb, "name", ""), getattr(verb, "unsupported_hint", "")

    assert listing.help_text(name).text.endswith(f"This is not there yet. {until}")


def test_a_full_page_of_the_longest_fits() -> None:
    """Ten tasks with the longest titles and owners fit, even when escaped."""
    longest = task(Phase.PAUSED, title="&" * 200, owner_name="&" * 200, name="a" * 32)

    message = listing.task_list([TaskLine(longest, THREAD)] * 12, coder_url=CODER, page=2, pages=3)
    templates = listing.template_list(
        [TemplateLine("&" * 99, "&" * 99, "&" * 999, "&" * 99, ("&" * 99,) * 9)] * 30
    )

    assert (faults(message), faults(templates)) == ([], [])


@settings(deadline=None)
@given(
    st.lists(st.tuples(anything, anything, st.sampled_from(Phase), st.booleans()), max_size=12),
    anything,
    st.integers(1, 9),
)
def test_whatever_tasks_are_called_slack_takes_the_list(
    named: list[tuple[str, str, Phase, bool]], filtered: str, page: int
) -> None:
    """A full page of the longest titles fits Slack's limits."""
    items = [
        TaskLine(task(phase, title=title, owner_name=owner), THREAD if has_thread else "")
        for title, owner, phase, has_thread in named
    ]

    message = listing.task_list(items, coder_url=CODER, page=page, pages=9, filtered=filtered)

    assert faults(message) == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(anything, anything, anything, st.lists(anything, max_size=5)), max_size=30), anything
)
def test_whatever_templates_and_verbs_are_called_slack_takes_it(
    named: list[tuple[str, str, str, list[str]]], topic: str
) -> None:
    """Any number of any words fits Slack's limits."""
    lines = [TemplateLine(name, title, about, name, tuple(presets)) for name, title, about, presets in named]

    assert faults(listing.template_list(lines)) == []
    assert faults(listing.help_text(topic)) == []
