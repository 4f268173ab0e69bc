"""How Slack stores and sends the text that people type and programs post.

Slack stores `&`, `<` and `>` as entities, links as `<url>` or `<url|label>`, and mentions with ids.
"""

import re

from taskwire_sandbox.slack.errors import Json
from taskwire_sandbox.slack.workspace import Workspace

_TOKEN = re.compile(
    r"<(?:@[UW]\w+|#C\w+|!(?:here|channel|everyone|subteam\^\w+|date\^[^<>]+)|(?:https?|mailto):[^<>\s|]+)(?:\|[^<>]*)?>"
)
_URL = re.compile(r"https?://[^\s<>|]*[^\s<>|.,;:!?)\]'\"]")
_ENTITY = re.compile(r"&(?:amp|lt|gt);")
_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_STYLED = re.compile(r"`([^`\n]+)`")


def escape(text: str) -> str:
    """Replace Slack's three control characters by entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """Undo `escape`."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _split(text: str, pattern: re.Pattern[str]) -> list[tuple[str, bool]]:
    """Split a text into pieces. Return each piece, and whether the piece matches the pattern."""
    pieces, at = [], 0
    for match in pattern.finditer(text):
        pieces += [(text[at : match.start()], False), (match.group(), True)]
        at = match.end()
    pieces.append((text[at:], False))
    return [piece for piece in pieces if piece[0]]


def _link_and_escape(text: str) -> str:
    return "".join(f"<{escape(piece)}>" if is_url else escape(piece) for piece, is_url in _split(text, _URL))


def typed(text: str, workspace: Workspace) -> str:
    """Return a text that a person has typed, as Slack stores it.

    Known `@handle` and `#channel` become mentions.
    """
    pieces = _split(text, _TOKEN)
    return "".join(
        piece if is_token else _mentions(piece, workspace, named=False) for piece, is_token in pieces
    )


def command(text: str, workspace: Workspace, *, should_escape: bool) -> str:
    """Return the text of a command as the app gets it.

    With `should_escape`, known handles and channels become mentions that contain an id and a name. Without
    it, they stay as they were typed.
    """
    if not should_escape:
        return escape(text)
    pieces = _split(text, _TOKEN)
    return "".join(
        _named(piece, workspace) if is_token else _mentions(piece, workspace, named=True)
        for piece, is_token in pieces
    )


def _named(token: str, workspace: Workspace) -> str:
    """Add the name to a mention that contains only an id."""
    if "|" in token or token[1] not in "@#":
        return token
    found = workspace.users.get(token[2:-1]) or workspace.channels.get(token[2:-1])
    return f"{token[:-1]}|{found.name}>" if found else token


def _mentions(text: str, workspace: Workspace, *, named: bool) -> str:
    """Replace each `@handle` and `#channel` that names a known person or channel by a mention.

    A typed `@Full Name` stays a text, as in Slack when the person chooses nothing from the list.

    With `named`, the mention of a person also contains the name: `<@U1|ada>`.
    """
    tokens = {f"@{user.name}".lower(): f"<@{user.id}>" for user in workspace.users.values()}
    tokens |= {f"#{c.name}".lower(): f"<#{c.id}|{c.name}>" for c in workspace.channels.values() if c.name}
    pieces = []
    full_names = [user.real_name for user in workspace.users.values() if " " in user.real_name]
    names = "|".join([*(rf"@{re.escape(name)}(?!\w)" for name in full_names), r"[@#][\w.-]*\w"])
    for piece, is_mention in _split(text, re.compile(rf"(?<![\w/@#.])(?:{names})", re.IGNORECASE)):
        token = tokens.get(piece.lower()) if is_mention else None
        if token is None:
            pieces.append(_link_and_escape(piece))
        else:
            pieces.append(_named(token, workspace) if named else token)
    return "".join(pieces)


def posted(text: str) -> str:
    """Return a text that a program has posted, as Slack stores it.

    Stray `&<>` are escaped, and bare URLs become links.
    """
    pieces = []
    for piece, is_token in _split(text, _TOKEN):
        if is_token:
            pieces.append(piece)
            continue
        for part, is_entity in _split(piece, _ENTITY):
            pieces.append(part if is_entity else _link_and_escape(part))
    return "".join(pieces)


def links(text: str) -> list[str]:
    """List the URLs in a text that Slack has stored."""
    tokens = (piece[1:-1].split("|")[0] for piece, is_token in _split(text, _TOKEN) if is_token)
    return [unescape(token) for token in tokens if token.startswith("http")]


def rich_text(text: str) -> list[Json]:
    """Return the rich_text block that Slack's client sends with a stored text."""
    elements: list[Json] = []
    at = 0
    for match in _FENCE.finditer(text):
        elements += _section(text[at : match.start()])
        code = {"type": "text", "text": unescape(match.group(1))}
        elements.append({"type": "rich_text_preformatted", "elements": [code], "border": 0})
        at = match.end()
    elements += _section(text[at:])
    return [{"type": "rich_text", "block_id": "typed", "elements": elements}] if elements else []


def _section(text: str) -> list[Json]:
    elements: list[Json] = []
    for piece, is_token in _split(text, _TOKEN):
        if is_token:
            elements.append(_element(piece[1:-1]))
            continue
        for part, is_code in _split(piece, _STYLED):
            plain = unescape(part[1:-1] if is_code else part)
            elements.append({"type": "text", "text": plain} | ({"style": {"code": True}} if is_code else {}))
    return [{"type": "rich_text_section", "elements": elements}] if elements else []


def _element(token: str) -> Json:
    """Return the rich text element for the content of one `<…>`."""
    target, _, label = token.partition("|")
    if target.startswith("@"):
        return {"type": "user", "user_id": target[1:]}
    if target.startswith("#"):
        return {"type": "channel", "channel_id": target[1:]}
    if target.startswith("!subteam^"):
        return {"type": "usergroup", "usergroup_id": target.removeprefix("!subteam^")}
    if target.startswith("!"):
        return {"type": "broadcast", "range": target[1:]}
    return {"type": "link", "url": unescape(target)} | ({"text": unescape(label)} if label else {})
