"""Excuses: what is said instead of an answer that could not be had, by who did not do their part."""

from redis.exceptions import RedisError

from taskwire.coder.errors import CoderError, NoTasks, TokenRefused
from taskwire.model.errors import Refused
from taskwire.model.messages import Message
from taskwire.slack.errors import Nonsense, NoRoom, RateLimited, SlackRefused, SlackTrouble
from taskwire.words import answers, refusals
from taskwire.words.shapes import statement


def excuse(error: Exception) -> Message:
    """Say who did not answer; what neither Slack nor Redis said is Coder's."""
    match error:
        case TokenRefused():
            return answers.token_refused()
        case NoTasks():
            return answers.no_tasks()
        case RedisError():
            return Message(text=answers.store_away())
        case CoderError() if isinstance(error, Refused):
            return statement(refusals.coder_said(said(error)))
        case SlackRefused() | SlackTrouble() | RateLimited() | NoRoom() | Nonsense():
            return answers.slack_away()
        case _:
            return answers.coder_away()


def said(refused: Refused) -> str:
    """What Coder said when it refused, without the status that only a log needs."""
    return refused.answer.said if isinstance(refused, CoderError) else str(refused)
