"""Makes messages about errors: the answer to a request that failed, waits, or is given up.

`coder/errors.py` and `slack/errors.py` sort the errors. `messages/` has the texts.
"""

from redis.exceptions import RedisError

from taskwire.coder.errors import CoderError, PersonTokenRefused, TasksNotSupported, TokenRefused
from taskwire.domain.errors import OutsideError, Refused, UserError
from taskwire.domain.lifecycle.links import Link
from taskwire.domain.queueing.jobs import PostCard
from taskwire.domain.queueing.work import Work
from taskwire.domain.text.message import Message
from taskwire.messages import answers, refusals, waiting
from taskwire.messages.shapes import statement
from taskwire.messages.waiting import SilentSystem
from taskwire.people.account_errors import AccountNeeded
from taskwire.redis.decoding import CannotRead
from taskwire.slack.errors import NoCapacity, SlackRateLimited


def make_error_answer(error: Exception) -> Message:
    """Return the answer for an error. The answer names the system that refused, failed or did not answer.

    If the error is of an unknown kind, the answer says that Coder did not answer.
    """
    match error:
        case TokenRefused():
            return answers.token_refused()
        case AccountNeeded():
            return answers.refusal(UserError(*refusals.not_connected()))
        case PersonTokenRefused():
            return statement(refusals.ACCOUNT_ENDED)
        case TasksNotSupported():
            return answers.coder_has_no_tasks()
        case RedisError():
            return Message(text=answers.store_unreachable())
        case CannotRead():
            return answers.written_by_other_version()
        case CoderError() if isinstance(error, Refused):
            return statement(refusals.coder_said(get_refusal_text(error)))
        case NoCapacity() | SlackRateLimited():
            return answers.slack_rate_limited()
        case OutsideError(system="Slack"):
            return answers.slack_failed()
        case _:
            return answers.coder_unreachable()


def get_refusal_text(refused: Refused) -> str:
    """Return Coder's reason for a refusal, without the HTTP status."""
    return refused.answer.text if isinstance(refused, CoderError) else str(refused)


def _get_silent_side(work: Work, error: OutsideError) -> SilentSystem:
    """Return which system did not answer."""
    return error.system or ("Slack" if isinstance(work, PostCard) else "Coder")


def make_give_up_message(work: Work, link: Link | None, error: OutsideError) -> Message:
    """Say that a request is given up, because a system did not answer."""
    wish = waiting.describe_request(work, link)
    match error:
        case TokenRefused():
            return waiting.token_refused_too_long(wish)
        case TasksNotSupported():
            return waiting.coder_never_had_tasks(wish)
        case _:
            return waiting.never_answered_in_time(_get_silent_side(work, error), wish)


def make_waiting_message(work: Work, link: Link | None, error: OutsideError) -> Message:
    """Say that a request waits, and for which system."""
    wish = waiting.describe_request(work, link)
    match error:
        case TokenRefused():
            return waiting.request_waits_for_token(wish)
        case TasksNotSupported():
            return answers.coder_has_no_tasks()
        case _:
            return waiting.request_waits_for_system(_get_silent_side(work, error), wish)
