"""Makes the Bolt app. Bolt chooses the listener for each payload from Slack.

Bolt's own checks and logs are turned off. Bolt would log whole payloads, and no log may contain what people
write. This module logs errors instead, without values from the payload.
"""

import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import slack_bolt
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from taskwire.slack.models import Identity
from taskwire.telemetry import Metrics, ThrottledLog, logger

# If all frames of an exception are in these files, the exception comes from Bolt itself, before any listener.
_BOLT_PATHS = (str(Path(slack_bolt.__file__).parent), __file__)
# Slack's types of payloads. Any other type is logged as "other", because a stranger may have sent the text.
_PAYLOAD_TYPES = (
    *("block_actions", "block_suggestion", "event_callback", "interactive_message", "message_action"),
    *("shortcut", "view_closed", "view_submission", "workflow_step_edit"),
)
_log = logger("taskwire.slack.bolt")


class _App(AsyncApp):
    """Skips work that Bolt does for each payload but that no listener needs."""

    def _init_context(self, req: AsyncBoltRequest) -> None:
        """Fill a request's context with objects that all requests share.

        Bolt would make new objects for each request.
        """
        req.context["logger"] = self.logger
        req.context["client"] = self.client
        req.context["token"] = None
        req.context["listener_runner"] = self.listener_runner


def make_app(client: AsyncWebClient, bot: Identity, metrics: Metrics) -> AsyncApp:
    """Make the app, without listeners. The caller must have verified that payloads come from Slack."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=bot.enterprise_id,
            team_id=bot.team_id,
            bot_user_id=bot.bot_user_id,
            bot_id=bot.bot_id,
        )

    silent = logging.getLogger("taskwire.slack.bolt.silent")
    # Bolt disables its own loggers if the logger that it is given is disabled.
    silent.disabled = True
    app = _App(
        # Without a name, Bolt reads the source files of its callers. Bolt's loggers get this name.
        name=silent.name,
        # With a token, Bolt would call auth.test at the first payload, and drop the payload if the call
        # failed.
        client=client,
        authorize=authorize,
        logger=silent,
        # Socket Mode has no signatures. In HTTP mode, the module `signatures` has verified the request's
        # signature.
        request_verification_enabled=False,
        # Without this, Bolt asks every 10 ms whether a listener has acknowledged. Our listeners end with the
        # ack; later work is in `listeners/background.py`.
        process_before_response=True,
        # The bot's own messages are not dropped, because they show whether another company reads a thread
        # (`find_shared_thread`). `Ingress` ignores them in all other cases.
        ignoring_self_events_enabled=False,
        # Without this, Bolt logs a warning with the payload.
        raise_error_for_unhandled_request=True,
    )
    app.error(_make_error_handler(metrics))
    return app


async def dispatch(app: AsyncApp, request: AsyncBoltRequest) -> BoltResponse:
    """Run the listener for a request and return its response. Raises nothing."""
    try:
        return await app.async_dispatch(request)
    except Exception as error:  # noqa: BLE001 - Bolt fails at unreadable payloads before it calls `_handle_error`
        return _handle_error(error) or BoltResponse(status=500)


def _make_error_handler(metrics: Metrics) -> Callable[[Exception], Awaitable[BoltResponse | None]]:
    """Return Bolt's error handler.

    The handler counts each payload that has no listener. At most once a minute, it logs a warning about such
    payloads.
    """
    unknown = metrics.payloads_dropped.labels("unknown")
    warn = ThrottledLog(_log.warning, "unknown payload from Slack, ignored; does the app have our manifest?")

    async def failed(error: Exception) -> BoltResponse | None:
        if not isinstance(error, BoltUnhandledRequestError):
            return _handle_error(error)
        unknown.inc()
        warn(kind=_get_payload_type(error.body))
        return None

    return failed


def _get_payload_type(body: Mapping[str, object]) -> str:
    kind = body.get("type")
    return str(kind) if kind in _PAYLOAD_TYPES else "command" if "command" in body else "other"


def _handle_error(error: Exception) -> BoltResponse | None:
    """Log an exception and where it was raised, without any value from the payload.

    If Bolt could not read the payload, return a response with status 400; otherwise return None.
    """
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in _frames(error)]
    if all(place.startswith(_BOLT_PATHS) for place in where):
        # Bolt could not read the payload, so Slack did not send it.
        return BoltResponse(status=400)
    _log.error(
        "unexpected exception while handling a payload, not acknowledged",
        error=type(error).__name__,
        where=where,
    )
    return None


def _frames(error: BaseException) -> Iterator[traceback.FrameSummary]:
    yield from traceback.extract_tb(error.__traceback__)
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield from _frames(cause)
