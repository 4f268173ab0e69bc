"""What an agent's log says about an input of unknown outcome: each misleading case alone, and random
mixtures."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.lifecycle.phases import AgentLogEntry
from taskwire.domain.lifecycle.reconcile import (
    MOST_COMPARED,
    UNREADABLE_MS,
    Decision,
    Finding,
    count_copies,
    decide,
    find_input,
    find_input_without_mark,
    make_mark,
    normalise,
)

from .agents import PROMPT, T0, ModelAgent

Happening = Callable[[ModelAgent], None]
WORDS = "use\nmain"


def takes(text: str) -> Happening:
    """Return an event: the agent takes these words, from us or from another person."""
    return lambda agent: agent.takes(text)


def a_conversation() -> ModelAgent:
    """Return an agent that has its prompt, has answered, and waits for input."""
    agent = ModelAgent()
    agent.types_prompt()
    agent.grows()
    return agent


OURS: dict[str, Happening] = {
    "logged": lambda agent: agent.takes(WORDS),
    "padded": lambda agent: agent.takes_padded(WORDS),
    "unlogged": lambda agent: agent.takes_unlogged(WORDS),
    "typed only": lambda agent: agent.leaves_typed(WORDS),
}


@pytest.mark.parametrize(
    ("happens", "finding"),
    [
        ([], "not_there"),
        ([OURS["typed only"]], "not_there"),
        ([OURS["logged"]], "there"),
        ([OURS["padded"]], "there"),
        ([OURS["logged"], ModelAgent.grows, ModelAgent.shrinks], "there"),
        ([ModelAgent.grows, OURS["logged"]], "there"),
        ([takes("hello"), OURS["logged"], takes("go on")], "there"),
        ([OURS["unlogged"]], "unclear"),
        ([ModelAgent.grows], "unclear"),
        ([ModelAgent.shrinks], "unclear"),
        ([ModelAgent.is_drawn_again], "unclear"),
        ([takes("hello")], "unclear"),
        ([OURS["logged"], OURS["logged"]], "unclear"),
        ([ModelAgent.restarts], "unclear"),
        ([ModelAgent.restarts, OURS["logged"]], "unclear"),
        ([ModelAgent.restarts, takes("a"), takes("b"), OURS["logged"]], "unclear"),
        ([OURS["logged"], ModelAgent.is_rebuilt], "unclear"),
        ([ModelAgent.is_rebuilt, OURS["logged"]], "unclear"),
        ([OURS["logged"], ModelAgent.loses_log], "unclear"),
        ([ModelAgent.loses_log], "unclear"),
    ],
)
def test_what_happened_after_the_mark_decides(happens: list[Happening], finding: Finding) -> None:
    """The mark is the log before the input. If the later log has the words once, the input arrived. If the
    screen is the same, the input did not arrive. Else a person decides."""
    agent = a_conversation()
    marked = make_mark(WORDS, PROMPT, agent.build, agent.log)

    for each in happens:
        each(agent)

    assert find_input(marked, agent.build, agent.log) == finding


def test_the_same_words_said_before_do_not_count() -> None:
    """An earlier reply has the same text. The log entry of the earlier reply does not count."""
    agent = a_conversation()
    agent.takes(WORDS)
    marked = make_mark(WORDS, PROMPT, agent.build, agent.log)

    before = find_input(marked, agent.build, agent.log)
    agent.takes(WORDS)

    assert (before, find_input(marked, agent.build, agent.log)) == ("not_there", "there")


def test_a_kept_history_goes_on_after_a_restart() -> None:
    """An agent that saves its history restarts after the mark was made, and then gets the input. The log has
    its old entries and the input's entry, so the input is found."""
    agent = ModelAgent(keeps_history=True)
    agent.types_prompt()
    marked = make_mark(WORDS, PROMPT, agent.build, agent.log)

    agent.restarts()
    agent.takes(WORDS)

    assert find_input(marked, agent.build, agent.log) == "there"


def test_a_log_that_begins_later_at_the_next_reading_still_proves_it() -> None:
    """Of a very long log, only the newest entries are read. So older entries are missing after the input."""

    def entry(number: int, text: str, *, is_input: bool = False) -> AgentLogEntry:
        return AgentLogEntry(id=number, is_input=is_input, text=text, at=T0 + timedelta(seconds=number))

    log = [entry(number, f"message {number}") for number in range(MOST_COMPARED + 1_000)]
    marked = make_mark(WORDS, PROMPT, 1, log[500:])
    later = [*log[510:], entry(len(log), WORDS, is_input=True), entry(len(log) + 1, "I see")]

    assert find_input(marked, 1, later) == "there"
    assert find_input(marked, 1, log[510:]) == "not_there"
    assert find_input(marked, 1, later[1_000:]) == "unclear"


def test_words_like_the_prompt_are_not_found_in_it() -> None:
    """The agent's program types the prompt itself, perhaps later than the input. The prompt does not count as
    the input."""
    agent = ModelAgent()
    marked = make_mark(f" {PROMPT}", PROMPT, agent.build, agent.log)
    later = make_mark(PROMPT, PROMPT, agent.build, a_conversation().log)

    agent.types_prompt()

    assert find_input(marked, agent.build, agent.log) == "unclear"
    assert not later.is_prompt


def test_an_empty_log_says_only_what_is_there() -> None:
    """The log was empty before the input. A new entry proves the input, but a log that stays empty proves
    nothing."""
    agent = ModelAgent()
    agent.loses_log()
    marked = make_mark(WORDS, PROMPT, agent.build, agent.log)

    before = find_input(marked, agent.build, agent.log)
    agent.takes(WORDS)

    assert (before, find_input(marked, agent.build, agent.log)) == ("unclear", "there")


def test_copies_are_counted_as_far_as_the_log_goes_on() -> None:
    """`count_copies` returns how often the log has the input. For the log of another build, it returns
    None."""
    agent = a_conversation()
    marked = make_mark(WORDS, PROMPT, agent.build, agent.log)
    agent.takes(WORDS)
    agent.takes_padded(WORDS)

    twice = count_copies(marked, agent.build, agent.log)

    assert (twice, count_copies(marked, agent.build + 1, agent.log)) == (2, None)


TEXTS = st.sampled_from(["yes", "no", PROMPT, "yes\nplease"])
OTHERS = st.one_of(
    st.sampled_from(
        [
            ModelAgent.types_prompt,
            ModelAgent.grows,
            ModelAgent.shrinks,
            ModelAgent.is_drawn_again,
            ModelAgent.restarts,
            ModelAgent.is_rebuilt,
            ModelAgent.loses_log,
        ]
    ),
    TEXTS.map(takes),
)
WAYS = st.sampled_from(
    [
        ModelAgent.takes,
        ModelAgent.takes_padded,
        ModelAgent.takes_unlogged,
        ModelAgent.leaves_typed,
        lambda _agent, _text: None,
    ]
)


@settings(deadline=None)
@given(
    keeps_history=st.booleans(),
    before=st.lists(OTHERS, max_size=6),
    text=TEXTS,
    way=WAYS,
    between=st.lists(OTHERS, max_size=4),
    after=st.lists(OTHERS, max_size=4),
)
def test_no_finding_is_ever_false(
    keeps_history: bool,
    before: list[Happening],
    text: str,
    way: Callable[[ModelAgent, str], None],
    between: list[Happening],
    after: list[Happening],
) -> None:
    """Whatever happens to an agent's log, the result is "there" only if the agent got the words, and "not
    there" only if it did not."""
    agent = ModelAgent(keeps_history=keeps_history)
    for each in before:
        each(agent)
    marked = make_mark(text, PROMPT, agent.build, agent.log)
    known = len(agent.got)
    for each in between:
        each(agent)
    so_far = len(agent.got)
    way(agent, text)
    ours = agent.got[so_far:]
    for each in after:
        each(agent)

    finding = find_input(marked, agent.build, agent.log)

    if finding == "there":
        assert text in agent.got[known:]
    if finding == "not_there":
        assert ours == []


@settings(deadline=None)
@given(text=TEXTS, others=st.lists(st.sampled_from(["a", "b"]), max_size=3), is_got=st.booleans())
def test_an_undisturbed_log_decides(text: str, others: list[str], is_got: bool) -> None:
    """If nothing else changes the log, the log decides whether the input arrived, and no person is asked."""
    agent = a_conversation()
    for other in others:
        agent.takes(other)
    marked = make_mark(text, PROMPT, agent.build, agent.log)

    if is_got:
        agent.takes(text)
        agent.grows()

    assert find_input(marked, agent.build, agent.log) == ("there" if is_got else "not_there")


LANDS, LANDED, LONG_AGO = -1, 0, UNREADABLE_MS


@pytest.mark.parametrize(
    ("found", "since_landed_ms", "decision"),
    [
        ("there", LANDS, "delivered"),
        ("there", LONG_AGO, "delivered"),
        ("not_there", LANDS, "look_again"),
        ("not_there", LANDED, "send_again"),
        ("unclear", LANDS, "look_again"),
        ("unclear", LANDED, "ask"),
        (None, LANDS, "look_again"),
        (None, LANDED, "look_again"),
        (None, LONG_AGO, "ask"),
    ],
)
def test_a_finding_decides_once_nothing_can_land_any_more(
    found: Finding | None, since_landed_ms: int, decision: Decision
) -> None:
    """If the log shows the input, the search ends. Otherwise the bot looks again while the input can still
    arrive. After that, it sends the input again or asks a person. If the log cannot be read (None), the bot
    looks for a little longer before it asks."""
    assert decide(found, since_landed_ms, was_rejected=False, was_repeated=False) == decision


@pytest.mark.parametrize(("was_rejected", "was_repeated"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("found", ["there", "not_there", "unclear", None])
def test_what_was_rejected_or_repeated_is_never_sent_again(
    found: Finding | None, *, was_rejected: bool, was_repeated: bool
) -> None:
    """Coder has rejected an input, or the bot has sent it twice. If the log shows the input, it was
    delivered. Else a person decides, and the bot does not send the input again."""
    decision = decide(found, LONG_AGO, was_rejected=was_rejected, was_repeated=was_repeated)

    assert decision == ("delivered" if found == "there" else "ask")


@pytest.mark.parametrize(
    ("minutes", "finding"),
    [
        ([], "not_there"),
        ([1], "there"),
        ([-1], "unclear"),
        ([-11], "not_there"),
        ([-11, 1], "unclear"),
        ([1, 2], "unclear"),
    ],
)
def test_without_a_mark_time_decides_as_far_as_clocks_can_be_trusted(
    minutes: list[int], finding: Finding
) -> None:
    """There is no record of the log before the input. Then the times in the log decide, except within some
    minutes, by which the agent's clock may differ from Slack's."""
    log = [
        AgentLogEntry(id=number, is_input=True, text="yes ", at=T0 + timedelta(minutes=at))
        for number, at in enumerate(minutes)
    ]

    assert find_input_without_mark("yes", T0, log) == finding


@settings(deadline=None)
@given(st.text())
def test_plain_words_stay_plain(text: str) -> None:
    """If a text that was normalised is normalised again, it does not change."""
    assert normalise(normalise(text)) == normalise(text)
