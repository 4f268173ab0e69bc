"""The stand-in for Slack accepts the kinds of blocks and dialogs that Taskwire uses. It refuses those that
are larger than Slack allows."""

import pytest
from pydantic import JsonValue

from taskwire.domain.text.message import Block
from taskwire_sandbox.slack.block_rules import HOME, MESSAGE, MODAL, problems, view_problems


def plain(length: int) -> Block:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length: int) -> Block:
    return {"type": "mrkdwn", "text": "x" * length}


def button(number: int = 0, **more: JsonValue) -> Block:
    made: Block = {"type": "button", "action_id": f"a{number}", "text": plain(5)}
    return made | more


def option(value: int | str, length: int = 5) -> Block:
    return {"text": plain(length), "value": str(value)}


def actions(*elements: JsonValue) -> Block:
    return {"type": "actions", "elements": list(elements)}


def rich(kind: str, *elements: JsonValue, **more: JsonValue) -> Block:
    part: Block = {"type": kind, "elements": list(elements)}
    return {"type": "rich_text", "elements": [part | more]}


def run(length: int) -> Block:
    return {"type": "text", "text": "x" * length}


def select(options: int = 1, **more: JsonValue) -> Block:
    choices: list[JsonValue] = [option(number) for number in range(options)]
    made: Block = {"type": "static_select", "action_id": "s", "options": choices}
    return made | more


def divider(**more: JsonValue) -> Block:
    made: Block = {"type": "divider"}
    return made | more


FITS: dict[str, Block] = {
    "section": {"type": "section", "text": mrkdwn(3000)},
    "fields": {"type": "section", "fields": [mrkdwn(1100)] * 10},
    "field": {"type": "section", "fields": [plain(2000)]},
    "accessory": {"type": "section", "text": plain(1), "accessory": button(url="https://a.test")},
    "header": {"type": "header", "text": plain(150)},
    "divider": {"type": "divider", "block_id": "b" * 255},
    "context": {"type": "context", "elements": [mrkdwn(1000)] * 10},
    "image": {"type": "image", "image_url": "https://a.test/b.png", "alt_text": "x" * 2000},
    "actions": actions(*(button(number) for number in range(25))),
    "button": actions(button(value="x" * 2000, style="danger", url="x" * 3000)),
    "confirm": actions(
        button(confirm={"title": plain(100), "text": mrkdwn(300), "confirm": plain(30), "deny": plain(30)})
    ),
    "select": actions(select(100, placeholder=plain(150))),
    "overflow": actions({"type": "overflow", "action_id": "o", "options": [option(1), option(2)]}),
    "markdown": {"type": "markdown", "text": "x" * 12_000},
    "code": rich("rich_text_preformatted", run(6000), border=0, language="diff"),
    "line": rich(
        "rich_text_section",
        run(1) | {"style": {"bold": True}},
        {"type": "link", "url": "https://a.test", "text": "here"},
        {"type": "user", "user_id": "U1"},
        {"type": "emoji", "name": "gear"},
    ),
    "list": rich(
        "rich_text_list",
        {"type": "rich_text_section", "elements": [run(3)]},
        style="bullet",
        indent=1,
    ),
    "quote": rich("rich_text_quote", run(5)),
}

BREAKS: dict[str, Block] = {
    "section": {"type": "section", "text": mrkdwn(3001)},
    "empty text": {"type": "section", "text": plain(0)},
    "neither": {"type": "section"},
    "11 fields": {"type": "section", "fields": [mrkdwn(1)] * 11},
    "field": {"type": "section", "fields": [plain(2001)]},
    "header": {"type": "header", "text": plain(151)},
    "header in mrkdwn": {"type": "header", "text": mrkdwn(5)},
    "block_id": {"type": "divider", "block_id": "b" * 256},
    "context": {"type": "context", "elements": [mrkdwn(1)] * 11},
    "no context": {"type": "context", "elements": []},
    "no alt text": {"type": "image", "image_url": "https://a.test/b.png"},
    "26 actions": actions(*(button(number) for number in range(26))),
    "same action twice": actions(button(1), button(1)),
    "no actions": actions(),
    "button text": actions(button() | {"text": plain(76)}),
    "button in mrkdwn": actions(button() | {"text": mrkdwn(5)}),
    "button value": actions(button(value="x" * 2001)),
    "empty value": actions(button(value="")),
    "button style": actions(button(style="green")),
    "action_id": actions(button() | {"action_id": "x" * 256}),
    "101 options": actions(select(101)),
    "no options": actions({"type": "static_select", "action_id": "s"}),
    "option text": actions(select() | {"options": [option(1, 76)]}),
    "option value": actions(select() | {"options": [option("x" * 151)]}),
    "6 in an overflow": actions({"type": "overflow", "action_id": "o", "options": [option(1)] * 6}),
    "markdown": {"type": "markdown", "text": "x" * 12_001},
    "unknown block": {"type": "alert", "text": plain(5)},
    "unknown element": actions({"type": "lever", "action_id": "l"}),
    "unknown key": {"type": "divider", "colour": "red"},
    "null": {"type": "section", "text": mrkdwn(1), "block_id": None},
    "no type": {"text": plain(5)},
    "list without style": rich("rich_text_list", {"type": "rich_text_section", "elements": [run(1)]}),
    "empty run": rich("rich_text_section", run(0)),
}


@pytest.mark.parametrize("name", FITS)
def test_a_block_at_its_limits_is_taken(name: str) -> None:
    assert problems([FITS[name]], MESSAGE) == []


@pytest.mark.parametrize("name", BREAKS)
def test_a_block_beyond_a_limit_is_refused(name: str) -> None:
    assert problems([BREAKS[name]], MESSAGE) != []


def test_a_message_has_at_most_50_blocks() -> None:
    assert problems([divider()] * 50, MESSAGE) == []
    assert problems([divider()] * 51, MESSAGE) != []


def test_a_block_id_is_used_once_in_a_message() -> None:
    assert problems([divider(block_id="b")], MESSAGE) == []
    assert problems([divider(block_id="b")] * 2, MESSAGE) != []


def asked(element: Block, block_id: str = "q") -> Block:
    return {"type": "input", "block_id": block_id, "label": plain(5), "element": element}


TYPED: Block = {"type": "plain_text_input", "action_id": "t"}
MODAL_VIEW: Block = {
    "type": "modal",
    "callback_id": "create",
    "title": plain(24),
    "submit": plain(24),
    "close": plain(24),
    "private_metadata": "x" * 3000,
    "blocks": [
        asked(TYPED | {"multiline": True, "initial_value": "x" * 3000, "max_length": 3000}, "prompt"),
        asked(select(2, initial_option=option(1)), "template"),
        asked(
            {"type": "conversations_select", "action_id": "c", "filter": {"include": ["public"]}}, "channel"
        ),
        asked({"type": "users_select", "action_id": "u"}, "owner"),
        asked({"type": "multi_users_select", "action_id": "m"}, "watchers"),
        asked({"type": "checkboxes", "action_id": "x", "options": [option(1)]}, "with"),
        asked({"type": "radio_buttons", "action_id": "r", "options": [option(1)]}, "how"),
    ],
}

BAD_VIEWS: dict[str, Block] = {
    "title": {"title": plain(25)},
    "submit": {"submit": plain(25)},
    "private_metadata": {"private_metadata": "x" * 3001},
    "callback_id": {"callback_id": "x" * 256},
    "101 blocks": {"blocks": [{"type": "divider"}] * 101},
    "markdown in a dialog": {"blocks": [{"type": "markdown", "text": "x"}]},
    "initial value": {"blocks": [asked(TYPED | {"initial_value": "x" * 3001})]},
    "label": {"blocks": [asked(TYPED) | {"label": plain(2001)}]},
    "button to fill in": {"blocks": [asked(button())]},
    "same block twice": {"blocks": [asked(TYPED), asked(TYPED)]},
    "unknown key": {"colour": "red"},
    "unknown type": {"type": "window"},
}


def test_a_dialog_at_its_limits_is_opened() -> None:
    assert view_problems(MODAL_VIEW, MODAL) == []


def test_a_home_tab_is_shown() -> None:
    assert view_problems({"type": "home", "blocks": [FITS["section"], FITS["actions"]]}, HOME) == []


@pytest.mark.parametrize("name", BAD_VIEWS)
def test_a_dialog_beyond_a_limit_is_refused(name: str) -> None:
    assert view_problems(MODAL_VIEW | BAD_VIEWS[name], MODAL) != []


def test_a_dialog_with_inputs_needs_a_submit_button() -> None:
    content = {key: value for key, value in MODAL_VIEW.items() if key != "submit"}

    assert view_problems(content, MODAL) != []
