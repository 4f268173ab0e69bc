"""Which replies stop a task, and which are words for its agent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire.domain.ids import UserId
from taskwire.domain.replies import Input, NotAVerb, Stop, ThreadCommand, classify

BOT = UserId("UBOT")


@pytest.mark.parametrize(
    "message",
    [
        *("stop", "Stop", "STOP", "sToP", "stop.", "Stop!", "STOP!!!", "stop …", "stop ...", " stop \n"),
        *("cancel", "Cancel.", "CANCEL!", "halt", "Halt!", "HALT", "abort", "Abort!", "ABORT!!"),
        *("wait", "Wait!", "wait.", "WAIT!!!", "*stop*", "*STOP!*", "_wait_", "*_cancel_*!"),
        *("<@UBOT> stop", "<@UBOT>, stop!", "<@UBOT|taskwire>: Cancel", "stop <@UBOT>", "Wait, <@UBOT>!"),
        *("stop <@UBOT|taskwire>", "<@UBOT> abort.", ":octagonal_sign:", "\N{OCTAGONAL SIGN}\ufe0f"),
        *("stop\N{NO-BREAK SPACE}!", "<@UBOT>\nhalt"),
    ],
)
def test_a_bare_word_stops(message: str) -> None:
    """The case, the end of the sentence, a mention of the bot and bold text change nothing."""
    assert isinstance(classify(message, BOT), Stop)


@pytest.mark.parametrize(
    "message",
    [
        *("stop the server", "wait, use main", "cancel that PR", "stop it", "stop now", "please stop"),
        *("stop?", "wait what", "wait: use main", "halt and catch fire", "abort the rebase", "don't stop"),
        *("stop, wait", "stop stop", "stopp", "stopped", "stopping", "nonstop", "waiting", "cancelled"),
        *("stop\nand test", "- stop", "1. stop", "`stop`", "```stop```", "> stop", "&gt; stop", '"stop"'),
        *("stop <#C1|dev>", "stop <https://x.example>", "stop-it", "stop/start", "stop 🙂", "st op"),
        *("<@UBOT> stop the server", "stop the server <@UBOT>", "halt()", "wait(5)", "WAIT_FOR_DB", ""),
    ],
)
def test_any_other_text_is_input(message: str) -> None:
    """One more word, a question, code or a quotation is for the agent."""
    assert isinstance(classify(message, BOT), Input)


def test_a_bare_word_with_the_mark_is_a_verb_or_asked_about() -> None:
    """`!stop` is a verb. The other words have none, so the nearest is offered."""
    assert classify("!stop", BOT) == ThreadCommand("pause")
    assert classify("<@UBOT> !Stop", BOT) == ThreadCommand("pause")
    assert classify("!stop the server", BOT) == NotAVerb("!stop the server", ("!stop",))


def test_a_bare_word_to_other_people_is_an_aside() -> None:
    """`stop, @bob` is for Bob."""
    assert not isinstance(classify("stop <@UBOB>", BOT), Stop)
    assert not isinstance(classify("// stop", BOT), Stop)


@given(
    st.sampled_from(["stop", "cancel", "halt", "abort", "wait"]),
    st.text(alphabet="abc def?,:`>0", min_size=1),
)
def test_a_word_more_is_never_a_stop(word: str, more: str) -> None:
    """Only blanks may follow the word, or stand before it."""
    assert isinstance(classify(f"{word}{more}", BOT), Stop) == (not more.strip())
    assert isinstance(classify(f"{more}{word}", BOT), Stop) == (not more.strip())
