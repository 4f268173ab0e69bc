"""What is printed in a terminal hides nothing."""

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire.domain.text.printed import escape_unseen, put_on_one_line

UNSEEN = [
    character
    for character in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(character) in ("Cc", "Cf", "Cn", "Cs", "Zl", "Zp") and character not in "\n\t"
] + [*"\u034f\u115f\u1160\u17b4\u180b\u2800\u3164\ufe00\ufe0f\uffa0\U00016fe4\U0001d159\U000e0100"]


def test_no_character_that_nobody_sees_is_printed() -> None:
    """Control characters, format characters, separators and fillers are escapes, also between letters."""
    printed = escape_unseen("".join(f"a{character}" for character in UNSEEN))

    assert not set(printed) & set(UNSEEN)


@pytest.mark.parametrize("mark", ["\u0301", "\u0336", "\u0483", "\u20dd"])
def test_a_mark_that_no_letter_carries_is_an_escape(mark: str) -> None:
    """It would be drawn over a blank or over the character before it. The fourth mark of a letter is none of
    its own either."""
    escape = f"\\u{ord(mark):04x}"

    assert escape_unseen(f"{mark}a {mark}:{mark}\n{mark}") == f"{escape}a {escape}:{escape}\n{escape}"
    assert escape_unseen(f"a{mark * 5}") == f"a{mark * 3}{escape * 2}"


@pytest.mark.parametrize(
    "name", ["Zoe\u0308", "हिन्दी", "ที่นี่", "Nguye\u0302\u0303n", "山田 太郎", "שָׁלוֹם", "a\tb\nc", "🙂"]
)
def test_names_of_all_scripts_are_printed_as_they_are(name: str) -> None:
    """The marks of their letters are no escapes."""
    assert escape_unseen(name) == name


@given(st.text(st.characters(), max_size=60))
def test_json_stays_the_same_json(text: str) -> None:
    """A program reads the same text from the output with --json."""
    assert json.loads(escape_unseen(json.dumps(text, ensure_ascii=False))) == text


@given(st.text(max_size=60))
def test_an_entry_is_one_line(text: str) -> None:
    """Whatever a name holds, no program takes the entry for two."""
    assert len(escape_unseen(put_on_one_line(f"x{text}")).splitlines()) == 1
