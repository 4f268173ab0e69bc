"""Follows CODER_SESSION_TOKEN_FILE: a token that is written into the file is used without a restart.

The file is looked at every few seconds, and at SIGHUP. Kubernetes replaces the whole file by a symbolic link
to another one, so a new inode also counts as a change. A token that Coder refuses is not used.
"""

from pathlib import Path
from typing import Self

from pydantic import SecretStr

from taskwire.coder.client import CoderClient
from taskwire.coder.errors import TokenRefused
from taskwire.domain.errors import OutsideError
from taskwire.messages import troubles
from taskwire.outbox.coder_health import ServiceAccount
from taskwire.outbox.direct_messages import AdminAlerts
from taskwire.settings import Settings, read_token
from taskwire.telemetry import logger

# The name under which the timers look at the file.
CALL_NAME = "token file"

_log = logger("taskwire.app.token_file")


class TokenFile:
    """The file with the service account's token. The bot has read it once, at its start."""

    def __init__(
        self, file: Path, settings: Settings, coder: CoderClient, alerts: AdminAlerts, account: ServiceAccount
    ) -> None:
        self._file = file
        self._masker = settings.masker
        self._token = settings.coder_session_token
        self._coder = coder
        self._alerts = alerts
        self._account = account
        self._seen: tuple[int, int, int] | None = None

    @classmethod
    def find(
        cls, settings: Settings, coder: CoderClient, alerts: AdminAlerts, account: ServiceAccount
    ) -> Self | None:
        """Return the file that the settings name; None if they name none."""
        file = settings.coder_session_token_file
        return None if file is None else cls(file, settings, coder, alerts, account)

    async def look(self) -> None:
        """Use the token in the file if the file has changed and Coder accepts the token."""
        try:
            status = self._file.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen == self._seen:
                return
            token = read_token(self._file)
        except (OSError, ValueError) as error:
            _log.warning(
                "the token's file cannot be read, the token before it stays in use", error=str(error)
            )
            return
        if token == self._token.get_secret_value() or await self._is_accepted(token):
            self._seen = seen

    async def _is_accepted(self, token: str) -> bool:
        """Use the token if Coder accepts it. Return False if Coder has neither accepted nor refused it."""
        # Nothing may show the token, not even an error of the first request with it.
        self._masker.learn(token)
        try:
            account = await self._coder.for_person(token, "").get_own_user()
        except TokenRefused:
            _log.error("Coder refuses the new token, the token before it stays in use")
            await self._alerts.warn("new token", troubles.new_token_refused())
            return True
        except OutsideError as error:
            _log.warning("the new token cannot be tried yet", error=str(error))
            return False
        self._coder.use_token(token)
        self._token = SecretStr(token)
        self._account.expect_change()
        _log.info("Coder's token was replaced", account=account.username)
        return True
