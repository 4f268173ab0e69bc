"""Text as an agent's terminal shows it: a frame around the greeting, bullets, 80 columns, padding."""

import textwrap

COLUMNS = 80
BULLET = "⏺ "


def banner(directory: str = "/home/coder/project") -> str:
    """Return the greeting in its box, which is the conversation's first message."""
    lines = [
        "✻ Welcome to your coding agent!",
        "",
        "  /help for help, /status for your current setup",
        "",
        f"  cwd: {directory}",
    ]
    inner = COLUMNS - 4
    body = [f"│ {line:<{inner}} │" for line in lines]
    return "\n".join([f"╭{'─' * (inner + 2)}╮", *body, f"╰{'─' * (inner + 2)}╯"])


def dressed(text: str) -> str:
    """Return paragraphs as the terminal prints them: a bullet each, hard-wrapped, padded to the width."""
    return "\n\n".join(_paragraph(part) for part in text.strip("\n").split("\n\n"))


def padded(text: str) -> str:
    """Return lines as a terminal gives them back: filled up with blanks, each with a carriage return."""
    return "".join(f"{line:<{COLUMNS}}\r\n" for line in text.split("\n"))


def _paragraph(text: str) -> str:
    lines = text.split("\n")
    if lines[0].startswith(("⏺", "●", "  ⎿", "    ", "```", "╭", "│")):
        return "\n".join(_padded(line) for line in lines)
    wrapped: list[str] = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + len(BULLET))
        wrapped += textwrap.wrap(
            line.strip(), COLUMNS - 1, initial_indent=indent, subsequent_indent=indent, break_long_words=False
        ) or [""]
    wrapped[0] = BULLET + wrapped[0][len(BULLET) :]
    return "\n".join(_padded(line) for line in wrapped)


def _padded(line: str) -> str:
    return line.ljust(COLUMNS)
