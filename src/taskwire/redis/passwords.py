"""The user and the password for new connections to Redis. Both may change while connections are open."""

from redis.credentials import CredentialProvider


class Password(CredentialProvider):
    """A user and a password for Redis. redis-py asks for both each time it connects."""

    def __init__(self, username: str | None = None, password: str | None = None) -> None:
        self.replace(username, password)

    def replace(self, username: str | None, password: str | None) -> None:
        """Use this user and this password from the next connection on."""
        self._username, self._password = username or "", password or ""

    @property
    def provider(self) -> CredentialProvider | None:
        """The object that redis-py asks for the user and the password; None if both are empty.

        With an object that gives an empty password, redis-py would still send a login.
        """
        return self if self._username or self._password else None

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        """Return the user and the password, or the password alone."""
        return (self._username, self._password) if self._username else (self._password,)

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """Return what `get_credentials` returns. The base class's method would log a warning."""
        return self.get_credentials()
