"""Fixtures: a workspace, the bot's client for it, and a rate limiter that records its calls."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from taskwire import transport
from taskwire.slack.call_priorities import Priority
from taskwire.slack.calls import SlackTimeouts
from taskwire.slack.client import make_client
from taskwire.slack.outbound import Outbound
from taskwire_sandbox.slack import SlackSandbox

SECRET = "hunter2"
TIMEOUTS = SlackTimeouts(post=5.0, change=5.0, read=5.0, file=5.0)


@dataclass
class RateLimiter:
    """A rate limiter that lets every call pass, or tells every call to wait for `seconds`. It records all
    calls."""

    seconds: float = 0.0
    waits: list[tuple[str, str, Priority]] = field(default_factory=list)
    claimants: list[str] = field(default_factory=list)
    rests: list[tuple[str, float]] = field(default_factory=list)

    async def take_place(
        self, method: str, where: str = "", priority: Priority = Priority.POST, claimant: str = ""
    ) -> float:
        """Return the configured seconds to wait."""
        self.waits.append((method, where, priority))
        self.claimants.append(claimant)
        return self.seconds

    async def block(self, method: str, seconds: float) -> None:
        """Record that a method was blocked."""
        self.rests.append((method, seconds))


def mask(words: str) -> str:
    """Return the text with these tests' only secret replaced by asterisks."""
    return words.replace(SECRET, "*****")


@pytest.fixture
def rate_limiter() -> RateLimiter:
    return RateLimiter()


@pytest.fixture
async def slack() -> AsyncIterator[SlackSandbox]:
    """Run a workspace with alice, bob and the channel #dev. At the end, check that it has recorded no
    violations."""
    async with SlackSandbox(retry_seconds=()) as sandbox:
        sandbox.add_user("alice")
        sandbox.add_user("bob")
        sandbox.add_channel("dev", ["alice", "bob"])
        yield sandbox
        await sandbox.wait_until_idle()
    assert sandbox.violations == []


@pytest.fixture
async def outbound(slack: SlackSandbox, rate_limiter: RateLimiter) -> AsyncIterator[Outbound]:
    async with transport.make_session() as session:
        client = make_client(slack.bot_token, slack.api_url, session=session)
        yield Outbound(client, rate_limiter, mask, timeouts=TIMEOUTS)
