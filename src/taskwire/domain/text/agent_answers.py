"""Splits what an agent wrote in its turn into its answer and its steps.

The answer is the last text that the agent wrote to the person. The steps are what the agent did before that
text: commands, files read and written, tests run. The marks of `agent_screens` tell them apart. Text without
a mark belongs to the answer unless it looks like the output of a program. If no text is left, the turn has no
answer. Then people see the end of what the agent wrote.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from taskwire.domain.text.agent_screens import (
    CALL_MARKS,
    ECHO,
    EDIT_BEGINS,
    OWN_CALLS,
    RESULT_MARKS,
    STEP,
    TEXT_MARKS,
)
from taskwire.domain.text.terminal import find_fenced_rows

_SAYS = re.compile(rf" {{0,3}}[{TEXT_MARKS}] ")
_CALLED = re.compile(rf" {{0,3}}[{CALL_MARKS}] ")
_RESULT = re.compile(rf" {{1,6}}[{RESULT_MARKS}](?: |$)")
# `⏺ Bash(make test)`: a call without its result, because the call still runs.
_CALL_HEAD = re.compile(rf" {{0,3}}[{CALL_MARKS}] (?:[A-Z]\w*(?: \w+)?|\w+_\w+|[\w-]+ - \w+ \(MCP\))\(")
# Codex puts this bullet before its text. Lists have the same bullet.
_BULLET = "• "
_MARK = "⏺ "
_PASSED = re.compile(r"\b([0-9]{1,7}) (?:tests? )?pass(?:ed|ing)\b")
_FAILED = re.compile(r"\b([0-9]{1,7}) (?:tests? )?fail(?:ed|ing|ures?)\b")
# Lines of program output: logs, stack traces, prompts, test reports, columns, diffs, statements.
_OUTPUT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]|\[?(?:INFO|DEBUG|WARN|WARNING|ERROR|TRACE)\b[\]:]?|[$%\u276f] "
    r"|at \S+ ?\(|File \"|Traceback |E   |(?:PASS|FAIL)\b|ok +\S+[/.]\S|npm (?:ERR|WARN)"
    r"|(?:error|warning)[:\[]|={3} "
    r"|={4}|-{4}|#{4}[^#]|@@ |[+-]{3} |diff --git |[dl-][rwx-]{9} |[0-9a-f]{7,40} "
    r"|(?:command|path|file_text|source): ?\S*$|\S+/\S*$|[<{}\])]|\[(?!\w[^\]]*\]\()|\((?![A-Z])"
    r"|[0-9]+ (?:passed|failed)\b"
)
# Two blanks between words, as in columns. Two blanks after a full stop do not count, because some people
# write so.
_COLUMNS = re.compile(r"[^\s.!?:] {2,}\S|\t")
_STATEMENT_END = re.compile(r"[;{}\\]$")
# Lists, headings, quotes and tables. They occur in an agent's text and in the output of programs.
_NEUTRAL = re.compile(r"(?:[-*+•◦▪☐☒✓✔✗] |[0-9]{1,3}[.)] |[A-Za-z][.)] |#{1,6} |> |\|)|.* \| ")


@dataclass(frozen=True)
class AgentTurn:
    """What an agent wrote in one turn. `answer` is Markdown; empty if no answer was recognised.

    `steps_text` is the text before the answer and after it. If tests ran several times, `tests_passed` and
    `tests_failed` count the tests of the latest run.
    """

    answer: str = ""
    steps_text: str = ""
    step_count: int = 0
    tests_passed: int = 0
    tests_failed: int = 0


# The kinds of parts: text that an agent marks as its own, lines without any mark of an agent, and tool calls.
_Kind = Literal["said", "plain", "step"]
_PLAIN: _Kind = "plain"


@dataclass
class _Part:
    """Consecutive lines of one kind: text that the agent said, lines without a mark, or one step."""

    kind: _Kind
    lines: list[str] = field(default_factory=list)

    @property
    def is_own(self) -> bool:
        """Whether this part is a tool call by which the agent reports to Coder. Such a call is not a step."""
        return self.kind == "step" and any(OWN_CALLS.search(line) for line in self.lines[:4])


def split(lines: list[str], readable: Callable[[list[str]], str]) -> AgentTurn:
    """Split a turn into answer and steps. `lines` come from `terminal.extract_lines`.

    `readable` is a function that turns lines into a text that is easy to read.
    """
    parts = [part for part in _parts(_with_marks(_without_edits(lines))) if not part.is_own]
    start, end = _last_words(parts)
    before, answer = _without_output(parts[start:end])
    other = [line for part in parts[:start] for line in part.lines] + before
    other += [line for part in parts[end:] for line in part.lines]
    steps = [part for part in parts if part.kind == "step"]
    passed, failed = _count_tests(steps)
    return AgentTurn(
        answer=readable(answer),
        steps_text=readable(other) if steps else "",
        step_count=len(steps),
        tests_passed=passed,
        tests_failed=failed,
    )


def _without_edits(lines: list[str]) -> list[str]:
    """Return the lines without the edits of files that an agent shows inside its text.

    The line above an edit, which has the file's name, is also left out.
    """
    if not any(line.strip().startswith(EDIT_BEGINS) for line in lines):
        return lines
    kept: list[str] = []
    fenced = find_fenced_rows(lines)
    at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and fenced[end] and (end == at or not _closes(lines, at, end - 1)):
            end += 1
        if any(line.strip().startswith(EDIT_BEGINS) for line in lines[at:end]):
            if kept and kept[-1].strip() and " " not in kept[-1].strip():
                kept.pop()
        else:
            kept += lines[at : max(end, at + 1)]
        at = max(end, at + 1)
    return kept


def _closes(lines: list[str], opening: int, at: int) -> bool:
    return at > opening and len(lines[at].strip()) >= 3 and not lines[at].strip().strip("`")


def _with_marks(lines: list[str]) -> list[str]:
    """Return the lines with Codex's bullet `•` replaced by `⏺`, the mark of other agents.

    So one function reads the lines of all agents. If the bullets may be a list, replace nothing.
    """
    fenced = find_fenced_rows(lines)
    outer = [at for at, line in enumerate(lines) if line and not line.startswith(" ") and not fenced[at]]
    bullets = [at for at in outer if lines[at].startswith(_BULLET)]
    stands_alone = all(at == 0 or not lines[at - 1].strip() for at in bullets)
    has_call = any(_result_follows(lines, at) for at in bullets)
    if not bullets or not stands_alone or not (has_call or len(bullets) == len(outer)):
        return lines
    marked = list(lines)
    for at in bullets:
        marked[at] = _MARK + lines[at][len(_BULLET) :]
    return marked


def _parts(lines: list[str]) -> Iterator[_Part]:
    part = _Part("plain")
    fenced = find_fenced_rows(lines)
    for at, line in enumerate(lines):
        kind: _Kind | None = _PLAIN if _ends(part, lines, at) else None
        if not fenced[at]:
            kind = _begins(lines, at) or kind
        if kind is not None:
            if any(each.strip() for each in part.lines):
                yield part
            part = _Part(kind)
        part.lines.append(line)
    if any(each.strip() for each in part.lines):
        yield part


def _begins(lines: list[str], at: int) -> _Kind | None:
    """Return the kind of the part that begins at line `at`; None if that line has no mark."""
    line = lines[at]
    if STEP.search(line.strip()) or (_CALLED.match(line) and _result_follows(lines, at)):
        return "step"
    if _CALL_HEAD.match(line):
        return "step"
    return "said" if _SAYS.match(line) else None


def _result_follows(lines: list[str], at: int) -> bool:
    for below in lines[at + 1 : at + 5]:
        if _RESULT.match(below):
            return True
        if not below.startswith("  "):
            return False
    return False


def _ends(part: _Part, lines: list[str], at: int) -> bool:
    """Return whether the line at `at` ends `part`, which consists of the lines above.

    The line has no mark. It ends the part if it is not indented deeper than the part's first line.
    """
    line = lines[at]
    if part.kind == "plain" or not line.strip() or _indent(line) > _indent(part.lines[0]):
        return False
    # Some agents do not indent the result of a call. Such a result ends with a blank line.
    return part.kind == "said" or not lines[at - 1].strip() or _CALLED.match(part.lines[0]) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _last_words(parts: list[_Part]) -> tuple[int, int]:
    """Find what the agent wrote last: the parts after the last step, not counting steps at the very end.

    Return the index of the first of these parts, and the index after the last of them.
    """
    end = len(parts)
    while end and parts[end - 1].kind == "step":
        end -= 1
    start = end
    while start and parts[start - 1].kind != "step":
        start -= 1
    return start, end


def _without_output(parts: list[_Part]) -> tuple[list[str], list[str]]:
    """Split parts into two lists of lines: program output, and the answer, which comes after the output."""
    first = next((at for at, part in enumerate(parts) if part.kind == "said"), len(parts))
    plain = [line for part in parts[:first] for line in part.lines]
    said = [line for part in parts[first:] for line in part.lines]
    if said and plain and ECHO.match(next(line for line in plain if line.strip())):
        # `plain` is text that the person has typed. The terminal shows it too, so leave it out.
        return [], said
    blocks = list(_blocks(plain))
    begin = len(blocks)
    while begin and not _is_output(blocks, begin - 1):
        begin -= 1
    before = [line for block in blocks[:begin] for line in block]
    return before, [line for block in blocks[begin:] for line in block] + said


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Cut lines into blocks at blank lines outside code. Each block keeps the blank lines after it."""
    block: list[str] = []
    fenced = find_fenced_rows(lines)
    for at, line in enumerate(lines):
        if block and line.strip() and not block[-1].strip() and not fenced[at - 1]:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _is_output(blocks: list[list[str]], at: int) -> bool:
    """Return whether a block looks like the output of a program.

    Indented code below a line that ends with `:` does not count as output.
    """
    rows = [line for line in blocks[at] if line.strip()]
    if not rows or any(find_fenced_rows(blocks[at])):
        return False
    above = blocks[at - 1] if at else []
    introduced = next((line.rstrip() for line in reversed(above) if line.strip()), "").endswith(":")
    if introduced and rows[0].startswith("    "):
        return False
    judged = [line for line in rows if not _NEUTRAL.match(line.strip())]
    return bool(judged) and 2 * sum(map(_is_output_line, judged)) > len(judged)


def _is_output_line(line: str) -> bool:
    said = line.strip()
    return (
        _OUTPUT.match(said) is not None
        or _COLUMNS.search(said) is not None
        or _STATEMENT_END.search(said) is not None
    )


def _count_tests(steps: list[_Part]) -> tuple[int, int]:
    """Return how many tests passed and how many failed in the latest test run of these steps."""
    for step in reversed(steps):
        found = [
            [int(each[1]) for line in step.lines for each in of.finditer(line)] for of in (_PASSED, _FAILED)
        ]
        if any(found):
            passed, failed = (counts[-1] if counts else 0 for counts in found)
            return passed, failed
    return 0, 0
