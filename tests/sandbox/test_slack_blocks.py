"""The rules of Block Kit. Each row of the tables is a block or a view that Slack accepts or refuses."""

import pytest

from taskwire_sandbox.slack.block_rules import HOME, MESSAGE, MODAL, problems, view_problems
from tests.sandbox.slack_app import Json
from tests.sandbox.slack_worlds import world


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "hi", **more: object) -> Json:
    return {"type": "section", "text": mrkdwn(text)} | more


def button(action_id: str = "go", **more: object) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain("Go")} | more


def actions(*elements: Json, **more: object) -> Json:
    return {"type": "actions", "elements": list(elements)} | more


def select(**more: object) -> Json:
    options = [{"text": plain("One"), "value": "1"}]
    return {"type": "static_select", "action_id": "pick", "options": options} | more


def entry(element: Json, **more: object) -> Json:
    return {"type": "input", "label": plain("Name"), "element": element} | more


def option(text: str = "One", value: str = "1") -> Json:
    return {"text": plain(text), "value": value}


def code(text: str) -> Json:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}],
    }


TYPED = {"type": "plain_text_input", "action_id": "name"}
TASK = {"type": "task_card", "task_id": "1", "title": "Fix it", "status": "in_progress", "output": code("x")}


@pytest.mark.parametrize(
    "block",
    [
        section("x" * 3000),
        section(fields=[mrkdwn("x" * 2000)] * 10),
        {"type": "section", "fields": [plain("only fields")]},
        section(accessory=button()),
        section(accessory={"type": "overflow", "action_id": "o", "options": [option()] * 5}),
        {"type": "header", "text": plain("x" * 150)},
        {"type": "divider"},
        {"type": "context", "elements": [mrkdwn("a"), plain("b")]},
        actions(*(button(f"go{n}") for n in range(25))),
        actions(select(placeholder=plain("Choose"), initial_option=option())),
        actions(button(style="danger", value="v" * 2000, url="https://x.test", confirm={
            "title": plain("Sure?"), "text": mrkdwn("Really"), "confirm": plain("Yes"), "deny": plain("No"),
        })),
        {"type": "markdown", "text": "x" * 12_000},
        code("x" * 5_000),
        {"type": "image", "image_url": "https://x.test/a.png", "alt_text": "a"},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}] * 20] * 100},
        TASK,
        {"type": "plan", "title": "Plan", "tasks": [TASK]},
    ],
)  # fmt: skip
def test_a_message_may_hold(block: Json) -> None:
    """If Slack accepts a block, the stand-in finds no problem in it."""
    assert problems([block], MESSAGE) == []


@pytest.mark.parametrize(
    ("block", "trouble", "at"),
    [
        (section("x" * 3001), "must be less than 3001 characters", "/text/text"),
        (section(""), "must be more than 0 characters", "/text/text"),
        (section(fields=[mrkdwn("x" * 2001)]), "must be less than 2001 characters", "/fields/0/text"),
        (section(fields=[mrkdwn("x")] * 11), "no more than 10 items allowed", "/fields"),
        ({"type": "section"}, "missing required field: text", ""),
        ({"type": "header", "text": mrkdwn("x")}, "must be one of plain_text", "/text/type"),
        ({"type": "header", "text": plain("x" * 151)}, "must be less than 151 characters", "/text/text"),
        ({"type": "heading"}, "unsupported type: heading", "/type"),
        (section(colour="red"), "unexpected field: colour", "/colour"),
        (actions(), "must have at least 1 items", "/elements"),
        (actions(*(button(f"go{n}") for n in range(26))), "no more than 25 items allowed", "/elements"),
        (actions(button(), button()), "`action_id` go already exists", "/elements"),
        (actions(button(text=plain("x" * 76))), "must be less than 76 characters", "/elements/0/text/text"),
        (actions(button(value="x" * 2001)), "must be less than 2001 characters", "/elements/0/value"),
        (actions(button(style="green")), "must be one of primary, danger", "/elements/0/style"),
        (actions(button("x" * 256)), "must be less than 256 characters", "/elements/0/action_id"),
        (actions(TYPED), "unsupported type: plain_text_input", "/elements/0/type"),
        (actions(select(options=[option()] * 101)), "no more than 100 items allowed", "/elements/0/options"),
        (actions(select(options=[option(text="x" * 76)])),
         "must be less than 76 characters", "/elements/0/options/0/text/text"),
        (actions({"type": "static_select", "action_id": "a"}),
         "must have either options or option_groups", "/elements/0"),
        ({"type": "context", "elements": [mrkdwn("x")] * 11}, "no more than 10 items allowed", "/elements"),
        ({"type": "image", "image_url": "https://x.test"}, "missing required field: alt_text", ""),
        ({"type": "alert", "text": plain("x")}, "unsupported type: alert", "/type"),
        ({"type": "markdown", "text": "x" * 12_001}, "must be less than 12001 characters", "/text"),
        (TASK | {"status": "soon"}, "must be one of pending, in_progress, complete, error", "/status"),
        ("nonsense", "unsupported type: None", "/type"),
    ],
)  # fmt: skip
def test_a_message_may_not_hold(block: Json, trouble: str, at: str) -> None:
    """If Slack refuses a block, the stand-in names the problem and where it is."""
    assert problems([block], MESSAGE) == [f"[ERROR] {trouble} [json-pointer:/blocks/0{at}]"]


@pytest.mark.parametrize(
    ("blocks", "trouble", "at"),
    [
        ([{"type": "divider"}] * 51, "no more than 50 items allowed", ""),
        ([section(block_id="a"), section(block_id="a")], "`block_id` a already exists", "/1/block_id"),
        ([{"type": "markdown", "text": "x" * 7_000}] * 2,
         "markdown blocks must be less than 12001 characters together", ""),
        ({"type": "divider"}, "must be an array", ""),
    ],
)  # fmt: skip
def test_blocks_of_a_message_together(blocks: object, trouble: str, at: str) -> None:
    """Over all blocks of a message, the stand-in checks their number, repeated ids and total lengths."""
    assert problems(blocks, MESSAGE) == [f"[ERROR] {trouble} [json-pointer:/blocks{at}]"]


@pytest.mark.parametrize(("surface", "taken"), [(MESSAGE, False), (MODAL, True), (HOME, True)])
def test_dialogs_and_home_hold_twice_as_many_blocks(surface: str, *, taken: bool) -> None:
    """The stand-in accepts a hundred blocks in a dialog and in the Home tab, and fifty in a message. It
    refuses one more."""
    assert (problems([{"type": "divider"}] * 100, surface) == []) is taken


@pytest.mark.parametrize(("surface", "taken"), [(MESSAGE, True), (MODAL, False), (HOME, False)])
def test_markdown_and_tables_are_for_messages(surface: str, *, taken: bool) -> None:
    """The stand-in accepts blocks of the types markdown and table only in messages. It refuses them in
    dialogs and in the Home tab."""
    blocks = [
        {"type": "markdown", "text": "*x*"},
        {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]]},
    ]

    assert (problems(blocks, surface) == []) is taken


MODAL_VIEW = {"type": "modal", "title": plain("New task"), "blocks": [section()]}


@pytest.mark.parametrize(
    ("view", "kind", "trouble", "at"),
    [
        (MODAL_VIEW | {"title": plain("x" * 25)}, "modal", "must be less than 25 characters", "/title/text"),
        (MODAL_VIEW | {"private_metadata": "x" * 3001}, "modal",
         "must be less than 3001 characters", "/private_metadata"),
        (MODAL_VIEW | {"callback_id": "x" * 256}, "modal",
         "must be less than 256 characters", "/callback_id"),
        (MODAL_VIEW | {"colour": "red"}, "modal", "unexpected field: colour", "/colour"),
        (MODAL_VIEW | {"blocks": [entry(TYPED)]}, "modal", "missing required field: submit", ""),
        ({"type": "modal", "blocks": []}, "modal", "missing required field: title", ""),
        (MODAL_VIEW, "home", "must be one of home", "/type"),
        ({"type": "home", "blocks": [section("x" * 3001)]}, "home",
         "must be less than 3001 characters", "/blocks/0/text/text"),
    ],
)  # fmt: skip
def test_views_that_slack_refuses(view: Json, kind: str, trouble: str, at: str) -> None:
    """If Slack refuses a view, the stand-in names the problem and where it is in the view."""
    assert f"[ERROR] {trouble} [json-pointer:/view{at}]" in view_problems(view, kind)


def test_a_dialog_with_inputs_passes_with_a_submit_button() -> None:
    """If a dialog has a submit button, the stand-in accepts inputs of several kinds in it."""
    inputs = [
        TYPED | {"multiline": True, "max_length": 3000, "initial_value": "x", "placeholder": plain("…")},
        select(),
        {"type": "multi_users_select", "action_id": "who"},
        {"type": "checkboxes", "action_id": "c", "options": [option()]},
        {"type": "conversations_select", "action_id": "where", "default_to_current_conversation": True},
    ]
    blocks = [entry(element, block_id=f"b{n}", hint=plain("h")) for n, element in enumerate(inputs)]

    assert view_problems(MODAL_VIEW | {"submit": plain("Create"), "blocks": blocks}, "modal") == []


async def test_invalid_blocks_are_refused_with_their_troubles() -> None:
    """If a message has invalid blocks, the stand-in refuses it. The answer names the problems, and a
    violation is recorded."""
    trouble = "[ERROR] unsupported type: heading [json-pointer:/blocks/0/type]"

    async with world() as api:
        channel = api.slack.workspace.channel("general").id
        answer = await api.call("chat.postMessage", channel=channel, text="a", blocks=[{"type": "heading"}])
        violations = api.slack.violations

    assert (answer["error"], answer["response_metadata"]["messages"]) == ("invalid_blocks", [trouble])
    assert violations == [f"invalid_blocks: {trouble}"]
