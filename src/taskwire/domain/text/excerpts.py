"""Makes excerpts: texts of an agent's output since the last excerpt, readable and harmless.

The last entry of a log grows and is rewritten while the agent works. After a resume the ids may begin at 0
again, and old lines can be lost. So a cursor records the fingerprints of the last lines that were shown. An
excerpt mentions nobody, has no control characters, and has no secret that the given mask knows.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zlib import crc32

from taskwire.domain.lifecycle.phases import AgentLogEntry
from taskwire.domain.text.agent_answers import AgentTurn, split
from taskwire.domain.text.mrkdwn import break_mentions
from taskwire.domain.text.prose import make_readable
from taskwire.domain.text.terminal import extract_lines, join_cut_rows, remove_escape_codes

# In characters. A block of a message may have 3,000 characters. The other 200 are for escaping and for the
# note about lines that are left out.
MAX_EXCERPT_CHARACTERS = 2_800
MAX_EXCERPT_LINES = 60
# In characters. If a log is longer, only its end is read for an excerpt. To read this many characters takes a
# second.
MAX_LOG_CHARACTERS = 1_000_000
# In lines. If a log has more lines, only its end is read, because each line costs some microseconds, even a
# short line.
MAX_LOG_LINES = 50_000
_FINGERPRINTS_KEPT = 40
# In characters. A longer word may be cut anywhere, because no token is so long.
_PART_OF_WORD = re.compile(r"\S{1,10000}(?!\S)")
# This many matching lines in a row prove that the end of the previous excerpt was found.
_SURE_MATCHES = 3

Mask = Callable[[str], str]


@dataclass(frozen=True)
class Cursor:
    """The position up to which a task's log was shown: the end of entry `entry_id` of build `build`.

    `line_count` is the number of lines in that entry. `fingerprint` is one fingerprint of all these lines.
    `last_lines` has a fingerprint for each of the last lines.
    """

    build: int
    entry_id: int
    line_count: int = 0
    fingerprint: str = ""
    last_lines: tuple[str, ...] = ()
    # The time of the latest input before the entry. This time distinguishes the log from another log with the
    # same ids.
    last_input_at: datetime | None = None


@dataclass(frozen=True)
class Excerpt:
    """A part of the log, as a text for people. `text` is short enough for a message.

    If the part is longer than a message, `text` is only its end. Then `is_cut` is true, and `full_text` is
    the whole part, for a file. `turn` has the agent's answer and its steps.
    """

    text: str
    is_cut: bool
    full_text: str
    turn: AgentTurn = field(default_factory=AgentTurn)


def make_excerpt(
    log: Sequence[AgentLogEntry], cursor: Cursor | None, *, build: int, mask: Mask, is_snapshot: bool = False
) -> tuple[Excerpt | None, Cursor | None]:
    """Return an excerpt of the agent's output after the cursor, and the cursor for the next call.

    The excerpt is None if nothing is new. The returned cursor may be new even then. Pass `cursor=None` if
    nothing was shown yet. `build` is the number of the workspace's build. `is_snapshot` is true if the log is
    the copy that Coder kept of a paused task. Such a log gives no excerpt.
    """
    outputs = sorted((line for line in log if not line.is_input), key=lambda line: line.id)
    if is_snapshot or not outputs:
        return None, cursor
    if cursor is not None and _is_same_history(log, cursor, build):
        outputs = [line for line in outputs if line.id >= cursor.entry_id] or outputs
    entries = [extract_lines(mask(line.text)) for line in outputs]
    lines = [line for entry in entries for line in ["", *entry]]
    if cursor is not None:
        lines = _find_new_lines(lines, cursor)
    moved = _make_next_cursor(log, entries[-1], build)
    if cursor is not None and not any(line.strip() for line in lines):
        # A screen that became shorter, was cleared, or is new and empty may show old lines again later. So
        # the fingerprints of the old lines stay.
        return None, replace(cursor, build=build, entry_id=moved.entry_id, last_input_at=moved.last_input_at)
    return _excerpt(lines, mask), moved


def make_cursor(log: Sequence[AgentLogEntry], *, build: int, mask: Mask) -> Cursor | None:
    """Return a cursor at the end of the log, so that a new thread shows nothing older.

    Return None if the agent has written nothing.
    """
    return make_excerpt(log, None, build=build, mask=mask)[1]


def excerpt_last_output(log: Sequence[AgentLogEntry], *, mask: Mask) -> Excerpt | None:
    """Return the agent's latest output, even if it was shown before.

    Return None if the agent has written nothing.
    """
    for line in reversed(log):
        if not line.is_input and (excerpt := _excerpt(extract_lines(mask(line.text)), mask)):
            return excerpt
    return None


def render_log(log: Sequence[AgentLogEntry], left_out: int = 0) -> str:
    """Return the whole log as one text for a file. The text is not masked.

    Only characters that a terminal does not show are removed. Each line of an input begins with `>`.
    `left_out` is the number of older entries that `log` does not have. The first line says so.
    """
    parts = [f"… {left_out:,} older messages are left out above"] if left_out else []
    for line in sorted(log, key=lambda line: line.id):
        rows = [row.rstrip() for row in remove_escape_codes(line.text).split("\n")]
        text = "\n".join(f"> {row}".rstrip() if line.is_input else row for row in rows).strip("\n")
        parts += [text] if text.strip() else []
    return "\n\n".join(parts)


def keep_recent(
    log: Sequence[AgentLogEntry], longest: int = MAX_LOG_CHARACTERS, most_lines: int = MAX_LOG_LINES
) -> list[AgentLogEntry]:
    """Return the newest entries of a log, up to `longest` characters and `most_lines` lines.

    If something is left out, the first entry's text begins with a note that says how much is missing.
    """
    kept: list[AgentLogEntry] = []
    room, lines = longest, most_lines
    for line in sorted(log, key=lambda line: line.id, reverse=True):
        if room <= 0 or lines <= 0:
            break
        text = _cut_beginning(line.text, room, lines)
        kept.append(line if text is line.text else replace(line, text=text))
        # The loop ends at the entry that was cut, so no older entry is shown.
        room -= len(line.text)
        lines -= line.text.count("\n") + 1
    kept.reverse()
    left_out = sum(len(line.text) for line in log) - sum(len(line.text) for line in kept)
    if left_out:
        note = f"… {left_out:,} characters are left out above\n"
        kept[0] = replace(kept[0], text=note + kept[0].text)
    return kept


def _cut_beginning(text: str, characters: int, lines: int) -> str:
    if len(text) > characters:
        # Begin at a whole word: the mask cannot recognise half of a secret.
        text = text[-characters:]
        part = _PART_OF_WORD.match(text)
        text = text[part.end() if part else 0 :]
    if text.count("\n") < lines:
        return text
    return "\n".join(text.rsplit("\n", lines)[1:])


def keep_end(
    text: str, *, lines: int = MAX_EXCERPT_LINES, characters: int = MAX_EXCERPT_CHARACTERS
) -> Excerpt:
    """Return the end of a text within these limits, below a note that says how much is left out."""
    rows = text.split("\n")
    if len(rows) <= lines and len(text) <= characters:
        return Excerpt(text, is_cut=False, full_text=text)
    # Two lines and 100 characters are reserved for the note, and for the line that opens a cut code fence
    # again.
    start, room = len(rows), characters - 100
    while start and len(rows) - start < lines - 2 and len(rows[start - 1]) < room:
        start -= 1
        room -= len(rows[start]) + 1
    kept = rows[start:]
    if room > characters // 4 and len(rows[start - 1]) >= room:
        start -= 1
        end = rows[start][-room:]
        kept = ["…" + (end.partition(" ")[2] if " " in end[:100] else end), *kept]
    return Excerpt(
        "\n".join([_make_left_out_note(start), *_find_open_fence(rows[:start]), *kept]),
        is_cut=True,
        full_text=text,
    )


def _make_left_out_note(rows: int) -> str:
    if not rows:
        return "… the beginning is left out"
    return f"… {rows} line{'s are' if rows > 1 else ' is'} left out above"


def _find_open_fence(rows: list[str]) -> list[str]:
    """Return the opening line of a code block that does not end in these rows, as a list of one line.

    Return an empty list if every code block ends in these rows.
    """
    fence = ""
    for row in rows:
        said = row.strip()
        if said.startswith("```"):
            fence = "" if fence and not said.strip("`") else fence or said
    return [fence[:40]] if fence else []


def _excerpt(lines: list[str], mask: Mask) -> Excerpt | None:
    lines = join_cut_rows(lines)
    news = _clean_and_mask(lines, mask)
    if not news:
        return None
    turn = split(lines, lambda part: _clean_and_mask(part, mask, is_folded=False))
    return replace(keep_end(news), turn=turn)


def _clean_and_mask(lines: list[str], mask: Mask, *, is_folded: bool = True) -> str:
    """Make extracted lines readable, mask secrets in them, and change mentions so that they notify nobody.

    If `is_folded` is true, only the last of many tool calls in a row are kept. Call this once for all lines,
    because a log may have tens of thousands of lines.
    """
    return break_mentions(mask(make_readable(lines, is_folded=is_folded)))


def _is_same_history(log: Sequence[AgentLogEntry], cursor: Cursor, build: int) -> bool:
    if max(line.id for line in log) < cursor.entry_id:
        return False
    if cursor.last_input_at is None:
        return build == cursor.build
    is_there = any(line.is_input and line.at == cursor.last_input_at for line in log)
    # The log may have lost its beginning, and with it the input at `last_input_at`.
    has_lost_it = min(line.id for line in log) > 0 and all(line.at > cursor.last_input_at for line in log)
    return is_there or (has_lost_it and build == cursor.build)


def _fingerprint(line: str) -> str:
    return f"{crc32(line.strip().encode()):08x}"


def _find_new_lines(lines: list[str], cursor: Cursor) -> list[str]:
    """Return the lines after the lines that were shown. If no shown line is found, return all lines."""
    places = [at for at, line in enumerate(lines) if line.strip()]
    prints = [_fingerprint(lines[at]) for at in places]
    behind = _find_end_of_shown(prints, cursor)
    if behind >= len(places):
        return []
    return lines[places[behind - 1] + 1 :] if behind else lines


def _find_end_of_shown(prints: list[str], cursor: Cursor) -> int:
    if (
        _fingerprint("".join(prints[: cursor.line_count])) == cursor.fingerprint
        and len(prints) >= cursor.line_count
    ):
        return cursor.line_count
    # The agent's program may have changed the last lines that were shown. The unchanged lines before them
    # still show where the previous excerpt ended.
    is_whole = cursor.line_count == len(cursor.last_lines)
    for known in range(len(cursor.last_lines), 0, -1):
        matches = [
            (_count_matches(prints, at, cursor.last_lines[:known]), at)
            for at in _find_all(prints, cursor.last_lines[known - 1])
        ]
        length, at = max(matches, default=(0, 0))
        if length >= _SURE_MATCHES or (is_whole and length and length == at + 1):
            return at + 1
    return 0


def _find_all(prints: list[str], wanted: str) -> list[int]:
    return [at for at, found in enumerate(prints) if found == wanted]


def _count_matches(prints: list[str], at: int, tail: tuple[str, ...]) -> int:
    """Count how many lines up to and including line `at` are the same as the last lines of `tail`."""
    length = 0
    while length < len(tail) and length <= at and prints[at - length] == tail[-1 - length]:
        length += 1
    return length


def _make_next_cursor(log: Sequence[AgentLogEntry], newest: list[str], build: int) -> Cursor:
    id_ = max(line.id for line in log if not line.is_input)
    asked_at = max((line.at for line in log if line.is_input and line.id < id_), default=None)
    prints = [_fingerprint(line) for line in newest if line.strip()]
    tail = tuple(prints[-_FINGERPRINTS_KEPT:])
    return Cursor(build, id_, len(prints), _fingerprint("".join(prints)), tail, asked_at)
