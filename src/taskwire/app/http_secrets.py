"""The secrets by which Taskwire recognizes a sender of requests: Slack, Coder's webhook, an operator.

`new_secrets.py` replaces the secrets while Taskwire runs. For five minutes after a change, requests with the
previous secret are also accepted, because some may already be on their way.
"""

import hmac
import time
from collections.abc import Callable

from taskwire.settings import Settings
from taskwire.slack.signatures import SignatureVerifier

# How long the previous token is accepted after a change, in seconds.
OVERLAP_SECONDS = 300


class ReceivedToken:
    """A token that the senders of requests must send to Taskwire.

    For five minutes after a change, the previous token is also accepted.
    """

    def __init__(self, token: str, now: Callable[[], float] = time.monotonic) -> None:
        self._token, self._former, self._former_until = token, "", 0.0
        self._now = now

    def replace(self, token: str) -> None:
        """Accept this token from now on."""
        self._token, self._former, self._former_until = token, self._token, self._now() + OVERLAP_SECONDS

    def accepts(self, given: str) -> bool:
        """Return whether `given` is the token, or the previous token soon after a change."""
        # A header may contain bytes that are not valid text.
        text = given.encode("utf-8", "replace")
        is_former = bool(self._former) and hmac.compare_digest(text, self._former.encode())
        return hmac.compare_digest(text, self._token.encode()) or (
            is_former and self._now() < self._former_until
        )


class HttpSecrets:
    """The secrets that are checked in HTTP requests. A secret that is not set is None."""

    def __init__(self, settings: Settings) -> None:
        signing, webhook, admin = (
            settings.slack_signing_secret,
            settings.webhook_token,
            settings.admin_token,
        )
        takes_slack = signing is not None and not settings.is_socket_mode
        self.signatures = (
            SignatureVerifier(signing.get_secret_value()) if signing is not None and takes_slack else None
        )
        self.webhook = ReceivedToken(webhook.get_secret_value()) if webhook is not None else None
        self.admin = ReceivedToken(admin.get_secret_value()) if admin is not None else None
