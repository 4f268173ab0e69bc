"""The question and the choices in an agent's answer."""

import pytest
from hypothesis import given, settings

from taskwire.domain.text.agent_questions import choices, headline
from taskwire.domain.text.markdown import parse

from .test_markdown import texts


@pytest.mark.parametrize(
    ("answer", "first", "rest"),
    [
        ("It works.\n\nShall I open a pull request?", "Shall I open a pull request?", ["It works."]),
        ("Shall I drop it now? Yes or no is enough.", "Shall I drop it now? Yes or no is enough.", []),
        (
            "Done. I opened the pull request. All is well.",
            "Done. I opened the pull request.",
            ["All is well."],
        ),
        ("# Summary\n\nIt works.", "Summary", ["It works."]),
        (
            "Why did it fail? The key was old.\n\nOne.\n\nTwo.\n\nThree.\n\nFour.",
            "Why did it fail? The key was old.",
            ["One.", "Two.", "Three.", "Four."],
        ),
        ("See `a.py` and **b**.", "See a.py and b.", []),
        ("```\nx\n```\n\nThat is all there is.", "That is all there is.", ["x"]),
        ("- one\n- two", "one", ["one", "two"]),
        ("Which one?\n\n1. main\n2. master", "Which one?", ["main", "master"]),
        ("Plan:\nDo it\nShall I?", "Shall I?", ["Plan:\nDo it"]),
        (
            "x " * 150 + "end. Shall I go on?",
            "Shall I go on?",
            [("x " * 150 + "end. Shall I go on?").strip()],
        ),
        ("```\nx\n```", "", ["x"]),
    ],
)
def test_the_question_or_else_the_first_sentence_comes_first(
    answer: str, first: str, rest: list[str]
) -> None:
    """The first line of a notice is the question in the agent's answer or, without a question, its first
    sentence. The rest of the answer follows, without that sentence."""
    found = headline(parse(answer))

    assert found.text == first
    assert [node.source for node in found.rest] == rest


@pytest.mark.parametrize(
    ("answer", "labels"),
    [
        ("Which branch?\n1. main\n2. master", ["1. main", "2. master"]),
        (
            "It can go two ways:\n1. **drop** it\n2. keep it\n\nWhich do you prefer?",
            ["1. drop it", "2. keep it"],
        ),
        (
            "One thing is yours to decide.\n  1. I drop it.\n  2. I keep it.\n\nShall I drop it?",
            ["1. I drop it.", "2. I keep it."],
        ),
        ("What should I do?\n\na) main\nb) master", ["a) main", "b) master"]),
        ("What should I do?\n\n- **A:** main\n- **B:** master", ["A) main", "B) master"]),
        ("Pick one, please?\n\n- Option 1: main\n- Option 2: master", ["1. main", "2. master"]),
        ("Do you want to proceed?\n\u276f 1. Yes\n  2. No", ["1. Yes", "2. No"]),
        (
            "What was wrong:\n1. the key\n2. the test\n\nShall I open a pull request?",
            [],
        ),
        ("Would you like me to:\n1. open a pull request\n2. stop", ["1. open a pull request", "2. stop"]),
        ("What I did:\n1. read\n2. wrote", []),
        ("Changes:\n1. read\n2. wrote\n\nWould you like me to push them?", []),
        ("Which branch?\n- main\n- master", []),
        ("Which branch?\n1. main\n\nNothing else.\n\nBye.", []),
        ("Which branch?\n2. main\n3. master", []),
        ("Which branch?\n1. main", []),
        ("", []),
    ],
)
def test_choices_at_the_end_are_found(answer: str, labels: list[str]) -> None:
    """A list counts as choices only if the text beside it asks the person to choose."""
    assert [choice.label for choice in choices(parse(answer))] == labels


def test_a_menu_of_the_terminal_takes_only_the_number() -> None:
    """For a menu of the agent's program, the reply is the number. For a list in the answer, the reply is the
    whole choice."""
    menu = choices(parse("Do you want to proceed?\n\u276f 1. Yes\n  2. No"))
    text = choices(parse("Which branch?\n1. main\n2. master"))

    assert [choice.reply for choice in menu] == ["1", "2"]
    assert [choice.reply for choice in text] == ["1. main", "2. master"]


@settings(deadline=None)
@given(texts)
def test_any_answer_has_a_first_line_and_distinct_choices(answer: str) -> None:
    """For any text, the result has one first line. It has no choices, or at least two different choices."""
    nodes = parse(answer)
    found, offered = headline(nodes), choices(nodes)

    assert "\n" not in found.text
    assert len(offered) != 1
    assert len({choice.label for choice in offered}) == len(offered)
