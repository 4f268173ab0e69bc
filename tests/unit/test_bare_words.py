"""Which replies stop a task, and which ones go to its agent."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.ids import UserId
from taskwire.domain.parsing.bare_words import is_thanks
from taskwire.domain.parsing.replies import Input, NotAVerb, Stop, ThreadCommand, classify

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
    """A reply of one stop word stops the task. Case, punctuation at the end, a mention of the bot and bold
    text make no difference."""
    assert isinstance(classify(message, BOT), Stop)


@pytest.mark.parametrize(
    "message",
    [
        *("stop the server", "wait, use main", "cancel that PR", "stop it", "stop now", "pause"),
        *("stop?", "wait what", "wait: use main", "halt and catch fire", "abort the rebase", "don't stop"),
        *("stop, wait", "stop stop", "stopp", "stopped", "stopping", "nonstop", "waiting", "cancelled"),
        *("stop\nand test", "- stop", "1. stop", "`stop`", "```stop```", "> stop", "&gt; stop", '"stop"'),
        *("stop <#C1|dev>", "stop <https://x.example>", "stop-it", "stop/start", "stop 🙂", "st op"),
        *("<@UBOT> stop the server", "stop the server <@UBOT>", "halt()", "wait(5)", "WAIT_FOR_DB", ""),
    ],
)
def test_any_other_text_is_input(message: str) -> None:
    """A reply with more than a stop word goes to the agent, for example with one more word, as a question, or
    with code or a quotation."""
    assert isinstance(classify(message, BOT), Input)


@pytest.mark.parametrize(
    "message",
    [
        *(
            "please stop",
            "stop please",
            "Stop, please!",
            "Please, wait.",
            "pls stop",
            "cancel plz",
            "*halt please*",
        ),
        *("pause please", "Please pause.", "stop it please", "please stop it now", "abort this, please"),
        *(
            "could you stop",
            "Could you stop?",
            "can you pause it?",
            "would you please wait?",
            "will you stop now",
        ),
        *(
            "Can you stop, please?",
            "<@UBOT> could you please stop",
            "stop please <@UBOT>",
            "please cancel that",
        ),
    ],
)
def test_a_polite_request_stops(message: str) -> None:
    """A reply such as `could you please stop` stops the task, if it names nothing else to stop."""
    assert isinstance(classify(message, BOT), Stop)


@pytest.mark.parametrize(
    "message",
    [
        *(
            "please stop the server",
            "could you stop the dev server?",
            "stop the tests please",
            "please",
            "can you?",
        ),
        *("please wait for the build", "can you cancel that PR?", "please stop logging", "please don't stop"),
        *("pause the music please", "could you stop and think", "please stop?", "stop using tabs please"),
        *(
            "can you stop it from crashing",
            "could you wait until CI is green?",
            "you stop",
            "please continue",
        ),
        *("why did you stop?", "you could stop", "can we stop", "please stop, use main", "`stop please`"),
    ],
)
def test_a_polite_sentence_with_something_to_do_is_input(message: str) -> None:
    """A polite sentence with a stop word that asks for something else goes to the agent, for example `please
    stop the server`."""
    assert isinstance(classify(message, BOT), Input)


def test_a_bare_word_with_the_mark_is_a_verb_or_asked_about() -> None:
    """`!stop` is a verb. For another stop word after `!`, the bot offers the nearest verb."""
    assert classify("!stop", BOT) == ThreadCommand("pause")
    assert classify("<@UBOT> !Stop", BOT) == ThreadCommand("pause")
    assert classify("!stop the server", BOT) == NotAVerb("!stop the server", ("!stop",))


def test_a_bare_word_to_other_people_is_an_aside() -> None:
    """`stop, @bob` is for Bob and not for the bot."""
    assert not isinstance(classify("stop <@UBOB>", BOT), Stop)
    assert not isinstance(classify("// stop", BOT), Stop)


@settings(deadline=None)
@given(
    st.sampled_from(["stop", "cancel", "halt", "abort", "wait"]),
    st.text(alphabet="abc def?,:`>0", min_size=1),
)
def test_a_word_more_is_never_a_stop(word: str, more: str) -> None:
    """A reply with a stop word stops the task only if nothing but blanks is before and after the word."""
    assert isinstance(classify(f"{word}{more}", BOT), Stop) == (not more.strip())
    assert isinstance(classify(f"{more}{word}", BOT), Stop) == (not more.strip())


@pytest.mark.parametrize(
    "said",
    [
        *(":+1:", ":thumbsup:", ":+1::skin-tone-3:", "\N{THUMBS UP SIGN}", "\N{THUMBS UP SIGN}\U0001f3fd"),
        *("thanks", "Thanks!", "THANKS!!", "thank you", "Thank you.", "thx", "ty", "Many thanks", "cheers"),
        *("great, thanks", "Perfect, thank you!", "awesome thanks", "thanks a lot", "thank you so much!"),
        *("thanks :tada:", "thanks! :+1:", ":pray:", ":+1: :tada:", "*thanks*", "ok thanks", "thanks again"),
    ],
)
def test_bare_thanks(said: str) -> None:
    """A reply that says only thanks is recognized. A happy emoji alone is thanks too."""
    assert is_thanks(said)


@pytest.mark.parametrize(
    "said",
    [
        *("thanks, now merge it", "thanks but use main", "no thanks", "thank me later", "thanksgiving"),
        *("great", "ok", "merge", "lgtm", ":-1:", ":eyes:", ":x:", "+1", "thanks?", "type", "ty-fy", ""),
        *("add :+1: to the list", "say thanks to Bob", "perfect", "thanks\nand test", "yes", ":+1: merge"),
    ],
)
def test_other_words_are_no_bare_thanks(said: str) -> None:
    """A reply with one more word, or with a word that can be an answer, goes to the agent."""
    assert not is_thanks(said)


@settings(deadline=None)
@given(st.text(alphabet="thanksy:+1_ *.!\n", max_size=60))
def test_thanks_are_read_in_any_case(said: str) -> None:
    """Thanks are recognized in lower and upper case. No text takes long to check."""
    assert is_thanks(said) == is_thanks(said.upper().replace(":THUMBSUP:", ":thumbsup:"))
