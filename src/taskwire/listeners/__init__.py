"""Payloads from Slack: parsed into typed values, written down, and only then acknowledged."""

from slack_bolt.async_app import AsyncApp

from taskwire.listeners.clicks import Clicks
from taskwire.listeners.commands import Commands
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.messages import Messages


def listen(app: AsyncApp, commands: Commands, messages: Messages, clicks: Clicks, dialogs: Dialogs) -> None:
    """Let the app hand each kind of payload to its listener."""
    commands.listen(app)
    messages.listen(app)
    clicks.listen(app)
    dialogs.listen(app)
