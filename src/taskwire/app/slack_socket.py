"""The bot's connection to Slack in Socket Mode. In HTTP mode there is none, because Slack sends requests.

After a change of the app token, a second connection is opened before the first one is closed. So the bot is
always connected.
"""

from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncApp

from taskwire.domain.errors import TryLater
from taskwire.slack.outbound import Outbound
from taskwire.slack.socket_mode import SocketModeConnection
from taskwire.telemetry import Metrics

# How long a new connection may take, in seconds, while the previous connection is still open.
SOCKET_CONNECT_SECONDS = 10.0
# How long each of the two steps of closing a connection may take, in seconds.
SOCKET_CLOSE_SECONDS = 1.0
# Asks Slack for an address until Slack answers.
OpenUrl = Callable[[Callable[[], Awaitable[str]]], Awaitable[str]]


class SlackSocket:
    """Keeps the present connection, and replaces it when there is a new app token.

    In HTTP mode there is no connection.
    """

    def __init__(self, app_token: str | None, metrics: Metrics) -> None:
        self._app_token = app_token
        self._metrics = metrics
        self._present: SocketModeConnection | None = None
        self._bolt: AsyncApp | None = None
        self._slack: Outbound | None = None

    async def prepare(self, bolt: AsyncApp, slack: Outbound, open_url: OpenUrl) -> None:
        """Get from Slack the address to connect to. Raises `TokenProblem` if Slack refuses the app token."""
        self._bolt, self._slack = bolt, slack
        app_token = self._app_token
        if app_token is not None:
            url = await open_url(lambda: slack.open_socket(app_token))
            self._present = SocketModeConnection(bolt, app_token, url, self._on_opened)

    def start(self) -> None:
        """Connect in the background."""
        if self._present is not None:
            self._present.start()

    async def reconnect(self, app_token: str) -> None:
        """Connect with another app token, then close the previous connection.

        If the new connection fails, raise Slack's error or `TryLater`. The previous connection then stays in
        use.
        """
        assert self._bolt is not None  # noqa: S101 - `prepare` comes first
        assert self._slack is not None  # noqa: S101 - `prepare` comes first
        url = await self._slack.open_socket(app_token)
        opened = SocketModeConnection(self._bolt, app_token, url, self._on_opened)
        opened.start()
        if not await opened.wait_until_connected(SOCKET_CONNECT_SECONDS):
            await opened.close(SOCKET_CLOSE_SECONDS)
            raise TryLater("the new connection to Slack does not open")
        former, self._present = self._present, opened
        if former is not None:
            await former.close(SOCKET_CLOSE_SECONDS)

    async def is_connected(self) -> bool:
        """Return whether payloads can arrive."""
        return self._present is None or await self._present.is_connected()

    async def measure(self) -> None:
        """Set the metric of the connection's age."""
        if self._present is not None:
            self._metrics.socket_age_seconds.set(await self._present.age_seconds())

    async def close(self) -> None:
        """Acknowledge the payloads that have arrived, then close the connection."""
        if self._present is not None:
            await self._present.close(SOCKET_CLOSE_SECONDS)

    def _on_opened(self, connections: int) -> None:
        self._metrics.sockets_opened.inc()
        self._metrics.socket_connections.set(connections)
