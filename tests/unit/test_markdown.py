"""Markdown as agents write it, and what our parser reads from it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskwire.domain.text.markdown import Node, Span, cut_at_block, parse, plain, spans

MARKED = [
    "# T",
    "- a",
    "  - b",
    "1. c",
    "> q",
    "```",
    "    x",
    "| a | b |",
    "|---|---|",
    "",
    "**b**",
    "a) d",
    "text",
]
texts = st.lists(st.sampled_from(MARKED) | st.text(max_size=12), max_size=25).map("\n".join)


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        (
            "One line\nand another.\n\nNext.",
            [("paragraph", "One line\nand another."), ("paragraph", "Next.")],
        ),
        ("## What changed ##\nIt works.", [("heading", "What changed"), ("paragraph", "It works.")]),
        (
            "Two:\n- a\n- b\n\nEnd.",
            [("paragraph", "Two:"), ("item", "a"), ("item", "b"), ("paragraph", "End.")],
        ),
        ("- a\n  goes on\n- b", [("item", "a\ngoes on"), ("item", "b")]),
        ("> one\n> two\nthree", [("quote", "one\ntwo"), ("paragraph", "three")]),
        ("```py\nx = 1\n\ny\n```\nEnd.", [("code", "x = 1\n\ny"), ("paragraph", "End.")]),
        (
            "See:\n\n    x = 1\n\n    y = 2\n\nEnd.",
            [("paragraph", "See:"), ("code", "x = 1\n\ny = 2"), ("paragraph", "End.")],
        ),
        ("- a\n\n  ```\n  x\n  ```", [("item", "a"), ("code", "x")]),
        ("| Name | N |\n|---|--:|\n| a | 1 |", [("table", "Name | N\na    | 1")]),
        ("Name | N\na    | 1", [("table", "Name | N\na    | 1")]),
        ("a\n\n---\n\nb", [("paragraph", "a"), ("paragraph", "b")]),
        ("```\nnever closed", [("paragraph", "```\nnever closed")]),
        ("", []),
    ],
)
def test_a_text_is_read_block_by_block(text: str, nodes: list[tuple[str, str]]) -> None:
    """Markdown is parsed into blocks, such as paragraphs, headings, items and code. The blocks have no
    Markdown marks, and code keeps its lines."""
    assert [(node.kind, node.source) for node in parse(text)] == nodes


def test_items_have_their_depth_and_their_mark() -> None:
    """Nested lists keep their depth, and items keep their numbers and letters."""
    text = "1. one\n   - deep\n     - deeper\n2. two\na) alpha\n\u276f 3. three"

    assert [(node.depth, node.number, node.letter, node.has_cursor) for node in parse(text)] == [
        (0, 1, "", False),
        (1, None, "", False),
        (2, None, "", False),
        (0, 2, "", False),
        (0, None, "a", False),
        (0, 3, "", True),
    ]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("a **b** c", [Span("a "), Span("b", is_bold=True), Span(" c")]),
        ("*a* and _b_", [Span("a", is_italic=True), Span(" and "), Span("b", is_italic=True)]),
        ("**a `b`**", [Span("a ", is_bold=True), Span("b", is_bold=True, is_code=True)]),
        ("~~a~~", [Span("a", is_struck=True)]),
        ("`` a`b ``", [Span("a`b", is_code=True)]),
        ("snake_case_name 2*3*4", [Span("snake_case_name 2"), Span("3", is_italic=True), Span("4")]),
        (r"\*a\*", [Span("*"), Span("a"), Span("*")]),
        ("https://x.example/a.", [Span("https://x.example/a", url="https://x.example/a"), Span(".")]),
        (
            "[docs](https://x.example/a)",
            [Span("docs ("), Span("https://x.example/a", url="https://x.example/a"), Span(")")],
        ),
        ("[x.example/a](https://x.example/a)", [Span("https://x.example/a", url="https://x.example/a")]),
        ("<https://x.example>", [Span("https://x.example", url="https://x.example")]),
        (
            "(https://x.example/a_(b))",
            [Span("("), Span("https://x.example/a_(b)", url="https://x.example/a_(b)"), Span(")")],
        ),
    ],
)
def test_a_line_is_read_piece_by_piece(source: str, shown: list[Span]) -> None:
    """A line of Markdown becomes pieces of text with their styles. A link becomes its label and, after it,
    its address."""
    assert spans(source) == shown


@pytest.mark.parametrize(
    ("text", "longest", "kept"),
    [
        ("one\n\ntwo", 100, "one\n\ntwo"),
        ("one two\n\nthree four", 12, "one two"),
        ("one\n\n" + "x" * 100, 20, "one"),
        ("x " * 50, 20, "x x x x x x x x x x"),
        ("```py\na\nb\nc\nd\n```", 12, "```py\na\nb\nc\n```"),
    ],
)
def test_a_long_text_is_cut_at_a_paragraph(text: str, longest: int, kept: str) -> None:
    """A text that is too long is cut after a whole block, or else after a whole word. If the first block is
    code, it is cut after a line and stays a block of code."""
    assert cut_at_block(text, longest) == kept


@settings(deadline=None)
@given(texts)
def test_every_text_can_be_read(text: str) -> None:
    """Any text can be parsed. No block and no piece of a line is empty."""
    for node in parse(text):
        assert node.kind == "item" or node.source
        assert all(span.text for span in spans(node.source))
        assert all(span.url in ("", span.text) for span in spans(node.source))


@settings(deadline=None)
@given(texts, st.integers(10, 60))
def test_a_cut_text_is_short_and_its_blocks_were_there(text: str, longest: int) -> None:
    """The cut text is within the limit. Each of its blocks is also in the whole text. A closing fence may
    be added."""
    kept = cut_at_block(text, longest)

    assert len(kept) <= longest + 4
    assert kept.removesuffix("```").rstrip() in text or kept in text


@pytest.mark.parametrize(
    "source", ["**" * 2_000, "*a" * 2_000, "[" * 4_000, "`" * 4_000, "_a " * 1_500, "http://" * 600]
)
def test_hostile_lines_are_read_at_once(source: str) -> None:
    """The lines are slow for simple regular expressions, and are parsed within the test's time limit."""
    assert plain(source)


def test_a_node_without_text_is_no_harm() -> None:
    """An agent's program may draw an empty list item, and the parser accepts it."""
    assert parse("- ") == [Node("item", "")]
