"""Decides which call goes first when Slack's rate limits are short."""

from enum import IntEnum


class Priority(IntEnum):
    """The purpose of a call to Slack. A lower number goes first."""

    # A message that mentions somebody or asks a question.
    CALL = 0
    # Any other message, and the reads and look-ups that it needs.
    POST = 1
    RECEIPT = 2
    # The drawing that gives a new card its task and its buttons.
    FIRST_CARD = 3
    # A card whose task has ended shows this for long. Other cards soon change again.
    FINAL_CARD = 4
    CARD = 5
    # Backfill of threads.
    CATCHING_UP = 6
