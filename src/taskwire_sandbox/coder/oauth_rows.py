"""What Coder stores as an OAuth2 provider: apps, codes and tokens. `oauth_routes.py` answers the requests."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from taskwire_sandbox.coder.rows import Token, User


@dataclass
class OAuthApp:
    """An app that an administrator of Coder has registered."""

    id: str
    secret: str
    name: str
    callback_url: str


@dataclass
class OAuthCode:
    """A code that a person has given to an app."""

    text: str
    app: OAuthApp
    user: User
    challenge: str
    expires_at: datetime


@dataclass
class OAuthGrant:
    """A refresh token and the API key that it belongs to. The refresh token expires with the key."""

    refresh_token: str
    app: OAuthApp
    key: Token
    expires_at: datetime


@dataclass
class OAuthProvider:
    """The apps of one deployment, and the codes and tokens that these apps got.

    `secrets` has every secret that was ever given.
    """

    apps: dict[str, OAuthApp] = field(default_factory=dict)
    codes: dict[str, OAuthCode] = field(default_factory=dict)
    grants: dict[str, OAuthGrant] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    token_lifetime: timedelta = timedelta(days=1)
