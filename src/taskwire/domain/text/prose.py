"""Turns the plain lines of an agent's screen into a text that is easy to read.

Paragraphs that the terminal wrapped are joined. Code, tables, lists and diffs keep their lines. A tool call
becomes one line and the first lines of its result. If many calls follow each other, only the last calls are
kept. The marks before the agent's text are removed.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from taskwire.domain.text.agent_screens import CALL_MARKS, RESULT_MARKS, TEXT_MARKS
from taskwire.domain.text.terminal import find_fenced_rows

# The narrowest and the widest terminal, in characters, that may have wrapped a text.
_SHORTEST, _LONGEST = 40, 240
# In characters. The assumed width if the text is too short to show its width. Most terminals have 80 columns;
# terminals that Coder's modules start have 67. Frames and indents take about five columns.
_USUAL_WIDTHS = (67, 80)
_FRAME_WIDTH, _WIDTH_TOLERANCE = 6, 2
# If this many lines end where the next word did not fit, a terminal has wrapped them. A smaller number is
# enough for lines that are longer than usual, because people do not write such lines.
_SURE, _SURE_IF_LONG = 3, 2
_RESULT_LINES = 3
_WORDS_BEFORE_COLON = 8
_LONG_RUN = 5
_CALLS_KEPT = 3

_TEXT_MARK = re.compile(rf"\s{{0,3}}[{TEXT_MARKS}] ")
_CALL_MARK = re.compile(rf"\s{{0,3}}[{CALL_MARKS}] ")
_RESULT_MARK = re.compile(rf"\s{{1,6}}[{RESULT_MARKS}] ?\s{{0,3}}")
_SHOWN_CALL = re.compile(r"▸ ")
_EARLIER_STEPS = re.compile(r"▸ … ([0-9]{1,6}) earlier steps")
_HIDDEN_LINES = re.compile(r"\s*… \+?([0-9]{1,6}) (?:more )?lines?\b")
_EXPAND_HINT = re.compile(r" ?\(ctrl[+-][a-z] to expand\)$")
_SUMMARY = re.compile(r"(?:Updated|Wrote|Read|Found|Added|Listed|Searched|Created) ")
_LIST_MARK = re.compile(r"(?:[-*+•◦▪☐☒✓✔✗□■] |[0-9]{1,3}[.)] )\s{0,3}")
_NOT_PROSE = re.compile(
    r"[|#>▸↳@$+~}\])]|```|//|/\*|<!--|<\w|-{3}|={3}|[-*+•◦▪☐☒] |[0-9]{1,3}[.)] |[0-9]{1,5} [+-]? "
)
# Words that begin a line of code. A wrapped line of prose may begin with such a word too.
_KEYWORD = re.compile(
    r"(?:def|class|import|return|const|let|var|func|fn|public|private|elif|else|async|SELECT|FROM) "
    r"|from \S{1,80} import |(?:if|for|while|with) .{1,200}[:{]$"
)
# A statement of a program, or an item of a list in a program.
_STATEMENT = re.compile(r"[=()\[\]<>].{0,200};$|^[\"'].{0,200}[\"'],$")


@dataclass(frozen=True)
class _Width:
    """The width of the terminal, in characters.

    A line is full if the next word would make it longer than `full`. `widest` and `shortest` limit the length
    of a line that may have been wrapped.
    """

    full: int
    widest: int
    shortest: int = _SHORTEST
    # Whether the width was found in the text. Otherwise it is a usual width.
    is_found: bool = False


@dataclass
class _Call:
    """One tool call. `hidden` is the number of lines of the result that the agent's program did not show."""

    head: str
    result: list[str] = field(default_factory=list)
    hidden: int = 0

    def lines(self) -> list[str]:
        """Return the lines to show: the head of the call and the first lines of its result."""
        limit = 1 if self.result and _SUMMARY.match(self.result[0]) else _RESULT_LINES
        rest = len(self.result) - limit
        shown = self.result if rest <= 1 else self.result[:limit]
        more = self.hidden + len(self.result) - len(shown)
        marks = ["  ↳ ", *["    "] * len(shown)]
        lines = [f"▸ {self.head}", *(mark + line for mark, line in zip(marks, shown, strict=False))]
        return [*lines, f"    … {more} more line{'s' if more > 1 else ''}"] if more else lines


def make_readable(lines: list[str], *, is_folded: bool = True) -> str:
    """Turn an agent's lines into one text.

    If `is_folded` is true and many tool calls follow each other, only the last calls are kept.
    """
    called = _shorten_calls(lines)
    told = _remove_text_marks(_shorten_runs(called) if is_folded else called)
    return "\n".join(_trim_lines(_join_paragraphs(told)))


def _shorten_calls(lines: list[str]) -> list[str]:
    fenced = find_fenced_rows(lines)
    shown: list[str] = []
    at = 0
    while at < len(lines):
        first = None if fenced[at] else _find_result(lines, at)
        if first is None:
            shown.append(lines[at])
            at += 1
            continue
        end = _find_end_of_result(lines, first)
        head = " ".join([_CALL_MARK.sub("", lines[at]), *(line.strip() for line in lines[at + 1 : first])])
        if "coder_report_task" not in head:
            shown += _parse_call(head, lines[first:end]).lines()
        at = end
    return shown


def _find_result(lines: list[str], at: int) -> int | None:
    """Return the index of the line at which the result of a tool call begins.

    Return None if no call begins at line `at`, or if the call has no result.
    """
    if not _CALL_MARK.match(lines[at]):
        return None
    for first in range(at + 1, min(at + 5, len(lines))):
        if _RESULT_MARK.match(lines[first]):
            return first
        if not lines[first].startswith("   "):
            return None
    return None


def _find_end_of_result(lines: list[str], first: int) -> int:
    end = first + 1
    while end < len(lines):
        # A result may contain a blank line. So if this line is blank, look at the next line.
        below = lines[end] or lines[min(end + 1, len(lines) - 1)]
        if not below.startswith("    "):
            break
        end += 1
    return end


def _parse_call(head: str, lines: list[str]) -> _Call:
    call = _Call(_EXPAND_HINT.sub("", head))
    depth = len(lines[0]) - len(_RESULT_MARK.sub("", lines[0], count=1))
    for number, line in enumerate(lines):
        if hidden := _HIDDEN_LINES.match(line):
            call.hidden += int(hidden[1])
            continue
        said = _RESULT_MARK.sub("", line, count=1) if number == 0 else _remove_indent(line, depth)
        if said.strip():
            call.result.append(_EXPAND_HINT.sub("", said))
    return call


def _remove_indent(line: str, columns: int) -> str:
    spaces = len(line) - len(line.lstrip(" "))
    return line[min(spaces, columns) :]


def _shorten_runs(lines: list[str]) -> list[str]:
    shown: list[str] = []
    for run in _group_runs(lines):
        earlier, calls = 0, [call for call in run if call]
        if calls and (summary := _EARLIER_STEPS.fullmatch(calls[0][0])):
            earlier, calls = int(summary[1]), calls[1:]
        if len(calls) > _LONG_RUN or (earlier and len(calls) > _CALLS_KEPT):
            earlier += len(calls) - _CALLS_KEPT
            calls = calls[-_CALLS_KEPT:]
        if earlier:
            shown.append(f"▸ … {earlier} earlier steps")
        shown += [line for call in calls for line in call]
    return shown


def _group_runs(lines: list[str]) -> Iterator[list[list[str]]]:
    """Yield groups of consecutive tool calls, each a list of lines. Any other line is its own group."""
    run: list[list[str]] = []
    blanks: list[str] = []
    for line, is_fenced in zip(lines, find_fenced_rows(lines), strict=True):
        if not is_fenced and _SHOWN_CALL.match(line):
            run.append([line])
            blanks = []
        elif run and not is_fenced and not blanks and line.startswith(("  ↳ ", "    ")):
            run[-1].append(line)
        elif run and not line:
            blanks.append(line)
        else:
            yield from ([run] if run else [])
            yield from ([[blank]] for blank in blanks)
            yield [[line]]
            run, blanks = [], []
    yield from ([run] if run else [])


def _remove_text_marks(lines: list[str]) -> list[str]:
    """Remove the marks before the agent's text, and the indent of the lines that continue the text."""
    shown = []
    is_said = False
    for line, is_fenced in zip(lines, find_fenced_rows(lines), strict=True):
        if not is_fenced and _TEXT_MARK.match(line):
            is_said = True
            line = _TEXT_MARK.sub("", line, count=1)
        elif line and not line.startswith("  "):
            is_said = False
        elif is_said and not line.startswith("  ↳ "):
            line = line[2:]
        shown.append(line)
    return shown


def _join_paragraphs(lines: list[str]) -> list[str]:
    shown: list[str] = []
    width = _find_width(lines)
    paragraph = _Paragraph(width)
    for line, is_kept in _list_verbatim_rows(lines):
        if not is_kept and paragraph.takes(line):
            paragraph.add(line)
            continue
        shown += paragraph.lines()
        paragraph = _Paragraph(width, [] if is_kept else [line])
        shown += [line] if is_kept else []
    return shown + paragraph.lines()


def _list_verbatim_rows(lines: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield each line, and whether the line must stay unchanged, as in fenced code and tool calls."""
    is_called = False
    for line, is_fenced in zip(lines, find_fenced_rows(lines), strict=True):
        is_called = line.startswith("▸ ") or (is_called and line.startswith(" "))
        yield line, is_fenced or is_called


def _find_width(lines: list[str]) -> _Width:
    """Find the width of the terminal that wrapped a text.

    In a wrapped text, the first word of the next line did not fit on the line before. Lines that were broken
    on purpose have different lengths, or the next line begins with a capital letter.
    """
    breaks = list(_list_breaks(lines))
    longest = max((len(above) for above, _ in breaks), default=0)
    # A mark before the agent's words, and the indent of the words, may have been removed. So full lines may
    # be shorter than the longest line.
    edge = longest - _WIDTH_TOLERANCE
    full = [below for above, below in breaks if len(above) + 1 + len(_first_word(below)) > edge]
    goes_on = sum(not below.lstrip()[0].isupper() for below in full)
    narrow, usual = _USUAL_WIDTHS
    sure = _SURE if longest <= usual + _WIDTH_TOLERANCE else _SURE_IF_LONG
    is_wrapped = len(full) >= sure and 3 * len(full) >= 2 * len(breaks) and 2 * goes_on >= len(full)
    if is_wrapped and _SHORTEST <= longest <= _LONGEST:
        return _Width(edge, longest, longest // 2, is_found=True)
    width = narrow if longest <= narrow + _WIDTH_TOLERANCE else usual
    return _Width(width - _FRAME_WIDTH, width + _WIDTH_TOLERANCE)


def _list_breaks(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each line of prose that may go on in the line below, together with the line below."""
    above = ""
    columns: tuple[int, ...] = ()
    for line, is_kept in _list_verbatim_rows(lines):
        goes_on = bool(above) and not is_kept and _may_continue(above, line, columns)
        if goes_on:
            yield above, line
        columns = columns if goes_on else _find_columns(line)
        above = "" if is_kept else line


def _may_continue(above: str, line: str, columns: tuple[int, ...]) -> bool:
    """Return whether `line` may continue the paragraph to which the line `above` belongs.

    `columns` are the columns at which a line of that paragraph may begin.
    """
    said = line.strip()
    if not said or _NOT_PROSE.match(said) or "  " in said or said.endswith("{") or _STATEMENT.search(said):
        return False
    if above.rstrip().endswith(":") and not _is_prose(line):
        return False
    return _is_prose(above) and len(line) - len(line.lstrip()) in columns


def _first_word(line: str) -> str:
    return line.strip().partition(" ")[0]


class _Paragraph:
    """A paragraph or a list item that is joined from several lines of the terminal."""

    def __init__(self, width: _Width, first: list[str] | None = None) -> None:
        self._find_width = width
        self._parts = first or []
        self._last = first[0] if first else ""
        self._length = len(self._last)
        self._columns = _find_columns(self._last)

    def takes(self, line: str) -> bool:
        """Return whether a line continues this paragraph: its first word did not fit on the line above."""
        if not self._parts or not _may_continue(self._last, line, self._columns):
            return False
        if not self._find_width.is_found and (
            _KEYWORD.match(line.strip()) or _KEYWORD.match(self._last.strip())
        ):
            return False
        # Use the length of the joined lines, so that joining the result again changes nothing.
        above = self._length if self._length <= self._find_width.widest else len(self._last)
        is_full = above + 1 + len(_first_word(line)) > self._find_width.full
        is_sentence = self._last.rstrip().endswith((".", "!", "?")) and line.lstrip()[0].isupper()
        if is_sentence and self._find_width.full < _USUAL_WIDTHS[0] and not self._find_width.is_found:
            return False
        return is_full and self._find_width.shortest <= above <= self._find_width.widest

    def add(self, line: str) -> None:
        """Append a line, with a blank before it unless the terminal cut a long word at its edge."""
        # A long word that fills the line to its edge was cut and not wrapped. It is usually an address.
        is_cut = (
            len(self._last) >= self._find_width.widest - 2 * _WIDTH_TOLERANCE
            and len(self._last) - self._last.rfind(" ") > self._find_width.widest // 2
        )
        self._parts.append(("" if is_cut else " ") + line.strip())
        self._length += len(self._parts[-1])
        self._last = line

    def lines(self) -> list[str]:
        """Return a list with the joined paragraph as one line; an empty list if there is no paragraph."""
        return ["".join(self._parts)] if self._parts else []


def _is_prose(line: str) -> bool:
    said = line.strip()
    mark = _LIST_MARK.match(said)
    said = said[mark.end() :] if mark else said
    is_code = _NOT_PROSE.match(said) is not None or said.endswith(("{", "}", "\\", ",)"))
    # A short line that ends with a colon introduces the next line, so it is not joined. A longer line may be
    # wrapped.
    is_code = is_code or (said.endswith(":") and said.count(" ") < _WORDS_BEFORE_COLON)
    is_code = is_code or _STATEMENT.search(said) is not None
    return not is_code and "  " not in said and " | " not in said and said.count(" ") >= 3


def _find_columns(line: str) -> tuple[int, ...]:
    """Return the columns at which a line may begin if it continues this line.

    The second line of a list's item begins below the item's text or, in some terminals, below the item's
    mark.
    """
    said = line.lstrip()
    indent, mark = len(line) - len(said), _LIST_MARK.match(said)
    return (indent + mark.end(), indent) if mark else (indent,)


def _trim_lines(lines: list[str]) -> list[str]:
    """Remove blank lines at both ends, repeated blank lines, and the indent that all lines have."""
    shown: list[str] = []
    for line, is_fenced in zip(lines, find_fenced_rows(lines), strict=True):
        text = line.rstrip()
        if text or is_fenced or (shown and shown[-1]):
            shown.append(text)
    while shown and not shown[-1]:
        shown.pop()
    shared = min((len(line) - len(line.lstrip(" ")) for line in shown if line), default=0)
    return [line[shared:] for line in shown]
