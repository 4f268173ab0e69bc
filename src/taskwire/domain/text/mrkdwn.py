"""Reads and escapes Slack's mrkdwn.

Slack writes tokens for mentions and links: `<@U1>`, `<#C1>`, `<!here>` and `<https://…|label>`. It writes
`&amp;`, `&lt;` and `&gt;` for the characters `&`, `<` and `>`. `replies` decides what a whole message means.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from taskwire.domain.text.agent_text import INVISIBLE

# The fallback of a date may have several lines.
_TOKEN_OR_ENTITY = re.compile(r"<(?:!date\^[^<>]*|[^<>\n]*)>|&(?:amp|lt|gt);")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
# These characters mark a name in our own text. Text from outside cannot contain them: control characters are
# removed.
_NAME_BEGINS, _NAME_ENDS = "\x0e", "\x0f"
# The kinds of parts of our own text.
_PART = re.compile(
    r"\x0e(?P<name>[^\x0e\x0f]*)\x0f|`(?P<code>[^`\n]+)`|\*(?P<bold>[^*\n]+)\*|:(?P<emoji>warning):"
    r"|<@(?P<person>[A-Z0-9]+)>|<#(?P<channel>[A-Z0-9]+)>"
    r"|<!date\^(?P<time>\d+)\^(?P<format>[^|>]*)\|(?P<fallback>[^>]*)>"
    r"|<(?P<url>https?://[^|>\s]+)(?:\|(?P<label>[^>]*))?>"
)
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_PERSON = re.compile(r"<@([A-Z0-9]+)(?:\|[^<>]*)?>")
# Control characters show nothing too.
_NOTHING = re.compile(rf"(?:{INVISIBLE}|[\x00-\x1f\x7f-\x9f])*+")
_CHANNEL = re.compile(r"<#([A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP = re.compile(r"<!subteam\^([A-Z0-9]+)(?:\|[^<>]*)?>")
_CALLS_ALL = re.compile(r"<!(?:here|channel|everyone|group)(?:\|[^<>]*)?>")
# Tokens and words that would notify somebody. `<!DOCTYPE html>` and `<!-- … -->` notify nobody and are left
# unchanged.
_LIVE_TOKEN = re.compile(r"<(?=@[A-Z0-9]{2}|!(?:here|channel|everyone|group|subteam)\b|#[CDG][A-Z0-9])")
# The @ comes before the lookbehind, because a search for a plain character is fast.
_LIVE_WORD = re.compile(r"@(?<!\w@)(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
# The name of an emoji between colons.
_EMOJI_NAME = re.compile(r":(?=[A-Za-z0-9_+'-]{1,100}:)")
# In characters, as in Slack. The name of a person or channel that a text mentions is cut after this many.
LONGEST_MENTIONED_NAME = 80
# The placeholders in Slack's formats of dates, and how a date is written in UTC in place of each.
_PLACEHOLDER = re.compile(r"\{([a-z_]*)\}")
_DAY, _TIME = "%Y-%m-%d", "%H:%M UTC"
_DATE_PARTS = dict.fromkeys(
    (
        *("date", "date_num", "date_slash", "date_short", "date_long", "date_long_full"),
        *("date_pretty", "date_short_pretty", "date_long_pretty", "day_divider_pretty"),
    ),
    _DAY,
) | {"time": _TIME, "time_secs": "%H:%M:%S UTC", "ago": f"{_DAY} {_TIME}"}
# Word joiner: it shows nothing, breaks no line, and cannot be part of a mention.
_JOINER = "\u2060"


@dataclass(frozen=True)
class Names:
    """The names of people, channels and groups by their ids, without `@` or `#`.

    An id without a name is shown as the id. The label in Slack's token counts only where no names are given.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mentions:
    """The ids that a text mentions, in order and each once.

    `has_channel_mention` is true if the text has `@here`, `@channel` or `@everyone`.
    """

    users: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    has_channel_mention: bool = False


def is_blank(text: str) -> bool:
    """Return whether a text shows nothing: it has only blanks, fillers and characters without width."""
    return _NOTHING.fullmatch(text) is not None


def escape_mrkdwn(text: str) -> str:
    """Escape text from people or agents, so that Slack shows it unchanged."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quote_typed(text: str, limit: int = 60) -> str:
    """Shorten and escape a person's text, so that it can be shown between back-ticks."""
    flat = " ".join(text.replace("`", "'").split())
    return escape_mrkdwn(break_mentions(flat if len(flat) <= limit else flat[: limit - 1] + "…"))


def mark_name(text: str) -> str:
    """Mark a name within Taskwire's own text, so that Slack does not read its characters as markup."""
    return f"{_NAME_BEGINS}{text}{_NAME_ENDS}"


def quote_names(text: str) -> str:
    """Put quotation marks around names that `mark_name` has marked, for texts that cannot show bold."""
    return text.replace(_NAME_BEGINS, "\u201c").replace(_NAME_ENDS, "\u201d")


def has_name(text: str) -> bool:
    """Return whether a text has a name that `mark_name` has marked."""
    return _NAME_BEGINS in text


class Part(NamedTuple):
    """A part of Taskwire's own text. `kind` is, for example, `text`, `name`, `code`, `bold` or `emoji`.

    `found` has the unescaped texts of the part by name. For a link, the names are `url` and `label`.
    """

    kind: str
    found: Mapping[str, str]


def split_parts(words: str) -> Iterator[Part]:
    """Split mrkdwn that Taskwire wrote into its parts, in order."""
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
    """Decode the three entities with which Slack escapes `&`, `<` and `>`.

    Each is decoded once: if a person typed `&lt;`, Slack sends `&amp;lt;`, and the result is `&lt;`.
    """
    return _TOKEN_OR_ENTITY.sub(lambda found: _ENTITIES.get(found[0], found[0]), text)


def break_mentions(text: str) -> str:
    """Change every mention in a text so that it notifies nobody but looks the same."""
    broken = _LIVE_TOKEN.sub("<" + _JOINER, text)
    return _LIVE_WORD.sub("@" + _JOINER, broken)


def break_emoji(text: str) -> str:
    """Change every `:name:` in a text so that Slack shows these characters and no emoji."""
    return _EMOJI_NAME.sub(":" + _JOINER, text)


def list_mentions(text: str) -> Mentions:
    """List the ids that a text mentions, so that their names can be fetched."""
    return Mentions(
        users=tuple(dict.fromkeys(_PERSON.findall(text))),
        channels=tuple(dict.fromkeys(_CHANNEL.findall(text))),
        groups=tuple(dict.fromkeys(_GROUP.findall(text))),
        has_channel_mention=_CALLS_ALL.search(text) is not None,
    )


def take_people(text: str) -> tuple[tuple[str, ...], str]:
    """Return the ids of the people and user groups that a text mentions, and the text's other words."""
    mentioned = list_mentions(text)
    rest = _GROUP.sub(" ", _PERSON.sub(" ", text))
    words = [word for word in re.split(r"[\s,]+", rest) if word.lower() not in ("", "and", "with")]
    return (*mentioned.users, *mentioned.groups), " ".join(words)


def split_names(text: str) -> tuple[str, ...]:
    """Return the names after each `@` of a text that has no mentions: `@Bob Berg @Carol` has two names."""
    return tuple(name for part in text.split("@") if (name := " ".join(part.split())))


def fold_words(text: str) -> str:
    """Return a name or a title for comparisons in which case and spaces do not count."""
    return " ".join(text.casefold().split())


def label_mentions(text: str, names: Names) -> str:
    """Put names into the tokens of people and channels, as Slack does in commands, and drop other labels."""

    def label(found: re.Match[str], known: Mapping[str, str]) -> str:
        # People choose their names, which must not look like options of a command.
        name = re.sub(r"[<>|\n=]|--+", " ", known.get(found[1], "")).strip()
        token = found[0].rstrip(">").partition("|")[0]
        return f"{token}|{escape_mrkdwn(name)}>" if name else f"{token}>"

    text = _PERSON.sub(lambda found: label(found, names.users), text)
    return _CHANNEL.sub(lambda found: label(found, names.channels), text)


def to_visible_text(text: str, names: Names | None = None) -> str:
    """Return mrkdwn as a person sees it, with names for people and channels and with addresses for links.

    Without `names`, the labels in the tokens count as names. Only Slack and `label_mentions` may then have
    written them: an app can write any label into a message, and Slack shows the name in place of it.
    """
    return _TOKEN_OR_ENTITY.sub(lambda found: _ENTITIES.get(found[0]) or _seen(found[0], names), text)


def show_date(timestamp: str, date_format: str) -> str:
    """Return a date of Slack in UTC, with the words of its format, which Slack shows around the date.

    Slack's dates also have a fallback. People do not see it, so it is never a part of the text.
    """
    try:
        moment = datetime.fromtimestamp(int(timestamp), UTC)
    except (ValueError, OverflowError, OSError):
        return "(a date)"
    names = _PLACEHOLDER.findall(date_format)
    if not names or not all(name in _DATE_PARTS for name in names):
        date_format = "{ago}"
    shown = _PLACEHOLDER.sub(lambda found: f"{moment:{_DATE_PARTS[found[1]]}}", date_format)
    return " ".join(shown.split())


def get_link_address(token: str) -> str:
    """Return the address in Slack's token of a link, for example `https://a.b` for `<https://a.b|label>`."""
    body = token[1:-1] if token.startswith("<") and token.endswith(">") else token
    return unescape(body.partition("|")[0])


def _seen(token: str, names: Names | None) -> str:
    target, _, label = token[1:-1].partition("|")
    label = unescape(label)
    name, known = label.removeprefix("@").removeprefix("#") if names is None else "", names or Names()
    if target.startswith("@") and target[1:].isalnum():
        return "@" + _fit_name(known.users.get(target[1:]) or name or target[1:])
    if target.startswith("#") and target[1:].isalnum():
        return "#" + _fit_name(known.channels.get(target[1:]) or name or target[1:])
    if target.startswith("!subteam^"):
        group = target.split("^")[1]
        return "@" + _fit_name(known.groups.get(group) or name or group)
    if target.startswith("!"):
        return _special(target[1:], label) or token
    return _link(unescape(target), label) if _ADDRESS.match(target) else token


def _fit_name(name: str) -> str:
    """Return a name on one short line. People choose their names, which stand in other people's words."""
    flat = " ".join(name.split())
    return flat if len(flat) <= LONGEST_MENTIONED_NAME else flat[: LONGEST_MENTIONED_NAME - 1] + "…"


def _special(target: str, label: str) -> str:
    if target in ("here", "channel", "everyone", "group"):
        return "@" + target
    if target.startswith("date^"):
        _, timestamp, date_format, *_ = (*target.split("^"), "", "")
        return show_date(timestamp, unescape(date_format))
    return label


def _link(address: str, label: str) -> str:
    if address.startswith(("mailto:", "tel:")):
        address = address.partition(":")[2]
    if not label:
        return address
    if _bare(label) == _bare(address):
        # Slack turns bare words into links (`README.md` becomes http://README.md). The person typed only the
        # word.
        return address if _ADDRESS.match(label) else label
    return f"{label} ({address})"


def _bare(address: str) -> str:
    return re.sub(r"^https?://", "", address, flags=re.IGNORECASE).rstrip("/").lower()
