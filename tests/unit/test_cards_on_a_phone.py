"""A card has seven lines at most on a phone. Its texts are cut only if there are too few lines for them."""

import json
import re
import textwrap
from unicodedata import east_asian_width

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.text.message import Message
from taskwire.messages import cards
from tests.unit.message_examples import BOND, CODER, FORGES, NOON_MS, OPENED, anything, link
from tests.unit.message_view import faults, shown


def phone_lines(message: Message) -> int:
    """Count the lines of a card on a phone. A line has 42 normal letters, 39 in a quotation, 40 bold or
    49 small ones."""
    texts = [
        (str(block["block_id"]), text) for block, text in zip(message.blocks, shown(message), strict=True)
    ]
    return sum(1 if name.startswith("buttons") else wrapped(name, wide(text)) for name, text in texts)


def wrapped(name: str, text: str) -> int:
    """Count the lines of a block. A line does not break within a fact that fits on one line."""
    if name == "facts":
        text = " ".join(each.replace(" ", "\u00a0") for each in text.split(" · "))
    width = {"facts": 49, "prompt": 39, "title": 40}.get(name, 42)
    return len(textwrap.wrap(text, width, break_on_hyphens=False)) or 1


def wide(text: str) -> str:
    """Write each letter that is as wide as two as two letters, and leave out a link's address. A phone shows
    an age as words."""
    text = re.sub(r"<!date[^>]*>", "Yesterday at 14:50", text.replace("{ago}", "30 minutes ago"))
    text = re.sub(r"^:[a-z_]+:", "xx", re.sub(r"^> ", "", re.sub(r"^~ |<http[^|>]*\|", "", text)))
    return "".join("xx" if east_asian_width(letter) in "WF" else letter for letter in text)


def card(drawn: Link) -> Message:
    return cards.card(drawn, coder_url=CODER, forges=FORGES)


FACTS = {"title": "Upgrade the project to Python 3.14", "template": "Tasks on Docker"}
NAME = {"prompt": "", "preset": "", "name": "upgrade-the-project-to-73783b"}


@pytest.mark.parametrize(
    ("update", "facts"),
    [
        ({}, "~ Alice Adams · Tasks on Docker · `upgrade-the-project-to-73783b`"),
        ({"is_muted": True}, "~ Alice Adams · Tasks on Docker · `upgrade-the-project-to-73783b` · muted"),
        ({"is_mention_only": True}, "~ Alice Adams · `upgrade-the-project-to-73783b`"),
    ],
)
def test_nothing_is_cut_on_a_card_that_fits_a_phone(update: dict[str, bool], facts: str) -> None:
    """Title, report and time are whole. If a note needs two lines, the template is left out for it."""
    reported = OPENED.model_copy(update={"message": "Mending warning 1 of 24", "uri": ""})
    drawn = link(Phase.WORKING, reported)
    record = drawn.record.model_copy(update=FACTS | NAME)

    message = card(drawn.model_copy(update={"record": record, **update}))

    assert shown(message)[:3] == [
        "Upgrade the project to Python 3.14",
        ":gear: Working · “Mending warning 1 of 24” · started {ago}",
        facts,
    ]


def test_an_owner_is_cut_before_the_report() -> None:
    """A card has a note of two lines and a task with a long name. The report and the time are whole."""
    reported = OPENED.model_copy(update={"message": "Mending warning 1 of 24", "uri": ""})
    drawn = link(Phase.WORKING, reported)
    record = drawn.record.model_copy(update=FACTS | NAME | {"name": "find-out-why-the-checkout-e26f86"})

    message = card(drawn.model_copy(update={"record": record, "is_mention_only": True}))

    assert shown(message)[1:3] == [
        ":gear: Working · “Mending warning 1 of 24” · started {ago}",
        "~ Alice… · `find-out-why-the-checkout-e26f86`",
    ]


def test_the_longest_text_of_a_card_is_cut_first() -> None:
    """Title and report are both too long. Both keep two lines, and the time stays."""
    reported = OPENED.model_copy(update={"message": "Split the name into two columns; " * 4, "uri": ""})
    drawn = link(Phase.DONE, reported)
    title = "Split the customer name into two columns and update each report of ours that reads them"
    state = drawn.state.model_copy(update={"started_ms": NOON_MS, "since_ms": NOON_MS + 14_000})
    record = drawn.record.model_copy(update=FACTS | NAME | {"title": title})

    message = card(drawn.model_copy(update={"record": record, "state": state}))

    assert shown(message)[:3] == [
        "Split the customer name into two columns and update each report of ours that…",
        ":white_check_mark: Done · “Split the name into two columns; Split the name into…” · took 14\u00a0s",
        "~ Alice Adams · Tasks on Docker · `upgrade-the-project-to-73783b`",
    ]


@settings(deadline=None)
@given(anything, anything, anything, anything, st.sampled_from(Phase), st.booleans(), st.booleans())
def test_whatever_people_and_agents_write_slack_takes_the_card(
    title: str, prompt: str, message: str, preset: str, phase: Phase, is_made: bool, is_away: bool
) -> None:
    """With any text, the card is within Slack's limits, mentions nobody, and has at most seven lines on a
    phone."""
    report = OPENED.model_copy(update={"message": message, "uri": message})
    update = {"title": title, "prompt": prompt, "preset": preset, "task_id": "t-1" if is_made else None}
    record, since_ms = BOND.model_copy(update=update), NOON_MS if is_away else None
    drawn = link(phase, report).model_copy(update={"record": record, "is_muted": is_made})

    made = cards.card(drawn, coder_url=CODER, forges=FORGES, unreachable_since_ms=since_ms, is_open=is_made)

    assert faults(made) == []
    assert phone_lines(made) <= 7
    assert not is_made or phase is Phase.GONE or any("`fix-login-1a2b`" in text for text in shown(made))
    assert not any(call in made.text + json.dumps(made.blocks) for call in ("<!channel", "<!here", "<@U"))
