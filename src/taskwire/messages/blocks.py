"""Slack's blocks for all messages, and how text from outside is put into them.

Text from people, agents and Coder goes into `rich_text` and `plain_text`. Slack shows these without reading
markup, so a star in a title stays a star. Only Taskwire's own words and times are in `mrkdwn`, where a star
makes text bold. This module limits the lengths of texts. `slack/drafts.py` keeps a whole message within
Slack's limits. Slack's limits on the number of blocks are in `taskwire_sandbox/slack/block_rules.py`. The
other modules of this folder decide what a message says.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from taskwire.domain.lifecycle.phases import Phase
from taskwire.domain.text.agent_text import remove_unseen_words, sanitize_for_agent
from taskwire.domain.text.message import Block, Button
from taskwire.domain.text.mrkdwn import (
    Part,
    break_mentions,
    escape_mrkdwn,
    has_name,
    is_blank,
    mark_name,
    split_parts,
)

# In characters. A report from Coder has at most 160 bytes, and a title from a person at most 64.
TITLE_LENGTH = 120
REPORT_LENGTH = 300
SHOWN_NAME_LENGTH = 60
# In characters. chat.update refuses a longer text (msg_too_long).
TEXT_LENGTH = 4_000
# Slack documents no limit for one rich_text. All blocks together fail at about 13,000 characters.
CODE_LENGTH = 6_000
URL_LENGTH = 3_000
MOST_BUTTONS_IN_ROW = 5
# Slack's limit for the label of a button, in characters.
BUTTON_LENGTH = 75

# Secrets consist of these characters. Masking recognises the beginning of a secret only if it is longer than
# 80 characters.
_VISIBLE_ASCII = re.compile("[!-~]")
_WORD_END = re.compile(r"(?<=[^!-~])[!-~]{1,80}\Z")
# Words of any script that puts spaces between words. The scripts of Chinese, Japanese and Korean begin at
# U+1100.
_SPACED_LETTER = re.compile("[!-~\u00a1-\u10ff\u1e00-\u1fff]")
_SPACED_WORD_END = re.compile("(?<=[^!-~\u00a1-\u10ff\u1e00-\u1fff])[!-~\u00a1-\u10ff\u1e00-\u1fff]{1,80}\\Z")
# The part of a link up to its last slash, if this part has only characters of paths.
_URL_DIRECTORIES = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?/(?:[A-Za-z0-9._~%+-]*/)*")
# Characters that reverse the rest of a line. Right-to-left scripts do not need them.
_DIRECTION_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")


# Browsers keep these letters in a host. Python's `idna` codec replaces them by other letters.
_IDNA2008_LETTERS = re.compile(r"[\u00df\u03c2]")
# Characters that would end the bold style of a name, or begin other markup in it.
_MRKDWN_MARKS = re.compile(r"[*_~`]")


class PhaseLabel(NamedTuple):
    """How a phase is shown: the name of an emoji, and a word."""

    emoji: str
    label: str


PHASE_LABELS = {
    Phase.STARTING: PhaseLabel("hourglass_flowing_sand", "Starting"),
    Phase.WORKING: PhaseLabel("gear", "Working"),
    Phase.NEEDS_YOU: PhaseLabel("raising_hand", "Needs you"),
    Phase.DONE: PhaseLabel("white_check_mark", "Done"),
    Phase.FAILED: PhaseLabel("x", "Failed"),
    Phase.PAUSING: PhaseLabel("double_vertical_bar", "Pausing"),
    Phase.UNCLEAR: PhaseLabel("grey_question", "Unclear"),
    Phase.PAUSED: PhaseLabel("double_vertical_bar", "Paused"),
    Phase.BROKEN: PhaseLabel("warning", "Broken"),
    Phase.GONE: PhaseLabel("wastebasket", "Gone"),
    Phase.OTHER: PhaseLabel("grey_question", "Something new"),
}


def cut(text: str, limit: int) -> str:
    """Shorten a text to `limit` characters, and end it with `…` if it was shortened.

    If the cut falls into a word of up to 80 characters, the whole word is dropped, because the beginning of a
    secret would not be masked. If that word is a URL and less than half of the text would be left, the URL is
    cut after its last `/` instead.
    """
    if len(text) <= limit:
        return text
    kept, begins = text[: limit - 1], max(0, limit - 90)
    part = _SPACED_WORD_END.search(kept, begins) if _SPACED_LETTER.match(text, limit - 1) else None
    if part is None and _VISIBLE_ASCII.match(text, limit - 1):
        part = _WORD_END.search(kept, begins)
    if part is None:
        return kept.rstrip() + "…"
    link = _URL_DIRECTORIES.match(kept, part.start()) if part.start() < limit // 2 else None
    return kept[: link.end() if link else part.start()].rstrip() + "…"


def one_line(text: str, limit: int) -> str:
    """Put a text from outside on one line of at most `limit` characters. Mentions in it notify nobody.

    Characters that change the direction of text, fillers, tags, and variation selectors that emoji do not
    need are removed. Return an empty text if nothing is visible.
    """
    shown = " ".join(remove_unseen_words(_DIRECTION_MARKS.sub("", text)).split())
    shown = "".join(letter for letter in shown if unicodedata.category(letter) != "Cc")
    if is_blank(shown):
        return ""
    return cut(break_mentions(shown).strip(), limit)


def clean_name(name: str) -> str:
    """Clean and cut the name of a person or of a file. The agent gets it exactly as people read it."""
    shown = one_line(" ".join(sanitize_for_agent(name).split()), SHOWN_NAME_LENGTH)
    return sanitize_for_agent(shown).replace("`", "'")


def fit_cause(error: str, limit: int) -> str:
    """Shorten an error such as `apply: exit status 1: no space left` without cutting it in mid-sentence.

    Keep the first sentence. If it is too long, keep only the cause, which is the text after its last colons.
    Cut the cause only if the cause alone is too long.
    """
    said = one_line(error, REPORT_LENGTH)
    if len(said) <= limit:
        return said
    said = re.split(r"(?<=[.!?]) ", said)[0]
    while len(said) > limit and ": " in said:
        said = said.partition(": ")[2]
    return cut(said, limit)


def cut_beginning(text: str, limit: int) -> str:
    """Keep the last `limit` characters of a text. Cut at the beginning of a line if a line begins nearby."""
    if len(text) <= limit:
        return text
    kept = text[-(limit - 2) :]
    first, newline, rest = kept.partition("\n")
    return "…\n" + (rest if newline and rest.strip() and len(first) < limit // 4 else kept)


def join_lines(lines: Sequence[str]) -> str:
    """Join the first lines, as many as fit into the text of a message."""
    kept, length = [], 0
    for each in lines:
        length += len(each) + 1
        if length > TEXT_LENGTH:
            break
        kept.append(each)
    return "\n".join(kept)


def escape_line(text: str, limit: int) -> str:
    """Put a text from outside on one line of at most `limit` characters, and escape it for mrkdwn."""
    return escape_mrkdwn(one_line(text, limit))


def end_sentence(text: str) -> str:
    """Add a full stop, unless the text is empty or already ends with a punctuation mark."""
    return text if not text or text.endswith((".", "!", "?", "…", ":")) else text + "."


def begin_sentence(text: str) -> str:
    """Make the first letter a capital letter. Text that begins with code, such as `/task list`, stays."""
    return text[:1].upper() + text[1:]


def format_age(moment: datetime) -> str:
    """Return mrkdwn that Slack shows as, for example, `3 minutes ago`. Slack keeps the age up to date."""
    return f"<!date^{max(0, int(moment.timestamp()))}^{{ago}}|{format_utc(moment)}>"


def age_piece(moment: datetime) -> Block:
    """Make a piece of rich text that shows how long ago a moment was. Slack keeps the age up to date."""
    seconds = max(0, int(moment.timestamp()))
    return {"type": "date", "timestamp": seconds, "format": "{ago}", "fallback": format_utc(moment)}


def format_duration(milliseconds: int) -> str:
    """Return a duration in its two largest units: `45 s`, `12 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(0, milliseconds) // 1000
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if hours == 0:
        return f"{minutes} min"
    larger, smaller = (f"{hours} h", f"{minutes % 60} min") if not days else (f"{days} d", f"{hours % 24} h")
    return larger if smaller.startswith("0 ") else f"{larger} {smaller}"


def format_time(moment: datetime) -> str:
    """Return mrkdwn that Slack shows as a time of day in the reader's time zone."""
    return f"<!date^{max(0, int(moment.timestamp()))}^{{time}}|{moment:%H:%M} UTC>"


def format_moment(moment: datetime) -> str:
    """Return mrkdwn that Slack shows as, for example, `Today at 14:03`, in the reader's time zone."""
    seconds = max(0, int(moment.timestamp()))
    return f"<!date^{seconds}^{{date_short_pretty}} at {{time}}|{moment:%Y-%m-%d at %H:%M} UTC>"


def format_utc(moment: datetime) -> str:
    """Return a day and a time in UTC, for places in which Slack does not convert times."""
    return f"on {moment:%Y-%m-%d} at {moment:%H:%M} UTC"


def plain_text(text: str, limit: int = 2_000) -> Block:
    """Make a plain_text object, which Slack shows without reading any markup in it."""
    return {"type": "plain_text", "text": one_line(text, limit) or "-", "emoji": False}


def mrkdwn(words: str) -> Block:
    """Make a mrkdwn object. Text from outside in `words` must be escaped already."""
    return {"type": "mrkdwn", "text": words}


def section(block_id: str, words: str) -> Block:
    """Make a block from mrkdwn. If a name in `words` contains marks such as `*`, the block is rich text."""
    if has_name(words):
        return line(block_id, [_rich_text_piece(part) for part in split_parts(words)])
    return {"type": "section", "block_id": block_id, "text": mrkdwn(words)}


def bold_name(text: str, limit: int = 80) -> str:
    """Return a task's name in bold, as mrkdwn. Stars and back-ticks in the name stay visible."""
    shown = escape_line(text, limit)
    return mark_name(shown) if _MRKDWN_MARKS.search(shown) else f"*{shown}*"


def _rich_text_piece(part: Part) -> Block:
    kind, found = part
    match kind:
        case "name" | "bold":
            return text_piece(found[kind], is_bold=True)
        case "code":
            return {"type": "text", "text": found["code"], "style": {"code": True}}
        case "emoji":
            return emoji_piece(found["emoji"])
        case "person":
            return mention_piece(found["person"])
        case "channel":
            return {"type": "channel", "channel_id": found["channel"]}
        case "time":
            when_shown = {"format": found["format"], "fallback": found["fallback"]}
            return {"type": "date", "timestamp": int(found["time"]), **when_shown}
        case "url":
            label = {"text": found["label"]} if found.get("label") else {}
            return {"type": "link", "url": found["url"], **label}
        case _:
            return text_piece(found["text"])


def context(block_id: str, elements: Sequence[Block]) -> Block:
    """Make a block of small text from the first 10 elements. Slack allows no more."""
    return {"type": "context", "block_id": block_id, "elements": [*elements[:10]]}


def text_piece(text: str, *, is_bold: bool = False) -> Block:
    """Make a piece of rich text from any text. Mentions in the text notify nobody."""
    piece: Block = {"type": "text", "text": break_mentions(text)}
    return piece | {"style": {"bold": True}} if is_bold else piece


def emoji_piece(name: str) -> Block:
    """Make a piece of rich text that shows an emoji."""
    return {"type": "emoji", "name": name}


def mention(called: str) -> str:
    """Return mrkdwn that mentions a user or a user group. The id of a user group begins with `S`."""
    return f"<!subteam^{called}>" if called.startswith("S") else f"<@{called}>"


def mention_piece(called: str) -> Block:
    """Make a piece of rich text that mentions a user or a user group."""
    if called.startswith("S"):
        return {"type": "usergroup", "usergroup_id": called}
    return {"type": "user", "user_id": called}


def title_piece(text: str, url: str) -> Block:
    """Make a bold piece of rich text. If `url` is not empty, the piece is a link."""
    if not url:
        return text_piece(text, is_bold=True)
    return {"type": "link", "url": url, "text": text, "style": {"bold": True}}


def line(block_id: str, pieces: Sequence[Block]) -> Block:
    """Make a rich text block of one line."""
    return _rich_text(block_id, "rich_text_section", pieces)


def quote_block(block_id: str, text: str, limit: int) -> Block:
    """Make a block that quotes the first `limit` characters of a person's text."""
    return _rich_text(block_id, "rich_text_quote", [text_piece(cut(text.strip(), limit))])


def code_block(block_id: str, text: str) -> Block:
    """Make a block of fixed-width text with the end of an agent's or a build's output."""
    return _rich_text(block_id, "rich_text_preformatted", [text_piece(cut_beginning(text, CODE_LENGTH))])


def _rich_text(block_id: str, kind: str, pieces: Sequence[Block]) -> Block:
    return {"type": "rich_text", "block_id": block_id, "elements": [{"type": kind, "elements": [*pieces]}]}


def button(
    action: Button, label: str, value: str = "", url: str = "", style: Literal["", "primary", "danger"] = ""
) -> Block:
    """Make a button. Without a value, the button only opens `url`, and a click on it has no other effect."""
    made: Block = {
        "type": "button",
        "action_id": action.value,
        "text": {"type": "plain_text", "text": cut(label, BUTTON_LENGTH), "emoji": False},
    }
    optional = {"value": value, "url": url, "style": style}
    return made | {key: given for key, given in optional.items() if given}


def report_button(
    url: str, coder_url: str, forges: Collection[str], *, is_result: bool, link: str = ""
) -> Block:
    """Make a button for the URL that the agent reported. `link` is the link's id, if the task has one.

    The button is highlighted if `is_result` is true. It shows the host of the URL, unless the URL is of a
    task's page in Coder or the host is in `forges`.
    """
    label = link_label(url)
    if not is_known_host(url, coder_url, forges):
        label = f"{label} ({_shown_host(url, BUTTON_LENGTH - len(label) - 3)})"
    action = Button.OPEN_RESULT if link else Button.OPEN_LINK
    return button(action, label, link, url, "primary" if is_result else "")


def button_rows(block_id: str, steps: Sequence[Block], apart: Sequence[Block] = ()) -> list[Block]:
    """Put buttons into one row, or into two rows if there are more than five, because Slack folds such a row.

    If there are two rows, the buttons in `steps` are in the first row and those in `apart` in the second.
    """
    if len(steps) + len(apart) <= MOST_BUTTONS_IN_ROW:
        steps, apart = [*steps, *apart], ()
    named = ((block_id, steps), (f"{block_id}.more", apart))
    return [{"type": "actions", "block_id": name, "elements": [*row]} for name, row in named if row]


def safe_web_url(address: str) -> str:
    """Return the address if it is a web URL that is safe to click, else an empty string.

    Agents report any text, for example paths of files. A URL that can mislead people about its host is
    refused: a URL with a user's name, a backslash or invisible characters.
    """
    address = address.strip()
    if len(address) > URL_LENGTH or re.search(r"[\s<>|\"\\]", address) or not address.isprintable():
        return ""
    try:
        parts = urlsplit(address)
        is_right = parts.scheme in ("http", "https") and "@" not in parts.netloc and bool(_host(parts))
        is_right = is_right and parts.port != 0
    except ValueError:
        return ""
    return address if is_right else ""


def is_known_host(url: str, coder_url: str, forges: Collection[str]) -> bool:
    """Return whether a URL leads to a task's page in Coder or to one of `forges`.

    `forges` are the hosts of code forges in the settings, for example `github.com`.
    """
    parts, own = urlsplit(url), urlsplit(coder_url)
    if not parts.netloc.isascii():
        # Browsers do not agree which letters in a host are the same, so the host is shown.
        return False
    if (parts.scheme, _host(parts), parts.port) == (own.scheme, _host(own), own.port):
        # Under the other addresses of Coder, agents and templates show pages of their own.
        return re.fullmatch(f"{re.escape(own.path.rstrip('/'))}/tasks{_REPOSITORY}/?", parts.path) is not None
    return parts.scheme == "https" and _with_port(parts) in forges


def _host(parts: SplitResult) -> str:
    """Return the host in ASCII, as a browser requests it. Letters that look like ASCII become `xn--…`."""
    host = parts.hostname or ""
    if host.isascii():
        return host
    if not _IDNA2008_LETTERS.search(host):
        return host.encode("idna").decode()
    labels = host.split(".")
    return ".".join(each if each.isascii() else f"xn--{each.encode('punycode').decode()}" for each in labels)


def _with_port(parts: SplitResult) -> str:
    return _host(parts) if parts.port is None else f"{_host(parts)}:{parts.port}"


def _shown_host(url: str, room: int) -> str:
    """Return a URL's host. If it has more than `room` characters, return only its last parts.

    The end of a host shows who owns the host.
    """
    place = _with_port(urlsplit(url))
    if len(place) <= room:
        return place
    kept = place[1 - room :]
    # A part of a host has at most 63 characters, so the kept end may begin in the middle of a part.
    return "…" + (kept[kept.index(".") :] if "." in kept[: room // 2] else kept)


# A part of a path that is a name: browsers do not change it, and it is not the `-` of GitLab's paths.
_NAME = r"(?!(?:\.{1,2}|-)/)(?:[A-Za-z0-9_.~-]|%20)+"
_REPOSITORY = f"/{_NAME}/{_NAME}"
# On GitLab, a project is in any number of groups, and Azure's paths may begin with a collection. None of them
# has the name of a folder in which forges keep files.
_NO_FILE = r"(?!.*/(?:raw|blob|tree|blame|src|media|browse|releases|archive|uploads|wikis?)/)"
_GITLAB = rf"{_NO_FILE}{_REPOSITORY}(?:(?:/{_NAME})*?/-)?"
_BITBUCKET = f"(?:/(?:projects|users)/{_NAME}/repos/{_NAME}|{_REPOSITORY})"
_AZURE = rf"{_NO_FILE}(?:/{_NAME}){{0,3}}/_git/{_NAME}"
# A part of such a page.
_TAB = "/(?:files|commits|checks|changes|conflicts|diffs?|overview|activity|pipelines)"
_END = rf"/(?P<number>[0-9]{{1,9}})(?:{_TAB}(?:/[0-9a-f.]{{7,90}})?)?/?"
_MERGE_REQUEST = ("View merge request", "MR !")
_PULL_REQUEST = ("View pull request", "PR #")
_ISSUE = ("View issue", "issue #")
# The whole path, because an agent can put words such as `/pull/12` into the path of any file.
_PATHS = tuple(
    (re.compile(path + _END), shown)
    for path, shown in (
        (f"{_GITLAB}/merge_requests", _MERGE_REQUEST),
        (f"{_REPOSITORY}/pulls?", _PULL_REQUEST),
        (f"{_BITBUCKET}/pull-requests", _PULL_REQUEST),
        (f"{_AZURE}/pullrequest", _PULL_REQUEST),
        (f"{_GITLAB}/issues", _ISSUE),
    )
)


def _read_path(url: str) -> tuple[str, str, str]:
    """Return a URL's label, the word of its short name, and its number; empty texts for any other page."""
    path = urlsplit(url).path
    for pattern, (label, word) in _PATHS:
        if found := pattern.fullmatch(path):
            return label, word, found["number"]
    return "", "", ""


def link_label(url: str) -> str:
    """Return a label for a URL that the agent reported, for example `View pull request` or `Open link`."""
    label, _, _ = _read_path(url)
    return label or "Open link"


def is_pull_request(url: str) -> bool:
    """Return whether a URL that the agent reported leads to a pull request or a merge request."""
    return link_label(url) in ("View pull request", "View merge request")


def link_name(url: str, coder_url: str, forges: Collection[str]) -> str:
    """Return a short name for a URL that the agent reported, such as `PR #12`.

    If the host is unknown, the name also contains the host.
    """
    _, word, number = _read_path(url)
    name = f"{word}{number}" if number else "link"
    return name if is_known_host(url, coder_url, forges) else f"{name} ({_shown_host(url, 24)})"


def task_url(coder_url: str, owner_name: str, task_id: str | None) -> str:
    """Return the URL of the task's page in Coder; an empty string if there is no task yet."""
    if not (coder_url and owner_name and task_id):
        return ""
    return safe_web_url(
        f"{coder_url.rstrip('/')}/tasks/{quote(owner_name, safe='')}/{quote(task_id, safe='')}"
    )
