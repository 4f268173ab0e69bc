"""The page docs/messages.md has every sentence of the bot, as the code writes it today."""

import re

from tests.unit.message_book import PAGE, write_page


def test_the_page_of_all_messages_is_as_the_code_writes_them() -> None:
    """If this fails, run `python -m tests.unit.message_book` and read the changed messages as a tired person
    would."""
    assert PAGE.read_text() == write_page()


def test_one_thing_has_one_word() -> None:
    """The messages use one word for each thing: a person stops a task, the task is paused, and a person's
    choice is a setting."""
    other_words = r"\bdirects? (?!message)|\bpreference|\bpause (?:it|them|this|the)\b|\[Pause"

    assert re.findall(rf".*(?:{other_words}).*", PAGE.read_text(), re.IGNORECASE) == []
