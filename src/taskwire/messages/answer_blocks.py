"""Shows an agent's answer as rich text, block by block.

All text of an agent goes into elements that Slack does not parse. So the text cannot notify anybody, and a
link always shows its address. `domain/text/markdown.py` reads the Markdown.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

from taskwire.domain.text.markdown import Node, Span, is_sequence, plain, spans
from taskwire.domain.text.message import Block
from taskwire.domain.text.mrkdwn import break_emoji
from taskwire.messages.blocks import safe_web_url, text_piece

# Slack refuses more than 1,000 elements in one list. An answer with so many is hostile or broken.
_MOST = 900
_DEEPEST = 8
_BULLET, _ORDERED = "bullet", "ordered"


def answer_block(block_id: str, nodes: Sequence[Node]) -> Block:
    """Make one Slack block from `nodes`, which must not be empty.

    If the answer has too many elements for Slack, show it as fixed-width text.
    """
    parts = list(_parts(nodes))
    if not parts or len(parts) > _MOST or any(_count(part) > _MOST for part in parts):
        text = "\n".join(plain(node.source) for node in nodes).strip() or "-"
        parts = [_part("rich_text_preformatted", [text_piece(text)])]
    return {"type": "rich_text", "block_id": block_id, "elements": [*parts]}


def _count(part: Block) -> int:
    elements = part["elements"]
    assert isinstance(elements, list)  # noqa: S101 - every part has a list of elements
    return len(elements)


def _parts(nodes: Sequence[Node]) -> Iterator[Block]:
    for is_text, run in groupby(nodes, _is_text):
        if is_text:
            yield from _section(list(run))
            continue
        for kind, same in groupby(run, lambda node: node.kind):
            if kind == "item":
                yield from _lists(list(same))
            else:
                yield from (_whole(node) for node in same if node.source.strip())


def _is_text(node: Node) -> bool:
    return node.kind in ("paragraph", "heading") or bool(node.letter)


def _section(nodes: Sequence[Node]) -> Iterator[Block]:
    """Put paragraphs and headings into one section, with a blank line between paragraphs."""
    pieces: list[Block] = []
    previous: Node | None = None
    for node in nodes:
        mark = f"{node.letter}) " if node.letter else ""
        found = _pieces(node.source, is_bold=node.kind == "heading")
        if not found:
            continue
        if previous is not None:
            is_close = previous.kind == "heading" or (bool(previous.letter) and bool(node.letter))
            pieces.append(text_piece("\n" if is_close else "\n\n"))
        pieces += [text_piece(mark)] * bool(mark) + found
        previous = node
    if pieces:
        yield _part("rich_text_section", pieces)


def _lists(items: Sequence[Node]) -> Iterator[Block]:
    """Yield lists. Consecutive items are in one list if their depth and style are equal and numbers rise."""
    run: list[Node] = []
    for item in items:
        if run and (item.depth != run[0].depth or not _follows(run[-1], item)):
            yield from _list(run)
            run = []
        run.append(item)
    yield from _list(run)


def _follows(one: Node, other: Node) -> bool:
    if one.number is None or other.number is None:
        return one.number == other.number
    return is_sequence([one.number, other.number])


def _list(items: Sequence[Node]) -> Iterator[Block]:
    lines = [pieces for item in items if (pieces := _pieces(item.source))]
    if not lines:
        return
    number = items[0].number
    made: Block = {
        "type": "rich_text_list",
        "style": _BULLET if number is None else _ORDERED,
        "indent": min(items[0].depth, _DEEPEST),
        "elements": [_part("rich_text_section", pieces) for pieces in lines],
    }
    yield made | ({"offset": number - 1} if number is not None and number > 1 else {})


def _whole(node: Node) -> Block:
    if node.kind == "quote":
        return _part("rich_text_quote", _pieces(node.source))
    text = "\n".join(plain(row) for row in node.source.split("\n")) if node.kind == "table" else node.source
    return _part("rich_text_preformatted", [text_piece(text)])


def _pieces(source: str, *, is_bold: bool = False) -> list[Block]:
    return [_piece(span, is_bold=is_bold) for span in spans(source)]


def _piece(span: Span, *, is_bold: bool) -> Block:
    style = {
        "bold": span.is_bold or is_bold,
        "italic": span.is_italic,
        "strike": span.is_struck,
        "code": span.is_code,
    }
    given: Block = {name: True for name, is_set in style.items() if is_set}
    styled: Block = {"style": given} if given else {}
    if span.url and span.url.isascii() and safe_web_url(span.url):
        return {"type": "link", "url": span.url} | styled
    return text_piece(span.text if span.is_code else break_emoji(span.text)) | styled


def _part(kind: str, pieces: Sequence[Block]) -> Block:
    return {"type": kind, "elements": [*pieces]}
