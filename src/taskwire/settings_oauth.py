"""Settings of Coder's OAuth2 provider, with which people connect their accounts on a page of Coder.

`settings.py` has the other settings, and reads all of them.
"""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

# The path below TASKWIRE_PUBLIC_URL to which Coder sends people back.
CALLBACK_PATH = "/coder/callback"


class OAuthApp(NamedTuple):
    """Taskwire as an app of Coder's OAuth2 provider. Coder sends people back to the `callback_url`."""

    client_id: str
    secret: str
    callback_url: str


class OAuthSettings(BaseSettings):
    """The settings about Coder's OAuth2 provider. Either all of these settings are set, or none."""

    coder_oauth_client_id: str | None = Field(None, validation_alias="TASKWIRE_CODER_OAUTH_CLIENT_ID")
    coder_oauth_secret: SecretStr | None = Field(None, validation_alias="TASKWIRE_CODER_OAUTH_SECRET")
    public_url: str | None = Field(None, validation_alias="TASKWIRE_PUBLIC_URL")

    @property
    def oauth_app(self) -> OAuthApp | None:
        """Taskwire as an app of Coder; None if people connect their accounts with tokens only."""
        client_id, secret, url = self.coder_oauth_client_id, self.coder_oauth_secret, self.public_url
        if client_id is None or secret is None or url is None:
            return None
        return OAuthApp(client_id, secret.get_secret_value(), f"{url}{CALLBACK_PATH}")

    @field_validator("coder_oauth_client_id")
    @classmethod
    def _check_client_id(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9-]{1,64}", value):
            raise ValueError("must be the client ID that Coder shows of the app")
        return value

    @field_validator("coder_oauth_secret")
    @classmethod
    def _check_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\x21-\x7e]+", value.get_secret_value()):
            raise ValueError("must be one word of plain letters, digits and signs")
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str | None) -> str | None:
        """Accept HTTPS, and HTTP only on this machine, because the code that Coder sends must stay secret."""
        if value is None:
            return None
        parts = urlsplit(value)
        is_local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
        is_plain = bool(parts.hostname) and "@" not in parts.netloc and not (parts.query or parts.fragment)
        if not is_plain or not (is_local or parts.scheme == "https"):
            raise ValueError("must be the https address at which browsers reach TASKWIRE_HTTP_ADDR")
        if parts.path.strip("/"):
            # The pages and their cookie are below `CALLBACK_PATH`, so a proxy may put no path before it.
            raise ValueError("must have no path: give Taskwire a host name of its own")
        return value.rstrip("/")

    def find_oauth_problem(self, accounts: str) -> str:
        """Return a sentence about a wrong combination of these settings; empty if there is none."""
        given = {
            "TASKWIRE_CODER_OAUTH_CLIENT_ID": self.coder_oauth_client_id,
            "TASKWIRE_CODER_OAUTH_SECRET": self.coder_oauth_secret,
            "TASKWIRE_PUBLIC_URL": self.public_url,
        }
        missing = [name for name, value in given.items() if value is None]
        if len(missing) == len(given):
            return ""
        if missing:
            *others, last = given
            return f"{missing[0]} is missing: {', '.join(others)} and {last} belong together"
        if accounts == "service":
            return (
                "TASKWIRE_CODER_OAUTH_CLIENT_ID is set, and nobody connects an account with "
                "TASKWIRE_ACCOUNTS=service: set TASKWIRE_ACCOUNTS=both or personal, or remove it"
            )
        return ""
