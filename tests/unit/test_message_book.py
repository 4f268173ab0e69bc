"""docs/messages.md has every sentence of the bot, as the code writes it today."""

from tests.unit.message_book import PAGE, write_page


def test_the_page_of_all_messages_is_as_the_code_writes_them() -> None:
    """`python -m tests.unit.message_book` writes it again. Read what has changed as a tired person would."""
    assert PAGE.read_text() == write_page()
