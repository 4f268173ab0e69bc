"""Parses options in a command: `name=VALUE`, `--name VALUE` or `--name=VALUE`.

An option begins with `--word` or with `word=` in lower case. The name of a known option may also be in upper
case. Other text ends the options, for example a URL with `=` in it, `x == y`, `DEBUG=1` or `- item`. A `--`
alone ends the options too. Phones turn `--` into a long dash and quotes into curly quotes, so both are
accepted. Values stay as Slack sent them.

Options may be before the text and after it. After the text, only known options with complete values count.
"""

import contextlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from taskwire.domain.errors import UserError
from taskwire.domain.parsing.grammar import CommandOption, find_nearest

_WORD = re.compile(r"(?:<[^<>\n]*>|[^\s<]|<)+")
# Two hyphens, or the em or en dash into which a phone turns them.
_DASH = "(?:--|[\u2014\u2013])"
_END_OF_OPTIONS = re.compile(_DASH + r"(?:\s+|$)")
_FLAG = re.compile(_DASH + r"([A-Za-z][A-Za-z0-9_-]*)(?=[=\s]|$)")
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(?==(?![=~]|&gt;))")
_WORD_START = re.compile(r"(?:^|(?<=\s))(?=\S)")
DOUBLE_QUOTES = '"\u201c\u201d\u201e\u201f\u00ab\u00bb'
_SINGLE = "'\u2018\u2019\u201a\u201b"
QUOTES = DOUBLE_QUOTES + _SINGLE + "`"
# A space must follow a single closing quote, because the same sign is also an apostrophe.
_CLOSING = {mark: re.compile(f"[{DOUBLE_QUOTES}]") for mark in DOUBLE_QUOTES} | {
    mark: re.compile(rf"[{_SINGLE}](?=\s|$)") for mark in _SINGLE
}


def first_word(text: str) -> tuple[str, str]:
    """Return the first word of a text and the rest, without leading blanks. Slack's tokens are not split."""
    found = _WORD.match(text.lstrip())
    return (found[0], text.lstrip()[found.end() :].lstrip()) if found else ("", "")


def asks_for_help(word: str) -> bool:
    """Return whether a word asks for help, for example `?` or `--help`."""
    return word.lower() in ("?", "-h", "--help", "\u2014help", "\u2013help")


class UnknownOption(UserError):
    """A text begins with an option that does not exist. `near` are the names of similar options.

    `text` is the typed text from this option to the end. `word` is the option's name as typed.
    """

    def __init__(self, word: str, text: str, options: Sequence[CommandOption]) -> None:
        self.near = find_nearest(
            word, [name for option in options for name in (option.name, *option.synonyms)]
        )
        *first, last = [f"`{option.name}=…`" for option in options]
        hint = "" if self.near else f"Options are {', '.join(first)} and {last}."
        super().__init__(f"There is no option `{word}`.", hint)
        self.word = word
        self.text = text


def take_options(text: str, options: Sequence[CommandOption]) -> tuple[dict[str, str], str]:
    """Take all options from the beginning of a text. Return their values by name, and the rest.

    Raise UserError for an option that is unknown, has no value or is given twice, and for an open quote.
    """
    given, rest, _ = _take_leading_options(text, options)
    return given, rest


class TextWithOptions(NamedTuple):
    """A text without its options. `given` has the options' values by name.

    `trailing_options` are the options after the text, as the person typed them.
    """

    given: dict[str, str]
    text: str
    trailing_options: str


def take_options_around(text: str, options: Sequence[CommandOption]) -> TextWithOptions:
    """Take all options from the beginning and the end of a text. After a `--` alone, everything is text.

    Raise UserError in the same cases as `take_options`, except that an unknown option at the end stays in the
    text.
    """
    given, rest, is_ended = _take_leading_options(text, options)
    behind = ""
    while not is_ended and (start := _find_trailing_options(rest, options)) is not None:
        more, _ = take_options(rest[start:], options)
        if twice := more.keys() & given.keys():
            raise UserError(f"`{min(twice)}` is given twice.", "Keep one of the two.")
        given, behind, rest = given | more, f"{rest[start:].strip()} {behind}".strip(), rest[:start]
    return TextWithOptions(given, rest, behind)


def _find_trailing_options(text: str, options: Sequence[CommandOption]) -> int | None:
    """Return the index at which the options at the end of a text begin; None if no option is at the end."""
    for found in _WORD_START.finditer(text):
        word = _match_option_word(text[found.end() :], options)
        if word is None or not any(_is_option(word, option) for option in options):
            continue
        with contextlib.suppress(UserError):
            given, rest = take_options(text[found.end() :], options)
            if given and not rest.strip():
                return found.end()
    return None


def _take_leading_options(text: str, options: Sequence[CommandOption]) -> tuple[dict[str, str], str, bool]:
    """Take options from the beginning of a text.

    Return the options' values by name, the rest, and whether a `--` ended the options.
    """
    given: dict[str, str] = {}
    while True:
        text = text.lstrip()
        if end := _END_OF_OPTIONS.match(text):
            return given, text[end.end() :], True
        word = _match_option_word(text, options)
        if word is None:
            return given, text, False
        option = next((each for each in options if _is_option(word, each)), None)
        if option is None:
            raise UnknownOption(word, text, options)
        if option.name in given:
            raise UserError(f"`{option.name}` is given twice.", "Keep one of the two.")
        behind = text[text.index(word) + len(word) :]
        given[option.name], text = _take_value(option.name, behind)


def _match_option_word(text: str, options: Sequence[CommandOption]) -> str | None:
    if flag := _FLAG.match(text):
        return flag[1]
    key = _KEY.match(text)
    if key and (key[1].islower() or any(_is_option(key[1], option) for option in options)):
        return key[1]
    return None


def _is_option(word: str, option: CommandOption) -> bool:
    return word.lower() == option.name or word.lower() in option.synonyms


def _take_value(name: str, behind: str) -> tuple[str, str]:
    has_sign = behind.startswith("=")
    start = behind[1:] if has_sign else behind.lstrip(" \t")
    closing = _CLOSING.get(start[:1])
    if closing is not None:
        return _take_quoted_value(name, start, closing)
    word = _WORD.match(start)
    if word is None or (not has_sign and _FLAG.match(start)):
        raise UserError(f"`{name}` has no value.", f"Write `{name}=VALUE`, with no space around `=`.")
    return word[0], start[word.end() :]


def _take_quoted_value(name: str, start: str, closing: re.Pattern[str]) -> tuple[str, str]:
    line = start.partition("\n")[0]
    end = closing.search(line, 1)
    if end is None:
        raise UserError(f"The quote after `{name}` is never closed.", f'Write `{name}="VALUE"`.')
    value, behind = line[1 : end.start()].strip(), start[end.end() :]
    if not value:
        raise UserError(f"`{name}` has no value.", f'Write `{name}="VALUE"`.')
    if behind and not behind[0].isspace():
        raise UserError(f"Something follows the closing quote of `{name}` at once.", "Put a space there.")
    return value, behind
