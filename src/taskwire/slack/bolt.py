"""The Bolt app: which listener takes which payload is its business, and nothing else is.

It verifies nothing and logs nothing. Its middlewares write whole payloads into logs of their own, which copy
their level, and what people say is in no log; so what went wrong is said here instead, without any value.
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
from taskwire.telemetry import Metrics, Seldom, logger

# Where an error comes from that Bolt itself has at a payload, before any listener.
_BOLTS = (str(Path(slack_bolt.__file__).parent), __file__)
# What Slack calls its payloads; what else stands there is said nowhere.
_KINDS = (
    *("block_actions", "block_suggestion", "event_callback", "interactive_message", "message_action"),
    *("shortcut", "view_closed", "view_submission", "workflow_step_edit"),
)
_log = logger("taskwire.slack.bolt")


class _App(AsyncApp):
    """Makes nothing anew for each payload that nobody here asks for."""

    def _init_context(self, req: AsyncBoltRequest) -> None:
        """Give a request what all have: Bolt makes a log and a client for each, and reads the environment."""
        req.context["logger"] = self.logger
        req.context["client"] = self.client
        req.context["token"] = None
        req.context["listener_runner"] = self.listener_runner


def make_app(client: AsyncWebClient, bot: Identity, metrics: Metrics) -> AsyncApp:
    """Make the app, without listeners; who asks it has made sure that a payload is Slack's."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=bot.enterprise_id,
            team_id=bot.team_id,
            bot_user_id=bot.bot_user_id,
            bot_id=bot.bot_id,
        )

    silent = logging.getLogger("taskwire.slack.bolt.silent")
    # Each log that Bolt makes is as disabled as the one that it is given.
    silent.disabled = True
    app = _App(
        # Without a name Bolt reads the source of everything that is being called. Its logs have that name.
        name=silent.name,
        # With a token in its client Bolt asks auth.test at the first payload, and drops that if it fails.
        client=client,
        authorize=authorize,
        logger=silent,
        # In Socket Mode there is no signature, and in HTTP mode `requests` has verified it.
        request_verification_enabled=False,
        # Or Bolt looks every 10 ms whether a listener has acked. Ours end with the ack: see `Behind`.
        process_before_response=True,
        # What we have said ourselves shows who reads it; all else of it is left alone by `Entry`.
        ignoring_self_events_enabled=False,
        # Else it warns, with the payload.
        raise_error_for_unhandled_request=True,
    )
    app.error(_failing(metrics))
    return app


async def dispatch(app: AsyncApp, request: AsyncBoltRequest) -> BoltResponse:
    """Let the listener carry out a request; raises nothing."""
    try:
        return await app.async_dispatch(request)
    except Exception as error:  # noqa: BLE001 - Bolt fails at telling `_failed` of what it could not read
        return _failed(error) or BoltResponse(status=500)


def _failing(metrics: Metrics) -> Callable[[Exception], Awaitable[BoltResponse | None]]:
    """Make what hears of errors; of what nobody takes there may be much, so that is said seldom."""
    unknown = metrics.payloads_dropped.labels("unknown")
    warn = Seldom(_log.warning, "a payload that nobody here takes; does the Slack app have our manifest?")

    async def failed(error: Exception) -> BoltResponse | None:
        if not isinstance(error, BoltUnhandledRequestError):
            return _failed(error)
        unknown.inc()
        warn(kind=_kind(error.body))
        return None

    return failed


def _kind(body: Mapping[str, object]) -> str:
    kind = body.get("type")
    return str(kind) if kind in _KINDS else "command" if "command" in body else "other"


def _failed(error: Exception) -> BoltResponse | None:
    """Say what went wrong, and where, without a word of the payload."""
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in _frames(error)]
    if all(place.startswith(_BOLTS) for place in where):
        # Bolt could not read it, so it is not what Slack sends.
        return BoltResponse(status=400)
    _log.error("unexpected exception while handling a payload", error=type(error).__name__, where=where)
    return None


def _frames(error: BaseException) -> Iterator[traceback.FrameSummary]:
    yield from traceback.extract_tb(error.__traceback__)
    behind = error.__cause__ or error.__context__
    if behind is not None:
        yield from _frames(behind)
