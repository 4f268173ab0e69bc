"""Invented screens of agents, and the text that a person reads from them."""

import pytest

from tests.unit.screens import read_screen

CLAUDE = """
╭──────────────────────────────────────────────────────╮
│ ✻ Welcome to Claude Code!                            │
│                                                      │
│   /help for help, /status for your current setup     │
╰──────────────────────────────────────────────────────╯

⏺ I'll look at the auth handler first, then reproduce the redirect loop with
  a small test; only then a change.

⏺ Read(src/auth.py)
  ⎿  Read 120 lines (ctrl+r to expand)

⏺ Bash(npm test -- --grep "login redirect" && npm run lint -- --max-warnings 0
      src/auth)
  ⎿  > app@1.0.0 test
     > vitest run

      ✓ login (3)
      ✗ redirect
     … +12 lines (ctrl+r to expand)

⏺ Update(src/auth.py)
  ⎿  Updated src/auth.py with 1 addition and 1 removal
       11 -      return redirect("/login")
       11 +      return redirect(safe(request.args.get("next")))

⏺ coder - coder_report_task (MCP)(summary: "Fixed the redirect, opening a pull
                                  request", link: "", state: "working")
  ⎿  Thanks for reporting!

⏺ The redirect is fixed. What was wrong:

  1. The handler ignored `next`, so every login came back to the login page and
     started again.
  2. The test used a cookie that had expired.

  Run this to see it:

      def check():
          return client.get("/login?next=/home")

  Shall I open a pull request?

✻ Baked for 1m 12s

╭──────────────────────────────────────────────────────────────────────────────╮
│ >                                                                            │
╰──────────────────────────────────────────────────────────────────────────────╯
  ? for shortcuts                                      Bypassing Permissions
"""

CLAUDE_READ = """\
I'll look at the auth handler first, then reproduce the redirect loop with a small test; only then a change.

▸ Read(src/auth.py)
  ↳ Read 120 lines
▸ Bash(npm test -- --grep "login redirect" && npm run lint -- --max-warnings 0 src/auth)
  ↳ > app@1.0.0 test
    > vitest run
     ✓ login (3)
     ✗ redirect
    … 12 more lines
▸ Update(src/auth.py)
  ↳ Updated src/auth.py with 1 addition and 1 removal
    … 2 more lines

The redirect is fixed. What was wrong:

1. The handler ignored `next`, so every login came back to the login page and started again.
2. The test used a cookie that had expired.

Run this to see it:

    def check():
        return client.get("/login?next=/home")

Shall I open a pull request?"""

# The flag of England, which ends with tags.
FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f won"
PERMISSION = """
 ▐▛███▜▌   Claude Code v2.0.14
▝▜█████▛▘  Sonnet 4.5 · Claude API
  ▘▘ ▝▝    /home/coder/project

● May I run the migration?

╭──────────────────────────────────────╮
│ Bash command                         │
│                                      │
│   ./manage.py migrate                │
│                                      │
│ Do you want to proceed?              │
│ \u276f 1. Yes                             │
│   2. No                              │
╰──────────────────────────────────────╯

✽ Pondering… (12s · ↑ 1.2k tokens · esc to interrupt)
────────────────────────────────────────
 >\xa0
────────────────────────────────────────
  ⏵⏵ bypass permissions on (shift+tab to cycle)
"""

PERMISSION_READ = """\
May I run the migration?

Bash command
  ./manage.py migrate
Do you want to proceed?
\u276f 1. Yes
  2. No"""

CODEX = """
>_ OpenAI Codex (v0.46.0)

• Explored
  └ Read auth.py
    Search redirect in src

• Ran npm test
  └ 12 passed
    1 failed
    redirect.test.ts
    Duration 3.2s
    … +20 lines

• The redirect goes wrong because the handler drops the parameter `next` and
  always answers with that page.

─ Worked for 1m 02s ────────────────────────────────────────

\u203a Write tests for @filename

  100% context left · ? for shortcuts
"""

CODEX_READ = """\
▸ Explored
  ↳ Read auth.py
    Search redirect in src
▸ Ran npm test
  ↳ 12 passed
    1 failed
    redirect.test.ts
    Duration 3.2s
    … 20 more lines

• The redirect goes wrong because the handler drops the parameter `next` and always answers with that page."""

AIDER = """
Aider v0.86.0
Main model: gpt-5 with diff edit format
Git repo: .git with 12 files
Repo-map: using 4096 tokens
────────────────────────────────────────
I will change the handler:

src/auth.py
```python
def login(request):
    next = request.args.get("next", "/home/of/the/user/as/it/is/written")

    return redirect(next)
```

Tokens: 2.3k sent, 120 received. Cost: $0.01 message, $0.02 session.
Applied edit to src/auth.py
Commit 1a2b3c4 fix: follow next
────────────────────────────────────────
>
"""

AIDER_READ = """\
I will change the handler:

src/auth.py
```python
def login(request):
    next = request.args.get("next", "/home/of/the/user/as/it/is/written")

    return redirect(next)
```

Applied edit to src/auth.py
Commit 1a2b3c4 fix: follow next"""

MANY_CALLS = (
    "⏺ Start.\n\n"
    + "\n\n".join(f"⏺ Read(src/{n}.py)\n  ⎿  Read {n} lines" for n in range(1, 9))
    + "\n\n⏺ End."
)

MANY_CALLS_READ = """\
Start.

▸ … 5 earlier steps
▸ Read(src/6.py)
  ↳ Read 6 lines
▸ Read(src/7.py)
  ↳ Read 7 lines
▸ Read(src/8.py)
  ↳ Read 8 lines

End."""


@pytest.mark.parametrize(
    ("screen", "read"),
    [
        pytest.param(CLAUDE, CLAUDE_READ, id="a turn of Claude Code"),
        pytest.param(PERMISSION, PERMISSION_READ, id="a question of Claude Code"),
        pytest.param(CODEX, CODEX_READ, id="a turn of Codex"),
        pytest.param(AIDER, AIDER_READ, id="a turn of Aider"),
        pytest.param(MANY_CALLS, MANY_CALLS_READ, id="many calls"),
        pytest.param("", "", id="nothing"),
        pytest.param("  \n\n \t\n", "", id="padding"),
        pytest.param("Done.   \r\n\r\n\r\n\r\nBye.\r\n", "Done.\n\nBye.", id="blank lines"),
        pytest.param("\x1b[1m\x1b[32mDone\x1b[0m\x1b[K", "Done", id="colours"),
        pytest.param("\x1b]0;title\x07a\x1b[3Cb\x1bPx\x1b\\c", "a   bc", id="titles and moves"),
        pytest.param("10%\r55%\rall there", "all there", id="a line written over"),
        pytest.param("⠋ Working\n⠙ Working\nok", "ok", id="spinners"),
        pytest.param("a\x00\x08\u202eb\u200b\x9b31mc", "abc", id="what is not seen"),
        pytest.param("a\U000e0041\U000e007fb", "ab", id="tags"),
        pytest.param("a\u3164b\u115f\u1160c\uffa0\U00016fe4d", "abcd", id="fillers"),
        pytest.param("a\u2800b\u2800\u2800\n\U0001d159", "a b", id="symbols that are blanks"),
        pytest.param(FLAG, FLAG, id="the tags of a flag"),
        pytest.param(
            "go\U000e0154\U000e0155 on?\ufe01\ufe0f", "go on?", id="variation selectors that hide words"
        ),
        pytest.param(
            "1\ufe0f\u20e3 \u2764\ufe0f\ufe0f \u2194\ufe0e",
            "1\ufe0f\u20e3 \u2764\ufe0f \u2194\ufe0e",
            id="selectors of emoji",
        ),
        pytest.param("\ud800x", "?x", id="half a character"),
        pytest.param(
            "see \x1b]8;;https://x.example/12\x1b\\PR #12\x1b]8;;\x1b\\ now",
            "see PR #12 (https://x.example/12) now",
            id="a link",
        ),
        pytest.param(
            "\x1b]8;;https://x.example/\x07https://x.example\x1b]8;;\x07",
            "https://x.example",
            id="a plain link",
        ),
        pytest.param(
            "┌──────┬───┐\n│ Name │ N │\n├──────┼───┤\n│ a    │ 1 │\n└──────┴───┘",
            "Name | N\na    | 1",
            id="a table in a frame",
        ),
        pytest.param("╭─ Plan ───╮\n│ one      │\n╰──────────╯\nend", "Plan\none\n\nend", id="a title"),
        pytest.param(".\n├── src\n│   └── a.py\n└── b", ".\n├── src\n│   └── a.py\n└── b", id="a tree"),
        pytest.param("▌ said\n┃ too", "said\ntoo", id="bars at the left"),
        pytest.param(
            "it was esc to interrupt? " + "x " * 80,
            "it was esc to interrupt? " + ("x " * 80).strip(),
            id="prose",
        ),
    ],
)
def test_a_screen_reads_well(screen: str, read: str) -> None:
    """From a screen, people get the agent's text. What the program draws around the text is removed."""
    assert read_screen(screen) == read
    assert read_screen(read) == read


FULL = "This line was filled by the terminal until the next word had no room in i"
ADDRESS = "https://x.example/a/very/long/address/that/fills/a/line/of/a/terminal/up"


@pytest.mark.parametrize(
    ("screen", "read"),
    [
        (f"{FULL}\nthere, so it goes on.", f"{FULL} there, so it goes on."),
        (f"{FULL}\n{FULL}\nend of it.", f"{FULL} {FULL} end of it."),
        ("A short line\nstays by itself.", "A short line\nstays by itself."),
        (f"{FULL}\n\nanother paragraph", f"{FULL}\n\nanother paragraph"),
        (f"- {FULL}\n  goes on\n- next", f"- {FULL} goes on\n- next"),
        (f"1. {FULL}\n   goes on\n2. next", f"1. {FULL} goes on\n2. next"),
        (f"1. {FULL}\ngoes on\n2. next", f"1. {FULL} goes on\n2. next"),
        (f"- {FULL}\n  - {FULL}\n    goes on", f"- {FULL}\n  - {FULL} goes on"),
        (f"- {FULL}\n  - {FULL}\n  goes on", f"- {FULL}\n  - {FULL} goes on"),
        ("1. Keep it\n2. Drop it\nWhich one?", "1. Keep it\n2. Drop it\nWhich one?"),
        (f"{FULL}\n- a list", f"{FULL}\n- a list"),
        (f"{FULL}\n  deeper", f"{FULL}\n  deeper"),
        (f"{FULL}\n| a | b |", f"{FULL}\n| a | b |"),
        (f"{FULL}:\nnext", f"{FULL}:\nnext"),
        (f"{FULL}:\n48 of 50 rows are plain.", f"{FULL}: 48 of 50 rows are plain."),
        (f"```\n{FULL}\nin code\n```", f"```\n{FULL}\nin code\n```"),
        (f"x = [\n    {FULL[:60]!r},\n    1]", f"x = [\n    {FULL[:60]!r},\n    1]"),
        (f"{FULL * 2}\nof a wider terminal", f"{FULL * 2}\nof a wider terminal"),
        (f"It is at {ADDRESS}\nto/its/end as said", f"It is at {ADDRESS}to/its/end as said"),
    ],
)
def test_only_wrapped_paragraphs_are_joined(screen: str, read: str) -> None:
    """Lines of a wrapped paragraph are joined. Code, lists and tables keep their lines."""
    assert read_screen(screen) == read
    assert read_screen(read) == read
