"""docs/messages.md has every sentence of the bot, as the code writes it today."""

import re

from tests.unit.message_book import PAGE, write_page


def test_the_page_of_all_messages_is_as_the_code_writes_them() -> None:
    """`python -m tests.unit.message_book` writes it again. Read what has changed as a tired person would."""
    assert PAGE.read_text() == write_page()


def test_one_thing_has_one_word() -> None:
    """A person stops a task, and it is paused then; who may steer it, steers; a choice is a setting."""
    other_words = r"\bdirects? (?!message)|\bpreference|\bpause (?:it|them|this|the)\b|\[Pause"

    assert re.findall(rf".*(?:{other_words}).*", PAGE.read_text(), re.IGNORECASE) == []
