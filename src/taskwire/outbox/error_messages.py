"""What a person is told instead of an answer, by which system failed."""

from redis.exceptions import RedisError

from taskwire.coder.errors import CoderError, NoTasks, TokenRefused
from taskwire.domain.errors import OutsideError, Refused
from taskwire.domain.message import Message
from taskwire.messages import answers, refusals
from taskwire.messages.shapes import statement
from taskwire.redis.decoding import CannotRead
from taskwire.slack.errors import NoCapacity, SlackRateLimited


def excuse(error: Exception) -> Message:
    """Say who did not answer; what is neither Slack's nor Redis's is Coder's."""
    match error:
        case TokenRefused():
            return answers.token_refused()
        case NoTasks():
            return answers.no_tasks()
        case RedisError():
            return Message(text=answers.store_away())
        case CannotRead():
            return answers.only_another_version_reads()
        case CoderError() if isinstance(error, Refused):
            return statement(refusals.coder_said(said(error)))
        case NoCapacity() | SlackRateLimited():
            return answers.slack_is_full()
        case OutsideError(side="Slack"):
            return answers.slack_away()
        case _:
            return answers.coder_away()


def said(refused: Refused) -> str:
    """What Coder said when it refused, without the status that only a log needs."""
    return refused.answer.said if isinstance(refused, CoderError) else str(refused)
