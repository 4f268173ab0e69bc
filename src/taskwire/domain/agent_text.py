"""Text on its way into an agent's terminal, made safe; the door to Coder takes no other.

What agentapi gets it pastes into a terminal without looking: an escape code ends the paste, and a return
after it runs what follows. So nothing is left but printable text, line breaks and tabs.

- Escape codes, as a coloured log has them, go as a whole. Of an unknown code only its control character goes.
- Marks that turn the direction of text go, closed or not: people would see another order than the agent.
- Letters that nobody sees go: agents read them, so they can carry words that no person has checked. These are
  the format characters (Unicode's Cf), variation selectors, tags and fillers.
- Letters for private use, and those that Unicode may assign later, show as a box at least; they stay.
- Of those that nobody sees a few are part of printable text and stay, one at a time: a joiner between two
  emoji, the selector behind an emoji, the tags of the three registered flags, and a joiner within words of
  scripts that need it.
"""

import re
from typing import NewType

# Made by `for_agent` alone.
AgentText = NewType("AgentText", str)

# A text that begins with the first is a command to the shell behind common agents; one that begins with
# another is a command to one agent or another, which people may well mean.
SHELL_MARK = "!"
MARKS = (SHELL_MARK, "/", "#")

# Codes that begin with [ (8 bits: 9b) end with a letter; texts for the terminal end with a bell or ESC \.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x80-\x9f\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_BREAK = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Controls, halves of characters, and code points that never become a character.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}-{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "]"
)
# Takes no room: all of Cf (Unicode 16), and what Unicode calls ignorable by default. Part of a class.
WIDTHLESS = (
    r"\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
# Blanks, and all that Unicode lets a font show as nothing: a class of a regular expression.
UNSEEN = rf"[\s\u2028-\u2029\u2800{WIDTHLESS}]"
_UNSEEN_BEGINNING = re.compile(f"{UNSEEN}+")

# The characters that Unicode's emoji-data.txt calls Emoji, in whole ranges, but for digits, # and *.
_EMOJI = (
    r"[\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    r"\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
# Letters and marks that join or stack: Arabic and its neighbours, India's scripts, Tibetan, Burmese, Khmer.
_JOINING = (
    r"[\u0606-\u061a\u061e-\u06dc\u06de-\u070d\u0710-\u07ff\u0840-\u088f\u0897-\u08e1\u08e3-\u0dff\u0f00-\u109f"
    r"\u1780-\u17b3\u17b6-\u17d3\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]"
)
# Signs that take a consonant's vowel away; a joiner behind one shows its half form, at a word's end too.
_VIRAMA = r"[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca]"
# The flags of England, Scotland and Wales: a black flag, the letters as tags, and the end of tags.
_BLACK_FLAG = "\U0001f3f4"
_FLAG = re.compile(
    f"({_BLACK_FLAG}\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    "|\U000e0077\U000e006c\U000e0073)\U000e007f)"
)
# The letter comes before the looks around it: it is found fast. Behind one that goes, none stays.
_HIDDEN = re.compile(
    rf"[{WIDTHLESS}]"
    rf"(?<!{_EMOJI}\ufe0f)"
    r"(?!(?<=[#*0-9]\ufe0f)\u20e3)"
    rf"(?!(?:(?<={_EMOJI}\u200d)|(?<={_EMOJI}\ufe0f\u200d)){_EMOJI})"
    rf"(?!(?<={_JOINING}[\u200c\u200d]){_JOINING})"
    rf"(?<!{_VIRAMA}\u200d)"
    rf"[{WIDTHLESS}]*+"
)


def without_controls(text: str) -> str:
    """Drop what a terminal obeys and what nobody sees; what its lines begin and end with stays."""
    text = _UNSAFE.sub("", _BREAK.sub("\n", _ESCAPE.sub("", text)))
    if text.isascii():
        return text
    parts = _FLAG.split(text) if _BLACK_FLAG in text else [text]
    # Every second one is a flag.
    parts[::2] = [_HIDDEN.sub("", part) for part in parts[::2]]
    return "".join(parts)


def for_agent(text: str) -> AgentText:
    """Make a text safe for an agent's terminal, and trim it; doing it again changes nothing."""
    text = without_controls(text)
    hidden = _UNSEEN_BEGINNING.match(text)
    return AgentText(text[hidden.end() if hidden else 0 :].rstrip())


def is_command(text: AgentText) -> bool:
    """Whether an agent would take the text for a command to its shell: one that begins with `!`."""
    return text.startswith(SHELL_MARK)
