"""Listeners for Slack's payloads. They claim each payload in the inbox and then acknowledge it."""

from slack_bolt.async_app import AsyncApp

from taskwire.listeners.clicks import Clicks
from taskwire.listeners.commands import Commands
from taskwire.listeners.dialogs import Dialogs
from taskwire.listeners.events import Events
from taskwire.listeners.shortcuts import Shortcuts


def listen(
    app: AsyncApp,
    commands: Commands,
    messages: Events,
    clicks: Clicks,
    dialogs: Dialogs,
    shortcuts: Shortcuts,
) -> None:
    """Register a listener for each kind of payload."""
    commands.listen(app)
    messages.listen(app)
    clicks.listen(app)
    dialogs.listen(app)
    shortcuts.listen(app)
