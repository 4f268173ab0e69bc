"""A small workspace for the tests of the Slack stand-in: Alice, Bob, #general, #random, #secret."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from taskwire_sandbox.slack import SlackSandbox
from tests.sandbox.slack_app import Api


@asynccontextmanager
async def world(**options: Any) -> AsyncIterator[Api]:  # any options of SlackSandbox
    """Open a workspace whose app has done nothing yet. The bot is not in #random and #secret."""
    async with SlackSandbox(**options) as slack, aiohttp.ClientSession() as session:
        slack.add_user("alice", real_name="Alice Adams")
        slack.add_user("bob")
        slack.add_channel("general", ["alice", "bob"])
        slack.add_channel("random", ["alice", "bob"], with_bot=False)
        slack.add_channel("secret", ["alice"], kind="private", with_bot=False)
        yield Api(slack, session)
