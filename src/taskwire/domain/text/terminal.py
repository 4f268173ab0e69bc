"""Turns a terminal's screen into plain lines, without escape codes, boxes, spinners and status bars.

The result is the agent's own text in the lines of the terminal. `prose` joins these lines into paragraphs.
Only the line itself and the box around it decide whether a line is kept. So the earlier lines of the result
stay the same while a screen grows.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator

from taskwire.domain.text.agent_screens import BANNER, BOXED_BANNER, CALL_TITLE, STATUS, STEP_MARK
from taskwire.domain.text.agent_text import remove_unseen_words

_LINK = re.compile(
    r"\x1b\]8;[^;\x07\x1b\n]*;([^\x07\x1b\n]*)(?:\x07|\x1b\\)([^\x1b\x07\n]*)\x1b\]8;[^\x07\x1b\n]*(?:\x07|\x1b\\)"
)
_CURSOR_FORWARD = re.compile(r"(?:\x1b\[|\x9b)([0-9]{0,3})C")
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\n]*(?:\x07|\x1b\\)?"
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
)
_OVERWRITTEN = re.compile(r"^.*\r(?=[^\r\n])", re.MULTILINE)
# Control characters, characters that change the direction of text, and characters without width.
_INVISIBLE = dict.fromkeys(
    [*range(9), *range(11, 32), *range(0x7F, 0xA0), 0x200B, *range(0x202A, 0x202F), 0xFEFF]
)
_INVISIBLE |= dict.fromkeys([0x61C, 0x200E, 0x200F, *range(0x2066, 0x206A), 0xFEFF]) | {
    0xA0: " ",
    0x2028: "\n",
    0x2029: "\n",
}

_UPRIGHT = "│┃║"
_TOP, _BOTTOM = "╭┌╔┏", "╰└╚┗"
_FLAT = "─━═╌╍┄┅┈┉"
_CORNERS = "╮┐╗┓"
_FRAME = _UPRIGHT + _TOP + _BOTTOM + _FLAT + _CORNERS + "╯┘├┤┬┴┼╝╠╣╦╩╬┛┣┫┳┻╋╞╡╪╟╢╫╴╵╶╷"
_ART = "▁▂▃▄▅▆▇█▀▔▌▐▍▎▏▖▗▘▙▚▛▜▝▞▟░▒▓"
_BAR = re.compile(r"[▌▍▎▏┃] ?")
_FENCE = re.compile(r"[ \t]*(`{3,})([^`\n]*)")

# The marks of a prompt. If text was typed but not sent, the prompt is the last line of the screen.
_PROMPTS = (">", "\u276f", "\u203a")
# The widths of most terminals, and of the terminals that Coder's own modules start. No terminal is narrower
# than 40.
_USUAL_WIDTHS, _NARROWEST = (67, 80), 40
# In characters. Searching a piece of this length takes a few milliseconds.
_PIECE = 32_768
# In characters. A longer line is no status bar: it may be a paragraph that mentions one.
_STATUS_LENGTH = 160


def remove_escape_codes(text: str) -> str:
    """Remove escape codes and invisible characters. The address of a link is written after its label."""
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
    return "".join(map(_remove_escapes_of_piece, _split_pieces(text)))


def _split_pieces(text: str) -> Iterator[str]:
    """Split a text into pieces that are short enough to search fast. Split after line breaks if possible."""
    at = 0
    while at < len(text):
        end = text.rfind("\n", at, at + _PIECE) + 1 or at + _PIECE
        yield text[at:end]
        at = end


def _remove_escapes_of_piece(text: str) -> str:
    text = _CURSOR_FORWARD.sub(lambda found: " " * int(found[1] or 1), _LINK.sub(_render_link, text))
    return remove_unseen_words(_OVERWRITTEN.sub("", _ESCAPE.sub("", text)).translate(_INVISIBLE))


def extract_lines(text: str) -> list[str]:
    """Return the lines of a screen without its frames, boxes, status bars and banners."""
    rows = [row.rstrip() for row in remove_escape_codes(text).split("\n")]
    fenced = find_fenced_rows(rows)
    lines: list[str] = []
    at = 0
    while at < len(rows):
        end = at if fenced[at] else _find_end_of_box(rows, at)
        if end > at:
            lines += _extract_box_lines(rows[at:end])
        else:
            lines.append(rows[at] if fenced[at] else _extract_line(rows[at]))
        at = max(end, at + 1)
    return _remove_prompt(lines)


def join_cut_rows(lines: list[str]) -> list[str]:
    """Join the rows into which a terminal has cut long lines, also within words.

    An agent that puts titles above its tool calls does not break its lines, so the terminal cuts them. Other
    agents break their lines themselves. So if there are no such titles, the rows are returned unchanged.
    """
    widest = max(map(len, lines), default=0)
    width = next((usual for usual in _USUAL_WIDTHS if widest in (usual - 1, usual)), widest)
    is_sure = width in _USUAL_WIDTHS or sum(len(line) == width for line in lines) > 1
    if not any(line.startswith(STEP_MARK) for line in lines) or width < _NARROWEST or not is_sure:
        return lines
    joined: list[str] = []
    above = ""
    for line in lines:
        # A row was full if it is as long as the terminal is wide. It is one character shorter if a blank at
        # its end was dropped.
        is_cut = len(above) in (width, width - 1) and bool(line) and not line.startswith(STEP_MARK)
        if is_cut and joined:
            joined[-1] += line if len(above) == width else f" {line}"
        else:
            joined.append(line)
        above = line
    return joined


def _remove_prompt(lines: list[str]) -> list[str]:
    last = next((at for at in range(len(lines) - 1, -1, -1) if lines[at]), None)
    is_prompt = last is not None and lines[last].lstrip().startswith("\u203a ")
    return lines[:last] if is_prompt else lines


def find_fenced_rows(rows: list[str]) -> list[bool]:
    """Return for each row whether it is in a fenced code block.

    A block without a closing fence does not count.
    """
    closing: dict[int, list[int]] = {}
    for at, row in enumerate(rows):
        if (bare := row.strip()) and len(bare) >= 3 and not bare.strip("`"):
            closing.setdefault(len(bare), []).append(at)
    fenced = [False] * len(rows)
    at = 0
    while at < len(rows):
        opening = _FENCE.fullmatch(rows[at])
        ends = closing.get(len(opening[1]), []) if opening else []
        behind = bisect_right(ends, at)
        if behind < len(ends):
            fenced[at : ends[behind] + 1] = [True] * (ends[behind] + 1 - at)
            at = ends[behind]
        at += 1
    return fenced


def _render_link(found: re.Match[str]) -> str:
    address, label = found[1], found[2]
    # An address with a user's name before its host can mislead people about the host, so it is not shown.
    is_web = re.match("https?://[^/?#@\\\\]+(?:[/?#]|$)", address) is not None
    is_web = is_web and address.rstrip("/") != label.strip().rstrip("/")
    return f"{label} ({address})" if is_web and label.strip() else label


def _find_end_of_box(rows: list[str], at: int) -> int:
    """Return the index after the box that begins at row `at`; `at` itself if no box begins there."""
    if not rows[at].lstrip().startswith(tuple(_TOP)):
        return at
    for end in range(at + 1, len(rows)):
        first = rows[end].lstrip()[:1]
        if first and first in _BOTTOM:
            return end + 1
        if not first or first not in _FRAME or first in _TOP:
            return at
    return at


def _extract_box_lines(rows: list[str]) -> list[str]:
    inside = [_remove_frame(row) for row in rows]
    said = [line.strip() for line in inside if line.strip()]
    if not said or said[0].startswith(_PROMPTS) or any(BOXED_BANNER.search(line) for line in said):
        return [""]
    return ["", *(_extract_line(line) for line in inside if line.strip()), ""]


def _extract_line(row: str) -> str:
    line = _remove_frame(row).rstrip()
    said = line.strip()
    if len(said) <= _STATUS_LENGTH and (STATUS.search(said) or BANNER.search(said)):
        return ""
    return line


def _remove_frame(row: str) -> str:
    """Return a row without its frame characters. A row that is only a border or a picture becomes empty."""
    said = row.strip()
    if not said.strip(_FRAME + _ART + " "):
        # Three frame characters or more are a border or a picture. One or two may belong to a text.
        return "" if len(said) > 2 or said in _UPRIGHT else row
    if said[0] in _ART and said[1:2] in (*_ART, " ") and said[0] not in "▌▍▎▏":
        return ""
    if said[0] in _UPRIGHT and said[-1] in _UPRIGHT:
        return said[1:-1].removeprefix(" ").rstrip().replace("│", "|")
    if title := CALL_TITLE.match(said):
        return STEP_MARK + title[1]
    if said[0] in _TOP + _FLAT and said[-1] in _FLAT + _CORNERS:
        return said.strip(_FRAME + " ")
    return _BAR.sub("", said, count=1) if _BAR.match(said) else row
