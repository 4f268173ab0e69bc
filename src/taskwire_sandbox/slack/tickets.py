"""What the app gets with a person's act: a trigger id and a response URL.

A trigger id works once, within 3 s. A response URL works five times, within 30 minutes.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from taskwire_sandbox.slack.errors import ApiError

RESPONSE_URL_SECONDS = 30 * 60
RESPONSE_URL_USES = 5


@dataclass
class Trigger:
    """The right to open one dialog for `user`.

    `view_id` is the dialog in which the person acted; None if the person did not act in a dialog.
    """

    id: str
    user: str
    expires: float
    view_id: str | None = None
    is_used: bool = False


@dataclass
class ResponseUrl:
    """The right to answer a person's act.

    `message_ts` is the message on which the person acted; None if the person did not act on a message.
    """

    token: str
    user: str
    channel: str
    expires: float
    thread_ts: str | None = None
    message_ts: str | None = None
    is_ephemeral: bool = False
    uses: int = 0


@dataclass
class Tickets:
    """All triggers and response URLs that were issued."""

    clock: Callable[[], float]
    trigger_seconds: float
    base_url: str = ""
    triggers: dict[str, Trigger] = field(default_factory=dict)
    response_urls: dict[str, ResponseUrl] = field(default_factory=dict)

    def trigger(self, user: str, view_id: str | None = None) -> str:
        """Issue a trigger id."""
        made = f"{int(self.clock() * 1000)}.{secrets.randbelow(10**9)}.{secrets.token_hex(16)}"
        self.triggers[made] = Trigger(made, user, self.clock() + self.trigger_seconds, view_id)
        return made

    def redeem(self, trigger_id: str) -> Trigger:
        """Use a trigger id. Raise Slack's error if the trigger id is unknown, expired or used."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if trigger.is_used:
            raise ApiError("exchanged_trigger_id")
        if self.clock() > trigger.expires:
            raise ApiError("expired_trigger_id")
        trigger.is_used = True
        return trigger

    def response_url(
        self,
        kind: str,
        user: str,
        channel: str,
        *,
        thread_ts: str | None = None,
        message_ts: str | None = None,
        is_ephemeral: bool = False,
    ) -> str:
        """Issue a response URL. `kind` is the first part of the URL's path: commands, actions or app."""
        token = secrets.token_urlsafe(18)
        expires = self.clock() + RESPONSE_URL_SECONDS
        self.response_urls[token] = ResponseUrl(
            token, user, channel, expires, thread_ts, message_ts, is_ephemeral
        )
        return f"{self.base_url}/respond/{kind}/{token}"
