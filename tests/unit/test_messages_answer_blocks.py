"""An agent's answer as rich text. It looks as the agent meant, and contains only text."""

import json
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from taskwire.domain.text.markdown import parse
from taskwire.domain.text.message import Message
from taskwire.domain.text.mrkdwn import Mentions, list_mentions
from taskwire.messages.answer_blocks import answer_block
from tests.scenarios.reading import answer_lines
from tests.unit.message_examples import anything
from tests.unit.message_view import faults

ANSWER = """\
# What changed

The redirect keeps its **query**. See `auth.py`.

1. First
   - deep
2. Second

```py
x = 1
```

3. Third

> quoted

| Name | N |
|---|---|
| a | 1 |

a) main
b) master
"""

HOSTILE = [
    *("<!channel>", "@here", "<@U0000001>", "<#C0000001>", "<!subteam^S0000001>", "<!date^1^{ago}|x>"),
    *("[https://bank.example](https://evil.example)", "<https://evil.example|bank>", ":tada:", ":+1:"),
    *(
        "[x](javascript:alert)",
        "https://user@evil.example/",
        "https://xn--e1afmkfd.example",
        "https://\u0430.example",
    ),
    *(
        "**",
        "_",
        "`",
        "```",
        "~~",
        "> ",
        "- ",
        "1. ",
        "# ",
        "    ",
        "|",
        "\n",
        "\n\n",
        "a",
        "\u202e",
        "&amp;",
    ),
]
hostile = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=6), max_size=40).map("".join)


def test_an_answer_keeps_its_form() -> None:
    """An agent's Markdown becomes rich text. Headings are bold, lists are nested, and a list continues after
    code. Tables are text."""
    block = answer_block("prose", parse(ANSWER))

    assert answer_lines(block) == [
        "What changed",
        "The redirect keeps its query. See auth.py.",
        "1. First",
        "  • deep",
        "2. Second",
        "| x = 1",
        "3. Third",
        "> quoted",
        "| Name | N",
        "| a    | 1",
        "a) main",
        "b) master",
    ]
    assert json.dumps(block).count('"bold": true') == 2


def pieces(node: JsonValue) -> Iterator[dict[str, JsonValue]]:
    """Yield every element of a block, at any depth."""
    if isinstance(node, list):
        for each in node:
            yield from pieces(each)
    elif isinstance(node, dict):
        yield node
        yield from pieces(node.get("elements", []))


@settings(deadline=None)
@given(hostile | anything.map(lambda text: text[:3_000]))
def test_nothing_that_an_agent_writes_is_more_than_text(text: str) -> None:
    """Whatever an agent writes, the blocks of its answer have no mention, date or emoji, and no link with a
    label. Slack accepts the blocks."""
    nodes = parse(text)
    if not nodes:
        return

    block = answer_block("prose", nodes)

    assert faults(Message(text="x", blocks=(block,))) == []
    for piece in pieces(block):
        kind = str(piece["type"])
        assert kind in ("text", "link") or kind.startswith("rich_text")
        if kind == "link":
            assert set(piece) <= {"type", "url", "style"}
            assert str(piece["url"]).isascii()
            assert "@" not in str(piece["url"]).partition("//")[2].partition("/")[0]
        if kind == "text":
            assert list_mentions(str(piece["text"])) == Mentions()
            assert isinstance(piece.get("style", {}), dict)


def test_a_link_never_leads_elsewhere_than_it_says() -> None:
    """If a link's label looks like another address, the label becomes text, and the link's own address
    follows."""
    block = answer_block(
        "prose", parse("[https://bank.example](https://evil.example) https://\u0430pple.example")
    )

    assert [piece.get("url") for piece in pieces(block) if piece["type"] == "link"] == [
        "https://evil.example"
    ]
    assert answer_lines(block) == ["https://bank.example (https://evil.example) https://\u0430pple.example"]


def test_an_answer_of_too_many_pieces_is_shown_as_text() -> None:
    """If a line of an answer has more than a thousand pieces, which Slack refuses, the answer is shown as
    plain text."""
    block = answer_block("prose", parse("`a` " * 700))

    assert [piece["type"] for piece in pieces(block)] == ["rich_text", "rich_text_preformatted", "text"]
