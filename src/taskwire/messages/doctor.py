"""The messages with which `/task doctor` answers administrators."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from taskwire.domain.text.message import Message
from taskwire.messages.blocks import TEXT_LENGTH, cut, escape_line, section

# A Slack message has at most 50 blocks. Findings about faults come first.
MOST_SHOWN = 20
FINDING_LENGTH = 600


class ShownFinding(NamedTuple):
    """The state of one examined part, without secrets. `hint` says what to do."""

    name: str
    state: Literal["ok", "note", "wrong"]
    says: str
    hint: str = ""


def show_findings(found: Sequence[ShownFinding]) -> Message:
    """Show the findings of an examination: problems first, then remarks, then what is right."""
    wrong = [each for each in found if each.state == "wrong"]
    notes = [each for each in found if each.state == "note"]
    right = list(dict.fromkeys(each.name for each in found if each.state == "ok"))
    things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
    lines = [f"*{things} wrong.*" if wrong else "*Nothing is wrong.*"]
    lines += [_describe(":x:", each) for each in wrong]
    lines += [_describe(":information_source:", each) for each in notes]
    hidden = len(lines) - 1 - MOST_SHOWN
    if hidden > 0:
        lines[MOST_SHOWN + 1 :] = [f"And {hidden} more: `taskwire doctor`, where Taskwire runs, shows all."]
    if right:
        lines.append(f":white_check_mark: OK: {escape_line(', '.join(right), 1_000)}.")
    layout = tuple(section(f"finding.{number}", words) for number, words in enumerate(lines))
    return Message(text=cut("\n".join(lines), TEXT_LENGTH), blocks=layout)


def _describe(emoji: str, finding: ShownFinding) -> str:
    words = f"{finding.says} {finding.hint}".strip()
    return f"{emoji} *{escape_line(finding.name, 60)}*: {escape_line(words, FINDING_LENGTH)}"
