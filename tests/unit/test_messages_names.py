"""The bot's texts show the name of a task as it is written, whatever marks are in the name."""

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.errors import UserError
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.text.message import AgentOutput, Block, Dialog, Message
from taskwire.domain.text.mrkdwn import is_blank, quote_names
from taskwire.messages import answers, cards, forms, logs, refusals
from taskwire.messages.blocks import clean_name, one_line
from tests.unit.message_examples import BOND, CODER, link
from tests.unit.message_view import faults

MARKED = "Use `main` in *all* of a_b & <c>"
SAID: list[Callable[[Link], Message]] = [
    answers.task_is_pausing,
    answers.task_is_resuming,
    answers.offer_delete_dialog,
    lambda named: answers.ask_to_pause_for_edit(named, "L1 k"),
    lambda named: logs.last_output(named.title, AgentOutput(answer="It works.")),
    lambda named: logs.steps(named.title, "▸ Read(a.py)"),
    lambda named: logs.steps_sent(named.title, "▸ Read(a.py)"),
    lambda named: logs.log_sent(named.title),
    lambda named: answers.thread_closed(named, "is_archived"),
    lambda named: answers.refusal(UserError(*refusals.task_gone(named.title))),
    lambda named: answers.refusal(UserError(*refusals.task_not_created_yet(named))),
]


@pytest.mark.parametrize(
    "nothing",
    [
        "\u3164",
        "\u115f",
        "\u1160",
        "\uffa0",
        "\u2800",
        "\u200b",
        "\u034f",
        "\u17b4",
        "\U00016fe4",
        "\U0001d159",
    ],
)
def test_a_name_of_characters_that_show_as_nothing_is_no_name(nothing: str) -> None:
    """A text of only such characters counts as empty, with blanks and line breaks too. Fillers within a text
    are removed, and many blanks count as one."""
    assert one_line(f" {nothing}\n{nothing * 40} ", 60) == ""
    assert clean_name(nothing * 3) == ""
    assert is_blank(f"\t{nothing}\n")
    assert BOND.prompt in cards.card(titled(nothing), coder_url=CODER).text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("fix\u3164 it", "fix it"),
        ("a\u115f\u1160b\uffa0c\U00016fe4", "abc"),
        (f"Done{chr(0x2800) * 80}!", "Done !"),
        ("\u2800 Done \U0001d159", "Done"),
        ("\uac00\u11a8 \u28ff", "\uac00\u11a8 \u28ff"),
    ],
)
def test_fillers_in_a_text_are_not_shown(text: str, shown: str) -> None:
    """Fillers are removed, and symbols that show as a blank become one. Letters and other Braille stay."""
    assert one_line(text, 60) == shown


def titled(title: str) -> Link:
    return link().model_copy(update={"record": BOND.model_copy(update={"title": title})})


def first(message: Message) -> Block:
    return message.blocks[0]


def pieces(block: Block) -> list[Block]:
    rows = cast("list[dict[str, list[Block]]]", block["elements"])
    return [piece for row in rows for piece in row["elements"]]


@pytest.mark.parametrize("say", SAID)
def test_a_name_with_marks_is_shown_as_it_is_written(say: Callable[[Link], Message]) -> None:
    """A task's name has marks of mrkdwn. A star in the name ends no bold text, and a backtick begins no
    code."""
    message = say(titled(MARKED))

    assert {"type": "text", "text": MARKED, "style": {"bold": True}} in pieces(first(message))
    assert faults(message) == []


@pytest.mark.parametrize("say", SAID)
def test_a_name_without_marks_is_bold_among_our_words(say: Callable[[Link], Message]) -> None:
    """A task's name has no marks of mrkdwn. The message shows the name in bold."""
    message = say(titled("Fix the login"))

    assert "*Fix the login*" in message.text
    assert first(message)["type"] == "section"


def test_what_stands_around_a_name_with_marks_is_what_it_was() -> None:
    """Code, bold text, times and channels around the name keep their format and their words."""
    message = answers.thread_closed(titled("*x*"), "is_archived")
    shown = [(piece["type"], piece.get("text"), piece.get("style")) for piece in pieces(first(message))]

    assert shown == [
        ("text", "I can't write in the thread of ", None),
        ("text", "*x*", {"bold": True}),
        ("text", " any more: ", None),
        ("channel", None, None),
        (
            "text",
            " is archived. The agent goes on. ",
            None,
        ),
        ("text", "/task attach fix-login-1a2b", {"code": True}),
        ("text", " in another channel moves the task.", None),
    ]
    assert quote_names(message.text).startswith("I can't write in the thread of “*x*” any more: <#C1>")


def test_a_card_that_says_why_there_is_no_task_shows_the_name_as_it_is_written() -> None:
    """The card of a task that was not created shows the stored reason. The name in this reason is shown as it
    is written."""
    why = str(UserError(*refusals.task_gone("*x*")))
    failed = titled("Fix the login").model_copy(update={"end_reason": "failed", "failure": why})

    notes = next(
        block for block in cards.card(failed, coder_url=CODER).blocks if block["block_id"] == "notes"
    )

    assert {"type": "text", "text": "*x*", "style": {"bold": True}} in pieces(notes)


def test_a_dialog_shows_the_name_as_it_is_written() -> None:
    """A dialog shows a name with marks as it is written, because a dialog has the same kinds of blocks as a
    message."""
    view = forms.notice_dialog(Dialog.DELETE, answers.refusal(UserError(*refusals.task_gone("*x*"))).text)
    [notice] = cast("list[Block]", view.content["blocks"])

    assert {"type": "text", "text": "*x*", "style": {"bold": True}} in pieces(notice)


@settings(deadline=None)
@given(title=st.text(alphabet="*_~`<>&|:\n ab@!\u202e", max_size=100))
def test_no_name_breaks_what_stands_around_it(title: str) -> None:
    """With any name, Slack accepts the message, and the text around the name is the same."""
    message = answers.task_is_pausing(titled(title))

    assert faults(message) == []
    assert quote_names(message.text).endswith(" A reply in its thread resumes it.")
