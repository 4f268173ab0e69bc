"""The rules of Block Kit for blocks, and for the dialogs and Home tabs that contain blocks.

The rules are about keys, lengths and counts. Only rules that Slack documents, or that were observed, are
here. The rules for elements are in `element_rules`. The checks from which all rules are made are in
`shape_checks`.
"""

from taskwire_sandbox.slack.element_rules import (
    ACCESSORIES,
    ACTIONS,
    BUTTON,
    CONTEXT,
    CONTEXT_ACTIONS,
    IMAGE_KEYS,
    INPUTS,
    URL_SOURCE,
    plain,
    text,
)
from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.rich_text_rules import RICH_TEXT_REQUIRED, TABLE_CELLS, rich_text
from taskwire_sandbox.slack.shape_checks import (
    Check,
    Report,
    anything,
    boolean,
    items,
    number,
    one_of,
    shape,
    string,
    typed,
)

MESSAGE, MODAL, HOME = "message", "modal", "home"
# The most blocks on each surface.
MOST_BLOCKS = {MESSAGE: 50, MODAL: 100, HOME: 100}
# The most characters in all markdown blocks of a message [Block Kit reference, markdown].
MARKDOWN_TOGETHER = 12_000
# Slack answers a larger view with view_too_large. The number is in bytes of JSON.
VIEW_BYTES = 250_000
_EVERYWHERE = frozenset(
    {"actions", "context", "divider", "header", "image", "input", "rich_text", "section", "video"}
)
_ONLY_MESSAGES = frozenset(
    {
        "card",
        "carousel",
        "container",
        "context_actions",
        "data_table",
        "file",
        "markdown",
        "plan",
        "table",
        "task_card",
    }
)
SURFACES = {MESSAGE: _EVERYWHERE | _ONLY_MESSAGES, MODAL: _EVERYWHERE | {"alert"}, HOME: _EVERYWHERE}

_STATUS = one_of("pending", "in_progress", "complete", "error")


def _block(required: dict[str, Check], **optional: Check) -> Check:
    return shape({"type": anything} | required, {"block_id": string(255)} | optional)


_TASK: Check = _block(
    {"task_id": string(255), "title": string(3000)},
    status=_STATUS,
    details=rich_text,
    output=rich_text,
    sources=items(URL_SOURCE, 1, 50),
)
_CARD: Check = _block(
    {},
    hero_image=shape({"type": one_of("image")} | IMAGE_KEYS, {}),
    icon=shape({"type": one_of("image")} | IMAGE_KEYS, {}),
    title=text(150),
    subtitle=text(150),
    body=text(200),
    actions=items(BUTTON, 1, 3),
)
_ROW: Check = items(TABLE_CELLS, 1, 20)

BLOCKS: dict[str, Check] = {
    "section": _block(
        {}, text=text(3000), fields=items(text(2000), 1, 10), accessory=ACCESSORIES, expand=boolean
    ),
    "divider": _block({}),
    "header": _block({"text": plain(150)}),
    "image": _block(
        {"alt_text": string(2000)}, image_url=string(3000), slack_file=anything, title=plain(2000)
    ),
    "actions": _block({"elements": items(ACTIONS, 1, 25)}),
    "context": _block({"elements": items(CONTEXT, 1, 10)}),
    "context_actions": _block({"elements": items(CONTEXT_ACTIONS, 1, 5)}),
    "input": _block(
        {"label": plain(2000), "element": INPUTS}, hint=plain(2000), optional=boolean, dispatch_action=boolean
    ),
    "markdown": _block({"text": string(12_000)}),
    "rich_text": _block(RICH_TEXT_REQUIRED),
    "file": _block({"external_id": string(255), "source": one_of("remote")}),
    "video": _block(
        {
            "alt_text": string(2000),
            "title": plain(200),
            "video_url": string(3000),
            "thumbnail_url": string(3000),
        },
        title_url=string(3000),
        description=plain(200),
        author_name=string(50),
        provider_name=string(50),
        provider_icon_url=string(3000),
    ),
    "table": _block({"rows": items(_ROW, 1, 100)}, column_settings=items(anything, 0, 20)),
    "data_table": _block(
        {"rows": items(_ROW, 2, 201)},
        caption=string(255),
        page_size=number(1, 100),
        row_header_column_index=number(0, 19),
    ),
    "task_card": _TASK,
    "plan": _block({"title": string(3000)}, tasks=items(_TASK, 0, 50)),
    "card": _CARD,
    "carousel": _block({"elements": items(_CARD, 1, 10)}),
    "alert": _block({"text": text(200)}, level=one_of("default", "info", "warning", "error", "success")),
}


def _check_block(block: object, at: str, report: Report) -> None:
    typed(BLOCKS)(block, at, report)
    if (
        isinstance(block, dict)
        and block.get("type") == "section"
        and not ("text" in block or "fields" in block)
    ):
        report.add("missing required field: text", at)


BLOCKS["container"] = _block(
    {"child_blocks": items(_check_block, 1, 10)},
    title=plain(150),
    rich_text_title=rich_text,
    subtitle=text(150),
    width=one_of("narrow", "standard", "wide", "full"),
    icon=anything,
    is_collapsible=boolean,
    default_collapsed=boolean,
    has_header_divider=boolean,
)
_VIEW_OPTIONS: dict[str, Check] = {
    "private_metadata": string(3000, least=0),
    "callback_id": string(255, least=0),
    "external_id": string(255, least=0),
}
_MODAL_VIEW = shape(
    {"type": one_of("modal"), "title": plain(24), "blocks": anything},
    _VIEW_OPTIONS
    | {"submit": plain(24), "close": plain(24), "clear_on_close": boolean}
    | {"notify_on_close": boolean, "submit_disabled": boolean},
)
_HOME_VIEW = shape({"type": one_of("home"), "blocks": anything}, _VIEW_OPTIONS)


def problems(blocks: object, surface: str, at: str = "/blocks") -> list[str]:
    """List the reasons why Slack would refuse these blocks, in Slack's format.

    `surface` is where the blocks would be shown. `at` is the JSON pointer of the blocks in the request.
    """
    report = Report()
    if not isinstance(blocks, list):
        report.add("must be an array", at)
        return report.messages
    if len(blocks) > MOST_BLOCKS[surface]:
        report.add(f"no more than {MOST_BLOCKS[surface]} items allowed", at)
    for position, block in enumerate(blocks):
        here = f"{at}/{position}"
        _check_block(block, here, report)
        kind = block.get("type") if isinstance(block, dict) else None
        if kind in BLOCKS and kind not in SURFACES[surface]:
            report.add(f"unsupported type: {kind}", f"{here}/type")
    if not report.messages:
        _check_together(blocks, at, report)
    return report.messages


def view_problems(view: Json, kind: str) -> list[str]:
    """List the reasons why Slack would refuse this view."""
    report = Report()
    (_MODAL_VIEW if kind == "modal" else _HOME_VIEW)(view, "/view", report)
    blocks = view.get("blocks", [])
    found = report.messages + problems(blocks, MODAL if kind == "modal" else HOME, "/view/blocks")
    if not found and kind == "modal" and "submit" not in view and any(b["type"] == "input" for b in blocks):
        found.append("[ERROR] missing required field: submit [json-pointer:/view]")
    return found


def _check_together(blocks: list[Json], at: str, report: Report) -> None:
    """Check the rules that concern several blocks.

    All ids must differ, and the texts of all markdown blocks have one common limit.
    """
    seen: set[str] = set()
    for position, block in enumerate(blocks):
        block_id = block.get("block_id")
        if block_id is not None and block_id in seen:
            report.add(f"`block_id` {block_id} already exists", f"{at}/{position}/block_id")
        seen.add(block_id or "")
        _check_action_ids(block, f"{at}/{position}", report)
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MARKDOWN_TOGETHER:
        report.add(f"markdown blocks must be less than {MARKDOWN_TOGETHER + 1} characters together", at)


def _check_action_ids(block: Json, at: str, report: Report) -> None:
    ids = [element.get("action_id") for element in block.get("elements", []) if isinstance(element, dict)]
    given = [action_id for action_id in ids if action_id is not None]
    for action_id in {action_id for action_id in given if given.count(action_id) > 1}:
        report.add(f"`action_id` {action_id} already exists", f"{at}/elements")
