"""Slack's own surface for agents: the status of a thread's session, and Slack's button that stops the agent.

Slack shows both only if the app is declared as an agent. This declaration grants the app the scope
`AGENT_SCOPE`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from slack_sdk.web.async_client import AsyncWebClient

from taskwire.domain.ids import ChannelId, Ts, UserId
from taskwire.slack.call_priorities import Priority
from taskwire.slack.calls import Calls, Method
from taskwire.slack.drafts import Drafts
from taskwire.slack.inbound import IgnoredPayload
from taskwire.slack.manifest import AGENT_SCOPE
from taskwire.slack.payload_fields import read_channel, read_object, read_text, read_ts, read_user

SessionStatus = Literal["active", "processing", "suspended", "closed"]
# Slack's limit, in characters.
LONGEST_TITLE = 200


class AgentSessions:
    """What the bot shows in Slack's agent surface. A call raises the errors of `slack/errors.py`."""

    def __init__(self, client: AsyncWebClient, calls: Calls, drafts: Drafts, timeout_seconds: float) -> None:
        self._client = client
        self._calls = calls
        self._drafts = drafts
        self._timeout_seconds = timeout_seconds

    @property
    def is_enabled(self) -> bool:
        """Whether the app is declared as an agent. The scopes of the bot's token show this."""
        return AGENT_SCOPE in (self._calls.granted_scopes or ())

    async def set_status(self, channel: ChannelId, thread_ts: Ts, status: SessionStatus, title: str) -> None:
        """Set the status of a thread's session. If there is no session, Slack makes one with this title.

        The call does not name the person who began the session, because Slack refuses a person who is not in
        the channel.
        """
        shown = self._drafts.mask(title)[:LONGEST_TITLE]
        call = self._client.agents_sessions_setStatus(
            channel_id=channel, thread_ts=thread_ts, status=status, title=shown
        )
        await self._calls.make(Method.SET_SESSION, self._timeout_seconds, call, priority=Priority.CARD)


@dataclass(frozen=True)
class SessionStopped:
    """A press of Slack's button that stops the agent of a thread. `at` is the time of the press."""

    channel: ChannelId
    thread_ts: Ts
    person: UserId
    at: Ts
    delivery: str


def parse_session_stopped(body: Mapping[str, object]) -> SessionStopped | IgnoredPayload:
    """Parse the event of Slack's button that stops an agent."""
    event, delivery = read_object(body, "event"), read_text(body, "event_id")
    channel, thread_ts = read_channel(event, "channel"), read_ts(event, "thread_ts")
    person, at = read_user(event, "user"), read_ts(event, "event_ts")
    if channel is None or thread_ts is None or person is None or at is None or not delivery:
        return IgnoredPayload("a stop of no thread")
    return SessionStopped(channel, thread_ts, person, at, delivery)
