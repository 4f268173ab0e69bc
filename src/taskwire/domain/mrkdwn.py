"""Slack's own text: what its tokens and entities stand for, and how to put foreign text among them.

Slack writes `<@U1>`, `<#C1>`, `<!here>` and `<https://…|label>` for what people see, and `&amp; &lt; &gt;`
for the three characters it uses for that. Here are single tokens only; what a message means, `replies` says.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

_TOKEN_OR_ENTITY = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
# No text from outside has these control characters by the time it stands among our own words.
_NAME_BEGINS, _NAME_ENDS = "\x0e", "\x0f"
# What our own words are made of.
_PART = re.compile(
    r"\x0e(?P<name>[^\x0e\x0f]*)\x0f|`(?P<code>[^`\n]+)`|\*(?P<bold>[^*\n]+)\*|:(?P<emoji>warning):"
    r"|<@(?P<person>[A-Z0-9]+)>|<#(?P<channel>[A-Z0-9]+)>"
    r"|<!date\^(?P<time>\d+)\^(?P<format>[^|>]*)\|(?P<fallback>[^>]*)>"
    r"|<(?P<url>https?://[^|>\s]+)(?:\|(?P<label>[^>]*))?>"
)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
_CHANNEL = re.compile(r"<#([A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP = re.compile(r"<!subteam\^([A-Z0-9]+)(?:\|[^<>]*)?>")
_CALLS_ALL = re.compile(r"<!(?:here|channel|everyone|group)(?:\|[^<>]*)?>")
# Where a token or a bare word would call somebody. `<!DOCTYPE html>` and `<!-- … -->` call nobody and stay.
_LIVE_TOKEN = re.compile(r"<(?=@[A-Z0-9]{2}|!(?:here|channel|everyone|group|subteam)\b|#[CDG][A-Z0-9])")
# The sign comes before the look behind it: a plain letter is found fast.
_LIVE_WORD = re.compile(r"@(?<!\w@)(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
# Word joiner: shows nothing, breaks no line, and is part of no mention.
_JOINER = "\u2060"


@dataclass(frozen=True)
class Names:
    """Names by Slack id, without the sign before them; what is missing is shown by its id."""

    users: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mentions:
    """The ids a text mentions, each once and in order; `is_call` if it calls a whole channel."""

    users: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    is_call: bool = False


def is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen: blanks, and letters without any width."""
    return all(letter.isspace() or unicodedata.category(letter) in ("Cf", "Cc") for letter in text)


def escape_mrkdwn(text: str) -> str:
    """Make text from outside inert where Slack expects mrkdwn."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def as_name(text: str) -> str:
    """Put an escaped name among our own words so that none of its marks is read as markup."""
    return f"{_NAME_BEGINS}{text}{_NAME_ENDS}"


def names_quoted(text: str) -> str:
    """Show the names that `as_name` has put there where nothing can be bold."""
    return text.replace(_NAME_BEGINS, "\u201c").replace(_NAME_ENDS, "\u201d")


def has_name(text: str) -> bool:
    """Tell whether `as_name` has put a name into a text of ours."""
    return _NAME_BEGINS in text


class Part(NamedTuple):
    """A piece of our own words: its kind (`text`, `name`, `code`, `bold`, `emoji`, …), and what was found."""

    kind: str
    found: Mapping[str, str]


def parts_of(words: str) -> Iterator[Part]:
    """Take our own words apart; what is shown of them is not escaped any more."""
    at = 0
    for found in _PART.finditer(words):
        if found.start() > at:
            yield Part("text", {"text": unescape(words[at : found.start()])})
        given = {key: unescape(value) for key, value in found.groupdict().items() if value is not None}
        yield Part(next(iter(given)), given)
        at = found.end()
    if at < len(words):
        yield Part("text", {"text": unescape(words[at:])})


def unescape(text: str) -> str:
    """Turn Slack's three entities back, once: what a person typed as `&lt;` stays `&lt;`."""
    return _TOKEN_OR_ENTITY.sub(lambda found: _ENTITIES.get(found[0], found[0]), text)


def without_calls(text: str) -> str:
    """Break every mention in text that is not ours, so that it reads the same and calls nobody."""
    broken = _LIVE_TOKEN.sub("<" + _JOINER, text)
    return _LIVE_WORD.sub("@" + _JOINER, broken)


def mentions(text: str) -> Mentions:
    """List whom and what a text mentions, so that names can be fetched."""
    return Mentions(
        users=tuple(dict.fromkeys(_PERSON.findall(text))),
        channels=tuple(dict.fromkeys(_CHANNEL.findall(text))),
        groups=tuple(dict.fromkeys(_GROUP.findall(text))),
        is_call=_CALLS_ALL.search(text) is not None,
    )


def as_seen(text: str, names: Names | None = None) -> str:
    """Say what a person sees: entities decoded, people and channels by name, links as their address."""
    known = names or Names()
    return _TOKEN_OR_ENTITY.sub(lambda found: _ENTITIES.get(found[0]) or _seen(found[0], known), text)


def address_of(token: str) -> str:
    """The address in a link token; any other text as it is."""
    body = token[1:-1] if token.startswith("<") and token.endswith(">") else token
    return unescape(body.partition("|")[0])


def _seen(token: str, names: Names) -> str:
    target, _, label = token[1:-1].partition("|")
    label = unescape(label)
    if target.startswith("@") and target[1:].isalnum():
        return "@" + (names.users.get(target[1:]) or label.removeprefix("@") or target[1:])
    if target.startswith("#") and target[1:].isalnum():
        return "#" + (names.channels.get(target[1:]) or label.removeprefix("#") or target[1:])
    if target.startswith("!"):
        return _special(target[1:], label, names) or token
    return _link(unescape(target), label) if _ADDRESS.match(target) else token


def _special(target: str, label: str, names: Names) -> str:
    if target.startswith("subteam^"):
        group = target.split("^")[1]
        return "@" + (names.groups.get(group) or label.removeprefix("@") or group)
    if target in ("here", "channel", "everyone", "group"):
        return "@" + target
    return label


def _link(address: str, label: str) -> str:
    if address.startswith(("mailto:", "tel:")):
        address = address.partition(":")[2]
    if not label:
        return address
    if _bare(label) == _bare(address):
        # Slack makes links of bare words (`README.md` becomes http://README.md): the word is what was typed.
        return address if _ADDRESS.match(label) else label
    return f"{label} ({address})"


def _bare(address: str) -> str:
    return re.sub(r"^https?://", "", address, flags=re.IGNORECASE).rstrip("/").lower()
