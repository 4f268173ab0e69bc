"""A terminal of any width wraps lines, and the excerpt joins them again."""

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire_sandbox.coder.terminal import as_terminal_text
from tests.unit.screens import read_screen

FIRST = (
    "I looked at the handler of the login first, and then at everything that it calls. The address to which "
    "people are sent back was thrown away between the form and the session, so that each of them came to the "
    "start page, wherever they had been before they were asked for their password."
)
SECOND = (
    "The mend is small, since the form keeps the address, and the session takes it from there if it is one "
    "of our own. I added a test for both, and ran all the others; they pass. Shall I open a pull request, "
    "or do you want to look at the change yourself before anybody else does?"
)
TEXT = f"{FIRST} {SECOND}\n\n{SECOND} {FIRST}"


@pytest.mark.parametrize("columns", [*range(44, 200, 4), 67, 80])
def test_paragraphs_are_whole_again_at_any_width(columns: int) -> None:
    """A terminal of any width draws paragraphs with a bullet, an indent and padding. Each paragraph becomes
    one line again."""
    assert read_screen(as_terminal_text(TEXT, columns)) == TEXT


@pytest.mark.parametrize("columns", [50, 67, 80, 100, 132])
def test_a_list_is_whole_again_at_any_width(columns: int) -> None:
    """Each item of the list becomes one line again."""
    items = [f"- {FIRST} {SECOND}", f"- {SECOND} {FIRST}", "- And that is all."]
    shown = "\n".join(line for item in items for line in textwrap.wrap(item, columns, subsequent_indent="  "))

    assert read_screen(shown) == "\n".join(items)


@pytest.mark.parametrize("columns", [67, 80])
def test_two_lines_are_enough_at_the_widths_that_agents_have(columns: int) -> None:
    """Agents' terminals have 67 or 80 columns. At these widths, a paragraph of only two lines is joined."""
    text = "I fixed the redirect and added a test for it, and then I ran the whole suite twice."

    assert read_screen("\n".join(textwrap.wrap(text, columns))) == text


@pytest.mark.parametrize(
    "text",
    [
        "Added a test for the redirect of the login form\nMended the handler that throws away the address\n"
        "Updated the page about sessions and their cookies\nRemoved what nobody has called since last summer",
        "The tests pass now.\nThe change is small, and I have kept it apart from the others.\n"
        "You may want to look at the session as well.\nShall I go on with that?",
        "Roses are red and violets are blue,\nsugar is sweet, and so are you;\nthe night is long and the day "
        "is short,\nand nobody knows what the harbour ought.",
        "def check():\n    return client.get('/login?next=/home/of/the/person/who/signs/in')\n"
        "    # and that is all that there is to it in the end",
        "| name | what it does in the end |\n| one | it does nothing at all, really |\n| two | it too |",
    ],
)
def test_lines_that_somebody_broke_stay(text: str) -> None:
    """Lines stay separate if they end at different widths, begin with capitals, or are not prose."""
    assert read_screen(text) == text


BROKEN = (
    "{} the first of these two lines goes on for quite a while and\nthe second one goes on for as long, too"
)
KEYWORDS = (
    *("def", "class", "import", "return", "const", "let", "var", "func", "fn", "public", "private", "elif"),
    *("else", "async", "SELECT", "FROM"),
)


@pytest.mark.parametrize("word", KEYWORDS)
def test_a_line_that_begins_like_code_stays_a_line(word: str) -> None:
    """Two lines of a sentence are joined, unless the first line begins with a keyword of a programming
    language. Then the lines are perhaps code."""
    assert read_screen(BROKEN.format(word)) == BROKEN.format(word)
    assert read_screen(BROKEN.format("so")) == BROKEN.format("so").replace("\n", " ")


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(TEXT.replace("\n\n", " ").split()), min_size=40, max_size=120),
    st.integers(44, 160),
)
def test_words_in_any_order_are_whole_again(words: list[str], columns: int) -> None:
    """A wrapped paragraph of any words becomes one line again. Cleaning that line changes nothing."""
    text = " ".join(["so", *words])

    cleaned = read_screen(as_terminal_text(text, columns))

    assert read_screen(cleaned) == cleaned
    if len(text) > 8 * columns:
        assert cleaned == text
