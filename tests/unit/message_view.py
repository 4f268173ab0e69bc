"""How a message or a dialog reads, and what Slack would refuse in either."""

import json
from collections.abc import Iterator
from itertools import count

from pydantic import JsonValue

from taskwire.domain.text.message import Block, Message, View
from taskwire.slack.drafts import EDITED_TEXT_LENGTH, InvalidDraft, check_message
from taskwire_sandbox.slack.block_rules import MESSAGE, problems, view_problems

# Slack refuses blocks with more than about 13,100 characters in all (`msg_blocks_too_long`; observed, not
# documented).
BLOCKS_TEXT = 12_000
_MARKS = {"rich_text_quote": "> ", "rich_text_preformatted": "``` ", "context": "~ "}


def faults(message: Message) -> list[str]:
    """Return a sentence for each fault of a message: what Slack would refuse or show wrongly, and a mention
    of a whole channel."""
    found = problems([*message.blocks], MESSAGE)
    length = sum(_lengths([*message.blocks]))
    if length > BLOCKS_TEXT:
        found.append(f"blocks have {length} characters in all, and {BLOCKS_TEXT} are allowed")
    if '"type": "broadcast"' in json.dumps(message.blocks):
        found.append("it calls a whole channel")
    try:
        check_message(message, EDITED_TEXT_LENGTH)
    except InvalidDraft as exc:
        found.append(str(exc))
    return found


def view_faults(view: View) -> list[str]:
    """List what Slack would refuse in a dialog."""
    return view_problems(view.content, "modal")


def shown(message: Message) -> list[str]:
    """Return a message as a person reads it, one line for each block. A button is shown as [Label]."""
    return [_line(block) for block in message.blocks]


def shown_view(view: View) -> list[str]:
    """Return a dialog as a person reads it: its title, its blocks and its buttons."""
    parts = view.content
    ends = " ".join(f"[{_label(parts[key])}]" for key in ("submit", "close") if key in parts)
    return [f"# {_label(parts['title'])}", *[_line(block) for block in _blocks(parts["blocks"])], ends]


def buttons(message: Message) -> dict[str, Block]:
    """Return the buttons and menus of a message and the options of its menus, each under its label."""
    rows = [block for block in message.blocks if block["type"] == "actions"]
    found = [each for row in rows for each in _blocks(row["elements"])]
    options = [option for each in found if "options" in each for option in _blocks(each["options"])]
    return {_label(each["text"]): each for each in (*found, *options) if "text" in each}


def _lengths(node: JsonValue | list[Block]) -> Iterator[int]:
    """Yield the length of every text in a tree of blocks."""
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield len(str(node["text"]))
        for value in node.values():
            yield from _lengths(value)
    elif isinstance(node, list):
        for value in node:
            yield from _lengths(value)


def _blocks(value: JsonValue) -> list[Block]:
    assert isinstance(value, list)
    return [each for each in value if isinstance(each, dict)]


def _label(value: JsonValue) -> str:
    assert isinstance(value, dict)
    return str(value["text"])


def _line(block: Block) -> str:
    match block["type"]:
        case "rich_text":
            return "\n".join(_pieces(part, "") for part in _blocks(block["elements"]))
        case "context" | "actions":
            return _pieces(block, " · " if block["type"] == "context" else " ")
        case "section":
            return _label(block["text"])
        case "input":
            return f"{_label(block['label'])}{_after_label(block)} {_field(block)}"
        case "divider":
            return "———"
        case kind:
            return str(kind)


def _after_label(block: Block) -> str:
    return "" if _label(block["label"]).endswith("?") else ":"


def _field(block: Block) -> str:
    element = block["element"]
    assert isinstance(element, dict)
    if element["type"] == "radio_buttons":
        return " ".join(f"( ) {_label(option['text'])}" for option in _blocks(element["options"]))
    initial = next((element[key] for key in element if key.startswith("initial_")), "")
    if isinstance(initial, list):
        return ", ".join(_label(each["text"]) if isinstance(each, dict) else str(each) for each in initial)
    return _label(initial["text"]) if isinstance(initial, dict) else str(initial)


def _pieces(part: Block, between: str) -> str:
    if part["type"] == "rich_text_list":
        marks = (f"{number}." if part["style"] == "ordered" else "•" for number in count(1))
        items = zip(marks, _blocks(part["elements"]), strict=False)
        return "\n".join(f"{mark} {_pieces(item, '')}" for mark, item in items)
    return _MARKS.get(str(part["type"]), "") + between.join(
        _piece(each) for each in _blocks(part["elements"])
    )


def _piece(piece: Block) -> str:
    match piece["type"]:
        case "emoji":
            return f":{piece['name']}:"
        case "user":
            return f"<@{piece['user_id']}>"
        case "static_select":
            return f"[⋯ {', '.join(_label(option['text']) for option in _blocks(piece['options']))}]"
        case "date":
            return str(piece["format"])
        case "button":
            return f"[{_label(piece['text'])}]"
        case _:
            return str(piece.get("text") or piece.get("url"))
