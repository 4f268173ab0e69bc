"""The Slack client refuses messages that Slack would damage without an error."""

import pytest

from taskwire.domain.text.message import Message
from taskwire.slack.drafts import (
    EDITED_TEXT_LENGTH,
    POSTED_TEXT_LENGTH,
    InvalidDraft,
    check_message,
    check_metadata,
)


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("", POSTED_TEXT_LENGTH),
        (" \n", POSTED_TEXT_LENGTH),
        ("x" * 40_001, POSTED_TEXT_LENGTH),
        ("x" * 4_001, EDITED_TEXT_LENGTH),
    ],
)
def test_a_text_is_there_and_not_too_long(text: str, most: int) -> None:
    with pytest.raises(InvalidDraft):
        check_message(Message(text=text), most)


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        ("taskwire message", {"id": "m1", "kind": "card"}),
        ("taskwire_message", {"id": "", "kind": "card"}),
        ("taskwire_message", {"id": "m1"}),
        ("taskwire_message", {"id": "m" * 8_000, "kind": "card"}),
    ],
)
def test_metadata_that_slack_would_drop_is_not_sent(event_type: str, payload: dict[str, str]) -> None:
    check_metadata("taskwire_message", {"id": "m1", "kind": "card", "task_id": "t1"})

    with pytest.raises(InvalidDraft):
        check_metadata(event_type, payload)
