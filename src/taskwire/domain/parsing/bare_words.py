"""Recognises replies that are only one short thing: words that stop the task, `pause`, or thanks.

`replies` reads whole messages. This module gets the text of such a message, without the mention of the bot.
`grammar` has the verbs, such as `!stop` and `/task stop`.
"""

import re

# The name of the emoji that stops a task, as a word or as a reaction.
STOP_SIGN = "octagonal_sign"
# In characters. A longer text cannot be a bare word, so it is not searched.
_LONGEST = 60
# A person may write a bare word in bold or italics, and end it with full stops or exclamation marks.
_MARKS, _ENDS = r"[\s*_~]*", r"[\s*_~.!…]*"
_STOP = re.compile(
    rf"{_MARKS}(?:stop|cancel|halt|abort|wait|:{STOP_SIGN}:|\N{{OCTAGONAL SIGN}}\ufe0f?){_ENDS}",
    re.IGNORECASE,
)
# A polite request is a stop if it names nothing else to stop, such as a server: `could you stop it, please?`.
_PLEASE, _CAN_YOU = r"(?:please|pls|plz)", r"(?:can|could|will|would)\s+you"
_ASKED = r"(?:stop|cancel|halt|abort|wait|pause)(?:\s+(?:it|this|that))?(?:\s+(?:right\s+)?now)?"
_POLITE_STOP = re.compile(
    rf"{_MARKS}(?:{_CAN_YOU}\s+(?:{_PLEASE}\s+)?{_ASKED}(?:,?\s+{_PLEASE})?\??"
    rf"|{_PLEASE},?\s+{_ASKED}|{_ASKED},?\s+{_PLEASE}){_ENDS}",
    re.IGNORECASE,
)

_PAUSE = re.compile(rf"{_MARKS}pause{_ENDS}", re.IGNORECASE)
_HAPPY = "+1 thumbsup pray heart tada clap raised_hands ok_hand heart_eyes star2 slightly_smiling_face"
_EMOJI = (
    rf"(?::(?:{'|'.join(map(re.escape, _HAPPY.split()))}):(?::skin-tone-[2-6]:)?"
    "|[\U0001f44d\U0001f64f\u2764\U0001f389\U0001f44f\U0001f64c\U0001f44c][\U0001f3fb-\U0001f3ff\ufe0f]*)"
)
_PRAISE = r"(?:(?:great|perfect|awesome|cool|nice|super|excellent|lovely|ok|okay|brilliant)[,.!]*\s+)?"
_WORDS = (
    r"(?:(?:many\s+)?thanks|thank\s+(?:you|u)|thx|tnx|ty|tysm|cheers)"
    r"(?:\s+(?:a\s+lot|so\s+much|very\s+much|again))?"
)
_THANKS = re.compile(
    rf"{_MARKS}(?:{_PRAISE}{_WORDS}{_ENDS}(?:{_EMOJI}\s*)*|{_EMOJI}(?:\s*{_EMOJI})*){_ENDS}", re.IGNORECASE
)


def is_stop(said: str) -> bool:
    """Return whether a text is only `stop`, `cancel`, `halt`, `abort`, `wait` or a stop sign.

    A polite form of these words, or of `pause`, is a stop too: `pause please`.
    """
    return len(said) <= _LONGEST and any(form.fullmatch(said) for form in (_STOP, _POLITE_STOP))


def is_pause(said: str) -> bool:
    """Return whether a text is only `pause`, without a polite word.

    The agent gets such a text as input, but its author may have meant to stop the task.
    """
    return len(said) <= _LONGEST and _PAUSE.fullmatch(said) is not None


def is_thanks(said: str) -> bool:
    """Return whether a text only says thanks, such as `great, thanks!` or a thumbs up."""
    return len(said) <= _LONGEST and _THANKS.fullmatch(said) is not None
