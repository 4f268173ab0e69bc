"""The rules for rich text and table cells. In these parts of Block Kit, elements contain elements."""

from taskwire_sandbox.slack.shape_checks import (
    Check,
    anything,
    boolean,
    items,
    number,
    one_of,
    shape,
    string,
    typed,
)

_STYLE = shape(
    {}, dict.fromkeys(("bold", "italic", "strike", "code", "underline", "highlight", "unlink"), boolean)
)
# Slack documents no limit for one text here. Slack limits only the sum of all blocks.
_LONGEST = 40_000


def _piece(required: dict[str, Check], **optional: Check) -> Check:
    return shape({"type": anything} | required, {"style": _STYLE} | optional)


_PIECES: Check = typed(
    {
        "text": _piece({"text": string(_LONGEST)}),
        "link": _piece({"url": string(3000)}, text=string(_LONGEST, least=0), unsafe=boolean),
        "user": _piece({"user_id": string(40)}),
        "channel": _piece({"channel_id": string(40)}),
        "usergroup": _piece({"usergroup_id": string(40)}),
        "emoji": _piece({"name": string(100)}, unicode=string(100), skin_tone=number(1, 6)),
        "broadcast": _piece({"range": one_of("here", "channel", "everyone")}),
        "date": _piece(
            {"timestamp": anything, "format": string(255)}, url=string(3000), fallback=string(255)
        ),
        "color": _piece({"value": string(20)}),
        "team": _piece({"team_id": string(40)}),
    }
)
_LINE = items(_PIECES, 0, 1000)
_BORDER = number(0, 1)
_SECTION = shape({"type": one_of("rich_text_section"), "elements": _LINE}, {})
_PARTS: Check = typed(
    {
        "rich_text_section": _SECTION,
        "rich_text_quote": shape({"type": anything, "elements": _LINE}, {"border": _BORDER}),
        "rich_text_preformatted": shape(
            {"type": anything, "elements": _LINE}, {"border": _BORDER, "language": string(100)}
        ),
        "rich_text_list": shape(
            {"type": anything, "style": one_of("bullet", "ordered"), "elements": items(_SECTION, 1, 1000)},
            {"indent": number(0, 8), "offset": number(0, 10_000), "border": _BORDER},
        ),
    }
)

RICH_TEXT_REQUIRED: dict[str, Check] = {"elements": items(_PARTS, 1, 1000)}
rich_text: Check = shape({"type": one_of("rich_text")} | RICH_TEXT_REQUIRED, {"block_id": string(255)})
TABLE_CELLS: Check = typed(
    {
        "raw_text": shape({"type": anything, "text": string(_LONGEST, least=0)}, {}),
        "raw_number": shape({"type": anything, "value": anything}, {"text": string(255)}),
        "rich_text": rich_text,
    }
)
