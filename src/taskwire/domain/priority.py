"""Priority: which call goes first when Slack's rate limits are short."""

from enum import IntEnum


class Priority(IntEnum):
    """What a call to Slack is for; the lower goes first."""

    # Somebody is mentioned, or asked something that waits for their word.
    CALL = 0
    # Everything else that is said, and what has to be read or looked up for it.
    POST = 1
    RECEIPT = 2
    # A new card has neither its task nor its buttons before that.
    FIRST_CARD = 3
    # A card whose task has come to an end shows this for long; others change again soon.
    FINAL_CARD = 4
    CARD = 5
    # Threads that are read because nobody had listened for a while.
    CATCHING_UP = 6
