"""A table of what each coding agent draws around its own text on its terminal.

`terminal` drops banners and status lines. `prose` reads the marks before text, tool calls and their results.
A new agent is a new row. The patterns of all agents are compiled into one, because a log does not say which
agent wrote it.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class AgentScreen:
    """Patterns of one agent's screen. Each is searched for in a single line without blanks at its ends."""

    name: str
    # Lines that the agent shows when it starts.
    banner: tuple[str, ...] = ()
    # The same in a box. One such line makes the whole box a banner.
    boxed_banner: tuple[str, ...] = ()
    # Status bars, spinners and hints.
    status: tuple[str, ...] = ()
    # The marks before the agent's text, before a tool call, and before the result of a call.
    says: str = ""
    calls: str = ""
    results: str = ""


_SPINNER = "[✻✽✶✳✢✦✧·\u2217]"

SCREENS = (
    AgentScreen(
        "Claude Code",
        banner=(r"^✻ Welcome to ", r"^/help for help", r"^cwd: [/~]", r"^Claude Code v[0-9]"),
        boxed_banner=(r"Welcome to Claude", r"/help for help"),
        status=(
            r"\? for shortcuts",
            r"\(shift\+tab to cycle",
            r"^Context left until auto-compact",
            r"bypass permissions on",
            r"auto-accept edits on",
            r"ctrl\+t to (?:show|hide) ",
            r"^(?:⎿ {1,3}|※ ?|└ )?Tip: ",
            rf"^{_SPINNER} ?[\w' -]{{1,40}}(?:…|\.\.\.)",
            rf"^{_SPINNER} ?\w{{1,20}} for [0-9]+[smh]",
            r"^> Try \"",
        ),
        says="⏺●",
        calls="⏺●",
        results="⎿",
    ),
    AgentScreen(
        "Codex",
        banner=(
            r"^>_ OpenAI Codex",
            r"^/(?:init|status|approvals|model|review) - ",
            r"^To get started, describe a task or ",
        ),
        boxed_banner=(r"Welcome to (?:Codex|OpenAI)", r">_ OpenAI Codex"),
        status=(
            r"[0-9]% context left",
            r"⏎ send",
            r"^tokens used: [0-9]",
            r"^Token usage: total=",
            r"^Worked for [0-9]",
        ),
        calls="•",
        results="└",
    ),
    AgentScreen(
        "Aider",
        banner=(
            r"^Aider v[0-9.]+$",
            r"^(?:Main|Weak|Editor) model: ",
            r"^Model: .{1,80} edit format",
            r"^Git repo: \S{1,80} with ",
            r"^Repo-map: using ",
            r"^Use /help <",
        ),
        boxed_banner=(r"^Aider v[0-9]",),
        status=(r"^Tokens: [0-9.,k]+ sent",),
    ),
    AgentScreen(
        "any agent",
        status=(
            r"(?:esc|ctrl[+-]c) to (?:interrupt|exit|quit)",
            r"Ctrl-C again to exit",
            # Spinners of other agents: half circles before a word, and Braille dots.
            r"^[◐◓◑◒] ?[\w' -]{1,40}(?:…|\.\.\.)",
            r"^[\u2800-\u28ff]",
            # An empty prompt.
            r"^[>\u276f\u203a]$",
        ),
    ),
)

BANNER = re.compile("|".join(pattern for screen in SCREENS for pattern in screen.banner))
BOXED_BANNER = re.compile("|".join(pattern for screen in SCREENS for pattern in screen.boxed_banner))
STATUS = re.compile("|".join(pattern for screen in SCREENS for pattern in screen.status))
SAYS = "".join(screen.says for screen in SCREENS)
CALLS = "".join(screen.calls for screen in SCREENS)
RESULTS = "".join(screen.results for screen in SCREENS)
