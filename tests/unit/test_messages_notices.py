"""Notices: the text of each notice, and the people whom it mentions. Text from outside stays plain text."""

import json
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.ids import UserId
from taskwire.domain.lifecycle.events import Notice, NoticeKind
from taskwire.domain.lifecycle.phases import Report
from taskwire.domain.text.message import AgentOutput, Message
from taskwire.messages import notices
from taskwire.messages.shapes import close_question
from tests.unit.message_examples import CODER, FORGES, OPENED, anything, link
from tests.unit.message_view import buttons, faults, shown
from tests.unit.test_messages_answer_blocks import hostile

answers = st.one_of(
    anything,
    hostile,
    st.builds(
        lambda lead, one, other: f"{lead}\n\nWhich one?\n\n1. {one}\n2. {other}", hostile, hostile, hostile
    ),
)
KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)
BOB = UserId("U2")


def told(kind: NoticeKind, report: Report | None = None, by: UserId | None = None, **more: object) -> Message:
    notice = Notice(kind=kind, id=f"{kind}:1", report=report, person=by, build=1)
    return notices.notice(link(), notice, coder_url=CODER, forges=FORGES, **more)  # type: ignore[arg-type]  # keywords are passed on


def test_without_an_answer_the_report_comes_first() -> None:
    """The agent has written no answer, only a report. The first line of the notice is the report, and the
    notice does not call it a question."""
    message = told("needs_input", OPENED, calls=(UserId("U1"), BOB))

    assert message.text == (
        "<@U1> <@U2> Opened PR #12.\nNeeds you: Fix the login. Reply here to go on. "
        "https://git.example.com/acme/site/pull/12"
    )
    assert shown(message) == [
        "<@U1> <@U2> :raising_hand: Opened PR #12",
        "Reply here to go on.",
        "[View pull request] [Open in Coder] [Logs]",
    ]


def test_the_line_about_a_pause_offers_no_resume_that_is_under_way() -> None:
    """Somebody has asked for the resume before the line was posted. Then a reply is not needed for it."""
    paused = Notice(kind="paused", id="paused:1", build=1)

    assert notices.person_line(link(), paused, "Alice").text == "Paused by Alice. A reply resumes it."
    assert notices.person_line(link(), paused, "Alice", is_resuming=True).text == "Paused by Alice."


def test_an_older_notice_of_a_pause_only_loses_what_it_offers() -> None:
    """A newer notice follows a notice of a pause. The older notice loses the buttons that act, and its text
    stays the same."""
    message = close_question(told("paused"), "")

    assert message.text == "Paused: Fix the login. The workspace was stopped in Coder."
    assert shown(message) == [
        ":double_vertical_bar: Paused: Fix the login",
        "The workspace was stopped in Coder.",
        "[Open in Coder]",
    ]


def test_a_finished_task_shows_its_answer_its_steps_and_its_result() -> None:
    """The notice of a finished task begins with the first sentence of the agent's answer. The rest of the
    answer follows, then the number of steps and tests, then a button with the pull request."""
    written = AgentOutput(
        answer="I changed `login.py` for good. See **it**:\n\n```py\nx = 1\n```",
        full_text="…",
        steps_text="▸ Edit(login.py)",
        step_count=3,
        tests_passed=1,
    )

    message = told("completed", OPENED, written=written, key="k1")

    assert shown(message) == [
        ":white_check_mark: I changed login.py for good.",
        "See it:\n``` x = 1",
        "~ This is the beginning. The file in this thread has all of it.",
        "3 steps · 1 test passed",
        "Reply here if there is more to do.",
        "[View pull request] [Open in Coder]",
    ]
    assert buttons(message)["View pull request"]["style"] == "primary"
    assert message.text == (
        "I changed login.py for good.\nDone: Fix the login. Reply here if there is more to do. "
        "https://git.example.com/acme/site/pull/12"
    )


def test_what_an_agent_wrote_is_shown_as_text_if_it_is_no_answer() -> None:
    """The agent wrote output but no answer. The notice shows the end of the output, and says where the whole
    output is."""
    message = told("completed", OPENED, written=AgentOutput(text="\nI changed `login.py`.\n", full_text="…"))

    assert shown(message)[:3] == [
        ":white_check_mark: Opened PR #12",
        "``` I changed `login.py`.",
        "~ This is the end of what it wrote; the file in this thread has all of it.",
    ]


def test_choices_are_buttons_that_fit() -> None:
    """Each choice of a question is a button. A long label is cut. Each button has its own id, because Slack
    refuses equal ids in a row."""
    answer = "Which one?\n\n" + "\n".join(f"{number}. {'very ' * 30}long" for number in range(1, 9))

    message = told("needs_input", written=AgentOutput(answer=answer), key="k1")

    rows = [block for block in message.blocks if block["block_id"] == "choices"]
    assert len(rows) == 1
    assert faults(message) == []
    assert [each["value"] for each in buttons(message).values() if "value" in each][-1] == "L1 k1:7"
    assert message.text.endswith("Choose, or reply here.")


@pytest.mark.parametrize(
    ("steps", "passed", "failed", "says"),
    [
        (1, 0, 0, "1 step"),
        (9, 127, 0, "9 steps · 127 tests passed"),
        (2, 126, 1, "2 steps · 1 of 127 tests failed"),
        (2, 0, 3, "2 steps · 3 of 3 tests failed"),
    ],
)
def test_the_steps_are_counted(steps: int, passed: int, failed: int, says: str) -> None:
    """The line with the number of steps also has the result of the last test run."""
    assert (
        notices.count_steps(AgentOutput(step_count=steps, tests_passed=passed, tests_failed=failed)) == says
    )


def test_a_broken_task_shows_the_end_of_its_build() -> None:
    """The notice of a failed build has *Retry* and the last lines of the build's log, which give the
    reason."""
    log = "".join(f"line {n}\n" for n in range(1_000)) + "Error: quota exceeded"

    message = told("error", build_log=log)

    lines = shown(message)
    assert lines[:3] == [
        ":warning: Broken: Fix the login",
        "The workspace is broken, so the agent can't work.",
        "~ The end of the build's log:",
    ]
    assert lines[3].startswith("``` …\nline ")
    assert lines[3].endswith("Error: quota exceeded")
    assert lines[4:] == [
        ("*Retry* starts the workspace again. If that fails, show this to a Coder administrator."),
        "[Retry] [Open in Coder]",
    ]


@pytest.mark.parametrize(
    ("kind", "by", "by_name", "reason", "says"),
    [
        ("paused", None, "", "", "The workspace was stopped in Coder."),
        (
            "paused",
            None,
            "",
            "idle timeout",
            "Nothing happened for a while, so Coder stopped its workspace.",
        ),
        (
            "paused",
            None,
            "",
            "task_auto_pause",
            "Nothing happened for a while, so Coder stopped its workspace.",
        ),
        (
            "paused",
            None,
            "",
            "dormancy",
            "It was not used for a long time, so Coder stopped its workspace.",
        ),
        ("resumed", None, "", "", "The workspace is running."),
        ("gone", None, "", "", "The task is no longer in Coder."),
        ("gone", BOB, "bob", "", "bob deleted it."),
    ],
)
def test_what_happened_is_said_in_a_sentence(
    kind: NoticeKind, by: UserId | None, by_name: str, reason: str, says: str
) -> None:
    """A notice says in one sentence what happened. The sentence gives the reason and the person, if these are
    known. It has the person's name and no mention of the person."""
    message = told(kind, by=by, by_name=by_name, pause_reason=reason)

    assert shown(message)[1] == says
    assert says in message.text
    assert "<@" not in message.text + json.dumps(message.blocks)


@pytest.mark.parametrize(
    ("kind", "follow", "labels"),
    [
        ("needs_input", "Reply here to go on.", ["Open in Coder", "Logs"]),
        ("completed", "Reply here if there is more to do.", ["Open in Coder"]),
        ("failed", "Reply here to tell the agent how to go on.", ["Open in Coder", "Logs"]),
        ("paused", "Nothing is lost: a reply resumes it.", ["Resume", "Edit prompt", "Open in Coder"]),
        ("resumed", "Reply here to talk to the agent.", ["Open in Coder"]),
        (
            "stuck",
            "Look at *Logs*, or *Stop* the task.",
            ["Stop", "Logs", "Open in Coder"],
        ),
        (
            "reminder",
            "The agent has waited for 0 s. Reply here, or let me remind you later.",
            ["Answer", "Remind me in 1 h", "Remind me tomorrow", "Open in Coder"],
        ),
        ("gone", "No agent gets replies here now.", ["New task"]),
    ],
)
def test_each_notice_says_what_to_do_next(kind: NoticeKind, follow: str, labels: list[str]) -> None:
    """Each notice says in words what to do next and, if possible, has a button for it."""
    message = told(kind)

    assert follow in shown(message)
    assert message.text.endswith(follow)
    assert list(buttons(message)) == labels


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("needs_input", "The agent stopped and said nothing."),
        ("completed", "The agent says that it is done."),
        ("failed", "The agent says that it failed."),
    ],
)
def test_an_agent_that_wrote_nothing_is_still_told_of(kind: NoticeKind, says: str) -> None:
    """The agent has neither an answer nor a report, and the notice is still complete."""
    assert told(kind).text.startswith(f"{says}\n")


def test_an_excerpt_that_is_too_long_keeps_its_end() -> None:
    """The excerpt of a notice is too long. The notice keeps its end, which matters most, and says how to get
    the whole text."""
    message = told("completed", written=AgentOutput(text="x" * 50_000 + "\nthe end"))

    assert shown(message)[1].endswith("\nthe end")
    assert shown(message)[2] == "~ This is the end of what it wrote; `!logs full` sends you all of it."


@settings(deadline=None)
@given(
    st.sampled_from(KINDS),
    anything,
    anything,
    anything,
    answers,
    anything,
    anything,
    st.booleans(),
    st.sets(st.integers(0, 60)),
)
def test_whatever_is_written_slack_takes_the_notice_and_nobody_else_is_called(
    kind: NoticeKind,
    title: str,
    report: str,
    excerpt: str,
    answer: str,
    log: str,
    name: str,
    is_cut: bool,
    people: set[int],
) -> None:
    """With any text, the notice is within Slack's limits. It mentions only the given people, at the start of
    its first line."""
    calls = tuple(UserId(f"U{number:08}") for number in sorted(people))
    named = link().model_copy(update={"record": link().record.model_copy(update={"title": title})})
    notice = Notice(kind=kind, id="n", report=OPENED.model_copy(update={"message": report}), person=BOB)

    made = notices.notice(
        named,
        notice,
        coder_url=CODER,
        written=AgentOutput(
            answer=answer[:3_000], text=excerpt, full_text="…" if is_cut else "", steps_text="…", step_count=3
        ),
        key="k1",
        build_log=log,
        by_name=name,
        calls=calls,
    )

    front = "".join(f"<@{user}> " for user in calls)
    rest = made.text.removeprefix(front)
    assert faults(made) == []
    assert made.text.startswith(front)
    assert not any(call in rest + json.dumps(made.blocks) for call in ("<!channel", "<!here", "<@U"))
    assert [json.dumps(block).count('"user"') for block in made.blocks][1:] == [0] * (len(made.blocks) - 1)
