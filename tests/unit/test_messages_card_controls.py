"""The controls of a card in each phase, and what the card shows while a control's action runs."""

from typing import cast

import pytest

from taskwire.domain.lifecycle.links import Link
from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.text.message import Block, Message
from taskwire.messages import cards
from tests.unit.message_examples import CODER, FORGES, STATUS_OF_PHASE, link
from tests.unit.message_view import buttons, faults, shown


def card(drawn: Link) -> Message:
    return cards.card(drawn, coder_url=CODER, forges=FORGES)


# The entries of the menu in every phase.
COMMON = ("Watch", "Mute", "New like this", "Share", "Detach", "Delete")


@pytest.mark.parametrize(
    ("phase", "status", "labels"),
    [
        (Phase.STARTING, "initializing", ["Stop", "Open in Coder", *COMMON]),
        (Phase.WORKING, "active", ["Stop", "Open in Coder", "Follow", "Logs", *COMMON]),
        (Phase.NEEDS_YOU, "active", ["Answer", "Stop", "Open in Coder", "Logs", *COMMON]),
        (Phase.DONE, "active", ["Open in Coder", "Logs", *COMMON]),
        (Phase.FAILED, "active", ["Reply", "Open in Coder", "Logs", *COMMON]),
        (Phase.PAUSING, "unknown", ["Open in Coder", "Logs", *COMMON]),
        (Phase.UNCLEAR, "unknown", ["Open in Coder", *COMMON]),
        (Phase.PAUSED, "paused", ["Resume", "Open in Coder", "Logs", "Edit prompt", *COMMON]),
        (Phase.BROKEN, "error", ["Retry", "Open in Coder", *COMMON]),
        (Phase.GONE, "paused", []),
        (Phase.OTHER, "hibernating", ["Open in Coder", *COMMON]),
    ],
)
def test_each_phase_has_the_controls_that_make_sense(phase: Phase, status: str, labels: list[str]) -> None:
    """On a card, the first control is what the phase needs. Then come *Stop*, while an agent runs, and the
    menu. Each control has the link's id."""
    message = card(link(phase, None, status))
    found = buttons(message)

    assert list(found) == labels
    assert all(str(found[label]["value"]).split()[-1] == "L1" for label in labels)
    assert faults(message) == []


def test_each_entry_of_the_menu_says_what_it_does() -> None:
    """Three entries sound alike: *Follow*, *Watch* and *Mute*. Each entry says its effect in a few words."""
    found = buttons(card(link(Phase.WORKING, None, "active")))

    described = {label: entry["description"] for label, entry in found.items() if "description" in entry}
    effects = {label: cast("Block", words)["text"] for label, words in described.items()}

    assert effects == {
        "Open in Coder": "the task's page, with its terminal",
        "Follow": "show what it writes, live",
        "Logs": "what it wrote last",
        "Watch": "call me too, beside its owner",
        "Mute": "for everybody: call nobody",
        "New like this": "the form, filled the same",
        "Share": "let others steer it",
        "Detach": "unlink this thread, keep the task",
        "Delete": "the task and its workspace",
    }


def test_an_open_question_can_be_answered_during_a_pause() -> None:
    """If a paused task has an open question, its card has *Answer*, because an answer resumes the task."""
    paused = link(Phase.PAUSED, None, "paused")
    asking = paused.model_copy(
        update={"state": paused.state.model_copy(update={"paused_from": Phase.NEEDS_YOU})}
    )

    assert list(buttons(card(asking)))[:2] == ["Answer", "Resume"]


@pytest.mark.parametrize(
    ("pending", "phase", "label", "controls"),
    [
        ("pause job", Phase.WORKING, ":double_vertical_bar: Pausing…", []),
        ("pause job", Phase.NEEDS_YOU, ":double_vertical_bar: Pausing…", ["Answer"]),
        ("pause job", Phase.PAUSED, ":double_vertical_bar: Paused", ["Resume"]),
        ("resume job", Phase.PAUSED, ":arrow_forward: Resuming…", []),
        ("resume job", Phase.WORKING, ":gear: Working", ["Stop"]),
        ("retry job", Phase.BROKEN, ":arrow_forward: Retrying…", []),
        ("delete job", Phase.FAILED, ":wastebasket: Deleting…", []),
        ("dance job", Phase.FAILED, ":x: Failed", ["Reply"]),
    ],
)
def test_an_action_that_is_being_carried_out_is_shown_until_its_effect_is(
    pending: str, phase: Phase, label: str, controls: list[str]
) -> None:
    """After a press, the card shows the action at once, for example *Pausing…*, although Coder has not
    answered yet. Controls that the bot would refuse meanwhile are missing until the action is done."""
    drawn = card(
        link(phase, None, STATUS_OF_PHASE.get(phase, "active")).model_copy(update={"pending": pending})
    )
    found = list(buttons(drawn))

    assert shown(drawn)[1].partition(" · ")[0] == label
    assert found[: found.index("Open in Coder")] == controls
    assert ("Edit prompt" in found) == (controls == ["Resume"])
    assert ("Follow" in found) == (controls == ["Stop"])
    assert ("Delete" in found) == (not pending.startswith("delete"))
