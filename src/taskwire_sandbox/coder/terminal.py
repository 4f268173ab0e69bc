"""An agent's terminal: how it shows text (a frame around the greeting, bullets, a width, padding), and how it
takes what is pasted."""

import re
import textwrap

COLUMNS = 80
REGISTRY_COLUMNS = 67  # with which the modules of Coder's registry start agentapi
BULLET = "⏺ "


def banner(columns: int = COLUMNS, directory: str = "/home/coder/project") -> str:
    """Return the greeting in its box, which is the conversation's first message."""
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


def dressed(text: str, columns: int = COLUMNS) -> str:
    """Return paragraphs as the terminal prints them: a bullet each, hard-wrapped, padded to the width."""
    return "\n\n".join(_paragraph(part, columns) for part in text.strip("\n").split("\n\n"))


def padded(text: str, columns: int = COLUMNS) -> str:
    """Return lines as a terminal gives them back: filled up with blanks, each with a carriage return."""
    return "".join(f"{line:<{columns}}\r\n" for line in text.split("\n"))


PASTE_BEGINS, PASTE_ENDS = "\x1b[200~", "\x1b[201~"
_KEY = re.compile(r"\x1b\[[0-9;]*[A-Za-z~]|\x1b.?|.", re.DOTALL)


def submitted(text: str) -> list[str]:
    """Return what a program gets of a text that agentapi pastes, each part as it was submitted.

    agentapi puts it between the marks of a paste, filters nothing, and presses return. The program leaves the
    paste at its first end mark, and takes a return outside of it for the end of an input.
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
