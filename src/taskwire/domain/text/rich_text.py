"""Turns Slack's formatted messages into Markdown that keeps Slack's tokens for people, channels and links.

The source is a message's blocks, because people see the blocks. Slack's clients write `rich_text`. Apps, and
programs with a person's token, also write other blocks, and their `text` may differ from the blocks. So
`text` is used only for a message without blocks. A block without words, such as an image, gives no text. Both
sources give the same Markdown. Entities stay encoded: `mrkdwn.to_visible_text` decodes them when names are
known.
"""

import re
from collections.abc import Callable, Sequence

from pydantic import JsonValue

from taskwire.domain.text.message import Block
from taskwire.domain.text.mrkdwn import escape_mrkdwn, show_date, unescape

BlockNode = dict[str, JsonValue]
_STYLES = (("strike", "~~"), ("italic", "_"), ("bold", "**"))
# Four columns nest a list under a bullet and also under a number.
_INDENT = "    "
# The languages of code that an agent is told. Slack does not show the language, so any other word is dropped.
_LANGUAGE = re.compile(
    r"asm|bash|bat|c|c#|c\+\+|clojure|cmake|cpp|cs|csharp|css|csv|cuda|dart|diff|docker|dockerfile|elixir|elm"
    r"|erlang|f#|fish|fortran|fsharp|go|golang|gradle|graphql|groovy|haskell|hcl|html|http|ini|java|javascript"
    r"|jinja|js|json|json5|jsonc|jsx|julia|kotlin|latex|less|lua|make|makefile|markdown|matlab|md|mermaid|nginx"
    r"|nix|objc|objective-c|ocaml|pascal|perl|php|plain_text|plaintext|powershell|prolog|proto|protobuf|puppet"
    r"|py|python|r|rb|rs|rst|ruby|rust|sass|scala|scheme|scss|sh|shell|solidity|sql|svelte|swift|terraform|text"
    r"|toml|ts|tsx|txt|typescript|vb|vim|vue|xml|yaml|yml|zig|zsh",
    re.IGNORECASE | re.ASCII,
)
_EDGES = re.compile(r"(\s*)(.*?)(\s*)", re.DOTALL)
_MARKUP = re.compile(
    r"(?P<fence>```.*?```)|(?P<kept>`[^`\n]+`|<[^<>\n]*>)"
    r"|(?<![\w*])\*(?P<bold>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])"
    r"|(?<![\w~])~(?P<strike>[^\s~](?:[^~\n]*[^\s~])?)~(?![\w~])"
    r"|^(?P<indent>[ \t]*)•[ \t]+",
    re.DOTALL | re.MULTILINE,
)
# The marks of lists and quotations at the beginning of a line.
_CONTAINERS = re.compile(r"[ \t]*(?:(?:>|[-*+]|[0-9]{1,9}[.)])[ \t]*)++")
# A title of a link, and a link's address with parentheses inside parentheses.
_TITLE = r"(?:\"(?:[^\"\\]++|\\[\s\S])*+\"|'(?:[^'\\]++|\\[\s\S])*+'|\((?:[^()\\]++|\\[\s\S])*+\))"
_ADDRESS = r"(?:[^()\s\\]|\\\S|\((?:[^()\s\\]|\\\S|\((?:[^()\s\\]|\\\S)*+\))*+\))++"
# What a reader of Markdown does not see: the words behind an opening fence, comments, tags, declarations,
# titles of links, and definitions of links, also in lists and quotations. Code is matched first, because it
# is shown as it is.
_UNSEEN_MARKDOWN = re.compile(
    r"^(?P<fence> {0,3}(?P<mark>`{3,}(?=[^`\n]*$)|~{3,}))(?P<words>[^\n]*)"
    r"(?P<inside>(?:\n[\s\S]*?)??(?:\n {0,3}(?P=mark)[`~]*[ \t]*$|\Z))"
    r"|(?P<code>(?<!`)(?P<ticks>`+)(?!`)[\s\S]*?(?<!`)(?P=ticks)(?!`))"
    r"|<!--[\s\S]*?(?:-->|\Z)|</?[A-Za-z][A-Za-z0-9-]*(?=[\s/>])[^<>]*>"
    r"|<\?[\s\S]*?(?:\?>|\Z)|<!\[CDATA\[[\s\S]*?(?:\]\]>|\Z)|<![A-Za-z][^>]*(?:>|\Z)"
    rf"|(?P<link>\]\((?:\s*(?:<[^<>\n]*>|{_ADDRESS}))?)\s+{_TITLE}\s*\)"
    r"|^[ \t]*(?:(?:>|[-*+]|[0-9]{1,9}[.)])[ \t]*)*+\[(?:[^\[\]\\]|\\[\s\S]){1,999}+\]:"
    rf"\s*(?:<[^<>\n]*>|\S+)(?:\s*{_TITLE}[ \t]*$)?",
    re.MULTILINE,
)


def from_mrkdwn(text: str) -> str:
    """Turn a message's mrkdwn into Markdown. Code stays unchanged, and so do marks that may be plain text."""
    return _MARKUP.sub(_remarked, text).strip()


def _remarked(found: re.Match[str]) -> str:
    kind = found.lastgroup
    if kind == "fence":
        inside = found[0][3:-3]
        # Markdown reads the text after an opening fence as a language, so the code begins on its own line.
        return "```\n" + inside.strip("\n") + "\n```" if "\n" in inside else found[0]
    if kind == "bold":
        return f"**{found['bold']}**"
    if kind == "strike":
        return f"~~{found['strike']}~~"
    return f"{found['indent']}- " if kind == "indent" else found[0]


def from_blocks(blocks: Sequence[Block], text: str) -> str | None:
    """Turn a message's blocks into Markdown. Return None if the message has no blocks.

    Blocks without words are left out.

    Slack does not document whether texts in blocks are escaped. `text`, the message as mrkdwn, is always
    escaped. A comparison with `text` shows whether the blocks are escaped too.
    """
    if not blocks:
        return None
    escape = _escaper([part for block in blocks if _is_rich(block) for part in _nodes(block)], text)
    parts: list[tuple[str, str]] = []
    for block in blocks:
        if _is_rich(block):
            parts += [(_kind(part), _part(part, escape)) for part in _nodes(block)]
        else:
            parts += [("section", words) for words in _words_of(block) if words]
    return _joined(parts)


def _is_rich(block: Block) -> bool:
    return block.get("type") == "rich_text"


def _words_of(block: BlockNode) -> list[str]:
    """Return the texts that a block of an app shows, as Markdown."""
    match block.get("type"):
        case "section":
            return [_text_object(block.get("text")), *map(_text_object, _list_of(block, "fields"))]
        case "header":
            return [_text_object(block.get("text"))]
        case "context":
            return [" ".join(filter(None, map(_text_object, _nodes(block))))]
        case "markdown":
            return [escape_mrkdwn(_UNSEEN_MARKDOWN.sub(_seen, _string(block, "text"))).strip()]
        case _:
            return []


def _seen(found: re.Match[str]) -> str:
    if found["fence"]:
        language = found["words"].strip()
        return f"{found['fence']}{language if _LANGUAGE.fullmatch(language) else ''}{found['inside']}"
    if found["code"] and _CONTAINERS.fullmatch(_line_before(found)) and len(found["ticks"]) > 2:
        # A fence in a list or a quotation. The words behind it are not shown.
        words, _, rest = found["code"].removeprefix(found["ticks"]).partition("\n")
        language = words.strip()
        return (
            f"{found['ticks']}{language if _LANGUAGE.fullmatch(language) else ''}\n{rest}"
            if rest
            else found[0]
        )
    return found["code"] or (f"{found['link']})" if found["link"] else "")


def _line_before(found: re.Match[str]) -> str:
    return found.string[found.string.rfind("\n", 0, found.start()) + 1 : found.start()]


def _text_object(value: JsonValue) -> str:
    if not isinstance(value, dict):
        return ""
    text = _string(value, "text").strip()
    if value.get("type") == "mrkdwn":
        return from_mrkdwn(text)
    return escape_mrkdwn(text) if value.get("type") == "plain_text" else ""


def _escaper(parts: list[BlockNode], text: str) -> Callable[[str], str]:
    raw = "".join(_texts(parts))
    has_raw = re.search(r"[<>]|&(?!amp;|lt;|gt;)", raw) is not None
    has_entity = re.search(r"&(?:amp|lt|gt);", raw) is not None
    if has_entity and not has_raw and not re.search(r"&amp;(?:amp|lt|gt);", text):
        return lambda value: value
    return escape_mrkdwn


def _texts(nodes: list[BlockNode]) -> list[str]:
    found = [_string(node, "text") for node in nodes]
    return found + [text for node in nodes for text in _texts(_nodes(node))]


def _joined(parts: list[tuple[str, str]]) -> str:
    lines: list[str] = []
    previous = ""
    for kind, text in parts:
        # Markdown would read a plain line after a list or a quote as a continuation of the list or quote.
        if previous in ("list", "quote") and kind != previous and text:
            lines.append("")
        lines.append(text.removesuffix("\n"))
        previous = kind
    return "\n".join(lines).strip()


def _part(part: BlockNode, escape: Callable[[str], str]) -> str:
    kind = _kind(part)
    if kind == "list":
        text = _list(part, escape)
    elif kind == "preformatted":
        text = _fenced("".join(_inline(node, escape) for node in _nodes(part)), _string(part, "language"))
    else:
        text = _inlines(part, escape)
    if kind == "quote" or part.get("border"):
        return "\n".join(f"> {line}".rstrip() for line in text.removesuffix("\n").split("\n"))
    return text


def _list(part: BlockNode, escape: Callable[[str], str]) -> str:
    indent = _INDENT * max(0, min(_number(part, "indent"), 8))
    first = max(0, _number(part, "offset")) + 1
    is_ordered = part.get("style") == "ordered"
    lines = []
    for number, item in enumerate(_nodes(part), first):
        mark = f"{number}. " if is_ordered else "- "
        lines.append(indent + mark + _inlines(item, escape).strip().replace("\n", f"\n{indent}{_INDENT}"))
    return "\n".join(lines)


def _fenced(code: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    known = language if _LANGUAGE.fullmatch(language) else ""
    return f"{fence}{known}\n{code.strip(chr(10))}\n{fence}"


def _inlines(part: BlockNode, escape: Callable[[str], str]) -> str:
    return "".join(_styled(node, _inline(node, escape)) for node in _nodes(part))


def _styled(node: BlockNode, text: str) -> str:
    style = node.get("style")
    if not isinstance(style, dict) or not text.strip():
        return text
    if style.get("code"):
        return _code(text)
    marks = "".join(mark for name, mark in reversed(_STYLES) if style.get(name))
    closing = "".join(mark for name, mark in _STYLES if style.get(name))
    # In Markdown a mark beside a space has no effect, and a style cannot continue on the next line.
    return "\n".join(_wrapped(line, marks, closing) for line in text.split("\n"))


def _wrapped(line: str, marks: str, closing: str) -> str:
    edges = _EDGES.fullmatch(line)
    if edges is None or not edges[2]:
        return line
    return f"{edges[1]}{marks}{edges[2]}{closing}{edges[3]}"


def _code(text: str) -> str:
    if "`" in text:
        longest = max(len(run) for run in re.findall("`+", text))
        mark = "`" * (longest + 1)
        return f"{mark} {text} {mark}"
    return f"`{text}`"


def _inline(node: BlockNode, escape: Callable[[str], str]) -> str:
    kind = node.get("type")
    if kind == "text":
        return escape(_string(node, "text"))
    if kind == "link":
        return _link(_string(node, "url"), _string(node, "text"), escape)
    if kind == "emoji":
        return f":{_string(node, 'name')}:"
    if kind == "date":
        return escape_mrkdwn(show_date(str(node.get("timestamp")), unescape(_string(node, "format"))))
    token = {"user": "@", "channel": "#", "usergroup": "!subteam^", "broadcast": "!", "color": ""}.get(
        str(kind)
    )
    ids = ("user_id", "channel_id", "usergroup_id", "range", "value")
    value = next((_string(node, key) for key in ids if _string(node, key)), "")
    if token is None or not value:
        return escape(_string(node, "text"))
    return f"<{token}{value}>" if token else value


def _link(url: str, label: str, escape: Callable[[str], str]) -> str:
    address = escape_mrkdwn(unescape(url)).replace("|", "%7C")
    return f"<{address}|{escape(label)}>" if label else f"<{address}>"


def _kind(part: BlockNode) -> str:
    return _string(part, "type").removeprefix("rich_text_")


def _nodes(part: BlockNode) -> list[BlockNode]:
    return _list_of(part, "elements")


def _list_of(part: BlockNode, key: str) -> list[BlockNode]:
    found = part.get(key)
    return [node for node in found if isinstance(node, dict)] if isinstance(found, list) else []


def _string(node: BlockNode, key: str) -> str:
    value = node.get(key)
    return value if isinstance(value, str) else ""


def _number(node: BlockNode, key: str) -> int:
    value = node.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
