"""Recognises replies that are nothing but one short thing: a word that stops the task.

`replies` reads whole messages. This module gets their text, without the mention of the bot.
"""

import re

# No longer text can be a bare word. The patterns below are not tried on it.
_LONGEST = 60
# A person may write such a word in bold or italics, and end it with full stops or exclamation marks.
_MARKS, _ENDS = r"[\s*_~]*", r"[\s*_~.!…]*"
_STOP = re.compile(
    rf"{_MARKS}(?:stop|cancel|halt|abort|wait|:octagonal_sign:|\N{{OCTAGONAL SIGN}}\ufe0f?){_ENDS}",
    re.IGNORECASE,
)


def is_stop(said: str) -> bool:
    """Whether a text is nothing but `stop`, `cancel`, `halt`, `abort`, `wait` or the emoji of a stop sign."""
    return len(said) <= _LONGEST and _STOP.fullmatch(said) is not None
