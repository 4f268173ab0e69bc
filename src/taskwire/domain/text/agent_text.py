"""Makes text safe for an agent's terminal. Coder's client accepts no other text as input.

agentapi pastes its input into a terminal unchecked. An escape code would end the paste, and a return after it
would run the text that follows. So only printable text, line breaks and tabs are kept.

- Escape codes are removed, for example the colours of a log. Of an unknown code only the control character is
  removed.
- Characters that change the direction of text are removed. With them, people would see another order than the
  agent reads.
- Invisible characters are removed, because agents read them and people cannot check them. They are the format
  characters (Unicode's Cf), variation selectors, tags and fillers.
- Characters for private use, and code points that Unicode may assign later, are kept, because a font shows
  them at least as a box.
- A few invisible characters are part of printable text and are kept: a joiner between two emoji, the selector
  after an emoji, the tags of the three registered flags, and a joiner within words of scripts that need it.
"""

import re
from typing import NewType

# Only `sanitize_for_agent` makes values of this type.
AgentText = NewType("AgentText", str)

# Common agents run text that begins with SHELL_COMMAND_MARK as a shell command. Some agents read the other
# marks as their own commands, and people may intend that.
SHELL_COMMAND_MARK = "!"
COMMAND_MARKS = (SHELL_COMMAND_MARK, "/", "#")

# Codes that begin with `ESC [` (in 8 bits: 9b) end with a letter. Strings for the terminal end with a bell or
# with `ESC \`.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x80-\x9f\n]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_BREAK = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
# Control characters, surrogates, and code points that never become characters.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(f"{chr(plane << 16 | 0xFFFE)}-{chr(plane << 16 | 0xFFFF)}" for plane in range(17))
    + "]"
)
# Characters without width: all of Cf (Unicode 16), Unicode's default ignorable characters, and a filler. This
# constant is used inside the brackets of a character class.
ZERO_WIDTH = (
    r"\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
# Letters and marks that a font shows as nothing, and symbols that it shows as a blank. Both constants are
# used inside the brackets of a character class.
FILLERS, BLANK_SYMBOLS = r"\u115f\u1160\u3164\uffa0\U00016fe4", r"\u2800\U0001d159"
# A character class: blanks, and all characters that a font may show as nothing.
INVISIBLE = rf"[\s\u2028-\u2029{BLANK_SYMBOLS}{FILLERS}{ZERO_WIDTH}]"
_BLANK_SYMBOL = re.compile(f"[{BLANK_SYMBOLS}]")
_UNSEEN_BEGINNING = re.compile(f"{INVISIBLE}+")

# The characters that Unicode's emoji-data.txt calls Emoji, as whole ranges, without digits, # and *.
_EMOJI = (
    r"[\xa9\xae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    r"\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
# Letters and marks that join or stack: Arabic and related scripts, India's scripts, Tibetan, Burmese, Khmer.
_JOINING = (
    r"[\u0606-\u061a\u061e-\u06dc\u06de-\u070d\u0710-\u07ff\u0840-\u088f\u0897-\u08e1\u08e3-\u0dff\u0f00-\u109f"
    r"\u1780-\u17b3\u17b6-\u17d3\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]"
)
# A virama removes a consonant's vowel. A joiner behind it shows the half form, also at the end of a word.
_VIRAMA = r"[\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca]"
# The flags of England, Scotland and Wales: a black flag, the letters as tags, and the cancel tag.
_BLACK_FLAG = "\U0001f3f4"
_FLAG = re.compile(
    f"({_BLACK_FLAG}\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    "|\U000e0077\U000e006c\U000e0073)\U000e007f)"
)
# Fillers, tags, and variation selectors. Only the two selectors of emoji are kept, directly behind what can
# take them.
_UNSEEN_IN_SLACK = re.compile(
    rf"[{FILLERS}\U000e0000-\U000e007f\U000e0100-\U000e01ef\ufe00-\ufe0d]+"
    rf"|[\ufe0e\ufe0f](?<!{_EMOJI}.)(?<![#*0-9].)"
)
# The character class comes before the lookarounds, because a search for a character class is fast. Invisible
# characters that directly follow a removed character are removed too.
_HIDDEN = re.compile(
    rf"[{ZERO_WIDTH}]"
    rf"(?<!{_EMOJI}\ufe0f)"
    r"(?!(?<=[#*0-9]\ufe0f)\u20e3)"
    rf"(?!(?:(?<={_EMOJI}\u200d)|(?<={_EMOJI}\ufe0f\u200d)){_EMOJI})"
    rf"(?!(?<={_JOINING}[\u200c\u200d]){_JOINING})"
    rf"(?<!{_VIRAMA}\u200d)"
    rf"[{ZERO_WIDTH}]*+"
)


def remove_unseen_words(text: str) -> str:
    """Remove fillers, tags and variation selectors, in which words can be hidden that nobody sees.

    Keep the tags of the registered flags, and one selector after a character that can be an emoji. A symbol
    that is shown as a blank becomes a space.
    """
    if text.isascii():
        return text
    parts = _FLAG.split(_BLANK_SYMBOL.sub(" ", text))
    parts[::2] = [_UNSEEN_IN_SLACK.sub("", part) for part in parts[::2]]
    return "".join(parts)


def remove_control_characters(text: str) -> str:
    """Remove escape codes, control characters and invisible characters. Keep blanks at the ends of lines."""
    text = _UNSAFE.sub("", _BREAK.sub("\n", _ESCAPE.sub("", text)))
    if text.isascii():
        return text
    parts = _FLAG.split(text) if _BLACK_FLAG in text else [text]
    # Every second part is a flag of England, Scotland or Wales, which is kept whole.
    parts[::2] = [_HIDDEN.sub("", part) for part in parts[::2]]
    return "".join(parts)


def sanitize_for_agent(text: str) -> AgentText:
    """Make a text safe for an agent's terminal, and strip blanks at its ends.

    A second call with the result changes nothing.
    """
    text = remove_control_characters(text)
    hidden = _UNSEEN_BEGINNING.match(text)
    return AgentText(text[hidden.end() if hidden else 0 :].rstrip())


def is_shell_command(text: AgentText) -> bool:
    """Return whether the text begins with `!`, so that an agent would run it as a shell command."""
    return text.startswith(SHELL_COMMAND_MARK)
