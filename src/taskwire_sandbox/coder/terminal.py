"""An agent's terminal: how it formats a text that it shows, and how it reads a text that is pasted."""

import re
import textwrap

COLUMNS = 80
REGISTRY_COLUMNS = 67  # the width with which the modules of Coder's registry start agentapi
BULLET = "⏺ "


def banner(columns: int = COLUMNS, directory: str = "/home/coder/project") -> str:
    """Return the greeting in its box. The greeting is the first message of a conversation."""
    lines = [
        "✻ Welcome to your coding agent!",
        "",
        "  /help for help, /status for your current setup",
        "",
        f"  cwd: {directory}",
    ]
    inner = columns - 4
    body = [f"│ {line:<{inner}} │" for line in lines]
    return "\n".join([f"╭{'─' * (inner + 2)}╮", *body, f"╰{'─' * (inner + 2)}╯"])


def as_terminal_text(text: str, columns: int = COLUMNS) -> str:
    """Return paragraphs as the terminal prints them: hard-wrapped, padded, and each with a bullet."""
    return "\n\n".join(_paragraph(part, columns) for part in text.strip("\n").split("\n\n"))


def pad_lines(text: str, columns: int = COLUMNS) -> str:
    """Return lines as a terminal returns them: padded with blanks, and each with a carriage return."""
    return "".join(f"{line:<{columns}}\r\n" for line in text.split("\n"))


PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1b.?|.", re.DOTALL)


def split_inputs(text: str) -> list[str]:
    """Return the inputs that a program receives when agentapi pastes this text.

    agentapi puts the text between the two marks of a paste, filters nothing, and presses return. The program
    ends the paste at the first end mark in the text. Outside a paste, a return ends an input.
    """
    inputs, typed, is_pasting = [], "", False
    for key in _KEY.findall(f"{PASTE_BEGINS}{text}{PASTE_ENDS}\r"):
        if key in (PASTE_BEGINS, PASTE_ENDS):
            is_pasting = key == PASTE_BEGINS
        elif key == "\r" and not is_pasting:
            inputs.append(typed)
            typed = ""
        elif is_pasting or not key.startswith("\x1b"):
            typed += key
    return [words for words in inputs if words]


def _paragraph(text: str, columns: int) -> str:
    lines = text.split("\n")
    if lines[0].startswith(("⏺", "●", "  ⎿", "    ", "```", "╭", "│")):
        return "\n".join(line.ljust(columns) for line in lines)
    wrapped: list[str] = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + len(BULLET))
        wrapped += textwrap.wrap(
            line.strip(), columns - 1, initial_indent=indent, subsequent_indent=indent, break_long_words=False
        ) or [""]
    wrapped[0] = BULLET + wrapped[0][len(BULLET) :]
    return "\n".join(line.ljust(columns) for line in wrapped)
