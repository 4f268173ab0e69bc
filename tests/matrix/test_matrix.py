"""When people of every kind try every act, the results are those of the tables."""

from dataclasses import replace
from pathlib import Path

import pytest

from taskwire.domain.text.message import Button
from taskwire.slack.inbound import Click, parse_click

from .actors import MODES, Mode
from .acts import is_same_verb, list_acts
from .table import file_of, list_first_acts, make_table

TS = "1700000000.000100"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.timeout(600)
async def test_everybody_may_do_what_the_table_says(tmp_path: Path, empty_store_url: str, mode: Mode) -> None:
    """For each act, each person gets the result that the table of this mode says. A new verb, button, dialog
    or event is in no table, so this test fails."""
    table = await make_table(tmp_path, empty_store_url, mode)

    assert table == file_of(mode).read_text(), "if this is right: python -m tests.matrix"


def test_the_table_has_every_act_and_everybody() -> None:
    """The table of mode `service` has every act. It has many acts that somebody may do, and many that are
    refused to a guest."""
    table = file_of("service").read_text()

    assert {line.rpartition("  [")[0] for line in table.splitlines() if line.endswith("]")} >= {
        str(act) for act in list_acts()
    }
    assert len(set(list_first_acts(table))) >= 8
    assert table.count("\n  + ") > 40
    assert table.count("\n  - guest") > 80


@pytest.mark.parametrize("button", [button for button in Button if button is not Button.MENU])
def test_a_choice_in_a_menu_and_a_press_at_home_are_read_as_a_press(button: Button) -> None:
    """A choice in a menu and a press in the Home tab are handled as a press of a button, so the tables list
    each button once."""
    pressed = _press({"action_id": button.value, "value": "link key"})
    chosen = _press({"action_id": Button.MENU.value, "selected_option": {"value": f"{button} link key"}})
    at_home = _press({"action_id": button.value, "value": "link key"}, channel="")

    assert replace(chosen, is_card_menu=False) == pressed
    assert replace(at_home, channel=pressed.channel) == pressed


def test_verbs_mean_the_same_after_a_mention() -> None:
    """A verb means the same after `!` and after a mention of the bot, so the tables list each verb once.
    Exception: after a mention, `edit` with more words is no verb."""
    assert is_same_verb("pause")
    assert is_same_verb("share <@{friend}>")
    assert not is_same_verb("edit other words")


def _press(action: dict[str, object], channel: str = "C0GENERAL") -> Click:
    body = {
        "user": {"id": "U0ALICE"},
        "trigger_id": "1.2.3",
        "container": {"type": "message" if channel else "view"},
        "actions": [{"action_ts": TS, **action}],
    }
    if channel:
        body["channel"] = {"id": channel}
    click = parse_click(body)
    assert isinstance(click, Click)
    return click
