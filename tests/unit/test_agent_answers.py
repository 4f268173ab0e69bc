"""Invented turns of agents, as their programs draw them, and the answer in each turn."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.text.agent_answers import AgentTurn, split
from taskwire.domain.text.prose import make_readable
from taskwire.domain.text.terminal import extract_lines

from .test_screens import AIDER, CLAUDE, CODEX

GEMINI = """
╭────────────────────────────────────────────────────────╮
│ ✓  ReadFile src/auth.py                                │
│                                                        │
│ ✓  Shell npm test (Run the tests)                      │
│                                                        │
│    Tests  12 passed (12)                               │
╰────────────────────────────────────────────────────────╯
✦ The redirect lost its query because the handler built the address from the
  path alone. It keeps the query now:

   1. `login()` reads `next` first.
   2. The session is renewed afterwards.

╭──────────────────────────────────────────────────────────────────────────────╮
│ >   Type your message or @path/to/file                                       │
╰──────────────────────────────────────────────────────────────────────────────╯

~/project (main*)              no sandbox (see /docs)        gemini-2.5-pro (97% context left)
"""

NEWER_GEMINI = """
✦ I will read the handler.

  ✓  ReadFile  src/auth.py
  ✓  Edit  src/auth.py → Accepted (+2, -4)

✦ The handler keeps the query now.
"""

GOOSE = """
    ○ (o)> fix the redirect
I'll look at the handler first.

─── shell | developer ──────────────────────────
command: rg -n redirect src

src/auth.py:61:    return redirect("/")

─── text_editor | developer ──────────────────────────
path: ~/project/src/auth.py
command: str_replace

The redirect keeps its query now. I changed one line in `src/auth.py`.

- The handler reads `next` before it renews the session.
- Nothing else changed.

Would you like me to write a test for it?
( O)>
"""

AMP = """
  ✓ Thinking ▶

  I will read the handler first.

  ✓ Read src/auth.py
  ✓ Edit src/auth.py +3 -1 ▶

  The redirect keeps its query now. `login()` reads `next` before the session is renewed.

╭─smart───────────────────────────────────────────────────────────────────────╮
│                                                                             │
│                                                                             │
╰──────────────────────────────────────────────────────────~/project (main)───╯
                                                                   1% of 983k
"""

AIDER_EDIT = """
I read `next` before the session is renewed:

src/auth.py
```python
<<<<<<< SEARCH
    session.renew()
=======
    target = session.pop("next", "/")
    session.renew()
>>>>>>> REPLACE
```

That keeps the query.

Tokens: 2.3k sent, 120 received. Cost: $0.01 message, $0.02 session.
Applied edit to src/auth.py
Commit 1a2b3c4 fix: follow next
────────────────────────────────────────
>
"""

OLDER_CODEX = """
>_ You are using OpenAI Codex in ~/project

⚡ Ran command git status --porcelain
  ⎿  M src/auth.py
    ... +2 lines

There is one changed file (`src/auth.py`).

▌ Ask Codex to do anything
 ⏎ send   Ctrl+J newline   Ctrl+C quit   18724 tokens used   96% context left
"""

REPORTED_LAST = """
⏺ Bash(make test)
  ⎿  3 failed, 124 passed in 2.08s

⏺ Three tests fail without the network.

⏺ coder - coder_report_task (MCP)(summary: "Tests fail", link: "", state: "failure")
  ⎿  {
       "message": "Thanks for reporting!"
     }

⏺ I have reported this.
"""

UNKNOWN = """
running 3 checks...
12:01:02 checks/one    ok
12:01:03 checks/two    ok

All checks are fine, so there is nothing to change.

Two things that you may want to know:

    $ make check
    3 checks, 0 problems

The second one is slow.
"""

ONLY_OUTPUT = """
src/auth.py
src/login.py

{
  "checked": 2
}
"""


def turn(screen: str) -> AgentTurn:
    return split(extract_lines(screen), lambda lines: make_readable(lines, is_folded=False))


CASES = [
    pytest.param(
        CLAUDE,
        "The redirect is fixed. What was wrong:\n"
        "\n"
        "1. The handler ignored `next`, so every login came back to the login page and started again.\n"
        "2. The test used a cookie that had expired.\n"
        "\n"
        "Run this to see it:\n"
        "\n"
        "    def check():\n"
        '        return client.get("/login?next=/home")\n'
        "\n"
        "Shall I open a pull request?",
        3,
        0,
        0,
        id="Claude Code",
    ),
    pytest.param(
        REPORTED_LAST,
        "Three tests fail without the network.\n\nI have reported this.",
        1,
        124,
        3,
        id="a report to Coder is no step",
    ),
    pytest.param(
        CODEX,
        "The redirect goes wrong because the handler drops the parameter `next` and always answers with "
        "that page.",
        2,
        12,
        1,
        id="Codex",
    ),
    pytest.param(OLDER_CODEX, "There is one changed file (`src/auth.py`).", 1, 0, 0, id="Codex of last year"),
    pytest.param(
        GEMINI,
        "The redirect lost its query because the handler built the address from the path alone. "
        "It keeps the query now:\n"
        "\n"
        " 1. `login()` reads `next` first.\n"
        " 2. The session is renewed afterwards.",
        2,
        12,
        0,
        id="Gemini CLI",
    ),
    pytest.param(NEWER_GEMINI, "The handler keeps the query now.", 2, 0, 0, id="a newer Gemini CLI"),
    pytest.param(
        GOOSE,
        "The redirect keeps its query now. I changed one line in `src/auth.py`.\n"
        "\n"
        "- The handler reads `next` before it renews the session.\n"
        "- Nothing else changed.\n"
        "\n"
        "Would you like me to write a test for it?",
        2,
        0,
        0,
        id="Goose",
    ),
    pytest.param(
        AMP,
        "The redirect keeps its query now. `login()` reads `next` before the session is renewed.",
        2,
        0,
        0,
        id="Amp",
    ),
    pytest.param(
        AIDER_EDIT,
        "I read `next` before the session is renewed:\n\nThat keeps the query.",
        2,
        0,
        0,
        id="Aider",
    ),
    pytest.param(
        UNKNOWN,
        "All checks are fine, so there is nothing to change.\n"
        "\n"
        "Two things that you may want to know:\n"
        "\n"
        "    $ make check\n"
        "    3 checks, 0 problems\n"
        "\n"
        "The second one is slow.",
        0,
        0,
        0,
        id="an unknown agent",
    ),
    pytest.param(ONLY_OUTPUT, "", 0, 0, 0, id="the output of a program"),
    pytest.param("", "", 0, 0, 0, id="nothing"),
    pytest.param("It is fixed.", "It is fixed.", 0, 0, 0, id="a sentence"),
    pytest.param("• one\n• two", "• one\n• two", 0, 0, 0, id="a list"),
]


@pytest.mark.parametrize(("screen", "answer", "steps", "passed", "failed"), CASES)
def test_the_answer_is_told_from_the_steps(
    screen: str, answer: str, steps: int, passed: int, failed: int
) -> None:
    """The bot finds the agent's answer on a screen, and counts the agent's steps and the tests that passed
    and failed. The answer lacks the banners, boxes, spinners, prompts and line breaks of the agent's
    program."""
    found = turn(screen)

    assert found.answer == answer
    assert (found.step_count, found.tests_passed, found.tests_failed) == (steps, passed, failed)


@pytest.mark.parametrize(
    "text",
    [
        "ok, I look at it now.",
        "(I changed nothing else.)",
        "Done.  It works now.",
        "npm test passes on my side.",
        "[The docs](https://docs.example.com/a) say more.",
        "3 files changed, all of them small.",
        "Error handling is better now.",
        "Use `a/b` for it.",
        "- [ ] open\n- [x] closed",
        "| a | b |\n|---|---|\n| 1 | 2 |",
    ],
)
def test_what_a_person_may_be_told_is_no_output(text: str) -> None:
    """An unknown agent's program does not mark the output of tools. The bot leaves out only text that is
    clearly such output. These texts could be the agent's own words, so they stay in the answer."""
    assert turn(f"I have looked at it.\n\n{text}").answer == f"I have looked at it.\n\n{text}"


@pytest.mark.parametrize(
    "output",
    [
        "2026-11-27 07:00:00 started",
        "[INFO] started",
        "$ make test",
        "ok  \tgithub.com/a/b\t0.3s",
        "npm ERR! missing script",
        "error: no such file",
        "Traceback (most recent call last):",
        "=== 12 passed in 3s ===",
        "12 passed, 1 failed",
        "src/auth.py",
        "total  3\ndrwxr-xr-x 2 root root",
        "x = 1;",
        "@@ -1,3 +1,4 @@",
    ],
)
def test_output_before_an_answer_is_left_out(output: str) -> None:
    """A turn has the agent's words, then the output of a tool, then more words. The answer is only the words
    after the output."""
    assert turn(f"I run it.\n\n{output}\n\nIt works now.").answer == "It works now."


def test_the_steps_keep_what_was_said_on_the_way() -> None:
    """The text of the steps has each step with the beginning of its result, and what the agent said before
    the steps."""
    assert turn(CLAUDE).steps_text == (
        "I'll look at the auth handler first, then reproduce the redirect loop with a small test; only "
        "then a change.\n"
        "\n"
        "▸ Read(src/auth.py)\n"
        "  ↳ Read 120 lines\n"
        "\n"
        '▸ Bash(npm test -- --grep "login redirect" && npm run lint -- --max-warnings 0 src/auth)\n'
        "  ↳ > app@1.0.0 test\n"
        "    > vitest run\n"
        "     ✓ login (3)\n"
        "     ✗ redirect\n"
        "    … 12 more lines\n"
        "\n"
        "▸ Update(src/auth.py)\n"
        "  ↳ Updated src/auth.py with 1 addition and 1 removal\n"
        "    … 2 more lines"
    )


def test_many_steps_are_all_shown() -> None:
    """An excerpt leaves out most of a long log. The list of steps leaves out none."""
    screen = "\n\n".join(f"⏺ Read(src/{number}.py)\n  ⎿  Read 3 lines" for number in range(30))

    found = turn(f"{screen}\n\n⏺ Read.")

    assert found.steps_text.count("▸ Read") == found.step_count == 30


PIECES = [
    *("It works now.", "", "", "⏺ Said", "⏺ Read(a.py)", "  ⎿  Read 3 lines", "• Ran it", "  └ ok"),
    *(
        "✦ Said",
        "✓  Shell ls",
        "─── shell | developer ─────",
        "Applied edit to a.py",
        "```",
        "<<<<<<< SEARCH",
    ),
    *(
        "> typed",
        "    x = 1",
        "{",
        "- item",
        "  more",
        "▸ call",
        "⏺ coder_report_task()",
        CLAUDE,
        GEMINI,
        AIDER,
    ),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=20), max_size=30))
def test_any_screen_can_be_split(pieces: list[str]) -> None:
    """Any screen can be split into steps and an answer. A step is never part of the answer, and a turn
    without steps has no text of steps."""
    found = turn("\n".join(pieces))

    assert "coder_report_task" not in found.answer or "```" in found.answer
    assert bool(found.step_count) or not found.steps_text
    assert found.answer == found.answer.strip("\n")
