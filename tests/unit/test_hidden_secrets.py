"""Masking of secrets that an agent has interrupted with Markdown's marks (such as `**`), links or invisible
characters. A message shows only which kind of secret it was."""

import itertools
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from taskwire.domain.lifecycle.events import Notice, NoticeKind
from taskwire.domain.lifecycle.phases import AgentLogEntry, Report
from taskwire.domain.masking.secrets import Masker, mask_beginning
from taskwire.domain.text.excerpts import excerpt_last_output
from taskwire.domain.text.message import AgentOutput, Message
from taskwire.messages import notices
from taskwire.slack.drafts import Drafts
from tests.unit.message_examples import CODER, OPENED, link

LONG = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3gH6"
SECRETS = (
    f"ghp_{LONG}",
    f"github_pat_11AAAA_{LONG}",
    f"glpat-{LONG}",
    f"xoxb-1234567890-1234567890-{LONG}",
    f"xapp-1-A0123456789-1234567890-{LONG}",
    f"sk-ant-{LONG}",
    f"sk_live_{LONG}",
    f"npm_{LONG}",
    f"hf_{LONG}",
    f"AKIA{LONG[:16].upper()}",
    f"AIza{LONG[:35]}",
    f"hvs.{LONG}",
    f"SG.{LONG[:22]}.{LONG}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{LONG}",
    f"DB_PASSWORD={LONG}",
    f"password={LONG}",
    f"Authorization: Bearer {LONG}",
    f"https://bob:{LONG}@git.example.com/a",
    f"curl -u bob:{LONG} https://x.example",
    f"mysql -u root -p{LONG} shop",
    f"aB3dE6gH9j-{LONG[:22]}",
)
# Marks around a part of a secret, and single characters within a secret.
PAIRS = ("**", "*", "`", "``", "~~", "~")
LINKS = (
    "[{}](https://x.example)",
    "![{}](https://x.example/a_(b))",
    '[{}](<https://x.example/[1]> "its title")',
)
SINGLE = ("\u200b", "\u2060", "\u00ad", "\ufe0f", "\x01", "\x7f", "**", "`", "~~")
marks = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40), st.sampled_from(PAIRS)), max_size=3)
singles = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(SINGLE)), max_size=4)
links = st.lists(
    st.tuples(st.integers(0, 60), st.integers(1, 40), st.sampled_from(LINKS)), min_size=1, max_size=3
)
_UNSEEN = re.compile("[\u200b\u2060\u00ad\ufe0f\x01\x7f*`~\\\\]")
drafts = Drafts(Masker().mask)


def disguised(secret: str, pairs: list[tuple[int, int, str]], others: list[tuple[int, str]]) -> str:
    """Return the secret with Markdown's marks around parts of it, and with invisible characters between its
    letters."""
    at_letter: dict[int, str] = {}
    if not secret:
        return ""
    for start, length, mark in pairs:
        begin = start % len(secret)
        end = min(begin + length, len(secret))
        at_letter[begin] = at_letter.get(begin, "") + mark
        at_letter[end] = mark + at_letter.get(end, "")
    for at, mark in others:
        place = at % len(secret)
        at_letter[place] = at_letter.get(place, "") + mark
    return "".join(at_letter.get(at, "") + secret[at : at + 1] for at in range(len(secret) + 1))


def in_links(secret: str, cuts: list[tuple[int, int, str]], pairs: list[tuple[int, int, str]]) -> str:
    """Return the secret with parts of it as the texts of links, and with Markdown's marks in and between
    these texts."""
    written: list[str] = []
    at = 0
    for start, length, link_form in sorted(cuts):
        begin = max(at, start % len(secret))
        end = min(begin + length, len(secret))
        if begin < end:
            written += [
                disguised(secret[at:begin], pairs, []),
                link_form.format(disguised(secret[begin:end], pairs, [])),
            ]
            at = end
    return "".join([*written, disguised(secret[at:], pairs, [])])


def lines_of(node: JsonValue) -> Iterator[str]:
    """Yield the texts of a block that a reader sees. The pieces of one line are joined."""
    if isinstance(node, list):
        for each in node:
            yield from lines_of(each)
    elif isinstance(node, dict):
        pieces = node.get("elements")
        if str(node.get("type")).startswith("rich_text_") and isinstance(pieces, list):
            yield "".join(str(p.get("text") or p.get("url") or "") for p in pieces if isinstance(p, dict))
        yield from (value for key, value in node.items() if isinstance(value, str) and key != "value")
        yield from (line for value in node.values() for line in lines_of(value))


def shows(message: Message, secret: str) -> bool:
    """Return whether a reader sees eight letters of a secret in a row, with or without invisible
    characters."""
    core = max(re.findall("[A-Za-z0-9]+", secret), key=len)
    seen = "\n".join([message.text, *lines_of([*message.blocks])])
    parts = [core[at : at + 8] for at in range(len(core) - 7)]
    return any(part in text for text in (seen, _UNSEEN.sub("", seen)) for part in parts)


def told_of_report(said: str) -> Message:
    """Return the notice that shows this report of an agent."""
    report = Report(
        id="r1",
        at=OPENED.at,
        state="complete",
        message=mask_beginning(Masker().mask, said, 2_000),
        uri="",
        agent_id="a",
    )
    return sent("completed", report, AgentOutput())


def told_of_answer(said: str) -> Message:
    """Return the notice that shows this answer of an agent."""
    screen = AgentLogEntry(id=1, is_input=False, text=said, at=OPENED.at)
    excerpt = excerpt_last_output([screen], mask=Masker().mask)
    written = AgentOutput(answer=excerpt.turn.answer, text=excerpt.text) if excerpt else AgentOutput()
    return sent("needs_input", None, written)


def sent(kind: NoticeKind, report: Report | None, written: AgentOutput) -> Message:
    """Return the notice with this report and this output of the agent, in the form in which the bot sends it
    to Slack."""
    notice = Notice(kind=kind, id=f"{kind}:1", report=report, build=1)
    return drafts.prepare_message(notices.notice(link(), notice, coder_url=CODER, written=written))


@pytest.mark.parametrize("secret", SECRETS)
@settings(deadline=None, max_examples=60)
@given(pairs=marks, others=singles, at=st.integers(0, 290))
def test_marks_in_a_secret_do_not_show_it(
    secret: str, pairs: list[tuple[int, int, str]], others: list[tuple[int, str]], at: int
) -> None:
    """A secret has Markdown's marks or invisible characters in it. Neither a report nor an answer shows the
    secret, even if the text is cut near it."""
    words = f"{'so it is ' * 40}"[:at]
    hidden = disguised(secret, pairs, others)

    assert not shows(told_of_report(f"{words} {hidden} and more"), secret)
    assert not shows(told_of_answer(f"{words} {hidden} and more\n\nWhich one?\n\n1. {hidden}\n2. b"), secret)


@pytest.mark.parametrize("secret", SECRETS)
@settings(deadline=None, max_examples=40)
@given(cuts=links, pairs=marks, at=st.integers(0, 290))
def test_links_in_a_secret_do_not_show_it(
    secret: str, cuts: list[tuple[int, int, str]], pairs: list[tuple[int, int, str]], at: int
) -> None:
    """Parts of a secret are the texts of links. A reader would see the parts side by side, so neither a
    report nor an answer shows them."""
    words = f"{'so it is ' * 40}"[:at]
    hidden = in_links(secret, cuts, pairs)

    assert not shows(told_of_report(f"{words} {hidden} and more"), secret)
    assert not shows(told_of_answer(f"{words} {hidden} and more\n\nWhich one?\n\n1. {hidden}\n2. b"), secret)


@pytest.mark.parametrize(
    "said",
    [
        f"It is xox**b-1234567890-**{LONG}",
        f"It is gh*p_*{LONG}",
        f"It is `ghp_`{LONG}",
        f"It is gh**p_**_{LONG}_",
        f"It is ghp\\_{LONG}",
        f"It is ghp\\_**{LONG[:20]}**_{LONG[20:]}_",
        f"It is xoxb-_1234567890_-_{LONG}_",
        f"It is ghp_[{LONG}](https://x.example)",
        f"It is ghp_{LONG[:9]}[{LONG[9:]}](https://x.example)",
        f"It is [ghp_{LONG[:9]}](https://x.example){LONG[9:]}",
        f"It is ghp_a (https://x.example){LONG}",
        f"It is \x1b[1mgh\x1b[0mp_{LONG}",
        f"| a | b |\n|---|---|\n| gh**p_**{LONG} | c |",
        f"- gh`p_`{LONG}\n- x",
        f"> gh~~p_~~{LONG}",
    ],
)
def test_a_secret_is_masked_as_it_is_shown(said: str) -> None:
    """Marks, links and escape codes within a secret are removed before the answer is shown. The secret is
    masked after that, because only then is it whole."""
    assert LONG[9:17] not in "\n".join(lines_of([*told_of_answer(said).blocks]))


def test_only_the_secret_is_masked() -> None:
    """In an answer with a secret that has marks in it, only the secret is masked. The text around it
    stays."""
    message = told_of_answer(f"Use **this** one: `gh**p_**{LONG}`, and *no* other.")

    assert message.text.startswith("Use this one: gh**p_**•••, and no other.\n")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"Use xoxb-123[{LONG}](https://x.example) now.", "Use xoxb-••• now."),
        (
            f"See [a page](https://x.example) and gh[p_{LONG}](https://x.example).",
            "See [a page](https://x.example) and gh[p_•••](https://x.example).",
        ),
    ],
)
def test_a_link_with_a_secret_is_masked_as_one_word(said: str, shown: str) -> None:
    """If a secret is partly in a link's text, the whole secret is masked. Links beside it stay."""
    assert Masker().mask(said) == shown


@pytest.mark.parametrize("secret", SECRETS)
@settings(deadline=None, max_examples=60)
@given(
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=5), kinds=st.lists(st.integers(0, 3), min_size=6)
)
def test_a_secret_in_several_pieces_of_a_line_is_masked(
    secret: str, cuts: list[int], kinds: list[int]
) -> None:
    """A secret is split over several pieces of one line: plain text, bold text, code and the texts of links.
    A reader would see it whole, so it is masked."""
    ends = sorted({at % len(secret) for at in cuts} | {0, len(secret)})
    texts = [secret[begin:end] for begin, end in itertools.pairwise(ends)]
    forms: tuple[dict[str, JsonValue], ...] = (
        {"type": "text"},
        {"type": "text", "style": {"bold": True}},
        {"type": "text", "style": {"code": True}},
        {"type": "link", "url": "https://x.example"},
    )
    pieces: list[JsonValue] = [forms[kind] | {"text": text} for text, kind in zip(texts, kinds, strict=False)]
    line: JsonValue = {"type": "rich_text_section", "elements": [{"type": "text", "text": "It is "}, *pieces]}
    block: dict[str, JsonValue] = {"type": "rich_text", "elements": [line]}

    assert not shows(drafts.prepare_message(Message(text="x", blocks=(block,))), secret)


def test_pieces_without_a_secret_keep_their_styles() -> None:
    """A line in which no secret is found keeps its pieces with their styles."""
    bold: JsonValue = {"type": "text", "text": "KEN", "style": {"bold": True}}
    pieces: list[JsonValue] = [{"type": "text", "text": "TO"}, bold]
    block: dict[str, JsonValue] = {"type": "rich_text_section", "elements": pieces}

    assert drafts.prepare_message(Message(text="x", blocks=(block,))).blocks == (block,)


LONG_LINKS = ("[{}](https://x.example/{})", "![{}](https://x.example/{})", "[{}](<https://x.example/{}>)")


@pytest.mark.parametrize("secret", SECRETS)
@settings(deadline=None, max_examples=10)
@given(
    start=st.integers(0, 60),
    length=st.integers(1, 60),
    form=st.sampled_from(LONG_LINKS),
    address=st.integers(1, 4_200),
    at=st.integers(0, 2_200),
    pairs=marks,
)
def test_a_link_that_is_cut_off_does_not_show_a_secret(
    secret: str, start: int, length: int, form: str, address: int, at: int, pairs: list[tuple[int, int, str]]
) -> None:
    """A link's address is so long that the link ends behind the cut of a report or an answer. What is left of
    it shows no secret."""
    begin = start % len(secret)
    text = disguised(secret[begin : begin + length], pairs, [])
    hidden = secret[:begin] + form.format(text, "a" * address) + secret[begin + length :]
    said = f"{'so it is ' * 250}"[:at] + f" {hidden} and more"

    assert not shows(told_of_report(said), secret)
    assert not shows(told_of_answer(said), secret)
