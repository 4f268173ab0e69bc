"""Excerpts of an agent's text. Each part of the text is in one excerpt, whole and harmless."""

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.lifecycle.phases import AgentLogEntry
from taskwire.domain.masking.secrets import Masker
from taskwire.domain.text.agent_answers import AgentTurn
from taskwire.domain.text.excerpts import (
    MAX_EXCERPT_CHARACTERS,
    MAX_EXCERPT_LINES,
    Cursor,
    Excerpt,
    excerpt_last_output,
    keep_end,
    keep_recent,
    make_cursor,
    make_excerpt,
    render_log,
)
from taskwire.domain.text.mrkdwn import Mentions, break_mentions, list_mentions

# A slow machine must not fail these tests.
patient = settings(deadline=None)
START = datetime(2026, 6, 18, 10, tzinfo=UTC)
MASK = Masker(["s3cret-token"]).mask
STATUS = "\n\n✽ Pondering… (esc to interrupt)\n\n╭───────╮\n│ >     │\n╰───────╯\n  ? for shortcuts"
PIECES = [
    "It works now.",
    "⏺ Read(a.py)\n  ⎿  Read 3 lines",
    "⏺ Said",
    "  - item",
    "```py",
    "```",
    "    x = 1",
    "│ in │",
    "╭──╮",
    "╰──╯",
    "",
    "> ",
    "\x1b[1mbold",
    "<!here> @channel <@U12>",
    "▸ call",
    "▸ … 4 earlier steps",
    "  ↳ result",
    "… +3 lines",
    "This line was filled by the terminal until the next word had no room in it",
    "to the end of this sentence, which was then long enough to be wrapped also",
    "\u203a ",
    "\ud800",
]
screens = st.lists(st.sampled_from(PIECES) | st.text(max_size=20)).map("\n".join)


def says(id_: int, text: str, minute: int = 0) -> AgentLogEntry:
    return AgentLogEntry(id_, is_input=False, text=text, at=START + timedelta(minutes=minute))


def asks(id_: int, text: str, minute: int = 0) -> AgentLogEntry:
    return AgentLogEntry(id_, is_input=True, text=text, at=START + timedelta(minutes=minute))


class Notifier:
    """Makes excerpts of a growing log, and remembers where the latest excerpt ended."""

    def __init__(self) -> None:
        self.cursor: Cursor | None = None
        self.excerpt: Excerpt | None = None

    def hears(self, *log: AgentLogEntry, build: int = 1, is_snapshot: bool = False) -> str | None:
        """Return the text of the next excerpt of this log, or None if the log has nothing new. `build` is the
        task's build from which the log is."""
        self.excerpt, self.cursor = make_excerpt(
            log, self.cursor, build=build, mask=MASK, is_snapshot=is_snapshot
        )
        return self.excerpt.full_text if self.excerpt else None


def test_a_turn_is_told_once() -> None:
    """The excerpt has neither the program's start-up banner nor the text of an earlier excerpt."""
    notifier = Notifier()
    log = [says(0, "✻ Welcome to Claude Code!"), asks(1, "Fix it", 1), says(2, "⏺ Fixed." + STATUS, 2)]

    assert notifier.hears(log[0]) is None
    assert notifier.hears(*log) == "Fixed."
    assert notifier.hears(*log) is None


def test_an_entry_that_grows_is_told_by_its_new_part() -> None:
    """An entry of the log has grown since the latest excerpt. The next excerpt has only the entry's new part,
    even if the status bar and the entry's time have changed."""
    notifier = Notifier()

    assert notifier.hears(says(0, "One." + STATUS)) == "One."
    assert notifier.hears(says(0, "One.\n\nTwo." + STATUS, 1)) == "Two."
    assert notifier.hears(says(0, "One.\n\nTwo.", 2)) is None


def test_the_next_turn_is_told_with_the_rest_of_the_last() -> None:
    """After an excerpt, the agent writes more, gets an input, and answers. The next excerpt has what the
    agent wrote before the input, and the answer."""
    notifier = Notifier()
    notifier.hears(asks(1, "Fix it"), says(2, "One."))

    news = notifier.hears(asks(1, "Fix it"), says(2, "One.\nTwo."), asks(3, "And?", 1), says(4, "Three.", 2))

    assert news == "Two.\n\nThree."


def test_a_line_that_grew_is_told_again_and_nothing_before_it() -> None:
    """An excerpt ended in the middle of a line. The next excerpt begins with that whole line."""
    notifier = Notifier()
    notifier.hears(says(0, "One.\nTwo.\nThree.\nFou"))

    assert notifier.hears(says(0, "One.\nTwo.\nThree.\nFour.\nFive.")) == "Four.\nFive."


def test_a_redrawn_screen_is_told_from_where_it_was_known() -> None:
    """Since the latest excerpt, lines have scrolled off the top of the agent's screen, and one line has
    changed. The next excerpt has only the lines below the known lines."""
    notifier = Notifier()
    notifier.hears(says(0, "\n".join(f"Line {n}." for n in range(10))))

    redrawn = "\n".join(["Line six.", *(f"Line {n}." for n in range(7, 12))])

    assert notifier.hears(says(0, redrawn)) == "Line 10.\nLine 11."


def test_a_screen_that_shrank_is_no_news() -> None:
    """The agent's screen has lost lines and has no new line, so there is no new excerpt."""
    notifier = Notifier()
    notifier.hears(says(0, "One.\nTwo.\nThree.\nFour."))

    assert notifier.hears(says(0, "One.\nTwo.\nThree.")) is None
    assert notifier.hears(says(0, "")) is None
    assert notifier.hears(says(0, "One.\nTwo.\nThree.\nFour.\nFive.")) == "Five."


def test_a_rewritten_entry_is_told_whole() -> None:
    """The agent's program cleared the screen and drew another text. The excerpt has the whole new text."""
    notifier = Notifier()
    notifier.hears(says(0, "One.\nTwo."))

    assert notifier.hears(says(0, "Something else.\nTwo.")) == "Something else.\nTwo."


def test_ids_that_begin_again_are_another_history() -> None:
    """After a resume, the log's ids begin at 0 again. The excerpt has the new history, whether or not the
    build is new."""
    notifier = Notifier()
    notifier.hears(says(0, ""), asks(1, "Fix it", 1), says(2, "Fixed.", 2))

    assert notifier.hears(says(0, ""), build=3) is None
    assert notifier.hears(says(0, ""), asks(1, "More", 9), says(2, "Done.", 10), build=3) == "Done."
    assert notifier.hears(says(0, "Hello again."), build=3) == "Hello again."
    assert notifier.hears(says(0, ""), asks(1, "And?", 20), says(2, "Well.", 21), build=3) == "Well."


def test_a_history_that_was_kept_over_a_resume_is_not_told_again() -> None:
    """After a resume, the log has the same entries with the same ids and times. There is no excerpt."""
    notifier = Notifier()
    log = [says(0, ""), asks(1, "Fix it", 1), says(2, "Fixed.", 2)]
    notifier.hears(*log)

    assert notifier.hears(*log, build=3) is None
    assert notifier.hears(*log, asks(3, "More", 9), says(4, "Done.", 10), build=3) == "Done."


def test_a_screen_repeated_after_a_resume_is_not_told_again() -> None:
    """After a resume, some agents show the old conversation again. The excerpt lacks that conversation."""
    notifier = Notifier()
    old = "One.\nTwo.\nThree.\nFour."
    notifier.hears(says(0, ""), asks(1, "Fix it", 1), says(2, old, 2))

    assert notifier.hears(says(0, ""), build=3) is None
    assert notifier.hears(says(0, f"Welcome back.\n{old}\nFive."), build=3) == "Five."


def test_a_snapshot_is_never_news() -> None:
    """A snapshot shows the log from before a pause. Neither a snapshot nor an empty log gives an excerpt."""
    notifier = Notifier()

    assert notifier.hears(says(4, "Done."), is_snapshot=True) is None
    assert notifier.hears() is None
    assert notifier.cursor is None
    assert notifier.hears(asks(1, "Fix it")) is None


def test_a_log_that_lost_its_beginning_goes_on() -> None:
    """The agent's log has lost its old entries, and has only new ones. The excerpt has these new entries."""
    notifier = Notifier()
    notifier.hears(asks(1, "Fix it", 1), says(2, "One.", 2))

    assert notifier.hears(asks(31, "More", 9), says(32, "Two.", 10)) == "Two."


def test_what_was_there_before_the_thread_is_not_told() -> None:
    """A task that already has a log is attached. The first excerpt has only text that the agent wrote after
    that."""
    notifier = Notifier()
    notifier.cursor = make_cursor([says(0, "Old.")], build=1, mask=MASK)

    assert notifier.hears(says(0, "Old.\nNew.")) == "New."


def test_the_last_excerpt_and_the_whole_log() -> None:
    """`logs` shows the agent's latest output, or nothing for an empty log. `logs full` shows the whole log,
    with the inputs. A secret is masked in the output."""
    log = [says(0, ""), asks(1, "Fix\nit"), says(2, "Fixed s3cret-token."), says(4, STATUS)]

    turn = AgentTurn("Fixed •••.")
    assert excerpt_last_output(log, mask=MASK) == Excerpt(
        "Fixed •••.", is_cut=False, full_text="Fixed •••.", turn=turn
    )
    assert excerpt_last_output([], mask=MASK) is None
    assert render_log(log) == f"> Fix\n> it\n\nFixed s3cret-token.\n\n{STATUS.strip()}"


def test_the_whole_log_is_as_coder_has_it() -> None:
    """`logs full` shows the log almost as Coder has it. Only escape codes and padding are removed. Boxes,
    banners, long results and status lines stay."""
    call = "⏺ Bash(make)\n  ⎿  1\n     2\n     3\n     4\n     5"
    screen = f"{call}   \n\n╭──╮\n│ >│\n╰──╯\x1b[0m\n  ? for shortcuts\n"

    assert render_log([says(2, screen), asks(1, "make it")]) == (
        f"> make it\n\n{call}\n\n╭──╮\n│ >│\n╰──╯\n  ? for shortcuts"
    )


@pytest.mark.parametrize("first", ["", "Now ", "Hm. ", "Done. ", "All is well. "])
def test_words_that_the_terminal_cut_are_whole_again(first: str) -> None:
    """Goose does not wrap its lines. The terminal cuts them after 80 characters, even within a word, and the
    excerpt joins them."""
    answer = (
        f"{first}The redirect lost its query because the handler built the address from the path, and the "
        "session was renewed one line before. It keeps the query now, and a test shows that it does."
    )
    rows = "\n".join(answer[at : at + 80].ljust(80) for at in range(0, len(answer), 80))
    screen = f"─── shell | developer ──────────\ncommand: make test\n\n{rows}\n\n- one\n- two"

    excerpt = excerpt_last_output([says(0, screen)], mask=MASK)

    assert excerpt is not None
    assert excerpt.turn.answer == f"{answer}\n\n- one\n- two"


def test_a_secret_in_a_frame_or_over_two_lines_is_masked() -> None:
    """The agent's program has drawn a secret in a frame, or broken it into two lines. The excerpt joins the
    lines, and the secret is masked."""
    framed = "╭──────────╮\n│ s3cret-t │\n│ oken ok  │\n╰──────────╯"
    token = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"
    wrapped = f"  The push to the other remote works with the token {token}"

    assert Notifier().hears(says(0, framed)) == "••• ok"
    assert Notifier().hears(says(0, f"{wrapped[:79]}\n  {wrapped[79:]} now.")) == (
        "The push to the other remote works with the token ghp_••• now."
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a\nb"),
        ("\n".join(map(str, range(10))), "… 7 lines are left out above\n7\n8\n9"),
        ("```py\na\nb\nc\nd\ne\n```", "… 4 lines are left out above\n```py\nd\ne\n```"),
        ("a\n" * 5 + "word " * 60 + "end", "… 5 lines are left out above\n…" + "word " * 19 + "end"),
        ("x" * 300, "… the beginning is left out\n…" + "x" * 100),
    ],
)
def test_a_long_text_shows_its_end(text: str, shown: str) -> None:
    """An excerpt of a long text has only the end of the text. Its first line says how much is left out. If
    the cut is within a block of code, the rest is still a block of code."""
    excerpt = keep_end(text, lines=5, characters=200)

    assert excerpt.text == shown
    assert excerpt.is_cut == (shown != text)
    assert excerpt.full_text == text


@patient
@given(screens, screens, st.booleans())
def test_what_comes_out_is_harmless(first: str, second: str, is_grown: bool) -> None:
    """For any two screens, one after the other, the excerpts are within the limits. They have no control
    characters, mentions or secrets, and are not blank."""
    notifier = Notifier()
    for text in (f"{first}s3cret-token", f"{first if is_grown else ''}\n{second}s3cret-\n   token"):
        notifier.hears(says(0, text))
        if notifier.excerpt is None:
            continue
        shown = notifier.excerpt.full_text
        assert shown.strip()
        assert not [
            char for char in shown if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"
        ]
        assert list_mentions(shown) == Mentions()
        assert break_mentions(shown) == shown
        assert "s3cret-token" not in shown
        assert len(notifier.excerpt.text) <= MAX_EXCERPT_CHARACTERS
        assert notifier.excerpt.text.count("\n") < MAX_EXCERPT_LINES


@patient
@given(
    st.lists(
        st.sampled_from(["It works.", "", "  - item", "    x = 1", "It works.", "⏺ Said."]), max_size=12
    ),
    st.lists(st.integers(0, 12), max_size=4),
)
def test_a_growing_entry_is_told_without_a_gap_or_a_repetition(lines: list[str], stops: list[int]) -> None:
    """The log is read at many moments. All excerpts together are the whole text."""
    notifier = Notifier()
    parts = [
        notifier.hears(says(0, "\n".join(lines[:stop]) + STATUS)) or ""
        for stop in [*sorted(stops), len(lines)]
    ]

    heard = [line.strip() for part in parts for line in part.split("\n") if line]

    assert heard == [line.strip().removeprefix("⏺ ") for line in lines if line]


@patient
@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.booleans(), screens, st.integers(0, 9), st.integers(1, 3)), max_size=6
    )
)
def test_no_history_breaks_the_telling(history: list[tuple[int, bool, str, int, int]]) -> None:
    """The ids, times and builds in a log may come in any order. An excerpt can still be made."""
    notifier = Notifier()
    for stop in range(1, len(history) + 1):
        unique = {
            id_: AgentLogEntry(id_, typed, text, START + timedelta(minutes=at))
            for id_, typed, text, at, _ in history[:stop]
        }
        notifier.hears(*unique.values(), build=history[stop - 1][4])

        assert notifier.hears(*unique.values(), build=history[stop - 1][4]) is None


@pytest.mark.parametrize(
    "unit",
    ["\x1b]8;;", " \n", "```x\n", "╭\n", "─a", "⏺ B(x)\n  ⎿  a\n", "✻", "This is a line that fills it. "],
)
def test_a_long_log_is_read_at_once(unit: str) -> None:
    """The log has 60 kB of text that is slow for regular expressions. Reading it takes less than the test's
    time limit."""
    text = unit * (60_000 // len(unit))
    notifier = Notifier()

    notifier.hears(says(0, text))

    assert notifier.hears(says(0, f"{text}\nThe end.")) is not None


def test_of_a_log_that_is_too_long_to_be_read_the_end_is_kept() -> None:
    """A log is too long to be read whole. The excerpt has the end of the log, and begins with the amount of
    text that is left out."""
    log = [AgentLogEntry(n, n == 1, text, START) for n, text in enumerate(("aaa a", "bb", "cccc"))]

    assert keep_recent(log, 11) == log
    assert keep_recent(log, 9) == [
        replace(log[0], text="… 3 characters are left out above\n a"),
        *log[1:],
    ]
    assert [line.text for line in keep_recent(log, 2)] == ["… 11 characters are left out above\n"]
    assert keep_recent([], 2) == []


def test_of_a_log_of_too_many_lines_the_last_are_kept() -> None:
    """A log has too many lines. Only its last lines are read, because each line takes time, even an empty
    one."""
    log = [AgentLogEntry(0, is_input=False, text="a\nb\nc", at=START)]

    assert keep_recent(log, most_lines=3) == log
    assert keep_recent(log, most_lines=2)[0].text == "… 2 characters are left out above\nb\nc"


def shown_of(log: list[AgentLogEntry]) -> str:
    excerpt = excerpt_last_output(log, mask=Masker().mask)
    return excerpt.full_text if excerpt is not None else ""


def test_a_log_whose_beginning_is_left_out_shows_no_half_of_a_secret() -> None:
    """If the beginning of a log is left out, no part of a secret at the cut is shown. Masking would not
    recognize half a token. Of a private key that was cut, all lines are masked."""
    secret = "glpat-aB3dE6gH9jK2mN5pQ8sT1v"
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC"] * 40)
    key = f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----"

    for longest in range(30, 80):
        text = f"use {secret} now and then go on with it until the end"
        shown = shown_of(keep_recent([says(0, text)], longest))
        assert [part for part in ("aB3dE6", "gH9jK2", "Q8sT1v") if part in shown] == []
    for longest in range(200, 1_400, 37):
        shown = shown_of(keep_recent([says(0, f"{key}\nok then")], longest))
        assert "MIIEvQ" not in shown
        assert "ADANBgkqhkiG9w0B" not in shown


def test_of_a_long_token_that_was_cut_nothing_is_shown() -> None:
    """A web token is recognized by its beginning, and can have thousands of characters. If the beginning is
    cut off, the rest of the token is not shown."""
    token = f"eyJhbGciOiJIUzI1NiJ9.{'eyJz' * 300}.{'dozj' * 10}"

    for longest in (100, 400, 900, 1_200):
        shown = shown_of(keep_recent([says(0, f"use {token} and go on")], longest))
        assert [part for part in ("eyJz", "dozj") if part in shown] == []
        assert shown.endswith("and go on")
