"""Urgency: who goes first where places in Slack's limits are short."""

from enum import IntEnum


class Urgency(IntEnum):
    """What a call to Slack is for; the lower goes first."""

    # Somebody is mentioned, or asked something that waits for their word.
    CALL = 0
    # Everything else that is said, and what has to be read or looked up for it.
    POST = 1
    RECEIPT = 2
    # A card whose task has come to an end shows this for long; others change again soon.
    FINAL_CARD = 3
    CARD = 4
    # Threads that are read because nobody had listened for a while.
    CATCHING_UP = 5
