"""A table of what each coding agent shows on its terminal around its own text.

`terminal` removes banners and status lines. `prose` and `agent_answers` use the marks before text, before
tool calls, and before the results of calls. To support another agent, add a row. The patterns of all agents
are joined, because a log does not say which agent wrote it.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class AgentScreen:
    """Regular expressions for one agent's screen. They are applied to one line without blanks at its ends."""

    name: str
    # Lines that the agent shows when it starts.
    banner: tuple[str, ...] = ()
    # Lines in a box. If one of them matches, the whole box is a banner.
    boxed_banner: tuple[str, ...] = ()
    # Status bars, spinners and hints.
    status: tuple[str, ...] = ()
    # The marks before the agent's text, before a tool call, and before the result of a call.
    text_marks: str = ""
    call_marks: str = ""
    result_marks: str = ""
    # Lines that are a step although they have no mark.
    steps: tuple[str, ...] = ()
    # A title in a horizontal line above a call.
    call_title: str = ""


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
        text_marks="⏺●",
        call_marks="⏺●",
        result_marks="⎿",
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
            r"^Ask Codex to do anything$",
            r"^tokens used: [0-9]",
            r"^Token usage: total=",
            r"^Worked for [0-9]",
        ),
        call_marks="•",
        result_marks="└",
        steps=(r"^• .{1,300} \(\+[0-9]+ -[0-9]+\)$", r"^⚡ "),
    ),
    AgentScreen(
        "Gemini CLI",
        banner=(
            r"^Tips for getting started:$",
            r"^[0-9]\. (?:Ask questions, edit files|Be specific for the best|/help for more)",
            r"^[0-9]\. Create GEMINI\.md files",
        ),
        status=(
            r"[0-9]% context left\)",
            r"^Using:? [0-9]+ (?:GEMINI\.md|MCP server)",
            r"^YOLO mode",
            r"^Type your message or @",
        ),
        text_marks="✦",
        steps=(r"^[✓✗x⊷o?-]  (?:[A-Z]\w+|\S+ \(.{1,80} MCP Server\))(?: |$)",),
    ),
    AgentScreen(
        "Goose",
        banner=(
            r"^starting session \|",
            r"^(?:session id|working directory|logging to): ?\S",
            r"^Goose is running!",
        ),
        status=(r"^\( ?O\)>", r"^Context: [●○]{3,}", r"^Closing session"),
        call_title=r"^─{3} (\S{1,60} \| \S{1,60}) ─{3,}$",
    ),
    AgentScreen(
        "Amp",
        banner=(r"Welcome to Amp$", r"^\.{2,}[.:=+-]{6,}", r"amp: help"),
        boxed_banner=(r"^(?:smart|rush|deep|free|large)(?: \(click or .{1,40})?$",),
        status=(r"^[0-9]{1,3}% of [0-9]+k", r"^[✓⋯] Thinking [▶▼]$"),
        steps=(
            r"^[✓✕✗⋯] (?:Read|Edit|Create|Grep|Glob|Search|List|Format) \S*[/.*]\S*",
            r"^[✓✕✗⋯] .{1,200} [▶▼]$",
        ),
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
        steps=(
            r"^Applied edit to \S",
            r"^Commit [0-9a-f]{7,40} ",
            r"^Added \S+ to the chat",
            r"^Committing \S+ before applying edits",
        ),
    ),
    AgentScreen(
        "any agent",
        status=(
            r"(?:esc|ctrl[+-]c) to (?:interrupt|exit|quit)",
            r"Ctrl-C again to exit",
            # Spinners of agents that have no row here: half circles before a word, and Braille dots.
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
TEXT_MARKS = "".join(screen.text_marks for screen in SCREENS)
CALL_MARKS = "".join(screen.call_marks for screen in SCREENS)
RESULT_MARKS = "".join(screen.result_marks for screen in SCREENS)
# `terminal` turns the title of a horizontal line into a text line that begins with this.
STEP_MARK = "▸ "
STEP = re.compile("|".join([f"^{STEP_MARK}", *(pattern for screen in SCREENS for pattern in screen.steps)]))
CALL_TITLE = re.compile("|".join(screen.call_title for screen in SCREENS if screen.call_title))
# A tool call by which the agent reports to Coder.
OWN_CALLS = re.compile(r"coder_report_task|\bReport ?Task\b", re.IGNORECASE)
# What a person typed, as the terminal shows it.
ECHO = re.compile(r"\s*[>\u276f\u203a] \S")
# An edit that an agent proposes in its text, before its program carries it out.
EDIT_BEGINS = "<<<<<<< SEARCH"
