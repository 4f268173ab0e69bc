"""The rate limits of the client and of the stand-in agree with the limits that Slack documents."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from taskwire import transport
from taskwire.domain.ids import ChannelId
from taskwire.domain.text.message import Message
from taskwire.queue.rate_limiter import LIMITS, WINDOW_MS, MethodLimits
from taskwire.slack.calls import Method
from taskwire.slack.client import make_client
from taskwire.slack.drafts import InvalidDraft
from taskwire.slack.metadata import Metadata
from taskwire.slack.outbound import Outbound
from taskwire_sandbox.slack import SlackSandbox
from taskwire_sandbox.slack.block_rules import problems
from taskwire_sandbox.slack.rate_limiter import PER_MINUTE, POST_BURST, POST_SECONDS
from tests.slack.conftest import RateLimiter

from .slack_table import EDITED_TEXT, METHODS, MOST_BLOCKS, POSTED_TEXT, TIERS

each_method = pytest.mark.parametrize("method", list(Method))
# Limits of our own choice. Edits of cards get less than the tier of chat.update.
OWN_LIMITS = {Method.UPDATE: 45}


@each_method
def test_a_method_that_is_called_has_its_documented_tier(method: Method) -> None:
    """Each method has the rate limit of its documented tier, unless `queue/rate_limiter.py` gives a reason
    for another limit."""
    documented = TIERS[METHODS[method].tier]

    limit = LIMITS[method].per_method

    assert limit is not None
    assert limit.per_minute == OWN_LIMITS.get(method, documented) <= documented


@pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS.keys())
def test_a_burst_and_what_follows_it_stay_within_the_minute(limits: MethodLimits) -> None:
    """A burst is not larger than the limit of a minute (two calls are always allowed). The interval after a
    burst is long enough that the calls of one minute stay within the limit."""
    for limit in filter(None, limits):
        assert limit.burst <= max(limit.per_minute, 2)
        assert limit.per_minute == 0 or limit.interval_ms * limit.per_minute >= WINDOW_MS


def test_posts_of_a_channel_stay_below_one_a_second_and_its_burst() -> None:
    """For a channel, the limiter allows one post less in a burst than Slack accepts. After the burst, it
    allows one post in 1.01 seconds."""
    each = LIMITS[Method.POST].per_target

    assert each is not None
    assert each.burst == POST_BURST - 1
    assert 1.0 <= each.interval_ms / 1000 / POST_SECONDS <= 1.05


def test_the_sandbox_counts_calls_by_the_same_tiers() -> None:
    """The stand-in answers 429 if a bot calls a method more often than its tier allows."""
    assert {tier: PER_MINUTE[tier] for tier in TIERS} == TIERS
    assert TIERS.keys() == {row.tier for row in METHODS.values()}


class _Place(NamedTuple):
    slack: SlackSandbox
    client: AsyncWebClient
    outbound: Outbound
    channel: ChannelId


META = Metadata("m1", "answer")


@pytest.fixture
async def place() -> AsyncIterator[_Place]:
    """Return a channel of the stand-in for Slack, a client that has Taskwire's checks, and a client without
    these checks."""
    async with SlackSandbox(retry_seconds=()) as slack, transport.make_session() as session:
        channel = ChannelId(slack.add_channel("dev").id)
        client = make_client(slack.bot_token, slack.api_url, session=session)
        yield _Place(slack, client, Outbound(client, RateLimiter(), str), channel)


async def test_the_longest_text_is_posted_whole_and_a_longer_one_never(place: _Place) -> None:
    """The client posts a text of the greatest length that Slack accepts. The client refuses a longer text,
    because Slack would silently cut it."""
    longest = "x" * POSTED_TEXT
    cut = await place.client.chat_postMessage(channel=place.channel, text=f"{longest}y")

    whole = await place.outbound.post(place.channel, Message(text=longest), META)
    with pytest.raises(InvalidDraft):
        await place.outbound.post(place.channel, Message(text=f"{longest}y"), META)

    assert place.slack.message(place.channel, whole)["text"] == longest
    assert place.slack.message(place.channel, str(cut["ts"]))["text"] == longest
    assert [call.method for call in place.slack.calls] == ["chat.postMessage"] * 2


async def test_a_text_is_edited_up_to_its_own_limit(place: _Place) -> None:
    """The client edits a message to a text of the greatest length that Slack accepts in an edit. The client
    does not send a longer text, because Slack would refuse the edit."""
    longest = "x" * EDITED_TEXT
    ts = await place.outbound.post(place.channel, Message(text="Hello."), META)

    await place.outbound.update(place.channel, ts, Message(text=longest), META)
    with pytest.raises(InvalidDraft):
        await place.outbound.update(place.channel, ts, Message(text=f"{longest}y"), META)
    with pytest.raises(SlackApiError, match="msg_too_long"):
        await place.client.chat_update(channel=place.channel, ts=ts, text=f"{longest}y")

    assert place.slack.message(place.channel, ts)["text"] == longest


@pytest.mark.parametrize("surface", MOST_BLOCKS)
def test_the_sandbox_takes_as_many_blocks_as_slack(surface: str) -> None:
    """In a message and in a dialog, the stand-in accepts as many blocks as Slack does, and refuses one
    more."""
    most = MOST_BLOCKS[surface]

    assert problems([{"type": "divider"}] * most, surface) == []
    assert problems([{"type": "divider"}] * (most + 1), surface) != []
